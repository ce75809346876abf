import base64
import csv
import doctest
import hashlib
import io
import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import openpyxl
import pytest

from analyzer.report import FORMATS, sheets, to_record, words, write
from analyzer.report.highlight import Piece, Tag, cut_text
from analyzer.report.summary import split_results
from analyzer.report.table import write_table
from analyzer.types import (
    ClaimLine,
    CodeSuggestion,
    Comparison,
    Cue,
    CueChange,
    CueLevel,
    Dimension,
    Evidence,
    Failure,
    Finding,
    Kind,
    Label,
    Level,
    Measure,
    Note,
    NotRun,
    Origin,
    Rating,
    Report,
    Section,
    Segment,
    Status,
    Technique,
    Verdict,
    Versions,
)

# Annotation guide 4.
WEIGHTS = {
    Dimension.INTERVENTION: 20,
    Dimension.CUEING: 15,
    Dimension.RESPONSE: 15,
    Dimension.MEASURABLE_PROGRESS: 20,
    Dimension.CLINICAL_REASONING: 15,
    Dimension.GOAL_FUNCTION: 10,
    Dimension.PLAN: 5,
}
VERSIONS = Versions("0.1.0", "3f9c1a2b", "encoder 3", "FY2027")
ATTACK = (
    "</script><script>document.title='x'</script> <img src=x onerror=alert(1)> </style> {{ 7*7 }} {% raw %} "
    "<a href=\"javascript:alert(1)\">'quoted' & \u2028 \u202e</a> <!-- --> ]]>"
)


def make_report(
    text="Named 14/20 given min cues. Tolerated well.",
    *,
    id="A-1",
    ratings=(2, 1, 1, 1, 1, 1, 0),
    verdict=Verdict.AT_RISK,
    kind=Kind.TREATMENT,
    probability=0.25,
    evidence=(),
    findings=(),
    icd10=(),
    not_run=(),
    **fields,
):
    """Build a report with one segment a sentence, and ratings in the order of the dimensions."""
    spans = [match.span() for match in re.finditer(r"\S[^.]*\.?", text)]
    segments = tuple(Segment(index, start, end, Section.BODY, start) for index, (start, end) in enumerate(spans))
    rated = tuple(
        Rating(dimension, rating, WEIGHTS[dimension], (0,) if rating and segments else ())
        for dimension, rating in zip(Dimension, ratings, strict=True)
    )
    return Report(
        note=Note(text, id, **fields),
        kind=kind,
        verdict=verdict,
        score=sum(rating.points for rating in rated),
        unskilled_probability=probability,
        ratings=rated,
        segments=segments,
        evidence=tuple(evidence),
        findings=tuple(findings),
        versions=VERSIONS,
        icd10=tuple(icd10),
        not_run=tuple(not_run),
    )


def make_finding(code="SKL003", start=6, end=11, **fields):
    values = {
        "level": Level.WARNING,
        "title": f"Title of {code}",
        "message": "What is wrong.",
        "fix": "What to write.",
        "source": "cms-mbpm-15-220.3",
    } | fields
    return Finding(code=code, start=start, end=end, **values)


def make_failure(**fields):
    values = {"id": "B-2", "field": "date_of_service", "origin": Origin("notes.csv", 7)} | fields
    return Failure("bad-date", "expected an ISO date, found another form", **values)


ATTACKS = make_report(
    ATTACK,
    id='"><script>alert(1)</script>',
    patient_id="' onmouseover='alert(1)",
    clinician_id='" autofocus onfocus="alert(1)',
    origin=Origin("<b>.csv", 1),
    extra=(("<i>column</i>", "=cmd|' /C calc'!A0"),),
    evidence=[
        Evidence(Label.GENERIC, 0, 3, 40, "model:<b>"),
        Evidence(Label.DRILL, 0, 20, 70, "x", goal='"><b>'),
        Evidence(Label.CUEING, 0, 0, len(ATTACK), "x"),
    ],
    findings=[
        make_finding(start=10, end=30, title="<script>t</script>", message="<b>", fix="<b>", source="javascript:x")
    ],
    icd10=[CodeSuggestion("<b>", "<script>", 0.5, True, advice="</li>")],
    not_run=[NotRun("<b>", "</ul>")],
)

UNJUDGED = [
    make_report(id="N", ratings=(0,) * 7, kind=Kind.NO_SHOW, verdict=Verdict.UNSKILLED, clinician_id="C-1"),
    make_report(id="S", ratings=(1,) * 7, kind=Kind.SCREENING, clinician_id="C-2"),
    make_report(id="T", ratings=(0,) * 7, kind=Kind.OTHER, clinician_id="C-2"),
    make_report(id="good", ratings=(2,) * 7, verdict=Verdict.SKILLED, probability=0.004, clinician_id="C-1"),
]


