"""``cuewise icd``: what is printed of a code, of codes that are not valid, and of a text."""

import json
import subprocess
import sys
from datetime import date

import pytest
from click.testing import CliRunner

from analyzer import cli as command_line
from analyzer.cli import cli
from analyzer.types import CodeSuggestion, Kind, Note, NotRun, Report, Verdict, Versions


def run(*args, input=None):
    return CliRunner().invoke(cli, ["icd", *args], input=input, env={"COLUMNS": "100"})


def record(*args):
    return json.loads(run(*args, "--format", "json").stdout)


# A code


@pytest.mark.parametrize(
    ("args", "status"),
    [
        (["I69.320"], 0),
        (["I69320"], 0),
        (["G35", "--date", "2025-09-30"], 0),
        (["G35", "--date", "2025-10-01"], 1),
        (["g20"], 1),
        (["G31.87", "--date", "2025-09-15"], 1),
        (["F98.6"], 1),
        (["F80.5"], 1),
        (["R47.1", "--date", "2023-09-30"], 1),
    ],
)
def test_status_says_whether_the_code_is_valid(args, status):
    result = run(*args)
    assert (result.exit_code, result.stderr) == (status, "")


def test_code_is_printed_with_its_title_and_where_it_is_valid():
    lines = run("i69320", "--date", "2026-11-22").stdout.splitlines()
    assert lines[:3] == [
        "I69.320  Aphasia following cerebral infarction",
        "Valid on 2026-11-22.",
        "Complete code: on every day that is covered (2023-10-01 to 2027-09-30).",
    ]


def test_notes_and_exclusions_are_printed_under_headings():
    lines = run("R13.12").stdout.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "R13.12  Dysphagia, oropharyngeal phase",
        "Valid in FY2027, the newest release.",
        "Complete code: on every day that is covered (2023-10-01 to 2027-09-30).",
        "When to use it",
        "Code first",
        "Excludes1: not together, unless clearly unrelated",
    ]


def test_exclusion_is_printed_with_its_note_and_place():
    output = run("R41.841").stdout
    assert "  [R41] mild cognitive impairment of uncertain or unknown etiology (G31.84)\n    G31.84\n" in output


def test_code_that_was_divided_is_printed_with_what_to_consider():
    assert run("G35", "--date", "2026-11-22").stdout == (
        "G35  Multiple sclerosis\n"
        "Not billable on 2026-11-22. Valid until 2025-09-30; now a category: a code below it is needed. Ask\n"
        "for the course.\n"
        "Complete code: until 2025-09-30.\n"
        "\n"
        "Consider instead\n"
        "  G35.D  Multiple sclerosis, unspecified\n"
        "  G35.A  Relapsing-remitting multiple sclerosis\n"
        "  G35.B0  Primary progressive multiple sclerosis, unspecified\n"
        "  G35.C0  Secondary progressive multiple sclerosis, unspecified\n"
        "  G35.B1  Active primary progressive multiple sclerosis\n"
    )


def test_misspelled_code_is_printed_with_what_may_be_meant():
    assert run("R47.O1").stdout == (
        "R47.O1\n"
        "ICD-10-CM does not have this code, up to FY2027. Was R47.01 meant?\n"
        "\n"
        "Consider instead\n"
        "  R47.01  Aphasia\n"
    )


def test_title_that_could_not_be_read_is_said_to_be_missing():
    assert run("C78.31").stdout.splitlines()[0] == "C78.31  (title not available)"


def test_category_is_said_to_be_no_code():
    assert run("R13.1").stdout.splitlines()[2] == "Complete code: never (2023-10-01 to 2027-09-30). It is a category."


def test_day_that_is_not_covered_is_said_to_be_so():
    assert run("R47.1", "--date", "2028-01-01").stdout.splitlines()[1] == (
        "The tables cover 2023-10-01 to 2027-09-30 (FY2027)."
    )


def test_record_holds_everything_that_is_known_of_a_code():
    found = record("r41.842", "--date", "2024-10-01")
    exclusions = {row["code"]: (row["note_sits_at"], row["note"]) for row in found.pop("excludes1")}
    assert {key: found[key] for key in ("typed", "code", "title", "standing", "date", "release", "billable")} == {
        "typed": "r41.842",
        "code": "R41.842",
        "title": "Visuospatial deficit",
        "standing": "valid",
        "date": "2024-10-01",
        "release": "FY2027",
        "billable": True,
    }
    assert found["valid"] == [{"from": "2023-10-01", "to": None}]
    assert exclusions["G31.84"] == ("R41", "mild cognitive impairment of uncertain or unknown etiology (G31.84)")


