"""SKL: an evidence element is missing or vague.

Each rule looks for one element and speaks once a note. A note in which no clinician is to be seen at all belongs to the
family DRL; the rules here speak of what a session that was treatment leaves unsaid, so that no two name the same gap.
"""

from collections.abc import Iterator

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
from analyzer.types import CueLevel, Dimension, Evidence, Label, Level, Reading, Section, Status, Verdict

# Lexicon rows that tell the kinds of boilerplate apart.
_CUES_UNSAID = frozenset({"evidence/lead-cue", "weak/cues-bare", "weak/cues-prn", "weak/with-cues-bare"})
_CONTINUED = frozenset({"evidence/continue-word", "weak/empty-continue", "weak/rtc", "weak/see-poc"})
_PROGRESS_CLAIMED = frozenset({"evidence/improve-word", "weak/vague-progress"})
_NEED_CLAIMED = frozenset({"evidence/skilled-word", "weak/maximize", "weak/skilled-bare"})
_EDUCATION_CLAIMED = frozenset({"evidence/coaching-carer", "evidence/return-demo", "weak/educated-bare"})

_ACCURACY = frozenset({"percent", "ratio"})
_RESULTS = (Label.RESPONSE, Label.MEASURE, Label.PROGRESS)
_UNAIDED = frozenset({CueLevel.INDEPENDENT, CueLevel.MODIFIED_INDEPENDENT})


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


def _treatment_undescribed(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.INTERVENTION, Label.TRAINING, Label.REASONING):
        return
    if has(reading, Label.CUEING) and not has(reading, Label.DRILL, Label.PASSIVE):
        yield Complaint(
            *whole_note(reading),
            message="The note gives cues, but not what was being treated and how.",
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
        example("[[Dx: aphasia. Seen for 45 minutes in the clinic. 70% accuracy with moderate phonemic cues.]]"),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. Coughed and cleared his throat after thin "
            "liquids. Needed moderate verbal and tactile cues.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. Needed moderate verbal cues on 6 of 20 words. "
            "Continue POC.]]"
        ),
    ),
    silent=(
        # the technique is described
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues."
        ),
        # the caregiver was taught
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. I taught his wife to offer written choices. "
            "Coughed and cleared his throat after thin liquids. Needed moderate verbal and tactile cues."
        ),
        # the performance is interpreted
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. The trouble is finding the word and not saying it, "
            "because he gets it from the first letter. Needed moderate verbal cues on 6 of 20 words. Continue POC."
        ),
        # practice is named, which DRL003 says
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Flash cards x 20. Worksheet completed. Needed "
            "moderate verbal and tactile cues."
        ),
    ),
    known_limits="Does not ask whether the treatment that is described suits the deficit.",
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
            "Dx: aphasia. Seen for 45 minutes in the clinic. [[Metacognitive strategy instruction and graded "
            "cueing utilized throughout to facilitate generalization.]] 70% accuracy with moderate phonemic cues."
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. [[Metacognitive strategy instruction and graded "
            "cueing utilized throughout to facilitate generalization.]] Self-corrected 3 of 5 errors. Continue POC."
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. [[Skilled metacognitive strategy training and "
            "graded cueing utilized throughout to facilitate carryover.]] Needed moderate verbal and tactile "
            "cues. He self-corrected and slowed his rate after each block."
        ),
    ),
    silent=(
        # the technique is described
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues."
        ),
        # another sentence describes the treatment
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Metacognitive strategy instruction and graded "
            "cueing utilized throughout to facilitate generalization. SLP modelled slow easy onset and shaped "
            "from vowel to phrase. Self-corrected 3 of 5 errors. Continue POC."
        ),
        # nothing else is recorded, which DRL009 says
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Metacognitive strategy instruction and graded "
            "cueing utilized throughout to facilitate generalization. Continue POC."
        ),
    ),
    known_limits="A stock sentence that the lexicon does not know passes for a description.",
    check=_technique_in_boilerplate,
)


def _bare_accuracy(reading: Reading) -> Iterator[tuple[int, int]]:
    plain = {e.segment for e in reading.with_label(Label.DRILL, Label.PASSIVE, Label.TRAINING)}
    for evidence in reading.with_label(Label.MEASURE):
        if evidence.segment in plain:
            continue
        for measure in evidence.measures:
            if measure.unit in _ACCURACY:
                yield measure.start, measure.end
                break


