"""DRL: patterns that read as unskilled drill, supervision or boilerplate.

A note in which no clinician is to be seen gets one complaint about the whole of it, for what it reads as; the other
rules mark single sentences in notes that show treatment elsewhere.
"""

from collections.abc import Iterator, Sequence
from enum import Enum, auto

from analyzer.rules.rule import (
    Complaint,
    Rule,
    example,
    has,
    hollow_techniques,
    is_treatment,
    row_of,
    shows_clinician,
    whole_note,
    words_of,
)
from analyzer.types import WEAK_LABELS, Evidence, Label, Level, Reading, Status

# Lexicon rows that tell the kinds of drill, pastime and filler apart.
_EXERCISES = frozenset({"evidence/dose-x", "weak/dose-sets", "weak/exercise-dose"})
_WATCHED = frozenset({"weak/unattended", "weak/watched"})
_MEAL = frozenset({"evidence/ate-amount", "weak/fed-patient", "weak/meal-ate"})
_SHEET = frozenset({"evidence/homework-word", "evidence/sheet-given", "weak/gave-sheet", "weak/sheet-home"})
_FILLER = frozenset(
    {
        "evidence/positive-filler",
        "weak/cooperative",
        "weak/did-well",
        "weak/good-session",
        "weak/no-issues",
        "weak/participated-well",
        "weak/tolerated",
    }
)

_RESULTS = (Label.RESPONSE, Label.MEASURE, Label.PROGRESS)
_SKILL = frozenset({Label.INTERVENTION, Label.CUEING, Label.REASONING, Label.TRAINING, Label.RESPONSE})
_FEW_STOCK_SENTENCES = 4  # fewer are a habit of writing, not what the note consists of


class _Reads(Enum):
    """What a note reads as in which no clinician is to be seen."""

    DRILL = auto()
    EXERCISES = auto()
    ACTIVITY = auto()
    JARGON = auto()
    BOILERPLATE = auto()


def _reads_as(reading: Reading) -> _Reads | None:
    """Say what the whole session reads as, or None where it shows treatment or says too little."""
    if not is_treatment(reading) or shows_clinician(reading):
        return None
    drill = reading.with_label(Label.DRILL)
    passive = _pastimes(reading)
    if drill and len(drill) >= len(passive):
        return _Reads.EXERCISES if _mostly(drill, _EXERCISES) else _Reads.DRILL
    if passive:
        return _Reads.ACTIVITY
    if has(reading, *_RESULTS):
        return None
    if hollow_techniques(reading):
        return _Reads.JARGON
    generic = reading.with_label(Label.GENERIC)
    if len(generic) > 1 and not has(reading, Label.PLAN, Label.NECESSITY, Label.FUNCTION):
        return _Reads.BOILERPLATE
    return None


def _pastimes(reading: Reading) -> list[Evidence]:
    return [evidence for evidence in reading.with_label(Label.PASSIVE) if row_of(evidence) not in _SHEET]


def _mostly(evidence: Sequence[Evidence], rows: frozenset[str]) -> bool:
    return sum(row_of(item) in rows for item in evidence) * 2 > len(evidence)


def _session_of_drill(reading: Reading) -> Iterator[Complaint]:
    if _reads_as(reading) is _Reads.DRILL:
        score = " with a score" if has(reading, Label.MEASURE) else ""
        yield Complaint(
            *whole_note(reading),
            message=f"The session is recorded as practice{score}; no technique, cue or decision of the clinician is "
            f"described.",
            fix="Say what made it treatment: targets ___ chosen because ___; you ___ (did), with ___ (cue); it "
            "changed ___.",
        )


