"""JSON and JSON Lines: records as the input contract has them, and FHIR resources, told apart record by record."""

import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import BinaryIO

from analyzer.errors import NoteError
from analyzer.readers.encoding import bad_encoding, decode, open_text
from analyzer.readers.fhir import read_resource
from analyzer.readers.jsontext import parse_json
from analyzer.readers.limits import Limits
from analyzer.readers.records import Records, Source
from analyzer.types import Failure, Note

# A brace or bracket alone is not JSON yet: notes begin with "[ ] ticked", "[Session 4]" or "{Name}".
_JSON_START = re.compile(r'\s*(?:\{\s*"|\[\s*\{|\{\s*\}\s*\Z|\[\s*\]\s*\Z)')
_SNIFFED_LINES = 10


def read_json(stream: BinaryIO, source: Source, limits: Limits) -> Iterator[Note | Failure]:
    """Yield the notes of a record, an array of records or a FHIR resource; of JSON Lines too, if it is that."""
    yield from _read_document(decode(stream.read()), Records(source, limits))


def read_json_lines(stream: BinaryIO, source: Source, limits: Limits) -> Iterator[Note | Failure]:
    """Yield the notes of JSON Lines or NDJSON; of one JSON document too, if it is that."""
    records = Records(source, limits)
    try:
        with open_text(stream) as lines:
            before = []
            for line in lines:
                before.append(line)
                if line.strip():
                    break
            if _begins_document(before[-1].strip() if before else ""):
                yield from _read_document("".join(before) + lines.read(), records)
            else:
                yield from _read_lines(chain(before, lines), records)
    except UnicodeError:
        raise bad_encoding() from None  # the cause quotes the text


def read_unknown(stream: BinaryIO, source: Source, limits: Limits) -> Iterator[Note | Failure]:
    """Yield the notes of standard input: of what begins like JSON, otherwise the whole as one note."""
    text = decode(stream.read())
    records = Records(source, limits)
    if _JSON_START.match(text):
        yield from _read_document(text, records)
    else:
        yield records.read(("text",), (text,), None)


def _read_document(text: str, records: Records) -> Iterator[Note | Failure]:
    try:
        value = parse_json(text, max_nesting=records.limits.max_nesting)
    except NoteError as error:
        if error.code != "bad-json" or not _has_lines_of_json(text, records.limits):
            raise
        yield from _read_lines(io.StringIO(text, newline=""), records)
        return
    if isinstance(value, list):
        for row, member in enumerate(value, start=1):
            _check_row(row, records.limits)
            yield from _read_value(member, records, row)
    else:
        yield from _read_value(value, records, None)


def _read_lines(lines: Iterable[str], records: Records) -> Iterator[Note | Failure]:
    for row, line in enumerate(lines, start=1):
        _check_row(row, records.limits)
        if not line.strip():
            continue
        try:
            value = parse_json(line, max_nesting=records.limits.max_nesting)
        except NoteError as error:
            yield records.source.failure(error, row)
        else:
            yield from _read_value(value, records, row)


def _read_value(value: object, records: Records, row: int | None) -> Iterator[Note | Failure]:
    if not isinstance(value, dict):
        yield records.source.failure(NoteError("wrong-type", "expected a record, an object with `text`"), row)
    elif "resourceType" in value:
        yield from read_resource(value, records, row)
    else:
        yield records.read(tuple(value), tuple(value.values()), row)


def _begins_document(line: str) -> bool:
    """Whether a first line is the start of one JSON document over several lines, or a whole array."""
    return line == "{" or line.startswith("[")


def _has_lines_of_json(text: str, limits: Limits) -> bool:
    for line in islice(filter(str.strip, io.StringIO(text, newline="")), _SNIFFED_LINES):
        try:
            if isinstance(parse_json(line, max_nesting=limits.max_nesting), dict):
                return True
        except NoteError:
            continue
    return False


def _check_row(row: int, limits: Limits) -> None:
    if row > limits.max_rows:
        raise NoteError("too-many-rows", f"the file has more rows than the limit of {limits.max_rows:,}")
