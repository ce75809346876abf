"""BIL, from code 041: the words of the note and the claim line disagree.

Each rule compares what was billed with what the note shows of the session: group or individual, by video or in person,
swallowing or speech, evaluation or treatment, the device, a missed visit, minutes, date, discipline, diagnosis. What a
code asks a note to show stands in ``lexicons/facts/services.csv``. A note without a code is not compared with anything,
which ``not_run`` says.
"""

from collections.abc import Iterator
from datetime import date
from itertools import combinations

from analyzer.rules.record import signer_credential
from analyzer.rules.rule import (
    MEDICARE,
    NO_CODES,
    NO_DATE,
    NO_LINES,
    Complaint,
    Rule,
    example,
    has,
    is_treatment,
    whole_note,
)
from analyzer.types import (
    Assertion,
    ClaimLine,
    Credential,
    DateRole,
    Kind,
    Label,
    Level,
    Reading,
    Said,
    Status,
    WrittenDate,
)

_SWALLOWING = "dysphagia"
_WEAK = "-word"  # at the end of a row's name: a word that also stands in notes about other areas
_SEVERAL = 2
_TELEHEALTH_MODIFIERS = frozenset({"95", "93", "GT", "GQ"})
_TELEHEALTH_PLACES = frozenset({"02", "2", "10"})
_HABILITATIVE, _REHABILITATIVE = "96", "97"
_LEARNED = ("F80", "F84", "F81", "Q", "H90", "H91")  # codes, at their start, of what is learned for the first time
_REGAINED = ("I69", "S06", "C", "R47.01", "G20", "F03", "F02", "F01")  # likewise, of what was lost
_LIKELY = 0.4  # a code from here on is taken to be what the note is about
_TOLERANCE = 3  # minutes that note and claim may differ by: clocks are read at both ends
_NO_DIAGNOSES = "The record has no diagnoses with an area of speech-language pathology of their own."
# Areas that notes tell apart: what is within one is not called unrelated.
_GROUPS = (
    frozenset({"dysphagia"}),
    frozenset({"fluency"}),
    frozenset({"voice"}),
    frozenset({"dysarthria", "motor_speech_apraxia", "speech_sounds", "voice"}),
    frozenset({"aac", "aphasia", "aural", "cognition", "language", "social", "speech_sounds"}),
)


def _lack_of_codes(reading: Reading) -> str | None:
    return None if reading.facts.billed else NO_CODES


def _lack_of_lines(reading: Reading) -> str | None:
    return None if reading.note.claim_lines else NO_LINES


def _lack_of_date(reading: Reading) -> str | None:
    return NO_DATE if reading.note.date_of_service is None else None


def _lack_of_pairs(reading: Reading) -> str | None:
    gap = reading.policy.tables.gaps.get("pairs") if reading.policy else None
    return _lack_of_lines(reading) or _lack_of_date(reading) or gap


def _lack_of_diagnoses(reading: Reading) -> str | None:
    return None if _diagnoses(reading) else _NO_DIAGNOSES


def _complain(reading: Reading, said: tuple[Said, ...], lines: tuple[int, ...], *, message: str, fix: str) -> Complaint:
    """Complain of the first words that contradict the claim, or of the whole note."""
    start, end = (said[0].start, said[0].end) if said else whole_note(reading)
    return Complaint(start, end, message=message, fix=fix, lines=lines)


def _billed(reading: Reading, lines: tuple[int, ...]) -> str:
    return " and ".join(sorted({reading.facts.billed[line][0] for line in lines}))


def _strong(reading: Reading, *areas: str, today: bool = True) -> tuple[Said, ...]:
    """Return words that belong to some areas alone; all areas where none is named."""
    return tuple(
        said
        for said in reading.facts.areas
        if (not areas or said.fact in areas)
        and not said.row.endswith(_WEAK)
        and (not today or said.assertion is Assertion.PRESENT)
    )


def _weak(reading: Reading, area: str) -> tuple[Said, ...]:
    """Return words of today that belong to an area, but not to it alone."""
    return tuple(
        said
        for said in reading.facts.areas
        if said.fact == area and said.row.endswith(_WEAK) and said.assertion is Assertion.PRESENT
    )


def _modifiers(line: ClaimLine) -> frozenset[str]:
    return frozenset(modifier.strip().upper() for modifier in line.modifiers)


# Sessions and parts of a session


def _modifier_unsupported(reading: Reading) -> Iterator[Complaint]:
    facts, policy = reading.facts, reading.policy
    if policy is None or facts.mentions("separate") or len(facts.clocks) >= _SEVERAL:
        return
    bypassing = policy.tables.modifiers.get("pair", frozenset())
    lines = reading.note.claim_lines
    for first, second in combinations(range(len(lines)), 2):
        codes = frozenset({facts.billed[first][0], facts.billed[second][0]})
        pair = policy.tables.pairs.get(codes)
        if pair is None or not pair.with_modifier or codes in policy.tables.never_together:
            continue
        if (_modifiers(lines[first]) | _modifiers(lines[second])) & bypassing:
            yield Complaint(
                *whole_note(reading),
                message=f"{pair.first} and {pair.second} are billed together with a modifier that says they were "
                "separate; the note shows no separate session, time or clinician.",
                fix="If they were separate, say how: ___ (session, time or clinician). If not, bill one of them.",
                lines=(first, second),
            )


MODIFIER_UNSUPPORTED = Rule(
    code="BIL041",
    name="separate-service-undocumented",
    title="A modifier says that two services were separate, and the note does not show it",
    why="A modifier may not be used only to pass an edit: it stands for a separate encounter, time or practitioner, "
    "and the record has to show that. Different diagnoses alone do not.",
    sources=("cms-ncci-manual-1",),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example(
            "[[Aphasia: named 14 of 20 pictures. Device: found the food page in 3 of 5 trials.]]",
            date_of_service=date(2026, 3, 4),
            claim_lines=(ClaimLine("92609", 1, ("GN",)), ClaimLine("92507", 1, ("GN", "59"))),
        ),
        example(
            "[[GFTA-3 given, then the aphasia battery, 45 min in all.]]",
            date_of_service=date(2026, 3, 4),
            claim_lines=(ClaimLine("92523", 1, ("GN",)), ClaimLine("96105", 1, ("GN", "XE"))),
        ),
        example(
            "[[Group of 4, then each child alone at the end of it.]]",
            date_of_service=date(2026, 3, 4),
            claim_lines=(ClaimLine("92508", 1, ("GN",)), ClaimLine("92507", 1, ("GN", "59"))),
        ),
    ),
    silent=(
        # a separate session
        example(
            "Aphasia: named 14 of 20 pictures. Separate session in the afternoon for the device.",
            date_of_service=date(2026, 3, 4),
            claim_lines=(ClaimLine("92609", 1, ("GN",)), ClaimLine("92507", 1, ("GN", "59"))),
        ),
        # two times
        example(
            "9:00-9:30 group of 4.\n14:00-14:30 seen alone.",
            date_of_service=date(2026, 3, 4),
            claim_lines=(ClaimLine("92508", 1, ("GN",)), ClaimLine("92507", 1, ("GN", "59"))),
        ),
        # no modifier, which another rule says
        example(
            "Aphasia: named 14 of 20 pictures. Device: found the food page in 3 of 5 trials.",
            date_of_service=date(2026, 3, 4),
            claim_lines=(ClaimLine("92609", 1, ("GN",)), ClaimLine("92507", 1, ("GN",))),
        ),
        # no edit between the two
        example(
            "Aphasia: named 14 of 20 pictures. Lunch: chin tuck on every sip.",
            date_of_service=date(2026, 3, 4),
            claim_lines=(ClaimLine("92526", 1, ("GN",)), ClaimLine("92507", 1, ("GN", "59"))),
        ),
    ),
    known_limits="A second session that has a note of its own is not seen.",
    check=_modifier_unsupported,
    needs=_lack_of_pairs,
)


