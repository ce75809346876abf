"""Mentions of diseases and disorders: every row of the tables, and how a note is certain of them."""

import csv
from pathlib import Path
from typing import NamedTuple

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from analyzer.icd10.mentions import MentionReader
from analyzer.lexicon import compile_pattern, load_lexicons
from analyzer.scan import Near
from analyzer.segment import Segmenter, fold
from analyzer.types import Certainty

FOLDER = Path(__file__).parents[1] / "analyzer" / "lexicons" / "icd10"
TABLES = ("mentions_disorder.csv", "mentions_etiology.csv", "certainty.csv")
ROWS = [(file, row) for file in TABLES for row in csv.DictReader((FOLDER / file).read_text("utf-8").splitlines())]


def _finds(file, row, text):
    pattern = re2.compile(compile_pattern(file, 0, row["pattern"], load_lexicons().classes).encode())
    spans = [match.span() for match in pattern.finditer(fold(text).encode())]
    return any(row.get("case") != "upper" or text[start:end].isupper() for start, end in spans)


@pytest.mark.parametrize(("file", "row"), ROWS, ids=[f"{file}/{row['name']}" for file, row in ROWS])
def test_row_matches_its_example_and_not_its_near_miss(file, row):
    assert (_finds(file, row, row["example"]), _finds(file, row, row["near_miss"])) == (True, False)


@pytest.mark.parametrize("file", TABLES)
def test_rows_are_sorted(file):
    names = [row["name"] for table, row in ROWS if table == file]
    assert names == sorted(names)


@pytest.fixture(scope="module")
def read_all():
    lexicons = load_lexicons()
    reader, segmenter = MentionReader(lexicons), Segmenter(lexicons)
    return lambda text: reader(segmenter(text))


@pytest.fixture(scope="module")
def read(read_all):
    return lambda text: {mention.concept: mention.certainty for mention in read_all(text)}


# Reference 3.5 and 3.11: what is uncertain, negated, someone else's, past or resolved is not coded as present.
@pytest.mark.parametrize(
    ("text", "concept", "certainty"),
    [
        ("Moderate dysarthria after the accident.", "dysarthria", Certainty.CERTAIN),
        ("No dysphagia on exam.", "swallowing", Certainty.NEGATED),
        ("Denies dysphagia.", "swallowing", Certainty.NEGATED),
        ("Rule out aphasia.", "aphasia", Certainty.UNCERTAIN),
        ("Probable dysarthria.", "dysarthria", Certainty.UNCERTAIN),
        ("Brother with autism.", "F84.0", Certainty.FAMILY),
        ("History of stroke.", "stroke", Certainty.HISTORY),
        ("Aphasia has resolved.", "aphasia", Certainty.RESOLVED),
    ],
)
def test_note_is_certain_or_not(read, text, concept, certainty):
    assert read(text)[concept] == certainty


def test_name_within_a_longer_name_of_something_else_is_left_out(read):
    assert "F03.90" not in read("Vascular dementia.")


def test_words_of_a_name_do_not_negate_it(read):
    assert read("Concussion without loss of consciousness.")["loc-none"] == Certainty.CERTAIN


def test_capitals_tell_an_abbreviation_from_a_word(read):
    assert ("apraxia" in read("Dx: AOS."), "apraxia" in read("Dx: aos.")) == (True, False)


def test_text_without_words_has_no_mentions(read):
    assert read("...") == {}


def test_certainty_comes_from_the_words_around_also_among_many(read_all):
    mentions = read_all("History of stroke. Moderate dysarthria. " * 40)
    certainties = [{m.certainty for m in mentions if m.concept == concept} for concept in ("stroke", "dysarthria")]
    assert certainties == [{Certainty.HISTORY}, {Certainty.CERTAIN}]


class _Place(NamedTuple):
    start: int
    end: int


_PLACES = st.builds(lambda start, length: _Place(start, start + length), st.integers(0, 60), st.integers(1, 20))


@given(st.lists(_PLACES, max_size=12), _PLACES, st.integers(0, 10))
def test_near_leaves_out_nothing_that_is_near(places, place, reach):
    near = Near(places)(place.start, place.end, reach=reach)
    within = [one for one in places if one.start <= place.end + reach and one.end >= place.start - reach]
    assert set(within) <= set(near)
