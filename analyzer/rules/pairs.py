"""BIL: codes that are billed for one day and do not go together, or not without each other."""

from collections.abc import Iterator
from datetime import date
from itertools import combinations

from analyzer.rules.lines import (
    CodedLine,
    coded_lines,
    codes_of,
    complain,
    firing,
    gap_in,
    is_ours,
    lack_of_known_codes,
    lack_of_lines,
    line_of,
    near_miss,
    our_lines,
)
from analyzer.rules.rule import MEDICARE, Complaint, Rule, billed_codes
from analyzer.types import ClaimForm, CodePair, Level, Reading, Scope, Status


def _lack_of_pairs(reading: Reading) -> str | None:
    return lack_of_lines(reading) or gap_in(reading, "pairs")


def _lack_of_clinician_pairs(reading: Reading) -> str | None:
    return lack_of_lines(reading) or gap_in(reading, "same_clinician")


def _lack_of_add_ons(reading: Reading) -> str | None:
    return lack_of_lines(reading) or gap_in(reading, "add_ons")


def _together(reading: Reading) -> Iterator[tuple[CodedLine, CodedLine, CodePair, bool]]:
    """Yield the lines of one day that a pair forbids together, the denied one second, and whether a modifier helps."""
    if reading.policy is None:
        return
    pairs = reading.policy.tables.pairs
    for one, other in combinations(coded_lines(reading), 2):
        pair = pairs.get(frozenset((one.code, other.code)))
        if pair is None or one.code == other.code:
            continue
        first, second = (one, other) if one.code == pair.first else (other, one)
        is_institutional = ClaimForm.INSTITUTIONAL in (one.line.form, other.line.form)
        yield first, second, pair, pair.with_modifier_in_hospital if is_institutional else pair.with_modifier


def _pair_never(reading: Reading) -> Iterator[Complaint]:
    for first, second, _, helps in _together(reading):
        if not helps:
            yield complain(
                reading,
                [second],
                f"{second.code} is denied beside {first.code} on one day, whatever the modifiers.",
                "Bill the one that describes the whole service.",
            )


PAIR_NEVER = Rule(
    code="BIL010",
    name="pair-forbidden",
    title="Two codes are billed that are never paid together on one day",
    why="The correct coding edits name pairs of codes of which the second is part of the first; for these no modifier "
    "allows both.",
    sources=("cms-ncci-ptp-2024q3", "cms-ncci-manual-1"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92523", 1, "GN"), line_of("92522", 1, "GN")),
        firing(line_of("92522", 1, "GN", "59"), line_of("92523", 1, "GN")),
        firing(line_of("92526", 1, "GN"), line_of("G0283", 1, "GN")),
        firing(line_of("92607", 1, "GN"), line_of("92597", 1, "GN"), on=date(2024, 7, 1)),
    ),
    silent=(
        near_miss(line_of("92523", 1, "GN"), line_of("92524", 1, "GN")),  # a pair without an edit
        near_miss(line_of("92507", 1, "GN"), line_of("97129", 1, "GN", "59")),  # a modifier may allow these
        near_miss(line_of("92523", 1, "GN"), line_of("92522", 1, "GN"), on=date(2024, 6, 30)),  # before the table read
        # the hospital file allows these with a modifier
        near_miss(
            line_of("92526", 1, "GN", form=ClaimForm.INSTITUTIONAL),
            line_of("G0283", 1, "GN", "59", form=ClaimForm.INSTITUTIONAL),
        ),
    ),
    known_limits="The table is that of the third quarter of 2024, applied to later dates until a newer one is loaded; "
    "Medicaid has one of its own.",
    check=_pair_never,
    needs=_lack_of_pairs,
)


def _needs_modifier(reading: Reading) -> Iterator[tuple[CodedLine, CodedLine]]:
    """Yield pairs that a modifier allows, but for those of which another rule says that none does."""
    policy = reading.policy
    if policy is None:
        return
    for first, second, pair, helps in _together(reading):
        both_ours = all(is_ours(item, reading, policy.tables) for item in (first, second))
        is_policy = both_ours and frozenset((pair.first, pair.second)) in policy.tables.never_together
        is_other = both_ours and second.procedure is not None and second.procedure.scope is Scope.OTHER
        if helps and not (is_policy and policy.runs("BIL013")) and not (is_other and policy.runs("BIL014")):
            yield first, second


