"""The output record of the contract, and JSON Lines of it."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import TextIO

from analyzer.report.money import finding_money, note_money
from analyzer.types import (
    ClaimLine,
    ClaimsMatch,
    Cue,
    CueLevel,
    Evidence,
    Failure,
    Finding,
    Measure,
    Report,
    Result,
    Segment,
    Status,
    UnmatchedLine,
)

Record = dict[str, object]

# Legal inside a JSON string, yet many line readers break a line at the first three, and the surrogates have no UTF-8
# form. JSON's own escape says the same thing safely.
_NEEDS_ESCAPE = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
_CUE_LEVELS = tuple(CueLevel)


def to_record(result: Result) -> Record:
    """Turn a result into the output record of the contract.

    Parameters
    ----------
    result : Report or Failure
        What came back for one input record.

    Returns
    -------
    dict
        Values that JSON can hold: no NaN, no dates, no tuples. Columns that were handed through are under ``extra``,
        where none of them can pass for a field of the record.
    """
    return _failure_record(result) if isinstance(result, Failure) else _report_record(result)


def write_jsonl(results: Iterable[Result], output: TextIO, claims: ClaimsMatch | None = None) -> None:
    """Write one record a line as the results come; nothing is held back. Claim lines without a note come last."""
    for result in results:
        output.write(to_json_line(result) + "\n")
    for unmatched in claims.unmatched_lines if claims else ():
        output.write(_dump(_unmatched_record(unmatched)) + "\n")


def to_json_line(result: Result) -> str:
    """Return the record of a result as one line of JSON, without the line's end."""
    return _dump(to_record(result))


def _dump(record: Record) -> str:
    return escape_separators(json.dumps(record, ensure_ascii=False, allow_nan=False))