def written(results, format):
    output = io.StringIO()
    write(results, format, output)
    return output.getvalue()


def workbook(results):
    output = io.BytesIO()
    write(results, "xlsx", output)
    return openpyxl.load_workbook(output)


# Records


def test_record_holds_everything_that_the_contract_names():
    report = make_report(
        patient_id="P-1",
        clinician_id="C-1",
        date_of_service=date(2026, 3, 2),
        extra=(("ward", "3B"), ("seen", datetime(2026, 3, 2, 9, tzinfo=UTC)), ("ratio", float("nan"))),
        evidence=[
            Evidence(
                Label.MEASURE,
                0,
                6,
                11,
                "lexicon:measures/ratio",
                0.97,
                measures=(Measure(6, 11, 14.0, "ratio", 20.0),),
                comparison=Comparison(6, 11, None, Measure(6, 11, 14.0, "ratio", 20.0)),
            ),
            Evidence(
                Label.CUEING,
                0,
                18,
                26,
                "lexicon:cues/min",
                cues=(Cue(18, 26, ("verbal",), CueLevel.MINIMAL),),
                techniques=(Technique(0, 5, "naming", "language"),),
                goal="STG 1",
            ),
        ],
        findings=[make_finding()],
        icd10=[CodeSuggestion("R47.01", "Aphasia", 0.75, True, ((0, 5),), "Check the cause.")],
        not_run=[NotRun("BIL002", "no claim lines were given")],
    )
    assert to_record(report) == {
        "id": "A-1",
        "status": "ok",
        "patient_id": "P-1",
        "clinician_id": "C-1",
        "date_of_service": "2026-03-02",
        "kind": "treatment",
        "verdict": "at_risk",
        "score": 57.5,
        "unskilled_probability": 0.25,
        "verdict_probability": None,
        "unclear": False,
        "unclear_wrong": None,
        "rubric": {
            "intervention": 2,
            "cueing": 1,
            "response": 1,
            "measurable_progress": 1,
            "clinical_reasoning": 1,
            "goal_function": 1,
            "plan": 0,
        },
        "segments": [
            {
                "start": 0,
                "end": 27,
                "labels": [
                    {
                        "label": "measure",
                        "probability": 0.97,
                        "start": 6,
                        "end": 11,
                        "measures": [
                            {"start": 6, "end": 11, "value": 14.0, "unit": "ratio", "total": 20.0, "upper": None}
                        ],
                        "comparison": {
                            "start": 6,
                            "end": 11,
                            "before": None,
                            "after": {
                                "start": 6,
                                "end": 11,
                                "value": 14.0,
                                "unit": "ratio",
                                "total": 20.0,
                                "upper": None,
                            },
                        },
                        "source": "lexicon:measures/ratio",
                        "lexicon_probability": None,
                        "model_probability": None,
                    },
                    {
                        "label": "cueing",
                        "probability": None,
                        "start": 18,
                        "end": 26,
                        "cue_type": ["verbal"],
                        "cue_level": "min",
                        "techniques": [{"name": "naming", "area": "language", "start": 0, "end": 5}],
                        "goal": "STG 1",
                        "source": "lexicon:cues/min",
                        "lexicon_probability": None,
                        "model_probability": None,
                    },
                ],
            }
        ],
        "findings": [
            {
                "code": "SKL003",
                "level": "warning",
                "title": "Title of SKL003",
                "start": 6,
                "end": 11,
                "message": "What is wrong.",
                "fix": "What to write.",
                "source": "cms-mbpm-15-220.3",
            }
        ],
        "icd10": [
            {
                "code": "R47.01",
                "title": "Aphasia",
                "probability": 0.75,
                "billable": True,
                "evidence": [{"start": 0, "end": 5}],
                "advice": "Check the cause.",
            }
        ],
        "not_run": [{"check": "BIL002", "reason": "no claim lines were given"}],
        "versions": {"cuewise": "0.1.0", "lexicons": "3f9c1a2b", "model": "encoder 3", "icd10cm": "FY2027"},
        "extra": {"ward": "3B", "seen": "2026-03-02T09:00:00+00:00", "ratio": None},
    }


def test_record_of_a_failure_names_file_row_and_field():
    assert to_record(make_failure(extra=(("ward", "3B"),))) == {
        "id": "B-2",
        "status": "error",
        "error": {
            "code": "bad-date",
            "message": "expected an ISO date, found another form",
            "file": "notes.csv",
            "row": 7,
            "field": "date_of_service",
        },
        "extra": {"ward": "3B"},
    }


