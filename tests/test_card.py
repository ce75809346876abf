"""The parts of the model card that are counted, on notes small enough to count by hand."""

from types import SimpleNamespace

import pytest

from analyzer.types import Evidence, Kind, Label, Section, Segment, Verdict
from training_data import card

TEXT = "Named 8/10. Tolerated well."
RECORD = {
    "text": TEXT,
    "segments": [{"start": 0, "end": 11, "labels": ["measure"]}, {"start": 12, "end": 27, "labels": ["generic"]}],
    "kind": "treatment",
    "verdict": "at_risk",
    "score": 20.0,
}


def report(*labels, verdict=Verdict.AT_RISK, probability=0.9, is_unclear=False, score=10.0):
    """A report that gives labels to the first segment."""
    return SimpleNamespace(
        segments=(Segment(0, 0, 11, Section.BODY, 0), Segment(1, 12, 27, Section.BODY, 12)),
        evidence=tuple(Evidence(label, 0, 0, 5, "x", 0.5) for label in labels),
        verdict=verdict,
        verdict_probability=probability,
        is_verdict_unclear=is_unclear,
        score=score,
        kind=Kind.TREATMENT,
    )


def test_labels_are_counted_as_right_wrong_and_missed():
    counts = card.label_counts(RECORD, report(Label.MEASURE, Label.DRILL))
    assert counts == {
        "right": 1,
        "wrong": 1,
        "missed": 1,
        "drill, not given by annotators": 1,
        "generic, missed": 1,
    }


def test_reliability_puts_probabilities_into_ten_bins():
    found = card.reliability([(0.05, False), (0.95, True), (0.92, False), (1.0, True)])
    assert [(row["n"], round(row["mean"], 3), row["true"]) for row in found["bins"]] == [
        (1, 0.05, 0),
        (3, 0.957, pytest.approx(2 / 3)),
    ]
    assert found["calibration_error"] == pytest.approx((0.05 + abs(2.87 - 2)) / 4)


def test_selective_risk_keeps_the_clearest_verdicts_first():
    pairs = [
        (RECORD, report(probability=0.99)),
        (RECORD, report(verdict=Verdict.SKILLED, probability=0.55, is_unclear=True)),
    ]
    found = card.selective(pairs)
    assert found["curve"][0]["wrong"] == 0
    assert found["curve"][-1]["wrong"] == 0.5
    assert (found["marked"], found["marked_wrong"], found["clear"], found["clear_wrong"]) == (1, 1, 1, 0)


def test_failures_name_wrong_verdicts_and_the_commonest_errors():
    found = card.failures([(RECORD, report(Label.DRILL, verdict=Verdict.UNSKILLED))])
    assert found["verdicts"] == {"at_risk called unskilled": 1}
    assert found["labels"] == {"drill, not given by annotators": 1, "generic, missed": 1, "measure, missed": 1}