def _shows_evaluation(reading: Reading) -> bool:
    return reading.kind is Kind.EVALUATION or reading.facts.says("evaluation")


def _shows_treatment(reading: Reading) -> bool:
    if reading.facts.says("treatment") or has(reading, Label.TRAINING):
        return True
    return is_treatment(reading) and has(reading, Label.INTERVENTION, Label.CUEING, Label.DRILL, Label.RESPONSE)


def _parts_run_together(reading: Reading) -> Iterator[Complaint]:
    facts = reading.facts
    evaluations, treatments = facts.lines_of("evaluation"), facts.lines_of("treatment")
    if not evaluations or not treatments or reading.kind in (Kind.NO_SHOW, Kind.OTHER) or not reading.segments:
        return
    is_evaluated = _shows_evaluation(reading) or facts.mentions("evaluation-word")
    missing = [
        part
        for part, is_there in (("evaluation", is_evaluated), ("treatment", _shows_treatment(reading)))
        if not is_there
    ]
    if missing:
        lines = tuple(sorted((*evaluations, *treatments)))
        yield _complain(
            reading,
            (),
            lines,
            message=f"{_billed(reading, lines)} are billed for one day; this note shows no {' and no '.join(missing)}.",
            fix="Describe both, apart: what was tested and found ___; what was then treated, how, and with what result "
            "___. If a second note holds the other part, keep the two together.",
        )


PARTS_RUN_TOGETHER = Rule(
    code="BIL042",
    name="evaluation-and-treatment-indistinct",
    title="Evaluation and treatment of one day are not both described",
    why="No edit forbids evaluation and treatment on one day, but each has to be distinct and documented; without two "
    "descriptions one of them is unsupported, and some plans deny the pair.",
    sources=("cms-ncci-manual-11", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example(
            "[[Aphasia. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 pictures.]]",
            claim_lines=(ClaimLine("92523", 1), ClaimLine("92507", 1)),
        ),
        example(
            "[[Clinical swallow evaluation. Coughed on 3 of 5 thin sips. Recommend treatment twice a week.]]",
            claim_lines=(ClaimLine("92610", 1), ClaimLine("92526", 1)),
        ),
        example(
            "[[Initial speech evaluation. Referred by Dr. N. GFTA-3 standard score 74.]]",
            claim_lines=(ClaimLine("92522", 1), ClaimLine("92507", 1)),
        ),
    ),
    silent=(
        # both are described
        example(
            "Initial speech evaluation. GFTA-3 standard score 74. Treatment: /k/ shaped from a yawn, 6 of 10 with "
            "tactile cues.",
            claim_lines=(ClaimLine("92522", 1), ClaimLine("92507", 1)),
        ),
        # the evaluation alone is billed
        example(
            "Initial speech evaluation. Referred by Dr. N. GFTA-3 standard score 74.",
            claim_lines=(ClaimLine("92522", 1),),
        ),
        # the swallow was tested, then treated
        example(
            "Clinical swallow evaluation. Coughed on 3 of 5 thin sips. Then taught chin tuck: 1 of 5.",
            claim_lines=(ClaimLine("92610", 1), ClaimLine("92526", 1)),
        ),
    ),
    known_limits="Does not ask whether the two parts concern different skills; another note of the day is not read.",
    check=_parts_run_together,
    needs=_lack_of_codes,
)


def _timed_minutes_missing(reading: Reading) -> Iterator[Complaint]:
    facts, lines = reading.facts, reading.facts.lines_of("timed")
    if lines and reading.segments and not facts.minutes and not facts.clocks and reading.note.minutes is None:
        yield _complain(
            reading,
            (),
            lines,
            message=f"{_billed(reading, lines)} is billed by time, and the note records no minutes.",
            fix="State the timed minutes of each timed service: ___.",
        )


TIMED_MINUTES_MISSING = Rule(
    code="BIL043",
    name="timed-minutes-missing",
    title="A code that is billed by time has no minutes in the note",
    why="Units of a timed code follow from the minutes of treatment; the manual asks the note for total timed-code "
    "treatment minutes. Without minutes no unit is supported.",
    sources=("cms-mbpm-15-220.3", "cms-mcpm-5-20.2"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Attention: sorted mail with 2 redirections, mod verbal cues.]]", cpt="97129"),
        example("[[Caregiver training: wife taught to pace bites. Consent: verbal.]]", cpt="97550"),
        example("[[Aphasia battery given and scored; report written.]]", cpt="96105"),
    ),
    silent=(
        # minutes
        example("Attention: sorted mail with 2 redirections. Timed minutes 30.", cpt="97129"),
        # times
        example("In 9:02 Out 9:32. Caregiver training: wife taught to pace bites. Consent: verbal.", cpt="97550"),
        # an untimed code
        example("Aphasia: named 14 of 20 pictures with moderate phonemic cues.", cpt="92507"),
        # the record gives them
        example("Attention: sorted mail with 2 redirections, mod verbal cues.", cpt="97129", minutes=30),
    ),
    known_limits="Any minutes of the session count; minutes on the claim line do not.",
    check=_timed_minutes_missing,
    needs=_lack_of_codes,
)


# What was treated


def _swallowing_as_speech(reading: Reading) -> Iterator[Complaint]:
    lines = reading.facts.lines_of("treatment", "speech")
    if not is_treatment(reading) or not lines or reading.facts.lines_of("treatment", "swallowing"):
        return
    swallowing = _strong(reading, _SWALLOWING)
    words = {reading.note.text[said.start : said.end].lower() for said in swallowing}
    others = [said for said in _strong(reading, today=False) if said.fact != _SWALLOWING]
    if len(words) >= _SEVERAL and not others:
        yield _complain(
            reading,
            swallowing,
            lines,
            message=f"The note is about swallowing alone; {_billed(reading, lines)} is for speech, language and voice, "
            "and treatment of swallowing is 92526.",
            fix="Bill the code for treatment of swallowing, or describe the speech treatment that was given: ___.",
        )


