"""DXC: a diagnosis code is wrong, or the note does not bear it out.

What is known of the codes stands in the reading's ``coding``. The first three rules and the one on pairs need the codes
and the date of service alone; the others weigh the words of the note, and say nothing where these are not plain.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from fnmatch import fnmatchcase

from analyzer.rules.rule import NO_DATE, TREATMENT_KINDS, Complaint, Rule, example, whole_note
from analyzer.types import (
    CODABLE,
    UNJUDGED_KINDS,
    Certainty,
    CodeOrder,
    CodeSuggestion,
    Kind,
    Label,
    Level,
    Mention,
    Reading,
    Status,
    TypedCode,
)

_DISORDERS = frozenset({"treating", "symptom", "manifest"})
_UNTREATED = frozenset({"etiology", "status", "history"})
_OTHER = "Other "  # begins the titles of codes that are no more specific than an unspecified one
# By the notes of split train: with less, words that only resemble those of a disorder set the rules off. The last two
# are of the typed code itself: below them its words do not make up for what is said of it. Too few notes call a code
# uncertain to choose the first of these on; it is set by the rule's own examples.
_LIKELY = 0.7  # probability from which a code counts as supported by the words
_HARDLY, _UNSUPPORTED = 0.9, 0.1


def _once(reading: Reading) -> tuple[TypedCode, ...]:
    """Return the typed codes, each at its first place."""
    found: dict[str, TypedCode] = {}
    for typed in reading.coding.typed:
        found.setdefault(typed.code, typed)
    return tuple(found.values())


def _spoken_of(typed: TypedCode, certainty: Certainty) -> tuple[Mention, ...]:
    """Return the words that name a code's disorder with some certainty.

    Synonyms of codes are left out: most of them are names, but some are words of everyday treatment.
    """
    return tuple(m for m in typed.mentions if m.certainty is certainty and not m.row.startswith("codes/"))


def _claimed(reading: Reading) -> tuple[TypedCode, ...]:
    """Return the codes in the order of the claim: those of the record, else those of the text."""
    typed = reading.coding.typed
    return tuple(code for code in typed if code.start is None) or typed


def _complain(reading: Reading, typed: TypedCode, message: str, fix: str) -> Complaint:
    span = whole_note(reading) if typed.start is None or typed.end is None else (typed.start, typed.end)
    return Complaint(*span, message=message, fix=fix)


def _named(code: TypedCode | CodeSuggestion) -> str:
    return f"{code.code} ({code.title})" if code.title else code.code


def _probability(suggestion: CodeSuggestion) -> float:
    return suggestion.probability or 0.0


def _likely(reading: Reading) -> tuple[CodeSuggestion, ...]:
    """Return the billable codes that the words plainly support, were no code typed."""
    return tuple(s for s in reading.coding.supported if s.billable and _probability(s) >= _LIKELY)


def _problem(typed: TypedCode, message: str) -> str:
    """Put together what is wrong with a code, what to ask, and the codes that may stand in its place."""
    offers = f"To consider: {', '.join(typed.successors)}." if typed.successors else ""
    return " ".join(filter(None, (message, typed.advice, offers)))


# What the rules on validity lack


def _lack_of_day(reading: Reading) -> str | None:
    """Return why it cannot be said whether codes are valid; nothing where there are none."""
    typed = reading.coding.typed
    if typed and reading.note.date_of_service is None:
        return NO_DATE
    return _lack_of_release(reading)


def _lack_of_release(reading: Reading) -> str | None:
    return next((code.advice for code in reading.coding.typed if code.standing == "date_not_covered"), None)


# Codes alone

_APHASIA = "Aphasia. Named 14 of 20 pictures with moderate phonemic cues."


def _expired_or_future(reading: Reading) -> Iterator[Complaint]:
    on = reading.note.date_of_service
    if on is None:
        return
    for typed in _once(reading):
        if typed.standing == "not_valid_on_date" or (typed.standing == "not_billable" and typed.valid_until):
            yield _complain(
                reading,
                typed,
                _problem(typed, f"{_named(typed)} is not valid on {on}."),
                "Which of the codes that are valid on the day does the record bear out: ___?",
            )


EXPIRED_OR_FUTURE = Rule(
    code="DXC001",
    name="code-expired-or-future",
    title="The diagnosis code is not valid on the date of service",
    why="Codes come and go with a release, on the first of October, January or April. The date of service decides, "
    "not the "
    "day of writing; a claim with a code that is not valid on it is returned.",
    sources=("cms-mce-44", "icd10cm-tabular"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        example(f"Dx: [[G35]]. {_APHASIA}", date_of_service=date(2025, 10, 1)),
        example(f"Dx: [[G31.87]]. {_APHASIA}", date_of_service=date(2025, 9, 30)),
        example(f"[[{_APHASIA}]]", diagnoses=("Z87.890",), date_of_service=date(2026, 10, 1)),
        example(f"[[{_APHASIA}]]", diagnoses=("F50.2",), date_of_service=date(2024, 10, 1)),
    ),
    silent=(
        example(f"Dx: G35. {_APHASIA}", date_of_service=date(2025, 9, 30)),  # its last day
        example(f"Dx: G31.87. {_APHASIA}", date_of_service=date(2025, 10, 1)),  # its first day
        example(_APHASIA, diagnoses=("Z87.890",), date_of_service=date(2026, 9, 30)),  # its last day
        example(f"Dx: G35. {_APHASIA}"),  # no date of service
        example(_APHASIA, diagnoses=("R63.3",), date_of_service=date(2025, 10, 1)),  # never valid, which DXC002 says
    ),
    known_limits="Says nothing of days outside of the releases that the tables cover. An inpatient claim goes by the "
    "date of "
    "discharge, which a record does not hold.",
    check=_expired_or_future,
    needs=_lack_of_day,
)


def _category(reading: Reading) -> Iterator[Complaint]:
    for typed in _once(reading):
        if typed.standing == "not_billable" and typed.valid_until is None:
            yield _complain(
                reading,
                typed,
                _problem(typed, f"{_named(typed)} cannot stand on a claim."),
                "Which code below it does the record bear out: ___?",
            )


CATEGORY_AS_CODE = Rule(
    code="DXC002",
    name="category-as-code",
    title="The diagnosis code is a category and not a complete code",
    why="A code is to be used with as many characters as there are for it; a category with codes below it is not valid "
    "for reporting.",
    sources=("icd10cm-tabular", "icd10cm-guidelines"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        example("[[Feeding therapy: accepted 6 of 10 spoons of puree.]]", diagnoses=("R63.3",)),
        example("[[Dysarthria. Overarticulation in phrases with moderate cues.]]", diagnoses=("G20",)),
        example(f"Dx: [[I69.32]]. {_APHASIA}"),
        example("Dx: [[R41.84]]. Memory log with moderate cues.", date_of_service=date(2026, 5, 4)),
    ),
    silent=(
        # complete codes
        example("Feeding therapy: accepted 6 of 10 spoons of puree.", diagnoses=("R63.32",)),
        example(f"Dx: I69.320. {_APHASIA}"),
        example(
            "Dysarthria. Overarticulation in phrases with moderate cues.", diagnoses=("C12",)
        ),  # three are complete
        # complete until the day before, which DXC001 says
        example(_APHASIA, diagnoses=("G35",), date_of_service=date(2025, 10, 1)),
        # a room
        example(f"Seen in room G20. {_APHASIA}"),
    ),
    known_limits="A category without a dot is taken for a code only in the record, or after a word such as diagnosis.",
    check=_category,
    needs=_lack_of_release,
)


def _foreign_or_unknown(reading: Reading) -> Iterator[Complaint]:
    for typed in _once(reading):
        if typed.standing == "who_only":
            message, fix = f"{_named(typed)} is not in ICD-10-CM.", "Which code does the record bear out: ___?"
        elif typed.standing == "unknown":
            message, fix = f"{typed.code} is not a code.", "Which code was meant: ___?"
        else:
            continue
        yield _complain(reading, typed, _problem(typed, message), fix)


FOREIGN_OR_UNKNOWN = Rule(
    code="DXC003",
    name="code-foreign-or-unknown",
    title="The diagnosis code does not exist in ICD-10-CM",
    why="A claim takes ICD-10-CM alone. The WHO's ICD-10 has codes that ICD-10-CM lacks, and lists copied from it hold "
    "them; a misspelled code is returned like one that does not exist.",
    sources=("icd10cm-2026", "cuewise-icd10"),
    level=Level.ERROR,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        example(f"Dx: [[F80.3]]. {_APHASIA}"),
        example("[[Fast, irregular speech. Paused at phrases in 8 of 10 sentences.]]", diagnoses=("F98.6",)),
        example("Dx: [[R47.O1]]. Named 14 of 20 pictures with moderate phonemic cues."),
        example(f"[[{_APHASIA}]]", diagnoses=("R47.011",)),
    ),
    silent=(
        # the codes that are meant
        example("Dx: G40.802. Named 14 of 20 pictures with moderate phonemic cues."),
        example("Fast, irregular speech. Paused at phrases in 8 of 10 sentences.", diagnoses=("F80.81",)),
        example(_APHASIA, diagnoses=("r4701",)),  # only its case and dot
        example("Version B47.X1 of the app. Named 14 of 20 pictures."),  # nothing says that it is a code
    ),
    known_limits="What looks like no known code is taken for one only in the record, or after a word such as "
    "diagnosis.",
    check=_foreign_or_unknown,
)


# Codes against the words


def _unspecified(reading: Reading) -> Iterator[Complaint]:
    codes = _once(reading)
    written = {typed.code for typed in codes}
    for typed in codes:
        if not typed.is_unspecified or typed.role not in _DISORDERS:
            continue
        better = [
            suggestion
            for suggestion in _likely(reading)
            if suggestion.code[:3] == typed.code[:3]
            and suggestion.role in _DISORDERS
            and not suggestion.is_unspecified
            and not suggestion.title.startswith(_OTHER)
            and _probability(suggestion) > typed.support
        ]
        if better and not any(suggestion.code in written for suggestion in better):
            yield _complain(
                reading,
                typed,
                f"{_named(typed)} is unspecified; the words of the note support {_named(better[0])}.",
                "Is the more specific code what was found? If so, put it: ___.",
            )


UNSPECIFIED_CODE = Rule(
    code="DXC004",
    name="unspecified-code",
    title="The code is unspecified although the note says more",
    why="Each encounter is coded to the greatest certainty that is known for it; an unspecified code is for a record "
    "that "
    "does not say more.",
    sources=("icd10cm-guidelines", "cuewise-icd10"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Dx: [[F80.9]]. Mixed receptive-expressive language disorder. Followed 2-step directions 6 of 10 times "
            "with "
            "moderate cues."
        ),
        example("Dx [[R13.10]]. Oropharyngeal dysphagia. Chin tuck with thin liquids, moderate cues."),
        example("Dx [[I69.920]]. Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues."),
        example("[[Hoarse voice. Resonant voice in phrases, moderate cues.]]", diagnoses=("R49.9",)),
    ),
    silent=(
        # the specific code
        example("Dx R13.12. Oropharyngeal dysphagia. Chin tuck with thin liquids, moderate cues."),
        # the note says no more
        example("Dx R13.10. Dysphagia. Chin tuck with thin liquids, moderate cues."),
        # both
        example("Dx R13.10, R13.12. Oropharyngeal dysphagia. Chin tuck with thin liquids, moderate cues."),
        # the specific one is not certain
        example("Dx R13.10. Dysphagia, possibly oropharyngeal. Chin tuck with thin liquids, moderate cues."),
    ),
    known_limits="Speaks of the disorders that are treated, and not of their causes.",
    check=_unspecified,
)


def _untreated_first(reading: Reading) -> Iterator[Complaint]:
    claimed = () if reading.kind in UNJUDGED_KINDS else _claimed(reading)
    first = next((typed for typed in claimed if typed.role), None)
    if first is None or not _is_beside_the_point(first, reading.coding.typed):
        return
    areas = {area for typed in reading.coding.typed for area in (typed.area, *typed.covers)}
    treated = next((s for s in _likely(reading) if s.role in _DISORDERS), None)
    if treated is None or treated.area in areas:
        return
    yield _complain(
        reading,
        first,
        f"{_named(first)} stands first; the words of the note support {_named(treated)}, for which no code stands.",
        "What was treated in this session? Put its code first: ___.",
    )


def _is_beside_the_point(first: TypedCode, typed: Sequence[TypedCode]) -> bool:
    """Whether a first code is no code of a disorder and no other one is either, or of a disorder that no words name."""
    if first.role in _DISORDERS:
        return first.support < _UNSUPPORTED and first.certainty is None
    return first.role in _UNTREATED and not any(other.role in _DISORDERS for other in typed)


UNTREATED_FIRST = Rule(
    code="DXC005",
    name="treated-disorder-uncoded",
    title="The first code is not of the disorder that was treated",
    why="The code that stands first is of the condition that is chiefly responsible for the service. For therapy that "
    "is the "
    "disorder that was treated; a disease, a status or a past event behind it comes after.",
    sources=("icd10cm-guidelines", "cuewise-icd10"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("[[G20.A1]]. Dysarthria in Parkinson disease. LSVT, 78 dB in phrases with moderate cues."),
        example(
            "Dx: [[Z86.73]]. Oropharyngeal dysphagia after stroke. Chin tuck with thin liquids, moderate cues; cough "
            "on 2 "
            "of 10."
        ),
        example(
            "[[Oropharyngeal dysphagia. Chin tuck with thin liquids, moderate cues; cough on 2 of 10.]]",
            diagnoses=("R47.1",),
        ),
        example("Dx: [[F80.0]]. Stuttering. Easy onset in phrases with moderate cues, 3 stuttered words in 100."),
    ),
    silent=(
        # the disorder has a code
        example("R47.1, G20.A1. Dysarthria in Parkinson disease. LSVT, 78 dB in phrases with moderate cues."),
        # the same, from the record
        example(
            "G20.A1. Dysarthria in Parkinson disease. LSVT, 78 dB in phrases with moderate cues.",
            diagnoses=("R47.1", "G20.A1"),
        ),
        # the disease comes first, as some payers ask
        example("G20.A1, R47.1. Dysarthria in Parkinson disease. LSVT, 78 dB in phrases with moderate cues."),
        # the disease is what is treated
        example("Dx: G31.84. Mild cognitive impairment. Memory log with moderate cues.", diagnoses=("G31.84",)),
        # no disorder is plain
        example("G20.A1. Seen for 30 minutes. Good session."),
    ),
    known_limits="Speaks only where no code at all stands for the disorder; a disorder that the words do not make "
    "plain is "
    "not missed.",
    check=_untreated_first,
)


def _order(reading: Reading) -> Iterator[Complaint]:
    likely = {suggestion.code: suggestion for suggestion in _likely(reading)}
    spoken: set[str] = set()
    for order in reading.coding.orders:
        then = next((typed for typed in _claimed(reading) if typed.code == order.then), None)
        if then is None or order.then in spoken or fnmatchcase(order.then, _UNSETTLED):
            continue
        if order.first.startswith(_SEQUELAE) and _is_acute(reading):
            continue
        if order.is_missing and order.first in likely:
            message = f"{_named(likely[order.first])} has to stand before {order.then}, and does not stand at all."
            fix = "Does the record bear out what has to come first? If so, put it before: ___."
        elif not order.is_missing and _is_one_list(reading, order):
            message = f"{order.first} has to stand before {order.then}."
            fix = "Change the order of the two codes."
        else:
            continue
        spoken.add(order.then)
        yield _complain(reading, then, f"{message} {order.reason}", fix)


_UNSETTLED = "F07.81"  # postconcussional syndrome stands before and after the injury in practice


def _is_acute(reading: Reading) -> bool:
    """Whether it is the stay for the stroke itself, which has a code of its own and no sequelae yet."""
    said = {mention.concept for mention in reading.coding.mentions if mention.certainty in CODABLE}
    is_coded = any(typed.code.startswith(_STROKES) for typed in reading.coding.typed)
    return is_coded or bool(said & _ACUTE) or "acute" in (reading.note.setting or "").casefold().split()


_ACUTE = frozenset({"stroke-acute", "acute-care"})
_SEQUELAE, _STROKES = "I69.", ("I60", "I61", "I62", "I63")


def _is_one_list(reading: Reading, order: CodeOrder) -> bool:
    """Whether two codes stand in the record, or in one sentence of the text, so that their order says something."""
    claimed = _claimed(reading)
    places = [next((typed for typed in claimed if typed.code == code), None) for code in (order.first, order.then)]
    first, then = places
    if first is None or then is None:
        return False
    if first.start is None or then.start is None:
        return True
    return any(s.start <= then.start and first.start < s.end for s in reading.segments)


CODES_OUT_OF_ORDER = Rule(
    code="DXC006",
    name="codes-out-of-order",
    title="A code that has to come first is missing or stands after",
    why="Notes of the tabular list say “code first”: a manifestation or a residual does not stand before, or without, "
    "the "
    "code of what it comes from, where that is known.",
    sources=("icd10cm-tabular",),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("Dx [[R13.12]]. Oropharyngeal dysphagia after stroke. Chin tuck with thin liquids, moderate cues."),
        example(
            "[[Oropharyngeal dysphagia after stroke. Chin tuck with thin liquids, moderate cues.]]",
            diagnoses=("R13.12", "I69.391"),
        ),
        example("Dx: [[R41.841]], G20.A1. Cognitive-communication deficit in Parkinson disease. Memory log."),
        example("Dx: [[F02.80]]. Alzheimer's disease with dementia. Spaced retrieval of her room number."),
        example("Dx: [[R47.82]]. Neurogenic stuttering, Parkinson disease. Easy onset in phrases."),
    ),
    silent=(
        # in order
        example(
            "Dx I69.391, R13.12. Oropharyngeal dysphagia after stroke. Chin tuck with thin liquids, moderate cues."
        ),
        # in the order of the claim, whatever that of the text
        example(
            "Dx R13.12, I69.391. Oropharyngeal dysphagia after stroke. Chin tuck with thin liquids, moderate cues.",
            diagnoses=("I69.391", "R13.12"),
        ),
        # no cause is said
        example("Dx R13.12. Oropharyngeal dysphagia. Chin tuck with thin liquids, moderate cues."),
        # two lines that say which code is for what
        example("Treatment: R41.841\nMedical: G20.A1\nCognitive-communication deficit. Memory log."),
        # no note of the tabular list
        example("Dx: R47.1, G20.A1. Dysarthria in Parkinson disease. LSVT, 78 dB in phrases."),
    ),
    known_limits="Takes codes of one sentence for a list in order. After a head injury both orders are in use, and "
    "nothing is "
    "said.",
    check=_order,
)


def _excluded_pair(reading: Reading) -> Iterator[Complaint]:
    codes = {typed.code: typed for typed in reversed(reading.coding.typed)}
    spoken: set[str] = set()
    for conflict in reading.coding.conflicts:
        if conflict.other in spoken or conflict.other not in codes:
            continue
        spoken.add(conflict.other)
        yield _complain(
            reading,
            codes[conflict.other],
            f"{conflict.code} and {conflict.other} exclude each other; the note at {conflict.sits_at} says: "
            f"“{conflict.note}”.",
            "Which of the two does the record bear out, or are they unrelated because ___?",
        )


EXCLUDED_PAIR = Rule(
    code="DXC007",
    name="codes-excluding-each-other",
    title="Two codes exclude each other",
    why="What an Excludes1 note of the tabular list names is not coded together with the code that it stands at, "
    "unless the "
    "two conditions are unrelated.",
    sources=("icd10cm-2026", "icd10cm-guidelines"),
    level=Level.WARNING,
    status=Status.STABLE,
    since="0.1.0",
    fires=(
        example("R47.01, [[I69.320]]. Named 14 of 20 pictures with moderate phonemic cues."),
        example("[[Memory log with moderate cues.]]", diagnoses=("G31.84", "R41.841")),
        example("Dx: F80.1 and [[F80.2]]. Followed 2-step directions 6 of 10 times."),
        example("[[Modelled CV shapes with tactile cues.]]", diagnoses=("R48.2", "F80.0")),
        example("Dx: F84.0, [[F80.82]]. Kept a topic for 3 turns with visual cues."),
    ),
    silent=(
        # one alone
        example("I69.320. Named 14 of 20 pictures with moderate phonemic cues."),
        # pairs that may stand together
        example("Modelled CV shapes with tactile cues.", diagnoses=("R48.2", "F80.2")),
        example("Dx: F84.0, F80.2. Kept a topic for 3 turns with visual cues."),
        example("Dx: F80.0 and F80.1. Followed 2-step directions 6 of 10 times."),
    ),
    known_limits="Holds the notes among the codes that speech-language pathology uses. Cannot tell whether two "
    "conditions are "
    "unrelated.",
    check=_excluded_pair,
)


def _uncertain(reading: Reading) -> Iterator[Complaint]:
    if _is_inpatient(reading):
        return
    for typed in _once(reading):
        if typed.role not in _DIAGNOSES or typed.is_unspecified or typed.code.startswith(_INJURIES):
            continue
        if typed.certainty is not Certainty.UNCERTAIN or typed.support >= _HARDLY:
            continue
        labels = [reading.labels[mention.segment] for mention in _spoken_of(typed, Certainty.UNCERTAIN)]
        if all(found & {Label.GOAL, Label.PLAN} for found in labels):
            continue
        yield _complain(
            reading,
            typed,
            f"{_named(typed)} is coded; the note calls it probable, suspected or still to be ruled out.",
            "Is it established, and by whom: ___? If not, which finding is certain: ___?",
        )


_DIAGNOSES = _DISORDERS | {"etiology"}
_INJURIES = "S"  # what is uncertain of an injury in these notes is what it has left behind
# IV.H is for outpatients; of a hospital stay what is probable at discharge is coded.
_INPATIENT = ("inpatient", "acute", "irf", "nicu")


def _is_inpatient(reading: Reading) -> bool:
    setting = (reading.note.setting or "").casefold()
    return any(word in setting for word in _INPATIENT) or reading.note.place_of_service == "21"


UNCERTAIN_DIAGNOSIS = Rule(
    code="DXC008",
    name="uncertain-diagnosis-coded",
    title="A diagnosis is coded that the note does not call certain",
    why="For outpatients what is documented as probable, suspected, questionable or to be ruled out is not coded; the "
    "signs, "
    "symptoms or findings that are certain are.",
    sources=("icd10cm-guidelines",),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("Dx: [[R48.2]]. Rule out childhood apraxia of speech. Modelled CV shapes with tactile cues; 6 of 10."),
        example("Possible aphasia, [[R47.01]]. Named 6 of 10 pictures with moderate phonemic cues."),
        example(
            "[[Probable mild cognitive impairment; taught a memory log with moderate cues.]]", diagnoses=("G31.84",)
        ),
    ),
    silent=(
        # certain
        example("Dx: R48.2. Childhood apraxia of speech. Modelled CV shapes with tactile cues; 6 of 10."),
        # certain elsewhere in the note
        example("Aphasia. Possible worsening of aphasia since Monday, R47.01. Named 6 of 10 pictures."),
        # a hospital stay
        example(
            "Possible aphasia, R47.01. Named 6 of 10 pictures with moderate phonemic cues.", setting="acute inpatient"
        ),
        # something else is uncertain
        example("Dx: R48.2. Childhood apraxia of speech; possible dyslexia. Modelled CV shapes; 6 of 10."),
    ),
    known_limits="Silent once the note calls the same diagnosis certain anywhere, and about unspecified codes, which "
    "leave open what is uncertain.",
    check=_uncertain,
)


def _contradicted(reading: Reading) -> Iterator[Complaint]:
    for typed in _once(reading):
        said = _denied(typed) or _after_stroke(reading, typed) or _onset(reading, typed)
        if said is not None:
            yield _complain(reading, typed, *said)


def _denied(typed: TypedCode) -> tuple[str, str] | None:
    if typed.certainty not in _DENIALS or typed.role not in _DISORDERS or typed.support >= _UNSUPPORTED:
        return None
    if not _spoken_of(typed, typed.certainty):
        return None
    how = _DENIALS[typed.certainty]
    return f"{_named(typed)} is coded; the note {how}.", "Is it present in this patient now, and what shows it: ___?"


_DENIALS = {
    Certainty.NEGATED: "says that there is none",
    Certainty.RESOLVED: "says that it has resolved",
    Certainty.FAMILY: "speaks of it in the family alone",
}


def _after_stroke(reading: Reading, typed: TypedCode) -> tuple[str, str] | None:
    """Say that a symptom has a code of its own after the stroke that the note documents."""
    if not any(fnmatchcase(typed.code, pattern) for pattern in _AFTER_STROKE):
        return None
    if _is_acute(reading) or any(other.code.startswith(_SEQUELAE) for other in reading.coding.typed):
        return None
    likely = {suggestion.code: suggestion for suggestion in _likely(reading)}
    sequel = next((likely[code] for code in typed.better if code in likely and code.startswith(_SEQUELAE)), None)
    if sequel is None:
        return None
    return (
        f"{_named(typed)} is for what no stroke has left behind; the note documents a stroke, and its words support "
        f"{_named(sequel)}.",
        "Is it what the stroke has left behind? If so, put the one code that says both: ___.",
    )


_AFTER_STROKE = ("R47.01", "R47.02", "R47.1", "R47.82", "F80.81", "R48.2", "R41.84?")


def _onset(reading: Reading, typed: TypedCode) -> tuple[str, str] | None:
    """Say that a fluency disorder began at another time of life than its code says.

    Only words beside the name of the disorder count: other things have an onset too.
    """
    about = {mention.segment for mention in typed.mentions}
    said = {m.concept for m in reading.coding.mentions if m.segment in about and m.certainty in CODABLE}
    against = {"F80.81": "onset-adult", "F98.5": "onset-childhood"}.get(typed.code)
    if against not in said or said >= {"onset-adult", "onset-childhood"}:
        return None
    code_says, note_says = ("childhood", "adulthood") if against == "onset-adult" else ("adulthood", "childhood")
    return (
        f"{_named(typed)} is for onset in {code_says}; the note says that it began in {note_says}.",
        "When did it begin, and after what: ___?",
    )


CONTRADICTED_CODE = Rule(
    code="DXC009",
    name="code-contradicted",
    title="The note speaks against the diagnosis code",
    why="The record has to bear out every code. A code of what is absent, past or a relative's, of a symptom that has "
    "a code "
    "of its own after a stroke, or of another onset is not borne out.",
    sources=("icd10cm-tabular", "icd10cm-guidelines"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("Dx [[R47.01]]. Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues."),
        example("[[Dysarthria after left CVA. Overarticulation in phrases, moderate cues.]]", diagnoses=("R47.1",)),
        example("Dx [[R47.01]]. No aphasia. Dysarthria in Parkinson disease. Overarticulation, moderate cues."),
        example("Dx: [[R13.12]]. Dysphagia has resolved. Voice therapy for dysphonia: easy onset with moderate cues."),
        example("Dx [[F98.5]]. Stutters since age 4. Easy onset in phrases with moderate cues."),
    ),
    silent=(
        # the code for what a stroke leaves behind
        example("Dx I69.320. Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues."),
        # another cause
        example("Dysarthria in Parkinson disease. Overarticulation in phrases, moderate cues.", diagnoses=("R47.1",)),
        # something else is absent
        example("Dx R47.1. No aphasia. Dysarthria in Parkinson disease. Overarticulation, moderate cues."),
        # the hospital stay for the stroke
        example("Dx: R47.01, I63.9. Acute L MCA stroke, day 2. Aphasia. Named 4 of 20 pictures."),
        # the code for onset in childhood
        example("Dx F80.81. Stutters since age 4. Easy onset in phrases with moderate cues."),
    ),
    known_limits="A contradiction in words that the lexicons do not know is not seen; nor is one to a code of a cause.",
    check=_contradicted,
)

_CODED_KINDS = TREATMENT_KINDS | {Kind.EVALUATION, Kind.PROGRESS_REPORT}


def _diagnosis_missing(reading: Reading) -> Iterator[Complaint]:
    coding = reading.coding
    if reading.kind not in _CODED_KINDS or coding.typed or coding.suggestions or coding.mentions:
        return
    if all(evidence.label is Label.PLAN for evidence in reading.evidence):
        return  # a visit that was missed may read as one that was made
    yield Complaint(
        *whole_note(reading),
        message="Nothing in the note says or shows what disorder was treated.",
        fix="Name the disorder that was treated: ___.",
    )


DIAGNOSIS_MISSING = Rule(
    code="DXC010",
    name="diagnosis-missing",
    title="Nothing in the note supports a diagnosis",
    why="A claim needs a diagnosis that the record bears out; a note from which no disorder can be told bears out "
    "none.",
    sources=("cuewise-icd10", "icd10cm-guidelines"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("[[Seen for 30 minutes. Good session. Continue POC.]]"),
        example("[[Group of 3. All took part and did well. Will see again next week.]]"),
        example("[[Progress report. 8 visits. Attendance good. Goals continued.]]"),
    ),
    silent=(
        # a disorder is named
        example("Seen for 30 minutes for aphasia. Good session. Continue POC."),
        # the record has it
        example("Seen for 30 minutes. Good session. Continue POC.", diagnoses=("R47.01",)),
        # no session
        example("Patient not seen today; refused. Will see again next week."),
        # what was treated shows it
        example("Group of 3. All produced /r/ in words with moderate cues."),
    ),
    known_limits="A payer may hold the plan of care, which names the diagnosis, to be enough.",
    check=_diagnosis_missing,
)

RULES: tuple[Rule, ...] = (
    EXPIRED_OR_FUTURE,
    CATEGORY_AS_CODE,
    FOREIGN_OR_UNKNOWN,
    UNSPECIFIED_CODE,
    UNTREATED_FIRST,
    CODES_OUT_OF_ORDER,
    EXCLUDED_PAIR,
    UNCERTAIN_DIAGNOSIS,
    CONTRADICTED_CODE,
    DIAGNOSIS_MISSING,
)
