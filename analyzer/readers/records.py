"""Named raw values, from whatever file they come, to a note: column names, types and ranges of the input record."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite, isnan

from analyzer.errors import NoteError
from analyzer.readers.encoding import check_is_text
from analyzer.readers.jsontext import parse_json
from analyzer.readers.limits import Limits
from analyzer.types import ClaimLine, Failure, Note, Origin, PlanOfCare

# Other names of a column, best first. A name matches whatever its case, spaces and underscores; where several columns
# match one field, the field's own name wins, then the earlier alias, and the others are handed through.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("note_id", "record_id", "document_id"),
    "text": (
        "note_text",
        "note",
        "soap_note",
        "session_note",
        "progress_note",
        "note_body",
        "body",
        "notes",
        "narrative",
        "documentation",
        "content",
    ),
    "patient_id": ("mrn", "patient", "client_id", "client"),
    "clinician_id": ("clinician", "therapist_id", "therapist", "provider_id", "provider", "slp"),
    "credential": ("credentials",),
    "payer": ("payor", "payer_name", "insurance"),
    "date_of_service": ("dos", "service_date", "session_date", "visit_date", "date"),
    "setting": ("care_setting",),
    "age_years": (),  # a column "age" is often words ("3 years 6 months"), and is handed through
    "cpt": ("cpt_code", "procedure_code"),
    "minutes": ("total_minutes", "session_minutes", "treatment_minutes", "duration_minutes"),
    "place_of_service": ("pos", "pos_code"),
    "diagnoses": ("diagnosis", "diagnosis_codes", "dx", "dx_codes", "icd10", "icd10_codes", "icd_codes"),
    "claim_lines": (),
    "plan_of_care": ("poc",),
    "ytd_pt_slp_allowed": (),
}

_EARLIEST_YEAR, _LATEST_YEAR = 1900, 2100
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T,].*)?", re.ASCII | re.DOTALL)
_ICD_LIST = re.compile(
    r"[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?(?:\s*,\s*[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?)+", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a sheet of one: what messages call it, and the stem of the ids of notes that have none.

    Parameters
    ----------
    file : str
        The path as the caller gave it; ``#`` and the sheet's name follow where a workbook has several sheets.
    stem : str
        The file's name without its suffix, or more of its path where that is taken.
    """

    file: str
    stem: str

    def origin(self, row: int | None = None) -> Origin:
        """Return where a row stands."""
        return Origin(self.file, row)

    def record_id(self, place: object = None) -> str:
        """Return the id of a record that has none: the stem, and its place in the file."""
        return self.stem if place is None else f"{self.stem}:{place}"

    def sheet(self, name: str) -> "Source":
        """Return one sheet of this workbook."""
        return Source(f"{self.file}#{name}", f"{self.stem}:{name}")

    def failure(self, error: NoteError, row: int | None = None) -> Failure:
        """Return what stands for a file or a row that cannot be read."""
        return Failure(error.code, error.message, id=self.record_id(row), field=error.field, origin=self.origin(row))


class Records:
    """Makes notes of the raw records of one source; remembers how its columns are named."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self._matches: dict[tuple[str, ...], tuple[str | None, ...]] = {}

    def read(
        self, names: Sequence[str], values: Sequence[object], row: int | None, *, place: object = None
    ) -> Note | Failure:
        """Return the note of a record, or why there is none.

        Parameters
        ----------
        names, values : sequence
            Columns as the file names them, and the record's raw values.
        row : int, optional
            The record's row; None for a file that holds one note.
        place : object, optional
            What tells the record's id from that of others in the file; the row where it is None.
        """
        key = tuple(names)
        fields = self._matches.get(key)
        if fields is None:
            fields = self._matches[key] = match_columns(key)
        record = {field: value for field, value in zip(fields, values, strict=True) if field is not None}
        extra = tuple(
            (name, to_plain(value)) for name, field, value in zip(names, fields, values, strict=True) if field is None
        )
        origin = self.source.origin(row)
        record_id = self.source.record_id(row if place is None else place)
        try:
            record_id = _read_name("id", record.get("id"), self.limits) or record_id
            return _to_note(record, record_id, extra, origin, self.limits)
        except NoteError as error:
            return Failure(error.code, error.message, record_id, error.field, origin, extra)


def match_columns(names: Sequence[str]) -> tuple[str | None, ...]:
    """Return the field that each column holds, None for an unknown column.

    Examples
    --------
    >>> match_columns(["Note ID", "noteText", "DOS", "Room"])
    ('id', 'text', 'date_of_service', None)
    """
    best: dict[str, tuple[int, int]] = {}
    for index, name in enumerate(names):
        found = _COLUMNS.get(_simplify(name))
        if found is not None and (found[0] not in best or found[1] < best[found[0]][0]):
            best[found[0]] = (found[1], index)
    by_index = {index: field for field, (_, index) in best.items()}
    return tuple(by_index.get(index) for index in range(len(names)))


def missing_text() -> NoteError:
    """Return the error for a table, or a record, without its one required field."""
    names = ", ".join(ALIASES["text"])
    return NoteError("missing-field", f"there is no `text`, nor any of its other names ({names})", field="text")


def to_plain(value: object) -> object:
    """Return a value as JSON knows it: dates and times in ISO format, decimals and bytes as strings."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(key): to_plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(member) for member in value]
    return str(value)


