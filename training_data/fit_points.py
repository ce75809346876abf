"""Fit ``analyzer/lexicons/points.csv`` and ``points.toml`` on the labelled notes of the training split.

    python -m training_data.fit_points [--dry-run]

For each label a logistic regression over the signals of a segment (``analyzer/signals.py``). Everything that is chosen
(strength of regularisation, and the decisions of ``fit_decisions.py``) is chosen on predictions for
notes by authors who were left out of the fit. The same notes give the same files. Needs the ``dev`` extra.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression

from analyzer import lexicon
from analyzer.assertion import context
from analyzer.match import Hits, Matcher
from analyzer.segment import Segmentation, Segmenter
from analyzer.signals import Span, segment_signals
from analyzer.types import Label
from training_data.corpus import HERE, LABELS, Record, authors, digest, read_split
from training_data.fit_decisions import Scored, f1_of, fit_decisions, label_decisions, probabilities

LEXICONS = HERE.parent / "analyzer" / "lexicons"
FOLDS = 6
SEED = 17
RARE = 7  # a signal in fewer segments than this is left out
SMALL = 0.1  # points below this are left out; with RARE 4 and 0.08 the table is a quarter longer and labels no better
HAIR = 0.002  # of F1, which says nothing
ABOUT = -0.7  # log-odds near which the thresholds of the labels lie, to compare fits with
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Prepared:
    """A note with the signals and the right labels of our own segments."""

    record: Record
    segmentation: Segmentation
    hits: Hits
    signals: tuple[Mapping[str, Span], ...]
    labels: tuple[frozenset[Label], ...]


def right_labels(record: Record, start: int, end: int) -> frozenset[Label]:
    """Labels of the note's segments that overlap a span by at least half of the shorter of the two."""
    found: set[Label] = set()
    for segment in record["segments"]:
        overlap = min(end, segment["end"]) - max(start, segment["start"])
        if overlap > 0 and 2 * overlap >= min(end - start, segment["end"] - segment["start"]):
            found.update(Label(name) for name in segment["labels"])
    return frozenset(found)


def prepare(records: Sequence[Record]) -> list[Prepared]:
    """Find the signals of every segment of every note."""
    lexicons = lexicon.load_lexicons()
    segmenter, matcher = Segmenter(lexicons), Matcher(lexicons)
    neighbours = frozenset(lexicons.settings["signals"]["seen_from_neighbours"])
    prepared = []
    for record in records:
        segmentation = segmenter(record["text"])
        hits = matcher(segmentation)
        prepared.append(
            Prepared(
                record,
                segmentation,
                hits,
                segment_signals(
                    segmentation,
                    hits,
                    context(segmentation, hits.triggers),
                    plain_words=lexicons.words,
                    seen_from_neighbours=neighbours,
                ),
                tuple(right_labels(record, s.start, s.end) for s in segmentation.segments),
            )
        )
    return prepared


def _vocabulary(notes: Sequence[Prepared]) -> dict[str, int]:
    counts = Counter(signal for note in notes for signals in note.signals for signal in signals)
    return {signal: column for column, signal in enumerate(sorted(s for s, n in counts.items() if n >= RARE))}


CONTEXT = ("before:", "after:", "place/")
ALONE = 0.5  # weight of each segment's second appearance, without what stands around it


def _fitting(notes: Sequence[Prepared], vocabulary: Mapping[str, int]) -> tuple[csr_matrix, NDArray[np.bool_], Matrix]:
    """Segments as they stand and once more as if alone, so that points do not lean on context; with weights."""
    matrix, targets = _matrix(notes, vocabulary), _targets(notes)
    keep = np.array([not signal.startswith(CONTEXT) for signal in vocabulary], dtype=float)
    alone = matrix.multiply(keep).tocsr()
    weights = np.concatenate([np.ones(matrix.shape[0]), np.full(matrix.shape[0], ALONE)])
    return vstack([matrix, alone]).tocsr(), np.vstack([targets, targets]), weights


def _matrix(notes: Sequence[Prepared], vocabulary: Mapping[str, int]) -> csr_matrix:
    rows, columns, row = [], [], 0
    for note in notes:
        for signals in note.signals:
            for signal in signals:
                if signal in vocabulary:
                    rows.append(row)
                    columns.append(vocabulary[signal])
            row += 1
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(row, len(vocabulary)))


def _targets(notes: Sequence[Prepared]) -> NDArray[np.bool_]:
    return np.array([[label in given for label in LABELS] for note in notes for given in note.labels])


