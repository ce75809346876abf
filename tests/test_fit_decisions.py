import numpy as np

from analyzer.types import Dimension, Label
from training_data.corpus import LABELS
from training_data.fit_decisions import Scored, best_threshold, evidence_of, f1_of, label_decisions

COLUMN = LABELS.index(Label.MEASURE)


def note(number, is_measured):
    """A note of one segment, on which the encoder is right and the lexicons say nothing."""
    encoder = np.full((1, len(LABELS)), -3.0)
    encoder[0, COLUMN] = 3.0 if is_measured else -3.0
    record = {
        "kind": "treatment",
        "verdict": "at_risk" if is_measured else "unskilled",
        "rubric": dict.fromkeys(Dimension, 0) | {Dimension.MEASURABLE_PROGRESS: int(is_measured)},
    }
    return Scored(
        record=record,
        right=(frozenset({Label.MEASURE}) if is_measured else frozenset(),),
        is_unticked=(False,),
        lexicon=np.zeros((1, len(LABELS))),
        encoder=encoder,
        note_logits={"kind:treatment": 1.0, "kind:group": -1.0},
        lexicon_kind="treatment",
    )


def test_f1_counts_all_labels_together():
    given = np.array([[True, False], [True, True]])
    assert f1_of(given, np.array([[True, True], [False, True]])) == 2 * 2 / (3 + 3)


def test_threshold_is_half_of_the_best_f1():
    scores, right = np.array([0.2, 0.3, 0.6, 0.6]), np.array([False, True, True, False])
    assert best_threshold(scores, right) == 0.4  # from 0.3 on: two right, one wrong, F1 0.8


def test_label_is_weighed_by_what_tells_it_apart(monkeypatch):
    monkeypatch.setattr("training_data.fit_decisions.LABELS", (Label.MEASURE,))
    notes = [note(number, number % 2 == 0) for number in range(40)]
    notes = [Scored(n.record, n.right, n.is_unticked, n.lexicon[:, :1], n.encoder[:, [COLUMN]], {}, "") for n in notes]
    found = label_decisions(notes, has_encoder=True)["measure"]
    assert found["encoder"] > 0.5
    assert found["lexicon"] == 0.0


def test_unticked_segment_carries_no_evidence():
    scored = note(0, True)
    labels = {
        str(label): {"intercept": 0.0, "lexicon": 0.0, "encoder": 1.0, "threshold": 0.5, "unclear_below": 0.6}
        for label in Label
    }
    assert [item.label for item in evidence_of(scored, labels)] == [Label.MEASURE]
    blank = Scored(scored.record, scored.right, (True,), scored.lexicon, scored.encoder, {}, "")
    assert evidence_of(blank, labels) == []
