"""How well predictions agree with a reference set: every figure of the project's scorer.

A label that only one of two annotators gave is ``optional``: it counts neither for nor against. A predicted label
counts for a reference segment when its segment overlaps it by at least half of the shorter of the two.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from analyzer.errors import NoteError
from analyzer.types import Kind, Label, Verdict

_Member = TypeVar("_Member", Kind, Verdict)
_VERDICTS = tuple(Verdict)
JUDGED_KINDS = frozenset({Kind.TREATMENT, Kind.GROUP})  # verdicts of other kinds carry no weight (annotation guide 5)
_ANNOTATIONS = frozenset({"segments", "rubric", "kind", "verdict", "score", "icd10", "icd10_acceptable"})
_N_BINS = 10
_ICD_CHOICES, _ICD_SUPPLIED = 3, 5  # a coder looks at three; what must be found may stand among five


@dataclass(frozen=True, slots=True)
class ReferenceSegment:
    """A segment of a reference note, and the labels that it has, or may have."""

    start: int
    end: int
    labels: frozenset[Label]
    optional: frozenset[Label] = frozenset()


@dataclass(frozen=True, slots=True)
class ReferenceNote:
    """What annotators said of one note; ``kind`` and ``verdict`` are None where they said nothing."""

    id: str
    segments: tuple[ReferenceSegment, ...]
    kind: Kind | None = None
    verdict: Verdict | None = None
    score: float | None = None
    icd10: tuple[str, ...] = ()
    icd10_acceptable: tuple[str, ...] = ()

    @property
    def is_judged(self) -> bool:
        """Whether its verdict and score are counted; a note of unstated kind is taken for treatment."""
        return self.verdict is not None and (self.kind is None or self.kind in JUDGED_KINDS)


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """Precision, recall and F1 of one label over reference segments, and how many of them have it."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class IcdCounts:
    """Counts behind the ICD-10-CM figures: notes with a code, notes without, and what was right about each."""

    notes: int = 0
    top1: int = 0
    top3: int = 0
    recall_needed: int = 0
    recall_hit: int = 0
    empty: int = 0
    empty_wrong: int = 0


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every figure of an evaluation, under the names of the scorer. NaN stands where nothing was there to count."""

    notes: int
    missing: int
    evidence_micro_f1: float
    evidence_macro_f1: float
    labels: Mapping[Label, LabelFigures]
    verdict_accuracy: float
    verdict_kappa: float
    unskilled_auroc: float
    unskilled_calibration_error: float
    unskilled_recall: float
    unskilled_precision: float
    skilled_called_unskilled: int
    score_mae: float
    score_spearman: float
    kind_accuracy: float
    icd_top1: float
    icd_top3: float
    icd_recall5: float
    icd_false_on_empty: float
    icd_counts: IcdCounts

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name, as JSON can hold them: labels by name, None for NaN."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


@dataclass(frozen=True, slots=True)
class _Guess:
    """What a prediction says, with the scorer's defaults where it says nothing."""

    segments: tuple[tuple[int, int, frozenset[str]], ...] = ()
    kind: str | None = None
    verdict: Verdict = Verdict.SKILLED
    score: float = 0.0
    unskilled_probability: float = 0.0
    icd10: tuple[str, ...] = ()


# Reading a reference set


def read_reference(path: Path) -> tuple[ReferenceNote, ...]:
    """Read and check a reference set, one JSON object a line; empty lines are skipped.

    Parameters
    ----------
    path : Path
        UTF-8 file.

    Returns
    -------
    tuple of ReferenceNote
        In the order of the lines.

    Raises
    ------
    NoteError
        For a file that holds no notes or is not UTF-8, and for the first line that is not what it should be; the
        message names line and field.
    """
    notes: dict[str, ReferenceNote] = {}
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                note = parse_reference(_load(line, number), number)
                if note.id in notes:
                    raise _bad(number, "id", "an id of its own", "one that an earlier line has")
                notes[note.id] = note
    except UnicodeDecodeError as error:
        raise NoteError("bad-reference", "expected a UTF-8 file, found bytes that are not UTF-8") from error
    if not notes:
        raise NoteError("bad-reference", "expected at least one reference note, found none")
    return tuple(notes.values())


