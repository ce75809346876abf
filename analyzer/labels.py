"""Evidence and weak-documentation labels of each segment, from lexicon signals and, where it runs, the encoder.

The logic is additive and open. Every signal in a segment adds its points for a label (``points.csv``, fitted on our
own labelled notes); the encoder gives each segment a logit that is the mean of its tokens' logits. Both are weighed by
a few fitted coefficients (:mod:`analyzer.decisions`) into one calibrated probability, and the label is given at its
threshold. The words shown are a lexicon row's where one speaks of this very label, else the tokens that carried the
encoder's logit.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from analyzer.assertion import Context
from analyzer.decisions import Decisions
from analyzer.lexicon import Lexicons
from analyzer.match import Hits
from analyzer.segment import Segmentation
from analyzer.signals import Span, segment_signals
from analyzer.types import WEAK_LABELS, Evidence, Label, Segment
from models.scores import NoteScores

_LABELS = tuple(Label)
_T = TypeVar("_T")
_TYPED = {"cue": Label.CUEING, "measure": Label.MEASURE, "technique": Label.INTERVENTION, "comparison": Label.PROGRESS}


class Model(Protocol):
    """A trained model at the seam: the segments of notes in, scores out."""

    name: str
    labels: tuple[str, ...]
    note_outputs: tuple[str, ...]

    def score(self, notes: Sequence[Sequence[str]]) -> Sequence[NoteScores]:
        """Score every segment of every note."""


class _Carrier(NamedTuple):
    """A signal that can explain a label: typed attributes rank 2, rows about this very label 1, others 0."""

    rank: int
    points: float
    row: str


class Labeler:
    """Decides labels; made once from lexicons and decisions, shared by all notes."""

    def __init__(self, lexicons: Lexicons, decisions: Decisions, model: Model | None = None) -> None:
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
        chosen = [decisions.labels[label] for label in _LABELS]
        self._intercepts, self._by_lexicon, self._by_encoder, self._thresholds, self._unclear_below = (
            np.array([getattr(decision, name) for decision in chosen])
            for name in ("intercept", "lexicon", "encoder", "threshold", "unclear_below")
        )
        self._seen_from_neighbours = frozenset(lexicons.settings["signals"]["seen_from_neighbours"])
        self._plain_words = lexicons.words
        self._source = f"model:{model.name}" if model else None
        self._columns = [model.labels.index(label) for label in _LABELS] if model else []

    def __call__(
        self, segmentation: Segmentation, hits: Hits, context: Context, scores: NoteScores | None = None
    ) -> tuple[Evidence, ...]:
        """Label every segment of a note.

        Parameters
        ----------
        segmentation : Segmentation
        hits : Hits
            What the lexicons found.
        context : Context
            How spans are asserted.
        scores : NoteScores, optional
            What the encoder says of the note; the lexicons decide alone without it.

        Returns
        -------
        tuple of Evidence
            In the order of the text; each names the lexicon row, or the model, that its words come from.
        """
        signals = segment_signals(
            segmentation,
            hits,
            context,
            plain_words=self._plain_words,
            seen_from_neighbours=self._seen_from_neighbours,
        )
        sums = self.sums(signals)
        logits = np.zeros_like(sums) if scores is None else scores.segments[:, self._columns]
        fused = _logistic(self._intercepts + self._by_lexicon * sums + self._by_encoder * logits)
        found: list[Evidence] = []
        for segment, own, row in zip(segmentation.segments, signals, fused, strict=True):
            if segment.is_unticked:
                continue  # an unticked box is not evidence
            given = {_LABELS[column]: column for column in np.flatnonzero(row >= self._thresholds)}
            if Label.DRILL in given and given.keys() & SKILLED:
                del given[Label.DRILL]  # "A segment with a skilled element is never drill" (annotation guide 2)
            for label, column in given.items():
                probability = float(row[column])
                shown = self._shown(segmentation, segment, label, own, scores)
                by_model = None if scores is None else round(float(_logistic(logits[segment.index, column])), 4)
                found.append(
                    Evidence(
                        label,
                        segment.index,
                        *shown.span,
                        shown.source,
                        probability=round(probability, 4),
                        lexicon_probability=round(float(_logistic(sums[segment.index, column])), 4),
                        model_probability=by_model,
                        is_unclear=probability < float(self._unclear_below[column]),
                    )
                )
        return _with_attributes(found, hits)

    def sums(self, signals: Sequence[Iterable[str]]) -> NDArray[np.float64]:
        """Add up the points of each segment's signals.

        Parameters
        ----------
        signals : sequence of iterable of str
            One a segment.

        Returns
        -------
        ndarray of shape (n_segments, n_labels)
            Log-odds by the lexicons alone, columns in the order of :class:`~analyzer.types.Label`.
        """
        sums = np.empty((len(signals), len(_LABELS)))
        for at, own in enumerate(signals):
            rows = [self._rows[signal] for signal in own if signal in self._rows]
            sums[at] = self._points[rows].sum(axis=0)
        return np.asarray(sums + self._start)

    def _shown(
        self,
        segmentation: Segmentation,
        segment: Segment,
        label: Label,
        own: Mapping[str, Span],
        scores: NoteScores | None,
    ) -> "_Shown":
        """Point at the words that carried the label, and name the row that they match or the model that read them."""
        known = self._carriers[label]
        carriers = [(known[signal], span) for signal, span in own.items() if span is not None and signal in known]
        carrier = _best(carriers)
        if self._source and scores is not None and (carrier is None or carrier.rank == 0):
            column = self._columns[_LABELS.index(label)]
            start, end = _heaviest(scores.tokens[segment.index][:, column], scores.offsets[segment.index])
            return _Shown((segment.start + start, segment.start + end), self._source)
        if carrier is None:  # carried by plain words, place and shape together: the whole segment speaks
            start, end = segment.body_start, segment.end
            return _Shown((start if start < end else segment.start, end), "lexicon:points")
        start, end = carrier.span
        if carrier.row not in _TYPED and end - start < _SHORT:
            start, end = _clause(segmentation.folded, segment, start, end)
        return _Shown((start if start < end else segment.start, end), f"lexicon:{carrier.row}")


def _logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return result


class _Shown(NamedTuple):
    """The words that are shown for a label, as offsets in the note, and where they come from."""

    span: tuple[int, int]
    source: str


def _heaviest(logits: NDArray[np.float32], offsets: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The run of tokens that lies most above the segment's mean logit; offsets in the segment."""
    rest = logits - float(np.mean(logits)) + _SLACK * float(np.std(logits))
    best, total, start, span = -math.inf, 0.0, 0, (0, len(logits))
    for at, value in enumerate(rest):
        if total <= 0:
            total, start = 0.0, at
        total += float(value)
        if total > best:
            best, span = total, (start, at + 1)
    return offsets[span[0]][0], offsets[span[1] - 1][1]


_SLACK = 0.25  # standard deviations below the mean that still belong to the run: words, not crumbs


class _Best(NamedTuple):
    rank: int
    row: str
    span: tuple[int, int]


def _best(carriers: Sequence[tuple[_Carrier, tuple[int, int]]]) -> _Best | None:
    """Choose the row that explains best, and of those with enough points the one that shows most words."""
    if not carriers:
        return None
    top = max(carrier.rank for carrier, _ in carriers)
    enough = _ENOUGH * max(carrier.points for carrier, _ in carriers if carrier.rank == top)
    carrier, span = max(
        (pair for pair in carriers if pair[0].rank == top and pair[0].points >= enough),
        key=lambda pair: (pair[1][1] - pair[1][0], pair[0].points, -pair[1][0]),
    )
    return _Best(carrier.rank, carrier.row, span)


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
