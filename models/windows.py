"""Segments of a note to windows of tokens: the one way of reading that training and use share."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.artifact import ArtifactError

LENGTH = 512  # tokens that an encoder of this family can place
OVERLAP = 96  # tokens that a long note's windows share, so that each segment is read with what stands around it
_MARKS = (("[CLS]", "[SEP]", "[PAD]", "[UNK]"), ("<s>", "</s>", "<pad>", "[UNK]"))  # of BERT's family, of MPNet's


@dataclass(frozen=True, slots=True)
class Piece:
    """The tokens of one segment.

    Parameters
    ----------
    ids : tuple of int
        At least one.
    offsets : tuple of (int, int)
        Characters of each token, half-open, in the segment.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A run of segments that is read at once.

    Parameters
    ----------
    ids : tuple of int
        Tokens, with the first one for the whole window and a separator after each segment.
    spans : tuple of (int, int, int)
        Segment, first token and last token + 1 of each segment that is scored here; others only give context.
    """

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int, int], ...]


class Tokens:
    """A word-piece tokenizer with the marks that windows are built with."""

    def __init__(self, path: Path, *, length: int = LENGTH, overlap: int = OVERLAP) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._length, self._overlap = length, overlap
        self.first, self.separator, self.padding, self._unknown = self._marks()

    def _marks(self) -> list[int]:
        for marks in _MARKS:
            found = [self._tokenizer.token_to_id(token) for token in marks]
            known = [token for token in found if token is not None]
            if len(known) == len(marks):
                return known
        raise ArtifactError(f"the tokenizer has none of the marks {' or '.join(map(' '.join, _MARKS))}")

    def pieces(self, texts: Sequence[str]) -> list[Piece]:
        """Cut each text into tokens; one too long for a window loses its end, one without any gets an unknown one."""
        most = self._length - 2
        return [
            Piece(tuple(found.ids[:most]), tuple(found.offsets[:most]))
            if found.ids
            else Piece((self._unknown,), ((0, len(text)),))
            for text, found in zip(
                texts, self._tokenizer.encode_batch(list(texts), add_special_tokens=False), strict=True
            )
        ]

    def windows(self, pieces: Sequence[Piece]) -> list[Window]:
        """Lay the segments of one note out in as few windows as hold them.

        Parameters
        ----------
        pieces : sequence of Piece

        Returns
        -------
        list of Window
            Each segment is scored in exactly one of them, where it has most context; no pieces give no window.
        """
        ranges: list[tuple[int, int]] = []  # segments in each window, half-open
        start = 0
        while start < len(pieces):
            end, used = start, 1
            while end < len(pieces) and used + len(pieces[end].ids) + 1 <= self._length:
                used += len(pieces[end].ids) + 1
                end += 1
            ranges.append((start, end))
            if end == len(pieces):
                break
            shared, start = 0, end
            while start - 1 > ranges[-1][0] and shared + len(pieces[start - 1].ids) + 1 <= self._overlap:
                start -= 1
                shared += len(pieces[start].ids) + 1
        borders = [0, *((a[1] + b[0] + 1) // 2 for a, b in pairwise(ranges)), len(pieces)]
        return [
            self._window(pieces, segments, (borders[number], borders[number + 1]))
            for number, segments in enumerate(ranges)
        ]

    def _window(self, pieces: Sequence[Piece], segments: tuple[int, int], scored: tuple[int, int]) -> Window:
        ids, spans = [self.first], []
        for segment in range(*segments):
            if scored[0] <= segment < scored[1]:
                spans.append((segment, len(ids), len(ids) + len(pieces[segment].ids)))
            ids += [*pieces[segment].ids, self.separator]
        return Window(tuple(ids), tuple(spans))


def batch(windows: Sequence[Window], padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and mask of shape (n_windows, longest window)."""
    longest = max(len(window.ids) for window in windows)
    ids = np.full((len(windows), longest), padding, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = window.ids
        mask[row, : len(window.ids)] = 1
    return ids, mask
