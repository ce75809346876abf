import math
from dataclasses import replace

import pytest

from analyzer.decisions import Decisions
from analyzer.rubric import conclude, note_features, rate_dimensions, score, strengths, verdict_features, weak_share
from analyzer.types import Dimension, Evidence, Label, Verdict

WEIGHTS = {  # annotation guide 4
    Dimension.INTERVENTION: 20.0,
    Dimension.CUEING: 15.0,
    Dimension.RESPONSE: 15.0,
    Dimension.MEASURABLE_PROGRESS: 20.0,
    Dimension.CLINICAL_REASONING: 15.0,
    Dimension.GOAL_FUNCTION: 10.0,
    Dimension.PLAN: 5.0,
}


def at_least(limits):
    """Coefficients that let a dimension pass where each named feature is above its limit of strength."""
    (name, limit), *more = limits.items()
    assert not more
    return {"intercept": -1000 * math.log(FAINT + limit - 0.001), name: 1000.0}


def either(*names):
    """Coefficients that pass where any one of some labels stands, at full strength."""
    return {"intercept": 1000 * (len(names) * -math.log(FAINT) - 1.0), **dict.fromkeys(names, 1000.0)}


def both(*names):
    """Coefficients that pass only where all of some labels stand, at full strength."""
    return {"intercept": -1000 * (len(names) - 1) * -0.01, **dict.fromkeys(names, 1000.0)}


FAINT = 0.05
NOTHING = {"intercept": 0.0}


def strong(label):
    return at_least({f"every/{label}": 0.5}), at_least({f"specific/{label}": 1.0})


def two(first, second):
    names = (f"every/{first}", f"every/{second}")
    return either(*names), both(*names)


DECISIONS = Decisions(
    labels={},
    ratings={
        Dimension.INTERVENTION: strong("intervention"),
        Dimension.CUEING: strong("cueing"),
        Dimension.RESPONSE: strong("response"),
        Dimension.MEASURABLE_PROGRESS: two("measure", "progress"),
        Dimension.CLINICAL_REASONING: strong("reasoning"),
        Dimension.GOAL_FUNCTION: two("goal", "function"),
        Dimension.PLAN: strong("plan"),
    },
    unskilled={"intercept": 0.0, "score": -10.0, "weak_share": 10.0},
    skilled={"intercept": -5.0, "score": 10.0, "weak_share": -5.0},
    least_skilled_score=50.0,
    unclear_verdict=0.8,
    lexicon_kind=0.0,
)


def found(*labels, probability=1.0):
    """Evidence with one label a segment."""
    return [Evidence(Label(name), index, 0, 1, "lexicon:x", probability) for index, name in enumerate(labels)]


def rating(dimension, evidence):
    return next(r.rating for r in rated(evidence) if r.dimension is dimension)


def rated(evidence):
    return rate_dimensions(evidence, note_features(evidence, {}), WEIGHTS, DECISIONS)


def test_rubric_rates_nothing_zero():
    assert [r.rating for r in rated([])] == [0] * 7


def test_rubric_of_everything_is_a_hundred():
    labels = ("intervention", "cueing", "response", "measure", "progress", "reasoning", "goal", "function", "plan")
    assert score(rated(found(*labels))) == 100.0


@pytest.mark.parametrize(
    ("labels", "expected"), [(("measure",), 1), (("progress",), 1), (("measure", "progress"), 2), ((), 0)]
)
def test_measurable_progress_is_two_only_with_data_and_comparison(labels, expected):
    assert rating(Dimension.MEASURABLE_PROGRESS, found(*labels)) == expected


@pytest.mark.parametrize(("labels", "expected"), [(("goal",), 1), (("function",), 1), (("goal", "function"), 2)])
def test_goal_and_function_is_two_only_with_both(labels, expected):
    assert rating(Dimension.GOAL_FUNCTION, found(*labels)) == expected


