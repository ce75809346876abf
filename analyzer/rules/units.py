"""BIL: units of timed codes against the minutes that make them, and against the most units a day."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from analyzer.rules.lines import (
    CodedLine,
    by_code,
    codes_of,
    complain,
    firing,
    gap_in,
    lack_of_lines,
    lack_of_units,
    line_of,
    near_miss,
    our_lines,
    sum_units,
)
from analyzer.rules.rule import Complaint, Example, Rule, example
from analyzer.types import ClaimLine, Level, Policy, Procedure, Reading, Status, TimedUnits, UnitBasis

_QUARTER_MINUTES, _FIRST_QUARTER_FROM = 15, 8  # cms-mcpm-5-20.2
_NO_MINUTES = "A timed claim line has no minutes."


def _count(units: int) -> str:
    return "1 unit" if units == 1 else f"{units} units"


MinutesOf = Callable[[Sequence[CodedLine], Reading], int | None]


class _Family(NamedTuple):
    """Lines whose minutes are counted together, the minutes, and the units they make."""

    lines: tuple[CodedLine, ...]
    minutes: int
    billed: int
    expected: int


def units_of(procedure: Procedure, minutes: int) -> int:
    """Return the units that some minutes make of a timed code, an add-on's after those of its primary.

    Examples
    --------
    >>> from analyzer.types import Scope, Service, Therapy
    >>> basis, therapy = UnitBasis.QUARTER, Therapy.SOMETIMES
    >>> further = Procedure("97130", "", Service.TREATMENT, basis, 15, 23, True, therapy, Scope.SHARED)
    >>> [units_of(further, minutes) for minutes in (22, 23, 37, 38)]
    [0, 1, 1, 2]
    """
    if procedure.first_from is None or procedure.unit_minutes is None or minutes < procedure.first_from:
        return 0
    return 1 + (minutes - procedure.first_from) // procedure.unit_minutes if procedure.repeats else 1


def quarter_units(minutes: int) -> int:
    """Return the units of all 15-minute codes of a day together.

    Examples
    --------
    >>> [quarter_units(minutes) for minutes in (7, 8, 22, 23, 97)]
    [0, 1, 1, 2, 6]
    """
    return 0 if minutes < _FIRST_QUARTER_FROM else 1 + (minutes - _FIRST_QUARTER_FROM) // _QUARTER_MINUTES


def _recorded_minutes(lines: Sequence[CodedLine], reading: Reading) -> int | None:
    """Return the minutes of some lines by their record; those of the note where they are all that was done."""
    minutes = [item.line.minutes for item in lines]
    known = [value for value in minutes if value is not None]
    if len(known) == len(lines):
        return sum(known)
    is_session = all(item.procedure and item.procedure.basis is not UnitBasis.PERIOD for item in lines)
    return reading.note.minutes if is_session and len(lines) == len(our_lines(reading)) else None


def _written_minutes(lines: Sequence[CodedLine], reading: Reading) -> int | None:
    """Return the minutes of some lines by the words of the note, where their record has none."""
    if _recorded_minutes(lines, reading) is not None:
        return None
    facts = reading.facts
    written = [minutes for code in by_code(lines) if (minutes := facts.minutes_of_code(code)) is not None]
    if len(written) == len(by_code(lines)):
        return sum(written)
    areas = {item.procedure.area for item in lines if item.procedure and item.procedure.area}
    by_area = dict(facts.minutes_by_area)
    if areas and areas <= by_area.keys():
        return sum(by_area[area] for area in areas)
    return facts.timed_minutes if len(lines) == len(_timed(reading)) else None


def _timed(reading: Reading) -> list[CodedLine]:
    """Return the lines of codes that count minutes."""
    return [item for item in our_lines(reading) if item.procedure and item.procedure.unit_minutes is not None]


def _grouped(reading: Reading) -> list[tuple[str, list[CodedLine]]]:
    """Return the lines whose minutes are counted together, with the code that opens them, "" for all 15-minute codes.

    15-minute codes are one group where the payer counts them together; else a code and its add-on codes are one.
    """
    policy, groups = reading.policy, defaultdict[str, list[CodedLine]](list)
    if policy is None:
        return []
    for item in _timed(reading):
        is_quarter = item.procedure is not None and item.procedure.basis is UnitBasis.QUARTER
        is_shared = policy.timed_units is TimedUnits.TOGETHER and is_quarter
        groups["" if is_shared else _opener(item.code, policy)].append(item)
    return sorted(groups.items())


def _families(reading: Reading, minutes_of: MinutesOf) -> Iterator[_Family]:
    """Yield the groups of lines whose units can be checked: every line has units, and the minutes are known."""
    for opener, lines in _grouped(reading):
        minutes = minutes_of(lines, reading)
        if minutes is not None and reading.policy is not None and all(item.line.units is not None for item in lines):
            expected = _expected(opener, minutes, reading.policy) if opener else quarter_units(minutes)
            yield _Family(tuple(lines), minutes, sum_units(lines), expected)


def _opener(code: str, policy: Policy) -> str:
    """Return the code that opens a timed service: itself, or the primary of an add-on code that counts minutes."""
    return next(iter(sorted(policy.tables.add_ons.get(code, ()))), code)


def _expected(opener: str, minutes: int, policy: Policy) -> int:
    procedures = policy.tables.procedures
    codes = [opener, *(code for code, primaries in policy.tables.add_ons.items() if opener in primaries)]
    return sum(units_of(procedures[code], minutes) for code in codes if code in procedures)


def _over(reading: Reading, minutes_of: MinutesOf) -> Iterator[Complaint]:
    for family in _families(reading, minutes_of):
        if family.billed > family.expected:
            yield _mismatch(reading, family)


def _under(reading: Reading, minutes_of: MinutesOf) -> Iterator[Complaint]:
    for family in _families(reading, minutes_of):
        if family.billed < family.expected:
            yield _mismatch(reading, family)


def _mismatch(reading: Reading, family: _Family) -> Complaint:
    return complain(
        reading,
        family.lines,
        f"{codes_of(family.lines)}: {family.minutes} timed minutes make {_count(family.expected)}; "
        f"billed: {_count(family.billed)}.",
        "Bill the units that the timed minutes make, or correct the minutes: ___.",
    )


def _over_recorded(reading: Reading) -> Iterator[Complaint]:
    return _over(reading, _recorded_minutes)


def _under_recorded(reading: Reading) -> Iterator[Complaint]:
    return _under(reading, _recorded_minutes)


def _over_written(reading: Reading) -> Iterator[Complaint]:
    return _over(reading, _written_minutes)


def _under_written(reading: Reading) -> Iterator[Complaint]:
    return _under(reading, _written_minutes)


def _lack_of_minutes(reading: Reading) -> str | None:
    lack = lack_of_units(reading)
    missing = any(
        _recorded_minutes(lines, reading) is None and _written_minutes(lines, reading) is None
        for _, lines in _grouped(reading)
    )
    return lack or (_NO_MINUTES if missing else None)


_ADDED_UP = (
    "Medicare adds the minutes of all 15-minute codes of the discipline on the day; a unit needs eight minutes, two "
    "need twenty-three. Other payers count each code by itself, more than half of its unit. A code of an hour or of "
    "half an hour begins when more than half of it is done."
)

UNITS_ABOVE_MINUTES = Rule(
    code="BIL018",
    name="units-above-minutes",
    title="More timed units are billed than the recorded minutes make",
    why=_ADDED_UP,
    sources=("cms-mcpm-5-20.2", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("97129", 1, "GN", minutes=7)),
        firing(line_of("97129", 1, "GN", minutes=15), line_of("97130", 1, "GN", minutes=7)),
        firing(line_of("97129", 1, "GN", minutes=15), line_of("97130", 2, "GN", minutes=22)),
        firing(line_of("96125", 1, "GN", minutes=30)),
        firing(line_of("92607", 1, "GN", minutes=60), line_of("92608", 1, "GN", minutes=15)),
        firing(line_of("92626", 1, minutes=60), line_of("92627", 1, minutes=7)),
        firing(line_of("97550", 1, "GN", minutes=15)),
        firing(line_of("97550", 1, "GN", minutes=30), line_of("97551", 1, "GN", minutes=7)),
        firing(line_of("97533", 1, minutes=7), line_of("97535", 1, minutes=8), payer="Medicaid"),
        firing(line_of("98980", 1, "GN", minutes=19)),
        firing(line_of("97129", 1, "GN"), minutes=7),
    ),
    silent=(
        near_miss(line_of("97129", 1, "GN", minutes=8)),  # eight minutes make a unit
        near_miss(line_of("97129", 1, "GN", minutes=15), line_of("97130", 1, "GN", minutes=8)),  # twenty-three make two
        near_miss(line_of("96125", 1, "GN", minutes=31)),  # more than half of the hour
        near_miss(
            line_of("92607", 1, "GN", minutes=60), line_of("92608", 1, "GN", minutes=16)
        ),  # sixteen beyond the hour
        # a further unit of this code is fifteen minutes, not thirty, so that eight beyond the hour make one
        near_miss(line_of("92626", 1, minutes=60), line_of("92627", 1, minutes=8)),
        near_miss(line_of("97550", 1, "GN", minutes=16)),  # more than half of thirty
        near_miss(
            line_of("97533", 1, "GN", minutes=7), line_of("97535", 0, "GN", minutes=8)
        ),  # fifteen together make one
        near_miss(line_of("92507", 1, "GN", minutes=5)),  # an untimed code has no minutes to make units of
        near_miss(line_of("97129", 1, "GN")),  # minutes are not known
    ),
    known_limits="How units are shared out among several 15-minute codes is not checked, only their sum. Takes the "
    "minutes of a line as treatment time; set-up and documentation do not count.",
    check=_over_recorded,
    needs=_lack_of_minutes,
)

UNITS_BELOW_MINUTES = Rule(
    code="BIL019",
    name="units-below-minutes",
    title="Fewer timed units are billed than the recorded minutes make",
    why=_ADDED_UP,
    sources=("cms-mcpm-5-20.2", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("97129", 1, "GN", minutes=23)),
        firing(line_of("97129", 1, "GN", minutes=15), line_of("97130", 1, "GN", minutes=23)),
        firing(line_of("96105", 1, minutes=91)),
        firing(line_of("97535", 4, "GN", minutes=68)),
    ),
    silent=(
        near_miss(line_of("97129", 1, "GN", minutes=22)),  # twenty-two make one
        near_miss(
            line_of("97129", 1, "GN", minutes=15), line_of("97130", 1, "GN", minutes=22)
        ),  # thirty-seven make two
        near_miss(line_of("96105", 1, minutes=90)),  # half an hour more makes no second unit
        near_miss(line_of("92507", 1, "GN", minutes=60)),  # an untimed code: an hour is one unit
    ),
    known_limits="A clinician may bill less than was done; the minutes of a line may include what does not count.",
    check=_under_recorded,
    needs=_lack_of_minutes,
)


def _written(marked: str, *lines: ClaimLine, **fields: object) -> Example:
    return example(marked, date_of_service=date(2026, 5, 4), claim_lines=lines, **fields)


UNITS_ABOVE_WRITTEN_MINUTES = Rule(
    code="BIL020",
    name="units-above-written-minutes",
    title="More timed units are billed than the minutes in the note make",
    why=_ADDED_UP,
    sources=("cms-mcpm-5-20.2", "cms-mbpm-15-220.3"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        _written("[[Attention training with faded cues. 97129: 7 minutes.]]", line_of("97129", 1, "GN")),
        _written(
            "[[Attention training with faded cues. Timed minutes: 22.]]",
            line_of("97129", 1, "GN"),
            line_of("97130", 1, "GN"),
        ),
        _written(
            "[[97129 15 min, 97130 22 min. Attention training with faded cues.]]",
            line_of("97129", 1, "GN"),
            line_of("97130", 2, "GN"),
        ),
    ),
    silent=(
        _written("Attention training with faded cues. 97129: 8 minutes.", line_of("97129", 1, "GN")),  # enough for one
        # twenty-three make two
        _written(
            "Attention training with faded cues. Timed minutes: 23.",
            line_of("97129", 1, "GN"),
            line_of("97130", 1, "GN"),
        ),
        # the minutes in the record count, where there are some
        _written("Attention training with faded cues. 97129: 7 minutes.", line_of("97129", 1, "GN", minutes=15)),
        # an untimed code
        _written("Aphasia treatment with faded cues. Total treatment minutes: 5.", line_of("92507", 1, "GN")),
    ),
    known_limits="Reads minutes that the note gives for a code, for an area of disorder or as timed minutes in all.",
    check=_over_written,
    needs=_lack_of_minutes,
)

UNITS_BELOW_WRITTEN_MINUTES = Rule(
    code="BIL021",
    name="units-below-written-minutes",
    title="Fewer timed units are billed than the minutes in the note make",
    why=_ADDED_UP,
    sources=("cms-mcpm-5-20.2", "cms-mbpm-15-220.3"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        _written("[[Attention training with faded cues. 97129: 23 minutes.]]", line_of("97129", 1, "GN")),
        _written(
            "[[Attention training with faded cues. Timed minutes: 38.]]",
            line_of("97129", 1, "GN"),
            line_of("97130", 1, "GN"),
        ),
        _written("[[Home management training, timed minutes: 68.]]", line_of("97535", 4, "GN")),
    ),
    silent=(
        _written("Attention training with faded cues. 97129: 22 minutes.", line_of("97129", 1, "GN")),  # one unit
        # thirty-seven make two
        _written(
            "Attention training with faded cues. Timed minutes: 37.",
            line_of("97129", 1, "GN"),
            line_of("97130", 1, "GN"),
        ),
        # an untimed code
        _written("Aphasia treatment with faded cues. Total treatment minutes: 60.", line_of("92507", 1, "GN")),
    ),
    known_limits="A clinician may bill less than was done.",
    check=_under_written,
    needs=_lack_of_minutes,
)


def _lack_of_limits(reading: Reading) -> str | None:
    return lack_of_lines(reading) or gap_in(reading, "daily_limits") or lack_of_units(reading)


def _above_limit(reading: Reading, *, is_absolute: bool) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    limits = reading.policy.tables.daily_limits
    for code, lines in sorted(by_code(our_lines(reading)).items()):
        limit, procedure = limits.get(code), lines[0].procedure
        # Untimed codes have a rule of their own, and a limit of none says that Medicare does not pay.
        if limit is None or limit.units == 0 or limit.is_absolute is not is_absolute:
            continue
        if (procedure is not None and procedure.basis is UnitBasis.UNTIMED) or sum_units(lines) <= limit.units:
            continue
        why = (
            "No appeal changes this limit."
            if is_absolute
            else "It is a clinical benchmark: more can be argued on appeal where the record shows why."
        )
        yield complain(
            reading,
            lines,
            f"{code} is billed with {_count(sum_units(lines))} on one day; at most {_count(limit.units)} "
            f"{'is' if limit.units == 1 else 'are'} expected. {why}",
            "Check the units against the minutes of the day.",
        )


def _above_absolute_limit(reading: Reading) -> Iterator[Complaint]:
    return _above_limit(reading, is_absolute=True)


def _above_benchmark(reading: Reading) -> Iterator[Complaint]:
    return _above_limit(reading, is_absolute=False)


ABOVE_ABSOLUTE_LIMIT = Rule(
    code="BIL032",
    name="units-above-absolute-limit",
    title="More units a day are billed than Medicare ever pays",
    why="The medically unlikely edits limit the units of a code on one day; where the adjudication indicator is 2, the "
    "limit follows from the code itself and is absolute.",
    sources=("cms-mue-2024q3",),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("97129", 2, "GN")),
        firing(line_of("92626", 2)),
        firing(line_of("97550", 1, "GN"), line_of("97550", 1, "GN", "76")),
        firing(line_of("98980", 2, "GN"), on=date(2024, 7, 1)),
    ),
    silent=(
        near_miss(line_of("97129", 1, "GN"), line_of("97130", 7, "GN")),  # at the limits
        near_miss(line_of("97130", 8, "GN"), line_of("97129", 1, "GN")),  # that limit is a benchmark
        near_miss(line_of("92626", 2), on=date(2024, 6, 30)),  # before the table read
        near_miss(line_of("92526", 2, "GN")),  # untimed: another rule speaks
    ),
    known_limits="The table is that of the third quarter of 2024, applied to later dates until a newer one is loaded; "
    "Medicaid has one of its own.",
    check=_above_absolute_limit,
    needs=_lack_of_limits,
)

ABOVE_BENCHMARK = Rule(
    code="BIL033",
    name="units-above-benchmark",
    title="More units a day are billed than is usual",
    why="The medically unlikely edits limit the units of a code on one day; where the adjudication indicator is 3, the "
    "limit is a clinical benchmark, and more may be paid on appeal.",
    sources=("cms-mue-2024q3",),
    level=Level.WARNING,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("96105", 4)),
        firing(line_of("96125", 3, "GN")),
        firing(line_of("97129", 1, "GN"), line_of("97130", 8, "GN")),
        firing(line_of("92607", 1, "GN"), line_of("92608", 5, "GN")),
    ),
    silent=(
        near_miss(line_of("96105", 3)),  # at the limit
        near_miss(line_of("96125", 2, "GN")),  # at the limit
        near_miss(line_of("92507", 2, "GN")),  # untimed: another rule speaks
        near_miss(line_of("96105", 4), on=date(2027, 1, 4)),  # after the table read
    ),
    known_limits="The table is that of the third quarter of 2024, applied to later dates until a newer one is loaded; "
    "Medicaid has one of its own.",
    check=_above_benchmark,
    needs=_lack_of_limits,
)


RULES = (
    UNITS_ABOVE_MINUTES,
    UNITS_BELOW_MINUTES,
    UNITS_ABOVE_WRITTEN_MINUTES,
    UNITS_BELOW_WRITTEN_MINUTES,
    ABOVE_ABSOLUTE_LIMIT,
    ABOVE_BENCHMARK,
)
"""The rules of this module, by code."""
