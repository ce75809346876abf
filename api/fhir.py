"""Results as FHIR R4: a Bundle of DetectedIssue resources, with the words that each is about as an extension.

See https://hl7.org/fhir/R4/detectedissue.html. Per note there is one issue for each finding, and one for the verdict
where it is not ``skilled``; notes without either leave none, so the last entry, an OperationOutcome, says how many
notes were read, which could not be, and which checks did not run. No resource holds a note's text.

Extensions, all of simple types (``docs/batches.md`` describes them):

``EVIDENCE``
    On ``DetectedIssue.evidence``: the words, as ``start`` and ``end``, character positions in the note's text as it was
    given, half-open, from 0. An issue about the whole note spans all of it.
``FIX``
    On ``DetectedIssue``: text to consider. It is no ``mitigation``, which FHIR keeps for what was done.
``SOURCE``
    On ``DetectedIssue``: what the rule rests on, by its citation.
``SCORE``, ``PROBABILITY``
    On the issue of a verdict: the rubric's score, 0 to 100, and the probability that the note is unskilled.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from analyzer.report.words import load_words
from analyzer.types import Failure, Finding, Level, NotRun, Report, Result, Status, Verdict

Resource = dict[str, Any]

_BASE = "urn:cuewise:fhir:"
EVIDENCE = f"{_BASE}evidence-span"
FIX = f"{_BASE}fix"
SOURCE = f"{_BASE}source"
SCORE = f"{_BASE}score"
PROBABILITY = f"{_BASE}unskilled-probability"
RULES = "urn:cuewise:rule"
VERDICTS = "urn:cuewise:verdict"
PROBLEMS = "urn:cuewise:problem"
BATCHES = "urn:cuewise:batch"

_SEVERITY: Mapping[Level, str] = {Level.ERROR: "high", Level.WARNING: "moderate", Level.INFO: "low"}
_VERDICT_SEVERITY: Mapping[Verdict, str] = {Verdict.UNSKILLED: "high", Verdict.AT_RISK: "moderate"}
_NOTES = ("DocumentReference", "Composition", "ClinicalImpression")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)  # https://hl7.org/fhir/R4/datatypes.html#id
_NOT_STRING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # what a FHIR string may not hold


def to_issues(report: Report) -> list[Resource]:
    """Return the issues of one note: its verdict where that is not ``skilled``, then its findings, worst first."""
    issues = [_finding_issue(report, finding) for finding in report.findings]
    if report.is_judged and report.verdict in _VERDICT_SEVERITY:
        issues.insert(0, _verdict_issue(report))
    return issues


def to_bundle(results: Iterable[Result], *, batch_id: str | None = None) -> Resource:
    """Return the Bundle of some results; see :func:`write_bundle`."""
    bundle: Resource = json.loads("".join(write_bundle(results, batch_id=batch_id)))
    return bundle


def write_bundle(results: Iterable[Result], *, batch_id: str | None = None) -> Iterator[str]:
    """Yield a Bundle as JSON, piece by piece as the results come.

    Parameters
    ----------
    results : iterable of Report or Failure
    batch_id : str, optional
        The Bundle's identifier; a new one where there is none.
    """
    name = batch_id or str(uuid4())
    head = {
        "resourceType": "Bundle",
        "identifier": {"system": BATCHES, "value": name},
        "type": "collection",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    yield f'{json.dumps(head)[:-1]}, "entry": [\n'
    failures: list[Failure] = []
    not_run: Counter[NotRun] = Counter()
    n_notes = 0
    for at, result in enumerate(results):
        n_notes += 1
        if isinstance(result, Failure):
            failures.append(result)
            continue
        not_run.update(set(result.not_run))
        for number, issue in enumerate(to_issues(result)):
            yield f"{_entry(f'{name}/{at}/{number}', issue)},\n"
    yield f"{_entry(f'{name}/outcome', _outcome(n_notes, failures, not_run))}\n]}}\n"


def _entry(name: str, resource: Resource) -> str:
    return json.dumps({"fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, f'{BATCHES}:{name}')}", "resource": resource})


def _finding_issue(report: Report, finding: Finding) -> Resource:
    return {
        "resourceType": "DetectedIssue",
        "extension": [
            {"url": FIX, "valueString": _string(finding.fix)},
            {"url": SOURCE, "valueString": _string(finding.source)},
        ],
        # A rule whose precision is not proven yet finds what is preliminary.
        "status": "preliminary" if finding.status is Status.PREVIEW else "final",
        "code": _concept(RULES, finding.code, finding.title),
        "severity": _SEVERITY[finding.level],
        **_context(report),
        "evidence": [_evidence(report, finding.start, finding.end)],
        "detail": _string(finding.message),
    }


def _verdict_issue(report: Report) -> Resource:
    term = load_words().verdicts[report.verdict]
    extensions: list[Resource] = [{"url": SCORE, "valueDecimal": report.score}]
    if report.unskilled_probability is not None:
        extensions.append({"url": PROBABILITY, "valueDecimal": report.unskilled_probability})
    return {
        "resourceType": "DetectedIssue",
        "extension": extensions,
        "status": "preliminary" if report.is_verdict_unclear else "final",
        "code": _concept(VERDICTS, report.verdict.value, term.name),
        "severity": _VERDICT_SEVERITY[report.verdict],
        **_context(report),
        "evidence": [_evidence(report, 0, len(report.note.text))],
        "detail": _string(term.meaning),
    }


def _context(report: Report) -> Resource:
    """Return whom and what an issue is about, and who says so."""
    note = report.note
    found: Resource = {}
    if note.patient_id is not None:
        found["patient"] = _reference("Patient", note.patient_id)
    found["author"] = {"display": f"Cuewise {report.versions.cuewise}"}
    found["implicated"] = [_note_reference(report)]
    return found


def _note_reference(report: Report) -> Resource:
    kind = dict(report.note.extra).get("resourceType")
    if kind in _NOTES and _ID.fullmatch(report.note.id):
        return {"reference": f"{kind}/{report.note.id}"}
    return _reference("DocumentReference", report.note.id)


def _reference(kind: str, id: str) -> Resource:
    if id.startswith("urn:") and not any(map(str.isspace, id)):
        return {"reference": id, "type": kind}
    return {"type": kind, "identifier": {"value": _string(id)}}


def _evidence(report: Report, start: int, end: int) -> Resource:
    span = [{"url": "start", "valueInteger": start}, {"url": "end", "valueInteger": end}]
    return {"extension": [{"url": EVIDENCE, "extension": span}], "detail": [_note_reference(report)]}


def _outcome(n_notes: int, failures: list[Failure], not_run: Mapping[NotRun, int]) -> Resource:
    """Return what was and was not done."""
    said = f"{n_notes} notes were sent, of which {len(failures)} could not be read."
    issues: list[Resource] = [{"severity": "information", "code": "informational", "details": {"text": said}}]
    for failure in failures:
        row = failure.origin.row if failure.origin else None
        place = ", ".join(filter(None, (f"note {failure.id}", None if row is None else f"row {row}", failure.field)))
        concept = _concept(PROBLEMS, failure.code, failure.message)
        issues.append({"severity": "error", "code": "invalid", "details": concept, "diagnostics": _string(place)})
    for check, count in not_run.items():
        why = f"Did not run for {count} of the notes: {check.check}. {check.reason}"
        issues.append({"severity": "warning", "code": "incomplete", "details": {"text": _string(why)}})
    return {"resourceType": "OperationOutcome", "issue": issues}


def _concept(system: str, code: str, text: str) -> Resource:
    shown = _string(text)
    return {"coding": [{"system": system, "code": code, "display": shown}], "text": shown}


def _string(text: str) -> str:
    """Return text as a FHIR string: never empty, nor with characters that it may not hold."""
    return _NOT_STRING.sub("\ufffd", text).strip() or "-"