SESSION_OF_DRILL = Rule(
    code="DRL001",
    name="session-of-drill",
    title="The session reads as repetitive practice that anyone could lead",
    why="What the patient or an untrained person can do safely and effectively is unskilled, even when a therapist "
    "does it. Repetition counts as dose within treatment that is described.",
    sources=("cms-mbpm-15-220.2", "asha-skilled-unskilled"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "[[Student seen in the speech room for 30 minutes. Practiced /r/ words 50x. Worksheet completed. Did "
            "well. Continue POC.]]"
        ),
        example(
            "[[Aphasia after stroke, 45 min. Flash cards x 20. Naming worksheet completed. Tolerated treatment well.]]"
        ),
        example(
            "[[Home visit, word-finding difficulty. Did flashcards and naming worksheets. Repeated words after "
            "therapist. 16/20 correct. Continue with plan of care.]]"
        ),
    ),
    silent=(
        # cued
        example(
            "Aphasia after stroke, 45 min. Flash cards x 20 with moderate verbal and phonemic cues. Naming "
            "worksheet completed. Tolerated treatment well."
        ),
        # the clinician's action
        example(
            'Student seen in the speech room for 30 minutes. SLP modelled /r/ and shaped it from a long "er" '
            "with the tongue tip up. Practiced /r/ words 50x. Did well. Continue POC."
        ),
        # performance is interpreted
        example(
            "Home visit, word-finding difficulty. Did flashcards and naming worksheets. 16/20 correct. Errors "
            "were semantic, which points to a breakdown at lexical access rather than in saying the word. "
            "Continue with plan of care."
        ),
    ),
    known_limits="Skill that is recorded only in another document is not seen.",
    check=_session_of_drill,
)


def _exercises_with_dose_only(reading: Reading) -> Iterator[Complaint]:
    if _reads_as(reading) is _Reads.EXERCISES:
        yield Complaint(
            *whole_note(reading),
            message="Exercises are listed with their dose; how they were selected, loaded, corrected or tolerated is "
            "missing.",
            fix="Add the skilled part: load ___ set because ___; you corrected ___ by ___; effort or data: ___.",
        )


EXERCISES_WITH_DOSE_ONLY = Rule(
    code="DRL002",
    name="exercises-with-dose-only",
    title="Exercises are listed with nothing but a dose",
    why="Repeating exercises that the patient can do alone is not skilled; choosing, grading and correcting them is.",
    sources=("cms-mbpm-15-220.2", "guide"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("[[Dysphagia therapy, seen bedside. Effortful swallow x10, Masako x10. Tolerated treatment well.]]"),
        example("[[Voice therapy, vocal fold nodules. Pitch glides x10, sustained vowels x10. Continue POC.]]"),
        example("[[SNF, oropharyngeal dysphagia. Shaker x 10. Masako x10. Continue POC.]]"),
    ),
    silent=(
        # cued
        example(
            "Dysphagia therapy, seen bedside. Effortful swallow x10, Masako x10. Needed moderate verbal and "
            "tactile cues. Tolerated treatment well."
        ),
        # the clinician's action
        example(
            "Voice therapy, vocal fold nodules. Pitch glides x10, sustained vowels x10. SLP modelled easy onset "
            "and shaped it from a hum to phrases. Continue POC."
        ),
        # practice of another kind, which DRL001 says
        example(
            "Aphasia after stroke, 45 min. Flash cards x 20. Naming worksheet completed. Tolerated treatment well."
        ),
    ),
    known_limits="Knows the common swallowing, voice and oral-motor exercises by name.",
    check=_exercises_with_dose_only,
)


def _near_skill(reading: Reading, index: int) -> bool:
    return any(reading.labels_of(segment) & _SKILL for segment in reading.segments[max(index - 1, 0) : index + 2])