SWALLOWING_AS_SPEECH = Rule(
    code="BIL044",
    name="swallowing-billed-as-speech",
    title="Treatment of swallowing is billed as treatment of speech",
    why="The code for treatment of speech, language and voice does not cover swallowing, which has a code of its own, "
    "92526; on one day both may be billed when both are documented.",
    sources=("cms-ncci-manual-11", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Dysphagia]] therapy at lunch. Chin tuck cued on thin liquids, 1 cough in 12 sips.", cpt="92507"),
        example("Seen at breakfast. [[Swallowed]] 10 ml of nectar twice per bolus with verbal cues.", cpt="92507"),
        example(
            "Effortful [[swallow]] x 20, Mendelsohn x 10 with biofeedback. No aspiration signs.",
            claim_lines=(ClaimLine("92507", 1, ("GN",)),),
        ),
    ),
    silent=(
        # the right code
        example("Dysphagia therapy at lunch. Chin tuck cued on thin liquids, 1 cough in 12 sips.", cpt="92526"),
        # both are billed
        example(
            "Dysphagia therapy at lunch. Chin tuck cued on thin liquids, 1 cough in 12 sips.",
            claim_lines=(ClaimLine("92507", 1, ("GN",)), ClaimLine("92526", 1, ("GN",))),
        ),
        # speech was treated too
        example(
            "Dysphagia: chin tuck cued on thin liquids. Aphasia: named 14 of 20 pictures with phonemic cues.",
            cpt="92507",
        ),
        # swallowing is mentioned in passing
        example("Aphasia: named 14 of 20 pictures with phonemic cues. Swallow is fine.", cpt="92507"),
    ),
    known_limits="Any word that belongs to another area alone, and stands anywhere in the note, silences it.",
    check=_swallowing_as_speech,
    needs=_lack_of_codes,
)


def _swallowing_absent(reading: Reading) -> Iterator[Complaint]:
    lines = reading.facts.lines_of("treatment", "swallowing")
    if not is_treatment(reading) or not lines or not reading.segments:
        return
    swallowing = any(said.fact == _SWALLOWING for said in reading.facts.areas)
    techniques = {technique.area for item in reading.evidence for technique in item.techniques}
    if not swallowing and _SWALLOWING not in techniques:
        yield _complain(
            reading,
            (),
            lines,
            message=f"{_billed(reading, lines)} is for treatment of swallowing or feeding; the note speaks of neither.",
            fix="Bill the code for what was treated, or describe the treatment of swallowing: ___.",
        )


SWALLOWING_ABSENT = Rule(
    code="BIL045",
    name="swallowing-undocumented",
    title="Treatment of swallowing is billed, and the note shows none",
    why="Each service billed has to be recorded in words that can be compared with its code.",
    sources=("cms-mbpm-15-220.3", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Aphasia: named 14 of 20 pictures with moderate phonemic cues.]]", cpt="92526"),
        example("[[Stuttering: easy onsets in phrases, 8 of 10, model faded.]]", cpt="92526"),
        example("[[Initial /k/ in words, 8 of 10 with tactile cues.]]", claim_lines=(ClaimLine("92526", 1, ("GN",)),)),
    ),
    silent=(
        # swallowing
        example("Chin tuck on thin liquids, no cough in 12 sips. Named 14 of 20 pictures.", cpt="92526"),
        # feeding
        example("Took 60 ml by slow-flow nipple in side-lying, paced every 4 sucks.", cpt="92526"),
        # another code
        example("Aphasia: named 14 of 20 pictures with moderate phonemic cues.", cpt="92507"),
    ),
    known_limits="One word about food, drink or the mouth at work silences it.",
    check=_swallowing_absent,
    needs=_lack_of_codes,
)


def _device_as_speech(reading: Reading) -> Iterator[Complaint]:
    facts, lines = reading.facts, reading.facts.lines_of("treatment", "speech", "individual")
    if not is_treatment(reading) or not lines or facts.lines_of("treatment", "device"):
        return
    named, trained = facts.of("device"), facts.of("device-training")
    pages = [said for said in _weak(reading, "aac") if said.start not in {each.start for each in named}]
    if not named or not (trained or len(pages) >= _SEVERAL):
        return
    if has(reading, Label.INTERVENTION, Label.CUEING, Label.RESPONSE, Label.TRAINING):
        yield _complain(
            reading,
            trained or named,
            lines,
            message="Training with a speech-generating device is described; Medicare's code for it is 92609, and "
            f"{_billed(reading, lines)} covers work with aids that do not speak.",
            fix="If the session was training with the device, bill the code for that; if not, say what else was "
            "treated: ___.",
        )


DEVICE_AS_SPEECH = Rule(
    code="BIL051",
    name="device-training-billed-as-speech",
    title="Training with a speech-generating device is billed as treatment of speech",
    why="Treatment with a speech-generating device, with its programming, has a code of its own; for Medicare only "
    "work with aids that do not generate speech is part of the treatment of speech and language.",
    sources=("cms-ncci-ptp-2024q3", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example(
            "SGD: SLP [[programmed two words on his page set]], and he found each with a gesture cue, 4 of 6.",
            cpt="92507",
        ),
        example(
            "Eye gaze system [[recalibrated for her device]]; asked for help in 3 of 5 with gesture cues.", cpt="92507"
        ),
        example("Used TouchChat. Requested food [[on her device]] 5 of 8 with pointing cues.", cpt="92507"),
    ),
    silent=(
        # the right code
        example(
            "SGD: SLP programmed two words on his page set, and he found each with a gesture cue, 4 of 6.", cpt="92609"
        ),
        # an aid that does not speak
        example("Communication board: pointed to food in 5 of 8 with pointing cues.", cpt="92507"),
        # another payer
        example("Used TouchChat. Requested food on her device 5 of 8 with cues.", cpt="92507", payer="commercial"),
        # the device is planned
        example(
            "Aphasia: named 14 of 20 with cues. Next visit: SGD trial, words to be added on his device.", cpt="92507"
        ),
    ),
    known_limits="Does not tell a session about the device from one in which it is at hand; a session may be both.",
    check=_device_as_speech,
    needs=_lack_of_codes,
    payers=MEDICARE,
)


# Group or individual


def _group_as_individual(reading: Reading) -> Iterator[Complaint]:
    facts, lines = reading.facts, reading.facts.lines_of("treatment", "speech", "individual")
    if not lines or facts.lines_of("group") or facts.mentions("individual") or not is_treatment(reading):
        return
    said = facts.of("group")
    if said or reading.kind is Kind.GROUP:
        yield _complain(
            reading,
            said,
            lines,
            message=f"The note describes a group; {_billed(reading, lines)} is for one patient alone, and a group is "
            "92508 for each patient in it.",
            fix="Bill the code for group treatment, or say when and how the patient was seen alone: ___.",
        )


