"""SKL: an evidence element is missing or vague.

Each rule looks for one element and speaks once a note. A note in which no clinician is to be seen at all belongs to the
family DRL; the rules here speak of what a session that was treatment leaves unsaid, so that no two name the same gap.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from analyzer.rules import drill
from analyzer.rules.rule import (
    Complaint,
    Rule,
    described_techniques,
    example,
    has,
    hollow_techniques,
    is_treatment,
    row_of,
    sentence_of,
    shows_clinician,
    whole_note,
    words_of,
)
from analyzer.types import (
    CueLevel,
    Dimension,
    Evidence,
    Label,
    Level,
    Measure,
    Reading,
    Section,
    Segment,
    Status,
    Verdict,
)

# Lexicon rows that tell the kinds of boilerplate apart.
_CUES_UNSAID = frozenset({"evidence/lead-cue", "weak/cues-bare", "weak/cues-prn", "weak/with-cues-bare"})
_CONTINUED = frozenset({"weak/empty-continue", "weak/rtc"})
_CONTINUED_IN_PLACE = frozenset({"evidence/continue-word", "weak/freq-same", "weak/ongoing-bare", "weak/see-poc"})
_PROGRESS_CLAIMED = frozenset({"evidence/improve-word", "weak/vague-progress"})
_EDUCATION_CLAIMED = frozenset({"evidence/coaching-carer", "evidence/return-demo", "weak/educated-bare"})

_ACCURACY = frozenset({"percent", "ratio"})
_RESULTS = (Label.RESPONSE, Label.MEASURE, Label.PROGRESS)
_UNAIDED = frozenset({CueLevel.INDEPENDENT, CueLevel.MODIFIED_INDEPENDENT})
_SEVERAL = 2
_FEW_POINTS = 40  # a note below this score shows less than half of what the rubric asks for (guide, section 4)

_DIGITS = re.compile(r"\d+")
_CHECK_BOX = re.compile(r"[\u2610-\u2612\u25a1\u25a0]|\[[ xX]?\]")
# No row tells a claim that the service is needed from "cues as needed", or from a mention of skilled service.
_SERVICE = re.compile(r"\b(?:skilled|medical(?:ly)?|slp|st|therapy|services?)\b", re.IGNORECASE)
_NEEDED = re.compile(
    r"\bnec(?:ess(?:ary|ity))?\b|(?<!\bas )\bneed(?:s|ed)?\b|\brequir|\bwarrant|\bjustif|\bbenefit", re.IGNORECASE
)


def _text(reading: Reading, segment: Segment) -> str:
    return reading.note.text[segment.start : segment.end]


def _claims(reading: Reading, rows: frozenset[str]) -> Iterator[Evidence]:
    return (evidence for evidence in reading.with_label(Label.GENERIC) if row_of(evidence) in rows)


def _is_practice(reading: Reading) -> bool:
    """Whether the session is drill or pastime without a clinician, which the family DRL reports as a whole."""
    return has(reading, Label.DRILL, Label.PASSIVE) and not shows_clinician(reading)


def _has_goal_list_only(reading: Reading) -> bool:
    return bool(_listed_goals(reading)) and not has(reading, *_RESULTS)


def _listed_goals(reading: Reading) -> list[tuple[int, int]]:
    return [
        (segment.start, segment.end)
        for segment in reading.segments
        if segment.section is Section.GOALS
        and not segment.is_heading
        and not segment.is_unticked
        and reading.labels_of(segment) <= {Label.GOAL}
    ]


def _is_unaided(given: Sequence[Evidence]) -> bool:
    """Whether all that is said of cues is that none were needed."""
    levels = [cue.level for evidence in given for cue in evidence.cues]
    return bool(levels) and all(level in _UNAIDED for level in levels)


def _is_graded(evidence: Evidence) -> bool:
    """Whether a level of help is given, other than that none was needed."""
    return any(cue.level is not None and cue.level not in _UNAIDED for cue in evidence.cues)


def _treatment_undescribed(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.INTERVENTION, Label.TRAINING, Label.REASONING):
        return
    given = reading.with_label(Label.CUEING)
    if not given or has(reading, Label.DRILL, Label.PASSIVE) or _is_unaided(given):
        return
    if not any(_is_graded(evidence) and Label.MEASURE in reading.labels[evidence.segment] for evidence in given):
        yield Complaint(
            *whole_note(reading),
            message="Help is recorded, but no technique or other act of the clinician that it was part of.",
            fix="Name the treatment: ___ (technique or what you did) on ___ (targets), because ___.",
        )


TREATMENT_UNDESCRIBED = Rule(
    code="SKL001",
    name="treatment-undescribed",
    title="The note says what help was given, but not what the treatment was",
    why="The manual asks for each specific intervention in the note, and for the clinician's own description of "
    "skilled treatment. Help with a task that is not described could be anyone's help.",
    sources=("cms-mbpm-15-220.3", "asha-skilled-unskilled"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "[[Dysphagia, seen bedside at breakfast. Coughed and cleared his throat after thin liquids. Needed "
            "moderate verbal and tactile cues.]]"
        ),
        example(
            "[[Cognitive therapy, TBI. Required max verbal cues throughout. Tolerated treatment well. Continue POC.]]"
        ),
        example("[[Aphasia after stroke. Needed moderate verbal and phonemic cues. He self-corrected most errors.]]"),
    ),
    silent=(
        # the treatment is described
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Needed moderate "
            "verbal and phonemic cues. He self-corrected most errors."
        ),
        # the caregiver was taught
        example(
            "Dysphagia, seen bedside at breakfast. Coughed and cleared his throat after thin liquids. Needed "
            "moderate verbal and tactile cues. Taught his wife to cue a second swallow."
        ),
        # a graded cue stands beside a score
        example(
            "Cognitive therapy, TBI. Recalled 6 of 10 appointments with max verbal cues. Tolerated treatment "
            "well. Continue POC."
        ),
        # all that is said of cues is independence
        example("Aphasia after stroke. Named 16 of 20 pictures with no cues. He self-corrected most errors."),
    ),
    known_limits="Does not ask whether the treatment that is described suits the deficit; a graded cue beside a score "
    "is taken to say what was worked on.",
    check=_treatment_undescribed,
)


def _technique_in_boilerplate(reading: Reading) -> Iterator[Complaint]:
    hollow = hollow_techniques(reading)
    if not is_treatment(reading) or not hollow or described_techniques(reading) or _is_practice(reading):
        return
    if has(reading, Label.CUEING, Label.REASONING, Label.TRAINING, *_RESULTS):
        yield Complaint(
            *words_of(reading.segments[hollow[0].segment]),
            message="A technique is named, but only in a sentence that would fit any note; what was done is missing.",
            fix="Say what you did with it today: ___ (technique) for ___ (targets); you changed ___ when ___.",
        )


TECHNIQUE_IN_BOILERPLATE = Rule(
    code="SKL002",
    name="technique-in-boilerplate",
    title="Techniques are named in stock sentences only",
    why="A technique's name without target, dose or action does not describe skilled treatment; sentences that recur "
    "from note to note are read as cloned.",
    sources=("cms-mbpm-15-220.3", "guide"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Cognitive therapy, TBI. [[Metacognitive strategy instruction and graded cueing utilized throughout "
            "to facilitate generalization.]] Recalled 6 of 10 appointments with max verbal cues."
        ),
        example(
            "Cognitive-communication deficit, outpatient. [[Metacognitive strategy instruction and graded cueing "
            "utilized throughout to facilitate generalization.]] He self-corrected 3 of 5 errors. Continue POC."
        ),
        example(
            "TBI, day program. [[Skilled metacognitive strategy training and graded cueing utilized throughout "
            "to facilitate carryover.]] Needed moderate verbal and visual cues. He self-corrected and slowed "
            "down after each error."
        ),
    ),
    silent=(
        # the treatment is described
        example(
            "Cognitive therapy, TBI. SLP modelled a memory log entry and shaped it to key words. Recalled 6 of "
            "10 appointments with max verbal cues."
        ),
        # another sentence describes the treatment
        example(
            "Cognitive-communication deficit, outpatient. Metacognitive strategy instruction and graded cueing "
            "utilized throughout to facilitate generalization. SLP modelled a memory log entry and shaped it to "
            "key words. He self-corrected 3 of 5 errors. Continue POC."
        ),
        # nothing else is recorded, which DRL009 says
        example(
            "TBI, day program. Metacognitive strategy instruction and graded cueing utilized throughout to "
            "facilitate generalization. Continue POC."
        ),
    ),
    known_limits="A stock sentence that the lexicon does not know passes for a description.",
    check=_technique_in_boilerplate,
)


def _accuracy(reading: Reading) -> Iterator[tuple[int, Measure]]:
    """Yield the first score of each segment that is neither drill nor a caregiver's, with the segment's index."""
    for evidence in reading.with_label(Label.MEASURE):
        if reading.labels[evidence.segment] & {Label.DRILL, Label.PASSIVE, Label.TRAINING}:
            continue
        for measure in evidence.measures:
            if measure.unit in _ACCURACY:
                yield evidence.segment, measure
                break


def _reached_by_cueing(reading: Reading) -> frozenset[int]:
    """Return the segments that a cue stands in, beside, or with under the same goal."""
    cued = [Label.CUEING in labels for labels in reading.labels]
    goals = list(accumulate(int(Label.GOAL in labels) for labels in reading.labels))  # 0 before the first goal
    cued_goals = {goal for goal, is_cued in zip(goals, cued, strict=True) if is_cued and goal}
    return frozenset(
        index for index, goal in enumerate(goals) if any(cued[max(index - 1, 0) : index + 2]) or goal in cued_goals
    )


def _accuracy_without_cueing(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.REASONING, Label.NECESSITY):
        return
    if next(_claims(reading, _CUES_UNSAID), None) or _is_practice(reading):
        return
    if has(reading, Label.RESPONSE) and not shows_clinician(reading):
        return  # the clinician is missing altogether, which DRL008 says
    scores = list(_accuracy(reading))
    reached = _reached_by_cueing(reading)
    bare = [measure for index, measure in scores if index not in reached]
    if not bare:
        return
    others = f" ({len(bare)} scores in all)" if len(bare) > 1 else ""
    if has(reading, Label.CUEING):
        # One cue may be meant for all; only where most scores stand apart from it is something surely left out.
        if len(bare) < _SEVERAL or len(bare) * 2 <= len(scores) or reading.verdict is Verdict.SKILLED:
            return
        message = f"Accuracy is given{others} apart from the cueing that the note mentions elsewhere."
    else:
        goal_text = " A cue level in a goal is its criterion, not today's help." if _listed_goals(reading) else ""
        message = f"Accuracy is given{others}, but not the cueing that produced it.{goal_text}"
    yield Complaint(
        bare[0].start,
        bare[0].end,
        message=message,
        fix="State the cue: ___ (type), ___ (level); what changed: ___. If no cue was needed, say so.",
    )


ACCURACY_WITHOUT_CUEING = Rule(
    code="SKL003",
    name="accuracy-without-cueing",
    title="Accuracy is reported without the cueing that produced it",
    why="Anyone can keep a tally. The type and level of cues, or their change, show that a clinician was needed.",
    sources=("cms-mbpm-15-220.3", "asha-skilled-unskilled"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("Student seen in the speech room. Initial /r/ in words: [[80%]] accuracy."),
        example("Aphasia after stroke. Naming accuracy was [[70%]] in 20 trials. Continue POC."),
        example(
            "Speech sound disorder, age 7.\nGoals:\nPt will produce /r/ in words with 90% accuracy given min "
            "verbal cues.\nO: Tolerated treatment well. Initial /r/ in words: [[80%]] accuracy."
        ),
        example(
            "Language therapy, age 6. Goal 1: needed min verbal cues to name opposites. Goal 2: followed two-step "
            'directions, 60% accuracy. Goal 3: used "he" and "she", [[50%]] accuracy. Goal 4: named 8 of 20 '
            "animals."
        ),
    ),
    silent=(
        # cued
        example("Student seen in the speech room. Initial /r/ in words: 80% accuracy given min verbal cues."),
        # goal text
        example("Student seen in the speech room. STG 1: will produce initial /r/ with 80% accuracy."),
        # independence is stated
        example("Aphasia after stroke. Naming accuracy was 70% with no cues. Continue POC."),
        # the result is interpreted
        example(
            "Aphasia after stroke. Naming accuracy was 70% in 20 trials. Errors were semantic, which points to a "
            "breakdown at lexical access. Continue POC."
        ),
        # cues under each goal
        example(
            "Language therapy, age 6. Goal 1: needed min verbal cues to name opposites. Goal 2: followed two-step "
            'directions, 60% accuracy, mod visual cues. Goal 3: used "he" and "she", 50% accuracy, mod '
            "verbal cues. Goal 4: named 8 of 20 animals, mod verbal cues."
        ),
    ),
    known_limits="Silent once an interpretation of the result stands anywhere in the note, and where a cue stands "
    "beside the score or under the same goal; a cue elsewhere is taken to be meant for it unless most scores lack one. "
    "A score that is worded like the goal above it may be read as the goal's criterion.",
    check=_accuracy_without_cueing,
)


def _cues_unspecified(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.CUEING):
        return
    for claim in _claims(reading, _CUES_UNSAID):
        yield Complaint(
            *words_of(reading.segments[claim.segment]),
            message="Cues are mentioned, but neither their type nor their level.",
            fix="State the cue: ___ (type), ___ (level or count), and what the patient then did: ___.",
        )
        return


CUES_UNSPECIFIED = Rule(
    code="SKL004",
    name="cues-unspecified",
    title="Cues are mentioned without type or level",
    why="“Cues as needed” leaves open how much skill the patient needed; type and level of cueing are the measure of "
    "it.",
    sources=("asha-skilled-unskilled", "cms-mbpm-15-220.3"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("Aphasia after stroke. Naming accuracy was 70% in 20 trials. [[Cues were provided.]]"),
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "[[Cues provided as needed.]]"
        ),
        example("Student seen in the speech room. Worksheet completed. [[Cues were provided.]] Continue POC."),
    ),
    silent=(
        # type and level
        example(
            "Aphasia after stroke. Naming accuracy was 70% in 20 trials. Needed moderate verbal and phonemic cues."
        ),
        # the change of cues
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "Cues faded from moderate tactile to minimal visual."
        ),
        # independence
        example("Aphasia after stroke. Naming accuracy was 70% with no cues."),
    ),
    known_limits="Speaks of the first mention only, and not where a specific cue stands elsewhere in the note.",
    check=_cues_unspecified,
)


def _cue_type_unstated(reading: Reading) -> Iterator[Complaint]:
    given = reading.with_label(Label.CUEING)
    cues = [cue for evidence in given for cue in evidence.cues]
    if not is_treatment(reading) or len(cues) < len(given) or any(cue.types or cue.change for cue in cues):
        return
    helped = [cue for cue in cues if cue.level and cue.level not in _UNAIDED]
    beside = {evidence.segment for evidence in given}
    if helped and not any(evidence.segment in beside for evidence in described_techniques(reading)):
        yield Complaint(
            helped[0].start,
            helped[0].end,
            message="The level of help is given, but not what kind of cue it was.",
            fix="Name the cue: ___ (for example verbal, phonemic, visual, tactile), and what it helped with: ___.",
        )


CUE_TYPE_UNSTATED = Rule(
    code="SKL005",
    name="cue-type-unstated",
    title="The level of help is stated without the type of cue",
    why="The type of cue that works is what the clinician finds out and a caregiver can later use; a level alone "
    "does not show it.",
    sources=("asha-skilled-unskilled", "guide"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("Aphasia after stroke. Needed [[moderate cues]] on 6 of 20 words. Continue POC."),
        example("Student seen in the speech room. /r/ in words, 70% accuracy with [[mod cues]]."),
        example(
            "Cognitive therapy, TBI, 45 min. Sequenced a recipe: required [[max cues]] on 6 of 10 steps. Tolerated "
            "treatment well."
        ),
    ),
    silent=(
        # the type is stated
        example("Aphasia after stroke. Needed moderate verbal cues on 6 of 20 words. Continue POC."),
        # no help was needed
        example("Student seen in the speech room. /r/ in words, 70% accuracy with no cues."),
        # the cues changed with performance
        example(
            "Cognitive therapy, TBI, 45 min. Sequenced a recipe: required max cues on 6 of 10 steps. Cues faded from "
            "moderate verbal to minimal visual. Tolerated treatment well."
        ),
    ),
    known_limits="Silent where any cue in the note has a type, or a technique stands in the same sentence as the "
    "level.",
    check=_cue_type_unstated,
)


def _result_missing(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, *_RESULTS) or _has_goal_list_only(reading):
        return
    if described_techniques(reading) or has(reading, Label.CUEING):
        yield Complaint(
            *whole_note(reading),
            message="Treatment or help is mentioned, but not how the patient did with it.",
            fix="Add the result: with ___ (treatment) the patient ___ (response), ___ of ___ (data).",
        )


RESULT_MISSING = Rule(
    code="SKL006",
    name="result-missing",
    title="The note does not say how the patient responded",
    why="Skill shows in the patient's response and in what the clinician made of it; treatment without a result "
    "cannot be judged effective.",
    sources=("cms-mbpm-15-220.2", "asha-skilled-unskilled"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("[[Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases.]]"),
        example(
            "[[Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Needed moderate "
            "verbal and phonemic cues. Continue POC.]]"
        ),
        example(
            "[[Cognitive therapy, TBI. Needed moderate verbal and visual cues. Tolerated treatment well. "
            "Continue POC.]]"
        ),
    ),
    silent=(
        # response
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. He "
            "self-corrected hard attacks and slowed his rate after each block."
        ),
        # data
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 "
            "pictures with moderate phonemic cues. Continue POC."
        ),
        # progress
        example(
            "Cognitive therapy, TBI. Needed moderate verbal and visual cues. Tolerated treatment well. Goal 2 met."
        ),
    ),
    known_limits="Takes any specific response as enough; a caregiver's performance counts only where it was observed.",
    check=_result_missing,
)


def _data_missing(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.MEASURE, Label.PROGRESS):
        return
    if has(reading, Label.RESPONSE) and shows_clinician(reading):
        yield Complaint(
            *whole_note(reading),
            message="The patient's response is described, but nothing is counted, timed or rated.",
            fix="Add a figure that you took today: ___ of ___ trials, ___ s, ___ cues, or a rating of ___.",
        )


DATA_MISSING = Rule(
    code="SKL007",
    name="data-missing",
    title="The response is described without any measure",
    why="Progress is judged by successive objective measures. However skilled, a session without a figure cannot be "
    "compared with the next.",
    sources=("cms-mbpm-15-220.2", "guide"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "[[Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "He self-corrected hard attacks and slowed his rate after each block.]]"
        ),
        example(
            "[[Dysphagia, seen bedside at breakfast. Needed moderate verbal and tactile cues. Coughed and "
            "cleared his throat after thin liquids.]]"
        ),
        example(
            "[[Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. He self-corrected "
            "most errors. Continue POC.]]"
        ),
    ),
    silent=(
        # counted
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. He self-corrected 3 "
            "of 5 errors. Continue POC."
        ),
        # counted
        example(
            "Dysphagia, seen bedside at breakfast. Needed moderate verbal and tactile cues. Coughed and cleared "
            "his throat after 3 of 10 sips of thin liquids."
        ),
        # no response is described, which SKL006 says
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "Continue POC."
        ),
    ),
    known_limits="Any quantity of performance counts as a measure, however weak.",
    check=_data_missing,
)


def _progress_claims(reading: Reading) -> Iterator[Evidence]:
    for claim in _claims(reading, _PROGRESS_CLAIMED):
        if reading.segments[claim.segment].section is not Section.PLAN:  # there it is what is hoped for
            yield claim


def _data_without_comparison(reading: Reading) -> Iterator[Complaint]:
    measures = reading.with_label(Label.MEASURE)
    if not is_treatment(reading) or not measures or has(reading, Label.PROGRESS):
        return
    if next(_progress_claims(reading), None):
        return  # SKL009 says it, at the claim
    if described_techniques(reading) or has(reading, Label.REASONING):
        yield Complaint(
            *words_of(reading.segments[measures[0].segment]),
            message="Today's data are given, but nothing to compare them with.",
            fix="Set the figure beside an earlier one or the goal: ___ today, ___ on ___ (date), criterion ___.",
        )


DATA_WITHOUT_COMPARISON = Rule(
    code="SKL008",
    name="data-without-comparison",
    title="Today's data stand without a comparison",
    why="One figure shows a state, two show what treatment does. The comparison may also show that function is held.",
    sources=("cms-mbpm-15-220.2", "guide"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. [[Named 14 of 20 "
            "pictures with moderate phonemic cues.]]"
        ),
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "[[Self-corrected 3 of 5 hard attacks.]]"
        ),
        example(
            "Dysphagia, seen bedside. [[Coughed after 3 of 10 sips of thin liquids.]] Cough came only on large "
            "sips, which points to poor bolus control."
        ),
    ),
    silent=(
        # compared with the last session
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 "
            "pictures with moderate phonemic cues. Up from 8 of 20 last session."
        ),
        # compared with the goal
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "Self-corrected 3 of 5 hard attacks. Goal 2 met."
        ),
        # progress is claimed, which SKL009 says
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 "
            "pictures with moderate phonemic cues. Patient progressing."
        ),
    ),
    known_limits="A first session has nothing to compare with, which the note alone may not tell.",
    check=_data_without_comparison,
)


def _progress_unquantified(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.PROGRESS):
        return
    for claim in _progress_claims(reading):
        what = "today's data are not set against earlier ones" if has(reading, Label.MEASURE) else "no figure shows it"
        yield Complaint(
            *words_of(reading.segments[claim.segment]),
            message=f"The note says that the patient progresses or benefits, but {what}.",
            fix="Replace the claim by the figures: ___ today, ___ on ___ (date) or at baseline.",
        )
        return


PROGRESS_UNQUANTIFIED = Rule(
    code="SKL009",
    name="progress-unquantified",
    title="Progress or benefit is claimed without figures to show it",
    why="The manual wants improvement shown by successive objective measures; “good progress” is an opinion that any "
    "note could hold.",
    sources=("cms-mbpm-15-220.2", "asha-skilled-unskilled"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. [[Patient progressing.]]"),
        example("Student seen in the speech room. Worksheet completed. [[Making good progress.]]"),
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. He "
            "self-corrected hard attacks. [[Progressing toward goals.]]"
        ),
        example(
            "Resident seen in her room. Tolerated treatment well. [[Patient continues to benefit from skilled "
            "intervention.]]"
        ),
    ),
    silent=(
        # a figure of last time beside it
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. Up from 8 of 20 last "
            "session. Patient progressing."
        ),
        # the status of a goal
        example("Student seen in the speech room. Worksheet completed. Goal 2 met."),
        # nothing is claimed
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. He "
            "self-corrected hard attacks."
        ),
    ),
    known_limits="Reads the first claim only; silent once any comparison stands in the note. Does not tell a claim of "
    "progress from one of benefit, and takes “benefits from continued skilled intervention” for a bare continuation.",
    check=_progress_unquantified,
)


def _status_without_data(reading: Reading) -> Iterator[Complaint]:
    progress = reading.with_label(Label.PROGRESS)
    if not is_treatment(reading) or not progress or has(reading, Label.MEASURE):
        return
    of_goals = {evidence.segment: evidence.goal or "" for evidence in reading.with_label(Label.GOAL)}
    for evidence in progress:
        # A number besides that of the goal may be today's value in a form that is not known.
        numbers = _DIGITS.findall(_text(reading, reading.segments[evidence.segment]))
        if evidence.comparison or len(numbers) > len(_DIGITS.findall(of_goals.get(evidence.segment, ""))):
            return
    yield Complaint(
        *sentence_of(reading.segments[progress[0].segment]),
        message="A change or a goal's status is stated, but no figure of today stands behind it.",
        fix="Give the figure that shows it: ___ today, against ___ (criterion or earlier value).",
    )


STATUS_WITHOUT_DATA = Rule(
    code="SKL010",
    name="status-without-data",
    title="A change is stated without today's data",
    why="Whether a goal is met, or performance has changed, must follow from measures in the record.",
    sources=("cms-mbpm-15-220.2", "guide"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "[[Goal 2 met.]]"
        ),
        example("Aphasia after stroke. Needed moderate verbal and phonemic cues. [[STG 2 not met.]]"),
        example(
            'Student seen in the speech room. SLP shaped /r/ from a long "er" with the tongue tip up. [[Goal '
            "met.]] Continue POC."
        ),
    ),
    silent=(
        # today's figure
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "Goal 2 met at 90%."
        ),
        # today's figure, in another sentence
        example("Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. STG 2 not met."),
        # no status is stated
        example(
            'Student seen in the speech room. SLP shaped /r/ from a long "er" with the tongue tip up. Targeted '
            "STG 2. Continue POC."
        ),
    ),
    known_limits="Does not check that the figure and the status concern the same goal; any number beside the status, a "
    "date too, is taken for a figure.",
    check=_status_without_data,
)


def _reasoning_missing(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.REASONING, Label.NECESSITY):
        return
    if any(cue.change for evidence in reading.with_label(Label.CUEING) for cue in evidence.cues):
        return  # help that changed with performance is a decision
    if described_techniques(reading) and has(reading, *_RESULTS) and not has(reading, Label.PLAN):
        yield Complaint(
            *whole_note(reading),
            message="Treatment and result are given, but not what you made of them or decided.",
            fix="Add your analysis: errors were mostly ___, which points to ___; therefore ___ was changed or kept.",
        )


REASONING_MISSING = Rule(
    code="SKL011",
    name="reasoning-missing",
    title="The note shows no clinical judgment",
    why="Skill is shown by clinical judgment and decisions: what performance means, and why treatment went on as it "
    "did.",
    sources=("cms-mbpm-15-220.3", "asha-skilled-unskilled"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "[[Aphasia after stroke. SLP modelled the sentence for naming. Named 14 of 20 pictures with moderate "
            "phonemic cues. Continue POC.]]"
        ),
        example(
            "[[Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "He self-corrected hard attacks and slowed his rate.]]"
        ),
        example(
            "[[Dysphagia, seen bedside. SLP trained a chin tuck with thin liquids. Coughed after 3 of 10 sips. "
            "Tolerated treatment well.]]"
        ),
    ),
    silent=(
        # performance is interpreted
        example(
            "Dysphagia, seen bedside. SLP trained a chin tuck with thin liquids. Coughed after 3 of 10 sips. "
            "Cough came only on large sips, which points to poor bolus control. Tolerated treatment well."
        ),
        # a next step is decided
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. He "
            "self-corrected hard attacks and slowed his rate. Next session: phone calls with a visual cue only."
        ),
        # help changed with performance
        example(
            "Aphasia after stroke. SLP modelled the sentence for naming. Named 14 of 20 pictures. Cues faded "
            "from moderate phonemic to minimal visual. Continue POC."
        ),
    ),
    known_limits="Takes a specific next step, or a change of cue level, as a decision.",
    check=_reasoning_missing,
)


def _purpose_missing(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.GOAL, Label.FUNCTION, Label.NECESSITY):
        return
    if described_techniques(reading) and has(reading, *_RESULTS):
        yield Complaint(
            *whole_note(reading),
            message="The work is tied neither to a goal of the plan of care nor to the patient's daily life.",
            fix="Say what it was for: goal ___ (number or name), so that the patient can ___ (activity).",
        )


PURPOSE_MISSING = Rule(
    code="SKL012",
    name="purpose-missing",
    title="The session is tied to no goal and no daily activity",
    why="Treatment is covered under a plan of care whose goals concern function; a note that names neither leaves "
    "the reviewer to guess what the session was for.",
    sources=("cms-mbpm-15-220.2", "asha-skilled-unskilled"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "[[Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 "
            "pictures with moderate phonemic cues.]]"
        ),
        example(
            "[[Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "He self-corrected hard attacks. Continue POC.]]"
        ),
        example("[[Dysphagia, seen bedside. SLP trained a chin tuck with thin liquids. Coughed after 3 of 10 sips.]]"),
    ),
    silent=(
        # tied to a goal
        example(
            "Aphasia after stroke. Targeted STG 2. SLP modelled the sentence and faded to a first-sound cue. "
            "Named 14 of 20 pictures with moderate phonemic cues."
        ),
        # tied to daily life
        example(
            "Voice therapy for vocal nodules. She wants to call her son by phone. SLP modelled easy onset and "
            "shaped it from a vowel to phrases. She self-corrected hard attacks. Continue POC."
        ),
        # no treatment is described, which SKL001 says
        example("Aphasia after stroke. Needed moderate verbal and phonemic cues. He self-corrected most errors."),
    ),
    known_limits="Either of the two is taken as enough; does not compare with the goals of the plan of care.",
    check=_purpose_missing,
)


def _goal_without_function(reading: Reading) -> Iterator[Complaint]:
    goals = reading.with_label(Label.GOAL)
    if not is_treatment(reading) or not goals or has(reading, Label.FUNCTION, Label.NECESSITY, Label.TRAINING):
        return
    if reading.verdict is Verdict.SKILLED:
        return  # the use is required of the plan of care, not of each note
    if shows_clinician(reading) and reading.rating(Dimension.CLINICAL_REASONING) == 0:
        yield Complaint(
            *sentence_of(reading.segments[goals[0].segment]),
            message="A goal is named, but not what it will let the patient do.",
            fix="Add the use: needed for ___ (activity at home, school or work).",
        )


GOAL_WITHOUT_FUNCTION = Rule(
    code="SKL013",
    name="goal-without-function",
    title="A goal is named without its use in daily life",
    why="Goals of the plan of care concern identified functional impairments; a target such as a sound or a "
    "percentage is a means.",
    sources=("cms-mbpm-15-220.2", "guide"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Aphasia after stroke. [[Targeted STG 2.]] SLP modelled the sentence and faded to a first-sound cue. "
            "Named 14 of 20 pictures with moderate phonemic cues."
        ),
        example(
            "Student seen in the speech room. [[Worked on STG 3.]] Needed moderate verbal and tactile cues for "
            "/r/. He self-corrected most errors."
        ),
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. "
            "[[Targeted STG 2.]] Continue POC."
        ),
    ),
    silent=(
        # use in daily life
        example(
            "Aphasia after stroke. Targeted STG 2. SLP modelled the sentence and faded to a first-sound cue. "
            "Named 14 of 20 pictures with moderate phonemic cues. He wants to call his son by phone."
        ),
        # no goal either, which SKL012 says
        example(
            "Voice therapy for vocal nodules. SLP modelled easy onset and shaped it from a vowel to phrases. She "
            "self-corrected hard attacks. Continue POC."
        ),
        # the work is reasoned
        example(
            "Student seen in the speech room. Worked on STG 3. Needed moderate verbal and tactile cues for /r/. "
            "He self-corrected most errors. Errors came only before rounded vowels, which points to lip rounding "
            "as the cause."
        ),
    ),
    known_limits="Cannot see the plan of care, where the use may stand; silent where the note reasons about the work.",
    check=_goal_without_function,
)


def _next_step_missing(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.PLAN):
        return
    if next(_empty_plans(reading), None) or not shows_clinician(reading) or reading.verdict is Verdict.SKILLED:
        return  # a plan is not required of each note; where the rest convinces, its absence is no complaint
    if any(segment.section is Section.PLAN and not segment.is_heading for segment in reading.segments):
        return  # something is planned, in words that carry no label
    yield Complaint(
        *whole_note(reading),
        message="The note ends without what comes next.",
        fix="Add the next step: next session ___ (target), with ___ (cue level); home practice ___ (dose).",
    )


NEXT_STEP_MISSING = Rule(
    code="SKL014",
    name="next-step-missing",
    title="The note does not say what comes next",
    why="A step up or back because of today's performance is one of the three proofs of skill that the manual names.",
    sources=("cms-mbpm-15-220.3",),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "[[Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 "
            "pictures with moderate phonemic cues.]]"
        ),
        example(
            "[[Dysphagia at home. Taught his wife to cue a second swallow. He cleared his throat after thin liquids.]]"
        ),
        example(
            "[[Student seen in the speech room. Needed moderate verbal and tactile cues for /r/. He "
            "self-corrected 3 of 5 errors.]]"
        ),
    ),
    silent=(
        # a next step
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 "
            "pictures with moderate phonemic cues. Next session: phrases with a visual cue only."
        ),
        # an empty plan, which SKL015 says
        example(
            "Student seen in the speech room. Needed moderate verbal and tactile cues for /r/. He self-corrected "
            "3 of 5 errors. Continue POC."
        ),
        # no clinician is to be seen, which DRL008 says
        example("Student seen in the speech room. He self-corrected 3 of 5 errors."),
    ),
    known_limits="Silent once anything stands under a heading for the plan.",
    check=_next_step_missing,
)


def _empty_plans(reading: Reading) -> Iterator[Evidence]:
    for claim in reading.with_label(Label.GENERIC):
        segment = reading.segments[claim.segment]
        row = row_of(claim)
        if row in _CONTINUED or (row in _CONTINUED_IN_PLACE and _is_place_of_plan(reading, segment)):
            yield claim


def _is_place_of_plan(reading: Reading, segment: Segment) -> bool:
    """Whether a plan is to be expected there: under its heading, or at the end of a note without headings."""
    is_end = segment.index * 3 >= len(reading.segments) * 2
    return segment.section is Section.PLAN or (segment.section is Section.BODY and is_end)


def _plan_empty(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.PLAN):
        return
    for claim in _empty_plans(reading):
        yield Complaint(
            *words_of(reading.segments[claim.segment]),
            message="The plan only goes on as before; it names no target, cue level or change.",
            fix="Say what comes next: ___ (target), with ___ (cue level), because ___ (today's performance).",
        )
        return


PLAN_EMPTY = Rule(
    code="SKL015",
    name="plan-empty",
    title="The plan is a bare continuation",
    why="“Continue plan of care” holds no decision. The next step, taken from today's performance, shows clinical "
    "judgment.",
    sources=("asha-skilled-unskilled", "cms-mbpm-15-220.3"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 "
            "pictures with moderate phonemic cues. [[Continue POC.]]"
        ),
        example(
            "S: Pt arrived on time.\nO: SLP modelled easy onset and shaped it from a vowel to phrases. Voice "
            "clear in 8 of 10 phrases.\nP: [[Continue POC.]]"
        ),
        example("Student seen in the speech room. Flash cards x 20. [[Continue with plan of care.]]"),
    ),
    silent=(
        # a next step
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 "
            "pictures with moderate phonemic cues. Next session: phrases with a visual cue only."
        ),
        # a next step beside it
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Named 14 of 20 "
            "pictures with moderate phonemic cues. Continue POC. Next session: phrases with a visual cue only."
        ),
        # what went on was an activity, not the plan
        example("Student seen in the speech room. Topic: current events. Flash cards x 20. Worksheet completed."),
    ),
    known_limits="Reads the first such sentence only; silent once a specific plan stands anywhere in the note.",
    check=_plan_empty,
)


def _need_unreasoned(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.NECESSITY, Label.REASONING):
        return
    for claim in reading.with_label(Label.GENERIC):
        segment = reading.segments[claim.segment]
        words = _text(reading, segment)
        if segment.is_heading or _CHECK_BOX.search(words) or not (_SERVICE.search(words) and _NEEDED.search(words)):
            continue
        if reading.labels_of(segment) & {Label.INTERVENTION, Label.CUEING}:
            continue  # SKL002 and SKL004 say what is wrong there
        yield Complaint(
            *words_of(segment),
            message="Skilled need is claimed, but no reason particular to this patient is given.",
            fix="Give the reason: an SLP is needed to ___ (act), since ___ (risk, change or complexity seen in this "
            "patient).",
        )
        return


NEED_UNREASONED = Rule(
    code="SKL016",
    name="need-unreasoned",
    title="Medical necessity is claimed without a reason",
    why="A service is not skilled because a note calls it so; the decisive question is why a therapist's skills are "
    "needed for this patient.",
    sources=("cms-mbpm-15-220.2",),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("Resident seen in her room. Tolerated treatment well. [[Requires skilled ST services.]]"),
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. [[Pt continues to "
            "require skilled ST.]]"
        ),
        example("Cognitive therapy, dementia. Worksheet completed. [[Skilled ST is necessary.]]"),
    ),
    silent=(
        # a risk is given
        example(
            "Resident seen in her room. Without treatment she is at risk of aspiration pneumonia. Requires "
            "skilled ST services."
        ),
        # the note reasons
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues. Errors were semantic, "
            "which points to a breakdown at lexical access. Pt continues to require skilled ST."
        ),
        # the need is of cues, not of the service
        example("Cognitive therapy, dementia. Worksheet completed. Cues: as needed."),
        # the word is used, but no need is claimed
        example("Resident seen in her room for skilled ST. Tolerated treatment well."),
    ),
    known_limits="Reads the first claim only; silent where the note reasons about the patient at all.",
    check=_need_unreasoned,
)


def _education_empty(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.TRAINING):
        return
    for claim in reading.with_label(Label.GENERIC):
        is_education = reading.segments[claim.segment].section is Section.EDUCATION
        if not is_education and row_of(claim) not in _EDUCATION_CLAIMED:
            continue
        yield Complaint(
            *words_of(reading.segments[claim.segment]),
            message="Education is mentioned, but not what was taught or how it was shown to be understood.",
            fix="Say whom you taught what, and how it showed: ___ (person) learned ___ and ___ (showed or told back).",
        )
        return


EDUCATION_EMPTY = Rule(
    code="SKL017",
    name="education-empty",
    title="Education is reported without its content",
    why="Training of patient and family is a skilled service when its content, and how it is taken up, can be judged.",
    sources=("cms-mbpm-15-220.2", "asha-skilled-unskilled"),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues.\nEducation: [[Patient "
            "was educated.]]"
        ),
        example("Dysphagia, seen bedside. Coughed after 3 of 10 sips.\nEducation: [[Patient and family educated.]]"),
        example("Student seen in the speech room. Flash cards x 20.\nEducation: [[Patient and family educated.]]"),
    ),
    silent=(
        # what was taught
        example(
            "Aphasia after stroke. Named 14 of 20 pictures with moderate phonemic cues.\nEducation: Taught his "
            "wife to offer two written choices and wait. Patient was educated."
        ),
        # what was taught and shown
        example(
            "Dysphagia, seen bedside. Coughed after 3 of 10 sips.\nEducation: Wife returned demonstration of "
            "chin tuck with 3/3 sips."
        ),
        # nothing is claimed
        example("Student seen in the speech room. Flash cards x 20.\nPlan: Continue POC."),
    ),
    known_limits="Silent once any teaching with content stands in the note.",
    check=_education_empty,
)


def _goals_without_results(reading: Reading) -> Iterator[Complaint]:
    if is_treatment(reading) and _has_goal_list_only(reading):
        goals = _listed_goals(reading)
        yield Complaint(
            goals[0][0],
            goals[-1][1],
            message="Goals are listed, but the note gives no result for any; a criterion or cue level in a goal is "
            "not a result.",
            fix="Beside each goal that was treated, add today's result: ___ of ___, with ___ (cue).",
        )


GOALS_WITHOUT_RESULTS = Rule(
    code="SKL018",
    name="goals-without-results",
    title="Goals are listed without a result",
    why="A goal's criterion says what is aimed at. What happened in the session has to be read beside it.",
    sources=("guide", "cms-mbpm-15-220.3"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Aphasia after stroke. Tolerated treatment well.\nGoals:\n1. [[Pt will name 20 objects with 90% "
            "accuracy given min cues.\n2. Pt will follow directions with 80% accuracy given min cues.]]\nPlan: "
            "Continue POC."
        ),
        example(
            "Student seen in the speech room. Flash cards x 20.\nGoals:\n1. [[Student will produce /r/ in words "
            "with 90% accuracy given min cues.\n2. Student will produce /r/ in sentences with 80% "
            "accuracy.]]\nPlan: Continue POC."
        ),
        example(
            "Student attended for 30 minutes.\nGoals:\n1. [[Student will name 20 objects with 90% accuracy.\n2. "
            "Student will follow two-step directions with 80% accuracy.]]"
        ),
    ),
    silent=(
        # data
        example(
            "Aphasia after stroke. Tolerated treatment well. Named 14 of 20 pictures with moderate phonemic "
            "cues.\nGoals:\n1. Pt will name 20 objects with 90% accuracy given min cues.\n2. Pt will follow "
            "directions with 80% accuracy given min cues.\nPlan: Continue POC."
        ),
        # the status of a goal
        example(
            "Student seen in the speech room. Flash cards x 20. Goal 2 met.\nGoals:\n1. Student will produce /r/ "
            "in words with 90% accuracy given min cues.\n2. Student will produce /r/ in sentences with 80% "
            "accuracy.\nPlan: Continue POC."
        ),
        # no goals are listed
        example("Student attended for 30 minutes.\nPlan: Continue POC."),
    ),
    known_limits="Sees goals under a heading for goals only; does not match each goal with its own result.",
    check=_goals_without_results,
)


def _skill_in_plan_only(reading: Reading) -> Iterator[Complaint]:
    plans = reading.with_label(Label.PLAN)
    if (
        not is_treatment(reading)
        or not plans
        or has(reading, Label.INTERVENTION, *_RESULTS)
        or shows_clinician(reading)
    ):
        return
    if has(reading, Label.DRILL, Label.PASSIVE, Label.GENERIC):
        yield Complaint(
            *sentence_of(reading.segments[plans[0].segment]),
            message="The plan is specific, but of today's session nothing skilled is recorded; what is planned is no "
            "evidence yet.",
            fix="Record what was done today: ___ (treatment), ___ (cue), ___ (response and data).",
        )


SKILL_IN_PLAN_ONLY = Rule(
    code="SKL019",
    name="skill-in-plan-only",
    title="Only the plan is specific, not the session",
    why="A treatment note supports what was furnished that day; what is planned counts when it has been done.",
    sources=("guide", "cms-mbpm-15-220.3"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("Aphasia after stroke. Tolerated treatment well. [[Next session: phrases with a visual cue only.]]"),
        example(
            "Student seen in the speech room. Worksheet completed. [[Next session: move /r/ to sentences with a "
            "visual cue only.]]"
        ),
        example(
            "Resident seen in her room. Skilled ST provided. Tolerated treatment well. [[Next session: trial a "
            "chin tuck with thin liquids.]]"
        ),
    ),
    silent=(
        # treatment is recorded
        example(
            "Aphasia after stroke. SLP modelled the sentence and faded to a first-sound cue. Tolerated treatment "
            "well. Next session: phrases with a visual cue only."
        ),
        # the plan is empty too
        example("Student seen in the speech room. Worksheet completed. Continue POC."),
        # a result is recorded
        example(
            "Resident seen in her room. Tolerated treatment well. Coughed after 3 of 10 sips. Next session: "
            "trial a chin tuck with thin liquids."
        ),
    ),
    known_limits="A planned technique that is written without a word of planning reads as done.",
    check=_skill_in_plan_only,
)

_ELEMENTS = {
    Dimension.INTERVENTION: "a technique or act of the clinician",
    Dimension.CUEING: "cueing",
    Dimension.RESPONSE: "the patient's response",
    Dimension.MEASURABLE_PROGRESS: "a measure",
    Dimension.CLINICAL_REASONING: "clinical reasoning",
    Dimension.GOAL_FUNCTION: "a goal or use in daily life",
    Dimension.PLAN: "a next step",
}


def _evidence_scarce(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or not reading.segments or reading.score >= _FEW_POINTS:
        return
    others = (rule for rule in (*RULES, *drill.RULES) if rule is not EVIDENCE_SCARCE and rule.level is not Level.INFO)
    if any(next(rule.check(reading), None) for rule in others):
        return  # the reason is given already
    missing = [_ELEMENTS[rating.dimension] for rating in reading.ratings if not rating.rating]
    if missing:
        yield Complaint(
            *whole_note(reading),
            message=f"Too little is recorded to show skilled treatment. Not found: {', '.join(missing)}.",
            fix="Describe the session: goal ___; you ___ (did), with ___ (cue); the patient ___; data ___; next ___.",
        )


EVIDENCE_SCARCE = Rule(
    code="SKL020",
    name="evidence-scarce",
    title="The note holds little evidence of treatment",
    why="The record must show the treatment that was furnished, and that it took a therapist's skills. A short remark "
    "or attendance alone supports no service.",
    sources=("cms-mbpm-15-220.3", "guide"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example("[[Student attended for 30 minutes. STG 1: will produce /r/ in words with 90% accuracy.]]"),
        example("[[Resident seen in her room for 30 minutes.]]"),
        example("[[Outpatient visit for aphasia after stroke. Wants to order his own lunch. Continue POC.]]"),
    ),
    silent=(
        # the treatment and its result are recorded
        example(
            "Outpatient visit for aphasia after stroke. Wants to order his own lunch. SLP modelled the order and "
            "faded to a first-sound cue. Named 14 of 20 dishes with moderate phonemic cues, up from 8 of 20 last "
            "week. Continue POC."
        ),
        # boilerplate is what is wrong, which DRL010 says
        example("Resident seen in her room for 30 minutes. Tolerated treatment well. Continue POC."),
        # it is a missed visit
        example("Student absent, no session today. STG 1: will produce /r/ in words with 90% accuracy."),
    ),
    known_limits="Speaks only where no other finding of weight gives the reason. What is written in words that the "
    "lexicons do not know counts as missing.",
    check=_evidence_scarce,
)

RULES: tuple[Rule, ...] = (
    TREATMENT_UNDESCRIBED,
    TECHNIQUE_IN_BOILERPLATE,
    ACCURACY_WITHOUT_CUEING,
    CUES_UNSPECIFIED,
    CUE_TYPE_UNSTATED,
    RESULT_MISSING,
    DATA_MISSING,
    DATA_WITHOUT_COMPARISON,
    PROGRESS_UNQUANTIFIED,
    STATUS_WITHOUT_DATA,
    REASONING_MISSING,
    PURPOSE_MISSING,
    GOAL_WITHOUT_FUNCTION,
    NEXT_STEP_MISSING,
    PLAN_EMPTY,
    NEED_UNREASONED,
    EDUCATION_EMPTY,
    GOALS_WITHOUT_RESULTS,
    SKILL_IN_PLAN_ONLY,
    EVIDENCE_SCARCE,
)
