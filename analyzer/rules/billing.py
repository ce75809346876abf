"""BIL: a claim line breaks a billing rule: its code, its modifiers, its place.

What is decided here, and in :mod:`analyzer.rules.pairs`, :mod:`analyzer.rules.threshold` and
:mod:`analyzer.rules.units`, needs the record alone, not the words of the note, but for minutes. Which tables are valid,
and which payer's rules run, stands in the reading's policy.
"""

from collections.abc import Iterator
from datetime import date

from analyzer.rules.lines import (
    THIS_DISCIPLINE,
    CodedLine,
    by_code,
    coded_lines,
    codes_of,
    complain,
    firing,
    is_by_author,
    is_deleted,
    lack_of_codes,
    lack_of_date,
    lack_of_known_codes,
    lack_of_lines,
    lack_of_procedures,
    lack_of_units,
    line_of,
    near_miss,
    our_lines,
    place_of,
    sum_units,
)
from analyzer.rules.rule import MEDICARE, Complaint, Rule, billed_codes
from analyzer.types import ClaimForm, Level, Procedure, Reading, Scope, Status, Therapy, UnitBasis

_HABILITATIVE, _REHABILITATIVE = "96", "97"
# Status letters of the fee schedule (cms-mpfs-2024q3).
_WHY_NOT_PAID = {
    "B": "it counts as part of another service",
    "I": "Medicare uses another code for it",
    "N": "it is not covered",
}


def _lack_of_code_and_date(reading: Reading) -> str | None:
    return lack_of_codes(reading) or lack_of_date(reading)


# BR-01, BR-02: units of untimed codes, codes that are gone


def _untimed_units(reading: Reading) -> Iterator[Complaint]:
    untimed = [item for item in our_lines(reading) if item.procedure and item.procedure.basis is UnitBasis.UNTIMED]
    for code, lines in sorted(by_code(untimed).items()):
        if (units := sum_units(lines)) > 1:
            yield complain(
                reading,
                lines,
                f"{code} is billed with {units} units on one day. It is untimed: one unit, whatever the minutes. A "
                "second session of the same day, where it was ordered, can be argued on appeal only.",
                "Bill one unit a day.",
            )


UNTIMED_CODE_IN_UNITS = Rule(
    code="BIL001",
    name="untimed-code-in-units",
    title="An untimed code is billed with more than one unit a day",
    why="The NCCI policy manual says of treatment under these codes that one unit is reported on a single date of "
    "service, and the limits of units a day agree. Minutes do not make units of an untimed code.",
    sources=("cms-ncci-manual-1", "cms-mue-2024q3"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 2, "GN")),
        firing(line_of("92507", 4, "GN", minutes=60)),
        firing(line_of("92508", 2, "GN")),
        firing(line_of("92526", 1, "GN"), line_of("92526", 1, "GN", "76")),
        firing(line_of("92507", 2, "GN"), on=date(2026, 12, 31)),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN", minutes=60)),  # an hour is one unit all the same
        near_miss(line_of("92507", 1, "GN"), line_of("92526", 1, "GN")),  # two codes, one unit each
        near_miss(line_of("97129", 1, "GN"), line_of("97130", 2, "GN")),  # timed codes
        near_miss(line_of("96105", 2)),  # counted by the hour
        near_miss(line_of("92526", 1, "GN"), line_of("92526", 1, "GO")),  # the other line is occupational therapy's
    ),
    known_limits="A payer may pay a second ordered session of one day on appeal; the clinic can lower the level.",
    check=_untimed_units,
    needs=lack_of_units,
)


