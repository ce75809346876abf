"""Notes in FHIR R4: DocumentReference, Composition and ClinicalImpression, alone or in a Bundle.

Fields are those of https://hl7.org/fhir/R4/. Other types of resource are passed over.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import TypeVar

from analyzer.errors import NoteError
from analyzer.readers.encoding import bad_encoding, decode
from analyzer.readers.limits import Limits
from analyzer.readers.markup import to_lines
from analyzer.readers.records import Records
from analyzer.types import Failure, Note

Resource = Mapping[str, object]
_Value = TypeVar("_Value")

# Best first: where a document is given in several formats, plain text is what the clinician wrote.
_MEDIA_TYPES = ("text/plain", "text/html", "application/xhtml+xml")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}", re.ASCII)
_HISTORY = re.compile(r"/_history/[^/]*\Z")
_NO_BINARIES: Mapping[str, Resource] = {}


@dataclass(frozen=True, slots=True)
class _Document:
    """What a resource says of a note."""

    text: str
    subject: Resource | None
    author: Resource | None
    date: object


def read_resource(
    resource: Resource,
    records: Records,
    row: int | None,
    *,
    place: str | None = None,
    binaries: Mapping[str, Resource] = _NO_BINARIES,
) -> Iterator[Note | Failure]:
    """Yield the notes of a resource; none where its type holds no notes.

    Parameters
    ----------
    row : int, optional
        The line of an NDJSON file, or the entry of a Bundle that is a file of its own.
    place : str, optional
        What tells the resource from others of the same row.
    binaries : mapping
        Binary resources of the same Bundle, by every address that an attachment may use.
    """
    kind = resource.get("resourceType")
    if kind == "Bundle":
        yield from _read_bundle(resource, records, row, place)
        return
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        return
    try:
        if resource.get("status") == "entered-in-error":
            raise NoteError("entered-in-error", "the record says that it was entered in error", field="status")
        document = read(resource, binaries, records.limits)
        fields: dict[str, object] = {
            "id": resource.get("id"),
            "text": document.text,
            "patient_id": _find_id(document.subject),
            "clinician_id": _find_id(document.author),
            "date_of_service": document.date,
            "resourceType": kind,
        }
    except NoteError as error:
        own_id = resource.get("id")
        record_id = own_id if isinstance(own_id, str) and own_id else records.source.record_id(place or row)
        yield Failure(error.code, error.message, record_id, error.field, records.source.origin(row))
    else:
        yield records.read(tuple(fields), tuple(fields.values()), row, place=place)


def _read_bundle(bundle: Resource, records: Records, row: int | None, place: str | None) -> Iterator[Note | Failure]:
    try:
        entries = _get(bundle, "entry", list) or []
    except NoteError as error:
        yield records.source.failure(error, row)
        return
    if len(entries) > records.limits.max_rows:
        raise NoteError("too-many-rows", f"a Bundle has more entries than the limit of {records.limits.max_rows:,}")
    binaries = _index_binaries(entries)
    outer = place or row
    for number, entry in enumerate(entries, start=1):
        resource = entry.get("resource") if isinstance(entry, dict) else entry
        if isinstance(resource, dict):
            entry_row, entry_place = (number, None) if outer is None else (row, f"{outer}.{number}")
            yield from read_resource(resource, records, entry_row, place=entry_place, binaries=binaries)
        elif resource is not None:
            wrong_entry = NoteError("bad-fhir", "the entry's resource is not an object", field="entry.resource")
            yield records.source.failure(wrong_entry, number if row is None else row)


def _index_binaries(entries: list[object]) -> Mapping[str, Resource]:
    binaries: dict[str, Resource] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        resource = entry.get("resource")
        if isinstance(resource, dict) and resource.get("resourceType") == "Binary":
            for address in (entry.get("fullUrl"), f"Binary/{resource.get('id')}"):
                if isinstance(address, str):
                    binaries[_HISTORY.sub("", address)] = resource
    return binaries


def _read_document_reference(resource: Resource, binaries: Mapping[str, Resource], limits: Limits) -> _Document:
    context = _get(resource, "context", dict) or {}
    period = _get(context, "period", dict) or {}
    attachments = [_get(content, "attachment", dict) or {} for content in _get_all(resource, "content")]
    contained = {f"#{inner.get('id')}": inner for inner in _get_all(resource, "contained")}
    return _Document(
        text=_read_attachments(attachments, {**binaries, **contained}, limits),
        subject=_get(resource, "subject", dict),
        author=next(iter(_get_all(resource, "author")), None),
        date=period.get("start") or resource.get("date"),
    )


def _read_composition(resource: Resource, binaries: Mapping[str, Resource], limits: Limits) -> _Document:
    lines = [line for section in _get_all(resource, "section") for line in _read_section(section)]
    event = next(iter(_get_all(resource, "event")), {})
    period = _get(event, "period", dict) or {}
    return _Document(
        # The title often says what kind of note it is, and stands nowhere else.
        text="\n".join(filter(None, [_get(resource, "title", str), *(lines or [_read_narrative(resource)])])),
        subject=_get(resource, "subject", dict),
        author=next(iter(_get_all(resource, "author")), None),
        date=period.get("start") or resource.get("date"),
    )


def _read_clinical_impression(resource: Resource, binaries: Mapping[str, Resource], limits: Limits) -> _Document:
    lines = [_get(resource, "description", str), _get(resource, "summary", str)]
    for finding in _get_all(resource, "finding"):
        concept = _get(finding, "itemCodeableConcept", dict) or {}
        display = next((_get(coding, "display", str) for coding in _get_all(concept, "coding")), None)
        lines += [_get(concept, "text", str) or display, _get(finding, "basis", str)]
    lines += [_get(note, "text", str) for note in _get_all(resource, "note")]
    period = _get(resource, "effectivePeriod", dict) or {}
    return _Document(
        text="\n".join(line for line in lines if line),
        subject=_get(resource, "subject", dict),
        author=_get(resource, "assessor", dict),
        date=resource.get("effectiveDateTime") or period.get("start") or resource.get("date"),
    )


_READERS: Mapping[str, Callable[[Resource, Mapping[str, Resource], Limits], _Document]] = {
    "DocumentReference": _read_document_reference,
    "Composition": _read_composition,
    "ClinicalImpression": _read_clinical_impression,
}


def _read_section(section: Resource) -> Iterator[str]:
    """Yield the heading of a section, its narrative and the sections in it."""
    for text in (_get(section, "title", str), _read_narrative(section)):
        if text:
            yield text
    for inner in _get_all(section, "section"):
        yield from _read_section(inner)


def _read_narrative(holder: Resource) -> str:
    narrative = _get(holder, "text", dict) or {}
    return to_lines(_get(narrative, "div", str) or "")


def _read_attachments(attachments: list[dict[str, object]], binaries: Mapping[str, Resource], limits: Limits) -> str:
    """Return the text of the attachment in the best format: all of them are the same document."""
    found: dict[str, tuple[str, str]] = {}
    is_unfetched = False
    for attachment in attachments:
        url = _get(attachment, "url", str) or ""
        binary = binaries.get(_HISTORY.sub("", url), {})
        data = _get(attachment, "data", str) or _get(binary, "data", str)
        content_type = _get(attachment, "contentType", str) or _get(binary, "contentType", str) or ""
        if data:
            media_type = content_type.partition(";")[0].strip().lower()
            found.setdefault(media_type, (content_type, data))
        elif url:
            is_unfetched = True
    for media_type in _MEDIA_TYPES:
        if media_type in found:
            text = _decode_attachment(*found[media_type], limits)
            return text if media_type == "text/plain" else to_lines(text)
    if found:
        # A type is named only if it looks like one: it is the caller's text.
        names = sorted(name if _MEDIA_TYPE.fullmatch(name) else "none" for name in found)
        raise NoteError(
            "unsupported-attachment",
            f"expected an attachment of type {', '.join(_MEDIA_TYPES)}; found {', '.join(names)}",
            field="content.attachment.contentType",
        )
    if is_unfetched:
        raise NoteError(
            "attachment-not-fetched",
            "the attachment is only an address outside this file, and nothing is fetched",
            field="content.attachment.url",
        )
    return ""


def _decode_attachment(content_type: str, data: str, limits: Limits) -> str:
    field = "content.attachment.data"
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(
            "bad-attachment", "the attachment is not valid base64", field=field
        ) from None  # the cause quotes the text
    if len(content) > limits.max_note_file_bytes:
        raise NoteError(
            "file-too-large",
            f"the attachment has {len(content):,} bytes; the limit is {limits.max_note_file_bytes:,}",
            field=field,
        )
    charset = _find_charset(content_type)
    if charset is None:
        return decode(content)
    try:
        return content.decode("utf-8-sig" if charset.lower() in ("utf-8", "utf8") else charset)
    except (LookupError, ValueError):
        raise bad_encoding() from None  # the cause quotes the text


def _find_charset(content_type: str) -> str | None:
    message = Message()
    message["Content-Type"] = " ".join(content_type.split())
    charset = message.get_param("charset")
    return charset if isinstance(charset, str) and charset else None


def _find_id(reference: Resource | None) -> str | None:
    """Return what identifies a person: the id in the reference, else an identifier, else the name."""
    if reference is None:
        return None
    address = _get(reference, "reference", str)
    if address:
        address = _HISTORY.sub("", address)
        return address if address.startswith("urn:") else address.rpartition("/")[2].removeprefix("#")
    identifier = _get(reference, "identifier", dict) or {}
    return _get(identifier, "value", str) or _get(reference, "display", str)


def _get(holder: Resource, name: str, type_: type[_Value]) -> _Value | None:
    value = holder.get(name)
    if value is not None and not isinstance(value, type_):
        raise NoteError("bad-fhir", f"`{name}` does not have the type that FHIR R4 gives it", field=name)
    return value


def _get_all(holder: Resource, name: str) -> list[dict[str, object]]:
    members = _get(holder, name, list) or []
    if not all(isinstance(member, dict) for member in members):
        raise NoteError("bad-fhir", f"`{name}` does not have the type that FHIR R4 gives it", field=name)
    return members
