"""BIL: the yearly threshold of physical and speech therapy, and the modifier that attests necessity above it."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from analyzer.rules.lines import (
    CodedLine,
    coded_lines,
    codes_of,
    complain,
    firing,
    is_ours,
    is_therapy,
    lack_of_date,
    lack_of_lines,
    lack_of_procedures,
    line_of,
    near_miss,
    our_lines,
)
from analyzer.rules.rule import MEDICARE, Complaint, Rule
from analyzer.types import AmountBasis, Level, Reading, Status

_KX = "KX"
NO_YEAR_TO_DATE = "The record has no ytd_pt_slp_allowed."
_PART_OF_SUM = "The year's amount was added up from the claims given; services of other providers may be missing."
_NO_AMOUNT = "A claim line has no charge and no allowed amount."


class _Running(NamedTuple):
    """A therapy line and the year's total with it; not exact where the amount of a line up to it is not known."""

    item: CodedLine
    total: float
    is_exact: bool


def _running_total(reading: Reading) -> Iterator[_Running]:
    """Add up physical and speech therapy in the order of the lines; occupational therapy has a counter of its own."""
    total, is_exact = reading.note.ytd_pt_slp_allowed, True
    if total is None or reading.policy is None:
        return
    for item in coded_lines(reading):
        is_counted = (is_therapy(item) and "GO" not in item.modifiers) or "GP" in item.modifiers
        if not is_counted:
            continue
        amount = item.line.charge if item.line.allowed is None else item.line.allowed
        total, is_exact = total + (amount or 0), is_exact and amount is not None
        if is_ours(item, reading, reading.policy.tables):
            yield _Running(item, total, is_exact)


def _lack_of_threshold(reading: Reading) -> str | None:
    lack = lack_of_procedures(reading) or lack_of_date(reading)
    if lack or reading.policy is None:
        return lack
    on, threshold = reading.note.date_of_service, reading.policy.kx_threshold
    if threshold is None:
        return f"The threshold of physical and speech therapy together is not known for {on.year if on else 'the day'}."
    if reading.note.ytd_pt_slp_allowed is None:
        return NO_YEAR_TO_DATE
    undecided = any(not spent.is_exact and spent.total <= threshold for spent in _running_total(reading))
    return _NO_AMOUNT if undecided else None


def _lack_of_whole_sum(reading: Reading) -> str | None:
    """Below the threshold only a sum over all providers tells that KX is too early."""
    lack = _lack_of_threshold(reading)
    return _PART_OF_SUM if lack is None and reading.note.ytd_basis is not None else lack


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}"


def _is_sum_of_charges(reading: Reading) -> bool:
    return reading.note.ytd_basis is AmountBasis.CHARGE


def _kx_missing(reading: Reading) -> Iterator[Complaint]:
    threshold = reading.policy.kx_threshold if reading.policy else None
    if threshold is None:
        return
    above = [s for s in _running_total(reading) if _KX not in s.item.modifiers and s.total > threshold]
    if above:
        is_charged = any(s.item.line.allowed is None and s.item.line.charge is not None for s in above)
        yield complain(
            reading,
            [spent.item for spent in above],
            f"Physical and speech therapy together reach {_dollars(above[-1].total)} this calendar year, above the "
            f"threshold of {_dollars(threshold)}, and {codes_of(s.item for s in above)} has no KX."
            + (" The line counts with its charge; what is allowed may be less." if is_charged else "")
            + (" The year counts with charges; what was allowed may be less." if _is_sum_of_charges(reading) else ""),
            "Add KX where the record shows that the services are necessary; above the threshold a line without it is "
            "denied.",
        )


_YTD_2026 = 2480.0  # kx-secondary