def escape_separators(line: str) -> str:
    """Escape, inside JSON, the characters that would break its line or its encoding."""
    return _NEEDS_ESCAPE.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def plain(value: object) -> object:
    """Return a handed-through value as JSON can hold it: dates in ISO form, NaN and infinity as None."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    return str(value)


def extra_record(extra: tuple[tuple[str, object], ...]) -> Record:
    """Return handed-through columns by name."""
    return {name: plain(value) for name, value in extra}


def _failure_record(failure: Failure) -> Record:
    error: Record = {"code": failure.code, "message": failure.message}
    if failure.origin is not None:
        error["file"] = failure.origin.file
        if failure.origin.row is not None:
            error["row"] = failure.origin.row
    if failure.field is not None:
        error["field"] = failure.field
    record: Record = {"id": failure.id, "status": "error", "error": error}
    if failure.extra:
        record["extra"] = extra_record(failure.extra)
    return record


def _report_record(report: Report) -> Record:
    note = report.note
    record: Record = {"id": note.id, "status": "ok"}
    if note.patient_id is not None:
        record["patient_id"] = note.patient_id
    if note.clinician_id is not None:
        record["clinician_id"] = note.clinician_id
    if note.date_of_service is not None:
        record["date_of_service"] = note.date_of_service.isoformat()
    record |= {
        "kind": report.kind.value,
        "verdict": report.verdict.value,
        "score": plain(report.score),
        "unskilled_probability": plain(report.unskilled_probability),
        "verdict_probability": plain(report.verdict_probability),
        "unclear": report.is_verdict_unclear,
        "unclear_wrong": plain(report.unclear_wrong),
        "rubric": {rating.dimension.value: rating.rating for rating in report.ratings},
        "segments": _segment_records(report.segments, report.evidence),
        "findings": [_finding_record(report, finding) for finding in report.findings],
        "icd10": [
            {
                "code": suggestion.code,
                "title": suggestion.title,
                "probability": plain(suggestion.probability),
                "billable": suggestion.billable,
                "evidence": [{"start": start, "end": end} for start, end in suggestion.evidence],
                "advice": suggestion.advice,
            }
            for suggestion in report.icd10
        ],
        "not_run": [{"check": not_run.check, "reason": not_run.reason} for not_run in report.not_run],
        "versions": {
            "cuewise": report.versions.cuewise,
            "lexicons": report.versions.lexicons,
            "model": report.versions.model,
            "icd10cm": report.versions.icd10cm,
        },
    }
    record |= _claim_fields(report)
    if note.extra:
        record["extra"] = extra_record(note.extra)
    return record


def _claim_fields(report: Report) -> Record:
    """Return what a claims file added to the note, and its charges."""
    note, fields = report.note, Record()
    if any(line.origin for line in note.claim_lines):
        fields["claim_lines"] = [claim_line_record(line) for line in note.claim_lines]
    if note.ytd_basis is not None:
        fields["ytd_pt_slp_allowed"] = {"amount": plain(note.ytd_pt_slp_allowed), "computed_from": note.ytd_basis.value}
    money = note_money(report)
    if money is not None:
        fields |= {"charge": money.charge, "charge_at_risk": money.at_risk}
    return fields


def claim_line_record(line: ClaimLine) -> Record:
    """Return a claim line, without the fields that it does not have."""
    fields: Record = {
        "code": line.code,
        "units": line.units,
        "modifiers": list(line.modifiers) or None,
        "minutes": line.minutes,
        "charge": plain(line.charge),
        "allowed": plain(line.allowed),
        "claim_id": line.claim_id,
        "clinician_id": line.clinician_id,
        "place_of_service": line.place_of_service,
        "diagnoses": list(line.diagnoses) or None,
        "form": line.form.value if line.form else None,
        "file": line.origin.file if line.origin else None,
        "row": line.origin.row if line.origin else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _unmatched_record(unmatched: UnmatchedLine) -> Record:
    billed = unmatched.billed
    return {
        "id": billed.line.claim_id or str(billed.origin),
        "status": "unmatched_claim",
        "patient_id": billed.patient_ids[0],
        "date_of_service": billed.date_of_service.isoformat(),
        "reason": unmatched.reason,
        "claim_lines": [claim_line_record(billed.line)],
    }


def _segment_records(segments: tuple[Segment, ...], evidence: tuple[Evidence, ...]) -> list[Record]:
    labels: dict[int, list[Record]] = {}
    for label in evidence:
        labels.setdefault(label.segment, []).append(_label_record(label))
    return [
        {"start": segment.start, "end": segment.end, "labels": labels[segment.index]}
        for segment in segments
        if segment.index in labels
    ]


def _label_record(evidence: Evidence) -> Record:
    record: Record = {
        "label": evidence.label.value,
        "probability": plain(evidence.probability),
        "start": evidence.start,
        "end": evidence.end,
    }
    record |= _cue_fields(evidence.cues)
    if evidence.measures:
        record["measures"] = [_measure_record(measure) for measure in evidence.measures]
    if evidence.techniques:
        record["techniques"] = [
            {"name": technique.name, "area": technique.area, "start": technique.start, "end": technique.end}
            for technique in evidence.techniques
        ]
    if evidence.comparison is not None:
        comparison = evidence.comparison
        record["comparison"] = {
            "start": comparison.start,
            "end": comparison.end,
            "before": None if comparison.before is None else _measure_record(comparison.before),
            "after": None if comparison.after is None else _measure_record(comparison.after),
        }
    if evidence.goal is not None:
        record["goal"] = evidence.goal
    record["source"] = evidence.source
    record["lexicon_probability"] = plain(evidence.lexicon_probability)
    record["model_probability"] = plain(evidence.model_probability)
    if evidence.is_unclear:
        record["unclear"] = True
    return record


def _cue_fields(cues: tuple[Cue, ...]) -> Record:
    """Sum up the cues of one label: every type, the least and the most help, the direction of change."""
    fields: Record = {}
    types = sorted({kind for cue in cues for kind in cue.types})
    levels = sorted({level for cue in cues for level in (cue.level, cue.level_upper) if level}, key=_CUE_LEVELS.index)
    changes = [cue.change for cue in cues if cue.change]
    if types:
        fields["cue_type"] = types
    if levels:
        fields["cue_level"] = levels[0].value
    if len(levels) > 1:
        fields["cue_level_upper"] = levels[-1].value
    if changes:
        fields["cue_change"] = changes[0].value
    return fields


def _measure_record(measure: Measure) -> Record:
    return {
        "start": measure.start,
        "end": measure.end,
        "value": plain(measure.value),
        "unit": measure.unit,
        "total": plain(measure.total),
        "upper": plain(measure.upper),
    }


def _finding_record(report: Report, finding: Finding) -> Record:
    record: Record = {
        "code": finding.code,
        "level": finding.level.value,
        "title": finding.title,
        "start": finding.start,
        "end": finding.end,
        "message": finding.message,
        "fix": finding.fix,
        "source": finding.source,
    }
    if finding.status is Status.PREVIEW:  # readers must be able to tell these apart; a stable one needs no mark
        record["status"] = finding.status.value
    if finding.lines:
        record["claim_lines"] = list(finding.lines)
    at_risk = finding_money(report, finding)
    if at_risk is not None:
        record["charge_at_risk"] = at_risk
    return record