def _deleted_code(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    for code in sorted(set(billed_codes(reading))):
        if is_deleted(reading, code):
            deletion = reading.policy.tables.deletions[code]
            lines = [item for item in coded_lines(reading) if item.code == code]
            yield complain(
                reading,
                lines,
                f"{code} was last valid on {deletion.last_day}: {deletion.reason}.",
                "Bill the code that replaces it; ___ minutes were spent on ___ (each area of disorder).",
            )


DELETED_CODE = Rule(
    code="BIL002",
    name="deleted-code",
    title="The code is no longer valid on the date of service",
    why="A code is valid by date of service. The CPT Editorial Panel deleted the untimed code for individual treatment "
    "with the end of 2026 and put timed codes for each area of disorder in its place; an attempt to undo it failed in "
    "May 2026.",
    sources=("cpt-2027-slp", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN"), on=date(2027, 1, 1)),
        firing(on=date(2027, 6, 1), cpt="92507"),
        firing(line_of("92507", 1), on=date(2028, 2, 29), payer="Medicaid"),
        firing(line_of("97127", 1, "GN"), on=date(2020, 1, 1)),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN"), on=date(2026, 12, 31)),  # its last day
        near_miss(line_of("92526", 1, "GN"), on=date(2027, 1, 1)),  # another code
        near_miss(line_of("92507", 1, "GN"), on=None),  # no date of service
        near_miss(line_of("97127", 1, "GN"), on=date(2019, 12, 31)),  # its last day
    ),
    known_limits="The numbers of the new codes were not known when this was written; they are read from a table.",
    check=_deleted_code,
    needs=_lack_of_code_and_date,
)


# BR-03, BR-04: modifiers of the discipline


def _missing_gn(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    disciplines = reading.policy.tables.modifiers["discipline"]
    lines = [
        item
        for item in our_lines(reading)
        if item.procedure
        and item.procedure.therapy is not Therapy.UNKNOWN
        and item.procedure.scope is not Scope.OTHER
        and not item.modifiers & disciplines
    ]
    if lines:
        yield complain(
            reading,
            lines,
            f"{codes_of(lines)} is billed without GN, which Medicare wants on every line of outpatient therapy under a "
            "speech-language pathology plan of care.",
            "Add GN to the line.",
        )


def _lack_of_therapy(reading: Reading) -> str | None:
    lack = lack_of_procedures(reading)
    unsure = sorted(
        item.code
        for item in our_lines(reading)
        if item.procedure and item.procedure.therapy is Therapy.UNKNOWN and THIS_DISCIPLINE not in item.modifiers
    )
    return lack or (f"Whether {', '.join(unsure)} is outpatient therapy is not in the tables." if unsure else None)


DISCIPLINE_MISSING = Rule(
    code="BIL003",
    name="discipline-modifier-missing",
    title="A line of speech therapy has no GN",
    why="Medicare knows the discipline of a therapy line by GN, GO or GP and denies an always-therapy code without "
    "one; a sometimes-therapy code needs it when it is given under a therapy plan.",
    sources=("cms-cr-10176", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1)),
        firing(line_of("92507", 1, "GN"), line_of("92526", 1, "59")),
        firing(line_of("97129", 1)),
        firing(line_of("92523", 1, "95")),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN")),  # it is there
        near_miss(line_of("92507", 1), payer="Medicaid"),  # another payer
        near_miss(line_of("97530", 1, "GP")),  # a line of physical therapy
        near_miss(line_of("92612", 1)),  # no list of therapy codes says that it is one
    ),
    known_limits="Medicare Advantage and other payers that copy Medicare may want it too; the clinic's settings say "
    "so.",
    check=_missing_gn,
    needs=_lack_of_therapy,
    payers=MEDICARE,
)


