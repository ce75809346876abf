"""Evidence and weak-documentation labels of each segment, merged from lexicon signals and a classifier's probabilities.

The logic is additive and open: every signal in a segment adds its points for a label (``points.csv``, fitted on our
own labelled notes), the sum through the logistic function is the label's probability, and the label is given at its
threshold. A trained model joins at :class:`Labeler`: its calibrated probability then decides, and signals supply words.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from analyzer.assertion import Context
from analyzer.lexicon import Lexicons
from analyzer.match import Hits
from analyzer.segment import Segmentation
from analyzer.signals import Span, segment_signals
from analyzer.types import WEAK_LABELS, Evidence, Label, Segment

_LABELS = tuple(Label)
_T = TypeVar("_T")
_TYPED = {"cue": Label.CUEING, "measure": Label.MEASURE, "technique": Label.INTERVENTION, "comparison": Label.PROGRESS}


class Classifier(Protocol):
    """A trained model at the seam: the segments of one note in, calibrated probabilities out."""

    name: str
    labels: tuple[str, ...]
    thresholds: Mapping[str, float]

    def predict(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return probabilities of shape (n_texts, n_labels), columns in the order of ``labels``."""


class _Carrier(NamedTuple):
    """A signal that can explain a label: typed attributes rank 2, rows about this very label 1, others 0."""

    rank: int
    points: float
    row: str


class Labeler:
    """Adds up points; made once from the lexicons, shared by all notes."""

    def __init__(self, lexicons: Lexicons, classifier: Classifier | None = None) -> None:
        self._rows = {signal: at for at, signal in enumerate(sorted({row.signal for row in lexicons.points}))}
        self._points = np.zeros((len(self._rows), len(_LABELS)))
        self._carriers: dict[Label, dict[str, _Carrier]] = defaultdict(dict)
        home = {row.id: Label(row.value) for row in (*lexicons.evidence, *lexicons.weak)} | _TYPED
        columns = {label: column for column, label in enumerate(_LABELS)}
        for row in lexicons.points:
            self._points[self._rows[row.signal], columns[row.label]] = row.points
            name = row.signal.partition("~")[0]
            if row.points > 0 and not name.startswith(("word/", "first/")):
                rank = 0 if home.get(name) is not row.label else 2 if name in _TYPED else 1
                self._carriers[row.label][row.signal] = _Carrier(rank, row.points, name)
        self._start = np.array([lexicons.intercepts[label] for label in _LABELS])
        self._thresholds = np.array([lexicons.thresholds[label] for label in _LABELS])
        self._seen_from_neighbours = frozenset(lexicons.settings["signals"]["seen_from_neighbours"])
        self._plain_words = lexicons.words
        self._classifier = classifier

    def __call__(self, segmentation: Segmentation, hits: Hits, context: Context) -> tuple[Evidence, ...]:
        """Label every segment of a note.

        Parameters
        ----------
        segmentation : Segmentation
        hits : Hits
            What the lexicons found.
        context : Context
            How spans are asserted.

        Returns
        -------
        tuple of Evidence
            In the order of the text; each names the lexicon row, or the model, that carried it most.
        """
        signals = segment_signals(
            segmentation,
            hits,
            context,
            plain_words=self._plain_words,
            seen_from_neighbours=self._seen_from_neighbours,
        )
        if self._classifier is None:
            source, probabilities, thresholds = None, self.probabilities(signals), self._thresholds
        else:
            source = f"model:{self._classifier.name}"
            probabilities, thresholds = _modelled(self._classifier, segmentation)
        found: list[Evidence] = []
        for segment, own, row in zip(segmentation.segments, signals, probabilities, strict=True):
            if segment.is_unticked:
                continue  # an unticked box is not evidence
            given = {_LABELS[column]: float(row[column]) for column in np.flatnonzero(row >= thresholds)}
            if Label.DRILL in given and given.keys() & SKILLED:
                del given[Label.DRILL]  # "A segment with a skilled element is never drill" (annotation guide 2)
            for label, probability in given.items():
                found.append(self._evidence(segmentation.folded, segment, label, probability, own, source))
        return _with_attributes(found, hits)

    def probabilities(self, signals: Sequence[Iterable[str]]) -> NDArray[np.float64]:
        """Add up the points of each segment's signals.

        Parameters
        ----------
        signals : sequence of iterable of str
            One a segment.

        Returns
        -------
        ndarray of shape (n_segments, n_labels)
            Calibrated probabilities, columns in the order of :class:`~analyzer.types.Label`.
        """
        sums = np.empty((len(signals), len(_LABELS)))
        for at, own in enumerate(signals):
            rows = [self._rows[signal] for signal in own if signal in self._rows]
            sums[at] = self._points[rows].sum(axis=0)
        result: NDArray[np.float64] = 1 / (1 + np.exp(-(sums + self._start)))
        return result

    def _evidence(
        self,
        folded: str,
        segment: Segment,
        label: Label,
        probability: float,
        own: Mapping[str, Span],
        model: str | None,
    ) -> Evidence:
        """Point at the words that carried the label, and name the row that they match."""
        known = self._carriers[label]
        carriers = [(known[signal], span) for signal, span in own.items() if span is not None and signal in known]
        carrier = _best(carriers)
        if carrier is None:  # carried by plain words, place and shape together: the whole segment speaks
            row, start, end = "points", segment.body_start, segment.end
        else:
            row, (start, end) = carrier
            if row not in _TYPED and end - start < _SHORT:
                start, end = _clause(folded, segment, start, end)
        if start >= end:
            start = segment.start
        return Evidence(label, segment.index, start, end, model or f"lexicon:{row}", probability=round(probability, 4))