def _fit(x: csr_matrix, y: NDArray[np.bool_], weights: Matrix, strength: float) -> LogisticRegression:
    model = LogisticRegression(C=strength, solver="liblinear", max_iter=1000, random_state=SEED)
    model.fit(x, y, sample_weight=weights)
    model.coef_ = np.where(np.abs(model.coef_) < SMALL, 0.0, np.round(model.coef_, 2))
    return model


def left_out_predictions(notes: Sequence[Prepared], strength: float) -> Matrix:
    """Log-odds of every segment by a fit on batches of other authors; shape (n_segments, n_labels)."""
    author_of = authors()
    fold_of_author = {author: number % FOLDS for number, author in enumerate(sorted(set(author_of.values())))}
    fold_of = {batch: fold_of_author[author] for batch, author in author_of.items()}
    fold = np.array([fold_of[note.record["batch"]] for note in notes for _ in note.signals])
    targets = _targets(notes)
    predicted = np.zeros(targets.shape)
    for number in range(FOLDS):
        kept = [note for note in notes if fold_of[note.record["batch"]] != number]
        vocabulary = _vocabulary(kept)
        matrix = _matrix(notes, vocabulary)[fold == number]
        x, y, weights = _fitting(kept, vocabulary)
        for column in range(len(LABELS)):
            model = _fit(x, y[:, column], weights, strength)
            predicted[fold == number, column] = model.decision_function(matrix)
    return predicted


def scored(notes: Sequence[Prepared], sums: Matrix) -> list[Scored]:
    """Put predicted log-odds beside their notes."""
    result, row = [], 0
    for note in notes:
        own = sums[row : row + len(note.signals)]
        row += len(note.signals)
        unticked = tuple(segment.is_unticked for segment in note.segmentation.segments)
        result.append(Scored(note.record, note.labels, unticked, own, np.zeros_like(own), {}, ""))
    return result


def main() -> None:
    """Choose, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="print the figures and write nothing")
    arguments = parser.parse_args()
    whole = prepare(read_split("train"))
    fragments = prepare(read_split("fragments"))  # they teach labels, and say nothing of whole notes
    right = _targets(whole)
    tried = {}
    for strength in (0.15, 0.25, 0.4):
        sums = left_out_predictions([*whole, *fragments], strength)[: len(right)]
        tried[strength] = (f1_of(sums >= ABOUT, right), sums)
        print(f"C {strength}: micro-F1 on left-out authors {tried[strength][0]:.4f}")
    best = max(f1 for f1, _ in tried.values())
    strength = min(c for c, (f1, _) in tried.items() if f1 >= best - HAIR)  # the smaller table of those as good
    notes = scored(whole, tried[strength][1])
    labels = label_decisions(notes, has_encoder=False)
    for column, label in enumerate(LABELS):
        given = np.concatenate([probabilities(note, labels)[:, column] for note in notes])
        value = f1_of(given >= labels[label]["threshold"], right[:, column])
        print(f"{label:13s} F1 {value:.3f} at {labels[label]['threshold']:.2f}, n {right[:, column].sum()}")
    if not arguments.dry_run:
        _write([*whole, *fragments], strength, fit_decisions(notes, labels))


def _write(notes: Sequence[Prepared], strength: float, decisions: Mapping[str, Any]) -> None:
    vocabulary = _vocabulary(notes)
    x, targets, weights = _fitting(notes, vocabulary)
    lines, intercepts = ["label,signal,points"], {}
    for column, label in enumerate(LABELS):
        model = _fit(x, targets[:, column], weights, strength)
        intercepts[label] = round(float(model.intercept_[0]), 4)
        lines += [
            f"{label},{signal},{model.coef_[0][at]:.2f}" for signal, at in vocabulary.items() if model.coef_[0][at]
        ]
    (LEXICONS / "points.csv").write_text("\n".join([lines[0], *sorted(lines[1:])]) + "\n", encoding="utf-8")

    def table(name: str, rows: Mapping[Any, Any]) -> list[str]:
        plain = {key: value for key, value in rows.items() if not isinstance(value, dict)}
        nested = {key: value for key, value in rows.items() if isinstance(value, dict)}
        head = [f"\n[{name}]", *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in plain.items())]
        return [*(head if plain else []), *(line for key in nested for line in table(f"{name}.{key}", nested[key]))]

    text = [
        "# Written by training_data/fit_points.py; do not edit by hand.",
        *table(
            "fitted",
            {
                "notes": len(notes),
                "segments": int(targets.shape[0] / 2),
                "training_data_sha256": digest(),
                "regularisation": strength,
                "seed": SEED,
                "scikit_learn": version("scikit-learn"),
            },
        ),
        *table("intercepts", {str(k): v for k, v in intercepts.items()}),
        *(line for name, rows in decisions.items() for line in table(name, rows)),
    ]
    (LEXICONS / "points.toml").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
