"""The billing tables, row by row with the dates of service that each is valid for."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from analyzer import lexicon
from analyzer.errors import AnalyzerError, ConfigError, LexiconError
from analyzer.rules.rule import NO_DATE
from analyzer.types import CodePair, CodeTables, DailyLimit, Deletion, Procedure, Scope, Service, Therapy, UnitBasis

_FOLDER = "billing"
_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: what it is about, what it says, and from when to when."""

    key: Hashable
    value: Any
    first: date
    last: date | None

    def holds(self, on: date) -> bool:
        """Whether it is valid on a date of service."""
        return self.first <= on and (self.last is None or on <= self.last)


class _Fields:
    """The fields of one row as written, read with errors that name file, line and column."""

    def __init__(self, name: str, line: int, fields: Mapping[str, str], error: type[AnalyzerError]) -> None:
        self._name, self._line, self._fields, self._error = name, line, fields, error

    def fail(self, message: str) -> AnalyzerError:
        return self._error(f"{self._name}, line {self._line}: {message}")

    def text(self, column: str, *, blank: bool = False) -> str:
        if not self._fields[column] and not blank:
            raise self.fail(f"empty {column}")
        return self._fields[column]

    def choice(self, column: str, kind: type[_Choice]) -> _Choice:
        try:
            return kind(self._fields[column])
        except ValueError as error:
            raise self._unknown(column, [str(member) for member in kind]) from error

    def flag(self, column: str, *, yes: str = "yes", no: str = "no") -> bool:
        if self._fields[column] not in (yes, no):
            raise self._unknown(column, [no, yes])
        return self._fields[column] == yes

    def count(self, column: str) -> int | None:
        written = self._fields[column]
        if written and not (written.isascii() and written.isdigit()):
            raise self.fail(f"{column} is not a whole number")
        return int(written) if written else None

    def needed_count(self, column: str) -> int:
        number = self.count(column)
        if number is None:
            raise self.fail(f"empty {column}")
        return number

    def amount(self, column: str) -> float:
        try:
            return float(self._fields[column])
        except ValueError as error:
            raise self.fail(f"{column} is not a number") from error

    def day(self, column: str, *, blank: bool = False) -> date | None:
        written = self.text(column, blank=blank)
        try:
            return date.fromisoformat(written) if written else None
        except ValueError as error:
            raise self.fail(f"{column} is not a date as YYYY-MM-DD") from error

    def _unknown(self, column: str, allowed: Sequence[str]) -> AnalyzerError:
        found = self._fields[column]
        return self.fail(f"unknown {column} {found!r}; expected one of {', '.join(sorted(allowed))}")


_Parsed = tuple[Hashable, Any]


def _procedure(row: _Fields) -> _Parsed:
    basis = row.choice("basis", UnitBasis)
    unit_minutes, first_from = row.count("unit_minutes"), row.count("first_from")
    if (basis in (UnitBasis.QUARTER, UnitBasis.BLOCK)) and not (unit_minutes and first_from):
        raise row.fail("a timed code needs unit_minutes and first_from")
    return row.text("code"), Procedure(
        code=row.text("code"),
        label=row.text("label"),
        service=row.choice("service", Service),
        basis=basis,
        unit_minutes=unit_minutes,
        first_from=first_from,
        repeats=row.flag("repeats"),
        therapy=row.choice("therapy", Therapy),
        scope=row.choice("scope", Scope),
        area=row.text("area", blank=True),
        takes_gn_only=row.flag("gn_only"),
        medicare_status=row.text("medicare_status", blank=True),
        is_facility_barred=row.flag("facility_barred"),
    )


def _deletion(row: _Fields) -> _Parsed:
    last_day = row.day("last_day")
    assert last_day is not None
    return row.text("code"), Deletion(row.text("code"), last_day, row.text("reason"))


def _daily_limit(row: _Fields) -> _Parsed:
    return row.text("code"), DailyLimit(row.needed_count("units"), row.flag("mai", yes="2", no="3"))


def _pair(row: _Fields) -> _Parsed:
    first, second = row.text("first"), row.text("second")
    allowed, in_hospital = row.flag("indicator", yes="1", no="0"), row.flag("hospital_indicator", yes="1", no="0")
    return frozenset((first, second)), CodePair(first, second, allowed, in_hospital)


def _two_codes(row: _Fields) -> _Parsed:
    return frozenset((row.text("first"), row.text("second"))), None


