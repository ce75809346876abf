import numpy as np
import pytest

from models.encoder import Encoder

NOTE = ["Named 12/20 pictures with mod phonemic cues.", "Tolerated well.", "Next: add verbs."]


@pytest.fixture(scope="module")
def encoder():
    return Encoder.load(threads=1)


def test_segment_logits_are_the_mean_of_their_tokens(encoder):
    (scores,) = encoder.score([NOTE])
    means = np.array([tokens.mean(axis=0) for tokens in scores.tokens])
    np.testing.assert_allclose(scores.segments, means, rtol=1e-5)


def test_scores_have_a_row_for_each_segment_and_a_column_for_each_label(encoder):
    (scores,) = encoder.score([NOTE])
    assert scores.segments.shape == (3, len(encoder.labels))
    assert scores.note.shape == (len(encoder.note_outputs),)
    assert [len(tokens) for tokens in scores.tokens] == [len(offsets) for offsets in scores.offsets]


def test_note_without_segments_has_no_rows(encoder):
    (scores,) = encoder.score([[]])
    assert (scores.segments.shape, scores.tokens, scores.note.tolist()) == (
        (0, len(encoder.labels)),
        (),
        [0.0] * len(encoder.note_outputs),
    )


def test_no_notes_give_nothing(encoder):
    assert encoder.score([]) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_note_has_the_same_scores_alone_and_among_others(encoder, threads):
    others = [["Practiced /r/ words 50x."] * 9, ["Watched pt eat."]]
    together = Encoder.load(threads=threads).score([others[0], NOTE, others[1]])
    (alone,) = encoder.score([NOTE])
    np.testing.assert_array_equal(together[1].segments, alone.segments)
    np.testing.assert_array_equal(together[1].note, alone.note)


def test_note_of_many_windows_is_scored_whole(encoder):
    (scores,) = encoder.score([NOTE * 150])
    assert scores.segments.shape[0] == 450
    assert np.isfinite(scores.segments).all()
