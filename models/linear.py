"""A linear model over named features: what each one weighs can be read off."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.artifact import ARTIFACTS, ArtifactError, Manifest, load

WEIGHTS, FEATURES = "weights.npz", "features.txt"


class Linear:
    """A loaded model; holds no state between notes and may be shared by threads.

    Use :meth:`load`. Weights are kept in 8 bits, with a scale for each output.
    """

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self.name = f"{manifest.name}-{manifest.version}"
        self.labels = manifest.labels
        self.decisions = manifest.decisions
        names = (folder / FEATURES).read_text(encoding="utf-8").splitlines()
        with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
            self._weights: NDArray[np.int8] = arrays["weights"]
            self._scales: NDArray[np.float32] = arrays["scales"]
            self._intercepts: NDArray[np.float32] = arrays["intercepts"]
            rarity = arrays["rarity"].tolist()
        if self._weights.shape != (len(names), len(self.labels)) or len(rarity) != len(names):
            raise ArtifactError(f"{manifest.name}/{WEIGHTS}: shape {self._weights.shape} does not fit {FEATURES}")
        self._rows = {name: row for row, name in enumerate(names)}
        self.rarity: Mapping[str, float] = {name: value for name, value in zip(names, rarity, strict=True) if value > 0}

    @classmethod
    def load(cls, name: str, folder: Path = ARTIFACTS) -> "Linear":
        """Load and check an artifact.

        Parameters
        ----------
        name : str
        folder : Path

        Returns
        -------
        Linear

        Raises
        ------
        ArtifactError
            When a file is missing or not the one that was fitted.
        """
        return cls(*load(name, folder))

    def weigh(self, features: Mapping[str, float]) -> "Weighing":
        """Weigh the features of one text; those that the model does not know count nothing."""
        known = [(name, self._rows[name], value) for name, value in features.items() if name in self._rows]
        names, rows, values = zip(*known, strict=True) if known else ((), (), ())
        weights = self._weights[list(rows)].astype(np.float32)
        parts = np.array(values, dtype=np.float32)[:, None] * weights * self._scales
        return Weighing(self.labels, names, parts, parts.sum(axis=0) + self._intercepts)


@dataclass(frozen=True, slots=True)
class Weighing:
    """What a model makes of one text.

    Parameters
    ----------
    labels, names : tuple of str
        Outputs of the model; features that it knows.
    shares : ndarray of shape (n_features, n_labels)
        What each feature adds to the log-odds of each label.
    log_odds : ndarray of shape (n_labels,)
        Their sum and the intercept.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    shares: NDArray[np.float32]
    log_odds: NDArray[np.float32]

    def parts(self, label: str) -> dict[str, float]:
        """What each feature adds to one label.

        Raises
        ------
        ValueError
            For a label that the model does not have.
        """
        return dict(zip(self.names, self.shares[:, self.labels.index(label)].tolist(), strict=True))


def write_weights(
    folder: Path,
    names: list[str],
    weights: NDArray[np.float64],
    intercepts: NDArray[np.float64],
    rarity: NDArray[np.float64],
) -> None:
    """Write a fitted model, its weights rounded to 8 bits.

    Parameters
    ----------
    folder : Path
    names : list of str
        Features, one a row.
    weights : ndarray of shape (n_features, n_labels)
    intercepts : ndarray of shape (n_labels,)
    rarity : ndarray of shape (n_features,)
        What a word is worth before its note's words are brought to length 1; 0 for what is no word.
    """
    scales = np.maximum(np.abs(weights).max(axis=0) / 127, 1e-12)
    (folder / FEATURES).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    np.savez_compressed(
        folder / WEIGHTS,
        weights=np.round(weights / scales).astype(np.int8),
        scales=scales.astype(np.float32),
        intercepts=intercepts.astype(np.float32),
        rarity=rarity.astype(np.float32),
    )