KX_MISSING = Rule(
    code="BIL005",
    name="threshold-modifier-missing",
    title="The line lies above the yearly threshold and has no KX",
    why="Physical therapy and speech-language pathology share one threshold a beneficiary and calendar year. Above it "
    "a line is paid only with KX, which attests that the services are necessary and the record supports it.",
    sources=("bba-2018-50202", "kx-secondary", "cms-kx-2024"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN", charge=80.0), ytd_pt_slp_allowed=_YTD_2026 - 79.0),
        firing(line_of("92507", 1, "GN"), ytd_pt_slp_allowed=_YTD_2026 + 0.01),
        firing(line_of("92507", 1, "GN", allowed=80.0), on=date(2024, 7, 1), ytd_pt_slp_allowed=2260.0),
        firing(
            line_of("92507", 1, "GN", allowed=60.0),
            line_of("92526", 1, "GN", allowed=60.0),
            ytd_pt_slp_allowed=_YTD_2026 - 100.0,
        ),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN", charge=80.0), ytd_pt_slp_allowed=_YTD_2026 - 80.0),  # at it, not above
        near_miss(line_of("92507", 1, "GN", "KX", charge=80.0), ytd_pt_slp_allowed=_YTD_2026),  # KX is there
        near_miss(line_of("92507", 1, "GN", charge=80.0)),  # what was spent is not known
        near_miss(
            line_of("92526", 1, "GN"), on=date(2027, 1, 4), ytd_pt_slp_allowed=9000.0
        ),  # no threshold for the year
        # what is allowed counts, not what is charged
        near_miss(line_of("92507", 1, "GN", charge=200.0, allowed=70.0), ytd_pt_slp_allowed=_YTD_2026 - 80.0),
    ),
    known_limits="Takes the year-to-date amount as that before this note's lines; other providers' services count too "
    "and may be missing from it. Leaves the reduction for several procedures a day aside.",
    check=_kx_missing,
    needs=_lack_of_threshold,
    payers=MEDICARE,
)


def _kx_early(reading: Reading) -> Iterator[Complaint]:
    threshold = reading.policy.kx_threshold if reading.policy else None
    if threshold is None or reading.note.ytd_basis is not None:
        return
    below = [
        spent.item
        for spent in _running_total(reading)
        if _KX in spent.item.modifiers and spent.is_exact and spent.total <= threshold
    ]
    if below:
        yield complain(
            reading,
            below,
            f"{codes_of(below)} carries KX although physical and speech therapy together stay within "
            f"{_dollars(threshold)} this calendar year.",
            "Leave KX off until the threshold is passed, unless services elsewhere pass it.",
        )


KX_EARLY = Rule(
    code="BIL006",
    name="threshold-modifier-early",
    title="KX is used below the yearly threshold",
    why="KX attests necessity above the threshold. Put on every line as a matter of course, it says nothing and "
    "invites review.",
    sources=("bba-2018-50202", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN", "KX", charge=80.0), ytd_pt_slp_allowed=0.0),
        firing(line_of("92507", 1, "GN", "KX", charge=80.0), ytd_pt_slp_allowed=_YTD_2026 - 80.0),
        firing(line_of("92526", 1, "GN", "KX", allowed=80.0), on=date(2025, 3, 3), ytd_pt_slp_allowed=2330.0),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN", "KX", charge=80.0), ytd_pt_slp_allowed=_YTD_2026 - 79.99),  # above it
        near_miss(line_of("92507", 1, "GN", charge=80.0), ytd_pt_slp_allowed=0.0),  # no KX
        near_miss(line_of("92507", 1, "GN", "KX"), ytd_pt_slp_allowed=0.0),  # the line's amount is not known
        # added up from the claims given, which other providers' are not among
        near_miss(line_of("92507", 1, "GN", "KX", charge=80.0), ytd_pt_slp_allowed=0.0, ytd_basis=AmountBasis.ALLOWED),
    ),
    known_limits="Services of other providers that the year-to-date amount misses may have passed the threshold.",
    check=_kx_early,
    needs=_lack_of_whole_sum,
    payers=MEDICARE,
)