def _simplify(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


_COLUMNS = {
    _simplify(name): (field, rank) for field, aliases in ALIASES.items() for rank, name in enumerate((field, *aliases))
}


def _to_note(
    record: Mapping[str, object], record_id: str, extra: tuple[tuple[str, object], ...], origin: Origin, limits: Limits
) -> Note:
    if "text" not in record:
        raise missing_text()
    text = _read_text(record["text"], limits)
    return Note(
        text=text,
        id=record_id,
        patient_id=_read_name("patient_id", record.get("patient_id"), limits),
        clinician_id=_read_name("clinician_id", record.get("clinician_id"), limits),
        credential=_read_name("credential", record.get("credential"), limits),
        payer=_read_name("payer", record.get("payer"), limits),
        date_of_service=_read_date("date_of_service", record.get("date_of_service"), limits),
        setting=_read_name("setting", record.get("setting"), limits),
        age_years=_read_number("age_years", record.get("age_years"), limits),
        cpt=_read_name("cpt", record.get("cpt"), limits),
        minutes=_read_integer("minutes", record.get("minutes"), limits),
        place_of_service=_read_name("place_of_service", record.get("place_of_service"), limits),
        diagnoses=_read_diagnoses("diagnoses", record.get("diagnoses"), limits),
        claim_lines=_read_claim_lines("claim_lines", record.get("claim_lines"), limits),
        plan_of_care=_read_plan_of_care("plan_of_care", record.get("plan_of_care"), limits),
        ytd_pt_slp_allowed=_read_number("ytd_pt_slp_allowed", record.get("ytd_pt_slp_allowed"), limits),
        extra=extra,
        origin=origin,
    )


def _read_text(value: object, limits: Limits) -> str:
    if _is_blank(value):
        raise NoteError("empty-text", "the note is empty", field="text")
    if not isinstance(value, str):
        raise _wrong_type("text", "text", value)
    if len(value) > limits.max_note_chars:
        raise NoteError(
            "note-too-long",
            f"the note has {len(value):,} characters; the limit is {limits.max_note_chars:,}",
            field="text",
        )
    check_is_text(value, field="text")
    return value


def _read_name(field: str, value: object, limits: Limits) -> str | None:
    """Return an identifier or short name; workbooks hold record numbers and codes as numbers."""
    if _is_blank(value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise _wrong_type(field, "text", value)
    name = str(value).strip()
    if len(name) > limits.max_note_chars:
        raise NoteError("wrong-type", f"expected a short text, found {len(name):,} characters", field=field)
    check_is_text(name, field=field)
    return name


def _read_date(field: str, value: object, limits: Limits) -> date | None:
    """Return a date: ISO, with or without a time, or MM/DD/YYYY as exports in the United States write it."""
    if _is_blank(value):
        return None
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, str):
        value = _parse_date(field, value.strip())
    if not isinstance(value, date):
        raise _wrong_type(field, "a date", value)
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
    "ytd_pt_slp_allowed": (0, 10_000_000),
}
_MONEY = ("charge", "ytd_pt_slp_allowed")


