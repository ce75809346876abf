"""The command line. The only module that prints: data to standard output, everything else to standard error.

What a command needs of the analyzer it imports itself, so that ``cuewise --help`` does not wait for it.
"""

import json
import os
import re
import subprocess
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime
from io import BytesIO, TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzer.errors import AnalyzerError, NoteError
from analyzer.types import ClaimsMatch, Failure, Level, Note, Origin, Result, Status

if TYPE_CHECKING:
    from rich.text import Text

    from analyzer.claims import ClaimsFile
    from analyzer.engine import ModelChoice
    from analyzer.evaluate import Metrics
    from analyzer.icd10.catalogue import Catalogue, Checked, Code, Exclusion
    from analyzer.lexicon import Source
    from analyzer.rules.rule import Rule
    from api.database import Database
    from api.settings import Settings

FORMATS = ("table", "jsonl", "csv", "xlsx", "html")
"""The names of ``analyzer.report.FORMATS``, which is not imported for a help text; a test compares them."""

_SUFFIXES = {
    ".txt": "table",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".xlsx": "xlsx",
    ".html": "html",
    ".htm": "html",
}
_STREAMED = ("jsonl", "csv")  # written as the results come, so that a progress bar would stand between their lines
_STDIN = "-"

# Exit statuses of the contract, and those that shells expect after a signal.
_BELOW, _USAGE, _UNREAD = 1, 2, 3
_NOT_VALID = 1
_NOT_WHOLE = 1
_INTERNAL, _INTERRUPTED, _PIPE_CLOSED = 70, 130, 141

_SHOWN_FAILURES = 10
_READ_AHEAD = 20_000  # records held to know how long the work is; beyond, the progress bar counts without an end


class _Failed(click.ClickException):
    """Something to tell the user in one sentence, with the exit status for it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(_clean(message))
        self._status = status

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click only reads it
        """The exit status, by click's name."""
        return self._status


class _Commands(click.Group):
    """Turns whatever goes wrong in a command into a message and an exit status: users never see a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a character that the terminal lacks ends no run
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # what goes wrong with the last lines shows here and not at exit
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            _drop_stdout()
            ctx.exit(_PIPE_CLOSED)
        except KeyboardInterrupt:
            _say("Interrupted.")
            ctx.exit(_INTERRUPTED)
        except NoteError as error:
            raise _Failed(str(error), _UNREAD) from error
        except AnalyzerError as error:
            raise _Failed(str(error), _USAGE) from error
        except OSError as error:
            _drop_stdout()
            raise _Failed(f"Reading or writing failed: {_reason(error)}.", _USAGE) from error
        except Exception as error:  # a bug of ours: its message may quote a note, its place cannot
            message = f"Internal error: {type(error).__name__} {_place(error)}. Please report this."
            raise _Failed(message, _INTERNAL) from None


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _drop_stdout() -> None:
    """Point standard output at nothing, so that Python does not complain of the closed pipe when it exits."""
    with suppress(OSError):  # a stream in memory has no descriptor
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())


def _place(error: BaseException) -> str:
    traceback = error.__traceback__
    if traceback is None:
        return "at an unknown place"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"in {Path(traceback.tb_frame.f_code.co_filename).name}, line {traceback.tb_lineno}"


def _say(message: str) -> None:
    click.echo(_clean(message), err=True)


def _clean(text: str) -> str:
    """Return text without control and direction characters, which a file's name or an id may hold."""
    return "".join(" " if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} else char for char in text)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="cuewise", prog_name="cuewise")
def cli() -> None:
    """Audit speech-language pathology session notes as a payer's medical reviewer would.

    Everything runs on this machine: no note leaves it. A score says how much evidence of skilled service one note
    holds, read alone; it is not legal or coding advice.
    """


def main() -> None:
    """Run the command line, and exit with its status."""
    cli(prog_name="cuewise")


_jobs_option = click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Processes to work with."
)


_model_option = click.option(
    "--model",
    type=click.Choice(["auto", "encoder", "lexicons"]),
    default="auto",
    show_default=True,
    help="What reads the notes: the encoder with the lexicons, or the lexicons alone.",
)


_payer_option = click.option(
    "--payer",
    metavar="NAME",
    help="Judge every note by this payer's rules, whatever its record says. [default: the record's, or medicare-b]",
)


_config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A clinic's settings, in TOML: levels, figures, thresholds, payers and tables of its own.",
)