def test_technique_in_boilerplate_gives_at_most_one():
    evidence = [Evidence(Label.INTERVENTION, 0, 0, 1, "", 1.0), Evidence(Label.GENERIC, 0, 0, 1, "", 1.0)]
    assert rating(Dimension.INTERVENTION, evidence) == 1


def test_weak_evidence_gives_one_where_strong_gives_two():
    assert rating(Dimension.CUEING, found("cueing", probability=0.6)) == 1
    assert rating(Dimension.CUEING, found("cueing", "cueing", probability=0.6)) == 2


def test_rating_names_the_segments_it_rests_on():
    ratings = rated(found("measure", "plan", "progress"))
    assert {r.dimension: r.segments for r in ratings if r.rating} == {
        Dimension.MEASURABLE_PROGRESS: (0, 2),
        Dimension.PLAN: (1,),
    }


def test_strength_leaves_boilerplate_out_of_the_second_sum():
    evidence = [
        Evidence(Label.CUEING, 0, 0, 1, "", 0.5),
        Evidence(Label.CUEING, 1, 0, 1, "", 0.25),
        Evidence(Label.GENERIC, 1, 0, 1, "", 1.0),
    ]
    assert strengths(evidence)[Label.CUEING] == (0.75, 0.5)


@pytest.mark.parametrize(
    ("labels", "share"), [((), 1.0), (("drill",), 1.0), (("drill", "cueing"), 0.5), (("cueing", "plan"), 0.0)]
)
def test_weak_share_counts_segments(labels, share):
    assert weak_share(found(*labels)) == share


def test_features_are_logarithms_of_strength_up_to_enough():
    evidence = found(*["measure"] * 4, "drill")
    features = note_features(evidence, {"verdict:skilled": 1.5})
    assert {
        name: round(math.exp(value) - FAINT, 6) for name, value in features.items() if name.startswith("every/")
    } == {f"every/{label}": {"measure": 3.0, "drill": 1.0}.get(label, 0.0) for label in Label}
    assert (features["weak_share"], features["note/verdict:skilled"]) == (1 / 5, 1.5)


def test_verdict_rests_on_score_and_measured_progress_too():
    evidence = found("measure", "progress", "plan", "cueing")
    features = verdict_features(rated(evidence), note_features(evidence, {}))
    assert (features["score"], features["rating/measurable_progress"]) == (0.4, 2.0)  # cueing 15, progress 20, plan 5


def test_dimension_without_evidence_is_rated_nought_whatever_the_encoder_says():
    sure = {"intercept": 50.0}
    decisions = replace(DECISIONS, ratings=dict.fromkeys(Dimension, (sure, sure)))
    evidence = found("plan")
    ratings = rate_dimensions(evidence, note_features(evidence, {}), WEIGHTS, decisions)
    assert {r.dimension: r.rating for r in ratings if r.rating} == {Dimension.PLAN: 2}


@pytest.mark.parametrize(
    ("labels", "verdict"),
    [
        (("drill", "generic"), Verdict.UNSKILLED),
        (("intervention", "cueing", "response", "measure", "progress", "reasoning", "goal"), Verdict.SKILLED),
        (("intervention", "cueing", "response", "reasoning", "goal", "function", "plan"), Verdict.AT_RISK),  # no number
        (("measure", "cueing"), Verdict.AT_RISK),
    ],
)
def test_verdict(labels, verdict):
    evidence = found(*labels)
    assert conclude(rated(evidence), note_features(evidence, {}), DECISIONS).verdict is verdict


@pytest.mark.parametrize(("intercept", "is_unclear"), [(1.0, True), (3.0, False)])
def test_verdict_with_a_thin_margin_is_marked(intercept, is_unclear):
    decisions = replace(DECISIONS, unskilled={"intercept": intercept}, skilled={"intercept": -5.0})
    found = conclude(rated([]), note_features([], {}), decisions)
    assert (found.verdict, found.is_unclear) == (Verdict.UNSKILLED, is_unclear)  # probability 0.73 and 0.95
