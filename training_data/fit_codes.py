"""Fit what turns a note's words and mentions into ICD-10-CM codes, and write it as the artifact ``codes``.

    python -m training_data.fit_codes [--output FOLDER]

One logistic regression a target (``analyzer/icd10/compose.py``) on the notes of split ``train``; codes that were
acceptable in place of the right one count half. What turns candidates into probabilities, and into the
probability that no code is supported, is fitted on notes of ``validation`` and
``reserve``. Takes under a minute; needs scikit-learn.
"""

import argparse
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression

from analyzer.decisions import INTERCEPT
from analyzer.icd10.coder import MODEL, WORDS, Coder, CodeReading, calibration_features, log_odds
from analyzer.icd10.compose import NONE, load_composition
from analyzer.icd10.features import is_word, values
from analyzer.lexicon import load_lexicons
from analyzer.segment import Segmenter
from analyzer.types import Kind, Note
from models import artifact
from models.linear import FEATURES, WEIGHTS, Linear, write_weights
from training_data.corpus import Record, digest, read_split

VERSION = "1"
LEARNED, DECIDED = ("train",), ("validation", "reserve")
LEAST_NOTES = {"word/": 3, "pair/": 4}  # notes that a feature must stand in; others 3 too
LEAST_POSITIVE = 6  # notes that a target must be right in
C = 3.0  # inverse strength of regularization; chosen on validation notes, with WORDS
CONSIDERED = 10  # candidates of a note on which probabilities are fitted
LEAST = 0.05  # a less probable code is not worth showing
LEAST_LEAF = 0.15  # when no code is more probable, a category is put before them


def targets(note: Record) -> dict[str, float]:
    """How right each target is for a note: 1, or 0.5 where its code is only acceptable in the right one's place."""
    composition = load_composition()
    found = {target: 0.5 for code in note["icd10_acceptable"] for target in composition.targets(code)}
    if not note["icd10"]:
        found[NONE] = 1.0
    return found | {target: 1.0 for code in note["icd10"] for target in composition.targets(code)}


def read(notes: Sequence[Record], coder: Coder) -> list[CodeReading]:
    """Read the diagnoses of notes by their text, and by the kind of note that annotators gave."""
    segmenter = Segmenter(load_lexicons())
    return [coder.read(Note(note["text"]), segmenter(note["text"]), Kind(note["kind"])) for note in notes]


class _Nothing(Linear):
    """A model that knows nothing yet, to read features with."""

    def __init__(self) -> None:
        self.labels, self.rarity = (), {}
        self._rows, self._weights = {}, np.zeros((0, 0), np.int8)
        self._scales = self._intercepts = np.zeros(0, np.float32)


def fit(notes: Sequence[Record], folder: Path) -> artifact.Manifest:
    """Fit all targets and write the weights."""
    seen = [list(reading.features) for reading in read(notes, Coder(load_lexicons(), _Nothing()))]
    counts = Counter(name for names in seen for name in names)
    known = sorted(name for name, count in counts.items() if count >= LEAST_NOTES.get(name[:5], 3))
    rows = {name: row for row, name in enumerate(known)}
    rarity = {name: 1 + math.log((1 + len(notes)) / (1 + counts[name])) for name in known if is_word(name)}
    features = _matrix([values([n for n in names if n in rows], rarity, share=WORDS) for names in seen], rows)
    right = [targets(note) for note in notes]
    often = Counter(target for found in right for target, value in found.items() if value == 1)
    labels = tuple(sorted(target for target, count in often.items() if count >= LEAST_POSITIVE))
    weights, intercepts = np.zeros((len(known), len(labels))), np.zeros(len(labels))
    for column, label in enumerate(labels):
        weights[:, column], intercepts[column] = _fit_one(features, np.array([f.get(label, 0.0) for f in right]))
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder, known, weights, intercepts, np.array([rarity.get(name, 0.0) for name in known]))
    return artifact.Manifest(
        name=MODEL,
        version=VERSION,
        files=artifact.hashes(folder, (WEIGHTS, FEATURES)),
        labels=labels,
        note_outputs=(),
        decisions={},
        training={
            "notes_sha256": digest(LEARNED),
            "notes": len(notes),
            "splits": list(LEARNED),
            "decided_on_sha256": digest(DECIDED),
            "settings": {"C": C, "least_positive": LEAST_POSITIVE, "least_notes": LEAST_NOTES},
            "libraries": {"scikit-learn": version("scikit-learn")},
        },
    )


def _matrix(weighed: Sequence[Mapping[str, float]], rows: Mapping[str, int]) -> csr_matrix:
    cells = [(at, rows[name], value) for at, found in enumerate(weighed) for name, value in found.items()]
    at, column, value = zip(*cells, strict=True)
    return csr_matrix((value, (at, column)), shape=(len(weighed), len(rows)))


def _fit_one(features: csr_matrix, right: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], float]:
    """Fit one target; a note that is half right is there twice, once as right and once as wrong."""
    half = np.flatnonzero(right == 0.5)
    found = vstack([features, features[half]]).tocsr()
    is_right = np.concatenate([right >= 0.5, np.zeros(len(half), bool)])
    weight = np.concatenate([np.where(right == 0.5, 0.5, 1.0), np.full(len(half), 0.5)])
    model = LogisticRegression(C=C, solver="liblinear", max_iter=300, random_state=0)
    model.fit(found, is_right, sample_weight=weight)
    return model.coef_[0], float(model.intercept_[0])


def decide(manifest: artifact.Manifest, folder: Path, notes: Sequence[Record]) -> artifact.Manifest:
    """Fit on notes that nothing was learned from what a candidate's probability is, and that of no code at all."""
    readings = read(notes, Coder(load_lexicons(), Linear(manifest, folder)))
    found, is_right = [], []
    for note, reading in zip(notes, readings, strict=True):
        for candidate in reading.candidates[:CONSIDERED]:
            found.append(calibration_features(candidate, reading))
            is_right.append(candidate.code in _fine(note))
    calibration = _logistic(found, is_right)
    none = _logistic([{"log_odds": log_odds(reading.none)} for reading in readings], [not n["icd10"] for n in notes])
    decisions = {"calibration": calibration, "none": none, "least": LEAST, "least_leaf": LEAST_LEAF}
    return replace(manifest, decisions=decisions)


def _fine(note: Record) -> set[str]:
    return {*note["icd10"], *note["icd10_acceptable"]}


def _logistic(features: Sequence[Mapping[str, float]], is_right: Sequence[bool]) -> dict[str, float]:
    names = list(features[0])
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(np.array([[found[name] for name in names] for found in features]), np.array(is_right))
    return {INTERCEPT: float(model.intercept_[0])} | dict(zip(names, map(float, model.coef_[0]), strict=True))


def main() -> None:
    """Fit, decide and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=artifact.ARTIFACTS, help="folder of artifacts")
    arguments = parser.parse_args()
    folder = arguments.output / MODEL
    manifest = fit([note for split in LEARNED for note in read_split(split)], folder)
    manifest = decide(manifest, folder, [note for split in DECIDED for note in read_split(split)])
    artifact.write(manifest, arguments.output)
    print(f"{len(manifest.labels)} targets; {manifest.decisions}")


if __name__ == "__main__":
    main()
