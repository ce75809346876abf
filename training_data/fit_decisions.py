"""Fit the decisions (``analyzer/decisions.py``) on notes whose scores come from models that did not learn from them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from analyzer import lexicon
from analyzer.decisions import INTERCEPT, Decisions, LabelDecision
from analyzer.evaluate import JUDGED_KINDS
from analyzer.labels import SKILLED
from analyzer.rubric import LABELS_OF, Conclusion, conclude, note_features, rate_dimensions, verdict_features
from analyzer.types import Dimension, Evidence, Label, Verdict
from training_data.corpus import LABELS, Record

LEAST_SKILLED_SCORE = 50  # no annotator called a note skilled below 75; half of that gap is left for missed labels
UNCLEAR_LABEL = 0.6  # a given label that is less probable is marked for a person
UNCLEAR_VERDICT = 0.8  # and a verdict
THRESHOLDS = np.arange(0.14, 0.72, 0.02)
KIND_WEIGHTS = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0)
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """A note with what models that did not learn from it say of our own segments.

    Parameters
    ----------
    record : Record
    right : tuple of frozenset of Label
        The annotators' labels of each of our segments.
    is_unticked : tuple of bool
    lexicon, encoder : ndarray of shape (n_segments, n_labels)
        Sums of points, and logits; zeros where the encoder has no part.
    note_logits : mapping of str to float
        The encoder's outputs for the whole note; empty where it has no part.
    lexicon_kind : str
    """

    record: Record
    right: tuple[frozenset[Label], ...]
    is_unticked: tuple[bool, ...]
    lexicon: Matrix
    encoder: Matrix
    note_logits: Mapping[str, float]
    lexicon_kind: str


def f1_of(given: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    """F1 over all labels of all segments together."""
    return float(2 * (given & right).sum() / max(1, given.sum() + right.sum()))


def targets(notes: Sequence[Scored]) -> NDArray[np.bool_]:
    """The right labels of all segments; shape (n_segments, n_labels)."""
    return np.array([[label in given for label in LABELS] for note in notes for given in note.right])


def best_threshold(predicted: Matrix, right: NDArray[np.bool_]) -> float:
    """Half of the best F1 that any threshold gives.

    Where probabilities are calibrated this is the threshold of the best F1 (Lipton, Elkan and Naryanaswamy, 2014),
    and it depends less on the notes at hand than the threshold that happened to be best on them.
    """
    return round(max(f1_of(predicted >= at, right) for at in THRESHOLDS) / 2, 2)


def label_decisions(notes: Sequence[Scored], *, has_encoder: bool) -> dict[str, dict[str, float]]:
    """Weigh sums of points and logits into calibrated log-odds, and choose the thresholds."""
    sums = np.concatenate([note.lexicon for note in notes])
    logits = np.concatenate([note.encoder for note in notes])
    right = targets(notes)
    chosen = {}
    for column, label in enumerate(LABELS):
        x = np.column_stack([sums[:, column], logits[:, column]] if has_encoder else [sums[:, column]])
        model = LogisticRegression(C=1.0, max_iter=1000).fit(x, right[:, column])
        intercept, *weights = (round(float(value), 4) for value in (model.intercept_[0], *model.coef_[0]))
        by_lexicon, by_encoder = weights if has_encoder else (weights[0], 0.0)
        predicted = 1 / (1 + np.exp(-(intercept + by_lexicon * sums[:, column] + by_encoder * logits[:, column])))
        threshold = best_threshold(predicted, right[:, column])
        decision = LabelDecision(intercept, by_lexicon, by_encoder, threshold, max(UNCLEAR_LABEL, threshold))
        chosen[str(label)] = asdict(decision)
    return chosen


def probabilities(note: Scored, labels: Mapping[str, Mapping[str, float]]) -> Matrix:
    """Calibrated probabilities of a note's segments; shape (n_segments, n_labels)."""
    intercept, lexicon_weight, encoder_weight = (
        np.array([labels[label][name] for label in LABELS]) for name in ("intercept", "lexicon", "encoder")
    )
    total = intercept + lexicon_weight * note.lexicon + encoder_weight * note.encoder
    return np.asarray(1 / (1 + np.exp(-total)))


def evidence_of(note: Scored, labels: Mapping[str, Mapping[str, float]]) -> list[Evidence]:
    """The labels that the analyzer would give, without their words."""
    thresholds = np.array([labels[label]["threshold"] for label in LABELS])
    found = []
    for segment, row in enumerate(probabilities(note, labels)):
        given = {LABELS[column]: float(row[column]) for column in np.flatnonzero(row >= thresholds)}
        if given.keys() & SKILLED:
            given.pop(Label.DRILL, None)
        if not note.is_unticked[segment]:
            found += [Evidence(label, segment, 0, 0, "", round(value, 4)) for label, value in given.items()]
    return found