def _read_number(field: str, value: object, limits: Limits, *, kind: str | None = None) -> float | None:
    """Return a number within the range of its kind, which is the field's name where it is not given."""
    if _is_blank(value):
        return None
    kind = kind or field
    if isinstance(value, str):
        written = value.strip()
        if kind in _MONEY:
            written = written.removeprefix("$").replace(",", "")
        if "_" in written or not written.isascii():
            raise _wrong_type(field, "a number", value)
        try:
            number = float(written)
        except ValueError:
            raise _wrong_type(field, "a number", value) from None  # the cause quotes the text
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError as error:
            raise NoteError("out-of-range", "the number is out of range", field=field) from error
    else:
        raise _wrong_type(field, "a number", value)
    return _in_range(field, number, kind)


def _in_range(field: str, number: float, kind: str) -> float:
    low, high = _RANGES[kind]
    if not low <= number <= high:
        raise NoteError("out-of-range", f"expected {low:,} to {high:,}, found {number:g}", field=field)
    return number


def _read_integer(field: str, value: object, limits: Limits, *, kind: str | None = None) -> int | None:
    number = _read_number(field, value, limits, kind=kind)
    if number is None:
        return None
    if not number.is_integer():
        raise NoteError("wrong-type", f"expected a whole number, found {number:g}", field=field)
    return int(number)


def _read_diagnoses(field: str, value: object, limits: Limits) -> tuple[str, ...]:
    """Return a list of diagnoses: a list, a JSON list, or words between ``;`` or ``|``; codes also between commas."""
    value = _parse_cell(field, value, limits)
    if isinstance(value, str):
        value = re.split(r"[;|]", value.replace(",", ";") if _ICD_LIST.fullmatch(value.strip()) else value)
    return _read_names(field, value, limits)


def _read_names(field: str, value: object, limits: Limits) -> tuple[str, ...]:
    if _is_blank(value):
        return ()
    if not isinstance(value, list | tuple):
        raise _wrong_type(field, "a list of texts", value)
    names = (_read_name(field, member, limits) for member in value)
    return tuple(name for name in names if name is not None)


def _read_claim_lines(field: str, value: object, limits: Limits) -> tuple[ClaimLine, ...]:
    value = _parse_cell(field, value, limits)
    if _is_blank(value):
        return ()
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list | tuple):
        raise _wrong_type(field, "a list of claim lines", value)
    return tuple(_read_claim_line(f"{field}[{index}]", line, limits) for index, line in enumerate(value))


def _read_claim_line(field: str, value: object, limits: Limits) -> ClaimLine:
    if not isinstance(value, Mapping):
        raise _wrong_type(field, "an object with `code`", value)
    code = _read_name(f"{field}.code", value.get("code"), limits)
    if code is None:
        raise NoteError("missing-field", "a claim line has no `code`", field=f"{field}.code")
    modifiers = value.get("modifiers")
    if isinstance(modifiers, str):
        modifiers = re.split(r"[\s,;|]+", modifiers)
    return ClaimLine(
        code=code,
        units=_read_integer(f"{field}.units", value.get("units"), limits, kind="units"),
        modifiers=_read_names(f"{field}.modifiers", modifiers, limits),
        minutes=_read_integer(f"{field}.minutes", value.get("minutes"), limits, kind="minutes"),
        charge=_read_number(f"{field}.charge", value.get("charge"), limits, kind="charge"),
    )


def _read_plan_of_care(field: str, value: object, limits: Limits) -> PlanOfCare | None:
    value = _parse_cell(field, value, limits)
    if _is_blank(value):
        return None
    if not isinstance(value, Mapping):
        raise _wrong_type(field, "an object with `start`, `certified_through` and `goals`", value)
    goals = value.get("goals")
    return PlanOfCare(
        start=_read_date(f"{field}.start", value.get("start"), limits),
        certified_through=_read_date(f"{field}.certified_through", value.get("certified_through"), limits),
        goals=_read_names(f"{field}.goals", [goals] if isinstance(goals, str) else goals, limits),
    )


def _parse_cell(field: str, value: object, limits: Limits) -> object:
    """Return what a cell of a table holds as JSON, and any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        return parse_json(value, max_nesting=limits.max_nesting, field=field)
    return value


def _is_blank(value: object) -> bool:
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


def _wrong_type(field: str, expected: str, value: object) -> NoteError:
    """Return an error that names the type that was found, never the value: it may be note text in a wrong column."""
    found = next((name for types, name in _TYPE_NAMES if isinstance(value, types)), type(value).__name__)
    return NoteError("wrong-type", f"expected {expected}, found {found}", field=field)
