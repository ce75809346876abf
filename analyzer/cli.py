"""The command line. The only module that prints: data to standard output, everything else to standard error.

What a command needs of the analyzer it imports itself, so that ``cuewise --help`` does not wait for it.
"""

import json
import os
import subprocess
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzer.errors import AnalyzerError, NoteError
from analyzer.types import Failure, Level, Note, Origin, Result, Status

if TYPE_CHECKING:
    from analyzer.engine import ModelChoice
    from analyzer.evaluate import Metrics
    from analyzer.lexicon import Source
    from analyzer.rules.rule import Example, Rule

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
_INTERNAL, _INTERRUPTED, _PIPE_CLOSED = 70, 130, 141

_SHOWN_FAILURES = 10
_READ_AHEAD = 20_000  # records held to know how long the work is; beyond, the progress bar counts without an end
_PROVENANCE = {
    "P": "primary source",
    "P-old": "primary source, in an older revision",
    "S": "secondary source",
    "G": "general knowledge of the field",
}


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
      3  some notes could not be read; the others were audited
    """
    target = _output_path(ctx, output, paths)
    chosen = _choose_format(ctx, format_name, target)
    _check_inputs(ctx, paths)

    from analyzer.engine import Analyzer
    from analyzer.readers import read_notes
    from analyzer.report import write

    tally = _Tally(fail_under)
    records = read_notes(paths)
    if target is not None:
        records = _leave_out(records, target)
    results = _analyze(
        Analyzer.load(preview=not no_preview, model=model).analyze_all,
        records,
        jobs=jobs,
        is_shown=target is not None or chosen not in _STREAMED or not sys.stdout.isatty(),
    )
    _write(lambda to: write(tally.watch(results), chosen, to), target)
    tally.report(with_details=target is not None or chosen != "table")
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


def _leave_out(records: Iterable[Note | Failure], target: Path) -> Iterator[Note | Failure]:
    """Skip what an earlier run left at the place of the output, inside a folder that is audited."""
    is_output: dict[str, bool] = {}
    for record in records:
        file = record.origin.file if record.origin else ""
        if file not in is_output:
            is_output[file] = _is_same_file(Path(file), target)
            if is_output[file]:
                _say(f"Left out {file}, which is the output.")
        if not is_output[file]:
            yield record


class _Tally:
    """Counts the results that pass by, and knows the exit status that they add up to."""

    def __init__(self, fail_under: float | None = None) -> None:
        self.notes = 0
        self._judged = 0
        self._fail_under = fail_under
        self._below = 0
        self._failures = 0
        self._shown: list[Failure] = []

    def watch(self, results: Iterable[Result]) -> Iterator[Result]:
        """Hand the results through and count them."""
        for result in results:
            if isinstance(result, Failure):
                self._failures += 1
                if len(self._shown) < _SHOWN_FAILURES:
                    self._shown.append(result)
            else:
                self.notes += 1
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
@click.option("--format", "format_name", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def rules(ctx: click.Context, family: str | None, level: str | None, format_name: str) -> None:
    """List the rules: what the findings in a report complain about."""
    from analyzer.rules import RULES

    families = sorted({rule.family for rule in RULES})
    if family is not None and family.upper() not in families:
        raise click.BadParameter(f"'{family}' is none of {', '.join(families)}.", ctx, param_hint="--family")
    chosen = [
        rule
        for rule in RULES
        if (family is None or rule.family == family.upper()) and (level is None or rule.level == level)
    ]
    if format_name == "json":
        click.echo(json.dumps([_rule_record(rule) for rule in chosen], ensure_ascii=False, indent=2))
    else:
        _print_rules(chosen)


def _rule_record(rule: "Rule") -> dict[str, object]:
    return {
        "code": rule.code,
        "name": rule.name,
        "family": rule.family,
        "level": rule.level.value,
        "status": rule.status.value,
        "since": rule.since,
        "title": rule.title,
        "why": rule.why,
        "sources": list(rule.sources),
        "known_limits": rule.known_limits,
    }


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


def _print_rule(rule: "Rule", sources: "Sequence[Source]") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)

    def show(text: str, indent: int = 2, style: str = "") -> None:
        for line in text.splitlines() or [""]:
            margin = " " * indent
            width = max(20, console.width)
            for part in textwrap.wrap(
                line,
                width,
                initial_indent=margin,
                subsequent_indent=margin,
                break_on_hyphens=False,
                break_long_words=False,
            ) or [""]:
                console.print(_mark(Text(part, style=style)), soft_wrap=True)

    def head(title: str) -> None:
        console.print()
        console.print(Text(title, style="bold"))

    show(f"{rule.code}  {rule.name}", 0, "bold")
    show(rule.title, 0)
    preview = " (precision not yet proven; left out with --no-preview)" if rule.status is Status.PREVIEW else ""
    show(f"Level {rule.level.value}, {rule.status.value}{preview}, since {rule.since}.", 0)
    head("Why")
    show(rule.why)
    head("Sources")
    for source in sources:
        show(source.title)
        show(f"{source.publisher}. Section: {source.section}. Effective: {source.effective}.", 4)
        show(f"Read {source.read} ({_PROVENANCE.get(source.certainty, source.certainty)}).", 4)
        show(source.address, 4)
    head("Speaks of the words in [[ ]]")
    for index, example in enumerate(rule.fires):
        show(("\n" if index else "") + _example_text(example))
    head("Stays silent on")
    for index, example in enumerate(rule.silent):
        show(("\n" if index else "") + _example_text(example))
    head("Known limits")
    show(rule.known_limits)


def _mark(line: Any) -> Any:
    line.highlight_regex(r"\[\[.*?(\]\]|$)", "reverse")
    return line


def _example_text(example: "Example") -> str:
    """Return the text of an example with its marks, and the fields of the note that are set."""
    text, parts, position = example.note.text, [], 0
    if example.spans == ((0, len(text)),):
        parts.append(f"(the whole note) {text}")
        position = len(text)
    else:
        for start, end in sorted(example.spans):
            parts += [text[position:start], "[[", text[start:end], "]]"]
            position = end
    parts.append(text[position:])
    fields = [f"{name}: {value}" for name in ("cpt", "minutes", "setting") if (value := getattr(example.note, name))]
    return "".join(parts) + (f"\n({', '.join(fields)})" if fields else "")


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