def _accuracy_without_cueing(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.CUEING, Label.REASONING, Label.NECESSITY):
        return
    if next(_claims(reading, _CUES_UNSAID), None) or _is_practice(reading):
        return
    if has(reading, Label.RESPONSE) and not shows_clinician(reading):
        return  # the clinician is missing altogether, which DRL008 says
    spans = list(_bare_accuracy(reading))
    if spans:
        others = f" ({len(spans)} scores in all)" if len(spans) > 1 else ""
        goal_text = " A cue level in a goal is its criterion, not today's help." if _listed_goals(reading) else ""
        yield Complaint(
            *spans[0],
            message=f"Accuracy is given{others}, but not the cueing that produced it.{goal_text}",
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
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Produced initial /r/ in words with [[80%]] accuracy."),
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Naming accuracy was [[70%]] in 20 trials."),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Produced initial /r/ in words with [[80%]] "
            "accuracy. Continue POC."
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic.\nGoals:\nPt will produce /r/ in words with 90% "
            "accuracy given min verbal cues.\nO: Tolerated treatment well. Produced initial /r/ in words with "
            "[[80%]] accuracy."
        ),
    ),
    silent=(
        # cued
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Produced initial /r/ in words with 80% accuracy "
            "given min verbal cues."
        ),
        # goal text
        example("Dx: aphasia. Seen for 45 minutes in the clinic. STG 1: will produce initial /r/ with 80% accuracy."),
        # independence is stated
        example("Dx: aphasia. Seen for 45 minutes in the clinic. 80% accuracy with no cues."),
        # the result is interpreted
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Produced initial /r/ in words with 80% accuracy. "
            "The trouble is finding the word and not saying it, because he gets it from the first letter."
        ),
    ),
    known_limits="Silent once a cue, or an interpretation of the result, stands anywhere in the note.",
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
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Naming accuracy was 70% in 20 trials. [[Cues were "
            "provided.]]"
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. [[Cues were provided.]]"
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Worksheet completed. [[Cues were provided.]] Continue POC."
        ),
    ),
    silent=(
        # type and level
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Naming accuracy was 70% in 20 trials. Needed "
            "moderate verbal and tactile cues."
        ),
        # the change of cues
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. Cues faded from moderate tactile to minimal visual."
        ),
        # independence
        example("Dx: aphasia. Seen for 45 minutes in the clinic. 80% accuracy with no cues. Tolerated treatment well."),
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
    if helped and not any(evidence.segment in {e.segment for e in given} for evidence in described_techniques(reading)):
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
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Needed [[moderate cues]] on 6 of 20 words."),
        example("Dx: aphasia. Seen for 45 minutes in the clinic. 70% accuracy with [[mod cues]]."),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Tolerated treatment well. Required [[max cues]] on "
            "6 of 20 words."
        ),
    ),
    silent=(
        # the type is stated
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Needed moderate verbal cues on 6 of 20 words."),
        # no help was needed
        example("Dx: aphasia. Seen for 45 minutes in the clinic. 80% accuracy with no cues."),
        # the cues changed with performance
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Tolerated treatment well. Required max cues on 6 "
            "of 20 words. Cues faded from moderate tactile to minimal visual."
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
            message="The treatment is described, but not how the patient did with it.",
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
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. Needed moderate verbal and tactile cues. Continue POC.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. Needed moderate verbal and tactile cues. "
            "Tolerated treatment well. Continue POC.]]"
        ),
    ),
    silent=(
        # response
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. He self-corrected and slowed his rate after each block."
        ),
        # data
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. Needed moderate verbal cues on 6 of 20 words. Continue POC."
        ),
        # progress
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Needed moderate verbal and tactile cues. Tolerated "
            "treatment well. Goal 2 met."
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
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. He self-corrected and slowed his rate after each block.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. Needed moderate verbal and tactile cues. Coughed "
            "and cleared his throat after thin liquids.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. Coughed and cleared his throat after thin liquids. Continue POC.]]"
        ),
    ),
    silent=(
        # counted
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. Self-corrected 3 of 5 errors."
        ),
        # counted
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Needed moderate verbal cues on 6 of 20 words. "
            "Coughed and cleared his throat after thin liquids."
        ),
        # no response is described, which SKL006 says
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. Continue POC."
        ),
    ),
    known_limits="Any quantity of performance counts as a measure, however weak.",
    check=_data_missing,
)