def test_record_of_a_failure_leaves_out_an_unknown_place():
    assert to_record(make_failure(origin=None, field=None)) == {
        "id": "B-2",
        "status": "error",
        "error": {"code": "bad-date", "message": "expected an ISO date, found another form"},
    }


def test_record_sums_up_several_cues_as_a_range_with_its_change():
    cues = (
        Cue(0, 5, ("visual",), CueLevel.MODERATE),
        Cue(6, 11, ("tactile", "visual"), CueLevel.INDEPENDENT, change=CueChange.FADED),
    )
    record = to_record(make_report(evidence=[Evidence(Label.CUEING, 0, 0, 11, "x", cues=cues)]))
    assert record["segments"][0]["labels"] == [
        {
            "label": "cueing",
            "probability": None,
            "start": 0,
            "end": 11,
            "cue_type": ["tactile", "visual"],
            "cue_level": "independent",
            "cue_level_upper": "mod",
            "cue_change": "faded",
            "source": "x",
            "lexicon_probability": None,
            "model_probability": None,
        }
    ]


def test_record_marks_findings_of_preview_rules():
    record = to_record(make_report(findings=[make_finding(status=Status.PREVIEW)]))
    assert record["findings"][0]["status"] == "preview"


# JSON Lines


def test_jsonl_keeps_one_line_a_record_whatever_its_characters():
    results = [make_report(id="a\u2028b\u2029c\x85d\ne\ud800"), ATTACKS, make_failure()]
    lines = written(results, "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == [to_record(result) for result in results]


def test_jsonl_writes_letters_as_they_are_and_can_be_encoded():
    output = io.BytesIO()
    write([make_report(id="Zoë \udc80")], "jsonl", output)
    assert output.getvalue().startswith('{"id": "Zoë \\udc80", "status": "ok"'.encode())


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_streaming_formats_write_each_result_before_they_ask_for_the_next(format):
    output, seen = io.StringIO(), []

    def results():
        for id in ("first", "second"):
            seen.append(("first" in output.getvalue(), "second" in output.getvalue()))
            yield make_report(id=id)

    write(results(), format, output)
    assert seen == [(False, False), (True, False)]


# Table

TABLE = """\

 Note      Verdict    Score  Kind             Findings          P(uns.)
 ──────────────────────────────────────────────────────────────────────
 poor      unskilled      0  progress report  1 DOC004                –
 fair      at risk     57.5  treatment        4 SKL003 DOC004…      25%
 good      skilled      100  treatment        0                     <1%

3 notes audited
  unskilled       1   33%
  at risk         1   33%
  skilled         1   33%

Scores: median 57.5, mean 52.5
    0–9        1 ████████████████████████████████████████
   10–19       0
   20–29       0
   30–39       0
   40–49       0
   50–59       1 ████████████████████████████████████████
   60–69       0
   70–79       0
   80–89       0
   90–100      1 ████████████████████████████████████████

Most frequent findings, by notes they were made in
      2  DOC004  Title of DOC004
      1  BIL002  Title of BIL002
      1  SKL003  Title of SKL003

Checks that did not run, so that their silence means nothing
  EPI (1 note): no other note of the patient was given

1 record could not be read
  notes.csv:7, id B-2, field date_of_service: expected an ISO date, found
  another form (bad-date)

A score says how much evidence of skilled service one note holds, read alone. It
is not legal or coding advice, and it does not decide a claim: payers' reviewers
consider the whole record, with the evaluation, the plan of care and other
notes. Check every finding against the record before acting on it.
"""


def test_table_lists_the_worst_first_then_totals_scores_findings_and_failures():
    results = [
        make_report(id="good", ratings=(2,) * 7, verdict=Verdict.SKILLED, probability=0.004),
        make_report(id="fair", findings=[make_finding(c) for c in ("SKL003", "DOC004", "DOC004", "BIL002")]),
        make_failure(),
        make_report(
            id="poor",
            ratings=(0,) * 7,
            verdict=Verdict.UNSKILLED,
            kind=Kind.PROGRESS_REPORT,
            probability=None,
            findings=[make_finding("DOC004")],
            not_run=[NotRun("EPI", "no other note of the patient was given")],
        ),
    ]
    lines = [line.rstrip() for line in written(results, "table").splitlines()]
    assert lines == TABLE.splitlines()


def test_table_judges_no_contact_that_is_not_a_session():
    lines = [line.rstrip() for line in written(UNJUDGED, "table").splitlines()]
    assert lines[3:15] == [
        " good      skilled       100  treatment  0                     <1%",
        " N         not judged      –  no-show    0                       –",
        " S         not judged      –  screening  0                       –",
        " T         not judged      –  other      0                       –",
        "",
        "4 notes audited, 1 judged",
        "  unskilled       0    0%",
        "  at risk         0    0%",
        "  skilled         1  100%",
        "",
        "Not judged: 1 no-show, 1 screening, 1 other contact. No-shows, screenings and",
        "other contacts do not record a treatment session, so a verdict or a score would",
    ]
    assert [line for line in lines if "█" in line] == ["   90–100      1 ████████████████████████████████████████"]


def test_table_of_contacts_alone_has_no_totals_of_verdicts_and_scores():
    lines = [line.rstrip() for line in written(UNJUDGED[:1], "table").splitlines()]
    assert lines[5:9] == [
        "1 note audited, 0 judged",
        "",
        "Not judged: 1 no-show. No-shows, screenings and other contacts do not record a",
        "treatment session, so a verdict or a score would say little.",
    ]
    assert [line for line in lines if line.startswith(("Scores", "  unskilled"))] == []


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_record_of_a_note_that_is_not_judged_keeps_its_fields(format):
    line = written(UNJUDGED[1:2], format).splitlines()[-1]
    if format == "jsonl":
        assert [json.loads(line)[name] for name in ("verdict", "score", "kind")] == ["at_risk", 50.0, "screening"]
    else:
        assert line.startswith("S,ok,at_risk,50.0,0.25,False,screening,")


@pytest.mark.parametrize("width", [40, 52, 72, 80, 120])
def test_table_stays_within_its_width(width):
    output = io.StringIO()
    long = make_report(id="A" * 90, kind=Kind.PROGRESS_REPORT, findings=[make_finding(c) for c in ("SKL003", "DOC004")])
    write_table([long, make_failure()], output, width=width)
    assert [line for line in output.getvalue().splitlines() if len(line) > width] == []


def test_table_gives_no_control_to_ids_and_reads_no_markup_in_them():
    text = written([make_report(id="\x1b[31m[red]x[/red]:smile:\r\u202e")], "table")
    assert "[31m[red]x[/red]" in text.replace("\n", "")
    assert Counter(text)["\x1b"] + Counter(text)["\r"] + Counter(text)["\u202e"] == 0


def test_table_fits_an_output_that_knows_ascii_only():
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write([make_report(id="Zoë", findings=[make_finding(title="“Quoted”")]), make_failure()], "table", output)
    assert b"Zo?" in output.buffer.getvalue()


# CSV


def test_csv_has_one_row_a_note_with_flat_columns():
    report = make_report(
        patient_id="P-1",
        clinician_id="C-1",
        date_of_service=date(2026, 3, 2),
        origin=Origin("notes.csv", 6),
        extra=(("ward", "3B"), ("room", 4)),
        findings=[make_finding("SKL003"), make_finding("SKL003", 0, 5), make_finding("DOC004")],
        icd10=[CodeSuggestion("R47.01", "Aphasia", 0.75, True)],
        not_run=[NotRun("EPI", "no other note")],
    )
    rows = list(csv.DictReader(io.StringIO(written([report, make_failure()], "csv"))))
    blank = dict.fromkeys(rows[0], "")
    assert rows == [
        blank
        | {
            "id": "A-1",
            "status": "ok",
            "verdict": "at_risk",
            "score": "57.5",
            "unskilled_probability": "0.25",
            "unclear": "False",
            "kind": "treatment",
            "rating_intervention": "2",
            "rating_cueing": "1",
            "rating_response": "1",
            "rating_measurable_progress": "1",
            "rating_clinical_reasoning": "1",
            "rating_goal_function": "1",
            "rating_plan": "0",
            "finding_count": "3",
            "finding_codes": "SKL003; DOC004",
            "finding_titles": "Title of SKL003; Title of DOC004",
            "icd10": "R47.01",
            "not_run": "EPI",
            "patient_id": "P-1",
            "clinician_id": "C-1",
            "date_of_service": "2026-03-02",
            "file": "notes.csv",
            "row": "6",
            "extra": '{"ward": "3B", "room": 4}',
        },
        blank
        | {
            "id": "B-2",
            "status": "error",
            "file": "notes.csv",
            "row": "7",
            "error_code": "bad-date",
            "error_message": "expected an ISO date, found another form",
            "error_field": "date_of_service",
        },
    ]


FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\tx", "  =1", "\u00a0=1", "\ufeff=1", "＝1", " ＋1", "－1", "＠x",
    "\n=1",
]  # fmt: skip