def _part_without_skill(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or not shows_clinician(reading):
        return
    weak = sorted({evidence.segment for evidence in (*reading.with_label(Label.DRILL), *_pastimes(reading))})
    alone = [index for index in weak if not _near_skill(reading, index)]
    if alone:
        last = alone[0]
        for index in alone[1:]:
            if index != last + 1:
                break
            last = index
        also = " Other parts read alike." if alone[-1] > last else ""
        yield Complaint(
            words_of(reading.segments[alone[0]])[0],
            reading.segments[last].end,
            message=f"This part is recorded as practice or activity; its cue, feedback or purpose is missing.{also}",
            fix="Say how you led it: ___ (cue or feedback), changed when ___; or leave it out of the treatment time.",
        )


PART_WITHOUT_SKILL = Rule(
    code="DRL003",
    name="part-without-skill",
    title="Part of the session is practice or activity without a skilled element",
    why="Repetition is dose within a treatment that is described; standing alone, it is time that a caregiver could "
    "give.",
    sources=("asha-skilled-unskilled", "cms-mbpm-15-220.2"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Voice therapy for muscle tension dysphonia. SLP modelled easy onset and shaped it from a vowel to "
            "phrases. Tolerated treatment well. [[Vocal warm-up worksheet completed.]]"
        ),
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. Continue POC. "
            "[[Worksheet completed. Flash cards x 20.]]"
        ),
        example(
            "Preschooler with a language delay. SLP modelled two-word phrases and waited for a reply. Good "
            "session. [[Played bingo.]]"
        ),
    ),
    silent=(
        # the sentence beside it describes the treatment
        example(
            "Aphasia after stroke. Continue POC. Named 14 of 20 pictures with moderate phonemic cues. Flash cards x 20."
        ),
        # cued
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. Continue POC. Flash "
            "cards x 20 with moderate verbal and phonemic cues."
        ),
        # nothing else, which DRL004 says
        example("Preschooler with a language delay. Good session. Played bingo."),
    ),
    known_limits="Takes a sentence beside the practice as describing it, and misses one two sentences away. Marks "
    "the first such part only.",
    check=_part_without_skill,
)


def _activity_without_treatment(reading: Reading) -> Iterator[Complaint]:
    if _reads_as(reading) is not _Reads.ACTIVITY:
        return
    passive = _pastimes(reading)
    if _mostly(passive, _WATCHED):
        what = "The clinician watched or supervised"
    elif _mostly(passive, _MEAL | _WATCHED):
        what = "A meal and how much was eaten are recorded"
    else:
        what = "The session is recorded as an activity or company"
    yield Complaint(
        *whole_note(reading),
        message=f"{what}; no technique, cue, training or decision of the clinician is described.",
        fix="Say what you treated by it: target ___, elicited by ___ (model, cue or strategy); saw ___, therefore ___.",
    )


ACTIVITY_WITHOUT_TREATMENT = Rule(
    code="DRL004",
    name="activity-without-treatment",
    title="The session reads as supervision, a meal or a pastime",
    why="Supervision alone is not treatment, and activities for diversion are not therapy. A meal or game is "
    "treatment when the clinician analyses, models, cues or trains in it, and the note says so.",
    sources=("cms-mbpm-15-220.3", "cms-mbpm-15-220.2", "asha-skilled-unskilled"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "[[Day room group for residents with dementia. Played bingo and sang old songs. Tolerated treatment well.]]"
        ),
        example("[[Cognitive therapy, 30 min. Pt played iPad game while therapist supervised. No problems.]]"),
        example("[[Resident seen at lunch for dysphagia. Monitored lunch. Ate all of her lunch. Continue POC.]]"),
    ),
    silent=(
        # cued
        example(
            "Cognitive therapy, 30 min. Pt played iPad memory game with moderate verbal cues. Needed max cues to "
            "recall the rule. No problems."
        ),
        # a judgment is recorded
        example(
            "Resident seen at lunch for dysphagia. Monitored lunch. Cough came only after mixed textures, which "
            "points to poor bolus control, so soup was thickened. Continue POC."
        ),
        # mostly practice, which DRL001 says
        example("Aphasia after stroke, 45 min. Flash cards x 20. Naming worksheet completed. Played bingo."),
    ),
    known_limits="Cannot tell play that was set up to elicit a target where the note does not say so.",
    check=_activity_without_treatment,
)