def test_record_of_an_unknown_code_has_the_same_keys():
    known, unknown = record("R47.01"), record("F80.5")
    assert list(unknown) == list(known)
    assert (unknown["standing"], unknown["valid"], unknown["billable"]) == ("unknown", [], False)
    assert unknown["successors"][0] == {"code": "F80.0", "title": "Phonological disorder"}


def test_looking_up_a_code_loads_no_analyzer():
    code = "import sys; from analyzer.cli import cli; cli(['icd', 'R47.01'], standalone_mode=False)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('spacy' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"


# Standard input, wrong usage


def test_code_is_read_from_standard_input():
    assert run("-", input=" r13.12\n").stdout.splitlines()[0] == "R13.12  Dysphagia, oropharyngeal phase"


@pytest.mark.parametrize(
    ("args", "input", "message"),
    [
        ([], None, "Missing argument 'CODE|TEXT'."),
        ([" "], None, "Give a code, or the text of a note."),
        (["-"], "\n", "Give a code, or the text of a note."),
        (["-"], b"\xff\xfe\xff", "The text on standard input is not UTF-8."),
        (["R47.01", "--date", "2026-13-01"], None, "'2026-13-01' does not match the format '%Y-%m-%d'."),
        (["R47.01", "--format", "xml"], None, "'xml' is not one of 'table', 'json'."),
    ],
)
def test_wrong_usage_gives_status_2_and_no_output(args, input, message):
    result = run(*args, input=input)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


# A text


TEXT = "L MCA CVA 2024. Nonfluent aphasia."
SUGGESTION = CodeSuggestion(
    "I69.320", "Aphasia following cerebral infarction", 0.914, True, ((0, 9), (16, 33)), "Code it first."
)
CATEGORY = CodeSuggestion("R13", "Aphagia and dysphagia", None, False)


@pytest.fixture
def suggest(monkeypatch):
    """Return a function that makes the analyzer suggest these codes, and what it was then asked."""
    asked = []

    def use(*suggestions, not_run=()):
        class Fake:
            @classmethod
            def load(cls):
                return cls()

            def analyze(self, note):
                asked.append((note.text, note.date_of_service))
                return Report(
                    note=Note(note.text, id="A"),
                    kind=Kind.TREATMENT,
                    verdict=Verdict.SKILLED,
                    score=50.0,
                    unskilled_probability=0.1,
                    ratings=(),
                    segments=(),
                    evidence=(),
                    findings=(),
                    versions=Versions("0.1.0", "3f9c", None, "FY2027"),
                    icd10=suggestions,
                    not_run=not_run,
                )

        monkeypatch.setattr("analyzer.engine.Analyzer", Fake)
        return asked

    return use


def test_text_gives_codes_with_their_words_and_advice(suggest):
    asked = suggest(SUGGESTION, CATEGORY)
    result = run(TEXT, "--date", "2026-11-22")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "I69.320  91%  Aphasia following cerebral infarction\n"
        "  [[L MCA CVA]]\n"
        "  [[Nonfluent aphasia]]\n"
        "  Code it first.\n"
        "\nLess certain: look before any of these is used\n"
        "R13  Aphagia and dysphagia  (a category: not billable)\n"
    )
    assert asked == [(TEXT, date(2026, 11, 22))]


def test_text_on_standard_input_is_read_as_a_note(suggest):
    asked = suggest()
    assert run("-", input=TEXT).stdout == "No code is supported by this text.\n"
    assert asked == [(TEXT, None)]


def test_text_gives_a_record_like_that_of_an_audit(suggest):
    suggest(SUGGESTION)
    assert record(TEXT) == {
        "icd10": [
            {
                "code": "I69.320",
                "title": "Aphasia following cerebral infarction",
                "probability": 0.914,
                "billable": True,
                "evidence": [{"start": 0, "end": 9}, {"start": 16, "end": 33}],
                "advice": "Code it first.",
            }
        ],
        "versions": {"cuewise": "0.1.0", "lexicons": "3f9c", "model": None, "icd10cm": "FY2027"},
    }


def test_codes_that_were_not_read_are_no_silence(suggest):
    suggest(not_run=(NotRun("icd10", "Codes were not read."),))
    result = run(TEXT)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "Error: Codes were not read.\n")


def test_standings_that_are_printed_are_those_of_the_catalogue():
    from analyzer.icd10.catalogue import Standing

    assert set(command_line._STANDINGS) <= set(Standing)
