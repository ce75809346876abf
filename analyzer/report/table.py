"""The table for a terminal: worst notes first, those that are not judged last, then what the caseload looks like."""

import os
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.report.money import Money, dollars
from analyzer.report.summary import Summary, distinct_findings, split_results, summarise
from analyzer.report.words import count_contacts, load_words, number, percent, plural
from analyzer.types import ClaimsMatch, Failure, Report, Result, Verdict

_PIPE_WIDTH = 80  # where nothing says how wide the reader's window is
_TOP_CODES = 2
_CODES_WIDTH = 16  # of a count, two codes and an ellipsis
_TOP_FINDINGS = 10
_BAR_WIDTH = 40
_MARK = " ?"  # after a verdict that a person should look at
_STYLES = {Verdict.UNSKILLED: "bold red", Verdict.AT_RISK: "yellow", Verdict.SKILLED: "green"}


def write_table(
    results: Iterable[Result], output: TextIO, claims: ClaimsMatch | None = None, *, width: int | None = None
) -> None:
    """Write the table, its totals, the records that could not be read, and what a score is not.

    Parameters
    ----------
    results : iterable of Report or Failure
        All of them are held, since the worst come first.
    output : text stream
        Colour is used only where it is a terminal that has it.
    claims : ClaimsMatch, optional
        What became of a claims file.
    width : int, optional
        Columns to fit; by default those of the terminal, and 80 in a pipe.
    """
    if width is None and not output.isatty():
        width = int(columns) if (columns := os.environ.get("COLUMNS", "")).isdecimal() else _PIPE_WIDTH
    console = Console(file=output, width=width, markup=False, highlight=False, emoji=False)
    reports, failures = split_results(list(results))
    summary = summarise(reports, failures)
    if reports:
        console.print(_build_table(reports, console))
    _print_lines(console, _summary_lines(summary, console))
    if claims is not None:
        _print_lines(console, _claims_lines(claims))
    if failures:
        _print_lines(console, _failure_lines(failures, summary))
    _print_lines(console, ["", load_words().caveat])


def _print_lines(console: Console, lines: Iterable[str]) -> None:
    """Print lines, wrapped at words with what follows indented as far as the line itself."""
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        wrapped = textwrap.wrap(_cell(line, console), console.width, subsequent_indent=indent) or [""]
        for part in wrapped:
            console.print(Text(part), soft_wrap=True)


def _cell(text: str, console: Console) -> str:
    """Return text as it may be printed: no control or direction characters, nothing the output cannot encode."""
    visible = "".join(" " if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else char for char in text)
    return visible.encode(console.encoding, "replace").decode(console.encoding)


def _build_table(reports: Sequence[Report], console: Console) -> Table:
    words = load_words()
    has_kind, has_codes = console.width >= 72, console.width >= 52
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    table.add_column("Note", overflow="fold", min_width=8)
    table.add_column("Verdict", overflow="fold", min_width=9)
    table.add_column("Score", justify="right", min_width=5)
    if has_kind:
        table.add_column("Kind", overflow="fold")
    table.add_column("Findings", overflow="fold", min_width=_CODES_WIDTH if has_kind else 8)
    table.add_column("P(unskilled)" if console.width >= 90 else "P(uns.)", justify="right", overflow="fold")
    for report in reports:
        codes = [finding.code for finding in distinct_findings(report)] if has_codes else []
        more = "…" if len(codes) > _TOP_CODES else ""
        findings = " ".join([str(len(report.findings)), *codes[:_TOP_CODES]]) + more
        cells = [
            Text(_cell(report.note.id or "(no id)", console)),
            Text(words.verdicts[report.verdict].name + _MARK * report.is_verdict_unclear, style=_STYLES[report.verdict])
            if report.is_judged
            else Text(words.not_judged.name),
            Text(_cell(number(report.score) if report.is_judged else "–", console)),
            *([Text(words.kinds[report.kind])] if has_kind else []),
            Text(_cell(findings, console)),
            Text(_cell(percent(report.unskilled_probability if report.is_judged else None), console)),
        ]
        table.add_row(*cells)
    return table


