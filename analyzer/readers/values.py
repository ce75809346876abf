"""Raw values, from whatever file they come, to names, dates, numbers and lists, each within its limits."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isnan

from analyzer.errors import NoteError
from analyzer.readers.encoding import check_is_text
from analyzer.readers.jsontext import parse_json
from analyzer.readers.limits import Limits

_EARLIEST_YEAR, _LATEST_YEAR = 1900, 2100
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T,].*)?", re.ASCII | re.DOTALL)
_ICD_LIST = re.compile(
    r"[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?(?:\s*,\s*[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?)+", re.ASCII
)


def read_name(field: str, value: object, limits: Limits) -> str | None:
    """Return an identifier or short name; workbooks hold record numbers and codes as numbers."""
    if is_blank(value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise wrong_type(field, "text", value)
    name = str(value).strip()
    if len(name) > limits.max_note_chars:
        raise NoteError("wrong-type", f"expected a short text, found {len(name):,} characters", field=field)
    check_is_text(name, field=field)
    return name


def read_date(field: str, value: object, limits: Limits) -> date | None:
    """Return a date: ISO, with or without a time, or MM/DD/YYYY as exports in the United States write it."""
    if is_blank(value):
        return None
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, str):
        value = _parse_date(field, value.strip())
    if not isinstance(value, date):
        raise wrong_type(field, "a date", value)
    if not _EARLIEST_YEAR <= value.year <= _LATEST_YEAR:
        raise NoteError(
            "bad-date", f"the year {value.year} is not between {_EARLIEST_YEAR} and {_LATEST_YEAR}", field=field
        )
    return value


def _parse_date(field: str, written: str) -> date:
    try:
        if us_date := _US_DATE.fullmatch(written):
            month, day, year = map(int, us_date.groups())
            return date(year, month, day)
        # The date as written counts, whatever the time zone: it is the day that the clinician saw.
        return datetime.fromisoformat(written).date()
    except ValueError:
        raise NoteError(
            "bad-date", "expected a date as YYYY-MM-DD or MM/DD/YYYY", field=field
        ) from None  # the cause quotes the text


# Beyond these a value is a slip, such as seconds for minutes or a year of birth for an age.
_RANGES = {
    "minutes": (0, 1440),
    "age_years": (0, 130),
    "units": (0, 999),
    "charge": (0, 1_000_000),
    "allowed": (0, 1_000_000),
    "ytd_pt_slp_allowed": (0, 10_000_000),
    "treatment_days_since_report": (0, 1000),
}
_MONEY = ("charge", "allowed", "ytd_pt_slp_allowed")


def read_number(field: str, value: object, limits: Limits, *, kind: str | None = None) -> float | None:
    """Return a number within the range of its kind, which is the field's name where it is not given."""
    if is_blank(value):
        return None
    kind = kind or field
    if isinstance(value, str):
        written = value.strip()
        if kind in _MONEY:
            written = written.removeprefix("$").replace(",", "")
        if "_" in written or not written.isascii():
            raise wrong_type(field, "a number", value)
        try:
            number = float(written)
        except ValueError:
            raise wrong_type(field, "a number", value) from None  # the cause quotes the text
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError as error:
            raise NoteError("out-of-range", "the number is out of range", field=field) from error
    else:
        raise wrong_type(field, "a number", value)
    return _in_range(field, number, kind)


def _in_range(field: str, number: float, kind: str) -> float:
    low, high = _RANGES[kind]
    if not low <= number <= high:
        raise NoteError("out-of-range", f"expected {low:,} to {high:,}, found {number:g}", field=field)
    return number


def read_integer(field: str, value: object, limits: Limits, *, kind: str | None = None) -> int | None:
    """Return a whole number within the range of its kind."""
    number = read_number(field, value, limits, kind=kind)
    if number is None:
        return None
    if not number.is_integer():
        raise NoteError("wrong-type", f"expected a whole number, found {number:g}", field=field)
    return int(number)


_FLAGS = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}


def read_flag(field: str, value: object, limits: Limits) -> bool | None:
    """Return true or false, which tables also write as words or numbers."""
    if is_blank(value) or isinstance(value, bool):
        return value if isinstance(value, bool) else None
    written = read_name(field, value, limits) or ""
    if written.casefold() not in _FLAGS:
        raise wrong_type(field, "true or false", value)
    return _FLAGS[written.casefold()]


def read_diagnoses(field: str, value: object, limits: Limits) -> tuple[str, ...]:
    """Return a list of diagnoses: a list, a JSON list, or words between ``;`` or ``|``; codes also between commas."""
    value = parse_cell(field, value, limits)
    if isinstance(value, str):
        value = re.split(r"[;|]", value.replace(",", ";") if _ICD_LIST.fullmatch(value.strip()) else value)
    return read_names(field, value, limits)


def read_names(field: str, value: object, limits: Limits) -> tuple[str, ...]:
    """Return a list of names, without the blank ones."""
    if is_blank(value):
        return ()
    if not isinstance(value, list | tuple):
        raise wrong_type(field, "a list of texts", value)
    names = (read_name(field, member, limits) for member in value)
    return tuple(name for name in names if name is not None)


_MODIFIER = re.compile("[0-9A-Z]{2}", re.ASCII)


def read_modifiers(field: str, value: object, limits: Limits) -> tuple[str, ...]:
    """Return a list of modifiers in upper case: a list, or two characters each between blanks or ``, ; | : -``."""
    if isinstance(value, str):
        value = re.split(r"[\s,;|:-]+", value)
    elif isinstance(value, int | float) and not isinstance(value, bool):  # a workbook holds modifier 59 as a number
        value = (value,)
    modifiers = tuple(name.upper() for name in read_names(field, value, limits))
    for modifier in modifiers:
        if not _MODIFIER.fullmatch(modifier):
            raise NoteError(
                "bad-modifier", f"expected two letters or digits, found {len(modifier):,} characters", field=field
            )
    return modifiers


def parse_cell(field: str, value: object, limits: Limits) -> object:
    """Return what a cell of a table holds as JSON, and any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        return parse_json(value, max_nesting=limits.max_nesting, field=field)
    return value


def is_blank(value: object) -> bool:
    """Whether a value says nothing: None, white space, not a number, an empty list."""
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and isnan(value))
        or (isinstance(value, list | tuple | Mapping) and not value)
    )


# In this order: True is an int too, and a datetime is a date.
_TYPE_NAMES: tuple[tuple[tuple[type, ...], str], ...] = (
    ((str,), "text"),
    ((bool,), "true or false"),
    ((int, float, Decimal), "a number"),
    ((datetime,), "a date and time"),
    ((date,), "a date"),
    ((list, tuple), "a list"),
    ((dict,), "an object"),
)


def wrong_type(field: str, expected: str, value: object) -> NoteError:
    """Return an error that names the type that was found, never the value: it may be note text in a wrong column."""
    found = next((name for types, name in _TYPE_NAMES if isinstance(value, types)), type(value).__name__)
    return NoteError("wrong-type", f"expected {expected}, found {found}", field=field)
