"""Evidence and weak-documentation labels of each segment, merged from lexicon signals and a classifier's probabilities.

The logic is additive and open: every signal in a segment adds its points for a label (``points.csv``, fitted on our
own labelled notes), the sum through the logistic function is the label's probability, and the label is given at its
threshold. A trained model joins at :class:`Labeler`: its calibrated probability then decides, and signals supply words.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from analyzer.assertion import Context
from analyzer.lexicon import Lexicons
from analyzer.match import Hits
from analyzer.segment import Segmentation
from analyzer.signals import Span, segment_signals
from analyzer.types import WEAK_LABELS, Evidence, Label, Segment


class Classifier(Protocol):
    """A trained model at the seam: the segments of one note in, calibrated probabilities out."""

    name: str
    labels: tuple[str, ...]
    thresholds: Mapping[str, float]

    def predict(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return probabilities of shape (n_texts, n_labels), columns in the order of ``labels``."""


class Labeler:
    """Adds up points; made once from the lexicons, shared by all notes."""

    def __init__(self, lexicons: Lexicons, classifier: Classifier | None = None) -> None:
        self._points: dict[str, tuple[tuple[Label, float], ...]] = {}
        by_signal: dict[str, list[tuple[Label, float]]] = defaultdict(list)
        for row in lexicons.points:
            by_signal[row.signal].append((row.label, row.points))
        self._points = {signal: tuple(points) for signal, points in by_signal.items()}
        self._start = tuple((label, lexicons.intercepts[label]) for label in Label)
        self._thresholds = lexicons.thresholds
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
        modelled = self._modelled(segmentation)
        found: list[Evidence] = []
        for segment, own in zip(segmentation.segments, signals, strict=True):
            if segment.is_unticked:
                continue  # an unticked box is not evidence
            given = dict(self._given(own, modelled.get(segment.index)))
            if Label.DRILL in given and given.keys() & _SKILLED:
                del given[Label.DRILL]  # "A segment with a skilled element is never drill" (annotation guide 2)
            for label, probability in given.items():
                found.append(self._evidence(segment, label, probability, own, label in modelled.get(segment.index, ())))
        return tuple(_with_attributes(evidence, hits) for evidence in found)

    def probabilities(self, signals: Mapping[str, Span]) -> dict[Label, float]:
        """Add up the points of one segment's signals.

        Returns
        -------
        dict of Label to float
            Probability of each label.
        """
        sums = dict(self._start)
        for signal in signals:
            for label, points in self._points.get(signal, ()):
                sums[label] += points
        return {label: 1 / (1 + math.exp(-total)) for label, total in sums.items()}

    def _given(self, own: Mapping[str, Span], modelled: Mapping[Label, float] | None) -> list[tuple[Label, float]]:
        if modelled is not None and self._classifier is not None:
            return [(label, p) for label, p in modelled.items() if p >= self._classifier.thresholds[label]]
        return [(label, p) for label, p in self.probabilities(own).items() if p >= self._thresholds[label]]

    def _modelled(self, segmentation: Segmentation) -> Mapping[int, Mapping[Label, float]]:
        if self._classifier is None:
            return {}
        texts = [segmentation.text[segment.start : segment.end] for segment in segmentation.segments]
        labels = [Label(name) for name in self._classifier.labels]
        return {
            segment.index: dict(zip(labels, row, strict=True))
            for segment, row in zip(segmentation.segments, self._classifier.predict(texts), strict=True)
        }

    def _evidence(
        self, segment: Segment, label: Label, probability: float, own: Mapping[str, Span], is_modelled: bool
    ) -> Evidence:
        """Point at the words that carried the label: the signal with most points for it that has words."""
        best: tuple[float, str, tuple[int, int]] | None = None
        for signal, span in own.items():
            if span is None:
                continue
            for other, points in self._points.get(signal, ()):
                if other is label and points > 0 and (best is None or points > best[0]):
                    best = (points, signal, span)
        if best is not None:
            start, end = best[2]
            source = f"lexicon:{best[1]}"
        else:  # carried by place and shape alone, or by a model
            start, end = segment.body_start, segment.end
            source = "lexicon:points"
        if is_modelled and self._classifier is not None:
            source = f"model:{self._classifier.name}"
        if start >= end:
            start = segment.start
        return Evidence(label, segment.index, start, end, source, probability=round(probability, 4))


_SKILLED = frozenset({Label.INTERVENTION, Label.CUEING, Label.REASONING, Label.TRAINING})


def _with_attributes(evidence: Evidence, hits: Hits) -> Evidence:
    index = evidence.segment
    if evidence.label is Label.CUEING:
        return replace(evidence, cues=tuple(cue for at, cue in hits.cues if at == index))
    if evidence.label is Label.MEASURE:
        return replace(evidence, measures=tuple(measure for at, measure in hits.measures if at == index))
    if evidence.label is Label.INTERVENTION:
        return replace(evidence, techniques=tuple(technique for at, technique in hits.techniques if at == index))
    if evidence.label is Label.PROGRESS:
        return replace(evidence, comparison=next((c for at, c in hits.comparisons if at == index), None))
    if evidence.label is Label.GOAL:
        return replace(evidence, goal=next((goal for at, goal in hits.goals if at == index), None))
    return evidence


def is_weak(evidence: Evidence) -> bool:
    """Whether a label speaks of weak documentation."""
    return evidence.label in WEAK_LABELS