def _data_without_comparison(reading: Reading) -> Iterator[Complaint]:
    measures = reading.with_label(Label.MEASURE)
    if not is_treatment(reading) or not measures or has(reading, Label.PROGRESS):
        return
    if next(_claims(reading, _PROGRESS_CLAIMED), None):
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
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. [[70% accuracy with moderate phonemic cues.]]"
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. [[Self-corrected 3 of 5 errors.]] Needed moderate verbal and tactile cues."
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. The trouble is finding the word and not saying it, "
            "because he gets it from the first letter. [[Needed moderate verbal cues on 6 of 20 words.]] "
            "Continue POC."
        ),
    ),
    silent=(
        # compared with the last session
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues. Up from 60% last session."
        ),
        # compared with the goal
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. Self-corrected 3 of 5 errors. Needed moderate verbal and tactile cues. Goal 2 met."
        ),
        # progress is claimed, which SKL009 says
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. The trouble is finding the word and not saying it, "
            "because he gets it from the first letter. Needed moderate verbal cues on 6 of 20 words. Patient "
            "progressing."
        ),
    ),
    known_limits="A first session has nothing to compare with, which the note alone may not tell.",
    check=_data_without_comparison,
)


def _progress_unquantified(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.PROGRESS):
        return
    for claim in _claims(reading, _PROGRESS_CLAIMED):
        what = "today's data are not set against earlier ones" if has(reading, Label.MEASURE) else "no figure shows it"
        yield Complaint(
            *words_of(reading.segments[claim.segment]),
            message=f"Progress is claimed, but {what}.",
            fix="Replace the claim by the figures: ___ today, ___ on ___ (date) or at baseline.",
        )
        return


PROGRESS_UNQUANTIFIED = Rule(
    code="SKL009",
    name="progress-unquantified",
    title="Progress is claimed without figures to show it",
    why="The manual wants improvement shown by successive objective measures; “good progress” is an opinion that any "
    "note could hold.",
    sources=("cms-mbpm-15-220.2", "asha-skilled-unskilled"),
    level=Level.WARNING,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. 70% accuracy with moderate phonemic cues. "
            "[[Patient progressing.]]"
        ),
        example("Dx: aphasia. Seen for 45 minutes in the clinic. [[Progressing with goals.]]"),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. He self-corrected and slowed his rate after each block. [[Progressing toward goals.]]"
        ),
    ),
    silent=(
        # a figure of last time beside it
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. 70% accuracy with moderate phonemic cues. Up from "
            "60% last session. Patient progressing."
        ),
        # the status of a goal
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Goal 2 met."),
        # nothing is claimed
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. He self-corrected and slowed his rate after each block."
        ),
    ),
    known_limits="Reads the first claim only; silent once any comparison stands in the note.",
    check=_progress_unquantified,
)


