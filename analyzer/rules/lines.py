"""Claim lines as the billing rules see them: with their procedure, whose they are, and what a record lacks.

A rule of the family BIL says nothing of lines that it lacks a field or a figure for; its ``needs`` is made of the
functions here that say what is lacking.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from analyzer.rules.rule import NO_CODES, NO_DATE, NO_LINES, Complaint, Example, billed_codes, example, whole_note
from analyzer.types import ClaimForm, ClaimLine, CodeTables, Procedure, Reading, Scope, Therapy

THIS_DISCIPLINE = "GN"
NO_UNITS = "A claim line has no units."


class CodedLine(NamedTuple):
    """A claim line with its position and its procedure; None for a code that is not in the tables."""

    at: int
    line: ClaimLine
    code: str
    procedure: Procedure | None

    @property
    def modifiers(self) -> frozenset[str]:
        """Its modifiers, upper case."""
        return frozenset(modifier.strip().upper() for modifier in self.line.modifiers)


def coded_lines(reading: Reading) -> list[CodedLine]:
    """Return the claim lines of a note with their procedures."""
    procedures: Mapping[str, Procedure] = reading.policy.tables.procedures if reading.policy else {}
    found = []
    for index, line in enumerate(reading.note.claim_lines):
        code = line.code.strip().upper()
        found.append(CodedLine(index, line, code, procedures.get(code)))
    return found


def is_ours(item: CodedLine, reading: Reading, tables: CodeTables) -> bool:
    """Whether a line is the speech-language pathologist's, and not that of another discipline on the same day."""
    others = tables.modifiers["discipline"] - {THIS_DISCIPLINE}
    if THIS_DISCIPLINE in item.modifiers or not item.modifiers & others:
        return True
    is_own_code = item.procedure is not None and item.procedure.scope is Scope.OWN
    return is_own_code or is_by_author(item, reading)


def is_by_author(item: CodedLine, reading: Reading) -> bool:
    """Whether the claim says that the note's author gave the service."""
    author = reading.note.clinician_id
    return author is not None and item.line.clinician_id == author


def our_lines(reading: Reading) -> list[CodedLine]:
    """Return the lines of the note's own discipline; none where there is no policy."""
    if reading.policy is None:
        return []
    tables = reading.policy.tables
    return [item for item in coded_lines(reading) if is_ours(item, reading, tables)]


def by_code(lines: Iterable[CodedLine]) -> dict[str, list[CodedLine]]:
    """Return lines by their code."""
    found: dict[str, list[CodedLine]] = defaultdict(list)
    for item in lines:
        found[item.code].append(item)
    return found


def sum_units(lines: Iterable[CodedLine]) -> int:
    """Add up units; a line without them adds none."""
    return sum(item.line.units or 0 for item in lines)


def _indexes(lines: Iterable[CodedLine]) -> tuple[int, ...]:
    return tuple(sorted({item.at for item in lines}))


def codes_of(lines: Iterable[CodedLine]) -> str:
    """Return the codes of some lines as words."""
    return " and ".join(sorted({item.code for item in lines}))


def complain(reading: Reading, lines: Iterable[CodedLine], message: str, fix: str) -> Complaint:
    """Make a complaint about some lines of a claim, which the words of the note do not show."""
    return Complaint(*whole_note(reading), message=message, fix=fix, lines=_indexes(lines))


def is_therapy(item: CodedLine) -> bool:
    """Whether Medicare takes the line for outpatient therapy of this discipline."""
    therapy = item.procedure.therapy if item.procedure else Therapy.UNKNOWN
    return therapy is Therapy.ALWAYS or (therapy is Therapy.SOMETIMES and THIS_DISCIPLINE in item.modifiers)


def place_of(item: CodedLine, reading: Reading) -> str:
    """Return the place of service of a line, or of the note, as two digits."""
    written = (item.line.place_of_service or reading.note.place_of_service or "").strip()
    return written.zfill(2) if written.isascii() and written.isdigit() else ""


# What a rule lacks in a reading


def lack_of_lines(reading: Reading) -> str | None:
    """Return why there are no claim lines; None where there are."""
    return None if reading.note.claim_lines else NO_LINES


def lack_of_codes(reading: Reading) -> str | None:
    """Return why there are no codes; None where there are."""
    return None if billed_codes(reading) else NO_CODES


def gap_in(reading: Reading, table: str) -> str | None:
    """Return why a table does not speak for the date of service; None where it does."""
    return reading.policy.tables.gaps.get(table) if reading.policy else None


def _lack_of_meaning(reading: Reading, codes: Iterable[str]) -> str | None:
    """Return why some codes mean nothing to us on the date of service; a deleted one is another rule's matter."""
    if reading.policy is None:
        return None
    tables = reading.policy.tables
    unknown = sorted(code for code in set(codes) if code not in tables.procedures and not is_deleted(reading, code))
    if not unknown:
        return None
    return tables.gaps.get("procedures") or f"The table of procedures does not hold {', '.join(unknown)}."


def is_deleted(reading: Reading, code: str) -> bool:
    """Whether a code was valid once and is not on the date of service."""
    on = reading.note.date_of_service
    deletion = reading.policy.tables.deletions.get(code) if reading.policy else None
    return deletion is not None and on is not None and on > deletion.last_day


def lack_of_procedures(reading: Reading) -> str | None:
    """Return why claim lines cannot be read: there are none, there is no date, or a code is not known."""
    return lack_of_lines(reading) or _lack_of_meaning(reading, (item.code for item in our_lines(reading)))


def lack_of_known_codes(reading: Reading) -> str | None:
    """Return why codes cannot be read, with or without claim lines."""
    return lack_of_codes(reading) or _lack_of_meaning(reading, billed_codes(reading))


def lack_of_units(reading: Reading) -> str | None:
    """Return why units cannot be read."""
    lack = lack_of_procedures(reading)
    return lack or (NO_UNITS if any(item.line.units is None for item in our_lines(reading)) else None)


def lack_of_date(reading: Reading) -> str | None:
    """Return that there is no date of service; None where there is."""
    return NO_DATE if reading.note.date_of_service is None else None


# How examples are written

_UNMARKED = "Aphasia treatment with semantic feature analysis."


def firing(*lines: ClaimLine, on: date | None = date(2026, 5, 4), **fields: object) -> Example:
    """Make a claim that a rule complains of, in Medicare's year 2026 where nothing else is said."""
    return example(f"[[{_UNMARKED}]]", date_of_service=on, claim_lines=lines, **fields)


def near_miss(*lines: ClaimLine, on: date | None = date(2026, 5, 4), **fields: object) -> Example:
    """Make a claim that a rule does not complain of."""
    return example(_UNMARKED, date_of_service=on, claim_lines=lines, **fields)


def line_of(
    code: str,
    units: int | None = 1,
    *modifiers: str,
    minutes: int | None = None,
    charge: float | None = None,
    allowed: float | None = None,
    clinician: str | None = None,
    place: str | None = None,
    form: ClaimForm | None = None,
) -> ClaimLine:
    """Make a claim line."""
    return ClaimLine(
        code,
        units,
        modifiers,
        minutes=minutes,
        charge=charge,
        allowed=allowed,
        clinician_id=clinician,
        place_of_service=place,
        form=form,
    )
