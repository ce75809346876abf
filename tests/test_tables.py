"""Cue and measure phrases with the reading that a clinician gives them, compared exactly."""

import csv
from pathlib import Path

import pytest

from analyzer.lexicon import load_lexicons
from analyzer.match import Hits, Matcher
from analyzer.segment import Segmenter

FOLDER = Path(__file__).parent / "data"
LEXICONS = load_lexicons()
SEGMENTER = Segmenter(LEXICONS)
MATCHER = Matcher(LEXICONS)


def rows(file: str) -> list[dict[str, str]]:
    with (FOLDER / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


CUES = rows("cue_phrases.csv")
MEASURES = rows("measures.csv")


def read(text: str) -> Hits:
    return MATCHER(SEGMENTER(text))


def number(value: float | None) -> str:
    return "" if value is None else f"{round(value, 3):g}"


@pytest.mark.parametrize("row", CUES, ids=[row["text"] for row in CUES])
def test_cue_phrase_is_read_as_the_table_says(row: dict[str, str]) -> None:
    cues = [cue for _, cue in read(row["text"]).cues]

    def first(attribute: str) -> str:
        return next((value for cue in cues if (value := getattr(cue, attribute)) is not None), "")

    found = {
        "text": row["text"],
        "types": "+".join(sorted({name for cue in cues for name in cue.types})),
        "level": first("level"),
        "level_upper": first("level_upper"),
        "change": first("change"),
    }
    assert found == row


@pytest.mark.parametrize("row", MEASURES, ids=[row["text"] for row in MEASURES])
def test_measure_phrase_is_read_as_the_table_says(row: dict[str, str]) -> None:
    found = ";".join(
        f"{number(m.value)}|{m.unit}|{number(m.total)}|{number(m.upper)}" for _, m in read(row["text"]).measures
    )
    assert {"text": row["text"], "measures": found} == row


@pytest.mark.parametrize("file", ["cue_phrases.csv", "measures.csv"])
def test_table_has_each_phrase_once(file: str) -> None:
    texts = [row["text"] for row in rows(file)]
    assert sorted({text for text in texts if texts.count(text) > 1}) == []