def _add_on(row: _Fields) -> _Parsed:
    return (row.text("add_on"), row.text("primary")), None


def _modifier(row: _Fields) -> _Parsed:
    return (row.text("group"), row.text("modifier")), row.text("label")


def _place(row: _Fields) -> _Parsed:
    return (row.text("group"), row.text("place")), row.text("label")


def _telehealth_code(row: _Fields) -> _Parsed:
    return row.text("code"), None


def _threshold(row: _Fields) -> _Parsed:
    return row.text("threshold"), row.amount("amount")


@dataclass(frozen=True, slots=True)
class Form:
    """What a table looks like: its files, its columns before the dates and the source, and how a row is read."""

    files: tuple[str, ...]
    columns: tuple[str, ...]
    parse: Callable[[_Fields], _Parsed]
    is_dated: bool = True

    @property
    def all_columns(self) -> tuple[str, ...]:
        """The columns as they stand in the file."""
        return (*self.columns, *(("from", "to") if self.is_dated else ()), "source")


_PROCEDURE_COLUMNS = (
    "code",
    "label",
    "service",
    "basis",
    "unit_minutes",
    "first_from",
    "repeats",
    "therapy",
    "area",
    "scope",
    "gn_only",
    "medicare_status",
    "facility_barred",
)
FORMS: Mapping[str, Form] = {
    "procedures": Form(("procedures.csv", "procedures_2027.csv"), _PROCEDURE_COLUMNS, _procedure),
    "deletions": Form(("deletions.csv",), ("code", "last_day", "reason"), _deletion, is_dated=False),
    "daily_limits": Form(("daily_limits.csv",), ("code", "units", "mai"), _daily_limit),
    "pairs": Form(("pairs.csv",), ("first", "second", "indicator", "hospital_indicator"), _pair),
    "same_clinician": Form(("same_clinician.csv",), ("first", "second"), _two_codes),
    "add_ons": Form(("add_ons.csv",), ("add_on", "primary"), _add_on),
    "modifiers": Form(("modifiers.csv",), ("group", "modifier", "label"), _modifier),
    "places": Form(("places.csv",), ("group", "place", "label"), _place),
    "telehealth_codes": Form(("telehealth_codes.csv",), ("code",), _telehealth_code),
    "thresholds": Form(("thresholds.csv",), ("threshold", "amount"), _threshold),
}
"""Every table, by the name that a clinic's settings call it."""

_EVER = date.min


def _rows(
    form: Form, name: str, numbered: Iterable[tuple[int, Mapping[str, str]]], error: type[AnalyzerError]
) -> Iterator[tuple[int, Row]]:
    for line, written in numbered:
        fields = _Fields(name, line, written, error)
        fields.text("source")
        key, value = form.parse(fields)
        first = (fields.day("from") if form.is_dated else None) or _EVER
        last = fields.day("to", blank=True) if form.is_dated else None
        if last is not None and last < first:
            raise fields.fail("to lies before from")
        yield line, Row(key, value, first, last)


def _checked(rows: Iterable[tuple[int, Row]], name: str, error: type[AnalyzerError]) -> tuple[Row, ...]:
    """Return the rows, of which no two say different things of one date."""
    by_key: dict[Hashable, list[Row]] = defaultdict(list)
    found: list[Row] = []
    for line, row in rows:
        for other in by_key[row.key]:
            if row.first <= (other.last or date.max) and other.first <= (row.last or date.max):
                raise error(f"{name}, line {line}: duplicate row for the same dates")
        by_key[row.key].append(row)
        found.append(row)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Release:
    """For which dates of service a table speaks; ``after`` says what is not known later."""

    title: str
    first: date
    last: date
    after: str

    def gap(self, on: date | None) -> str | None:
        """Return why the table does not speak for a date; None where it does."""
        if on is None:
            return NO_DATE
        if on < self.first:
            return f"The {self.title} does not reach back before {self.first}."
        return f"The {self.title} ends on {self.last}. {self.after}" if on > self.last else None


@dataclass(frozen=True, slots=True)
class ClinicTable:
    """A table of the clinic's own, valid beside ours or instead of our rows, between two dates of service."""

    table: str
    first: date
    last: date
    rows: tuple[Row, ...]