def _coefficients(features: Sequence[Mapping[str, float]], names: Sequence[str], wanted: Sequence[bool]) -> Any:
    x = np.array([[found[name] for name in names] for found in features])
    model = LogisticRegression(C=0.3, max_iter=5000).fit(x, np.array(wanted))
    values = [round(float(value), 4) for value in (model.intercept_[0], *model.coef_[0])]
    return dict(zip((INTERCEPT, *names), values, strict=True))


def fit_decisions(notes: Sequence[Scored], labels: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Fit ratings, verdict and kind on top of the labels.

    Parameters
    ----------
    notes : sequence of Scored
    labels : mapping
        What :func:`label_decisions` gave.

    Returns
    -------
    dict
        What :meth:`analyzer.decisions.Decisions.of` reads.
    """
    weights = lexicon.load_lexicons().weights
    has_encoder = bool(notes[0].note_logits)
    evidence = [evidence_of(note, labels) for note in notes]
    features = [note_features(own, note.note_logits) for own, note in zip(evidence, notes, strict=True)]
    ratings: dict[str, dict[str, Any]] = {}
    for dimension in Dimension:
        names = [f"{kind}/{label}" for label in LABELS_OF[dimension] for kind in ("every", "specific")]
        names += [f"note/{dimension}>={level}" for level in (1, 2) if has_encoder]
        ratings[str(dimension)] = {
            str(level): _coefficients(features, names, [note.record["rubric"][dimension] >= level for note in notes])
            for level in (1, 2)
        }
    table: dict[str, Any] = {"labels": dict(labels), "ratings": ratings}
    table["kind"] = {"lexicon": _kind_weight(notes) if has_encoder else 1.0}
    table["verdict"] = {"unskilled": {INTERCEPT: 0.0}, "skilled": {INTERCEPT: 0.0}}
    table["verdict"] |= {"least_skilled_score": LEAST_SKILLED_SCORE, "unclear": UNCLEAR_VERDICT}
    rated = Decisions.of(table)
    judged = [
        (note, verdict_features(rate_dimensions(own, found, weights, rated), found))
        for note, own, found in zip(notes, evidence, features, strict=True)
        if note.record["kind"] in JUDGED_KINDS
    ]
    names = ["score", "weak_share", "rating/measurable_progress"]
    names += (
        [f"note/verdict:{verdict}" for verdict in Verdict]
        if has_encoder
        else [f"specific/{label}" for label in Label if label is not Label.GENERIC]
    )
    for name in ("unskilled", "skilled"):
        wanted = [note.record["verdict"] == name for note, _ in judged]
        table["verdict"][name] = _coefficients([found for _, found in judged], names, wanted)
    table["verdict"]["unclear_wrong"] = unclear_wrong(notes, Decisions.of(table))
    return table


def unclear_wrong(notes: Sequence[Scored], decisions: Decisions) -> float:
    """The share of the verdicts marked as unclear that annotators did not give; 0 where none is marked."""
    marked = [found.verdict != right for right, found in concluded(notes, decisions) if found.is_unclear]
    return round(sum(marked) / len(marked), 4) if marked else 0.0


def concluded(notes: Sequence[Scored], decisions: Decisions) -> list[tuple[str, Conclusion]]:
    """The annotators' verdict of each judged note, and what the analyzer concludes."""
    weights = lexicon.load_lexicons().weights
    labels = {str(label): asdict(decision) for label, decision in decisions.labels.items()}
    found = []
    for note in notes:
        if note.record["kind"] in JUDGED_KINDS:
            evidence = evidence_of(note, labels)
            features = note_features(evidence, note.note_logits)
            ratings = rate_dimensions(evidence, features, weights, decisions)
            found.append((note.record["verdict"], conclude(ratings, features, decisions)))
    return found


def _kind_weight(notes: Sequence[Scored]) -> float:
    """What the lexicons' kind should weigh: the least that is best."""

    def right(weight: float) -> int:
        kinds = [name.removeprefix("kind:") for name in notes[0].note_logits if name.startswith("kind:")]
        return sum(
            max(kinds, key=lambda kind: note.note_logits[f"kind:{kind}"] + weight * (kind == note.lexicon_kind))
            == note.record["kind"]
            for note in notes
        )

    return max(KIND_WEIGHTS, key=lambda weight: (right(weight), -weight))
