"""DOC, second part: plan of care, certification and progress report, as the record states them.

What the words of a note say of the record stands in :mod:`analyzer.rules.record`.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from analyzer.rules.rule import MEDICARE, NO_DATE, Complaint, Example, Rule, example, whole_note
from analyzer.types import Kind, Level, PlanOfCare, Reading, Status

_EXCEPTION_FROM = date(2025, 1, 1)  # cfr-42-424.24: a signed order and proof of sending stand for the first signature
_NO_PLAN = "The record has no plan_of_care."
_UNTREATED = frozenset({Kind.NO_SHOW, Kind.SCREENING, Kind.OTHER})


def _lack_of_plan(reading: Reading) -> str | None:
    if reading.note.date_of_service is None:
        return NO_DATE
    return _NO_PLAN if reading.note.plan_of_care is None else None


def _last_day(plan: PlanOfCare, days: int) -> date | None:
    """Return the last day that the plan can be certified for by what the record says; None where it says nothing."""
    if plan.certified_through is not None:
        return plan.certified_through
    return None if plan.start is None else plan.start + timedelta(days=days)


def _uncertified_day(reading: Reading) -> Iterator[Complaint]:
    plan, on = reading.note.plan_of_care, reading.note.date_of_service
    if plan is None or on is None or reading.policy is None or reading.kind in _UNTREATED:
        return
    last = _last_day(plan, reading.policy.certification_days)
    if last is not None and on > last:
        until = (
            f"is certified through {last}"
            if plan.certified_through
            else f"began on {plan.start}; a certification covers {reading.policy.certification_days} days at most, to "
            f"{last}"
        )
        yield Complaint(
            *whole_note(reading),
            message=f"The date of service is {on}; the plan of care {until}.",
            fix="Have the plan recertified: signed by ___ on ___.",
        )


def _lack_of_interval(reading: Reading) -> str | None:
    lack, plan = _lack_of_plan(reading), reading.note.plan_of_care
    if lack or plan is None:
        return lack
    neither = plan.start is None and plan.certified_through is None
    return "The plan_of_care has neither certified_through nor start." if neither else None


_TEXT = "Aphasia treatment with semantic feature analysis."


def _fires(on: date, plan: PlanOfCare | None = None, **fields: object) -> Example:
    return example(f"[[{_TEXT}]]", date_of_service=on, plan_of_care=plan, **fields)


def _silent(on: date | None, plan: PlanOfCare | None = None, **fields: object) -> Example:
    return example(_TEXT, date_of_service=on, plan_of_care=plan, **fields)


UNCERTIFIED_DAY = Rule(
    code="DOC034",
    name="day-uncertified",
    title="The day of service lies beyond the certified plan of care",
    why="A physician or other practitioner certifies the plan for its duration or for 90 calendar days from the first "
    "treatment, whichever is less; therapy that goes on needs a new certification.",
    sources=("cms-mbpm-15-220.1", "cfr-42-424.24"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        _fires(date(2026, 5, 2), PlanOfCare(certified_through=date(2026, 5, 1))),
        _fires(date(2026, 4, 2), PlanOfCare(start=date(2026, 1, 1))),  # day 91
        _fires(date(2026, 3, 1), PlanOfCare(start=date(2026, 1, 1), certified_through=date(2026, 2, 15))),
    ),
    silent=(
        _silent(date(2026, 5, 1), PlanOfCare(certified_through=date(2026, 5, 1))),  # the last day
        _silent(date(2026, 4, 1), PlanOfCare(start=date(2026, 1, 1))),  # day 90
        # recertified
        _silent(date(2026, 6, 1), PlanOfCare(start=date(2026, 1, 1), certified_through=date(2026, 6, 28))),
        _silent(date(2026, 5, 2), PlanOfCare(certified_through=date(2026, 5, 1)), payer="Medicaid"),  # another payer
        _silent(date(2026, 5, 2)),  # no plan of care in the record
    ),
    known_limits="Takes certified_through as signed for. Delayed certification is accepted with evidence that a "
    "physician was involved, which a record does not show.",
    check=_uncertified_day,
    needs=_lack_of_interval,
    payers=MEDICARE,
)


def _is_excepted(plan: PlanOfCare, on: date, due: date) -> bool | None:
    """Whether a signed order and proof of sending stand for the signature; None where the record does not say."""
    if on < _EXCEPTION_FROM:
        return False
    if plan.has_signed_order is None:
        return None
    return plan.has_signed_order and plan.sent_on is not None and plan.sent_on <= due


def _is_signed(plan: PlanOfCare) -> bool | None:
    return True if plan.certified_through is not None and plan.is_certified is None else plan.is_certified


def _certification_overdue(reading: Reading) -> Iterator[Complaint]:
    plan, on = reading.note.plan_of_care, reading.note.date_of_service
    if plan is None or on is None or plan.start is None or reading.policy is None:
        return
    days = reading.policy.certification_due_days
    due = plan.start + timedelta(days=days)
    if on > due and _is_signed(plan) is False and _is_excepted(plan, on, due) is False:
        yield Complaint(
            *whole_note(reading),
            message=f"Treatment began on {plan.start}; the plan of care should have been certified within {days} days, "
            f"by {due}, and is not signed"
            + (", nor is there an order with proof that the plan was sent in time." if on >= _EXCEPTION_FROM else "."),
            fix="Have the plan certified now, and record why it is late: ___.",
        )


def _lack_of_certification(reading: Reading) -> str | None:
    lack, plan, on = _lack_of_plan(reading), reading.note.plan_of_care, reading.note.date_of_service
    if lack or plan is None or on is None or reading.policy is None:
        return lack
    if plan.start is None:
        return "The plan_of_care has no start."
    due = plan.start + timedelta(days=reading.policy.certification_due_days)
    if on <= due or _is_signed(plan):
        return None
    if _is_signed(plan) is None:
        return "The plan_of_care does not say is_certified."
    return "The plan_of_care does not say has_signed_order." if _is_excepted(plan, on, due) is None else None


_BEGUN = date(2026, 1, 5)

CERTIFICATION_OVERDUE = Rule(
    code="DOC035",
    name="certification-overdue",
    title="The plan of care is not certified 30 days after treatment began",
    why="Certification is timely within 30 days of the first treatment. For services from 2025 on, a signed order and "
    "proof that the plan was sent to that practitioner within 30 days stand for the first signature; a recertification "
    "is signed all the same.",
    sources=("cms-mbpm-15-220.1", "cfr-42-424.24"),
    level=Level.WARNING,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        _fires(date(2026, 2, 5), PlanOfCare(start=_BEGUN, is_certified=False, has_signed_order=False)),  # day 31
        # sent, but too late
        _fires(
            date(2026, 2, 9),
            PlanOfCare(start=_BEGUN, is_certified=False, has_signed_order=True, sent_on=date(2026, 2, 5)),
        ),
        # an order, but no proof of sending
        _fires(date(2026, 2, 9), PlanOfCare(start=_BEGUN, is_certified=False, has_signed_order=True)),
        # before the exception
        _fires(
            date(2024, 12, 31),
            PlanOfCare(start=date(2024, 11, 4), is_certified=False, has_signed_order=True, sent_on=date(2024, 11, 5)),
        ),
    ),
    silent=(
        _silent(date(2026, 2, 4), PlanOfCare(start=_BEGUN, is_certified=False, has_signed_order=False)),  # day 30
        _silent(date(2026, 2, 9), PlanOfCare(start=_BEGUN, is_certified=True)),  # signed
        # an order, and sent on the last day
        _silent(
            date(2026, 2, 9),
            PlanOfCare(start=_BEGUN, is_certified=False, has_signed_order=True, sent_on=date(2026, 2, 4)),
        ),
        _silent(date(2026, 2, 9), PlanOfCare(start=_BEGUN)),  # the record does not say
    ),
    known_limits="Sources differ on whether the days run from the first evaluation or the first treatment; start is "
    "taken for both.",
    check=_certification_overdue,
    needs=_lack_of_certification,
    payers=MEDICARE,
)


def _report_overdue(reading: Reading) -> Iterator[Complaint]:
    days = reading.note.treatment_days_since_report
    if days is None or reading.policy is None or reading.kind in {Kind.PROGRESS_REPORT, Kind.DISCHARGE} | _UNTREATED:
        return
    if days > reading.policy.report_days:
        yield Complaint(
            *whole_note(reading),
            message=f"This is treatment day {days} since the last progress report; one is due at least once every "
            f"{reading.policy.report_days} treatment days.",
            fix="Write the progress report: for each goal ___ (measured), progress ___, plan ___.",
        )


def _lack_of_report_days(reading: Reading) -> str | None:
    missing = reading.note.treatment_days_since_report is None
    return "The record has no treatment_days_since_report." if missing else None


REPORT_OVERDUE = Rule(
    code="DOC036",
    name="progress-report-overdue",
    title="More than ten treatment days have passed since the last progress report",
    why="A progress report by the clinician is due at least once every ten treatment days, counted from the first day "
    "of the episode, the day of evaluation too. There is no limit of thirty calendar days any more; it ended in 2013.",
    sources=("cms-mbpm-15-220.3",),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        _fires(date(2026, 5, 4), treatment_days_since_report=11),
        _fires(date(2026, 5, 4), treatment_days_since_report=14, payer="Medicare Part B"),
        _fires(date(2019, 5, 6), treatment_days_since_report=30),
    ),
    silent=(
        _silent(date(2026, 5, 4), treatment_days_since_report=10),  # the tenth day
        # two months, but few treatment days: calendar days do not count
        _silent(date(2026, 5, 4), PlanOfCare(start=date(2026, 3, 2)), treatment_days_since_report=6),
        _silent(date(2026, 5, 4), treatment_days_since_report=11, payer="Medicaid"),  # another payer
        _silent(date(2026, 5, 4)),  # not counted
    ),
    known_limits="Counts what the record counts; a treatment note that holds all of a progress report serves as one, "
    "and is not known as such.",
    check=_report_overdue,
    needs=_lack_of_report_days,
    payers=MEDICARE,
)


RULES = (UNCERTIFIED_DAY, CERTIFICATION_OVERDUE, REPORT_OVERDUE)
"""The rules of this module, by code."""
