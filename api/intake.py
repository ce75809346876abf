"""A batch as it is sent: JSON, JSON Lines or a file, read into notes with the readers that files have.

Nothing of it touches a disk: a form's file stays in memory, however large.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from pathlib import PurePath
from typing import BinaryIO

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from analyzer.errors import NoteError
from analyzer.readers.columnar import read_parquet
from analyzer.readers.delimited import read_delimited
from analyzer.readers.fhir import read_resource
from analyzer.readers.jsonfile import read_json_lines
from analyzer.readers.limits import Limits
from analyzer.readers.plain import read_plain
from analyzer.readers.records import NOTE_COLUMNS, Records, Source
from analyzer.readers.word import read_word
from analyzer.readers.workbook import read_workbook
from analyzer.types import Failure, Note
from api.bodies import parse_body
from api.errors import Problem
from api.settings import Settings

_SOURCE = Source("upload", "note")  # a file's name may hold a patient's, so that it is kept nowhere
_MOST_ERRORS = 20
_HOLDERS, _LEAST_HOLDERS = 100, 200_000  # arrays and objects of a document: by note, and in any case
_FIELD_BYTES = 10_000  # of a form's field that is no file

_Reader = Callable[[BinaryIO, Source, Limits], Iterator[Note | Failure]]
_JSON = ".json"
_READERS: Mapping[str, _Reader] = {
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".xlsx": read_workbook,
    ".parquet": read_parquet,
    ".docx": read_word,
    ".txt": read_plain,
    ".md": read_plain,
}
MEDIA_TYPES: Mapping[str, str] = {
    "application/json": _JSON,
    "application/fhir+json": _JSON,
    "application/x-ndjson": ".ndjson",
    "application/ndjson": ".ndjson",
    "application/jsonl": ".jsonl",
    "application/fhir+ndjson": ".ndjson",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "text/plain": ".txt",
    "text/markdown": ".md",
}
"""Types of a body, and of a form's file whose name says nothing, with the ending that stands for them."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What was sent: its bytes, and the ending of the kind of file that it is."""

    content: bytes
    suffix: str


async def read_upload(request: Request) -> Upload:
    """Return the body of a request, or the one file of a form.

    Raises
    ------
    Problem
        415 for a type that holds no notes; 400 for a form that is broken or has not one field ``file``.
    """
    media_type = _media_type(request.headers.get("content-type", ""))
    if media_type == "multipart/form-data":
        return await _read_form(request)
    if media_type not in MEDIA_TYPES:
        raise _unsupported()
    return Upload(await request.body(), MEDIA_TYPES[media_type])


async def _read_form(request: Request) -> Upload:
    parser = MultiPartParser(request.headers, request.stream(), max_files=1, max_fields=5, max_part_size=_FIELD_BYTES)
    settings: Settings = request.app.state.settings
    parser.spool_max_size = settings.max_batch_bytes + 1  # never on a disk; the whole body may not be larger
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError, LookupError):
        raise Problem(HTTPStatus.BAD_REQUEST, "bad-form", "The form cannot be read.") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Problem(HTTPStatus.BAD_REQUEST, "no-file", "The form has no file.", detail="Send it as `file`.")
        suffix = PurePath(file.filename or "").suffix.lower()
        if suffix != _JSON and suffix not in _READERS:
            suffix = MEDIA_TYPES.get(_media_type(file.content_type or ""), "")
        if not suffix:
            raise _unsupported()
        return Upload(await file.read(), suffix)
    finally:
        await form.close()


