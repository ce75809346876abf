"""JSON text to values, within a depth limit and without what other readers of JSON would refuse."""

import json
from math import isinf

from analyzer.errors import NoteError


def parse_json(text: str, *, max_nesting: int, field: str | None = None) -> object:
    """Return the value of a JSON text; NaN, which spreadsheet libraries write for an empty cell, gives None.

    Raises
    ------
    NoteError
        ``bad-json`` where it is not JSON, ``too-deep`` beyond ``max_nesting`` arrays and objects.
    """
    try:
        value: object = json.loads(text, parse_constant=_parse_constant, parse_float=_parse_float)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        position = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise NoteError("bad-json", f"not valid JSON: {position}", field=field) from None  # the cause quotes the text
    except UnicodeEncodeError:
        raise NoteError(
            "bad-json", "not valid JSON: half of a surrogate pair", field=field
        ) from None  # the cause quotes the text
    except ValueError:
        raise NoteError(
            "bad-json", "not valid JSON: a number is out of range", field=field
        ) from None  # the cause quotes the text
    except RecursionError as error:
        raise _too_deep(max_nesting, field) from error
    if text.count("[") + text.count("{") > max_nesting and _is_deeper(value, max_nesting):
        raise _too_deep(max_nesting, field)
    return value


def _parse_constant(name: str) -> None:
    if name != "NaN":
        raise ValueError(name)


def _parse_float(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise ValueError("infinite")
    return number


def _is_deeper(value: object, max_nesting: int) -> bool:
    layer = [value]
    for _ in range(max_nesting):
        layer = [
            member
            for holder in layer
            if isinstance(holder, dict | list)
            for member in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not layer:
            return False
    return any(isinstance(member, dict | list) for member in layer)


def _too_deep(max_nesting: int, field: str | None) -> NoteError:
    return NoteError("too-deep", f"arrays and objects are nested deeper than the limit of {max_nesting}", field=field)