def _status_without_data(reading: Reading) -> Iterator[Complaint]:
    progress = reading.with_label(Label.PROGRESS)
    if is_treatment(reading) and progress and not has(reading, Label.MEASURE):
        if any(evidence.comparison for evidence in progress):
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
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. [[Goal 2 met.]]"
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Needed moderate verbal and tactile cues. [[STG 2 "
            "not met.]]"
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. He self-corrected and slowed his rate after each block. [[Goal 2 met.]] Continue POC."
        ),
    ),
    silent=(
        # today's figure
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues. Goal 2 met."
        ),
        # today's figure
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Needed moderate verbal cues on 6 of 20 words. STG "
            "2 not met."
        ),
        # no status is stated
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. He self-corrected and slowed his rate after each block. Targeted STG 2. Continue POC."
        ),
    ),
    known_limits="Does not check that the figure and the status concern the same goal.",
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
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. 70% accuracy with moderate phonemic cues. Continue POC.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. He self-corrected and slowed his rate after each block.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. Self-corrected 3 of 5 errors. Needed moderate verbal and tactile cues. Tolerated "
            "treatment well.]]"
        ),
    ),
    silent=(
        # performance is interpreted
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues. The trouble is finding the word and not "
            "saying it, because he gets it from the first letter. Continue POC."
        ),
        # a next step is decided
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. He self-corrected and slowed his rate after each block. Next session: phrases with a "
            "visual cue only."
        ),
        # help changed with performance
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. Self-corrected 3 of 5 errors. Cues faded from moderate tactile to minimal visual. "
            "Tolerated treatment well."
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
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. 70% accuracy with moderate phonemic cues.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. He self-corrected and slowed his rate after each block. Continue POC.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. Self-corrected 3 of 5 errors. Needed moderate verbal and tactile cues.]]"
        ),
    ),
    silent=(
        # tied to a goal
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Targeted STG 2. SLP modelled slow easy onset and "
            "shaped from vowel to phrase. 70% accuracy with moderate phonemic cues."
        ),
        # tied to daily life
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. He wants to call his son by phone. SLP modelled "
            "slow easy onset and shaped from vowel to phrase. He self-corrected and slowed his rate after each "
            "block. Continue POC."
        ),
        # no treatment is described, which SKL001 says
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Self-corrected 3 of 5 errors. Needed moderate "
            "verbal and tactile cues."
        ),
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
            "Dx: aphasia. Seen for 45 minutes in the clinic. [[Targeted STG 2.]] SLP modelled slow easy onset "
            "and shaped from vowel to phrase. 70% accuracy with moderate phonemic cues."
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. [[Worked on STG 3.]] Needed moderate verbal and "
            "tactile cues. He self-corrected and slowed his rate after each block."
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. Needed moderate verbal and tactile cues. [[Targeted STG 2.]] Continue POC."
        ),
    ),
    silent=(
        # use in daily life
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Targeted STG 2. SLP modelled slow easy onset and "
            "shaped from vowel to phrase. 70% accuracy with moderate phonemic cues. He wants to call his son by "
            "phone."
        ),
        # no goal either, which SKL012 says
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. He self-corrected and slowed his rate after each block."
        ),
        # the work is reasoned
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. Needed moderate verbal and tactile cues. Targeted STG 2. The trouble is finding the "
            "word and not saying it, because he gets it from the first letter. Continue POC."
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
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from "
            "vowel to phrase. 70% accuracy with moderate phonemic cues.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. I taught his wife to offer written choices. He "
            "self-corrected and slowed his rate after each block.]]"
        ),
        example(
            "[[Dx: aphasia. Seen for 45 minutes in the clinic. Needed moderate verbal and tactile cues. "
            "Self-corrected 3 of 5 errors.]]"
        ),
    ),
    silent=(
        # a next step
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues. Next session: phrases with a visual cue only."
        ),
        # an empty plan, which SKL015 says
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. I taught his wife to offer written choices. He "
            "self-corrected and slowed his rate after each block. Continue POC."
        ),
        # no clinician is to be seen, which DRL008 says
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Self-corrected 3 of 5 errors."),
    ),
    known_limits="Silent once anything stands under a heading for the plan.",
    check=_next_step_missing,
)


def _empty_plans(reading: Reading) -> Iterator[Evidence]:
    for claim in reading.with_label(Label.GENERIC):
        if row_of(claim) in _CONTINUED or reading.segments[claim.segment].section is Section.PLAN:
            yield claim


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
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues. [[Continue POC.]]"
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic.\nO: SLP modelled slow easy onset and shaped from "
            "vowel to phrase. 70% accuracy with moderate phonemic cues.\nP: [[Continue POC.]]"
        ),
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Flash cards x 20. [[Continue with plan of care.]]"),
    ),
    silent=(
        # a next step
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues. Next session: phrases with a visual cue only."
        ),
        # a next step beside it
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues. Continue POC. Next session: phrases with a "
            "visual cue only."
        ),
        # no plan at all, which SKL014 says
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. 70% accuracy with moderate phonemic cues."
        ),
    ),
    known_limits="Reads the first such sentence only; silent once a specific plan stands anywhere in the note.",
    check=_plan_empty,
)


