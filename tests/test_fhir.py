import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle  # R4's own DetectedIssue and OperationOutcome: R4B changed neither
from serving import lexicons

from analyzer.readers import read_notes
from analyzer.types import Failure, Finding, Level, Note, NotRun, Origin, Status, Verdict
from api.fhir import EVIDENCE, FIX, PROBABILITY, SCORE, SOURCE, to_bundle, to_issues, write_bundle

FINDING = Finding("SKL003", Level.WARNING, "A title", 6, 11, "A message.", "A fix.", "A source")
# https://hl7.org/fhir/R4/valueset-detectedissue-severity.html and valueset-observation-status.html
SEVERITIES = {Level.ERROR: "high", Level.WARNING: "moderate", Level.INFO: "low"}


@pytest.fixture(scope="module")
def report():
    note = Note("Named 12/20.", id="A-17", patient_id="P-4")
    return replace(lexicons().analyze(note), findings=(FINDING,), verdict=Verdict.SKILLED, not_run=())


def issue_of(report):
    (issue,) = to_issues(report)
    return issue


def extensions(holder):
    return {
        extension["url"]: next(value for name, value in extension.items() if name.startswith("value"))
        for extension in holder["extension"]
    }


def test_a_finding_is_a_detected_issue(report):
    issue = issue_of(report)
    assert (issue["resourceType"], issue["status"], issue["severity"]) == ("DetectedIssue", "final", "moderate")
    assert issue["code"] == {
        "coding": [{"system": "urn:cuewise:rule", "code": "SKL003", "display": "A title"}],
        "text": "A title",
    }
    assert issue["detail"] == "A message."
    assert extensions(issue) == {FIX: "A fix.", SOURCE: "A source"}
    assert issue["patient"] == {"type": "Patient", "identifier": {"value": "P-4"}}
    assert issue["implicated"] == [{"type": "DocumentReference", "identifier": {"value": "A-17"}}]


def test_the_evidence_extension_holds_the_offsets(report):
    (evidence,) = issue_of(report)["evidence"]
    (extension,) = evidence["extension"]
    assert extension == {
        "url": EVIDENCE,
        "extension": [{"url": "start", "valueInteger": 6}, {"url": "end", "valueInteger": 11}],
    }
    assert report.note.text[6:11] == "12/20"


@pytest.mark.parametrize(("level", "severity"), SEVERITIES.items())
def test_a_level_is_a_severity(report, level, severity):
    assert issue_of(replace(report, findings=(replace(FINDING, level=level),)))["severity"] == severity


def test_a_rule_whose_precision_is_not_proven_finds_what_is_preliminary(report):
    finding = replace(FINDING, status=Status.PREVIEW)
    assert issue_of(replace(report, findings=(finding,)))["status"] == "preliminary"


@pytest.mark.parametrize(("verdict", "severity"), [(Verdict.UNSKILLED, "high"), (Verdict.AT_RISK, "moderate")])
def test_a_verdict_comes_first_and_spans_the_note(report, verdict, severity):
    first, second = to_issues(replace(report, verdict=verdict, score=62.5, unskilled_probability=0.18))
    assert (first["code"]["coding"][0]["code"], first["severity"]) == (verdict.value, severity)
    assert extensions(first) == {SCORE: 62.5, PROBABILITY: 0.18}
    spans = first["evidence"][0]["extension"][0]["extension"]
    assert [part["valueInteger"] for part in spans] == [0, len("Named 12/20.")]
    assert second["code"]["coding"][0]["code"] == "SKL003"


def test_an_unjudged_note_has_no_verdict():
    report = replace(lexicons().analyze(Note("Pt no-show. Called, left voicemail.")), findings=())
    assert not report.is_judged
    assert to_issues(report) == []


def test_a_note_that_was_fhir_is_named_as_it_was(report):
    note = replace(report.note, id="note-1", extra=(("resourceType", "Composition"),))
    assert issue_of(replace(report, note=note))["implicated"] == [{"reference": "Composition/note-1"}]


def test_a_person_named_by_a_urn_is_referred_to_by_it(report):
    note = replace(report.note, patient_id="urn:uuid:7b5a")
    assert issue_of(replace(report, note=note))["patient"] == {"type": "Patient", "reference": "urn:uuid:7b5a"}


def test_the_last_entry_says_what_was_and_was_not_done(report):
    failure = Failure("bad-date", "expected a date", "A-9", "date_of_service", Origin("upload", 2))
    skipped = replace(report, findings=(), not_run=(NotRun("DOC001", "No signature."),))
    bundle = to_bundle([report, failure, skipped])
    assert [entry["resource"]["resourceType"] for entry in bundle["entry"]] == ["DetectedIssue", "OperationOutcome"]
    assert bundle["entry"][-1]["resource"]["issue"] == [
        {
            "severity": "information",
            "code": "informational",
            "details": {"text": "3 notes were sent, of which 1 could not be read."},
        },
        {
            "severity": "error",
            "code": "invalid",
            "details": {
                "coding": [{"system": "urn:cuewise:problem", "code": "bad-date", "display": "expected a date"}],
                "text": "expected a date",
            },
            "diagnostics": "note A-9, row 2, date_of_service",
        },
        {
            "severity": "warning",
            "code": "incomplete",
            "details": {"text": "Did not run for 1 of the notes: DOC001. No signature."},
        },
    ]


def test_no_results_give_a_bundle_that_says_so():
    (entry,) = to_bundle([])["entry"]
    assert entry["resource"]["issue"][0]["details"]["text"] == "0 notes were sent, of which 0 could not be read."


def test_the_example_notes_give_valid_fhir(examples):
    results = list(lexicons().analyze_all(read_notes([examples])))
    bundle = to_bundle(results, batch_id="bat_1")
    assert (
        len(Bundle.model_validate(bundle).entry)
        == sum(len(to_issues(result)) for result in results if not isinstance(result, Failure)) + 1
    )
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)


def test_names_that_no_fhir_string_may_hold_give_valid_fhir(report):
    odd = replace(report, note=replace(report.note, id="\x00\ud83d ", patient_id="urn: a b"))
    Bundle.model_validate(to_bundle([odd, Failure("some-code", "A message", "\x1f")]))


def test_a_bundle_holds_no_word_of_the_notes(examples):
    notes = [replace(note, text=f"{note.text} xylophonist") for note in read_notes([examples])]
    assert "xylophonist" not in json.dumps(to_bundle(lexicons().analyze_all(notes)))


def test_every_extension_is_documented():
    page = (Path(__file__).parents[1] / "docs" / "batches.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(urn:cuewise:fhir:[a-z-]+)`", page))
    assert documented == {EVIDENCE, FIX, SOURCE, SCORE, PROBABILITY}


def test_a_bundle_comes_piece_by_piece(report):
    taken = []

    def results():
        for number in range(3):
            taken.append(number)
            yield report

    pieces = write_bundle(results())
    next(pieces)
    next(pieces)
    assert taken == [0]
