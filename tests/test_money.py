"""Charges at risk, and what reports show of claims."""

import csv
import io
import json
from datetime import date

import openpyxl
import pytest

from analyzer.report import to_record, write
from analyzer.report.money import Money, NoteMoney, RuleMoney, finding_money, note_money, sum_money
from analyzer.report.words import load_words
from analyzer.types import (
    AmountBasis,
    BilledLine,
    ClaimLine,
    ClaimsMatch,
    Finding,
    Kind,
    Level,
    Note,
    Origin,
    Report,
    UnmatchedLine,
    UnmatchedNote,
    Verdict,
    Versions,
)

DAY = date(2026, 3, 4)
ORIGIN = Origin("claims.csv", 2)


def finding(code="BIL001", level=Level.ERROR, lines=()):
    return Finding(code, level, f"Title of {code}", 0, 4, "What is wrong.", "", "source", lines=lines)


def report(*findings, charges=(180.0, 120.0), id="A-1", **fields):
    """Build a report whose note has a claim line for each charge."""
    lines = tuple(ClaimLine("92507", 1, ("GN",), charge=charge, claim_id="C-1", origin=ORIGIN) for charge in charges)
    return Report(
        note=Note("Seen today.", id, patient_id="P-1", date_of_service=DAY, claim_lines=lines, **fields),
        kind=Kind.TREATMENT,
        verdict=Verdict.AT_RISK,
        score=50.0,
        unskilled_probability=None,
        ratings=(),
        segments=(),
        evidence=(),
        findings=findings,
        versions=Versions("0", "0"),
    )


@pytest.mark.parametrize(
    ("findings", "at_risk"),
    [
        ((), 0.0),
        ((finding(),), 300.0),  # about the note, and so about every line
        ((finding(lines=(1,)),), 120.0),
        ((finding(lines=(0,)), finding("BIL002", lines=(0,))), 180.0),  # a line counts once
        ((finding(lines=(0,)), finding("BIL002", lines=(1,))), 300.0),
        ((finding(level=Level.WARNING), finding(level=Level.INFO)), 0.0),
        ((finding(lines=(7,)),), 0.0),  # a line that the note does not have
    ],
)
def test_charge_of_a_line_is_at_risk_once_by_serious_findings_alone(findings, at_risk):
    assert note_money(report(*findings)) == NoteMoney(300.0, at_risk)


def test_lines_without_a_charge_add_nothing():
    assert note_money(report(finding(), charges=(180.0, None))) == NoteMoney(180.0, 180.0)


@pytest.mark.parametrize("charges", [(), (None,)])
def test_note_without_charges_has_no_amounts(charges):
    assert note_money(report(finding(), charges=charges)) is None


@pytest.mark.parametrize(
    ("found", "at_risk"),
    [(finding(), 300.0), (finding(lines=(0,)), 180.0), (finding(level=Level.WARNING), None)],
)
def test_finding_has_the_charges_of_its_lines(found, at_risk):
    assert finding_money(report(found), found) == at_risk


def test_caseload_adds_up_notes_and_rules_largest_first():
    reports = [
        report(finding("BIL001", lines=(0,)), finding("DRL001")),
        report(finding("BIL001"), charges=(50.1, None)),
        report(charges=(10.2,)),
        report(finding("BIL003"), charges=()),
    ]
    assert sum_money(reports) == Money(
        charge=360.3,
        at_risk=350.1,
        notes=3,
        notes_at_risk=2,
        lines_without=1,
        rules=(RuleMoney("DRL001", "Title of DRL001", 1, 300.0), RuleMoney("BIL001", "Title of BIL001", 2, 230.1)),
    )


def test_repeated_finding_of_a_rule_counts_its_lines_once():
    repeated = report(finding(lines=(0,)), finding(lines=(0,)))
    assert sum_money([repeated]).rules == (RuleMoney("BIL001", "Title of BIL001", 1, 180.0),)


def test_caseload_without_charges_has_no_amounts():
    assert sum_money([report(finding(), charges=(None,))]) is None


# Reports


REPORTS = [
    report(finding(lines=(0,)), ytd_pt_slp_allowed=1200.0, ytd_basis=AmountBasis.CHARGE),
    report(id="A-2", charges=()),
]
STRAY = BilledLine(
    ClaimLine("92526", 1, ("GN",), charge=150.0, claim_id="C-9", date_of_service=DAY, origin=Origin("claims.csv", 5)),
    ("P-9",),
    DAY,
    Origin("claims.csv", 5),
)
MATCH = ClaimsMatch(
    file="claims.csv",
    lines=3,
    matched_lines=2,
    notes=2,
    matched_notes=1,
    unmatched_lines=(UnmatchedLine(STRAY, "No note is of this patient."),),
    unmatched_notes=(UnmatchedNote("A-2", "P-1", DAY, Origin("notes.csv", 3), "No claim line is of this patient."),),
    remarks=("Something was left out.",),
)


def written(format, claims=MATCH):
    output = io.StringIO()
    write(REPORTS, format, output, claims=claims)
    return output.getvalue()


