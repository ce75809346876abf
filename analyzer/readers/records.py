"""Named raw values, from whatever file they come, to a note: column names, types and ranges of the input record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from math import isfinite
from typing import Protocol, TypeVar

from analyzer.errors import NoteError
from analyzer.readers.encoding import check_is_text
from analyzer.readers.limits import Limits
from analyzer.readers.values import (
    is_blank,
    parse_cell,
    read_date,
    read_diagnoses,
    read_flag,
    read_integer,
    read_modifiers,
    read_name,
    read_names,
    read_number,
    wrong_type,
)
from analyzer.types import ClaimForm, ClaimLine, Failure, Note, Origin, PlanOfCare

Row = TypeVar("Row", covariant=True)

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
    "treatment_days_since_report": (),
}


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
        self.columns = NOTE_COLUMNS
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
            fields = self._matches[key] = self.columns.match(key)
        record = {field: value for field, value in zip(fields, values, strict=True) if field is not None}
        extra = tuple(
            (name, to_plain(value)) for name, field, value in zip(names, fields, values, strict=True) if field is None
        )
        origin = self.source.origin(row)
        record_id = self.source.record_id(row if place is None else place)
        try:
            record_id = read_name("id", record.get("id"), self.limits) or record_id
            return _to_note(record, record_id, extra, origin, self.limits)
        except NoteError as error:
            return Failure(error.code, error.message, record_id, error.field, origin, extra)


class Columns:
    """The columns of a kind of record: the fields that they hold, their other names, and those that must be there.

    Parameters
    ----------
    aliases : mapping of str to tuple of str
        For each field its other names, best first.
    required : tuple of str
        Fields without which a table is no table of such records.
    """

    def __init__(self, aliases: Mapping[str, tuple[str, ...]], required: tuple[str, ...]) -> None:
        self._aliases = aliases
        self._required = required
        self._fields = {
            _simplify(name): (field, rank)
            for field, names in aliases.items()
            for rank, name in enumerate((field, *names))
        }

    def match(self, names: Sequence[str]) -> tuple[str | None, ...]:
        """Return the field that each column holds, None for an unknown column.

        Examples
        --------
        >>> NOTE_COLUMNS.match(["Note ID", "noteText", "DOS", "Room"])
        ('id', 'text', 'date_of_service', None)
        """
        best: dict[str, tuple[int, int]] = {}
        for index, name in enumerate(names):
            found = self._fields.get(_simplify(name))
            if found is not None and (found[0] not in best or found[1] < best[found[0]][0]):
                best[found[0]] = (found[1], index)
        by_index = {index: field for field, (_, index) in best.items()}
        return tuple(by_index.get(index) for index in range(len(names)))

    def are_in(self, names: Sequence[str]) -> bool:
        """Whether the columns hold every required field."""
        return set(self._required) <= set(self.match(names))

    def missing(self, names: Sequence[str] = ()) -> NoteError:
        """Return the error for a table, or a record, without one of the required fields."""
        held = self.match(names)
        field = next((field for field in self._required if field not in held), self._required[0])
        others = ", ".join(self._aliases[field])
        return NoteError("missing-field", f"there is no `{field}`, nor any of its other names ({others})", field=field)


class RowReader(Protocol[Row]):
    """Makes a record of each row of a table."""

    columns: Columns

    def read(self, names: Sequence[str], values: Sequence[object], row: int | None) -> Row | Failure:
        """Return the record of a row, or why there is none."""


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


NOTE_COLUMNS = Columns(ALIASES, ("text",))


def _to_note(
    record: Mapping[str, object], record_id: str, extra: tuple[tuple[str, object], ...], origin: Origin, limits: Limits
) -> Note:
    if "text" not in record:
        raise NOTE_COLUMNS.missing()
    text = _read_text(record["text"], limits)
    return Note(
        text=text,
        id=record_id,
        patient_id=read_name("patient_id", record.get("patient_id"), limits),
        clinician_id=read_name("clinician_id", record.get("clinician_id"), limits),
        credential=read_name("credential", record.get("credential"), limits),
        payer=read_name("payer", record.get("payer"), limits),
        date_of_service=read_date("date_of_service", record.get("date_of_service"), limits),
        setting=read_name("setting", record.get("setting"), limits),
        age_years=read_number("age_years", record.get("age_years"), limits),
        cpt=read_name("cpt", record.get("cpt"), limits),
        minutes=read_integer("minutes", record.get("minutes"), limits),
        place_of_service=read_name("place_of_service", record.get("place_of_service"), limits),
        diagnoses=read_diagnoses("diagnoses", record.get("diagnoses"), limits),
        claim_lines=_read_claim_lines("claim_lines", record.get("claim_lines"), limits),
        plan_of_care=_read_plan_of_care("plan_of_care", record.get("plan_of_care"), limits),
        ytd_pt_slp_allowed=read_number("ytd_pt_slp_allowed", record.get("ytd_pt_slp_allowed"), limits),
        treatment_days_since_report=read_integer(
            "treatment_days_since_report", record.get("treatment_days_since_report"), limits
        ),
        extra=extra,
        origin=origin,
    )


def _read_text(value: object, limits: Limits) -> str:
    if is_blank(value):
        raise NoteError("empty-text", "the note is empty", field="text")
    if not isinstance(value, str):
        raise wrong_type("text", "text", value)
    if len(value) > limits.max_note_chars:
        raise NoteError(
            "note-too-long",
            f"the note has {len(value):,} characters; the limit is {limits.max_note_chars:,}",
            field="text",
        )
    check_is_text(value, field="text")
    return value


def _read_claim_lines(field: str, value: object, limits: Limits) -> tuple[ClaimLine, ...]:
    value = parse_cell(field, value, limits)
    if is_blank(value):
        return ()
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list | tuple):
        raise wrong_type(field, "a list of claim lines", value)
    return tuple(_read_claim_line(f"{field}[{index}]", line, limits) for index, line in enumerate(value))


def _read_claim_line(field: str, value: object, limits: Limits) -> ClaimLine:
    if not isinstance(value, Mapping):
        raise wrong_type(field, "an object with `code`", value)
    code = read_name(f"{field}.code", value.get("code"), limits)
    if code is None:
        raise NoteError("missing-field", "a claim line has no `code`", field=f"{field}.code")
    return ClaimLine(
        code=code,
        units=read_integer(f"{field}.units", value.get("units"), limits, kind="units"),
        modifiers=read_modifiers(f"{field}.modifiers", value.get("modifiers"), limits),
        minutes=read_integer(f"{field}.minutes", value.get("minutes"), limits, kind="minutes"),
        charge=read_number(f"{field}.charge", value.get("charge"), limits, kind="charge"),
        allowed=read_number(f"{field}.allowed", value.get("allowed"), limits, kind="allowed"),
        claim_id=read_name(f"{field}.claim_id", value.get("claim_id"), limits),
        clinician_id=read_name(f"{field}.clinician_id", value.get("clinician_id"), limits),
        date_of_service=read_date(f"{field}.date_of_service", value.get("date_of_service"), limits),
        place_of_service=read_name(f"{field}.place_of_service", value.get("place_of_service"), limits),
        diagnoses=read_diagnoses(f"{field}.diagnoses", value.get("diagnoses"), limits),
        form=read_form(f"{field}.form", value.get("form"), limits),
    )


def read_form(field: str, value: object, limits: Limits) -> ClaimForm | None:
    """Return what a claim was written on, by any of the names of the form or its transaction."""
    name = read_name(field, value, limits)
    if name is None:
        return None
    form = _FORMS.get(_simplify(name))
    if form is None:
        raise NoteError("unknown-form", "expected `professional` or `institutional`", field=field)
    return form


# Paper forms and transactions: CMS-1500 and 837P, UB-04 (CMS-1450) and 837I.
_FORMS = {
    "professional": ClaimForm.PROFESSIONAL,
    "p": ClaimForm.PROFESSIONAL,
    "837p": ClaimForm.PROFESSIONAL,
    "cms1500": ClaimForm.PROFESSIONAL,
    "hcfa1500": ClaimForm.PROFESSIONAL,
    "1500": ClaimForm.PROFESSIONAL,
    "institutional": ClaimForm.INSTITUTIONAL,
    "i": ClaimForm.INSTITUTIONAL,
    "837i": ClaimForm.INSTITUTIONAL,
    "ub04": ClaimForm.INSTITUTIONAL,
    "cms1450": ClaimForm.INSTITUTIONAL,
}


def _read_plan_of_care(field: str, value: object, limits: Limits) -> PlanOfCare | None:
    value = parse_cell(field, value, limits)
    if is_blank(value):
        return None
    if not isinstance(value, Mapping):
        raise wrong_type(field, "an object with `start`, `certified_through` and `goals`", value)
    goals = value.get("goals")
    return PlanOfCare(
        start=read_date(f"{field}.start", value.get("start"), limits),
        certified_through=read_date(f"{field}.certified_through", value.get("certified_through"), limits),
        goals=read_names(f"{field}.goals", [goals] if isinstance(goals, str) else goals, limits),
        is_certified=read_flag(f"{field}.is_certified", value.get("is_certified"), limits),
        has_signed_order=read_flag(f"{field}.has_signed_order", value.get("has_signed_order"), limits),
        sent_on=read_date(f"{field}.sent_on", value.get("sent_on"), limits),
    )