def _wrong_discipline(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    groups = reading.policy.tables.modifiers
    disciplines, assistants = groups["discipline"], groups["assistant"]
    for item in coded_lines(reading):
        found = item.modifiers & disciplines
        others = ", ".join(sorted(found - {THIS_DISCIPLINE}))
        if len(found) > 1:
            message = f"{item.code} carries {', '.join(sorted(found))}; a line belongs to one discipline."
        elif THIS_DISCIPLINE in found and item.modifiers & assistants:
            named = ", ".join(sorted(item.modifiers & assistants))
            message = f"{item.code} carries {named} with GN; assistants of other disciplines alone are marked so."
        elif others and item.procedure and item.procedure.takes_gn_only:
            message = f"{item.code} carries {others}; Medicare takes this code with GN alone."
        elif others and (is_by_author(item, reading) or (item.procedure and item.procedure.scope is Scope.OWN)):
            message = f"{item.code} carries {others} on a line of the speech-language pathologist."
        else:
            continue
        yield complain(
            reading, [item], message, "Keep the one modifier of the plan of care that the service was under."
        )


WRONG_DISCIPLINE = Rule(
    code="BIL004",
    name="discipline-modifiers-at-odds",
    title="Modifiers of discipline contradict each other or the code",
    why="Exactly one of GN, GO and GP says whose plan of care a line is under; some evaluation codes are taken with GN "
    "alone. CQ and CO mark assistants of physical and occupational therapy; speech-language pathology has none.",
    sources=("cms-cr-10176", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN", "GP")),
        firing(line_of("92507", 1, "GN", "CQ")),
        firing(line_of("92521", 1, "GO")),
        firing(line_of("92526", 1, "GN", "CO"), on=None),
        firing(line_of("92526", 1, "GO", clinician="slp-7"), clinician_id="slp-7"),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN")),  # one modifier
        near_miss(line_of("97530", 1, "GO", "CO")),  # an occupational therapy assistant's line
        near_miss(
            line_of("92526", 1, "GO", clinician="ot-2"), clinician_id="slp-7"
        ),  # an occupational therapist's line
        near_miss(line_of("92507", 1, "GN", "CQ"), payer="Medicaid"),  # another payer
    ),
    known_limits="A shared code with GO or GP and no clinician is taken for another discipline's line.",
    check=_wrong_discipline,
    needs=lack_of_lines,
    payers=MEDICARE,
)


# BR-27, BR-29: what Medicare does not pay, and telehealth


def _not_paid(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    procedures = reading.policy.tables.procedures
    for status, why in _WHY_NOT_PAID.items():
        codes = [code for code in sorted(set(billed_codes(reading))) if _has_status(procedures.get(code), status)]
        if codes:
            yield complain(
                reading,
                [item for item in our_lines(reading) if item.code in codes],
                f"{' and '.join(codes)}: status {status} in Medicare's fee schedule, not paid: {why}.",
                "Bill the code that Medicare pays for the service, or tell the patient that it is not covered.",
            )


def _has_status(procedure: Procedure | None, status: str) -> bool:
    return procedure is not None and procedure.medicare_status == status


NOT_PAID_BY_MEDICARE = Rule(
    code="BIL027",
    name="code-unpaid-by-medicare",
    title="Medicare does not pay for the code",
    why="The fee schedule gives each code a status: some are bundled into other services, some are not valid for "
    "Medicare, some are not covered.",
    sources=("cms-mpfs-2024q3",),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92606", 1, "GN")),
        firing(line_of("92605", 1, "GN"), line_of("92618", 1, "GN")),
        firing(line_of("92630", 1, "GN")),
        firing(line_of("92633", 1, "GN")),
        firing(cpt="96110"),
    ),
    silent=(
        near_miss(line_of("92633", 1, "GN"), payer="Aetna"),  # another payer may want it
        near_miss(line_of("92607", 1, "GN")),  # the device that speaks is paid for
        near_miss(line_of("92507", 1, "GN")),  # what Medicare takes in its place
    ),
    known_limits="The status is that of the third quarter of 2024.",
    check=_not_paid,
    needs=lack_of_known_codes,
    payers=MEDICARE,
)


def _telehealth_lines(reading: Reading) -> list[CodedLine]:
    if reading.policy is None:
        return []
    tables = reading.policy.tables
    by_modifier, by_place = tables.modifiers["telehealth"], tables.places["telehealth"]
    return [item for item in our_lines(reading) if item.modifiers & by_modifier or place_of(item, reading) in by_place]


def _telehealth_ended(reading: Reading) -> Iterator[Complaint]:
    through = reading.policy.telehealth_through if reading.policy else None
    on = reading.note.date_of_service
    if through is None or on is None or on <= through:
        return
    lines = _telehealth_lines(reading)
    if lines:
        yield complain(
            reading,
            lines,
            f"{codes_of(lines)} is billed as telehealth; the law lets speech-language pathologists give it until "
            f"{through}.",
            "Look up whether the law was renewed, and set the new date in the clinic's settings if it was.",
        )


def _lack_of_telehealth(reading: Reading) -> str | None:
    lack = lack_of_lines(reading) or lack_of_date(reading)
    if lack or reading.policy is None:
        return lack
    listed = reading.policy.tables.telehealth_codes
    if not listed and _telehealth_lines(reading):
        return "The list of codes that Medicare pays for by telehealth is not here; the codes were not held against it."
    return None


TELEHEALTH_ENDED = Rule(
    code="BIL029",
    name="telehealth-ended",
    title="Telehealth is billed after the law that allows it ends",
    why="Speech-language pathologists may give Medicare telehealth by a law with an end date.",
    sources=("caa-2026", "ngs-telehealth-2024"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92526", 1, "GN", "95"), on=date(2028, 1, 1)),
        firing(line_of("92526", 1, "GN", place="10"), on=date(2028, 1, 3)),
        firing(line_of("92526", 1, "GN"), on=date(2028, 6, 1), place_of_service="2"),
        firing(line_of("92526", 1, "GN", "93"), on=date(2028, 1, 3)),
    ),
    silent=(
        near_miss(line_of("92526", 1, "GN", "95"), on=date(2027, 12, 31)),  # the last day
        near_miss(line_of("92526", 1, "GN"), on=date(2028, 1, 3), place_of_service="11"),  # in the office
        near_miss(line_of("92526", 1, "GN", "95"), on=date(2028, 1, 3), payer="Medicaid"),  # another payer
    ),
    known_limits="Sees telehealth by modifier and place of service; a renewed law is set in the clinic's settings. "
    "Which codes are on Medicare's list is checked once the list is loaded.",
    check=_telehealth_ended,
    needs=_lack_of_telehealth,
    payers=MEDICARE,
)


# BR-37: place of service


def _in_hospital(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None:
        return
    hospital = reading.policy.tables.places["hospital"]
    lines = [
        item
        for item in our_lines(reading)
        if item.line.form is not ClaimForm.INSTITUTIONAL
        and item.procedure
        and item.procedure.is_facility_barred
        and place_of(item, reading) in hospital
    ]
    if lines:
        yield complain(
            reading,
            lines,
            f"{codes_of(lines)} is billed with place of service {place_of(lines[0], reading)}. In a hospital the "
            "hospital bills for therapy; an independent therapist is not paid for this code there.",
            "Check the place of service and who bills.",
        )


def _lack_of_place(reading: Reading) -> str | None:
    lack = lack_of_procedures(reading)
    missing = any(
        not place_of(item, reading) and item.line.form is not ClaimForm.INSTITUTIONAL for item in our_lines(reading)
    )
    return lack or ("A claim line has no place_of_service." if missing else None)


THERAPIST_IN_HOSPITAL = Rule(
    code="BIL037",
    name="independent-therapist-in-hospital",
    title="An independent therapist bills for therapy in a hospital",
    why="The fee schedule bars independent therapists from payment for therapy codes in hospital inpatient and "
    "outpatient settings; the hospital bills for them on its own claim.",
    sources=("cms-mpfs-2024q3", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN", place="22")),
        firing(line_of("92526", 1, "GN"), place_of_service="21"),
        firing(line_of("92610", 1, "GN", place="19", form=ClaimForm.PROFESSIONAL)),
        firing(line_of("92523", 1, "GN", place="23")),
    ),
    silent=(
        near_miss(line_of("92507", 1, "GN", place="11")),  # in the office
        near_miss(line_of("92507", 1, "GN", place="22", form=ClaimForm.INSTITUTIONAL)),  # the hospital's claim
        near_miss(line_of("97129", 1, "GN", place="22")),  # the code is not barred
        near_miss(line_of("92507", 1, "GN")),  # no place of service
    ),
    known_limits="A line that does not say what form it is on is taken for a professional one.",
    check=_in_hospital,
    needs=_lack_of_place,
    payers=MEDICARE,
)


# BR-39: habilitative or rehabilitative


def _habilitative_missing(reading: Reading) -> Iterator[Complaint]:
    if reading.policy is None or not reading.policy.needs_habilitative_modifier:
        return
    tables = reading.policy.tables
    lines = [item for item in our_lines(reading) if not item.modifiers & tables.modifiers["habilitative"]]
    if lines:
        yield complain(
            reading,
            lines,
            f"{codes_of(lines)} has neither {_HABILITATIVE} nor {_REHABILITATIVE}, which this payer wants on every "
            "line.",
            "Add the modifier that the goals support: a skill is learned, or a skill is regained.",
        )


HABILITATIVE_MISSING = Rule(
    code="BIL038",
    name="habilitative-modifier-missing",
    title="The payer wants to know whether a skill is learned or regained",
    why="Plans with separate limits for habilitative and rehabilitative visits count a line by its modifier; some want "
    "one on every line of speech therapy.",
    sources=("aota-96-97",),
    level=Level.WARNING,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "GN"), payer="commercial-habilitative"),
        firing(line_of("92507", 1), payer="Marketplace"),
        firing(line_of("92507", 1, "96"), line_of("92526", 1), payer="Commercial", on=None),
    ),
    silent=(
        near_miss(line_of("92507", 1, "96"), payer="commercial-habilitative"),  # habilitative
        near_miss(line_of("92507", 1, "97"), payer="commercial-habilitative"),  # rehabilitative
        near_miss(line_of("92507", 1, "GN")),  # Medicare does not ask
    ),
    known_limits="Which plans want it is the clinic's to say.",
    check=_habilitative_missing,
    needs=lack_of_lines,
    payers=("commercial-habilitative",),
)


