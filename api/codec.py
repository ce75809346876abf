"""Notes and results to bytes and back, for the database: JSON by the types of the frozen values, no pickle.

A field that has its default is left out, so that what an older version wrote can be read as long as new fields have
defaults. The bytes hold note text: they are for the vault, never for a column in clear.
"""

import json
import types
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import date
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from analyzer.readers.records import NOTE_COLUMNS
from analyzer.types import Failure, Note, Report, Result

_Convert = Callable[[Any], Any]
_MASK = "▒"
_TAGS: dict[str, Any] = {"note": Note, "failure": Failure, "report": Report}
_TAG_OF = {cls: tag for tag, cls in _TAGS.items()}


class CodecError(Exception):
    """What was stored is not what this version writes; it says nothing of the content."""


def encode(values: Sequence[Note] | Sequence[Result] | Sequence[Note | Failure]) -> bytes:
    """Return notes, failures and reports as bytes, in order."""
    tagged = [{(tag := _TAG_OF[type(value)]): _codec(_TAGS[tag])[0](value)} for value in values]
    # Lone surrogates have no UTF-8 form, so that JSON's own escapes carry what a reader handed through.
    return zlib.compress(json.dumps(tagged, allow_nan=False, separators=(",", ":")).encode("ascii"), 3)


def decode_records(content: bytes) -> list[Note | Failure]:
    """Return the notes and failures of :func:`encode`.

    Raises
    ------
    CodecError
        When they are not such.
    """
    return _decode(content, ("note", "failure"))


def decode_results(content: bytes) -> list[Result]:
    """Return the reports and failures of :func:`encode`.

    Raises
    ------
    CodecError
        When they are not such.
    """
    return _decode(content, ("report", "failure"))


def without_text(result: Result) -> Result:
    """Return a result that says nothing of the note's words: its lines are masked, and offsets still fit.

    Columns that were handed through stay, but for those whose name is another name of the text.

    Examples
    --------
    >>> _mask("Named 12/20.\\n")
    '▒▒▒▒▒▒▒▒▒▒▒▒\\n'
    """
    if isinstance(result, Failure):
        return replace(result, extra=_without_text_columns(result.extra))
    note = replace(result.note, text=_mask(result.note.text), extra=_without_text_columns(result.note.extra))
    return replace(result, note=note)


def _mask(text: str) -> str:
    # The ends stay, since a finding about the whole note is told by spanning all but the white space there.
    body = text.strip()
    head = text[: len(text) - len(text.lstrip())]
    masked = "".join(char if char == "\n" else _MASK for char in body)
    return head + masked + text[len(head) + len(body) :]


def _without_text_columns(extra: tuple[tuple[str, object], ...]) -> tuple[tuple[str, object], ...]:
    return tuple((name, value) for name, value in extra if NOTE_COLUMNS.match([name]) != ("text",))


def _decode(content: bytes, tags: Sequence[str]) -> list[Any]:
    try:
        values = []
        for tagged in json.loads(zlib.decompress(content)):
            ((tag, value),) = tagged.items()
            if tag not in tags:
                raise CodecError(f"expected one of {', '.join(tags)}")
            values.append(_codec(_TAGS[tag])[1](value))
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError):
        raise CodecError("what was stored was written by another version") from None  # the cause quotes the text
    return values


@cache
def _codec(hint: Any) -> tuple[_Convert, _Convert]:
    """Return the functions that write and read a value of a type."""
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass_codec(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        write, read = _codec(inner)
        return (
            lambda value: None if value is None else write(value),
            lambda value: None if value is None else read(value),
        )
    if origin is tuple:
        if arguments[1:] == (...,):
            write, read = _codec(arguments[0])
            return (
                lambda values: [write(value) for value in values],
                lambda values: tuple([read(value) for value in values]),
            )
        writes, reads = zip(*map(_codec, arguments), strict=True)
        return (
            lambda values: [write(value) for write, value in zip(writes, values, strict=True)],
            lambda values: tuple([read(value) for read, value in zip(reads, values, strict=True)]),
        )
    if origin is frozenset:
        write, read = _codec(arguments[0])
        return (lambda values: sorted(map(write, values))), (lambda values: frozenset(map(read, values)))
    if origin is Mapping and arguments[0] is str:
        write, read = _codec(arguments[1])
        return (
            lambda values: {name: write(value) for name, value in values.items()},
            lambda values: {name: read(value) for name, value in values.items()},
        )
    if isinstance(hint, type) and issubclass(hint, Enum):
        return (lambda value: value.value), hint
    if hint is date:
        return date.isoformat, date.fromisoformat
    if hint in (str, int, float, bool, object):
        return (lambda value: value), (lambda value: value)
    raise TypeError(f"no way to store a {hint}")


def _dataclass_codec(cls: Any) -> tuple[_Convert, _Convert]:
    hints = get_type_hints(cls)
    parts = [(field.name, field.default, *_codec(hints[field.name])) for field in fields(cls)]
    reads = {name: read for name, _, _, read in parts}
    writes = [(name, default, write) for name, default, write, _ in parts]

    def write_fields(value: Any) -> dict[str, Any]:
        found = {}
        for name, default, write in writes:
            part = getattr(value, name)
            if default is MISSING or part != default:
                found[name] = write(part)
        return found

    def read_fields(value: dict[str, Any]) -> Any:
        return cls(**{name: reads[name](part) for name, part in value.items()})

    return write_fields, read_fields