def _load(line: str, number: int) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # the cause quotes the line, which holds note text
        raise NoteError("bad-reference", f"line {number}: expected one JSON object a line") from None


def hide_annotations(path: Path) -> bytes:
    """Return the lines of a reference set without what annotators found, as an input that gives nothing away.

    Codes above all: under ``icd10`` a reader would take them for the record's diagnoses.

    Parameters
    ----------
    path : Path
        A file that :func:`read_reference` has read.

    Returns
    -------
    bytes
        JSON Lines, UTF-8, with the line numbers of the file.
    """
    with path.open(encoding="utf-8-sig") as lines:
        records = [json.loads(line) if line.strip() else None for line in lines]
    return b"".join(
        (
            json.dumps({name: value for name, value in record.items() if name not in _ANNOTATIONS}) if record else ""
        ).encode()
        + b"\n"
        for record in records
    )


def parse_reference(record: object, line: int) -> ReferenceNote:
    """Check one reference record.

    Parameters
    ----------
    record : object
        What the line holds, as JSON gives it. Fields that no figure needs are ignored.
    line : int
        Its number, for messages.

    Returns
    -------
    ReferenceNote

    Raises
    ------
    NoteError
        For a field that is missing or of the wrong type; the message names line and field, and quotes nothing.
    """
    if not isinstance(record, Mapping):
        raise NoteError("bad-reference", f"line {line}: expected a JSON object, found {_name(record)}")
    fields = _Fields(record, line)
    fields.text("text")
    segments = tuple(
        _segment(entry, line, index) for index, entry in enumerate(fields.objects("segments", required=True))
    )
    score = record.get("score")
    note = ReferenceNote(
        id=fields.text("id"),
        segments=segments,
        kind=fields.member("kind", Kind),
        verdict=fields.member("verdict", Verdict),
        score=None if score is None else fields.number("score", 0, 100),
        icd10=fields.texts("icd10"),
        icd10_acceptable=fields.texts("icd10_acceptable"),
    )
    if note.is_judged and note.score is None:
        raise _bad(line, "score", "a number beside the verdict", "none")
    return note


def _segment(entry: Mapping[str, object], line: int, index: int) -> ReferenceSegment:
    """Read one segment; one that ends after its text is met in reference sets, and counts as far as it goes."""
    fields = _Fields(entry, line, f"segments[{index}].")
    start, end = fields.offset("start"), fields.offset("end")
    if start >= end:
        raise _bad(line, f"segments[{index}]", "start before end", "none of it between them")
    return ReferenceSegment(start, end, fields.labels("labels", required=True), fields.labels("optional"))


class _Fields:
    """Fields of one JSON object, checked as they are taken."""

    def __init__(self, record: Mapping[str, object], line: int, prefix: str = "") -> None:
        self._record = record
        self._line = line
        self._prefix = prefix

    def _bad(self, name: str, expected: str) -> NoteError:
        found = _name(self._record[name]) if name in self._record else "nothing"
        return _bad(self._line, self._prefix + name, expected, found)

    def text(self, name: str) -> str:
        value = self._record.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self._bad(name, "text")
        return value

    def number(self, name: str, low: float, high: float) -> float:
        value = self._record.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._bad(name, "a number")
        if not low <= value <= high:
            raise _bad(self._line, self._prefix + name, f"a number from {low:g} to {high:g}", "one outside")
        return float(value)

    def offset(self, name: str) -> int:
        value = self._record.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._bad(name, "a whole number")
        if value < 0:
            raise _bad(self._line, self._prefix + name, "an offset of at least 0", str(value))
        return value

    def member(self, name: str, members: type[_Member]) -> _Member | None:
        value = self._record.get(name)
        if value is None:
            return None
        found = next((member for member in members if member == value), None)
        if found is None:
            raise self._bad(name, f"one of {', '.join(members)}")
        return found

    def texts(self, name: str, *, required: bool = False) -> tuple[str, ...]:
        value = self._list(name, required)
        if not all(isinstance(part, str) for part in value):
            raise self._bad(name, "a list of texts")
        return tuple(str(part) for part in value)

    def labels(self, name: str, *, required: bool = False) -> frozenset[Label]:
        names = self.texts(name, required=required)
        if not frozenset(names) <= frozenset(Label):
            raise _bad(self._line, self._prefix + name, f"labels among {', '.join(Label)}", "another")
        return frozenset(map(Label, names))

    def objects(self, name: str, *, required: bool = False) -> tuple[Mapping[str, object], ...]:
        value = self._list(name, required)
        if not all(isinstance(part, Mapping) for part in value):
            raise self._bad(name, "a list of objects")
        return tuple(part for part in value if isinstance(part, Mapping))

    def _list(self, name: str, required: bool) -> list[object]:
        value = self._record.get(name)
        if value is None and not required:
            return []
        if not isinstance(value, list):
            raise self._bad(name, "a list")
        return value


