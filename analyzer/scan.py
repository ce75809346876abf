"""Pattern rows over the folded copy of a note, in linear time whatever the text.

RE2 matches each pattern; its filter first tells, from the words that stand in the note, which patterns could match.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import re2

from analyzer.lexicon import Pattern
from analyzer.segment import Segmentation
from analyzer.types import Segment


class Found(NamedTuple):
    """A row found in a segment; ``groups`` are its named groups that took part."""

    row: Pattern
    start: int
    end: int
    segment: int
    groups: Mapping[str, str]


_NO_GROUPS: Mapping[str, str] = {}


class Scanner:
    """Finds the rows of several tables in one pass; made once, shared by all notes."""

    def __init__(self, tables: Mapping[str, Sequence[Pattern]]) -> None:
        self._names = tuple(tables)
        self._rows = [(name, row, row.has_groups) for name, rows in tables.items() for row in rows]
        self._filter = re2.Filter()
        for _, row, _ in self._rows:
            self._filter.Add(row.expression.encode("ascii"))
        self._filter.Compile()
        self._patterns = [re2.compile(row.expression.encode("ascii")) for _, row, _ in self._rows]

    def __call__(self, segmentation: Segmentation) -> dict[str, list[Found]]:
        """Find every row.

        Parameters
        ----------
        segmentation : Segmentation

        Returns
        -------
        dict of str to list of Found
            By table; in the order of the rows, then of the text. A match that crosses segments is left out.
        """
        line = segmentation.folded.encode("ascii")
        where = Where(segmentation.segments)
        found: dict[str, list[Found]] = {name: [] for name in self._names}
        for index in sorted(self._filter.Match(line, True) or ()):
            name, row, has_groups = self._rows[index]
            into = found[name]
            for match in self._patterns[index].finditer(line):
                start, end = match.span()
                segment = where.index(start, end)
                if segment is not None and end > start:
                    groups = _groups(match) if has_groups else _NO_GROUPS
                    into.append(Found(row, start, end, segment, groups))
        return found


def _groups(match: "re2._Match") -> Mapping[str, str]:
    return {name.decode(): value.decode() for name, value in match.groupdict().items() if value is not None}


class Where:
    """Which segment an offset lies in."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._starts = [segment.start for segment in segments]
        self._ends = [segment.end for segment in segments]

    def index(self, start: int, end: int) -> int | None:
        """Return the index of the segment that holds the whole span; None where it crosses a border."""
        index = bisect_right(self._starts, start) - 1
        return index if index >= 0 and end <= self._ends[index] else None


class _Span(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


S = TypeVar("S", bound=_Span)


class Near(Generic[S]):
    """Spans, overlapping or not, to look up by place without going through all of them."""

    def __init__(self, spans: Iterable[S]) -> None:
        self._spans = sorted(spans, key=lambda span: span.start)
        self._starts = [span.start for span in self._spans]
        self._longest = max((span.end - span.start for span in self._spans), default=0)

    def __call__(self, start: int, end: int, *, reach: int = 0) -> Sequence[S]:
        """Return all spans that touch what lies at most ``reach`` characters around a span, and perhaps a few more."""
        first = bisect_left(self._starts, start - reach - self._longest)
        return self._spans[first : bisect_right(self._starts, end + reach)]


class Disjoint:
    """Spans that do not overlap, with a look-up in logarithmic time."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def touches(self, start: int, end: int) -> bool:
        """Whether a span overlaps one of those kept."""
        at = bisect_right(self._starts, start)
        return (at > 0 and self._ends[at - 1] > start) or (at < len(self._starts) and self._starts[at] < end)

    def add(self, start: int, end: int) -> None:
        """Keep a span that touches none."""
        at = bisect_right(self._starts, start)
        self._starts.insert(at, start)
        self._ends.insert(at, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._starts, self._ends, strict=True))