def _sheet_sent_home(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.TRAINING):
        return
    for evidence in reading.with_label(Label.PASSIVE):
        if row_of(evidence) in _SHEET:
            yield Complaint(
                *words_of(reading.segments[evidence.segment]),
                message="A sheet was handed out, but nothing was taught with it.",
                fix="Say how it is to be used: taught ___ (person) to ___, ___ times a day; showed it by ___.",
            )
            return


SHEET_SENT_HOME = Rule(
    code="DRL005",
    name="sheet-sent-home",
    title="A sheet was given out without instruction",
    why="Teaching a home programme, and changing it as the patient changes, is skilled; handing over paper is not.",
    sources=("cms-mbpm-15-220.2", "guide"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. Self-corrected 3 of 5 "
            "errors. [[Handout given.]]"
        ),
        example(
            "Stuttering, age 10. SLP modelled easy onset and shaped it from words to phrases. Used it on 12 of "
            "15 phrases. [[Worksheet packet sent home.]]"
        ),
        example("Student seen in the speech room for 30 minutes. Practiced /r/ words 50x. [[Worksheet sent home.]]"),
    ),
    silent=(
        # taught
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. Taught his wife to offer "
            "two written choices and wait. Handout given."
        ),
        # taught and shown
        example(
            "Dysphagia therapy at home. Wife returned demonstration of chin tuck with 3/3 sips. Worksheet packet "
            "sent home."
        ),
        # no sheet
        example("Student seen in the speech room for 30 minutes. Practiced /r/ words 50x. Did well."),
    ),
    known_limits="Speaks of the first sheet only; silent once any teaching with content stands in the note.",
    check=_sheet_sent_home,
)


def _filler_as_result(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.RESPONSE):
        return
    for evidence in reading.with_label(Label.GENERIC):
        if row_of(evidence) in _FILLER:
            yield Complaint(
                *words_of(reading.segments[evidence.segment]),
                message="Praise, tolerance or cooperation stands in for the result; how the patient responded is "
                "missing.",
                fix="Say what you saw: ___ (behaviour, error or strategy) when ___ (cue or task), ___ of ___ times.",
            )
            return


FILLER_AS_RESULT = Rule(
    code="DRL006",
    name="filler-as-result",
    title="Tolerance or praise stands in for the patient's response",
    why="“Tolerated treatment well” reports no response; the association gives it as an example of unskilled "
    "documentation.",
    sources=("asha-skilled-unskilled",),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Voice therapy for muscle tension dysphonia. SLP modelled easy onset and shaped it from a vowel to "
            "phrases. [[Tolerated treatment well.]]"
        ),
        example("Aphasia after stroke, 45 min. Flash cards x 20. [[Good session.]]"),
        example(
            "Dysarthria, seen at home. 70% accuracy in phrases with moderate verbal cues to slow down. "
            "[[Tolerated treatment well.]] Continue POC."
        ),
    ),
    silent=(
        # a specific response
        example(
            "Voice therapy for muscle tension dysphonia. SLP modelled easy onset and shaped it from a vowel to "
            "phrases. He self-corrected hard attacks and slowed his rate after each block. Tolerated treatment "
            "well."
        ),
        # a specific response
        example("Aphasia after stroke, 45 min. Flash cards x 20. He self-corrected 3 of 5 errors. Good session."),
        # no filler
        example(
            "Dysarthria, seen at home. 70% accuracy in phrases with moderate verbal cues to slow down. Continue POC."
        ),
    ),
    known_limits="Speaks of the first such sentence only; silent once any specific response stands in the note.",
    check=_filler_as_result,
)