def _bad(line: int, field_name: str, expected: str, found: str) -> NoteError:
    return NoteError(
        "bad-reference", f"line {line}: {field_name}: expected {expected}, found {found}", field=field_name
    )


def _name(value: object) -> str:
    """Name the JSON type of a value, which itself is never shown: it may be note text."""
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true or false"),
        (str, "text" if value else "empty text"),
        ((int, float), "a number"),
        (list, "a list"),
        (Mapping, "an object"),
    )
    return next((name for type_, name in names if isinstance(value, type_)), "null")


# Comparing


def evaluate(reference: Sequence[ReferenceNote], predictions: Iterable[Mapping[str, Any]]) -> Metrics:
    """Compare predictions with a reference set.

    Parameters
    ----------
    reference : sequence of ReferenceNote
        With ids that differ.
    predictions : iterable of mapping
        Output records of the contract, in any order, found by ``id``. A note without one counts as ``missing``, and
        like an error record as skilled, with score 0, probability 0, no labels and no codes.

    Returns
    -------
    Metrics

    Raises
    ------
    NoteError
        When a prediction has a verdict, or a probability, that there is not.
    """
    guesses = {record["id"]: _guess(record) for record in predictions}
    pairs = [(note, guesses.get(note.id, _Guess())) for note in reference]
    judged = [(note, guess) for note, guess in pairs if note.is_judged]
    verdicts = [(note.verdict, guess.verdict) for note, guess in judged if note.verdict is not None]
    scores = [(note.score, guess.score) for note, guess in judged if note.score is not None]
    probabilities = [guess.unskilled_probability for _, guess in judged]
    is_unskilled = [note.verdict is Verdict.UNSKILLED for note, _ in judged]
    labels, micro_f1 = _compare_labels(pairs)
    present = [figures.f1 for figures in labels.values() if figures.support]
    icd = _compare_codes(pairs)
    return Metrics(
        notes=len(reference),
        missing=sum(note.id not in guesses for note in reference),
        evidence_micro_f1=micro_f1,
        evidence_macro_f1=_mean(present),
        labels=labels,
        verdict_accuracy=_mean([gold is guess for gold, guess in verdicts]),
        verdict_kappa=quadratic_kappa([(_VERDICTS.index(gold), _VERDICTS.index(guess)) for gold, guess in verdicts]),
        unskilled_auroc=auroc(probabilities, is_unskilled),
        unskilled_calibration_error=calibration_error(probabilities, is_unskilled),
        unskilled_recall=_share(guess is Verdict.UNSKILLED for gold, guess in verdicts if gold is Verdict.UNSKILLED),
        unskilled_precision=_share(gold is Verdict.UNSKILLED for gold, guess in verdicts if guess is Verdict.UNSKILLED),
        skilled_called_unskilled=verdicts.count((Verdict.SKILLED, Verdict.UNSKILLED)),
        score_mae=_mean([abs(gold - guess) for gold, guess in scores]),
        score_spearman=spearman([gold for gold, _ in scores], [guess for _, guess in scores]),
        kind_accuracy=_share(guess.kind == note.kind for note, guess in pairs if note.kind),
        icd_top1=icd.top1 / max(1, icd.notes),
        icd_top3=icd.top3 / max(1, icd.notes),
        icd_recall5=icd.recall_hit / max(1, icd.recall_needed),
        icd_false_on_empty=icd.empty_wrong / max(1, icd.empty),
        icd_counts=icd,
    )