GROUP_AS_INDIVIDUAL = Rule(
    code="BIL046",
    name="group-billed-as-individual",
    title="A group session is billed as individual treatment",
    why="A group is a code of its own; no modifier turns the code for individual treatment into one for a group. For "
    "Medicare Part B two patients at one time are a group.",
    sources=("cms-ncci-manual-1", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Group of 4 students]], artic cards. D. said /r/ in 8 of 10 words with a visual cue.", cpt="92507"),
        example("Speech room, [[grp of 3]]. Named 14 of 20 pictures with first-sound cues.", cpt="92507"),
        example("[[Seen with 2 other residents]] at lunch for conversation, 5 turns with cues.", cpt="92507"),
        example("[[Both residents were seen]] at one table. Named 6 of 10 with phonemic cues.", cpt="92507"),
    ),
    silent=(
        # alone
        example("Group cancelled, seen alone. D. said /r/ in 8 of 10 words with a visual cue.", cpt="92507"),
        # group of one
        example("Group size: 1. Named 14 of 20 pictures with first-sound cues.", cpt="92507"),
        # peers as listeners
        example("Told his story to two peers, clear in 8 of 10 sentences with a pacing cue.", cpt="92507"),
        # the right code
        example("Group of 4 students, artic cards. D. said /r/ in 8 of 10 words with a cue.", cpt="92508"),
    ),
    known_limits="Silent where the note also speaks of an individual session.",
    check=_group_as_individual,
    needs=_lack_of_codes,
)


def _individual_as_group(reading: Reading) -> Iterator[Complaint]:
    facts, lines = reading.facts, reading.facts.lines_of("treatment", "group")
    if lines and reading.kind is Kind.TREATMENT and reading.segments and not facts.mentions("group"):
        yield _complain(
            reading,
            facts.of("individual"),
            lines,
            message=f"{_billed(reading, lines)} is for a group; the note shows one patient.",
            fix="Bill the code for individual treatment, or say who else was in the group, and why a group: ___.",
        )


INDIVIDUAL_AS_GROUP = Rule(
    code="BIL047",
    name="individual-billed-as-group",
    title="Group treatment is billed, and the note shows one patient",
    why="Group treatment needs two or more patients, the reason for a group, and each patient's own goals and response "
    "in that patient's note.",
    sources=("cuewise-billing-8", "cms-mbpm-15-220.3"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Aphasia: named 14 of 20 pictures with moderate phonemic cues.]]", cpt="92508"),
        example("[[Seen individually]] in room 4. Said /r/ in 8 of 10 words with a visual cue.", cpt="92508"),
        example("[[Voice: hum shaped to phrases, 72 dB with a model.]]", claim_lines=(ClaimLine("92508", 1, ("GN",)),)),
    ),
    silent=(
        # a group
        example("Group of 4, artic cards. D. said /r/ in 8 of 10 words with a visual cue.", cpt="92508"),
        # a group by its title
        example("Social skills group, session 4\nTook 5 turns with a gesture cue.", cpt="92508"),
        # another code
        example("Aphasia: named 14 of 20 pictures with moderate phonemic cues.", cpt="92507"),
    ),
    known_limits="Peers who are called by name alone are not seen.",
    check=_individual_as_group,
    needs=_lack_of_codes,
)


def _group_response_missing(reading: Reading) -> Iterator[Complaint]:
    lines = reading.facts.lines_of("treatment", "group")
    if not lines or not is_treatment(reading) or not reading.segments:
        return
    if not has(reading, Label.RESPONSE, Label.MEASURE, Label.PROGRESS, Label.CUEING):
        yield _complain(
            reading,
            (),
            lines,
            message="A group is billed for this patient, and the note says nothing of how this patient did in it.",
            fix="Add this patient's goal, help and response in the group: ___.",
        )


GROUP_RESPONSE_MISSING = Rule(
    code="BIL048",
    name="group-response-missing",
    title="The note of a group says nothing of this patient's response",
    why="Group treatment is billed for each patient, and each patient's note has to show that patient's goals and "
    "response.",
    sources=("cuewise-billing-8", "cms-mbpm-15-220.3"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Social skills group, 4 students. Played a board game. All students participated.]]", cpt="92508"),
        example("[[Group of 3. Read a story about a farm and coloured the animals.]]", cpt="92508"),
        example("[[Cog grp, 4 pts. Current events were read aloud. Tolerated treatment well.]]", cpt="92508"),
    ),
    silent=(
        # this patient's response
        example("Social skills group, 4 students. D. took 5 of 8 turns with a gesture cue.", cpt="92508"),
        # an individual session
        example("Read a story about a farm and coloured the animals.", cpt="92507"),
        # data for this patient
        example("Group of 3. Read a story about a farm. Named 6 of 10 animals.", cpt="92508"),
    ),
    known_limits="A result of the whole group is taken for this patient's.",
    check=_group_response_missing,
    needs=_lack_of_codes,
)


# Evaluation, screening, missed visit


def _evaluation_as_treatment(reading: Reading) -> Iterator[Complaint]:
    facts, lines = reading.facts, reading.facts.lines_of("treatment")
    if reading.kind is not Kind.EVALUATION or not lines or facts.lines_of("evaluation"):
        return
    if not facts.says("treatment") and not has(reading, Label.TRAINING):
        yield _complain(
            reading,
            (),
            lines,
            message=f"The note is an evaluation and describes no treatment; {_billed(reading, lines)} is for "
            "treatment.",
            fix="Bill the code for the evaluation that was done, or describe the treatment that was given: ___.",
        )


EVALUATION_AS_TREATMENT = Rule(
    code="BIL049",
    name="evaluation-billed-as-treatment",
    title="An evaluation is billed as treatment",
    why="The codes for treatment do not include evaluation, which has codes of its own by area.",
    sources=("cms-ncci-manual-11", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Initial speech evaluation. Referred by Dr. N. GFTA-3 standard score 74.]]", cpt="92507"),
        example("[[Clinical swallow evaluation. Coughed on 3 of 5 thin sips.]]", cpt="92526"),
        example(
            "[[Voice evaluation. CAPE-V 45, hoarse and strained. Referred by ENT.]]",
            claim_lines=(ClaimLine("92507", 1, ("GN",)),),
        ),
    ),
    silent=(
        # the right code
        example("Initial speech evaluation. Referred by Dr. N. GFTA-3 standard score 74.", cpt="92522"),
        # treatment followed
        example(
            "Clinical swallow evaluation. Coughed on 3 of 5 thin sips. Then taught chin tuck: 1 of 5.", cpt="92526"
        ),
        # a session in which a probe was taken
        example("Treatment session. Probe of /r/: 8 of 10. SLP shaped it with a tactile cue.", cpt="92507"),
    ),
    known_limits="One sentence about treatment, even stimulability, silences it.",
    check=_evaluation_as_treatment,
    needs=_lack_of_codes,
)


def _treatment_as_evaluation(reading: Reading) -> Iterator[Complaint]:
    facts, lines = reading.facts, reading.facts.lines_of("evaluation")
    if not is_treatment(reading) or not lines or not reading.segments:
        return
    if facts.lines_of("treatment") or facts.lines_of("caregiver"):
        return
    if not facts.mentions("evaluation", "evaluation-word") and has(
        reading, Label.INTERVENTION, Label.CUEING, Label.DRILL, Label.RESPONSE
    ):
        yield _complain(
            reading,
            (),
            lines,
            message=f"{_billed(reading, lines)} is for evaluation; the note describes treatment and no test or "
            "examination.",
            fix="Bill the code for the treatment that was given, or describe what was evaluated and found: ___.",
        )


