"""The page of rules, the check list that it maps, and the ways the command line chooses among them."""

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from analyzer import lexicon
from analyzer.catalogue import FAMILIES, describe_fields, mark_example, rules_page
from analyzer.cli import cli
from analyzer.policy import load_policies
from analyzer.rules import RULES
from analyzer.rules.lines import firing, line_of
from analyzer.types import ClaimForm, Level, Note, PlanOfCare

PAGE = Path(__file__).parents[1] / "docs" / "rules.md"
CODES = [rule.code for rule in RULES]


def run(*args):
    return CliRunner().invoke(cli, [str(arg) for arg in args])


def chosen(*args):
    return {rule["code"]: rule["level"] for rule in json.loads(run("rules", *args, "--format", "json").stdout)}


def test_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == rules_page(RULES, load_policies())


def test_command_writes_the_page():
    assert run("rules", "--format", "markdown").stdout == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_page_has_a_heading_for_every_rule(rule):
    assert PAGE.read_text(encoding="utf-8").count(f"\n### {rule.code} {rule.name}\n") == 1


def test_every_family_has_a_name():
    assert sorted({rule.family for rule in RULES} - FAMILIES.keys()) == []


CHECKLIST = [row for _, row in lexicon.rows("billing/checklist.csv", ("item", "condition", "codes", "remark"))]


def test_check_list_is_complete_and_in_order():
    assert [row["item"] for row in CHECKLIST] == [f"BR-{number:02}" for number in range(1, 44)]


def test_check_list_names_rules_that_exist():
    named = {code for row in CHECKLIST for code in row["codes"].split()}
    assert sorted(named - set(CODES)) == []


def test_no_official_descriptor_wording_marks_the_labels():
    notice = PAGE.read_text(encoding="utf-8")
    assert "not official descriptors" in notice
    assert "CPT is a registered trademark of the American Medical Association" in notice


# Examples as text


def test_fields_of_an_example_are_shown():
    line = line_of("97129", 2, "GN", "KX", minutes=23, charge=1200.5, place="11", form=ClaimForm.PROFESSIONAL)
    assert mark_example(firing(line, payer="Medicaid", ytd_pt_slp_allowed=10.0)) == (
        "(the whole note) Aphasia treatment with semantic feature analysis.\n"
        "(date_of_service: 2026-05-04, payer: Medicaid, "
        "claim_lines: 97129 × 2 GN KX 23 min $1,200.50 place 11 professional, ytd_pt_slp_allowed: 10.0)"
    )


def test_plan_of_care_is_shown():
    plan = PlanOfCare(start=date(2026, 1, 5), is_certified=False)
    assert describe_fields(Note("x", plan_of_care=plan)) == ("plan_of_care: start 2026-01-05 is_certified no",)


# The command line


def test_rules_are_chosen_by_payer_with_their_level_there():
    levels = chosen("--payer", "Medicaid")
    assert (levels["BIL011"], "BIL003" in levels) == (Level.WARNING, False)
    assert chosen("--payer", "Medicare")["BIL003"] == Level.ERROR


def test_rules_are_chosen_by_their_level_for_a_payer():
    assert set(chosen("--payer", "Medicaid", "--level", "warning").values()) == {"warning"}


def test_rules_that_hold_for_every_date_are_listed_for_any():
    undated = {rule.code for rule in RULES if rule.valid_from is None and rule.valid_to is None}
    assert sorted(undated - chosen("--date", "2026-05-04").keys()) == []


def test_rules_follow_a_clinics_settings(tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_text("[rules]\nBIL015 = 'off'\nBIL001 = 'info'\n", encoding="utf-8")
    levels = chosen("--config", path)
    assert ("BIL015" in levels, levels["BIL001"]) == (False, Level.INFO)


def test_unknown_payer_is_wrong_usage():
    result = run("rules", "--payer", "Aetna")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no payer is called 'Aetna'" in result.stderr


def test_explain_says_for_whom_a_rule_is():
    assert "Payers: medicare-b, and those that extend them." in run("explain", "BIL003").stdout
    assert "\nEvery payer.\n" in run("explain", "BIL001").stdout


@pytest.fixture
def claim(tmp_path):
    """Write a record with a claim that lacks GN and is billed with two units."""
    path = tmp_path / "notes.jsonl"
    lines = [{"code": "92507", "units": 2, "charge": 90}]
    record = {"id": "A-1", "text": "Aphasia treatment.", "date_of_service": "2026-05-04", "claim_lines": lines}
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return path


def billed(*args):
    (record,) = (
        json.loads(line) for line in run("audit", *args, "--model", "lexicons", "--format", "jsonl").stdout.splitlines()
    )
    return [(f["code"], f["level"]) for f in record["findings"] if f["code"] in ("BIL001", "BIL003")]


def test_audit_judges_by_the_payer_of_the_run(claim):
    assert billed(claim) == [("BIL001", "error"), ("BIL003", "error")]
    assert billed(claim, "--payer", "Medicaid") == [("BIL001", "error")]


def test_audit_follows_a_clinics_settings(claim, tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_text("[rules]\nBIL001 = 'warning'\n", encoding="utf-8")
    assert billed(claim, "--config", path) == [("BIL003", "error"), ("BIL001", "warning")]


def test_mistake_in_the_settings_is_wrong_usage_that_names_the_line(claim, tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_text("[rules]\nBIL001 = 'loud'\n", encoding="utf-8")
    result = run("audit", claim, "--config", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "clinic.toml, line 2: unknown level 'loud'; expected one of error, info, off, warning" in result.stderr


def test_record_fields_of_the_plan_are_read(tmp_path):
    path = tmp_path / "notes.jsonl"
    record = {
        "id": "A-1",
        "text": "Aphasia treatment.",
        "date_of_service": "2026-03-02",
        "treatment_days_since_report": 11,
        "plan_of_care": {"start": "2026-01-05", "is_certified": False, "has_signed_order": "no"},
    }
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    (found,) = (
        json.loads(line) for line in run("audit", path, "--format", "jsonl", "--model", "lexicons").stdout.splitlines()
    )
    assert [f["code"] for f in found["findings"] if f["code"] in ("DOC035", "DOC036")] == ["DOC036", "DOC035"]
