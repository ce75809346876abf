"""The parts of the learning curve that need no encoder."""

import numpy as np

from training_data import corpus, learning_curve
from training_data.fit_decisions import f1_of
from training_data.learning_curve import Linear, right, subset, thresholds


def test_smaller_share_is_part_of_a_larger_one():
    notes = corpus.read_split("test")
    parts = [{note["id"] for note in subset(notes, share)} for share in learning_curve.SHARES]
    assert [len(part) for part in parts] == [round(share * len(notes)) for share in learning_curve.SHARES]
    assert parts[0] < parts[1] < parts[2] < parts[3]


def test_f1_counts_all_labels_together():
    given = np.array([[True, False], [True, True]])
    wanted = np.array([[True, True], [False, True]])
    assert f1_of(given, wanted) == 2 * 2 / (3 + 3)


def test_threshold_of_a_label_parts_right_from_wrong():
    scores = np.tile([[0.2], [0.3], [0.6]], len(corpus.LABELS))
    wanted = np.tile([[False], [False], [True]], len(corpus.LABELS))
    found = thresholds(scores, wanted)
    assert ((found > 0.3) & (found <= 0.6)).all()


def test_right_labels_are_a_row_a_segment():
    notes = corpus.read_split("test")[:3]
    found = right(notes)
    assert found.shape == (sum(len(note["segments"]) for note in notes), len(corpus.LABELS))
    assert [corpus.LABELS[c] for c in np.flatnonzero(found[1])] == sorted(
        notes[0]["segments"][1]["labels"], key=corpus.LABELS.index
    )


def test_linear_model_learns_what_it_is_shown():
    notes = corpus.read_split("train")[:60]
    scores = Linear().fit(notes).predict(notes)
    assert scores.shape == right(notes).shape
    assert f1_of(scores >= thresholds(scores, right(notes)), right(notes)) > 0.9