TREATMENT_AS_EVALUATION = Rule(
    code="BIL050",
    name="treatment-billed-as-evaluation",
    title="Treatment is billed as an evaluation",
    why="An evaluation has to show hands-on assessment with its findings; routine re-testing inside a course of "
    "treatment is part of treatment.",
    sources=("cms-mbpm-15-230.3", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Aphasia. SLP modelled the sentence and faded to a first-sound cue; named 14 of 20.]]", cpt="92523"),
        example("[[Chin tuck cued on thin liquids, 1 cough in 12 sips.]]", cpt="92610"),
        example("[[Easy onsets in phrases, 8 of 10, model faded.]]", claim_lines=(ClaimLine("92521", 1, ("GN",)),)),
    ),
    silent=(
        # an evaluation
        example("Initial speech evaluation. GFTA-3 standard score 74.", cpt="92522"),
        # treatment is billed too, which BIL042 looks at
        example(
            "Aphasia. SLP modelled the sentence and faded to a first-sound cue; named 14 of 20.",
            claim_lines=(ClaimLine("92523", 1), ClaimLine("92507", 1)),
        ),
        # something was tested
        example("Chin tuck cued on thin liquids after bedside exam, 1 cough in 12 sips.", cpt="92610"),
    ),
    known_limits="A word for a test or an examination anywhere in the note silences it.",
    check=_treatment_as_evaluation,
    needs=_lack_of_codes,
)


def _missed_visit_billed(reading: Reading) -> Iterator[Complaint]:
    facts = reading.facts
    lines = tuple(sorted({*facts.lines_of("treatment"), *facts.lines_of("evaluation"), *facts.lines_of("caregiver")}))
    if reading.kind is Kind.NO_SHOW and lines and reading.segments:
        yield _complain(
            reading,
            facts.of("missed"),
            lines,
            message=f"The note records a visit that did not take place; {_billed(reading, lines)} is billed.",
            fix="Take the line off the claim, or describe the service that was given: ___.",
        )


MISSED_VISIT_BILLED = Rule(
    code="BIL058",
    name="missed-visit-billed",
    title="A visit that did not take place is billed",
    why="A missed, cancelled or refused visit is no service; billing it is a false claim whatever else the record "
    "shows.",
    sources=("cms-mbpm-15-220.3", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[No show]], called twice.", cpt="92507"),
        example("Patient [[refused therapy]] x2, nurse aware.", cpt="92526"),
        example("[[Missed visit]], patient at dialysis.", claim_lines=(ClaimLine("92507", 1, ("GN",)),)),
    ),
    silent=(
        # nothing is billed
        example("No show, called twice."),
        # refused a part, and was treated
        example(
            "Refused the cookie, then took puree from a spoon with pacing cues, 8 of 10 bites without a cough.",
            cpt="92526",
        ),
        # an earlier visit was missed
        example("Missed last visit. Named 14 of 20 pictures with moderate phonemic cues today.", cpt="92507"),
    ),
    known_limits="Rests on the kind of the note.",
    check=_missed_visit_billed,
    needs=_lack_of_codes,
)


def _screening_as_evaluation(reading: Reading) -> Iterator[Complaint]:
    lines = reading.facts.lines_of("evaluation")
    if reading.kind is Kind.SCREENING and lines and reading.segments and not reading.facts.says("evaluation"):
        yield _complain(
            reading,
            (),
            lines,
            message=f"The note is a screening, which is not covered; {_billed(reading, lines)} is for an evaluation.",
            fix="Take the line off the claim, or describe the evaluation that was done hands-on: ___.",
        )


SCREENING_AS_EVALUATION = Rule(
    code="BIL059",
    name="screening-billed-as-evaluation",
    title="A screening is billed as an evaluation",
    why="An evaluation has to show hands-on assessment and be distinguishable from a screening, which is not covered.",
    sources=("ngs-l33580",),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Kindergarten speech screening results\nPassed the screen, teacher has no concerns.]]", cpt="92522"),
        example("[[Annual rehab screen. Voice clear, swallow fine. No eval indicated.]]", cpt="92610"),
        example("[[Language screen for preschool. Failed the screen, full eval recommended.]]", cpt="92523"),
    ),
    silent=(
        # nothing is billed
        example("Kindergarten speech screening results\nPassed the screen, teacher has no concerns."),
        # an evaluation after a screening
        example("Speech evaluation after a failed screen. GFTA-3 standard score 74.", cpt="92522"),
        # the code of a screening
        example("Language screen for preschool. Failed the screen, full eval recommended.", cpt="96110"),
    ),
    known_limits="Rests on the kind of the note.",
    check=_screening_as_evaluation,
    needs=_lack_of_codes,
)


# How and when


def _telehealth_claimed(reading: Reading) -> bool:
    note = reading.note
    places = {note.place_of_service, *(line.place_of_service for line in note.claim_lines)}
    modifiers = {modifier for line in note.claim_lines for modifier in _modifiers(line)}
    return bool(places & _TELEHEALTH_PLACES) or bool(modifiers & _TELEHEALTH_MODIFIERS)


def _every_line(reading: Reading) -> tuple[int, ...]:
    return tuple(range(len(reading.note.claim_lines)))


def _telehealth_unmarked(reading: Reading) -> Iterator[Complaint]:
    facts = reading.facts
    said = facts.of("telehealth")
    if not said or not reading.note.claim_lines or _telehealth_claimed(reading) or reading.kind is Kind.NO_SHOW:
        return
    if not facts.mentions("in-person", "relative-by-video"):
        yield _complain(
            reading,
            said,
            _every_line(reading),
            message="The note describes a session by video; the claim shows neither a telehealth modifier (95) nor "
            "place of service 02 or 10.",
            fix="Add the modifier and place of service that the payer asks for, or correct the note if the patient was "
            "there in person.",
        )


TELEHEALTH_UNMARKED = Rule(
    code="BIL052",
    name="telehealth-unmarked",
    title="A session by video is billed as one in person",
    why="Outpatient therapy by telehealth is marked by its modifier or place of service; sources differ on which of "
    "them a private practice uses, so any of them is accepted.",
    sources=("ngs-telehealth-2024", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example(
            "[[Video visit]], 40 min. Named 14 of 20 pictures with phonemic cues.",
            claim_lines=(ClaimLine("92507", 1, ("GN",)),),
            place_of_service="11",
        ),
        example("Seen [[by Zoom]], mom beside him.", claim_lines=(ClaimLine("92507", 1, ("GN",)),)),
        example(
            "[[Teletherapy]], 30 min. Easy onsets in phrases, 8 of 10.",
            claim_lines=(ClaimLine("92507", 1, ("GN",), place_of_service="11"),),
        ),
    ),
    silent=(
        # the modifier
        example("Video visit, 40 min. Named 14 of 20.", claim_lines=(ClaimLine("92507", 1, ("GN", "95")),)),
        # the place of service
        example("Seen by Zoom.", claim_lines=(ClaimLine("92507", 1, ("GN",)),), place_of_service="10"),
        # a video was watched
        example("Watched a video of the ball game, named 6 of 10.", claim_lines=(ClaimLine("92507", 1, ("GN",)),)),
        # planned
        example("Seen in clinic. Next visit by Zoom.", claim_lines=(ClaimLine("92507", 1, ("GN",)),)),
    ),
    known_limits="A relative who joins by video counts, unless the note also says that the patient was seen in person.",
    check=_telehealth_unmarked,
    needs=_lack_of_lines,
)