def _pair_without_modifier(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    allowing = reading.policy.tables.modifiers["pair"]
    for first, second in _needs_modifier(reading):
        if not (first.modifiers | second.modifiers) & allowing:
            yield complain(
                reading,
                [second],
                f"{second.code} is denied beside {first.code} on one day without a modifier that says what sets it "
                "apart.",
                "Add the modifier that fits where session, time or practitioner were separate and the note says so; "
                "bill the first code alone where they were not.",
            )


PAIR_WITHOUT_MODIFIER = Rule(
    code="BIL011",
    name="pair-unmodified",
    title="Two codes of one day need a modifier that says what sets them apart",
    why="The correct coding edits deny the second code of such a pair, unless a modifier says that it was a separate "
    "encounter, practitioner or service. Different diagnoses alone do not justify it, nor do 76 and 77.",
    sources=("cms-ncci-ptp-2024q3", "cms-ncci-manual-1"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92508", 1, "GN"), line_of("92507", 1, "GN")),
        firing(line_of("92609", 1, "GN"), line_of("92507", 1, "GN")),
        firing(line_of("92523", 1, "GN"), line_of("96125", 1, "GN", "76")),
        firing(line_of("92507", 1, "GN"), line_of("97129", 1, "GO")),
        firing(line_of("92611", 1, "GN"), line_of("92610", 1, "GN"), payer="Aetna"),
    ),
    silent=(
        near_miss(line_of("92508", 1, "GN"), line_of("92507", 1, "GN", "59")),  # with the modifier
        near_miss(line_of("92609", 1, "GN", "XE"), line_of("92507", 1, "GN")),  # on the other line of the pair
        near_miss(
            line_of("92507", 1, "GN"), line_of("92526", 1, "GN")
        ),  # no edit between treatments of speech and swallowing
        near_miss(line_of("92507", 1, "GN"), line_of("92521", 1, "GN")),  # nor between treatment and evaluation
        near_miss(
            line_of("92507", 1, "GN"), line_of("97129", 1, "GO", "59")
        ),  # the other discipline's, with the modifier
    ),
    known_limits="The table is that of the third quarter of 2024, applied to later dates until a newer one is loaded. "
    "Does not ask which modifier fits best.",
    check=_pair_without_modifier,
    needs=_lack_of_pairs,
)


def _same_clinician(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    forbidden = reading.policy.tables.never_together
    for one, other in combinations(our_lines(reading), 2):
        if frozenset((one.code, other.code)) in forbidden:
            yield complain(
                reading,
                [one, other],
                f"{codes_of([one, other])} are billed for one day by speech-language pathology; one clinician may "
                "report only one of the two, with any modifier.",
                "Bill the one that says what was treated.",
            )


TREATMENT_AND_COGNITION = Rule(
    code="BIL013",
    name="treatment-beside-cognition",
    title="One clinician bills speech treatment and cognitive or sensory treatment on one day",
    why="The NCCI policy manual says that one practitioner does not report treatment of speech and language together "
    "with cognitive-function or sensory treatment on one date. Practitioners of different disciplines may, with a "
    "modifier.",
    sources=("cms-ncci-manual-11",),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN"), line_of("97129", 1, "GN")),
        firing(line_of("92507", 1, "GN"), line_of("97129", 1, "GN", "59")),
        firing(line_of("97130", 1, "GN", "XU"), line_of("92508", 1, "GN")),
        firing(line_of("92507", 1, "GN"), line_of("97533", 1, "GN", "59")),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN"), line_of("97129", 1, "GO", "59")),  # the occupational therapist's
        near_miss(line_of("92526", 1, "GN"), line_of("97129", 1, "GN")),  # swallowing and cognition may be
        near_miss(line_of("97129", 1, "GN"), line_of("97130", 1, "GN")),  # cognition alone
    ),
    known_limits="Lines with GN are taken for one practitioner's, as those of one specialty in one group are.",
    check=_same_clinician,
    needs=_lack_of_clinician_pairs,
    payers=MEDICARE,
)


def _unbundled(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    tables = reading.policy.tables
    lines = [item for item in our_lines(reading) if item.procedure and item.procedure.scope is Scope.OTHER]
    code = None if reading.note.claim_lines else (reading.note.cpt or "").strip().upper()
    procedure = tables.procedures.get(code or "")
    if lines or (procedure is not None and procedure.scope is Scope.OTHER):
        yield complain(
            reading,
            lines,
            f"{codes_of(lines) or code} is billed by speech-language pathology, whose treatment codes include such "
            "work.",
            "Bill the treatment code that describes the whole service.",
        )


OTHER_DISCIPLINES_CODE = Rule(
    code="BIL014",
    name="code-of-another-discipline",
    title="A code of physical or occupational therapy is billed by speech-language pathology",
    why="The NCCI policy manual says that speech-language pathologists do not report exercise, movement or activity "
    "codes as unbundled parts of their treatment codes.",
    sources=("cms-ncci-manual-11",),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("97530", 1, "GN")),
        firing(line_of("92507", 1, "GN"), line_of("97110", 1, "GN", "59")),
        firing(line_of("97112", 1)),
        firing(cpt="97150"),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN"), line_of("97530", 1, "GO")),  # an occupational therapist's line
        near_miss(line_of("97535", 1, "GN")),  # a code that is shared
        near_miss(line_of("97530", 1, "GN"), payer="Medicaid"),  # another payer
    ),
    known_limits="A line without a modifier of discipline is taken for the speech-language pathologist's.",
    check=_unbundled,
    needs=lack_of_known_codes,
    payers=MEDICARE,
)


