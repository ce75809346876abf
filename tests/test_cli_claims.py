"""``cuewise audit --claims``: a claims file beside the notes."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from analyzer.cli import cli

DRILL = "Practiced /r/ words 50x. Tolerated tx well. Continue POC."
NOTES = f"id,patient_id,date_of_service,text\nA,P-1,2026-03-04,{DRILL}\nB,P-2,2026-03-05,{DRILL}\n"
CLAIMS = (
    "claim_id,patient_id,date_of_service,code,units,modifiers,charge,allowed\n"
    "C-1,P-1,2026-03-02,92507,1,GN,180.00,92.10\n"
    "C-2,P-1,2026-03-04,92507,1,GN,180.00,92.10\n"
)


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path, monkeypatch):
    """Lay notes and claims where the tests run, so that paths are relative, as users give them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.csv").write_text(NOTES)
    (tmp_path / "claims.csv").write_text(CLAIMS)


def audit(*args):
    return CliRunner().invoke(cli, ["audit", "--model", "lexicons", *map(str, args)])


def test_lines_are_joined_and_the_year_is_added_up_before_the_notes_are_read():
    result = audit("notes.csv", "--claims", "claims.csv", "--format", "jsonl")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [(record["id"], record["status"], record.get("charge")) for record in records] == [
        ("A", "ok", 180.0),
        ("B", "ok", None),
        ("C-1", "unmatched_claim", None),
    ]
    assert records[0]["ytd_pt_slp_allowed"] == {"amount": 92.1, "computed_from": "allowed"}


def test_what_does_not_belong_together_is_said_on_standard_error():
    result = audit("notes.csv", "--claims", "claims.csv", "--format", "csv")
    assert result.stderr.endswith(
        "Claims: 1 line of 2 joined to 1 of 2 notes.\n"
        "1 claim line without a note:\n"
        "  claims.csv:2: No note of this patient is of this date.\n"
        "1 note without a claim line:\n"
        "  notes.csv:3: No claim line is of this patient and date.\n"
    )


def test_many_places_are_shown_in_part(tmp_path):
    rows = "".join(f"C-{number},P-9,2026-03-04,92507,1,GN,180,92\n" for number in range(1, 13))
    (tmp_path / "claims.csv").write_text(CLAIMS.splitlines()[0] + "\n" + rows)
    result = audit("notes.csv", "--claims", "claims.csv", "--format", "csv")
    assert "12 claim lines without a note:\n" in result.stderr
    assert "  claims.csv:11: No note is of this patient.\n  and 2 more\n" in result.stderr


def test_bad_row_is_a_record_and_the_status_says_so(tmp_path):
    (tmp_path / "claims.csv").write_text(CLAIMS + "C-3,P-2,2026-03-05,92507,many,GN,180,92\n")
    result = audit("notes.csv", "--claims", "claims.csv", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    assert result.exit_code == 3
    assert [(row["id"], row["row"], row["error_field"]) for row in rows if row["status"] == "error"] == [
        ("claims:4", "4", "units")
    ]
    assert "  claims.csv:4, field units: expected a number, found text\n" in result.stderr


def test_claims_file_inside_the_audited_folder_is_not_read_as_notes():
    result = audit(".", "--claims", "claims.csv", "--format", "jsonl")
    assert (result.exit_code, [json.loads(line)["id"] for line in result.stdout.splitlines()]) == (0, ["A", "B", "C-1"])
    assert "Left out claims.csv, which is the claims file.\n" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere.csv", None, "does not exist"),
        ("empty.csv", "patient_id,charge\n", "field date_of_service: there is no `date_of_service`"),
        ("claims.json", "{}", "must end in one of"),
    ],
)
def test_file_that_holds_no_claims_is_wrong_usage(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    result = audit("notes.csv", "--claims", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


def test_output_does_not_replace_the_claims_file(tmp_path):
    result = audit("notes.csv", "--claims", "claims.csv", "--output", "claims.csv")
    assert (result.exit_code, (tmp_path / "claims.csv").read_text()) == (2, CLAIMS)


def test_charges_at_risk_are_summed_up_where_the_format_has_no_total():
    result = audit("notes.csv", "--claims", "claims.csv", "--format", "jsonl")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Charges: ")]
    # The note is practice that anyone could lead, which is a serious finding.
    assert line.startswith("Charges: $180.00, $180.00 of it at risk. Charges at risk are what was billed on ")