def _telehealth_undocumented(reading: Reading) -> Iterator[Complaint]:
    facts = reading.facts
    if not _telehealth_claimed(reading) or not reading.segments or reading.kind is Kind.NO_SHOW:
        return
    if not facts.mentions("telehealth"):
        yield _complain(
            reading,
            facts.of("in-person"),
            _every_line(reading),
            message="The claim is for telehealth; the note does not say that the session was held by video.",
            fix="State how the session was held: ___ (video), patient at ___, clinician at ___. If it was in person, "
            "correct the claim.",
        )


TELEHEALTH_UNDOCUMENTED = Rule(
    code="BIL053",
    name="telehealth-undocumented",
    title="Telehealth is billed, and the note does not show it",
    why="The note of a telehealth session states that it was held by audio and video, and where patient and clinician "
    "were; the claim's modifier or place of service has to agree with it.",
    sources=("ngs-telehealth-2024", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Seen bedside]] at breakfast, chin tuck cued.", claim_lines=(ClaimLine("92526", 1, ("GN", "95")),)),
        example(
            "[[Named 14 of 20 pictures with phonemic cues.]]",
            claim_lines=(ClaimLine("92507", 1, ("GN",)),),
            place_of_service="10",
        ),
        example(
            "[[Easy onsets in phrases, 8 of 10.]]",
            claim_lines=(ClaimLine("92507", 1, ("GN",), place_of_service="02"),),
        ),
    ),
    silent=(
        # the note says so
        example("Video visit. Named 14 of 20.", claim_lines=(ClaimLine("92507", 1, ("GN", "95")),)),
        # in person, and billed so
        example("Seen bedside at breakfast.", claim_lines=(ClaimLine("92526", 1, ("GN",)),), place_of_service="31"),
        # the platform is named
        example("Zoom, mom beside him. 8 of 10.", claim_lines=(ClaimLine("92507", 1, ("GN",)),), place_of_service="10"),
    ),
    known_limits="Any mention of video or of a connection silences it.",
    check=_telehealth_undocumented,
)


def _date_of_note(reading: Reading) -> WrittenDate | None:
    """Return the date of service that the note states, or the date that it opens with."""
    dates = reading.facts.dates
    stated = [written for written in dates if written.role is DateRole.SERVICE]
    opening = [written for written in dates if written.role is DateRole.OPENING and written.segment == 0]
    return stated[0] if len(stated) == 1 else opening[0] if len(opening) == 1 and not stated else None


def _service_date_differs(reading: Reading) -> Iterator[Complaint]:
    written, claimed = _date_of_note(reading), reading.note.date_of_service
    days = {claimed, *(line.date_of_service for line in reading.note.claim_lines)} - {None}
    if written is None or claimed is None or any(written.may_be(day) for day in days if day is not None):
        return
    if reading.kind in (Kind.PROGRESS_REPORT, Kind.DISCHARGE):
        return  # they head with the day they were written, or the period they cover
    yield Complaint(
        written.start,
        written.end,
        message=f"The note is dated otherwise than the record, which says {claimed.isoformat()}.",
        fix="Find out on which day the service was given, and correct the one that is wrong.",
        lines=tuple(range(len(reading.facts.billed))),
    )


SERVICE_DATE_DIFFERS = Rule(
    code="BIL054",
    name="service-date-contradicted",
    title="Note and claim give different dates of service",
    why="A claim is supported by the note of that day alone.",
    sources=("cms-mbpm-15-220.3", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[DOS: 3/5/2026]]\nNamed 14 of 20.", cpt="92507", date_of_service=date(2026, 3, 4)),
        example("[[Date: 3/4/25]]\nNamed 14 of 20.", cpt="92507", date_of_service=date(2026, 3, 4)),
        example("[[11/04]]  10:15-11:00  naming, 14 of 20.", date_of_service=date(2026, 4, 11)),
        example("[[Date of service: March 14, 2026]]\nNamed 14 of 20.", date_of_service=date(2026, 3, 4)),
    ),
    silent=(
        # the same day
        example("DOS: 3/4/2026\nNamed 14 of 20.", cpt="92507", date_of_service=date(2026, 3, 4)),
        # the same day, without its year
        example("Date: 3/4\nNamed 14 of 20.", cpt="92507", date_of_service=date(2026, 3, 4)),
        # a date of birth
        example("DOB: 3/5/2016\nNamed 14 of 20.", cpt="92507", date_of_service=date(2026, 3, 4)),
        # signed a day later
        example("Named 14 of 20.\nSigned: R. Quell, CCC-SLP 3/5/2026", date_of_service=date(2026, 3, 4)),
        # a score
        example("Named 10/12 pictures.", cpt="92507", date_of_service=date(2026, 3, 4)),
    ),
    known_limits="Reads dates month before day; a note that gives several dates of service is not compared.",
    check=_service_date_differs,
    needs=_lack_of_date,
)


def _minutes_differ(reading: Reading) -> Iterator[Complaint]:
    facts, note = reading.facts, reading.note
    written = facts.stated_minutes
    if written is None or not is_treatment(reading):
        return
    known = [line.minutes for line in note.claim_lines if line.minutes is not None]
    recorded = note.minutes
    if recorded is None and known and len(known) == len(note.claim_lines):
        recorded = sum(known)
    if recorded is None or abs(written - recorded) <= _TOLERANCE:
        return
    places = [(m.start, m.end) for m in facts.minutes if m.value == written]
    places += [(clock.start, clock.end) for clock in facts.clocks]
    start, end = places[0] if places else whole_note(reading)
    yield Complaint(
        start,
        end,
        message=f"The note gives {written} minutes, the record or claim {recorded}.",
        fix="Find out how long the service took, and correct the one that is wrong.",
        lines=tuple(range(len(facts.billed))),
    )


