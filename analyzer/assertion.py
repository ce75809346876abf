"""Whether a hit is done today, or planned, conditional, historical, negated, goal text or someone else's.

Annotation guide, section 3.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from analyzer.segment import Segmentation
from analyzer.types import Assertion, Section


class Trigger(Protocol):
    """A trigger row found in a segment: its assertion is its ``value``."""

    @property
    def value(self) -> str:
        """The assertion."""

    @property
    def segment(self) -> int:
        """Index of the segment."""

    @property
    def start(self) -> int:
        """Offset of its first character."""

    @property
    def end(self) -> int:
        """Offset after its last character."""


_CLAUSE = re.compile(r"[;:()\n]|[,.] | but | now | today | while | although | however | though | vs[. ]| then ")
_CLAUSE_REACH = 60  # characters
_WHOLE = frozenset({Assertion.GOAL})
_FORWARD = frozenset({Assertion.PLANNED, Assertion.CONDITIONAL, Assertion.OTHER_PERSON})
_ORDER = (
    Assertion.GOAL,
    Assertion.OTHER_PERSON,
    Assertion.PLANNED,
    Assertion.CONDITIONAL,
    Assertion.NEGATED,
    Assertion.HISTORICAL,
)


@dataclass(frozen=True, slots=True)
class Context:
    """What the triggers of a note say of any span in it: spans of triggers by segment and assertion, in order."""

    segmentation: Segmentation
    triggers: Mapping[int, Mapping[Assertion, Sequence[tuple[int, int]]]]

    def assess(self, index: int, start: int, end: int) -> Assertion:
        """Say how a span of a segment is asserted.

        Parameters
        ----------
        index : int
            The segment.
        start, end : int
            Offsets of the span.

        Returns
        -------
        Assertion
            The first of: unticked, goal text, someone else's, planned, conditional, negated, historical, present.
        """
        segment = self.segmentation.segments[index]
        if segment.is_unticked:
            return Assertion.UNTICKED
        triggers = self.triggers.get(index, {})
        is_plan = segment.section is Section.PLAN
        if not triggers and not is_plan:
            return Assertion.PRESENT
        found = {assertion for assertion, spans in triggers.items() if self._reaches(assertion, spans, start, end)}
        if is_plan and Assertion.HISTORICAL not in found:
            found.add(Assertion.PLANNED)
        return next((assertion for assertion in _ORDER if assertion in found), Assertion.PRESENT)

    def _reaches(self, assertion: Assertion, spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
        """Goal text speaks for the whole segment, plans and reports for what follows, the rest for its clause."""
        if assertion in _WHOLE:
            return True
        if assertion in _FORWARD:
            return start >= spans[0][0]
        at = bisect_right(spans, (start, end))
        return any(self._same_clause(a, b, start, end) for a, b in spans[max(0, at - 1) : at + 1])

    def _same_clause(self, trigger_start: int, trigger_end: int, start: int, end: int) -> bool:
        a, b = (trigger_end, start) if start >= trigger_end else (end, trigger_start)
        return a >= b or (b - a <= _CLAUSE_REACH and not _CLAUSE.search(self.segmentation.folded, a, b))


def context(segmentation: Segmentation, triggers: Iterable[Trigger]) -> Context:
    """Collect the triggers of a note by segment and assertion."""
    found: dict[int, dict[Assertion, list[tuple[int, int]]]] = {}
    for trigger in triggers:
        of_segment = found.setdefault(trigger.segment, {})
        of_segment.setdefault(Assertion(trigger.value), []).append((trigger.start, trigger.end))
    merged = {
        index: {assertion: _merge(sorted(spans)) for assertion, spans in of_segment.items()}
        for index, of_segment in found.items()
    }
    return Context(segmentation, merged)


def _merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join overlapping spans, so that the nearest on each side of a place are two of them at most."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
