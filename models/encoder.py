"""A transformer over the whole note, run by ONNX Runtime: segments in, scores out."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime

from models.artifact import ARTIFACTS, Manifest, load
from models.scores import Array, NoteScores
from models.windows import Piece, Tokens, Window

WEIGHTS, TOKENIZER = "encoder.onnx", "tokenizer.json"


class Encoder:
    """A loaded encoder; holds no state between notes and may be shared by threads.

    Use :meth:`load`.
    """

    def __init__(self, manifest: Manifest, folder: Path, *, threads: int | None = None) -> None:
        self.name = f"{manifest.name}-{manifest.version}"
        self.labels, self.note_outputs = manifest.labels, manifest.note_outputs
        self.decisions = manifest.decisions
        self._tokens = Tokens(folder / TOKENIZER)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # windows run side by side instead
        threads = threads or _processors()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encoder") if threads > 1 else None
        self._session = onnxruntime.InferenceSession(str(folder / WEIGHTS), options, providers=["CPUExecutionProvider"])

    @classmethod
    def load(cls, name: str = "encoder", folder: Path = ARTIFACTS, *, threads: int | None = None) -> "Encoder":
        """Load and check an artifact.

        Parameters
        ----------
        name : str
        folder : Path
        threads : int, optional
            Windows that are run side by side; as many as there are processors when not given.

        Returns
        -------
        Encoder

        Raises
        ------
        ArtifactError
            When a file is missing or not the one that was trained.
        """
        return cls(*load(name, folder), threads=threads)

    @staticmethod
    def is_installed(name: str = "encoder", folder: Path = ARTIFACTS) -> bool:
        """Whether there is such an artifact at all, sound or not."""
        return (folder / name).is_dir()

    def score(self, notes: Sequence[Sequence[str]]) -> list[NoteScores]:
        """Score every segment of every note.

        Parameters
        ----------
        notes : sequence of sequence of str
            The segments of each note, in order.

        Returns
        -------
        list of NoteScores
            One a note; a note without segments has arrays without rows and a ``note`` of zeros.
        """
        pieces = [self._tokens.pieces(texts) for texts in notes]
        windows = [(number, window) for number, own in enumerate(pieces) for window in self._tokens.windows(own)]
        tokens: list[list[Array]] = [[np.zeros((0, len(self.labels)), np.float32)] * len(own) for own in pieces]
        note: list[list[Array]] = [[] for _ in notes]
        run = map if len(windows) < 2 or self._pool is None else self._pool.map
        for (number, window), (by_token, whole) in zip(
            windows, run(self._run, [window for _, window in windows]), strict=True
        ):
            note[number].append(whole)
            for segment, first, end in window.spans:
                tokens[number][segment] = by_token[first:end]
        return [self._scores(own, found, whole) for own, found, whole in zip(pieces, tokens, note, strict=True)]

    def _run(self, window: Window) -> tuple[Array, Array]:
        """Score one window by itself.

        Its activations are scaled to 8 bits over what is run at once, so that companions in a batch would move its
        scores; alone it has the same in every batch, and on a CPU it costs no more.
        """
        ids = np.array([window.ids], dtype=np.int64)
        by_token, by_window = self._session.run(None, {"ids": ids})
        return by_token[0], by_window[0]

    def _scores(self, pieces: Sequence[Piece], tokens: Sequence[Array], note: Sequence[Array]) -> NoteScores:
        segments = [found.mean(axis=0) for found in tokens]
        return NoteScores(
            segments=np.array(segments, dtype=np.float32).reshape(len(pieces), len(self.labels)),
            note=np.mean(note, axis=0) if note else np.zeros(len(self.note_outputs), dtype=np.float32),
            tokens=tuple(tokens),
            offsets=tuple(piece.offsets for piece in pieces),
        )


def _processors() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