MINUTES_DIFFER = Rule(
    code="BIL061",
    name="minutes-contradicted",
    title="Note and claim give different minutes",
    why="Units of timed codes follow from the minutes in the note, and total minutes are part of every treatment note; "
    "a claim with other minutes is not supported by it.",
    sources=("cms-mbpm-15-220.3", "cms-mcpm-5-20.2"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Total treatment time: 30 min]]. Named 14 of 20 with phonemic cues.", cpt="92507", minutes=45),
        example("[[In 9:02 Out 9:32]]. Named 14 of 20 with phonemic cues.", cpt="92507", minutes=45),
        example(
            "[[Minutes: 23]]\nSorted mail with 2 redirections, mod verbal cues.",
            claim_lines=(ClaimLine("97129", 1, ("GN",), 15), ClaimLine("97130", 2, ("GN",), 23)),
        ),
        # one more than clocks may differ by
        example("[[Minutes: 41]]\nNamed 14 of 20 with phonemic cues.", cpt="92507", minutes=45),
    ),
    silent=(
        # the same
        example("Total treatment time: 45 min. Named 14 of 20 with phonemic cues.", cpt="92507", minutes=45),
        # clocks differ by so much
        example("Minutes: 42\nNamed 14 of 20 with phonemic cues.", cpt="92507", minutes=45),
        # minutes of a task
        example("Read aloud for 5 min at 72 dB with a model. Hum to phrase.", cpt="92507", minutes=45),
        # minutes that are planned
        example("Named 14 of 20 with phonemic cues.\nPlan: 30 min 2x/wk", cpt="92507", minutes=45),
    ),
    known_limits="Compares the sum of all lines; a line without minutes hinders that.",
    check=_minutes_differ,
)


# Caregiver training, discipline, diagnosis


def _patient_present(reading: Reading) -> Iterator[Complaint]:
    facts, lines = reading.facts, reading.facts.lines_of("caregiver")
    if not lines or facts.says("patient-absent"):
        return
    present = facts.of("patient-present")
    if present or (is_treatment(reading) and has(reading, Label.CUEING, Label.RESPONSE)):
        yield _complain(
            reading,
            present,
            lines,
            message=f"{_billed(reading, lines)} is for training a caregiver without the patient; the note shows the "
            "patient there.",
            fix="If the patient took part, training is part of that day's treatment; if not, say that the patient was "
            "absent.",
        )


PATIENT_PRESENT = Rule(
    code="BIL055",
    name="caregiver-training-with-patient",
    title="Training of a caregiver without the patient is billed, and the patient was there",
    why="These codes are for training while the patient is not present; with the patient there, training is part of "
    "the treatment that is billed for that day.",
    sources=("asha-caregiver-training",),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("Wife trained [[with the patient present]], 35 min. Consent: verbal.", cpt="97550"),
        example(
            "[[Wife gave the bites. He needed moderate verbal and tactile cues. 35 min, consent given.]]", cpt="97550"
        ),
        example(
            "[[Patient and wife seen]] for caregiver training, 40 min. Consent on file.",
            claim_lines=(ClaimLine("97550", 1, ("GN",)), ClaimLine("97551", 1, ("GN",))),
        ),
    ),
    silent=(
        # absent
        example("Wife trained without the patient present, 35 min. Consent: verbal.", cpt="97550"),
        # nothing speaks of the patient
        example("Caregiver training on pacing, 35 min. Consent on file.", cpt="97550"),
        # part of treatment
        example("Wife trained with the patient present: 8 of 10 sips without a cough.", cpt="92526"),
    ),
    known_limits="A performance that the caregiver reports may be taken for one of today.",
    check=_patient_present,
    needs=_lack_of_codes,
)


def _consent_missing(reading: Reading) -> Iterator[Complaint]:
    facts, lines = reading.facts, reading.facts.lines_of("caregiver")
    if lines and reading.segments and not facts.mentions("consent"):
        yield _complain(
            reading,
            (),
            lines,
            message="Training of a caregiver without the patient is billed, and the note records no consent.",
            fix="Record the patient's or the representative's consent, with its date; it may be verbal: ___.",
        )


CONSENT_MISSING = Rule(
    code="BIL056",
    name="caregiver-training-consent-missing",
    title="Consent to the training of a caregiver is not recorded",
    why="The patient or the representative has to consent to training a caregiver without the patient; since 2025 "
    "verbal consent suffices, and it has to be in the record.",
    sources=("asha-caregiver-training",),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Wife trained without the patient present, 35 min.]]", cpt="97550"),
        example("[[Caregiver training on pacing, 35 min, patient at dialysis.]]", cpt="97550"),
        example("[[Five caregivers in a group, 40 min, thickener mixed by each.]]", cpt="97552"),
    ),
    silent=(
        # verbal consent
        example("Wife trained without the patient present, 35 min. Verbal consent given today.", cpt="97550"),
        # consent on file
        example("Caregiver training on pacing, 35 min, patient at dialysis. Consent on file.", cpt="97550"),
        # part of treatment
        example("Wife taught to pace bites, 8 of 10 without a cough.", cpt="92526"),
    ),
    known_limits="Consent that stands in another document is not seen.",
    check=_consent_missing,
    needs=_lack_of_codes,
)


def _kind_of_loss(reading: Reading) -> frozenset[str]:
    """Say whether the record's diagnoses, or else the words, speak of skills to be learned or to be regained."""
    codes = tuple(code for code, _ in reading.facts.diagnosis_areas) or tuple(
        code.code for code in reading.coding.supported if (code.probability or 0.0) >= _LIKELY
    )
    found = set()
    for code in codes:
        if code.startswith(_LEARNED):
            found.add(_HABILITATIVE)
        if code.startswith(_REGAINED):
            found.add(_REHABILITATIVE)
    return frozenset(found)


def _habilitation_contradicted(reading: Reading) -> Iterator[Complaint]:
    kinds = _kind_of_loss(reading)
    if len(kinds) != 1:
        return
    (shown,) = kinds
    claimed = {_HABILITATIVE: _REHABILITATIVE, _REHABILITATIVE: _HABILITATIVE}[shown]
    words = {_HABILITATIVE: "learned for the first time", _REHABILITATIVE: "regained after a loss"}
    lines = tuple(
        at
        for at, line in enumerate(reading.note.claim_lines)
        if claimed in _modifiers(line) and shown not in _modifiers(line)
    )
    if lines:
        yield _complain(
            reading,
            (),
            lines,
            message=f"Modifier {claimed} says that skills are {words[claimed]}; the diagnosis is of skills "
            f"{words[shown]}.",
            fix="Say whether the skill is being learned or regained, and use the modifier for that.",
        )


HABILITATION_CONTRADICTED = Rule(
    code="BIL057",
    name="habilitation-contradicted",
    title="The habilitative or rehabilitative modifier does not fit the diagnosis",
    why="Plans with separate limits tell skills that are learned (96) from skills that are regained (97), and the "
    "record has to show which it is.",
    sources=("aota-96-97",),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example(
            "[[Late talker, two-word phrases 6 of 10 with a model.]]",
            diagnoses=("F80.1",),
            claim_lines=(ClaimLine("92507", 1, ("97",)),),
        ),
        example(
            "[[Aphasia after stroke. Named 14 of 20.]]",
            diagnoses=("I69.320",),
            claim_lines=(ClaimLine("92507", 1, ("GN", "96")),),
        ),
        example(
            "[[Stuttering, easy onsets 8 of 10.]]", diagnoses=("F80.81",), claim_lines=(ClaimLine("92507", 1, ("97",)),)
        ),
    ),
    silent=(
        # learned
        example(
            "Late talker, two-word phrases 6 of 10.",
            diagnoses=("F80.1",),
            claim_lines=(ClaimLine("92507", 1, ("96",)),),
        ),
        # regained
        example(
            "Aphasia after stroke. Named 14 of 20.",
            diagnoses=("I69.320",),
            claim_lines=(ClaimLine("92507", 1, ("97",)),),
        ),
        # both kinds of diagnosis
        example(
            "Autism, and aphasia after stroke.",
            diagnoses=("I69.320", "F84.0"),
            claim_lines=(ClaimLine("92507", 1, ("96",)),),
        ),
        # no modifier
        example("Late talker, two-word phrases 6 of 10.", diagnoses=("F80.1",), claim_lines=(ClaimLine("92507", 1),)),
    ),
    known_limits="Decides by the diagnoses; a voice or swallowing disorder alone decides nothing.",
    check=_habilitation_contradicted,
    needs=_lack_of_lines,
)


