import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import Analyzer, Note, Report
from analyzer.report.record import to_record
from analyzer.types import Label

ANALYZER = Analyzer.load()
PIECES = st.sampled_from(
    ["Pt ", "named ", "12/20 ", "min cues ", "up from 8/20 ", "S: ", "P:\n", "[ ] ", "☑ ", "70 % ", "\r\n", ". ",
     "\ud800", "STG 1: ", "will ",  "because ", "\u2028", "é", "— ", "“no” ", "Tolerated well. ", "\x00", "x10 ", "- ",
     "İ", "ß", "👩‍⚕️"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=400), st.lists(PIECES, max_size=60).map("".join))


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_any_text_gives_a_report_or_a_typed_failure(text):
    (result,) = ANALYZER.analyze_all([Note(text, id="n")])
    if not isinstance(result, Report):
        assert result.code in ("empty-text", "not-text")
        return
    assert result.score == sum(rating.points for rating in result.ratings)
    assert 0 <= result.score <= 100
    assert 0 <= result.unskilled_probability <= 1
    end = 0
    for segment in result.segments:
        assert end <= segment.start < segment.end <= len(text)
        assert segment.start <= segment.body_start <= segment.end
        end = segment.end
    for item in result.evidence:
        segment = result.segments[item.segment]
        assert segment.start <= item.start < item.end <= segment.end
        assert item.label in Label
        for part in (*item.cues, *item.measures, *item.techniques):
            assert segment.start <= part.start < part.end <= segment.end
    for finding in result.findings:
        assert 0 <= finding.start <= finding.end <= len(text)
    assert to_record(result)["status"] == "ok"


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_same_note_gives_the_same_report(text):
    notes = [Note(text, id="n")]
    assert list(ANALYZER.analyze_all(notes)) == list(ANALYZER.analyze_all(notes))


HOSTILE = (
    "a",
    "min ",
    "1/2 ",
    "[ ] ",
    ", ",
    "(((",
    'he said "',
    "☐",
    "STG 1: ",
    "from 1 to 2 ",
    "  ",
    ".",
    "!?",
    ")))",
)
HOSTILE += ("AM ", "A. ", "because ", "will ", "Played bingo. ", "Skilled ST provided using script training. ", "x10 ")


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_line_of_the_longest_length_is_analysed(piece):
    text = (piece * (100_000 // len(piece) + 1))[:99_990] + " end"
    report = ANALYZER.analyze(Note(text))
    assert report.segments[-1].end == len(text)