# audit


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="What to write. [default: by the suffix of --output, or table]",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, and not to standard output.")
@click.option(
    "--claims",
    "claims_path",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Claim lines to join to the notes by patient and date: .csv, .tsv, .xlsx, or X12 837P or 837I.",
)
@_payer_option
@_config_option
@_jobs_option
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="SCORE",
    help="Exit with 1 when a note scores less. No-shows, screenings and other contacts do not count.",
)
@click.option("--no-preview", is_flag=True, help="Leave out rules whose precision is not yet proven.")
@_model_option
@click.pass_context
def audit(
    ctx: click.Context,
    paths: tuple[str, ...],
    format_name: str | None,
    output: str | None,
    claims_path: str | None,
    payer: str | None,
    config: Path | None,
    jobs: int,
    fail_under: float | None,
    no_preview: bool,
    model: "ModelChoice",
) -> None:
    """Audit the notes in files and folders, or - for standard input.

    Reads .txt, .md, .docx, .csv, .tsv, .xlsx, .jsonl, .parquet and FHIR (.json, .ndjson).

    \b
    Exit status
      0  done
      1  done, and a note scores less than --fail-under
      2  wrong usage; nothing was audited
      3  some notes or claim lines could not be read; the others were audited
    """
    target = _output_path(ctx, output, [*paths, claims_path] if claims_path else paths)
    chosen = _choose_format(ctx, format_name, target)
    _check_inputs(ctx, paths)

    from analyzer.engine import Analyzer
    from analyzer.readers import read_notes
    from analyzer.report import write

    tally = _Tally(fail_under)
    claims = _read_claims(ctx, claims_path)
    records: Iterable[Note | Failure] = read_notes(paths)
    left_out = {target: "the output"} if target is not None else {}
    if claims_path is not None:
        left_out[Path(claims_path)] = "the claims file"
    if left_out:
        records = _leave_out(records, left_out)
    match = None
    if claims is not None:
        from analyzer.claims import join_claims

        records, match = join_claims(records, claims)
    results = _analyze(
        Analyzer.load(preview=not no_preview, payer=payer, config=config, model=model).analyze_all,
        records,
        jobs=jobs,
        is_shown=target is not None or chosen not in _STREAMED or not sys.stdout.isatty(),
    )
    everything = chain(results, claims.failures if claims else ())
    _write(lambda to: write(tally.watch(everything), chosen, to, claims=match), target)
    tally.report(with_details=target is not None or chosen != "table")
    if match is not None:
        _report_match(match)
    if target is not None:
        _say(f"Wrote {target} ({_count(tally.notes, 'note')}).")
    ctx.exit(tally.exit_status)


def _output_path(ctx: click.Context, output: str | None, paths: Sequence[str]) -> Path | None:
    if output is None or output == _STDIN:
        return None
    target = Path(output)
    if target.is_dir():
        raise click.BadParameter(f"'{target}' is a folder; give the name of a file.", ctx, param_hint="--output")
    if not target.parent.is_dir():
        raise click.BadParameter(f"there is no folder '{target.parent}'.", ctx, param_hint="--output")
    if any(path != _STDIN and _is_same_file(Path(path), target) for path in paths):
        raise click.BadParameter(f"'{target}' is also to be read; it would be lost.", ctx, param_hint="--output")
    return target


def _choose_format(ctx: click.Context, format_name: str | None, target: Path | None) -> str:
    if format_name is None:
        format_name = "table" if target is None else _SUFFIXES.get(target.suffix.lower())
    if format_name is None:
        problem = f"the name says no format; end it in one of {', '.join(_SUFFIXES)}, or give --format."
        raise click.BadParameter(problem, ctx, param_hint="--output")
    if format_name == "xlsx" and target is None and sys.stdout.isatty():
        raise click.UsageError("A workbook cannot be shown on a terminal; give --output FILE.xlsx.", ctx)
    return format_name


def _check_inputs(ctx: click.Context, paths: Sequence[str]) -> None:
    """Refuse paths of which none exists; one that is missing among others is a failure in its place."""
    if paths.count(_STDIN) > 1:
        raise click.UsageError("Standard input (-) can be read only once.", ctx)
    if not any(path == _STDIN or _exists(Path(path)) for path in paths):
        missing = ", ".join(f"'{_clean(path)}'" for path in paths)
        raise click.UsageError(f"There is no such file or folder: {missing}.", ctx)
    if _STDIN in paths and sys.stdin.isatty():
        _say("Type or paste a note, then press Ctrl-D on a line of its own (Ctrl-Z and Enter on Windows).")


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the path
        return False
    except OSError:  # it is there, and the reader says why it cannot be read
        return True
    return True


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return False