def _summary_lines(summary: Summary, console: Console) -> Iterator[str]:
    words = load_words()
    if not summary.notes:
        yield "No notes were audited."
        return
    is_all_judged = summary.judged == summary.notes
    yield f"{plural(summary.notes, 'note')} audited" + ("" if is_all_judged else f", {summary.judged:,} judged")
    if summary.judged:
        for verdict, count in summary.verdicts.items():
            yield f"  {words.verdicts[verdict].name:<10} {count:>6}  {count / summary.judged:>4.0%}"
    if not is_all_judged:
        yield ""
        yield f"Not judged: {count_contacts(summary.unjudged)}. {words.not_judged.meaning}"
        if summary.unclear:
            share = f"{summary.unclear / summary.judged:>4.0%}"
            yield f"  {'of these' + _MARK:<10} {summary.unclear:>6}  {share}  {words.unclear.meaning}"
    if summary.mean_score is not None and summary.median_score is not None:
        yield ""
        yield f"Scores: median {number(summary.median_score)}, mean {summary.mean_score:.1f}"
        yield from _histogram_lines(summary, console)
    if summary.findings:
        yield ""
        yield "Most frequent findings, by notes they were made in"
        for finding in summary.findings[:_TOP_FINDINGS]:
            yield f"  {finding.notes:>5}  {finding.code}  {finding.title}"
        if len(summary.findings) > _TOP_FINDINGS:
            yield f"  and {len(summary.findings) - _TOP_FINDINGS} more"
    if summary.money:
        yield from _money_lines(summary.money)
    if summary.not_run:
        yield ""
        yield "Checks that did not run, so that their silence means nothing"
        for entry in summary.not_run:
            yield f"  {entry.check} ({plural(entry.notes, 'note')}): {entry.reason}"


def _money_lines(money: Money) -> Iterator[str]:
    yield ""
    yield f"Charges: {dollars(money.charge)} on {plural(money.notes, 'note')}, {dollars(money.at_risk)} of it at risk"
    width = len(dollars(money.at_risk))
    for rule in money.rules[:_TOP_FINDINGS]:
        yield f"  {dollars(rule.at_risk):>{width}}  {rule.code}  {rule.title} ({plural(rule.notes, 'note')})"
    if len(money.rules) > _TOP_FINDINGS:
        yield f"  and {len(money.rules) - _TOP_FINDINGS} more"
    if money.lines_without:
        yield f"  {plural(money.lines_without, 'claim line')} without a charge: in none of these amounts"
    yield load_words().money


def _claims_lines(claims: ClaimsMatch) -> Iterator[str]:
    yield ""
    yield (
        f"Claims: {plural(claims.lines, 'line')} read, {claims.matched_lines:,} joined to "
        f"{claims.matched_notes:,} of {plural(claims.notes, 'note')}"
    )
    for title, reasons in (
        ("Claim lines without a note", Counter(line.reason for line in claims.unmatched_lines)),
        ("Notes without a claim line", Counter(note.reason for note in claims.unmatched_notes)),
    ):
        if reasons:
            yield f"  {title}: {reasons.total():,}"
            for reason, count in reasons.most_common():
                yield f"    {count:>5}  {reason}"
    for remark in claims.remarks:
        yield f"  {remark}"


def _histogram_lines(summary: Summary, console: Console) -> Iterator[str]:
    block = "█" if console.encoding.startswith("utf") else "#"
    most = max(entry.count for entry in summary.bins)
    room = max(5, min(_BAR_WIDTH, console.width - 18))
    for entry in summary.bins:
        length = -(-entry.count * room // most)  # rounded up: a bin with a note in it shows
        last = entry.high if entry.high == 100 else entry.high - 1
        yield f"  {entry.low:>3}–{last:<3} {entry.count:>6} {block * length}".rstrip()


def _failure_lines(failures: Sequence[Failure], summary: Summary) -> Iterator[str]:
    yield ""
    yield f"{plural(summary.failures, 'record')} could not be read"
    for failure in failures:
        place = [str(failure.origin)] if failure.origin else []
        place += [f"id {failure.id}"] if failure.id else []
        place += [f"field {failure.field}"] if failure.field else []
        yield f"  {', '.join(place) or 'unknown place'}: {failure.message} ({failure.code})"
