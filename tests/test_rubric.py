import pytest

from analyzer.rubric import conclude, rate_dimensions, score, strengths, verdict_features, weak_share
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
LIMITS = {
    "intervention": [0.5, 1.0],
    "cueing": [0.5, 1.0],
    "response": [0.5, 1.0],
    "reasoning": [0.5, 1.0],
    "plan": [0.5, 0.5],
    "measure": [0.5],
    "progress": [0.5],
    "goal": [0.5],
    "function": [0.5],
}
NOTHING = dict.fromkeys(["intercept", "score", "weak_share", "measurable_progress", *Label], 0.0)
VERDICT = {
    "unskilled": NOTHING | {"score": -10.0, "weak_share": 10.0},
    "skilled": NOTHING | {"intercept": -5.0, "score": 10.0, "weak_share": -5.0},
    "least_skilled_score": 50,
}


def found(*labels, probability=1.0):
    """Evidence with one label a segment."""
    return [Evidence(Label(name), index, 0, 1, "lexicon:x", probability) for index, name in enumerate(labels)]


def rating(dimension, evidence):
    return next(r.rating for r in rate_dimensions(evidence, WEIGHTS, LIMITS) if r.dimension is dimension)


def test_rubric_rates_nothing_zero():
    assert [r.rating for r in rate_dimensions([], WEIGHTS, LIMITS)] == [0] * 7


def test_rubric_of_everything_is_a_hundred():
    labels = ("intervention", "cueing", "response", "measure", "progress", "reasoning", "goal", "function", "plan")
    assert score(rate_dimensions(found(*labels), WEIGHTS, LIMITS)) == 100.0


@pytest.mark.parametrize(
    ("labels", "expected"), [(("measure",), 1), (("progress",), 1), (("measure", "progress"), 2), ((), 0)]
)
def test_measurable_progress_is_two_only_with_data_and_comparison(labels, expected):
    assert rating(Dimension.MEASURABLE_PROGRESS, found(*labels)) == expected


@pytest.mark.parametrize(("labels", "expected"), [(("goal",), 1), (("function",), 1), (("goal", "function"), 2)])
def test_goal_and_function_is_two_only_with_both(labels, expected):
    assert rating(Dimension.GOAL_FUNCTION, found(*labels)) == expected


def test_technique_in_boilerplate_gives_at_most_one():
    both = [Evidence(Label.INTERVENTION, 0, 0, 1, "", 1.0), Evidence(Label.GENERIC, 0, 0, 1, "", 1.0)]
    assert rating(Dimension.INTERVENTION, both) == 1


def test_weak_evidence_gives_one_where_strong_gives_two():
    assert rating(Dimension.CUEING, found("cueing", probability=0.6)) == 1
    assert rating(Dimension.CUEING, found("cueing", "cueing", probability=0.6)) == 2


def test_rating_names_the_segments_it_rests_on():
    ratings = rate_dimensions(found("measure", "plan", "progress"), WEIGHTS, LIMITS)
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


def test_verdict_rests_on_score_weak_share_progress_and_the_strength_of_each_label():
    evidence = found(*["measure"] * 4, "drill", "progress", "plan", "cueing")
    features = verdict_features(rate_dimensions(evidence, WEIGHTS, LIMITS), evidence)
    assert {name: value for name, value in features.items() if value} == {
        "score": 0.4,  # cueing 15, measurable progress 20, plan 5
        "weak_share": 1 / 8,
        "measurable_progress": 2.0,
        "measure": 3.0,  # a fourth says no more
        "progress": 1.0,
        "plan": 1.0,
        "drill": 1.0,
        "cueing": 1.0,
    }


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
    assert conclude(rate_dimensions(evidence, WEIGHTS, LIMITS), evidence, VERDICT)[0] is verdict
