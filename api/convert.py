"""Bodies to notes, reports to answers: each in one place."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from analyzer.catalogue import mark_example
from analyzer.errors import NoteError
from analyzer.icd10.catalogue import Catalogue, Checked, Exclusion
from analyzer.lexicon import Source as Cited
from analyzer.readers.fhir import read_resource
from analyzer.readers.limits import Limits
from analyzer.readers.records import Records, Source
from analyzer.report.record import escape_separators, to_record
from analyzer.rules.rule import Rule
from analyzer.types import Failure, Level, Note, Report
from api.logs import request_id

Record = dict[str, object]
_FILE = "request"  # what logs call the place where a note came from


def read_note(body: Mapping[str, Any], *, max_chars: int = 100_000) -> Note:
    """Return the note of a record, or of a FHIR resource, by the same readers as files have.

    Parameters
    ----------
    body : mapping
        What ``api.schemas.NoteBody`` let pass. Fields under ``extra`` are handed through.
    max_chars : int
        Characters of the note.

    Raises
    ------
    NoteError
        For what the readers refuse, and a resource that holds no note.
    """
    records = Records(Source(_FILE, f"note-{request_id() or 'unnamed'}"), Limits(max_note_chars=max_chars))
    if "resourceType" in body:
        read = next(read_resource(body, records, None), None)
    else:
        fields = {name: value for name, value in body.items() if name != "extra"}
        extra = dict(body.get("extra", {}))
        read = records.read(tuple(fields), tuple(fields.values()), None)
        if isinstance(read, Note) and extra:
            read = replace(read, extra=(*read.extra, *extra.items()))
    if read is None:
        raise NoteError("no-notes", "the resource holds no note")
    if isinstance(read, Failure):
        raise NoteError(read.code, read.message, field=read.field)
    return read


def to_response(report: Report) -> Record:
    """Return the output record of the contract."""
    return to_record(report)


def json_bytes(record: object) -> bytes:
    """Return a value as JSON in UTF-8 on one line."""
    return escape_separators(json.dumps(record, ensure_ascii=False, allow_nan=False)).encode()


def to_rule(rule: Rule, level: Level) -> Record:
    """Return a rule as the list has it, with the level that it has here."""
    return {
        "code": rule.code,
        "name": rule.name,
        "family": rule.family,
        "level": level.value,
        "status": rule.status.value,
        "since": rule.since,
        "title": rule.title,
        "why": rule.why,
        "sources": list(rule.sources),
        "payers": list(rule.payers),
        "valid_from": rule.valid_from.isoformat() if rule.valid_from else None,
        "valid_to": rule.valid_to.isoformat() if rule.valid_to else None,
        "known_limits": rule.known_limits,
    }


def to_rule_in_full(rule: Rule, level: Level, sources: Mapping[str, Cited]) -> Record:
    """Return a rule with its sources and examples."""
    return to_rule(rule, level) | {
        "cited": [_to_source(sources[id]) for id in rule.sources],
        "fires": [mark_example(example) for example in rule.fires],
        "silent": [mark_example(example) for example in rule.silent],
    }


def _to_source(source: Cited) -> Record:
    return {
        "id": source.id,
        "title": source.title,
        "publisher": source.publisher,
        "section": source.section,
        "address": source.address,
        "effective": str(source.effective),
        "read": str(source.read),
        "certainty": source.certainty,
    }


def to_code(checked: Checked, catalogue: Catalogue, day: date | None) -> Record:
    """Return a code as it stands on a date of service."""
    code = catalogue.get(checked.code)
    return {
        "typed": checked.typed,
        "code": checked.code,
        "title": checked.title,
        "standing": checked.standing.value,
        "date": day.isoformat() if day else None,
        "release": catalogue.release,
        "billable": code is not None and code.is_valid_on(day or catalogue.last_day),
        "valid": [
            {"from": start.isoformat(), "to": end.isoformat() if end else None}
            for start, end in (code.windows if code else ())
        ],
        "advice": checked.advice,
        "successors": [{"code": offer, "title": _title(offer, catalogue)} for offer in checked.successors],
        "area": code.area if code else None,
        "role": code.role if code else None,
        "unspecified": code.is_unspecified if code else None,
        "conditions": code.conditions if code else "",
        "remarks": code.remarks if code else "",
        "code_first": code.code_first if code else "",
        "use_additional": code.use_additional if code else "",
        "code_also": code.code_also if code else "",
        "synonyms": list(code.synonyms) if code else [],
        "excludes1": _exclusions((o, catalogue.excludes1(checked.code, o)) for o in catalogue.slp),
        "excludes2": _exclusions((o, catalogue.excludes2(checked.code, o)) for o in catalogue.slp),
    }


def _exclusions(pairs: Any) -> Sequence[Record]:
    found: list[tuple[str, Exclusion]] = [(other, note) for other, note in pairs if note is not None]
    return [{"code": other, "note": note.note, "note_sits_at": note.sits_at} for other, note in found]


def _title(code: str, catalogue: Catalogue) -> str:
    known = catalogue.get(code)
    return known.title if known else ""