def _boilerplate_outweighs(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or not shows_clinician(reading):
        return
    generic = {evidence.segment for evidence in reading.with_label(Label.GENERIC)}
    weak = {evidence.segment for evidence in reading.with_label(*WEAK_LABELS)}
    specific = {evidence.segment for evidence in reading.evidence} - weak
    if len(generic) >= _FEW_STOCK_SENTENCES and len(generic) > len(specific):
        held = {0: "none holds", 1: "one holds"}.get(len(specific), f"{len(specific)} hold")
        yield Complaint(
            *whole_note(reading),
            message=f"{len(generic)} sentences would fit any note; {held} something particular to this session.",
            fix="Cut the stock sentences, and say in their place what was particular today: ___.",
        )


BOILERPLATE_OUTWEIGHS = Rule(
    code="DRL007",
    name="boilerplate-outweighs-evidence",
    title="Stock sentences outweigh what was particular to the session",
    why="Contractors deny notes that read like every other note; specific evidence is lost among sentences that say "
    "nothing.",
    sources=("guide", "cms-mbpm-15-220.3"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "[[Aphasia after stroke. Good session. Tolerated treatment well. Needed moderate verbal and phonemic "
            "cues. Making good progress. Continue POC.]]"
        ),
        example(
            "[[Cognitive therapy, TBI. Skilled ST provided. Tolerated treatment well. Needed moderate verbal "
            "cues on 6 of 20 words. Patient progressing. Continue POC.]]"
        ),
        example(
            '[[Seen for voice therapy. Good session. Tolerated treatment well. Easy onset modelled on "my" and shaped '
            'to "my mom". Making good progress. Cooperative and motivated. Continue POC.]]'
        ),
    ),
    silent=(
        # a few such sentences
        example(
            "Aphasia after stroke. Tolerated treatment well. Needed moderate verbal and phonemic cues. Continue POC."
        ),
        # outweighed by evidence
        example(
            "Aphasia after stroke. Good session. Tolerated treatment well. SLP modelled the sentence and faded "
            "to a first-sound cue. Named 14 of 20 pictures with moderate phonemic cues. He self-corrected 3 of 5 "
            "errors. Errors were semantic, which points to a breakdown at lexical access. He wants to order his "
            "own lunch. Up from 8 of 20 last week. Making good progress. Continue POC."
        ),
        # nothing else, which DRL010 says
        example("Cognitive therapy, TBI. Good session. Tolerated treatment well. Making good progress. Continue POC."),
    ),
    known_limits="Counts sentences, not their length; compares with no other note.",
    check=_boilerplate_outweighs,
)


def _clinician_invisible(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or shows_clinician(reading) or has(reading, Label.DRILL, Label.PASSIVE):
        return
    if has(reading, Label.RESPONSE):
        yield Complaint(
            *whole_note(reading),
            message="The note says what the patient did; what the clinician did, cued or decided does not appear.",
            fix="Add your part: you ___ (modelled, shaped, graded), with ___ (cue); you changed ___ because ___.",
        )


CLINICIAN_INVISIBLE = Rule(
    code="DRL008",
    name="clinician-invisible",
    title="Only the patient acts in this note",
    why="Skill has to be read from the clinician's own description of treatment; a record of the patient's acts "
    "alone could be anyone's.",
    sources=("cms-mbpm-15-220.3", "asha-skilled-unskilled"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("[[Dysphagia, seen bedside at breakfast. Coughed and cleared his throat after thin liquids.]]"),
        example("[[Aphasia after stroke. He self-corrected 3 of 5 errors. Continue POC.]]"),
        example(
            "[[Stuttering, age 10. He blocked on initial /b/ and slowed his rate after each block. Tolerated "
            "treatment well.]]"
        ),
    ),
    silent=(
        # the clinician's action
        example(
            "Dysphagia, seen bedside at breakfast. Coughed and cleared his throat after thin liquids. SLP "
            "reduced the bolus to 5 ml and shaped a chin tuck."
        ),
        # cued
        example(
            "Aphasia after stroke. He self-corrected 3 of 5 errors. Needed moderate verbal and phonemic cues. "
            "Continue POC."
        ),
        # nothing but a score, which SKL003 says
        example("Aphasia after stroke. Naming accuracy was 70% in 20 trials. Continue POC."),
    ),
    known_limits="A clinician's act in words that the lexicons do not know is not seen.",
    check=_clinician_invisible,
)


def _jargon_over_nothing(reading: Reading) -> Iterator[Complaint]:
    if _reads_as(reading) is _Reads.JARGON:
        yield Complaint(
            *whole_note(reading),
            message="Techniques are named, but no target, cue, response or figure shows that they were used with "
            "this patient.",
            fix="Take one and describe it: ___ (technique) for ___ (targets), with ___ (cue); result ___ of ___.",
        )


JARGON_OVER_NOTHING = Rule(
    code="DRL009",
    name="jargon-over-nothing",
    title="Names of techniques stand over a session that is not described",
    why="A list of evidence-based methods is not a description of treatment furnished; reviewers read it as cloned "
    "text.",
    sources=("cms-mbpm-15-220.3", "guide"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "[[Cognitive therapy, 45 min. Metacognitive strategy instruction and graded cueing utilized "
            "throughout to facilitate generalization. Continue POC.]]"
        ),
        example(
            "[[TBI, outpatient. Skilled metacognitive strategy training and graded cueing utilized throughout to "
            "facilitate carryover. Tolerated treatment well.]]"
        ),
        example(
            "[[Seen for cognitive-communication deficit. Metacognitive strategy instruction and graded cueing "
            "utilized throughout to facilitate generalization. Tolerated treatment well. Continue POC.]]"
        ),
    ),
    silent=(
        # what was done
        example("Cognitive therapy, 45 min. SLP modelled a memory log entry and shaped it to key words. Continue POC."),
        # a response, so SKL002 speaks
        example(
            "TBI, outpatient. Skilled metacognitive strategy training and graded cueing utilized throughout to "
            "facilitate carryover. He self-corrected and slowed his rate after each error."
        ),
        # no technique is named, which DRL010 says
        example("Cognitive therapy, 45 min. Tolerated treatment well. Continue POC."),
    ),
    known_limits="One plain sentence about what was done or seen silences it.",
    check=_jargon_over_nothing,
)


