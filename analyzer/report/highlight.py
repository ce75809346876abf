"""A note's text cut into pieces, each with everything that covers it, so that overlapping evidence can be shown."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from analyzer.report.words import describe_evidence, is_whole_note, percent
from analyzer.types import Evidence, Label, Report


@dataclass(frozen=True, slots=True)
class Tag:
    """The name of a label, shown where the words that carry it end."""

    label: Label
    details: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text over which labels and findings do not change.

    Parameters
    ----------
    labels : tuple of Label
        What covers the piece, each once, the longest evidence first.
    tags : tuple of Tag
        Labels whose evidence ends with the piece.
    flags : tuple of int
        Numbers, from 1, of the findings whose words begin here.
    is_flagged : bool
        Whether the words of a finding cover the piece. One that spans the whole note is not shown in the text.
    segments : tuple of int
        Indices of the segments that begin here.
    """

    text: str
    labels: tuple[Label, ...] = ()
    tags: tuple[Tag, ...] = ()
    flags: tuple[int, ...] = ()
    is_flagged: bool = False
    segments: tuple[int, ...] = ()


def cut_text(report: Report) -> tuple[Piece, ...]:
    """Cut the note at every boundary of evidence, of a finding's words and at every segment's start.

    The texts of the pieces, joined, are the note's text. An empty text gives no pieces.
    """
    text = report.note.text
    spans = {number: (f.start, f.end) for number, f in enumerate(report.findings, 1) if not is_whole_note(report, f)}
    labels = [label for label in report.evidence if label.start < label.end]
    boundaries = {0, len(text)}
    boundaries.update(segment.start for segment in report.segments)
    for start, end in [*spans.values(), *((label.start, label.end) for label in labels)]:
        boundaries.update((start, end))
    cuts = sorted(cut for cut in boundaries if 0 <= cut <= len(text))
    starting = sorted(labels, key=lambda label: label.start, reverse=True)
    segments: dict[int, list[int]] = defaultdict(list)
    for segment in report.segments:
        segments[segment.start].append(segment.index)
    active: list[Evidence] = []
    pieces = []
    for start, end in pairwise(cuts):
        while starting and starting[-1].start <= start:
            active.append(starting.pop())
        active = [label for label in active if label.end > start]
        by_length = sorted(active, key=lambda label: (label.start - label.end, label.start))
        pieces.append(
            Piece(
                text=text[start:end],
                labels=tuple(dict.fromkeys(label.label for label in by_length)),
                tags=_tags_ending_at(end, by_length),
                flags=tuple(number for number, span in spans.items() if span[0] == start),
                is_flagged=any(first <= start < last for first, last in spans.values()),
                segments=tuple(segments[start]),
            )
        )
    return tuple(pieces)


def _tags_ending_at(end: int, evidence: list[Evidence]) -> tuple[Tag, ...]:
    """Return one tag a label, the shortest evidence first, as its words end inside the others."""
    details: dict[Label, list[str]] = {}
    for label in reversed(evidence):
        if label.end == end:
            parts = [describe_evidence(label), "" if label.probability is None else percent(label.probability)]
            details.setdefault(label.label, []).extend(part for part in parts if part)
    return tuple(Tag(label, " · ".join(dict.fromkeys(parts))) for label, parts in details.items())