def _leave_out(records: Iterable[Note | Failure], others: Mapping[Path, str]) -> Iterator[Note | Failure]:
    """Skip files inside a folder that is audited which hold no notes: an earlier run's output, the claims."""
    is_other: dict[str, bool] = {}
    for record in records:
        file = record.origin.file if record.origin else ""
        if file not in is_other:
            what = next((what for path, what in others.items() if _is_same_file(Path(file), path)), None)
            is_other[file] = what is not None
            if what is not None:
                _say(f"Left out {file}, which is {what}.")
        if not is_other[file]:
            yield record


def _read_claims(ctx: click.Context, path: str | None) -> "ClaimsFile | None":
    if path is None:
        return None
    from analyzer.claims import read_claims

    try:
        return read_claims(path)
    except NoteError as error:
        field = f", field {error.field}" if error.field else ""
        raise click.BadParameter(f"'{_clean(path)}'{field}: {error}.", ctx, param_hint="--claims") from error


def _report_match(match: ClaimsMatch) -> None:
    """Say on standard error how much of the claims file belongs to the notes, and what does not."""
    lines = f"{_count(match.matched_lines, 'line')} of {match.lines:,} joined"
    _say(f"Claims: {lines} to {match.matched_notes:,} of {_count(match.notes, 'note')}.")
    for remark in match.remarks:
        _say(f"  {remark}")
    _list("claim line", "note", [f"{line.billed.origin}: {line.reason}" for line in match.unmatched_lines])
    _list("note", "claim line", [f"{note.origin or 'a note'}: {note.reason}" for note in match.unmatched_notes])


def _list(noun: str, missing: str, entries: Sequence[str]) -> None:
    if entries:
        _say(f"{_count(len(entries), noun)} without a {missing}:")
    for entry in entries[:_SHOWN_FAILURES]:
        _say(f"  {entry}")
    if len(entries) > _SHOWN_FAILURES:
        _say(f"  and {len(entries) - _SHOWN_FAILURES:,} more")


class _Tally:
    """Counts the results that pass by, and knows the exit status that they add up to."""

    def __init__(self, fail_under: float | None = None) -> None:
        self.notes = 0
        self._judged = 0
        self._fail_under = fail_under
        self._below = 0
        self._failures = 0
        self._shown: list[Failure] = []
        self._charge: float | None = None
        self._at_risk = 0.0

    def watch(self, results: Iterable[Result]) -> Iterator[Result]:
        """Hand the results through and count them."""
        from analyzer.report.money import note_money

        for result in results:
            if isinstance(result, Failure):
                self._failures += 1
                if len(self._shown) < _SHOWN_FAILURES:
                    self._shown.append(result)
            else:
                self.notes += 1
                if money := note_money(result):
                    self._charge = (self._charge or 0.0) + money.charge
                    self._at_risk += money.at_risk
                # A missed visit holds no evidence of treatment, and should not stop a batch for it.
                self._judged += result.is_judged
                self._below += self._fail_under is not None and result.is_judged and result.score < self._fail_under
            yield result

    def report(self, *, with_details: bool) -> None:
        """Say on standard error what the exit status comes from."""
        if self._failures:
            _say(f"{_count(self._failures, 'record')} could not be read{':' if with_details else '.'}")
        if with_details:
            for failure in self._shown:
                _say(f"  {_describe(failure)}")
            if self._failures > len(self._shown):
                _say(f"  and {self._failures - len(self._shown):,} more")
        if self._charge is not None and with_details:
            from analyzer.report.money import dollars
            from analyzer.report.words import load_words

            _say(f"Charges: {dollars(self._charge)}, {dollars(self._at_risk)} of it at risk. {load_words().money}")
        if self._below and self._fail_under is not None:
            _say(f"{self._below:,} of {_count(self._judged, 'judged note')} scored less than {self._fail_under:g}.")

    @property
    def exit_status(self) -> int:
        """The exit status of the contract; unread notes weigh more than low scores."""
        if self._failures:
            return _UNREAD
        return _BELOW if self._below else 0


def _describe(failure: Failure) -> str:
    place = [str(failure.origin)] if failure.origin else []
    place += [f"field {failure.field}"] if failure.field else []
    return f"{', '.join(place) or 'unknown place'}: {failure.message}"