def _idle_modifier(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None or "pairs" in reading.policy.tables.gaps:
        return
    tables = reading.policy.tables
    setting_apart, lines = tables.modifiers["pair"], coded_lines(reading)
    coded = {code for pair in tables.pairs for code in pair}
    if any(item.procedure is None and item.code not in coded for item in lines):
        return  # what the edits say of an unknown code is not known
    for item in our_lines(reading):
        others = [frozenset((item.code, other.code)) for other in lines if other.code != item.code]
        needed = any(pair in tables.pairs or pair in tables.never_together for pair in others)
        if others and item.modifiers & setting_apart and not needed:
            named = ", ".join(sorted(item.modifiers & setting_apart))
            yield complain(
                reading,
                [item],
                f"{item.code} carries {named}, but no edit speaks against it beside the other codes of the day.",
                "Leave it off; both are payable when each is distinct and documented.",
            )


IDLE_MODIFIER = Rule(
    code="BIL015",
    name="idle-pair-modifier",
    title="A modifier sets two codes apart that no edit joins",
    why="The modifier is for pairs that the edits join. Used where none is needed, it says nothing and draws "
    "attention.",
    sources=("cms-ncci-ptp-2024q3", "cms-ncci-manual-1"),
    level=Level.INFO,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN"), line_of("92526", 1, "GN", "59")),
        firing(line_of("92507", 1, "GN", "XE"), line_of("92521", 1, "GN")),
        firing(line_of("92526", 1, "GN", "XU"), line_of("92610", 1, "GN")),
    ),
    silent=(
        near_miss(line_of("92508", 1, "GN"), line_of("92507", 1, "GN", "59")),  # an edit joins these
        near_miss(line_of("92507", 1, "GN"), line_of("92526", 1, "GN")),  # no modifier
        near_miss(line_of("92507", 1, "GN", "59")),  # what it is set apart from may be on another claim
        near_miss(line_of("92507", 1, "GN", "59"), line_of("99213", 1)),  # what the edits say of the other is not known
    ),
    known_limits="Sees the lines of one note; the code it is set apart from may be on another claim.",
    check=_idle_modifier,
    needs=_lack_of_pairs,
)


def _add_on_alone(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    billed = set(billed_codes(reading))
    for item in coded_lines(reading):
        primaries = reading.policy.tables.add_ons.get(item.code, frozenset())
        if primaries and not primaries & billed:
            yield complain(
                reading,
                [item],
                f"{item.code} is an add-on code and is paid beside {' or '.join(sorted(primaries))} only, which is "
                "missing.",
                "Bill it with its primary code of the same day.",
            )


ADD_ON_ALONE = Rule(
    code="BIL017",
    name="add-on-alone",
    title="An add-on code is billed without its primary code",
    why="An add-on code stands for more of a service that another code opens, and is never paid alone.",
    sources=("cms-add-on-2024",),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("97130", 2, "GN")),
        firing(line_of("92608", 1, "GN"), line_of("92609", 1, "GN")),
        firing(line_of("0770T", 1, "GN"), line_of("92526", 1, "GN")),
        firing(line_of("97551", 1, "GN"), payer="Medicaid"),
    ),
    silent=(
        near_miss(line_of("97129", 1, "GN"), line_of("97130", 2, "GN")),  # with its primary
        near_miss(line_of("92507", 1, "GN"), line_of("0770T", 1, "GN")),  # speech treatment is one of its primaries
        near_miss(line_of("92508", 1, "GN"), line_of("0770T", 1, "GN")),  # so is the group
        near_miss(line_of("97130", 2, "GN"), on=date(2027, 1, 4)),  # after the table read
    ),
    known_limits="Sees the lines of one note; the primary may stand on another claim of the day.",
    check=_add_on_alone,
    needs=_lack_of_add_ons,
)


RULES = (
    PAIR_NEVER,
    PAIR_WITHOUT_MODIFIER,
    TREATMENT_AND_COGNITION,
    OTHER_DISCIPLINES_CODE,
    IDLE_MODIFIER,
    ADD_ON_ALONE,
)
"""The rules of this module, by code."""