def _modelled(classifier: Classifier, segmentation: Segmentation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ask a classifier; its probabilities and thresholds, columns in the order of the labels."""
    texts = [segmentation.text[segment.start : segment.end] for segment in segmentation.segments]
    columns = [classifier.labels.index(label) for label in _LABELS]
    predicted = np.asarray(classifier.predict(texts), dtype=float).reshape(len(texts), len(classifier.labels))
    return predicted[:, columns], np.array([classifier.thresholds[label] for label in _LABELS])


def _best(carriers: Sequence[tuple[_Carrier, tuple[int, int]]]) -> tuple[str, tuple[int, int]] | None:
    """Choose the row that explains best, and of those with enough points the one that shows most words."""
    if not carriers:
        return None
    top = max(carrier.rank for carrier, _ in carriers)
    enough = _ENOUGH * max(carrier.points for carrier, _ in carriers if carrier.rank == top)
    carrier, span = max(
        (pair for pair in carriers if pair[0].rank == top and pair[0].points >= enough),
        key=lambda pair: (pair[1][1] - pair[1][0], pair[0].points, -pair[1][0]),
    )
    return carrier.row, span


_ENOUGH = 0.4  # of the most points
_SHORT = 14  # words shorter than this say too little by themselves: their clause is shown
_CLAUSE_END = re.compile(r"[;:()\n]|[,.](?= )| - ")


def _clause(folded: str, segment: Segment, start: int, end: int) -> tuple[int, int]:
    """Widen a span to the clause that it stands in."""
    a, b = max(segment.body_start, segment.start), segment.end
    for match in _CLAUSE_END.finditer(folded, a, b):
        if match.end() <= start:
            a = match.end()
        elif match.start() >= end:
            b = match.start()
            break
    while a < start and folded[a] in " \n":
        a += 1
    while b > end and folded[b - 1] in " \n":
        b -= 1
    return min(a, start), max(b, end)


SKILLED = frozenset({Label.INTERVENTION, Label.CUEING, Label.REASONING, Label.TRAINING})


def _with_attributes(found: Iterable[Evidence], hits: Hits) -> tuple[Evidence, ...]:
    """Add the typed attributes that stand in each label's segment."""
    cues, measures, techniques = _by_segment(hits.cues), _by_segment(hits.measures), _by_segment(hits.techniques)
    comparisons, goals = dict(reversed(hits.comparisons)), dict(reversed(hits.goals))

    def complete(evidence: Evidence) -> Evidence:
        index = evidence.segment
        match evidence.label:
            case Label.CUEING:
                return replace(evidence, cues=tuple(cues.get(index, ())))
            case Label.MEASURE:
                return replace(evidence, measures=tuple(measures.get(index, ())))
            case Label.INTERVENTION:
                return replace(evidence, techniques=tuple(techniques.get(index, ())))
            case Label.PROGRESS:
                return replace(evidence, comparison=comparisons.get(index))
            case Label.GOAL:
                return replace(evidence, goal=goals.get(index))
            case _:
                return evidence

    return tuple(complete(evidence) for evidence in found)


def _by_segment(pairs: Iterable[tuple[int, _T]]) -> dict[int, list[_T]]:
    found: dict[int, list[_T]] = defaultdict(list)
    for index, value in pairs:
        found[index].append(value)
    return found


def is_weak(evidence: Evidence) -> bool:
    """Whether a label speaks of weak documentation."""
    return evidence.label in WEAK_LABELS