def _guess(record: Mapping[str, Any]) -> _Guess:
    default = _Guess()
    verdict = record.get("verdict", default.verdict)
    if verdict not in frozenset(Verdict):
        raise NoteError("bad-prediction", f"verdict: expected one of {', '.join(Verdict)}", field="verdict")
    probability = float(record.get("unskilled_probability") or 0.0)
    if not 0 <= probability <= 1:
        raise NoteError("bad-prediction", "unskilled_probability: expected 0 to 1", field="unskilled_probability")
    return _Guess(
        segments=tuple(
            (segment["start"], segment["end"], frozenset(label["label"] for label in segment["labels"]))
            for segment in record.get("segments", ())
        ),
        kind=record.get("kind"),
        verdict=Verdict(verdict),
        score=float(record.get("score") or 0.0),
        unskilled_probability=probability,
        icd10=tuple(suggestion["code"] for suggestion in record.get("icd10", ())),
    )


@dataclass(slots=True)
class _Counts:
    hits: int = 0
    false_alarms: int = 0
    misses: int = 0

    def add(self, *, wanted: bool, found: bool) -> None:
        self.hits += wanted and found
        self.false_alarms += found and not wanted
        self.misses += wanted and not found


def _compare_labels(pairs: Sequence[tuple[ReferenceNote, _Guess]]) -> tuple[dict[Label, LabelFigures], float]:
    """Return the figures of every label, and F1 over all of them together."""
    counts = {label: _Counts() for label in Label}
    for note, guess in pairs:
        for segment in note.segments:
            found = _labels_over(segment, guess)
            for label in Label:
                if label not in segment.optional:
                    counts[label].add(wanted=label in segment.labels, found=label in found)
    figures = {
        label: LabelFigures(
            precision=_ratio(count.hits, count.hits + count.false_alarms),
            recall=_ratio(count.hits, count.hits + count.misses),
            f1=f1(count.hits, count.false_alarms, count.misses),
            support=count.hits + count.misses,
        )
        for label, count in counts.items()
    }
    every = counts.values()
    return figures, f1(
        sum(count.hits for count in every),
        sum(count.false_alarms for count in every),
        sum(count.misses for count in every),
    )


def _labels_over(segment: ReferenceSegment, guess: _Guess) -> frozenset[str]:
    length = segment.end - segment.start
    return frozenset(
        label
        for start, end, labels in guess.segments
        if 2 * (min(segment.end, end) - max(segment.start, start)) >= min(length, end - start) > 0
        for label in labels
    )


def _compare_codes(pairs: Sequence[tuple[ReferenceNote, _Guess]]) -> IcdCounts:
    coded = [(note, guess.icd10) for note, guess in pairs if note.icd10]
    uncoded = [(note, guess.icd10) for note, guess in pairs if not note.icd10]
    return IcdCounts(
        notes=len(coded),
        top1=sum(_is_fine(note, codes[:1]) for note, codes in coded),
        top3=sum(_is_fine(note, codes[:_ICD_CHOICES]) for note, codes in coded),
        recall_needed=sum(len(note.icd10) for note, _ in coded),
        recall_hit=sum(code in codes[:_ICD_SUPPLIED] for note, codes in coded for code in note.icd10),
        empty=len(uncoded),
        empty_wrong=sum(bool(codes) and not _is_fine(note, codes[:1]) for note, codes in uncoded),
    )


def _is_fine(note: ReferenceNote, codes: Sequence[str]) -> bool:
    return not frozenset(codes).isdisjoint((*note.icd10, *note.icd10_acceptable))


# Figures


