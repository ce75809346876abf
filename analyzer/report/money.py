"""Charges at risk: what was billed on the claim lines that serious findings are about.

Payers pay what they allow and not what is charged, and a finding is no denial: see ``money`` in ``words.toml``.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analyzer.types import Finding, Level, Report


@dataclass(frozen=True, slots=True)
class NoteMoney:
    """The charges of a note's claim lines in US dollars, and those at risk; each line counts once."""

    charge: float
    at_risk: float


@dataclass(frozen=True, slots=True)
class RuleMoney:
    """The charges that one rule's findings are about, and on how many notes."""

    code: str
    title: str
    notes: int
    at_risk: float


@dataclass(frozen=True, slots=True)
class Money:
    """The charges of a caseload.

    ``charge`` and ``at_risk`` are of ``notes`` notes with a charge. ``rules`` come with the largest amount first; they
    overlap, since a line may have findings of several rules. ``lines_without`` counts claim lines that have no charge.
    """

    charge: float
    at_risk: float
    notes: int
    notes_at_risk: int
    lines_without: int
    rules: tuple[RuleMoney, ...]


def note_money(report: Report) -> NoteMoney | None:
    """Add up the charges of a note; None where none of its claim lines has one."""
    if all(line.charge is None for line in report.note.claim_lines):
        return None
    at_risk: set[int] = set()
    for finding in report.findings:
        at_risk |= _lines_at_risk(report, finding)
    everything = range(len(report.note.claim_lines))
    return NoteMoney(_sum(report, everything), _sum(report, at_risk))


def finding_money(report: Report, finding: Finding) -> float | None:
    """Add up the charges that one finding puts at risk; None where it is not serious, or there are no charges."""
    lines = _lines_at_risk(report, finding)
    if all(report.note.claim_lines[index].charge is None for index in lines):
        return None
    return _sum(report, lines)


def sum_money(reports: Sequence[Report]) -> Money | None:
    """Add up the charges of a caseload; None where no claim line has one."""
    billed = [(report, money) for report in reports if (money := note_money(report)) is not None]
    if not billed:
        return None
    amounts: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    titles: dict[str, str] = {}
    for report, _ in billed:
        by_rule: dict[str, set[int]] = {}
        for finding in report.findings:
            if lines := _lines_at_risk(report, finding):
                by_rule.setdefault(finding.code, set()).update(lines)
                titles[finding.code] = finding.title
        for code, lines in by_rule.items():
            amounts[code] += _cents(_sum(report, lines))
            notes[code] += 1
    return Money(
        charge=round(sum(money.charge for _, money in billed), 2),
        at_risk=round(sum(money.at_risk for _, money in billed), 2),
        notes=len(billed),
        notes_at_risk=sum(money.at_risk > 0 for _, money in billed),
        lines_without=sum(line.charge is None for report in reports for line in report.note.claim_lines),
        rules=tuple(
            RuleMoney(code, titles[code], notes[code], amounts[code] / 100)
            for code in sorted(amounts, key=lambda code: (-amounts[code], code))
        ),
    )


def dollars(amount: float | None) -> str:
    """Write an amount in US dollars, and a missing one as a dash.

    Examples
    --------
    >>> dollars(1234.5), dollars(0), dollars(None)
    ('$1,234.50', '$0.00', '–')
    """
    return "–" if amount is None else f"${amount:,.2f}"


def _lines_at_risk(report: Report, finding: Finding) -> set[int]:
    """Return the claim lines that a serious finding is about: those that it names, or else all of the note."""
    if finding.level is not Level.ERROR:
        return set()
    everything = set(range(len(report.note.claim_lines)))
    return set(finding.lines) & everything if finding.lines else everything


def _sum(report: Report, lines: Iterable[int]) -> float:
    charges = (report.note.claim_lines[index].charge or 0.0 for index in lines)
    return round(sum(charges, 0.0), 2)


def _cents(amount: float) -> int:
    return round(amount * 100)