def read_batch(upload: Upload, settings: Settings) -> list[Note | Failure]:
    """Return the notes of an upload in order; a row that cannot be read is a failure in its place.

    Raises
    ------
    Problem
        For an upload that cannot be read at all, has no note or too many, or of whose rows none can be read.
    """
    limits = Limits(
        max_file_bytes=settings.max_batch_bytes,
        max_note_chars=settings.max_chars,
        max_nesting=settings.max_nesting,
        max_zip_bytes=settings.max_batch_bytes,
        max_rows=settings.max_batch_notes,
    )
    if upload.suffix == _JSON:
        _check_size(upload.content, settings)
        found = _read_json(parse_body(upload.content, settings.max_nesting), Records(_SOURCE, limits))
    else:
        found = _READERS[upload.suffix](io.BytesIO(upload.content), _SOURCE, limits)
    try:
        records = list(islice(found, settings.max_batch_notes + 1))
    except NoteError as error:
        raise _unreadable(error, settings.max_batch_notes) from None  # its cause may quote the text
    if len(records) > settings.max_batch_notes:
        raise _too_many(settings.max_batch_notes)
    if not records:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "no-notes", "There are no notes in it.")
    failures = [record for record in records if isinstance(record, Failure)]
    if len(failures) == len(records):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "no-readable-notes",
            "None of the notes can be read.",
            errors=[(_place(failure), failure.message) for failure in failures[:_MOST_ERRORS]],
        )
    return records


def _check_size(content: bytes, settings: Settings) -> None:
    """Refuse a document of very many small values, each of which takes far more memory than it has bytes."""
    most = max(_LEAST_HOLDERS, _HOLDERS * settings.max_batch_notes)
    if content.count(b"{") + content.count(b"[") > most:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too-many-values",
            "There are too many arrays and objects in it.",
            detail=f"A JSON document has at most {most:,}. JSON Lines may have more.",
        )


def _read_json(value: object, records: Records) -> Iterator[Note | Failure]:
    """Yield the notes of ``{"notes": [...]}``, of an array, of one record, or of a FHIR resource or Bundle."""
    if isinstance(value, dict) and set(value) == {"notes"} and isinstance(value["notes"], list):
        value = value["notes"]
    if isinstance(value, list):
        if len(value) > records.limits.max_rows:
            raise _too_many(records.limits.max_rows)
        return _read_members(value, records)
    is_record = isinstance(value, dict) and ("resourceType" in value or NOTE_COLUMNS.are_in(tuple(value)))
    if not is_record:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "no-notes",
            "There are no notes in it.",
            detail='Expected {"notes": [...]}, an array of records, or a FHIR resource.',
        )
    return _read_member(value, records, None)


def _read_members(members: Iterable[object], records: Records) -> Iterator[Note | Failure]:
    for row, member in enumerate(members, start=1):
        yield from _read_member(member, records, row)


def _read_member(member: object, records: Records, row: int | None) -> Iterator[Note | Failure]:
    if not isinstance(member, dict):
        yield records.source.failure(NoteError("wrong-type", "expected a record, an object with `text`"), row)
    elif "resourceType" in member:
        yield from read_resource(member, records, row)
    else:
        extra = member.get("extra")
        if isinstance(extra, dict):  # as single notes have them
            member = {**extra, **{name: value for name, value in member.items() if name != "extra"}}
        yield records.read(tuple(member), tuple(member.values()), row)


def _media_type(written: str) -> str:
    return written.partition(";")[0].strip().lower()


def _place(failure: Failure) -> str | None:
    row = failure.origin.row if failure.origin else None
    # Fields are named by the readers, never by the caller.
    return ".".join(filter(None, (None if row is None else f"row {row}", failure.field))) or None


def _unreadable(error: NoteError, most: int) -> Problem:
    if error.code == "too-many-rows":
        return _too_many(most)
    is_large = error.code == "file-too-large"
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE if is_large else HTTPStatus.UNPROCESSABLE_ENTITY,
        error.code,
        "The notes cannot be read.",
        detail=f"{error.message[:1].upper()}{error.message[1:]}.",
        field=error.field,
    )


def _too_many(most: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-many-notes",
        "There are too many notes in it.",
        detail=f"A batch has at most {most:,}.",
    )


def _unsupported() -> Problem:
    return Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "A batch cannot be of this type.",
        detail=f"Send one of {', '.join(MEDIA_TYPES)}, or a form with a `file` that ends in {_JSON}, "
        f"{', '.join(_READERS)}.",
    )