def _review(reading: Reading) -> Iterator[Complaint]:
    threshold = reading.policy.review_threshold if reading.policy else None
    spent = reading.note.ytd_pt_slp_allowed
    if threshold is None or spent is None or spent <= threshold or not reading.note.claim_lines:
        return
    lines = [running.item for running in _running_total(reading)]
    if lines:
        yield complain(
            reading,
            lines,
            f"Physical and speech therapy together stand at {_dollars(spent)} this calendar year, above "
            f"{_dollars(threshold)}. Claims of selected providers, not of all, are reviewed from there on.",
            "See that the record shows why a therapist's skills are needed.",
        )


def _lack_of_review(reading: Reading) -> str | None:
    lack = lack_of_procedures(reading) or lack_of_date(reading)
    if lack or reading.policy is None:
        return lack
    on = reading.note.date_of_service
    if reading.policy.review_threshold is None:
        return f"The threshold of targeted medical review is not known for {on.year if on else 'the day'}."
    return NO_YEAR_TO_DATE if reading.note.ytd_pt_slp_allowed is None else None


ABOVE_REVIEW = Rule(
    code="BIL007",
    name="above-review-threshold",
    title="The year's therapy lies above the threshold of targeted medical review",
    why="Above it Medicare reviews claims of selected providers: those with many denials, unusual billing or a new "
    "enrolment. It is no automatic review and no cap.",
    sources=("bba-2018-50202",),
    level=Level.INFO,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN", "KX"), ytd_pt_slp_allowed=3000.01),
        firing(line_of("92526", 1, "GN", "KX"), on=date(2018, 3, 1), ytd_pt_slp_allowed=3500.0),
        firing(line_of("92507", 1, "GN", "KX"), on=date(2026, 12, 31), ytd_pt_slp_allowed=8000.0),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN", "KX"), ytd_pt_slp_allowed=3000.0),  # at it, not above
        near_miss(
            line_of("92526", 1, "GN", "KX"), on=date(2028, 1, 3), ytd_pt_slp_allowed=3500.0
        ),  # not known for 2028
        near_miss(line_of("92507", 1, "GN", "KX")),  # what was spent is not known
    ),
    known_limits="Who is selected for review is not known from a claim.",
    check=_review,
    needs=_lack_of_review,
    payers=MEDICARE,
)


def _kx_contradicted(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    denials = reading.policy.tables.modifiers["not-necessary"]
    for item in our_lines(reading):
        if _KX in item.modifiers and item.modifiers & denials:
            named = ", ".join(sorted(item.modifiers & denials))
            yield complain(
                reading,
                [item],
                f"{item.code} carries KX, which attests necessity, and {named}, which expects a denial for the lack "
                "of it.",
                "Keep the one that is true of the service.",
            )


KX_CONTRADICTED = Rule(
    code="BIL009",
    name="necessity-contradicted",
    title="One line attests necessity and expects a denial for the lack of it",
    why="KX says that the service is necessary and that the record supports it; GA and GZ say that a denial as not "
    "necessary is expected.",
    sources=("cuewise-billing-8",),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN", "KX", "GA")),
        firing(line_of("92507", 1, "GN", "KX", "GZ")),
        firing(line_of("92526", 1, "GN", "GZ", "KX"), on=None),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN", "KX")),  # KX alone
        near_miss(line_of("92507", 1, "GN", "GA")),  # GA alone
        near_miss(line_of("92507", 1, "GN", "KX", "GX")),  # a voluntary notice says nothing of necessity
        near_miss(line_of("92507", 1, "GN", "KX"), line_of("92526", 1, "GN", "GA")),  # on two lines
    ),
    known_limits="None known.",
    check=_kx_contradicted,
    needs=lack_of_lines,
    payers=MEDICARE,
)


RULES = (KX_MISSING, KX_EARLY, ABOVE_REVIEW, KX_CONTRADICTED)
"""The rules of this module, by code."""