@pytest.mark.parametrize("id", FORMULAS)
def test_csv_cell_cannot_start_a_formula(id):
    row = next(csv.DictReader(io.StringIO(written([make_report(id=id)], "csv"), newline="")))
    assert row["id"] == f"'{id}"


@pytest.mark.parametrize("id", ["A-17", "a=b", "  x", "1-2", "", "'=1"])
def test_csv_cell_that_starts_no_formula_stays_as_it_is(id):
    row = next(csv.DictReader(io.StringIO(written([make_report(id=id)], "csv"), newline="")))
    assert row["id"] == id


# XLSX


def test_workbook_has_its_sheets_with_frozen_headers_and_filters():
    book = workbook([make_report(findings=[make_finding()])])
    assert [(sheet.title, sheet.freeze_panes, sheet.auto_filter.ref) for sheet in book] == [
        ("Notes", "B2", "A1:AD2"),
        ("Findings", "B2", "A1:M2"),
        ("Evidence", "B2", "A1:K1"),
        ("Summary", "B2", "A1:D21"),
    ]


def test_workbook_keeps_numbers_as_numbers_dates_as_dates_and_long_digits_as_text():
    extra = (("beds", 4), ("share", 0.5), ("member", 12345678901234567890), ("tags", ["a", "b"]), ("score", "mine"))
    sheet = workbook([make_report(date_of_service=date(2026, 3, 2), extra=extra)])["Notes"]
    row = dict(zip(*([cell.value for cell in line] for line in sheet.iter_rows()), strict=True))
    picked = ("score", "unskilled_probability", "rating_plan", "date_of_service", *(name for name, _ in extra[:4]))
    assert [row[name] for name in picked] == [
        57.5, 0.25, 0, datetime(2026, 3, 2), 4, 0.5, "12345678901234567890", '["a", "b"]',
    ]  # fmt: skip
    assert row["score (input)"] == "mine"


