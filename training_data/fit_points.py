"""Fit ``analyzer/lexicons/points.csv`` and ``points.toml`` on the labelled notes of the training split.

    python -m training_data.fit_points [--dry-run]

For each label a logistic regression over the signals of a segment (``analyzer/signals.py``). Everything that is chosen
(strength of regularisation, thresholds, limits of the rubric, coefficients of the verdict) is chosen on predictions for
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
from analyzer.evaluate import JUDGED_KINDS
from analyzer.labels import SKILLED
from analyzer.match import Hits, Matcher
from analyzer.rubric import BY_BOTH, BY_STRENGTH, rate_dimensions, strengths, verdict_features
from analyzer.segment import Segmentation, Segmenter
from analyzer.signals import Span, segment_signals
from analyzer.types import Evidence, Label
from training_data.corpus import HERE, LABELS, Record, authors, digest, read_split

LEXICONS = HERE.parent / "analyzer" / "lexicons"
FOLDS = 6
SEED = 17
RARE = 7  # a signal in fewer segments than this is left out
SMALL = 0.1  # points below this are left out; with RARE 4 and 0.08 the table is a quarter longer and labels no better
LEAST_SKILLED_SCORE = 50  # no annotator called a note skilled below 75; half of that gap is left for missed labels
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
    """Predict every segment by a fit on batches of other authors; shape (n_segments, n_labels)."""
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
            predicted[fold == number, column] = model.predict_proba(matrix)[:, 1]
    return predicted


def best_thresholds(predicted: Matrix, targets: NDArray[np.bool_]) -> dict[Label, float]:
    """For each label the threshold with the best F1, the middle of those within a hair of it."""
    chosen = {}
    grid = np.arange(0.14, 0.72, 0.02)
    for column, label in enumerate(LABELS):
        scores = np.array([f1_of(predicted[:, column] >= t, targets[:, column]) for t in grid])
        near = grid[scores >= scores.max() - 0.004]
        chosen[label] = round(float(np.median(near)), 2)
    return chosen


def f1_of(given: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    """F1 over all labels of all segments together."""
    return float(2 * (given & right).sum() / max(1, given.sum() + right.sum()))


def micro_f1(predicted: Matrix, targets: NDArray[np.bool_], thresholds: Mapping[Label, float]) -> float:
    """F1 over all labels together."""
    return f1_of(predicted >= np.array([thresholds[label] for label in LABELS]), targets)


def as_evidence(
    notes: Sequence[Prepared], predicted: Matrix, thresholds: Mapping[Label, float]
) -> list[list[Evidence]]:
    """The labels of each note under predictions."""
    result, row = [], 0
    for note in notes:
        found = []
        for segment in note.segmentation.segments:
            given = {label: p for label, p in zip(LABELS, predicted[row], strict=True) if p >= thresholds[label]}
            if given.keys() & SKILLED:
                given.pop(Label.DRILL, None)
            if not segment.is_unticked:
                found.extend(Evidence(label, segment.index, 0, 0, "", float(p)) for label, p in given.items())
            row += 1
        result.append(found)
    return result


def best_limits(notes: Sequence[Prepared], evidence: Sequence[Sequence[Evidence]]) -> dict[str, list[float]]:
    """Limits of strength that bring the ratings closest to the annotators'."""
    strength = [strengths(found) for found in evidence]
    grid = [round(x, 2) for x in np.arange(0.1, 2.4, 0.05)]
    limits: dict[str, list[float]] = {}
    for dimension, label in BY_STRENGTH.items():
        right = np.array([note.record["rubric"][dimension] for note in notes])
        every = np.array([s[label][0] for s in strength])
        specific = np.array([s[label][1] for s in strength])
        costs = {
            (one, two): float(np.abs(np.where(specific >= two, 2, np.where(every >= one, 1, 0)) - right).sum())
            for one in grid
            for two in grid
            if one <= two
        }
        limits[label] = list(min(costs, key=lambda pair: (costs[pair], pair)))
    for dimension, (first, second) in BY_BOTH.items():
        right = np.array([note.record["rubric"][dimension] for note in notes])
        a, b = (np.array([s[label][0] for s in strength]) for label in (first, second))
        costs = {
            (one, two): float(np.abs((a >= one).astype(int) + (b >= two) - right).sum()) for one in grid for two in grid
        }
        one, two = min(costs, key=lambda pair: (costs[pair], pair))
        limits[first], limits[second] = [one], [two]
    return limits


def fit_verdict(
    notes: Sequence[Prepared], evidence: Sequence[Sequence[Evidence]], limits: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """Coefficients of the two logistic functions behind the verdict, from predictions for left-out notes."""
    weights = lexicon.load_lexicons().weights
    features: list[dict[str, float]] = []
    verdicts = []
    for note, found in zip(notes, evidence, strict=True):
        if note.record["kind"] in JUDGED_KINDS:
            features.append(verdict_features(rate_dimensions(found, weights, limits), found))
            verdicts.append(note.record["verdict"])
    x = np.array([list(found.values()) for found in features])
    coefficients = {}
    for name in ("unskilled", "skilled"):
        model = LogisticRegression(C=1.0, max_iter=1000, random_state=SEED)
        model.fit(x, np.array([verdict == name for verdict in verdicts]))
        values = [round(float(v), 4) for v in (model.intercept_[0], *model.coef_[0])]
        coefficients[name] = dict(zip(("intercept", *features[0]), values, strict=True))
    return coefficients


def main() -> None:
    """Choose, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="print the figures and write nothing")
    arguments = parser.parse_args()
    whole = prepare(read_split("train"))
    fragments = prepare(read_split("fragments"))  # they teach labels, and say nothing of whole notes
    targets = _targets(whole)
    tried = {}
    for strength in (0.15, 0.25, 0.4):
        predicted = left_out_predictions([*whole, *fragments], strength)[: len(targets)]
        tried[strength] = (micro_f1(predicted, targets, best_thresholds(predicted, targets)), predicted)
        print(f"C {strength}: micro-F1 on left-out authors {tried[strength][0]:.4f}")
    strength = max(tried, key=lambda c: tried[c][0])
    predicted = tried[strength][1]
    thresholds = best_thresholds(predicted, targets)
    evidence = as_evidence(whole, predicted, thresholds)
    limits = best_limits(whole, evidence)
    verdict = fit_verdict(whole, evidence, limits)
    for column, label in enumerate(LABELS):
        value = f1_of(predicted[:, column] >= thresholds[label], targets[:, column])
        print(f"{label:13s} F1 {value:.3f} at {thresholds[label]:.2f}, n {targets[:, column].sum()}")
    if not arguments.dry_run:
        _write([*whole, *fragments], strength, thresholds, limits, verdict)


def _write(
    notes: Sequence[Prepared],
    strength: float,
    thresholds: Mapping[Label, float],
    limits: Mapping[str, Sequence[float]],
    verdict: Mapping[str, Mapping[str, float]],
) -> None:
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
        return [f"\n[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in rows.items())]

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
        *table("thresholds", {str(k): v for k, v in thresholds.items()}),
        *table("strength", {str(k): list(v) for k, v in limits.items()}),
        *table("verdict", {"least_skilled_score": LEAST_SKILLED_SCORE}),
        *(line for name, found in verdict.items() for line in table(f"verdict.{name}", found)),
    ]
    (LEXICONS / "points.toml").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
