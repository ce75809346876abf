"""The HTML report: one page that needs nothing else, to read, filter, print and keep."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analyzer.report.highlight import Piece, cut_text
from analyzer.report.money import dollars, finding_money, note_money
from analyzer.report.record import plain
from analyzer.report.summary import distinct_findings, split_results, summarise
from analyzer.report.words import (
    count_contacts,
    describe_evidence,
    describe_line,
    encodable,
    is_whole_note,
    load_words,
    number,
    percent,
    plural,
)
from analyzer.types import (
    WEAK_LABELS,
    AmountBasis,
    ClaimsMatch,
    Dimension,
    Finding,
    Label,
    Level,
    Rating,
    Report,
    Result,
    Verdict,
)

_TEMPLATES = Path(__file__).parent / "templates"
_QUOTE_LENGTH = 240  # characters of a quote beside the text; the text itself is on the page in full
_MENTION_LENGTH = 42
_MENTIONS = 3


@dataclass(frozen=True, slots=True)
class _Mention:
    """A segment that a rating rests on, by its first words."""

    segment: int
    words: str


@dataclass(frozen=True, slots=True)
class _RatingView:
    rating: Rating
    mentions: tuple[_Mention, ...]
    further: int


@dataclass(frozen=True, slots=True)
class _FindingView:
    """A finding with its number in the note; ``quote`` is None where something is missing from the whole note."""

    number: int
    finding: Finding
    quote: str | None
    at_risk: float | None


@dataclass(frozen=True, slots=True)
class _EvidenceView:
    label: Label
    quote: str
    details: str
    probability: float | None
    lexicon_probability: float | None
    model_probability: float | None
    is_unclear: bool
    source: str


@dataclass(frozen=True, slots=True)
class _NoteView:
    """A report as the page shows it; ``number`` makes its anchors, since ids are the caller's and may be anything."""

    number: int
    report: Report
    name: str
    codes: tuple[str, ...]
    pieces: tuple[Piece, ...]
    ratings: tuple[_RatingView, ...]
    findings: tuple[_FindingView, ...]
    evidence: tuple[_EvidenceView, ...]
    facts: tuple[tuple[str, str], ...]


def write_html(results: Iterable[Result], output: TextIO, claims: ClaimsMatch | None = None) -> None:
    """Write the page: the caseload in figures, then every note with its evidence, worst first, those not judged last.

    Everything that a note or its record contains is escaped, and a Content-Security-Policy lets no script run but the
    page's own.
    """
    reports, failures = split_results(list(results))
    style, script = _read("page.css"), _read("page.js")
    page = _environment().get_template("page.html.j2")
    chunks = page.generate(
        style=Markup(style),  # noqa: S704 - our own file, which the policy's hash pins
        script=Markup(script),  # noqa: S704 - likewise
        policy=_policy(style, script),
        words=load_words(),
        summary=summarise(reports, failures),
        failures=failures,
        notes=_note_views(reports),
        kinds=sorted({report.kind for report in reports}),
        verdicts=tuple(Verdict),
        labels=tuple(Label),
        weak_labels=WEAK_LABELS,
        weights={rating.dimension: rating.weight for report in reports for rating in report.ratings},
        dimensions=tuple(Dimension),
        has_dates=any(report.note.date_of_service for report in reports),
        has_clinicians=any(report.note.clinician_id for report in reports),
        error_level=Level.ERROR,
        claims=claims,
    )
    for chunk in chunks:
        output.write(encodable(chunk))


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: nothing from anywhere, and inline only what has these hashes."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",  # the icon
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _hash(content: str) -> str:
    return "sha256-" + b64encode(sha256(content.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["percent"] = percent
    environment.filters["plural"] = plural
    environment.filters["contacts"] = count_contacts
    environment.filters["dollars"] = dollars
    environment.filters["line"] = describe_line
    return environment


def _note_views(reports: Sequence[Report]) -> Iterator[_NoteView]:
    for index, report in enumerate(reports, 1):
        yield _NoteView(
            number=index,
            report=report,
            name=report.note.id.strip() or f"(no id, number {index})",
            codes=tuple(finding.code for finding in distinct_findings(report)),
            pieces=cut_text(report),
            ratings=tuple(_rating_view(report, rating) for rating in report.ratings),
            findings=tuple(
                _FindingView(
                    number=position,
                    finding=finding,
                    quote=None
                    if is_whole_note(report, finding)
                    else _shorten(report.note.text[finding.start : finding.end], _QUOTE_LENGTH),
                    at_risk=finding_money(report, finding),
                )
                for position, finding in enumerate(report.findings, 1)
            ),
            evidence=tuple(
                _EvidenceView(
                    label=label.label,
                    quote=_shorten(report.note.text[label.start : label.end], _QUOTE_LENGTH),
                    details=describe_evidence(label),
                    probability=label.probability,
                    lexicon_probability=label.lexicon_probability,
                    model_probability=label.model_probability,
                    is_unclear=label.is_unclear,
                    source=label.source,
                )
                for label in report.evidence
            ),
            facts=tuple(_facts(report)),
        )


def _rating_view(report: Report, rating: Rating) -> _RatingView:
    by_index = {segment.index: segment for segment in report.segments}
    segments = [by_index[index] for index in rating.segments if index in by_index]
    mentions = tuple(
        _Mention(segment.index, _shorten(report.note.text[segment.start : segment.end], _MENTION_LENGTH))
        for segment in segments[:_MENTIONS]
    )
    return _RatingView(rating, mentions, len(segments) - len(mentions))


def _shorten(text: str, length: int) -> str:
    """Return text on one line, cut after a word with an ellipsis where it is longer."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    cut = line[:length]
    at_word = cut.rpartition(" ")[0]
    return (at_word if len(at_word) > length // 2 else cut).rstrip(" ,;:.") + "…"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    """Name what the record says beside the text, what was handed through last."""
    note, money = report.note, note_money(report)
    basis = {None: "", AmountBasis.ALLOWED: "allowed amounts", AmountBasis.CHARGE: "charges"}[note.ytd_basis]
    spent = f"{dollars(note.ytd_pt_slp_allowed)}, by {basis} in the claims given" if basis else None
    named: tuple[tuple[str, object], ...] = (
        ("Patient", note.patient_id),
        ("Clinician", note.clinician_id),
        ("Credential", note.credential),
        ("Date of service", note.date_of_service),
        ("Payer", note.payer),
        ("Setting", note.setting),
        ("Age", None if note.age_years is None else number(note.age_years)),
        ("Code billed", note.cpt),
        ("Claim lines", ", ".join(map(describe_line, note.claim_lines))),
        ("Charges", dollars(money.charge) if money else None),
        ("Charges at risk", dollars(money.at_risk) if money else None),
        ("PT and SLP earlier in the year", spent),
        ("Minutes", note.minutes),
        ("Diagnoses", ", ".join(note.diagnoses)),
        ("From", None if note.origin is None else str(note.origin)),
        *note.extra,
    )
    for name, value in named:
        flat = plain(value)
        if flat is not None and flat != "" and flat != []:
            yield name, str(flat)