def test_record_says_what_the_claims_added():
    record = to_record(REPORTS[0])
    assert {name: record[name] for name in ("claim_lines", "ytd_pt_slp_allowed", "charge", "charge_at_risk")} == {
        "claim_lines": [
            {"code": "92507", "units": 1, "modifiers": ["GN"], "charge": charge, "claim_id": "C-1",
             "file": "claims.csv", "row": 2}
            for charge in (180.0, 120.0)
        ],
        "ytd_pt_slp_allowed": {"amount": 1200.0, "computed_from": "charge"},
        "charge": 300.0,
        "charge_at_risk": 180.0,
    }  # fmt: skip
    assert [(entry["claim_lines"], entry["charge_at_risk"]) for entry in record["findings"]] == [([0], 180.0)]


def test_record_of_a_note_without_claims_says_nothing_of_them():
    assert {"claim_lines", "ytd_pt_slp_allowed", "charge", "charge_at_risk"} & set(to_record(REPORTS[1])) == set()


def test_jsonl_ends_with_the_lines_without_a_note():
    assert json.loads(written("jsonl").splitlines()[-1]) == {
        "id": "C-9",
        "status": "unmatched_claim",
        "patient_id": "P-9",
        "date_of_service": "2026-03-04",
        "reason": "No note is of this patient.",
        "claim_lines": [
            {"code": "92526", "units": 1, "modifiers": ["GN"], "charge": 150.0, "claim_id": "C-9",
             "file": "claims.csv", "row": 5}
        ],
    }  # fmt: skip


def test_csv_has_amounts_of_notes_and_ends_with_the_lines_without_a_note():
    rows = list(csv.DictReader(io.StringIO(written("csv"), newline="")))
    names = ("id", "status", "charge", "charge_at_risk", "claim_lines", "patient_id", "error_message")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("A-1", "ok", "300.0", "180.0", "92507 GN × 1; 92507 GN × 1", "P-1", ""),
        ("A-2", "ok", "", "", "", "P-1", ""),
        ("C-9", "unmatched_claim", "150.0", "", "92526 GN × 1", "P-9", "No note is of this patient."),
    ]


def workbook(claims=MATCH):
    output = io.BytesIO()
    write(REPORTS, "xlsx", output, claims=claims)
    return openpyxl.load_workbook(io.BytesIO(output.getvalue()))


def test_workbook_lists_lines_with_and_without_a_note_and_notes_without_a_line():
    rows = list(workbook()["Claims"].iter_rows(values_only=True))
    shown = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    names = ("status", "id", "claim_id", "patient_id", "code", "charge", "reason", "file", "row")
    assert [tuple(row[name] for name in names) for row in shown] == [
        ("joined", "A-1", "C-1", "P-1", "92507", 180, None, "claims.csv", 2),
        ("joined", "A-1", "C-1", "P-1", "92507", 120, None, "claims.csv", 2),
        ("no note", None, "C-9", "P-9", "92526", 150, "No note is of this patient.", "claims.csv", 5),
        ("no claim", "A-2", None, "P-1", None, None, "No claim line is of this patient.", "notes.csv", 3),
    ]


def test_workbook_sums_charges_up_and_says_what_they_mean():
    rows = {row[0]: row[1:] for row in workbook()["Summary"].iter_rows(min_row=2, values_only=True)}
    assert rows["Charges at risk, in US dollars"] == (180, 0.6, load_words().money)
    assert rows["At risk by BIL001, in US dollars"] == (180, 0.6, "Title of BIL001")
    assert rows["Claim lines without a note"][:2] == (1, 1 / 3)
    assert rows["Notes without a claim line"][:2] == (1, 0.5)


def test_workbook_without_a_claims_file_has_no_sheet_of_it():
    assert workbook(None).sheetnames == ["Notes", "Findings", "Evidence", "Summary"]


def test_table_sums_charges_up_and_counts_what_does_not_belong_together():
    text = " ".join(written("table").split())
    assert "Charges: $300.00 on 1 note, $180.00 of it at risk $180.00 BIL001 Title of BIL001 (1 note)" in text
    assert load_words().money in text
    assert "Claims: 3 lines read, 2 joined to 1 of 2 notes" in text
    assert "Claim lines without a note: 1 1 No note is of this patient." in text
    assert "Notes without a claim line: 1 1 No claim line is of this patient." in text
    assert "Something was left out." in text


def test_page_shows_charges_at_risk_and_what_does_not_belong_together():
    page = " ".join(written("html").split())
    assert "$180.00 of $300.00 billed on 1 note, in 1 note." in page
    assert "<dt>Charges at risk</dt><dd><bdi>$180.00</bdi></dd>" in page
    assert "$1,200.00, by charges in the claims given" in page
    assert "3 claim lines read, 2 joined to 1 of 2 notes." in page
    assert "<td><bdi>P-9</bdi></td><td>2026-03-04</td><td><bdi>92526 GN × 1</bdi></td>" in page
    assert "<td><bdi>A-2</bdi></td><td><bdi>P-1</bdi></td>" in page


@pytest.mark.parametrize("format", ["table", "html"])
def test_report_without_claims_has_no_part_for_them(format):
    output = io.StringIO()
    write([report(charges=())], format, output)
    text = output.getvalue()
    assert [heading for heading in ("Charges", "Claims", "without a note") if heading in text] == []


def test_page_escapes_what_a_claims_file_holds():
    stray = BilledLine(STRAY.line, ("<script>alert(1)</script>",), DAY, STRAY.origin)
    match = ClaimsMatch("claims.csv", 1, 0, 0, 0, unmatched_lines=(UnmatchedLine(stray, "No note."),))
    assert "<script>alert" not in written("html", match)