def read_clinic_table(table: str, text: str, name: str, first: date, last: date) -> ClinicTable:
    """Read a table that a clinic's settings name.

    Raises
    ------
    ConfigError
        When a row is not what it should be; the message names file and line.
    """
    form = FORMS[table]
    try:
        numbered = list(lexicon.table_rows(text, name, form.all_columns))
    except LexiconError as error:
        raise ConfigError(str(error)) from error
    return ClinicTable(table, first, last, _checked(_rows(form, name, numbered, ConfigError), name, ConfigError))


@cache
def shipped_rows() -> Mapping[str, tuple[Row, ...]]:
    """Return every row of the tables that ship with Cuewise, by table."""
    found: dict[str, tuple[Row, ...]] = {}
    for table, form in FORMS.items():
        rows: list[tuple[int, Row]] = []
        for file in form.files:
            path = f"{_FOLDER}/{file}"
            rows += _rows(form, f"lexicons/{path}", lexicon.rows(path, form.all_columns), LexiconError)
        found[table] = _checked(rows, f"lexicons/{_FOLDER}/{form.files[0]}", LexiconError)
    return found


@cache
def releases() -> Mapping[str, Release]:
    """Return for which dates of service each table speaks."""
    settings = lexicon.settings_of(f"{_FOLDER}/releases.toml")
    return {
        table: Release(values["title"], values["from"], values["to"], values["after"])
        for table, values in settings.items()
    }


class Tables:
    """All tables, cut to a date of service on demand.

    Parameters
    ----------
    clinic : sequence of ClinicTable
        Rows of a clinic's own; where they speak of what ours speak of too, theirs count.
    """

    def __init__(self, clinic: Sequence[ClinicTable] = ()) -> None:
        self._rows = {
            table: (*rows, *(row for own in clinic if own.table == table for row in own.rows))
            for table, rows in shipped_rows().items()
        }
        self._clinic = tuple((own.table, own.first, own.last) for own in clinic)
        days = {day for rows in self._rows.values() for row in rows for day in (row.first, _after(row.last)) if day}
        days |= {day for r in releases().values() for day in (r.first, _after(r.last)) if day}
        days |= {day for _, first, last in self._clinic for day in (first, _after(last)) if day}
        self._starts = sorted(days)
        self._cut: dict[int | None, CodeTables] = {}

    def period(self, on: date | None) -> int | None:
        """Return a number for the stretch of days, with a date in it, on which the same rows are valid."""
        return None if on is None else bisect_right(self._starts, on)

    def at(self, on: date | None) -> CodeTables:
        """Return the tables as they are valid on a date of service."""
        period = self.period(on)
        if period not in self._cut:
            self._cut[period] = self._tables(on)
        return self._cut[period]

    def threshold(self, name: str, on: date | None) -> float | None:
        """Return a threshold in US dollars; None where none is known for the date."""
        return next((row.value for row in self._valid("thresholds", on) if row.key == name), None)

    def _valid(self, table: str, on: date | None) -> list[Row]:
        return [] if on is None else [row for row in self._rows[table] if row.holds(on)]

    def _values(self, table: str, on: date | None) -> dict[Any, Any]:
        return {row.key: row.value for row in self._valid(table, on)}

    def _groups(self, table: str, on: date | None) -> dict[str, frozenset[str]]:
        rows = self._rows[table] if on is None else self._valid(table, on)
        return _grouped(row.key for row in rows)

    def _tables(self, on: date | None) -> CodeTables:
        return CodeTables(
            procedures=self._values("procedures", on),
            deletions={row.value.code: row.value for row in self._rows["deletions"]},
            daily_limits=self._values("daily_limits", on),
            add_ons=_grouped(row.key for row in self._valid("add_ons", on)),
            pairs=self._values("pairs", on),
            never_together=frozenset(self._values("same_clinician", on)),
            modifiers=self._groups("modifiers", on),
            places=self._groups("places", on),
            telehealth_codes=frozenset(self._values("telehealth_codes", on)),
            gaps={table: gap for table in releases() if (gap := self._gap(table, on))},
        )

    def _gap(self, table: str, on: date | None) -> str | None:
        if on is not None and any(own == table and first <= on <= last for own, first, last in self._clinic):
            return None
        return releases()[table].gap(on)


def _after(day: date | None) -> date | None:
    return None if day is None or day == date.max else day + timedelta(days=1)


def _grouped(pairs: Iterable[Any]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for group, member in pairs:
        found[group].add(member)
    return {group: frozenset(members) for group, members in found.items()}