def _need_unreasoned(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or has(reading, Label.NECESSITY, Label.REASONING):
        return
    for claim in _claims(reading, _NEED_CLAIMED):
        yield Complaint(
            *words_of(reading.segments[claim.segment]),
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
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. 70% accuracy with moderate phonemic cues. "
            "[[Medically necessary: yes.]]"
        ),
        example("Dx: aphasia. Seen for 45 minutes in the clinic. [[Requires ST.]]"),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. He self-corrected and slowed his rate after each "
            "block. [[Needs ST.]]"
        ),
    ),
    silent=(
        # a risk is given
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. 70% accuracy with moderate phonemic cues. Without "
            "treatment he is at risk of aspiration pneumonia. Medically necessary: yes."
        ),
        # the note reasons
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. The trouble is finding the word and not saying it, "
            "because he gets it from the first letter. Requires ST."
        ),
        # nothing is claimed
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. He self-corrected and slowed his rate after each block."
        ),
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
            "Dx: aphasia. Seen for 45 minutes in the clinic. 70% accuracy with moderate phonemic "
            "cues.\nEducation: [[Patient was educated.]]"
        ),
        example("Dx: aphasia. Seen for 45 minutes in the clinic.\nEducation: [[Patient and family educated.]]"),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Flash cards x 20.\nEducation: [[Patient and family "
            "educated.]]"
        ),
    ),
    silent=(
        # what was taught
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. 70% accuracy with moderate phonemic "
            "cues.\nEducation: I taught his wife to offer written choices. Patient was educated."
        ),
        # what was taught and shown
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic.\nEducation: Wife returned demonstration of chin "
            "tuck with 3/3 sips."
        ),
        # nothing is claimed
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Flash cards x 20.\nPlan: Continue POC."),
    ),
    known_limits="Silent once any teaching with content stands in the note.",
    check=_education_empty,
)


def _goals_without_results(reading: Reading) -> Iterator[Complaint]:
    if not is_treatment(reading) or not _has_goal_list_only(reading):
        return
    if has(reading, Label.GENERIC, Label.INTERVENTION, Label.CUEING, Label.DRILL):
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
            "Dx: aphasia. Seen for 45 minutes in the clinic. Tolerated treatment well.\nGoals:\n[[1. Pt will "
            "name 20 objects with 90% accuracy given min cues.\n2. Pt will follow directions with 80% accuracy "
            "given min cues.]]\nPlan: Continue POC."
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Flash cards x 20.\nGoals:\n[[1. Pt will name 20 "
            "objects with 90% accuracy given min cues.\n2. Pt will follow directions with 80% accuracy given "
            "min cues.]]\nPlan: Continue POC."
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Skilled ST provided.\nGoals:\n[[Pt will follow "
            "directions with 80% accuracy given min cues.]]"
        ),
    ),
    silent=(
        # data
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Tolerated treatment well. 70% accuracy with "
            "moderate phonemic cues.\nGoals:\n1. Pt will name 20 objects with 90% accuracy given min cues.\n2. "
            "Pt will follow directions with 80% accuracy given min cues.\nPlan: Continue POC."
        ),
        # the status of a goal
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Flash cards x 20. Goal 2 met.\nGoals:\n1. Pt will "
            "name 20 objects with 90% accuracy given min cues.\n2. Pt will follow directions with 80% accuracy "
            "given min cues.\nPlan: Continue POC."
        ),
        # no goals are listed
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Skilled ST provided.\nPlan: Continue POC."),
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
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Tolerated treatment well. [[Next session: phrases "
            "with a visual cue only.]]"
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Worksheet completed. [[Next session: phrases with "
            "a visual cue only.]]"
        ),
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Skilled ST provided. Tolerated treatment well. "
            "[[Next session: phrases with a visual cue only.]]"
        ),
    ),
    silent=(
        # treatment is recorded
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. SLP modelled slow easy onset and shaped from vowel "
            "to phrase. Tolerated treatment well. Next session: phrases with a visual cue only."
        ),
        # the plan is empty too
        example("Dx: aphasia. Seen for 45 minutes in the clinic. Worksheet completed. Continue POC."),
        # a result is recorded
        example(
            "Dx: aphasia. Seen for 45 minutes in the clinic. Tolerated treatment well. Self-corrected 3 of 5 "
            "errors. Next session: phrases with a visual cue only."
        ),
    ),
    known_limits="A planned technique that is written without a word of planning reads as done.",
    check=_skill_in_plan_only,
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
)