def _analyze(
    analyze_all: Callable[..., Iterator[Result]], records: Iterable[Note | Failure], *, jobs: int, is_shown: bool
) -> Iterator[Result]:
    """Analyse, with a progress bar where standard error is a terminal that can draw one."""
    if not (is_shown and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"):
        yield from analyze_all(records, jobs=jobs)
        return

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    source = iter(records)
    ahead = list(islice(source, _READ_AHEAD))
    total = len(ahead) if len(ahead) < _READ_AHEAD else None
    columns = (TextColumn("Auditing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        for result in analyze_all(chain(ahead, source), jobs=jobs):
            yield result
            progress.advance(task)


def _write(write: Callable[[Any], None], target: Path | None) -> None:
    """Write to standard output, or to a file that is complete or is not there."""
    if target is None:
        write(sys.stdout)
        return
    real = target.resolve()
    is_replaced = real.is_file() or not real.exists()  # a device or a pipe cannot be
    partial = real.with_name(f".{real.name}.{os.getpid()}.tmp") if is_replaced else real
    try:
        write(partial)
        if is_replaced:
            partial.replace(real)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _Failed(f"{target} cannot be written: {_reason(error)}.", _USAGE) from error
    finally:
        if is_replaced:
            partial.unlink(missing_ok=True)


# rules, explain


@cli.command()
@click.option("--family", metavar="ABC", help="Only this family: the three letters that codes begin with.")
@click.option("--level", type=click.Choice([level.value for level in Level]), help="Only findings of this level.")
@click.option("--payer", metavar="NAME", help="Only rules that run for this payer, with the level they have there.")
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Only rules that hold on this date of service.",
)
@_config_option
@click.option(
    "--format", "format_name", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True
)
@click.pass_context
def rules(
    ctx: click.Context,
    family: str | None,
    level: str | None,
    payer: str | None,
    day: datetime | None,
    config: Path | None,
    format_name: str,
) -> None:
    """List the rules: what the findings in a report complain about."""
    from analyzer.catalogue import rule_record, rules_page
    from analyzer.policy import load_policies
    from analyzer.rules import RULES

    families = sorted({rule.family for rule in RULES})
    if family is not None and family.upper() not in families:
        raise click.BadParameter(f"'{family}' is none of {', '.join(families)}.", ctx, param_hint="--family")
    policies = load_policies(payer=payer, config=config)
    pack = policies.pack_of(None)[0] if payer is not None or config is not None else None
    levels = {rule.code: rule.level if pack is None else policies.level(rule, pack) for rule in RULES}
    chosen = [
        replace(rule, level=found)
        for rule in RULES
        if (found := levels[rule.code]) is not None
        and (family is None or rule.family == family.upper())
        and (level is None or found == level)
        and (day is None or rule.is_in_force(day.date()))
    ]
    if format_name == "json":
        click.echo(json.dumps([rule_record(rule, rule.level) for rule in chosen], ensure_ascii=False, indent=2))
    elif format_name == "markdown":
        click.echo(rules_page(chosen, policies), nl=False)
    else:
        _print_rules(chosen)


def _print_rules(chosen: "Sequence[Rule]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Code", no_wrap=True)
    table.add_column("Level", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Complaint")
    for rule in chosen:
        table.add_row(rule.code, rule.level.value, rule.status.value, Text(rule.title))
    Console(file=sys.stdout, markup=False, highlight=False, emoji=False).print(table)
    click.echo("One rule in full: cuewise explain CODE")


@cli.command()
@click.argument("code")
@click.pass_context
def explain(ctx: click.Context, code: str) -> None:
    """Explain one rule: its reason, its sources, and notes on which it speaks and stays silent."""
    from analyzer.lexicon import load_lexicons
    from analyzer.rules import RETIRED, RULES

    wanted = code.strip()
    rule = next((rule for rule in RULES if wanted.upper() == rule.code or wanted.lower() == rule.name), None)
    if rule is None and wanted.upper() in RETIRED:
        raise click.UsageError(f"{wanted.upper()} is retired: {RETIRED[wanted.upper()]}", ctx)
    if rule is None:
        raise click.UsageError(f"There is no rule '{_clean(wanted)}'. {_suggest(wanted, RULES)}", ctx)
    sources = load_lexicons().sources
    _print_rule(rule, [sources[source] for source in rule.sources])


def _suggest(wanted: str, known: "Sequence[Rule]") -> str:
    from difflib import get_close_matches

    families = {rule.family for rule in known}
    if wanted.upper() in families:
        return f"The rules of that family: cuewise rules --family {wanted.upper()}"
    codes = get_close_matches(wanted.upper(), [rule.code for rule in known], n=3, cutoff=0.5)
    names = get_close_matches(wanted.lower(), [rule.name for rule in known], n=3, cutoff=0.6)
    found = [*codes, *names]
    return f"Did you mean {', '.join(found)}?" if found else "All of them: cuewise rules"


class _Page:
    """Prints headings and indented paragraphs as wide as the terminal, what stands in ``[[ ]]`` marked."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)

    def show(self, text: str, indent: int = 2, style: str = "") -> None:
        """Print lines, each wrapped to the width."""
        from rich.text import Text

        for line in text.splitlines() or [""]:
            margin = " " * indent
            width = max(20, self._console.width)
            for part in textwrap.wrap(
                line,
                width,
                initial_indent=margin,
                subsequent_indent=margin,
                break_on_hyphens=False,
                break_long_words=False,
            ) or [""]:
                self._console.print(_mark(Text(part, style=style)), soft_wrap=True)

    def head(self, title: str) -> None:
        """Print a heading after an empty line."""
        from rich.text import Text

        self._console.print()
        self._console.print(Text(title, style="bold"))


def _print_rule(rule: "Rule", sources: "Sequence[Source]") -> None:
    from analyzer.catalogue import PROVENANCE, describe_dates, mark_example

    page = _Page()
    show, head = page.show, page.head
    show(f"{rule.code}  {rule.name}", 0, "bold")
    show(rule.title, 0)
    preview = " (precision not yet proven; left out with --no-preview)" if rule.status is Status.PREVIEW else ""
    show(f"Level {rule.level.value}, {rule.status.value}{preview}, since {rule.since}.", 0)
    payers = f"Payers: {', '.join(rule.payers)}, and those that extend them." if rule.payers else "Every payer."
    dates = describe_dates(rule)
    show(f"{payers} {f'Dates of service {dates}.' if dates else ''}".rstrip(), 0)
    head("Why")
    show(rule.why)
    head("Sources")
    for source in sources:
        show(source.title)
        show(f"{source.publisher}. Section: {source.section}. Effective: {source.effective}.", 4)
        show(f"Read {source.read} ({PROVENANCE.get(source.certainty, source.certainty)}).", 4)
        show(source.address, 4)
    head("Speaks of the words in [[ ]]")
    for index, example in enumerate(rule.fires):
        show(("\n" if index else "") + mark_example(example))
    head("Stays silent on")
    for index, example in enumerate(rule.silent):
        show(("\n" if index else "") + mark_example(example))
    head("Known limits")
    show(rule.known_limits)


def _mark(line: "Text") -> "Text":
    line.highlight_regex(r"\[\[.*?(\]\]|$)", "reverse")
    return line


# icd


@cli.command()
@click.argument("query", metavar="CODE|TEXT")
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The date of service. [default: the newest release]",
)
@click.option("--format", "format_name", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def icd(ctx: click.Context, query: str, day: datetime | None, format_name: str) -> None:
    """Look up an ICD-10-CM code on a date of service, or suggest codes for a text.

    What looks like a code, also a misspelled one, is looked up; anything else is read as the text of a note. Text on
    standard input is named by -.

    \b
    Exit status
      0  the code is valid on the date; or the text was read, whether or not it supports a code
      1  the code is not valid on the date
      2  wrong usage
      3  the text could not be read
    """
    from analyzer.icd10.catalogue import looks_like_code

    if query == _STDIN:
        query = _read_stdin(ctx)
    if not query.strip():
        raise click.UsageError("Give a code, or the text of a note.", ctx)
    service = day.date() if day else None
    if looks_like_code(query):
        ctx.exit(_look_up(query, service, format_name))
    _suggest_codes(query, service, format_name)


def _read_stdin(ctx: click.Context) -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError("The text on standard input is not UTF-8.", ctx) from error


def _look_up(typed: str, day: date | None, format_name: str) -> int:
    from analyzer.icd10.catalogue import Standing, load_catalogue
    from analyzer.icd10.record import to_code_record

    catalogue = load_catalogue()
    checked = catalogue.check(typed.strip(), day)
    if format_name == "json":
        click.echo(json.dumps(to_code_record(checked, catalogue, day), ensure_ascii=False, indent=2))
    else:
        _print_code(checked, catalogue, day)
    return 0 if checked.standing is Standing.VALID else _NOT_VALID


def _excluded(
    code: str, find: "Callable[[str, str], Exclusion | None]", catalogue: "Catalogue"
) -> "list[tuple[str, Exclusion]]":
    """Return the other codes of the field that a code excludes, each with the note that says so."""
    return [(other, exclusion) for other in catalogue.slp if (exclusion := find(code, other)) is not None]


def _title_of(code: str, catalogue: "Catalogue") -> str:
    known = catalogue.get(code)
    return known.title if known else ""


_STANDINGS = {"valid": "Valid", "not_valid_on_date": "Not valid", "not_billable": "Not billable"}


def _print_code(checked: "Checked", catalogue: "Catalogue", day: date | None) -> None:
    page = _Page()
    code = catalogue.get(checked.code)
    title = checked.title if code is None else _shown_title(checked.title)
    page.show(f"{checked.code}  {title}".rstrip(), 0, "bold")
    when = f"on {day}" if day else f"in {catalogue.release}, the newest release"
    standing = f"{_STANDINGS[checked.standing]} {when}." if checked.standing in _STANDINGS else ""
    page.show(f"{standing} {checked.advice}".strip(), 0)
    if code is not None:
        page.show(_describe_windows(code, catalogue), 0)
    if checked.successors:
        page.head("Consider instead")
        for offer in checked.successors:
            page.show(f"{offer}  {_shown_title(_title_of(offer, catalogue))}")
    if code is None:
        return
    for title, paragraphs in (
        ("When to use it", (code.conditions, code.remarks)),
        ("Code first", code.code_first.split(" | ")),
        ("Use additional code", code.use_additional.split(" | ")),
        ("Code also", code.code_also.split(" | ")),
    ):
        if any(paragraphs):
            page.head(title)
            for paragraph in filter(None, paragraphs):
                page.show(paragraph)
    first = _excluded(code.code, catalogue.excludes1, catalogue)
    second = _excluded(code.code, catalogue.excludes2, catalogue)
    _print_exclusions(page, "Excludes1: not together, unless clearly unrelated", first)
    _print_exclusions(page, "Excludes2: not the same, both may be reported", second)


def _print_exclusions(page: _Page, title: str, pairs: "Iterable[tuple[str, Exclusion]]") -> None:
    by_note: dict[tuple[str, str], list[str]] = {}
    for other, exclusion in pairs:
        by_note.setdefault((exclusion.sits_at, exclusion.note), []).append(other)
    if by_note:
        page.head(title)
    for (sits_at, note), others in by_note.items():
        page.show(f"[{sits_at}] {note}")
        page.show(", ".join(others), 4)


def _shown_title(title: str) -> str:
    return title or "(title not available)"


def _describe_windows(code: "Code", catalogue: "Catalogue") -> str:
    covered = f"{catalogue.first_day} to {catalogue.last_day}"
    if not code.windows:
        return f"Complete code: never ({covered}). It is a category."
    parts = []
    for start, end in code.windows:
        since = "" if start <= catalogue.first_day else f"from {start}"
        until = f"until {end}" if end else ""
        parts.append(" ".join(filter(None, (since, until))) or f"on every day that is covered ({covered})")
    return f"Complete code: {', '.join(parts)}."


def _suggest_codes(text: str, day: date | None, format_name: str) -> None:
    from analyzer.engine import Analyzer
    from analyzer.report import to_record

    report = Analyzer.load().analyze(Note(text, date_of_service=day))
    reason = next((check.reason for check in report.not_run if check.check == "icd10"), None)
    if reason is not None:
        raise _Failed(reason, _USAGE)
    if format_name == "json":
        record = to_record(report)
        chosen = {key: record[key] for key in ("icd10", "versions")}
        click.echo(json.dumps(chosen, ensure_ascii=False, indent=2))
        return
    if not report.icd10:
        click.echo("No code is supported by this text.")
        return
    page = _Page()
    for number, suggestion in enumerate(report.icd10):
        if not suggestion.is_likely and (number == 0 or report.icd10[number - 1].is_likely):
            page.head("Less certain: look before any of these is used")
        probability = "" if suggestion.probability is None else f"  {suggestion.probability:.0%}"
        category = "" if suggestion.billable else "  (a category: not billable)"
        page.show(f"{suggestion.code}{probability}  {_shown_title(suggestion.title)}{category}", 0, "bold")
        for start, end in suggestion.evidence:
            page.show(f"[[{_clean(text[start:end])}]]")
        if suggestion.advice:
            page.show(suggestion.advice)


# serve, token, audit-log


_settings_option = click.option(
    "--settings",
    "settings_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The service's settings, in TOML; CUEWISE_* variables win over it. [default: CUEWISE_SETTINGS]",
)


def _service_settings(path: Path | None, **changes: Any) -> "Settings":
    try:
        from api.settings import load_settings
    except ImportError as error:
        raise _no_service(error) from error
    return load_settings(path, **changes)


def _no_service(error: ImportError) -> _Failed:
    return _Failed(
        f"The service needs a package that is not installed: {error.name}. Try: pip install 'cuewise[service]'", _USAGE
    )


@contextmanager
def _service_database(path: Path | None) -> "Iterator[Database]":
    """Open the service's database, with its tables as they are now."""
    settings = _service_settings(path)
    try:
        from sqlalchemy.exc import SQLAlchemyError

        from api.database import Database
        from api.migrations import upgrade
    except ImportError as error:
        raise _no_service(error) from error
    try:
        database = Database(settings.resolved_database_url)
    except ValueError as error:
        raise _Failed(f"The service's settings: {error}.", _USAGE) from error
    try:
        upgrade(database)
        yield database
    except SQLAlchemyError as error:  # its message may hold the address
        raise _Failed(f"The service's database cannot be used: {type(error).__name__}.", _USAGE) from error
    finally:
        database.close()


@cli.command()
@click.option("--host", metavar="ADDRESS", help="Where to listen. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), metavar="N", help="[default: 8000; 0 takes a free one]")
@click.option(
    "--workers", type=click.IntRange(min=0), metavar="N", help="Processes that work off batches. [default: 1]"
)
@click.option(
    "--model", type=click.Choice(["auto", "encoder", "lexicons"]), help="What reads the notes. [default: auto]"
)
@_settings_option
def serve(
    host: str | None, port: int | None, workers: int | None, model: str | None, settings_path: Path | None
) -> None:
    """Serve the API, CDS Hooks and the reviewer's pages, until Ctrl-C.

    Without any API token (cuewise token create) it listens on a loopback address only. Its log, one JSON object a line
    in a pipe, goes to standard error and holds nothing of a note.
    """
    settings = _service_settings(settings_path, host=host, port=port, batch_workers=workers, model=model)
    try:
        from api.serve import serve as run
    except ImportError as error:
        raise _no_service(error) from error
    try:
        run(settings)
    except ValueError as error:
        raise _Failed(f"The service cannot start: {error}.", _USAGE) from error


@cli.group()
def token() -> None:
    """Make, list and revoke API tokens: what callers of the service show."""


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["analyze", "batch", "read", "admin"]),
    help="What the token is for; may be repeated. admin may do everything.",
)
@click.option("--days", type=click.IntRange(min=1, max=36_500), metavar="N", help="Void after N days. [default: never]")
@_settings_option
def token_create(name: str, scopes: tuple[str, ...], days: int | None, settings_path: Path | None) -> None:
    """Make a token for NAME and print it. It is shown this once; only its hash is kept."""
    with _service_database(settings_path) as database:
        from api.auth import Tokens

        try:
            made = Tokens(database).create(name, scopes, days=days)
        except ValueError as error:
            raise click.UsageError(f"The token cannot be made: {error}.") from error
    click.echo(made)
    _say("Keep it now: it cannot be shown again.")


@token.command("list")
@click.option("--format", "format_name", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_settings_option
def token_list(format_name: str, settings_path: Path | None) -> None:
    """List the tokens on record, without their secrets."""
    with _service_database(settings_path) as database:
        from api.auth import Tokens

        tokens = Tokens(database).all()
    records = [
        {
            "id": each.id,
            "name": each.name,
            "scopes": each.scopes.split(),
            "created": each.created_at.isoformat(timespec="seconds"),
            "expires": each.expires_at.isoformat(timespec="seconds") if each.expires_at else None,
            "revoked": each.revoked_at.isoformat(timespec="seconds") if each.revoked_at else None,
        }
        for each in tokens
    ]
    if format_name == "json":
        click.echo(json.dumps(records, ensure_ascii=False, indent=2))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("Id", "Name", "Scopes", "Created", "Expires", "Revoked"):
        table.add_column(column, no_wrap=column == "Id")
    for record in records:
        cells = (" ".join(cell) if isinstance(cell, list) else str(cell or "") for cell in record.values())
        table.add_row(*cells)
    Console(file=sys.stdout, markup=False, highlight=False, emoji=False).print(table)


@token.command("revoke")
@click.argument("named", metavar="ID|NAME")
@_settings_option
def token_revoke(named: str, settings_path: Path | None) -> None:
    """Make a token void at once. It stays on record, for the audit trail."""
    with _service_database(settings_path) as database:
        from api.auth import Tokens

        try:
            revoked = Tokens(database).revoke(named)
        except LookupError as error:
            raise click.UsageError("There is no token of that id or name: cuewise token list") from error
    _say(f"Revoked {revoked.name}.")


@cli.group("audit-log")
def audit_log() -> None:
    """Look after the service's audit trail: who asked what, about which ids, by which versions."""


@audit_log.command("verify")
@click.option("--head", metavar="HASH", help="A head that was noted earlier, which must be part of the chain still.")
@_settings_option
@click.pass_context
def audit_log_verify(ctx: click.Context, head: str | None, settings_path: Path | None) -> None:
    """Follow the chain of hashes from its beginning, and print its head.

    Note the head somewhere else from time to time: entries that are cut off at the end show only against it.

    \b
    Exit status
      0  the trail is whole
      1  an entry was changed, removed or put in; or the head that was given is not in the chain
      2  wrong usage
    """
    if head is not None and not re.fullmatch("[0-9a-fA-F]{64}", head):
        raise click.BadParameter("a head is 64 hexadecimal digits.", ctx, param_hint="--head")
    with _service_database(settings_path) as database:
        from api.audit import AuditTrail

        trail = AuditTrail(database)
        try:
            verified = trail.verify(head.lower() if head else None)
        finally:
            trail.close()
    click.echo(f"{verified.entries} {verified.head}")
    if verified.broken_at is not None:
        _say(f"The trail is broken at entry {verified.broken_at:,}: it, or the one before it, is not what was written.")
    elif not verified.is_head_known:
        _say("The head that was given is not in the chain: entries were cut off or written anew.")
    else:
        _say(f"The trail is whole; its entries number {verified.entries:,}.")
    if not verified.is_whole:
        ctx.exit(_NOT_WHOLE)


# evaluate


@cli.command()
@click.argument("reference", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="REFERENCE.jsonl")
@click.option(
    "--json",
    "json_output",
    metavar="FILE",
    help="Write the figures as JSON too; - writes only that, to standard output.",
)
@_jobs_option
@_model_option
@click.pass_context
def evaluate(ctx: click.Context, reference: Path, json_output: str | None, jobs: int, model: "ModelChoice") -> None:
    """Measure the installed analyzer against a reference set.

    Each line of the reference holds a note (id, text) and what annotators found in it (segments, and where they judged
    them kind, verdict, score, icd10).
    """
    if reference.suffix.lower() not in (".jsonl", ".ndjson"):
        raise click.UsageError("A reference set is JSON Lines, in a file that ends in .jsonl.", ctx)
    target = _output_path(ctx, json_output, [str(reference)])

    from analyzer.engine import Analyzer
    from analyzer.evaluate import evaluate as measure
    from analyzer.evaluate import hide_annotations, read_reference
    from analyzer.readers import read_notes
    from analyzer.report import to_record

    gold = read_reference(reference)
    tally = _Tally()
    records = _name_file(read_notes([_STDIN], stdin=BytesIO(hide_annotations(reference))), str(reference))
    results = _analyze(Analyzer.load(model=model).analyze_all, records, jobs=jobs, is_shown=True)
    predictions = [to_record(result) for result in tally.watch(results)]
    metrics = measure(gold, predictions)
    figures = json.dumps(metrics.to_dict(), indent=1, allow_nan=False) + "\n"
    if json_output == _STDIN:
        click.echo(figures, nl=False)
    else:
        for line in _figure_lines(metrics):
            click.echo(line)
    if target is not None:
        _write(lambda path: path.write_text(figures, encoding="utf-8"), target)
        _say(f"Wrote {target}.")
    tally.report(with_details=True)
    ctx.exit(tally.exit_status)


def _name_file(records: Iterable[Note | Failure], file: str) -> Iterator[Note | Failure]:
    for record in records:
        yield replace(record, origin=Origin(file, record.origin.row if record.origin else None))


def _figure_lines(metrics: "Metrics") -> Iterator[str]:
    yield f"{'label':<13} {'P':>6} {'R':>6} {'F1':>6} {'n':>6}"
    for label, row in metrics.labels.items():
        yield f"{label:<13} {row.precision:>6.3f} {row.recall:>6.3f} {row.f1:>6.3f} {row.support:>6}"
    yield ""
    for name, value in metrics.to_dict().items():
        if isinstance(value, float):
            yield f"{name:<28} {value:.3f}"
        elif isinstance(value, int):
            yield f"{name:<28} {value}"
        elif value is None:
            yield f"{name:<28} -"
    yield f"{'icd_counts':<28} " + ", ".join(
        f"{name} {count}" for name, count in metrics.to_dict()["icd_counts"].items()
    )


# train


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def train(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Rebuild the encoder from training_data/, in a checkout of Cuewise.

    Needs the train extra. `cuewise train --help` lists the options.
    """
    if not Path("training_data", "train.py").is_file():
        raise click.UsageError("There is no training_data/ here; run this at the top of a checkout of Cuewise.", ctx)
    command = [sys.executable, "-m", "training_data.train", *arguments]
    ctx.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - our own module, the user's arguments


if __name__ == "__main__":
    main()