def _session_of_boilerplate(reading: Reading) -> Iterator[Complaint]:
    if _reads_as(reading) is _Reads.BOILERPLATE:
        yield Complaint(
            *whole_note(reading),
            message="Every statement about the session would fit any note; what was treated, how, and with what "
            "result is missing.",
            fix="Describe the session: goal ___; you ___ (did), with ___ (cue); the patient ___; data ___; next ___.",
        )


SESSION_OF_BOILERPLATE = Rule(
    code="DRL010",
    name="session-of-boilerplate",
    title="The note holds nothing but stock sentences",
    why="Without what was done, seen or decided, the record supports no service at all on that day.",
    sources=("cms-mbpm-15-220.3", "asha-skilled-unskilled"),
    level=Level.ERROR,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("[[Aphasia, 45 min. Tolerated treatment well. Continue POC.]]"),
        example("[[Student seen in the speech room. Good session. Making good progress. Continue POC.]]"),
        example(
            "[[Resident seen in her room. Skilled ST provided. Tolerated treatment well. Cooperative and motivated.]]"
        ),
    ),
    silent=(
        # the clinician's action
        example(
            "Aphasia, 45 min. Tolerated treatment well. SLP modelled the sentence and faded to a first-sound "
            "cue. Continue POC."
        ),
        # a response with data
        example(
            "Student seen in the speech room. Good session. Making good progress. He self-corrected 3 of 5 "
            "errors. Continue POC."
        ),
        # nothing is said of the session
        example("Resident seen in her room. Continue POC."),
    ),
    known_limits="One stock sentence alone is left to the rules about that sentence.",
    check=_session_of_boilerplate,
)

RULES: tuple[Rule, ...] = (
    SESSION_OF_DRILL,
    EXERCISES_WITH_DOSE_ONLY,
    PART_WITHOUT_SKILL,
    ACTIVITY_WITHOUT_TREATMENT,
    SHEET_SENT_HOME,
    FILLER_AS_RESULT,
    BOILERPLATE_OUTWEIGHS,
    CLINICIAN_INVISIBLE,
    JARGON_OVER_NOTHING,
    SESSION_OF_BOILERPLATE,
)
