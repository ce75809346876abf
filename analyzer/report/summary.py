"""Figures of a whole caseload, shared by the reports that are read by people."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean, median

from analyzer.report.money import Money, sum_money
from analyzer.types import UNJUDGED_KINDS, Failure, Finding, Kind, NotRun, Report, Result, Verdict, Versions

_VERDICTS = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """Notes with a score from ``low`` up to ``high``, which belongs to the next bin but for 100."""

    low: int
    high: int
    count: int


@dataclass(frozen=True, slots=True)
class FindingCount:
    """How many notes a finding was made in."""

    code: str
    title: str
    notes: int


@dataclass(frozen=True, slots=True)
class ClinicianSummary:
    """The notes of one clinician; ``top_finding`` is the one made in most of them.

    ``verdicts`` and ``median_score`` are of the judged notes, and the latter is None where there is none.
    """

    clinician_id: str
    notes: int
    judged: int
    verdicts: dict[Verdict, int]
    median_score: float | None
    top_finding: FindingCount | None


@dataclass(frozen=True, slots=True)
class NotRunCount:
    """How many notes a check could not run on, and why."""

    check: str
    reason: str
    notes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A caseload in figures.

    ``notes`` counts all that were audited, as ``findings`` and ``not_run`` do. ``verdicts``, scores and ``bins`` are of
    the ``judged`` ones, as is ``unclear``, those whose verdict a person should look at; ``mean_score`` and
    ``median_score`` are None where there is none. ``unjudged`` counts the rest. ``money`` is None where no claim line
    has a charge.
    """

    notes: int
    judged: int
    unjudged: dict[Kind, int]
    failures: int
    verdicts: dict[Verdict, int]
    unclear: int
    mean_score: float | None
    median_score: float | None
    bins: tuple[ScoreBin, ...]
    findings: tuple[FindingCount, ...]
    clinicians: tuple[ClinicianSummary, ...]
    first_date: date | None
    last_date: date | None
    not_run: tuple[NotRunCount, ...]
    versions: tuple[Versions, ...]
    money: Money | None


def split_results(results: Sequence[Result]) -> tuple[list[Report], list[Failure]]:
    """Return the reports, the judged ones first and worst first, and the failures in the order they came."""
    reports = [result for result in results if not isinstance(result, Failure)]
    failures = [result for result in results if isinstance(result, Failure)]
    return sorted(reports, key=_by_concern), failures


def _by_concern(report: Report) -> tuple[bool, int, float, float, str]:
    if not report.is_judged:
        return (True, 0, 0, 0, report.note.id)
    return (
        False,
        _VERDICTS.index(report.verdict),
        report.score,
        -(report.unskilled_probability or 0),
        report.note.id,
    )


def summarise(reports: Sequence[Report], failures: Sequence[Failure]) -> Summary:
    """Count verdicts, scores and findings over a caseload; an empty one gives zeros."""
    judged = [report for report in reports if report.is_judged]
    kinds = Counter(report.kind for report in reports)
    scores = [report.score for report in judged]
    dates = [report.note.date_of_service for report in reports if report.note.date_of_service]
    by_clinician: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        if report.note.clinician_id:
            by_clinician[report.note.clinician_id].append(report)
    not_run: Counter[NotRun] = Counter(check for report in reports for check in dict.fromkeys(report.not_run))
    return Summary(
        notes=len(reports),
        judged=len(judged),
        unjudged={kind: kinds[kind] for kind in UNJUDGED_KINDS},
        failures=len(failures),
        verdicts=_count_verdicts(judged),
        unclear=sum(report.is_verdict_unclear for report in judged),
        mean_score=fmean(scores) if scores else None,
        median_score=median(scores) if scores else None,
        bins=_bin_scores(scores),
        findings=count_findings(reports),
        clinicians=tuple(_summarise_clinician(name, by_clinician[name]) for name in sorted(by_clinician)),
        first_date=min(dates, default=None),
        last_date=max(dates, default=None),
        not_run=tuple(NotRunCount(entry.check, entry.reason, count) for entry, count in not_run.most_common()),
        versions=tuple(dict.fromkeys(report.versions for report in reports)),
        money=sum_money(reports),
    )


def count_findings(reports: Sequence[Report]) -> tuple[FindingCount, ...]:
    """Count the notes that each finding was made in, most frequent first."""
    notes: Counter[str] = Counter()
    titles: dict[str, str] = {}
    for report in reports:
        titles |= {finding.code: finding.title for finding in report.findings}
        notes.update({finding.code for finding in report.findings})
    return tuple(FindingCount(code, titles[code], notes[code]) for code in sorted(notes, key=lambda c: (-notes[c], c)))


def distinct_findings(report: Report) -> tuple[Finding, ...]:
    """Return the first finding of each code, in the report's order: worst first."""
    first: dict[str, Finding] = {}
    for finding in report.findings:
        first.setdefault(finding.code, finding)
    return tuple(first.values())


def _count_verdicts(reports: Sequence[Report]) -> dict[Verdict, int]:
    counts = Counter(report.verdict for report in reports)
    return {verdict: counts[verdict] for verdict in Verdict}


def _bin_scores(scores: Sequence[float]) -> tuple[ScoreBin, ...]:
    counts = Counter(min(int(score // 10), 9) for score in scores)
    return tuple(ScoreBin(10 * index, 10 * index + 10, counts[index]) for index in range(10))


def _summarise_clinician(clinician_id: str, reports: list[Report]) -> ClinicianSummary:
    findings = count_findings(reports)
    judged = [report for report in reports if report.is_judged]
    return ClinicianSummary(
        clinician_id=clinician_id,
        notes=len(reports),
        judged=len(judged),
        verdicts=_count_verdicts(judged),
        median_score=median(report.score for report in judged) if judged else None,
        top_finding=findings[0] if findings else None,
    )