@pytest.mark.parametrize("id", FORMULAS)
def test_workbook_cell_is_text_and_never_a_formula(id):
    output = io.BytesIO()
    write([make_report(id=id, clinician_id=id, extra=((id, id),))], "xlsx", output)
    cells = [cell for sheet in openpyxl.load_workbook(output) for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells if isinstance(cell.value, str)} == {"s"}


def test_workbook_quotes_the_words_of_findings_and_evidence():
    report = make_report(
        clinician_id="C-1",
        findings=[make_finding(), make_finding("DOC004", 0, 43)],
        evidence=[
            Evidence(Label.CUEING, 0, 18, 26, "lexicon:cues/min", 0.9, (Cue(18, 26, ("verbal",), CueLevel.MINIMAL),)),
            Evidence(Label.MEASURE, 0, 6, 11, "x", measures=(Measure(6, 11, 14.0, "ratio", 20.0),)),
        ],
    )
    book = workbook([report])
    assert list(book["Findings"].iter_rows(min_row=2, values_only=True)) == [
        ("A-1", "C-1", None, "SKL003", "warning", "stable", "Title of SKL003", "14/20", "What is wrong.",
         "What to write.", "cms-mbpm-15-220.3", 6, 11),
        ("A-1", "C-1", None, "DOC004", "warning", "stable", "Title of DOC004", "(the whole note)", "What is wrong.",
         "What to write.", "cms-mbpm-15-220.3", 0, 43),
    ]  # fmt: skip
    assert list(book["Evidence"].iter_rows(min_row=2, values_only=True)) == [
        ("A-1", "cueing", "min cues", "min verbal", 0.9, None, None, False, "lexicon:cues/min", 18, 26),
        ("A-1", "measure", "14/20", "14 of 20", None, None, None, False, "x", 6, 11),
    ]