def _habilitative_both(reading: Reading) -> Iterator[Complaint]:
    for item in our_lines(reading):
        if {_HABILITATIVE, _REHABILITATIVE} <= item.modifiers:
            yield complain(
                reading,
                [item],
                f"{item.code} carries {_HABILITATIVE} and {_REHABILITATIVE}; a service is one or the other.",
                "Keep the one that the goals support: a skill is learned, or a skill is regained.",
            )


HABILITATIVE_BOTH = Rule(
    code="BIL039",
    name="habilitative-and-rehabilitative",
    title="One line is called habilitative and rehabilitative",
    why="96 says that a skill is learned, 97 that it is regained.",
    sources=("aota-96-97",),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        firing(line_of("92507", 1, "96", "97")),
        firing(line_of("92507", 1, "GN", "97", "96"), payer="Aetna"),
        firing(line_of("92526", 1, "96", "97"), on=None),
    ),
    silent=(
        near_miss(line_of("92507", 1, "96")),  # one of them
        near_miss(line_of("92507", 1, "97")),  # the other
        near_miss(line_of("92507", 1, "96"), line_of("92526", 1, "97")),  # on two lines
    ),
    known_limits="Does not ask whether the goals fit the modifier.",
    check=_habilitative_both,
    needs=lack_of_lines,
)


RULES = (
    UNTIMED_CODE_IN_UNITS,
    DELETED_CODE,
    DISCIPLINE_MISSING,
    WRONG_DISCIPLINE,
    NOT_PAID_BY_MEDICARE,
    TELEHEALTH_ENDED,
    THERAPIST_IN_HOSPITAL,
    HABILITATIVE_MISSING,
    HABILITATIVE_BOTH,
)
"""The rules of this module, by code."""
