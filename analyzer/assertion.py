"""Whether a hit is done today, or planned, conditional, historical, negated, goal text or someone else's.

Annotation guide, section 3.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from analyzer.segment import Segmentation
from analyzer.types import Assertion, Section, Segment


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
_WHOLE = frozenset({Assertion.GOAL})
_FORWARD = frozenset({Assertion.PLANNED, Assertion.CONDITIONAL, Assertion.OTHER_PERSON})


@dataclass(frozen=True, slots=True)
class Context:
    """What the triggers of a note say of any span in it."""

    segmentation: Segmentation
    triggers: dict[int, list[Trigger]]

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
        found: set[Assertion] = set()
        for trigger in self.triggers.get(index, ()):
            assertion = Assertion(trigger.value)
            if assertion in _WHOLE:
                found.add(assertion)
            elif assertion in _FORWARD:
                if start >= trigger.start:
                    found.add(assertion)
            elif self._same_clause(segment, trigger, start, end):
                found.add(assertion)
        if segment.section is Section.PLAN and Assertion.HISTORICAL not in found:
            found.add(Assertion.PLANNED)
        for assertion in _ORDER:
            if assertion in found:
                return assertion
        return Assertion.PRESENT

    def _same_clause(self, segment: Segment, trigger: Trigger, start: int, end: int) -> bool:
        between = (trigger.end, start) if start >= trigger.end else (end, trigger.start)
        if between[0] >= between[1]:
            return True
        return between[1] - between[0] <= 60 and not _CLAUSE.search(self.segmentation.folded, *between)


_ORDER = (
    Assertion.GOAL,
    Assertion.OTHER_PERSON,
    Assertion.PLANNED,
    Assertion.CONDITIONAL,
    Assertion.NEGATED,
    Assertion.HISTORICAL,
)

Assess = Callable[[int, int, int], Assertion]


def context(segmentation: Segmentation, triggers: Iterable[Trigger]) -> Context:
    """Collect the triggers of a note by segment."""
    by_segment: dict[int, list[Trigger]] = defaultdict(list)
    for trigger in triggers:
        by_segment[trigger.segment].append(trigger)
    return Context(segmentation, dict(by_segment))