def test_workbook_cuts_a_quote_that_no_cell_can_hold_and_says_so():
    text = "\U0001f600" * 20_000 + "."
    book = workbook([make_report(text, evidence=[Evidence(Label.RESPONSE, 0, 0, len(text), "x")])])
    mark = " … [cut: longer than a cell can hold]"
    assert book["Evidence"]["C2"].value == "\U0001f600" * ((32_767 - len(mark)) // 2) + mark


def test_workbook_drops_characters_xml_cannot_hold_and_counts_the_cells():
    book = workbook([make_report(id="A\x00\x07\ud800-1\uffff", clinician_id="C\x1b")])
    assert (book["Notes"]["A2"].value, book["Notes"]["X2"].value) == ("A-1", "C")
    assert [cell.value for cell in list(book["Summary"].iter_rows())[-1]][:2] == ["Cells with characters left out", 2]


def test_workbook_goes_on_in_another_sheet_when_one_is_full(monkeypatch):
    monkeypatch.setattr(sheets, "_ROW_LIMIT", 3)
    book = workbook([make_report(id=id) for id in "abcde"])
    assert {
        title: [row[0] for row in book[title].iter_rows(values_only=True)]
        for title in book.sheetnames
        if title.startswith("Notes")
    } == {"Notes": ["id", "a", "b"], "Notes 2": ["id", "c", "d"], "Notes 3": ["id", "e"]}


def test_workbook_summary_leaves_out_what_is_not_judged():
    rows = {row[0]: row[1:3] for row in workbook(UNJUDGED)["Summary"].iter_rows(min_row=2, values_only=True)}
    names = ("Notes audited", "Verdict: unskilled", "Verdict: skilled", "Notes not judged", "Mean score")
    assert [rows[name] for name in names] == [(4, None), (0, 0), (1, 1), (3, None), (100, None)]


def test_workbook_packs_more_columns_than_a_sheet_holds_into_one(monkeypatch):
    monkeypatch.setattr(sheets, "_COLUMN_LIMIT", 32)
    fits = [make_report(extra=(("a", 1), ("b", "x")))]
    too_many = [*fits, make_report(extra=(("c", "=1"),)), make_failure()]
    assert [cell.value for cell in workbook(fits)["Notes"][1]][30:] == ["a", "b"]
    book = workbook(too_many)
    assert [[cell.value for cell in row][30:] for row in book["Notes"].iter_rows()] == [
        ["extra"], ['{"a": 1, "b": "x"}'], ['{"c": "=1"}'], [None],
    ]  # fmt: skip
    assert [cell.value for cell in list(book["Summary"].iter_rows())[-1]][:2] == ["Columns handed through", 3]


def test_workbook_is_written_to_its_stream_at_once():
    class Closed(io.BytesIO):
        calls = 0

        def write(self, content):
            self.calls += 1
            raise BrokenPipeError

    output = Closed()
    with pytest.raises(BrokenPipeError):
        write(MIXED, "xlsx", output)
    assert output.calls == 1


# Highlights


def test_overlapping_evidence_is_cut_at_every_boundary():
    report = make_report(
        "abcdefghij",
        evidence=[
            Evidence(
                Label.CUEING, 0, 0, 6, "x", 0.5, cues=(Cue(0, 6, ("visual",), CueLevel.MODERATE, CueLevel.MAXIMAL),)
            ),
            Evidence(Label.RESPONSE, 0, 4, 8, "x"),
            Evidence(Label.MEASURE, 0, 4, 6, "x", measures=(Measure(4, 6, 60.0, "percent", upper=70.0),)),
        ],
        findings=[make_finding(start=5, end=9), make_finding(start=0, end=10)],
    )
    cueing, response, measure = Label.CUEING, Label.RESPONSE, Label.MEASURE
    assert cut_text(report) == (
        Piece("abcd", (cueing,), segments=(0,)),
        Piece("e", (cueing, response, measure)),
        Piece(
            "f",
            (cueing, response, measure),
            (Tag(measure, "60–70%"), Tag(cueing, "mod–max visual · 50%")),
            flags=(1,),
            is_flagged=True,
        ),
        Piece("gh", (response,), (Tag(response, ""),), is_flagged=True),
        Piece("i", is_flagged=True),
        Piece("j"),
    )


def test_an_empty_note_gives_no_pieces():
    assert cut_text(make_report("")) == ()


# HTML


class Page(HTMLParser):
    """A page as a browser's parser sees it: elements with their attributes, texts by the element they stand in."""

    VOID = frozenset({"meta", "link", "input", "img", "br", "path", "rect", "line"})

    def __init__(self, source):
        super().__init__()
        self.elements, self.stack, self.texts = [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        self.texts.append((data, tuple(self.stack)))

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def inside(self, tag, css=None):
        """Return the texts inside an element of this kind and class."""
        return "".join(
            data
            for data, stack in self.texts
            if any(t == tag and (css is None or css in a.get("class", "").split()) for t, a in stack)
        )


MIXED = [
    ATTACKS,
    make_report(
        clinician_id="C-1",
        date_of_service=date(2026, 3, 2),
        claim_lines=(ClaimLine("92507", 1),),
        evidence=[Evidence(Label.MEASURE, 0, 6, 11, "x"), Evidence(Label.GENERIC, 1, 28, 43, "x")],
        findings=[make_finding(), make_finding("DOC004", 0, 43)],
        icd10=[CodeSuggestion("R47.01", "Aphasia", 0.75, True, advice="Check the cause.")],
        not_run=[NotRun("EPI", "no other note of the patient was given")],
    ),
    make_report(id="", ratings=(0,) * 7, kind=Kind.NO_SHOW, verdict=Verdict.UNSKILLED, clinician_id="C-1"),
    make_failure(origin=Origin("<script>x</script>.csv", 2), id="<b>"),
]


def test_page_shows_each_note_as_it_was_written():
    page = Page(written([ATTACKS], "html"))
    shown = [
        data
        for data, stack in page.texts
        if ("div", {"class": "text"}) in stack
        and not any(attributes.get("class", "").split()[:1] in (["tag"], ["flag"]) for _, attributes in stack)
    ]
    assert "".join(shown) == ATTACK


def test_page_makes_no_element_and_no_attribute_from_what_a_note_contains():
    def shape(results):
        elements = Page(written(results, "html")).elements
        return {tag for tag, _ in elements}, {name for _, attributes in elements for name in attributes}

    attack_tags, attack_attributes = shape([ATTACKS])
    tame_tags, tame_attributes = shape(MIXED[1:3])
    assert (attack_tags - tame_tags, attack_attributes - tame_attributes) == (set(), set())
    assert [name for name in attack_attributes if name.startswith("on") or name == "style"] == []


def test_page_reaches_for_nothing_outside_itself():
    page = Page(written(MIXED, "html"))
    assert page.attributes("src") == []
    assert {address.split(":")[0] if ":" in address else address[0] for address in page.attributes("href")} == {
        "#",
        "data",
    }


def test_page_policy_lets_only_its_own_style_and_script_run():
    page = Page(written(MIXED, "html"))
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    hashes = {
        tag: base64.b64encode(hashlib.sha256(page.inside(tag).encode()).digest()).decode()
        for tag in ("style", "script")
    }
    assert Counter(tag for tag, _ in page.elements if tag in hashes) == {"style": 1, "script": 1}
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def test_page_links_all_resolve_and_its_ids_are_unique():
    page = Page(written(MIXED, "html"))
    ids = page.attributes("id")
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    referenced = [address[1:] for address in page.attributes("href") if address.startswith("#")]
    referenced += page.attributes("for")
    referenced += [name for names in page.attributes("aria-labelledby") for name in names.split()]
    assert set(referenced) - set(ids) == set()


def test_page_headings_do_not_skip_a_level():
    levels = [int(tag[1]) for tag, _ in Page(written(MIXED, "html")).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert [(a, b) for a, b in pairwise(levels) if b > a + 1] == []


def test_page_rubric_shows_the_points_that_add_up_to_the_score():
    page = Page(written(MIXED[1:2], "html"))
    cells = [data.strip() for data, stack in page.texts if stack and stack[-1] == ("td", {"class": "num"})
             and ("table", {"class": "figures rubric"}) in stack]  # fmt: skip
    assert [cell for cell in cells if cell] == ["20", "7.5", "7.5", "10", "7.5", "5", "0", "57.5"]


def test_page_lists_notes_worst_first_then_those_not_judged_and_failures_apart():
    page = Page(written(MIXED, "html"))
    ids = [data for data, stack in page.texts if ("th", {"role": "rowheader", "scope": "row", "class": "id"}) in stack]
    assert ids == ['"><script>alert(1)</script>', "A-1", "(no id, number 3)"]
    apart = ("section", {"aria-labelledby": "failures"})
    assert [data for data, stack in page.texts if apart in stack and stack[-1][0] == "bdi"] == [
        "<script>x</script>.csv", "<b>", "date_of_service", "expected an ISO date, found another form",
    ]  # fmt: skip


def row_cells(page, id):
    """Return the visible cells of a note's row."""
    texts = [data for data, stack in page.texts if ("tr", {"role": "row", "class": "row"}) in stack and data.strip()]
    start = texts.index(id)
    return texts[start : start + 5]


def test_page_shows_no_verdict_and_no_score_of_a_note_that_is_not_judged():
    page = Page(written(UNJUDGED, "html"))
    assert row_cells(page, "N") == ["N", "not judged", "–", "–", "no-show"]
    assert row_cells(page, "good") == ["good", "skilled", "100", "<1%", "treatment"]
    assert page.attributes("data-verdict") == ["skilled", "not_judged", "not_judged", "not_judged"]
    assert "How the score adds up" not in written(UNJUDGED[:3], "html")


def test_page_leaves_notes_that_are_not_judged_out_of_its_figures_and_says_why():
    page = Page(written(UNJUDGED, "html"))
    shown = " ".join(page.inside("div", "unjudged").split())
    assert shown == (
        "not judged 1 no-show, 1 screening, 1 other contact · list them "
        "No-shows, screenings and other contacts do not record a treatment session, so a verdict or a score would say "
        "little. They are in no figure of verdicts or scores here."
    )
    assert page.inside("desc") == "90 to 100: 1 note. Median 100."
    clinicians = [
        data.strip()
        for data, stack in page.texts
        if any(a.get("class") == "card clinicians" for _, a in stack) and data.strip()
    ]
    assert clinicians == [
        "By clinician", "Clinician", "Notes", "Unskilled", "At risk", "Skilled", "Not judged", "Split of verdicts",
        "Median score", "Finding made most",
        "C-1", "2", "0", "0", "1", "1", "100", "–",
        "C-2", "2", "0", "0", "0", "2", "–", "–",
    ]  # fmt: skip


def test_verdict_filter_of_the_page_has_not_judged():
    values = [a["value"] for tag, a in Page(written(MIXED, "html")).elements if tag == "option" and "value" in a]
    assert values[:5] == ["", "unskilled", "at_risk", "skilled", "not_judged"]


def test_page_says_one_label_comes_from_somewhere():
    one = make_report(evidence=[Evidence(Label.MEASURE, 0, 6, 11, "x")])
    assert "Where the 1 label comes from" in written([one], "html")
    assert "Where the 2 labels come from" in written(MIXED[1:2], "html")


@pytest.mark.parametrize("results", [[], [make_failure()]], ids=["none", "failures only"])
def test_page_without_notes_says_so(results):
    text = Page(written(results, "html")).inside("main")
    assert "No notes were audited." in text
    assert words.load_words().caveat in text


def test_page_of_500_notes_stays_under_eight_megabytes():
    text = "Named 14/20 pictures given min phonemic cues, up from 60% last week. " * 20
    evidence = [Evidence(Label.CUEING, 0, 69 * n + 30, 69 * n + 48, "lexicon:cues/7") for n in range(20)]
    report = make_report(text, evidence=evidence, findings=[make_finding(c) for c in ("SKL003", "DOC004", "BIL002")])
    assert len(written([report] * 500, "html").encode()) < 8_000_000


# All formats


def test_worst_first_is_by_verdict_then_score():
    reports = [
        make_report(id="d", verdict=Verdict.SKILLED, ratings=(0,) * 7),
        make_report(id="c"),
        make_report(id="b", ratings=(1,) * 7),
        make_report(id="a", verdict=Verdict.UNSKILLED, ratings=(2,) * 7),
    ]
    assert [report.note.id for report in split_results(reports)[0]] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("results", [[], [make_failure()], MIXED], ids=["none", "failures only", "mixed"])
def test_every_format_writes_any_caseload_to_a_path_and_to_bytes_alike(format, results, tmp_path: Path):
    path, stream = tmp_path / "report", io.BytesIO()
    write(iter(results), format, path)
    write(iter(results), format, stream)
    if format == "xlsx":  # the archive holds the time it was made
        assert (
            openpyxl.load_workbook(io.BytesIO(path.read_bytes())).sheetnames
            == openpyxl.load_workbook(stream).sheetnames
        )
    else:
        assert path.read_bytes() == stream.getvalue()


@pytest.mark.parametrize("format", ["jsonl", "csv", "html"])
def test_formats_for_programs_are_utf8_whatever_the_stream_was_set_to(format):
    output = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    write([make_report(id="Жанна")], format, output)
    assert "Жанна" in output.buffer.getvalue().decode("utf-8")


def test_no_format_but_the_notes_own_page_and_workbook_shows_note_text():
    secret = "Unmistakable wording."
    report = make_report(secret, findings=[make_finding(start=0, end=12)])
    assert [format for format in ("table", "jsonl", "csv") if "Unmistakable" in written([report], format)] == []


def test_workbook_to_a_stream_of_text_is_refused():
    with pytest.raises(ValueError, match="needs a stream of bytes"):
        write([], "xlsx", io.StringIO())


def test_unknown_format_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown format 'pdf'; expected one of table, jsonl, csv, xlsx, html"):
        write([], "pdf", io.StringIO())


@pytest.mark.parametrize("module", [words, sheets])
def test_examples_in_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


UNCLEAR = {"is_verdict_unclear": True, "unclear_wrong": 0.4, "verdict_probability": 0.55}


def test_verdict_with_a_thin_margin_is_marked_in_every_format():
    report = replace(make_report(evidence=[Evidence(Label.CUEING, 0, 0, 5, "x", is_unclear=True)]), **UNCLEAR)
    record = to_record(report)
    assert (record["unclear"], record["unclear_wrong"], record["verdict_probability"]) == (True, 0.4, 0.55)
    assert record["segments"][0]["labels"][0]["unclear"] is True
    assert next(csv.DictReader(io.StringIO(written([report], "csv"))))["unclear"] == "True"
    assert "at risk ?" in written([report], "table")
    page = written([report], "html")
    assert "a person should look" in page
    assert "40% were not the annotators'" in page


def test_clear_verdict_bears_no_mark():
    report = make_report()
    assert "at risk ?" not in written([report], "table")
    assert "of these ?" not in written([report], "table")
