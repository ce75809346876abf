import math

import pytest

from analyzer.decisions import Decisions, logistic
from analyzer.lexicon import load_lexicons
from analyzer.types import Dimension, Label


def test_logistic_weighs_features_by_name():
    found = logistic({"intercept": 1.0, "a": 2.0, "b": -1.0}, {"a": 0.5, "b": 3.0, "c": 9.0})
    assert math.isclose(found, 1 / (1 + math.exp(1.0)))  # 1 + 2 * 0.5 - 3


def test_logistic_of_extremes_is_finite():
    assert [logistic({"intercept": value}, {}) for value in (1e9, -1e9)] == [
        pytest.approx(1.0),
        pytest.approx(0.0, abs=1e-20),
    ]


def test_logistic_misses_a_feature_that_counts():
    with pytest.raises(KeyError):
        logistic({"intercept": 0.0, "a": 1.0}, {})


def test_decisions_of_the_lexicons_cover_every_label_and_dimension():
    decisions = load_lexicons().decisions
    assert (set(decisions.labels), set(decisions.ratings)) == (set(Label), set(Dimension))


@pytest.mark.parametrize("missing", ["labels", "ratings", "verdict", "kind"])
def test_incomplete_decisions_are_refused(missing):
    table = {key: value for key, value in load_lexicons().settings.items() if key != missing}
    with pytest.raises(KeyError):
        Decisions.of(table)
