"""What a model says of one note: plain arrays, so that nothing heavy is loaded to name them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NoteScores:
    """Scores of one note.

    Parameters
    ----------
    segments : ndarray of shape (n_segments, n_labels)
        Logits, not yet calibrated; columns in the order of the model's ``labels``.
    note : ndarray of shape (n_note_outputs,)
        Logits for the whole note, in the order of its ``note_outputs``; a mean over the windows of a long note.
    tokens : tuple of ndarray, each of shape (n_tokens, n_labels)
        One a segment: each token's logits, whose mean is the segment's.
    offsets : tuple of tuple of (int, int)
        One a segment: the characters of each token, half-open, in the segment.
    """

    segments: Array
    note: Array
    tokens: tuple[Array, ...]
    offsets: tuple[tuple[tuple[int, int], ...], ...]
