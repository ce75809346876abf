"""What speaks for or against a label in each segment: lexicon rows as they are asserted, and where the segment stands.

A signal is a name such as ``evidence/i-adjust`` (a row found and done today), ``evidence/i-adjust~planned`` (found, but
planned), ``cue/level/min``, ``section/plan`` or ``before:measure`` (the segment before holds a measure). The points
that each signal is worth for each label stand in ``points.csv``; :mod:`analyzer.labels` adds them up.
"""

import re
from collections import Counter
from collections.abc import Mapping

from analyzer.assertion import Context
from analyzer.match import Hits
from analyzer.segment import Segmentation
from analyzer.types import Assertion

Span = tuple[int, int] | None
"""The words that give a signal; None where it lies in the segment's place or shape."""

_MANY = 5
_WORD = re.compile(r"[a-z][a-z']*")
_WORDS = ((2, "2"), (5, "5"), (9, "9"), (15, "15"), (25, "25"))


def segment_signals(
    segmentation: Segmentation,
    hits: Hits,
    context: Context,
    *,
    plain_words: frozenset[str],
    seen_from_neighbours: frozenset[str],
) -> tuple[Mapping[str, Span], ...]:
    """List the signals of every segment.

    Parameters
    ----------
    segmentation : Segmentation
    hits : Hits
    context : Context
    plain_words : frozenset of str
        Words that count by themselves, and once more as the first word of a segment.
    seen_from_neighbours : frozenset of str
        Signals that also count, as ``before:`` and ``after:``, in the segments beside.

    Returns
    -------
    tuple of mapping
        One a segment, signal name to the first words that give it.
    """
    found: list[dict[str, Span]] = [{} for _ in segmentation.segments]

    def put(segment: int, name: str, start: int, end: int) -> None:
        assertion = context.assess(segment, start, end)
        if assertion is not Assertion.PRESENT:
            name = f"{name}~{assertion}"
        found[segment].setdefault(name, (start, end))

    for hit in (*hits.evidence, *hits.weak):
        put(hit.segment, hit.row, hit.start, hit.end)
    for hit in hits.triggers:
        found[hit.segment].setdefault(hit.row, (hit.start, hit.end))
    for index, technique in hits.techniques:
        put(index, "technique", technique.start, technique.end)
        put(index, f"technique/{technique.area}", technique.start, technique.end)
    for index, cue in hits.cues:
        put(index, "cue", cue.start, cue.end)
        for cue_type in cue.types:
            put(index, f"cue/type/{cue_type}", cue.start, cue.end)
        if cue.level:
            put(index, f"cue/level/{cue.level}", cue.start, cue.end)
        if cue.change:
            put(index, "cue/change", cue.start, cue.end)
    counted: Counter[int] = Counter()
    for index, measure in hits.measures:
        put(index, "measure", measure.start, measure.end)
        put(index, f"measure/{measure.unit}", measure.start, measure.end)
        counted[index] += 1
        if counted[index] == 2:
            put(index, "measure/two", measure.start, measure.end)
    for index, comparison in hits.comparisons:
        put(index, "comparison", comparison.start, comparison.end)
    for segment, signals in zip(segmentation.segments, found, strict=True):
        for number, match in enumerate(_WORD.finditer(segmentation.folded, segment.body_start, segment.end)):
            if match.group() in plain_words:
                signals.setdefault(f"word/{match.group()}", match.span())
                if number == 0:
                    signals[f"first/{match.group()}"] = match.span()
        words = segmentation.folded.count(" ", segment.start, segment.end) + 1
        signals[f"section/{segment.section}"] = None
        signals["words/" + next((name for limit, name in _WORDS if words <= limit), "more")] = None
        if segment.is_heading:
            signals["heading"] = None
        if segment.is_unticked:
            signals["unticked"] = None
        if segment.body_start > segment.start:
            signals["prefix"] = None
        if len(found) >= _MANY:  # a scrap of a note has no beginning and no end
            if segment.index < 2:
                signals["place/first"] = None
            if segment.index >= len(found) - 2:
                signals["place/last"] = None
    own = [sorted(seen_from_neighbours.intersection(signals)) for signals in found]
    for index, signals in enumerate(found):
        if index:
            signals.update((f"before:{name}", None) for name in own[index - 1])
        if index + 1 < len(found):
            signals.update((f"after:{name}", None) for name in own[index + 1])
    return tuple(found)