def f1(hits: int, false_alarms: int, misses: int) -> float:
    """Return the harmonic mean of precision and recall; 1 where there was nothing to find and nothing was found.

    Examples
    --------
    >>> f1(2, 1, 1), f1(0, 0, 0)
    (0.6666666666666666, 1.0)
    """
    return _ratio(2 * hits, 2 * hits + false_alarms + misses)


def quadratic_kappa(pairs: Sequence[tuple[int, int]], n_grades: int = 3) -> float:
    """Return Cohen's kappa with quadratic weights.

    Parameters
    ----------
    pairs : sequence of (int, int)
        Grades from 0 that the two raters gave.
    n_grades : int
        How many grades there are.

    Returns
    -------
    float
        1 for raters who agree on one and the same grade throughout; NaN without pairs.

    Examples
    --------
    >>> quadratic_kappa([(0, 0), (1, 1), (2, 2), (2, 0)])
    0.3846153846153846
    """
    if not pairs:
        return math.nan
    first = [sum(a == grade for a, _ in pairs) for grade in range(n_grades)]
    second = [sum(b == grade for _, b in pairs) for grade in range(n_grades)]
    # The weights' common factor 1 / (n_grades - 1)² cancels out.
    observed = sum((a - b) ** 2 for a, b in pairs)
    expected = sum((a - b) ** 2 * first[a] * second[b] / len(pairs) for a in range(n_grades) for b in range(n_grades))
    return 1 - observed / expected if expected else 1.0


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 0; equal values share the mean of their ranks.

    Examples
    --------
    >>> ranks([20.0, 10.0, 20.0])
    [1.5, 0.0, 1.5]
    """
    found = [0.0] * len(values)
    position = 0
    for _, group in groupby(sorted(range(len(values)), key=values.__getitem__), key=values.__getitem__):
        tied = list(group)
        for index in tied:
            found[index] = position + (len(tied) - 1) / 2
        position += len(tied)
    return found


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the correlation of ranks; NaN for fewer than two values, and where one side never varies."""
    return _correlation(ranks(x), ranks(y))


def _correlation(x: Sequence[float], y: Sequence[float]) -> float:
    if len(x) < 2:
        return math.nan
    dx, dy = list(_deviations(x)), list(_deviations(y))
    spread_x, spread_y = sum(d * d for d in dx), sum(d * d for d in dy)
    if not spread_x or not spread_y:
        return math.nan
    return sum(a * b for a, b in zip(dx, dy, strict=True)) / math.sqrt(spread_x * spread_y)


def _deviations(values: Sequence[float]) -> Iterator[float]:
    mean = sum(values) / len(values)
    return (value - mean for value in values)


def auroc(scores: Sequence[float], is_positive: Sequence[bool]) -> float:
    """Return the chance that a positive has a higher score than a negative, a tie counting half; NaN without both."""
    n_positive = sum(is_positive)
    n_negative = len(is_positive) - n_positive
    if not n_positive or not n_negative:
        return math.nan
    above = sum(rank for rank, positive in zip(ranks(scores), is_positive, strict=True) if positive)
    return (above - n_positive * (n_positive - 1) / 2) / (n_positive * n_negative)


def calibration_error(probabilities: Sequence[float], is_positive: Sequence[bool]) -> float:
    """Return the mean distance between probability and observed share in ten equal bins, by their number of notes.

    Bins are half-open, the last one closed. Without any probabilities the error is 0.

    Examples
    --------
    >>> round(calibration_error([0.25, 0.25, 0.25, 0.25], [True, True, False, False]), 3)
    0.25
    """
    edges = [index / _N_BINS for index in range(1, _N_BINS)]
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_N_BINS)]
    for probability, positive in zip(probabilities, is_positive, strict=True):
        bins[bisect_right(edges, probability)].append((probability, positive))
    return sum(
        abs(sum(probability for probability, _ in inside) - sum(positive for _, positive in inside))
        / len(probabilities)
        for inside in bins
        if inside
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _share(claims: Iterable[bool]) -> float:
    """Return the share of claims that hold; 0 without any."""
    held = list(claims)
    return sum(held) / max(1, len(held))