def _other_discipline(reading: Reading) -> Iterator[Complaint]:
    facts = reading.facts
    lines = tuple(sorted({*facts.lines_of("treatment"), *facts.lines_of("evaluation")}))
    if not lines:
        return
    signer = facts.signer
    if signer and signer_credential(facts) is Credential.OTHER_DISCIPLINE:
        start, end = signer.start, signer.end
    elif facts.says("other-discipline") and not any(
        set(signature.credentials) - {Credential.OTHER_DISCIPLINE} for signature in facts.signatures
    ):
        first = facts.of("other-discipline")[0]
        start, end = first.start, first.end
    else:
        return
    yield Complaint(
        start,
        end,
        message=f"The note is one of another discipline; {_billed(reading, lines)} is billed as speech-language "
        "pathology.",
        fix="Attach the speech-language pathology note of that day, or take the line off the claim.",
        lines=lines,
    )


OTHER_DISCIPLINE = Rule(
    code="BIL062",
    name="other-discipline-billed",
    title="The note is one of another discipline",
    why="Each discipline has its own plan and its own notes; a service under a speech-language pathology plan of care "
    "is supported by that clinician's note alone.",
    sources=("cms-mbpm-15-220.3", "cuewise-billing-8"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Occupational therapy daily note]]\nButtoned 4 of 5 with min assist.", cpt="92507"),
        example("Named 14 of 20 pictures.\n[[Signed: K. Moss, OTR/L]]", cpt="92507"),
        example("[[Discipline: PT]]\nWalked 60 ft with a walker.", claim_lines=(ClaimLine("92526", 1, ("GN",)),)),
    ),
    silent=(
        # a pathologist
        example("Named 14 of 20 pictures.\nSigned: K. Moss, CCC-SLP", cpt="92507"),
        # with the occupational therapist
        example("Co-treated with OT in the kitchen. Named 14 of 20 pictures with phonemic cues.", cpt="92507"),
        # the patient
        example("Pt daily log: 3 of 5 entries. Named 14 of 20 pictures.", cpt="92507"),
    ),
    known_limits="Sees a title, a discipline field or the author's credential.",
    check=_other_discipline,
    needs=_lack_of_codes,
)


def _groups_of(areas: frozenset[str]) -> frozenset[int]:
    return frozenset(at for at, group in enumerate(_GROUPS) if group & areas)


def _diagnoses(reading: Reading) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((code, frozenset(areas)) for code, areas in reading.facts.diagnosis_areas if areas)


def _diagnosis_unrelated(reading: Reading) -> Iterator[Complaint]:
    diagnosed = _diagnoses(reading)
    if not diagnosed or not is_treatment(reading) or len(diagnosed) < len(reading.facts.diagnosis_areas):
        return  # a cause such as Parkinson's disease may stand behind any disorder
    meant = frozenset(area for _, areas in diagnosed for area in areas)
    within = frozenset().union(*(_GROUPS[at] for at in _groups_of(meant)))
    if any(said.fact in within for said in reading.facts.areas):
        return
    treated = [said for said in _strong(reading) if said.fact not in within]
    if len({reading.note.text[said.start : said.end].lower() for said in treated}) >= _SEVERAL:
        codes = ", ".join(code for code, _ in diagnosed)
        yield Complaint(
            treated[0].start,
            treated[0].end,
            message=f"The note treats {treated[0].fact.replace('_', ' ')}; nothing in it belongs to {codes}.",
            fix="Add the diagnosis of the disorder that was treated, if it is established: ___.",
            lines=tuple(range(len(reading.facts.billed))),
        )


DIAGNOSIS_UNRELATED = Rule(
    code="BIL060",
    name="diagnosis-unrelated",
    title="The diagnosis has nothing to do with what was treated",
    why="A service is necessary for a condition; a claim whose diagnoses do not contain the disorder that was treated "
    "does not show why.",
    sources=("cms-mbpm-15-220.3", "cuewise-billing-8"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.2.0",
    fires=(
        example("[[Stuttering]]: easy onset in phrases, 8 of 10, model faded.", cpt="92507", diagnoses=("R13.12",)),
        example("[[Dysphagia]]: chin tuck on thin liquids, 1 cough in 12 sips.", cpt="92526", diagnoses=("F80.81",)),
        example("[[Aphasia]]: naming with SFA, 14 of 20.", cpt="92507", diagnoses=("R13.12",)),
    ),
    silent=(
        # the disorder
        example("Stuttering: easy onset in phrases, 8 of 10, model faded.", cpt="92507", diagnoses=("F80.81",)),
        # both were treated
        example("Aphasia: naming with SFA, 14 of 20. Swallow: 12 sips of thin.", cpt="92507", diagnoses=("R13.12",)),
        # a cause
        example("Aphasia: naming with SFA, 14 of 20.", cpt="92507", diagnoses=("G20.A1",)),
        # a neighbouring area
        example("Aphasia: naming with SFA, 14 of 20.", cpt="92507", diagnoses=("R41.841",)),
    ),
    known_limits="Tells apart swallowing, fluency, voice, speech production, and language with cognition; within one "
    "it says nothing. One word that belongs to the diagnosis silences it.",
    check=_diagnosis_unrelated,
    needs=_lack_of_diagnoses,
)

RULES: tuple[Rule, ...] = (
    MODIFIER_UNSUPPORTED,
    PARTS_RUN_TOGETHER,
    TIMED_MINUTES_MISSING,
    SWALLOWING_AS_SPEECH,
    SWALLOWING_ABSENT,
    GROUP_AS_INDIVIDUAL,
    INDIVIDUAL_AS_GROUP,
    GROUP_RESPONSE_MISSING,
    EVALUATION_AS_TREATMENT,
    TREATMENT_AS_EVALUATION,
    DEVICE_AS_SPEECH,
    TELEHEALTH_UNMARKED,
    TELEHEALTH_UNDOCUMENTED,
    SERVICE_DATE_DIFFERS,
    PATIENT_PRESENT,
    CONSENT_MISSING,
    HABILITATION_CONTRADICTED,
    MISSED_VISIT_BILLED,
    SCREENING_AS_EVALUATION,
    DIAGNOSIS_UNRELATED,
    MINUTES_DIFFER,
    OTHER_DISCIPLINE,
)
