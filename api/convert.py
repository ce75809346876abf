"""Bodies to notes, reports to answers: each in one place."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from analyzer.catalogue import mark_example, rule_record
from analyzer.errors import NoteError
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


def to_rule_in_full(rule: Rule, level: Level, sources: Mapping[str, Cited]) -> Record:
    """Return a rule with its sources and examples."""
    return rule_record(rule, level) | {
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
