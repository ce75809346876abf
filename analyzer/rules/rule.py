"""What a rule is, and how its examples are written."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from analyzer.types import Evidence, Finding, Kind, Label, Level, Note, Reading, Segment, Status

TREATMENT_KINDS = frozenset({Kind.TREATMENT, Kind.GROUP})
"""Kinds of note that report a session of treatment; rules on missing evidence look at no others."""

NO_DATE = "The record has no date_of_service."
NO_LINES = "The record has no claim_lines."
NO_CODES = "The record has no claim_lines and no cpt."
"""What records lack most often, in the same words for every rule, so that reports can name it once."""

MEDICARE = ("medicare-b",)
"""The pack of rules that Medicare alone makes."""

_AROUND_SKILL = frozenset({Label.INTERVENTION, Label.GENERIC, Label.GOAL, Label.FUNCTION, Label.NECESSITY, Label.PLAN})

_MARK = re.compile(r"\[\[|\]\]")


@dataclass(frozen=True, slots=True)
class Example:
    """A note and the spans that a rule must report in it; no spans for a near miss.

    In the text as written, ``[[`` and ``]]`` mark the exact words; ``note`` holds the text without the marks.
    """

    note: Note
    spans: tuple[tuple[int, int], ...]


def example(text: str, **fields: object) -> Example:
    """Make an example from marked text and the other fields of a note.

    Raises
    ------
    ValueError
        When the marks do not pair up.

    Examples
    --------
    >>> example("Named pictures with [[80%]].").spans
    ((20, 23),)
    """
    spans: list[tuple[int, int]] = []
    plain, position, opened = "", 0, -1
    for mark in _MARK.finditer(text):
        plain += text[position : mark.start()]
        position = mark.end()
        if (mark.group() == "[[") != (opened < 0):
            raise ValueError("marks do not pair up")
        if opened < 0:
            opened = len(plain)
        else:
            spans.append((opened, len(plain)))
            opened = -1
    if opened >= 0:
        raise ValueError("marks do not pair up")
    plain += text[position:]
    return Example(Note(plain, **fields), tuple(spans))  # type: ignore[arg-type]  # the fields are checked by the dataclass's use in tests


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a check yields: the words, what is wrong with them, and what to consider writing.

    ``start`` and ``end`` span the whole note where something is missing from it. ``fix`` never states a clinical fact:
    it asks, or offers a template with blanks. ``lines`` are the positions of the claim lines that it is about.
    """

    start: int
    end: int
    message: str
    fix: str
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A complaint with a stable code (style guide 5).

    Parameters
    ----------
    code : str
        Three letters of the family and three digits; never reused.
    name : str
        What is wrong, in kebab-case.
    title : str
        A sentence that a clinician would accept.
    why : str
        The reason, argued from the source.
    sources : tuple of str
        Ids of ``sources.toml``.
    fires, silent : tuple of Example
        Notes in which it complains, and near misses in which it does not.
    check : callable
        Pure function from a reading to its complaints. It says nothing of what it lacks a field or a figure for.
    needs : callable, optional
        Pure function from a reading to what the check lacks in it, as a sentence; None where nothing is lacking.
    payers : tuple of str
        Payer packs it is made for, and those that extend them; empty for every payer. A pack or a clinic's settings
        may say otherwise.
    valid_from, valid_to : date, optional
        First and last date of service that it holds for.
    """

    code: str
    name: str
    title: str
    why: str
    sources: tuple[str, ...]
    level: Level
    status: Status
    since: str
    fires: tuple[Example, ...]
    silent: tuple[Example, ...]
    known_limits: str
    check: Callable[[Reading], Iterator[Complaint]]
    needs: Callable[[Reading], str | None] | None = None
    payers: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def family(self) -> str:
        """The three letters of the code."""
        return self.code[:3]

    def lack(self, reading: Reading) -> str | None:
        """Return why the rule could not run, or not in full; None where it could.

        Without a date of service a rule that is bound to dates cannot run.
        """
        if (self.valid_from or self.valid_to) and reading.note.date_of_service is None:
            return NO_DATE
        return self.needs(reading) if self.needs else None

    def is_in_force(self, on: date | None) -> bool:
        """Whether it holds for a date of service; without one only a rule that holds for every date does."""
        if on is None:
            return self.valid_from is None and self.valid_to is None
        return (self.valid_from or on) <= on <= (self.valid_to or on)

    def findings(self, reading: Reading) -> tuple[Finding, ...]:
        """Run the check and sign its complaints with this rule."""
        return tuple(
            Finding(
                code=self.code,
                level=self.level,
                title=self.title,
                start=complaint.start,
                end=complaint.end,
                message=complaint.message,
                fix=complaint.fix,
                source=self.sources[0],
                status=self.status,
                lines=complaint.lines,
            )
            for complaint in self.check(reading)
        )


def is_treatment(reading: Reading) -> bool:
    """Whether the note reports a session of treatment."""
    return reading.kind in TREATMENT_KINDS


def billed_codes(reading: Reading) -> tuple[str, ...]:
    """Return the procedure codes billed with the note: those of its claim lines, else its ``cpt``."""
    note = reading.note
    codes = [line.code for line in note.claim_lines] or ([note.cpt] if note.cpt else [])
    return tuple(code.strip().upper() for code in codes)


def has(reading: Reading, *labels: Label) -> bool:
    """Whether any segment carries one of the labels."""
    return bool(reading.with_label(*labels))


def whole_note(reading: Reading) -> tuple[int, int]:
    """Return the offsets of the whole note, for what is missing from it."""
    return 0, len(reading.note.text)


def words_of(segment: Segment) -> tuple[int, int]:
    """Return the offsets of a segment without its bullet, number or label."""
    return (segment.body_start, segment.end) if segment.body_start < segment.end else (segment.start, segment.end)


def sentence_of(segment: Segment) -> tuple[int, int]:
    """Return the offsets of a segment with its label, such as the number of a goal."""
    return segment.start, segment.end


def hollow_techniques(reading: Reading) -> tuple[Evidence, ...]:
    """Return the techniques named in boilerplate that shows nothing else done or seen in the session."""
    generic = {evidence.segment for evidence in reading.with_label(Label.GENERIC)}
    return tuple(
        evidence
        for evidence in reading.with_label(Label.INTERVENTION)
        if evidence.segment in generic and reading.labels_of(reading.segments[evidence.segment]) <= _AROUND_SKILL
    )


def described_techniques(reading: Reading) -> tuple[Evidence, ...]:
    """Return the techniques and clinician actions that stand outside boilerplate."""
    hollow = {evidence.segment for evidence in hollow_techniques(reading)}
    return tuple(evidence for evidence in reading.with_label(Label.INTERVENTION) if evidence.segment not in hollow)


def shows_clinician(reading: Reading) -> bool:
    """Whether the note shows the clinician at work: a described technique, a cue, a reasoned decision, teaching."""
    return bool(described_techniques(reading)) or has(reading, Label.CUEING, Label.REASONING, Label.TRAINING)


def row_of(evidence: Evidence) -> str:
    """Return the lexicon row that carried a label, ``FILE/ROW``, however it was asserted; a model's name else."""
    return evidence.source.removeprefix("lexicon:").partition("~")[0]
