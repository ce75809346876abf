"""A linear model over named features: what each one weighs can be read off."""

from collections.abc import Mapping
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

    def score(self, features: Mapping[str, float]) -> NDArray[np.float32]:
        """Score one text.

        Parameters
        ----------
        features : mapping of str to float
            Features that the model does not know count nothing.

        Returns
        -------
        ndarray of shape (n_labels,)
            Log-odds, in the order of ``labels``.
        """
        known = [(self._rows[name], value) for name, value in features.items() if name in self._rows]
        if not known:
            return self._intercepts.copy()
        rows, values = zip(*known, strict=True)
        total = np.asarray(values, dtype=np.float32) @ self._weights[list(rows)].astype(np.float32)
        scored: NDArray[np.float32] = total * self._scales + self._intercepts
        return scored

    def parts(self, features: Mapping[str, float], label: str) -> dict[str, float]:
        """Split a label's log-odds into what each feature adds; the intercept is left out.

        Raises
        ------
        ValueError
            For a label that the model does not have.
        """
        column = self.labels.index(label)
        scale = float(self._scales[column])
        return {
            name: value * scale * float(self._weights[self._rows[name], column])
            for name, value in features.items()
            if name in self._rows
        }


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
