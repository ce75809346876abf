"""Cuewise side by side with spaCy, medspaCy and EDS-NLP on the same notes: ``python tests/benchmarks/run.py``.

Figures are printed and never asserted. Each system runs in a process of its own that loads once; rounds alternate
between the systems, so that drift of the machine hits all alike. medspaCy and EDS-NLP get environments of their own
under ``.venv-bench/``, made on first use; where that fails the run says so and goes on without them.

This process imports the standard library only: Linux counts the memory of the process that starts a worker into the
worker's peak.
"""

import argparse
import csv
import hashlib
import json
import os
import platform
import queue
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_LONGEST = 100_000  # Analyzer.load's limit
_LIMIT_S = 20.0  # what one text of the length table may take


@dataclass(frozen=True)
class Contender:
    """A system, how it is shown, and the environment that it needs (none: the one that runs this file)."""

    key: str
    title: str
    environment: str | None = None


CONTENDERS = (
    Contender("cuewise", "Cuewise"),
    Contender("cuewise-lexicons", "Cuewise, lexicons alone"),
    Contender("sentences", "its encoder by the sentence"),
    Contender("spacy", "spaCy sentencizer + ruler"),
    Contender("medspacy", "medspaCy (PyRuSH)", "medspacy"),
    Contender("edsnlp", "EDS-NLP", "edsnlp"),
    Contender("medspacy-sentencizer", "medspaCy (sentencizer)", "medspacy"),
)
_HOSTILE = ("a", "min ", "1/2 ", "[ ] ", ", ", "80% ", "cues ", "no ", "(", '"', "- ", "1. ", "x10 ", ". ", "a\n", "é")


class WorkerError(Exception):
    """A worker could not do what it was told; the message says why."""


class Worker:
    """A worker process; ends with its ``with`` block."""

    def __init__(self, python: str) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed in __exit__
        environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [python, str(_HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
            env=environment,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def ask(self, do: str, *, timeout_s: float = 900, **more: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            self.__exit__()
            raise WorkerError(f"over {timeout_s:g} s") from None
        except OSError:
            line = ""
        if not line:
            self.__exit__()
            raise WorkerError("the worker ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def is_alive(self) -> bool:
        """Whether it can be asked again."""
        return self._process.poll() is None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


@dataclass
class Figures:
    """What was measured of one system."""

    contender: Contender
    python: str
    load_s: list[float] = field(default_factory=list)
    notes_per_s: list[float] = field(default_factory=list)
    notes_per_cpu_s: list[float] = field(default_factory=list)
    versus_cuewise: list[float] = field(default_factory=list)
    found_per_note: float = 0.0
    latency_s: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    lengths_ms: dict[str, float | str] = field(default_factory=dict)


def _environment(name: str) -> str:
    """Return the Python of an environment, made where it is missing or its requirements have changed."""
    requirements = _HERE / f"requirements-{name}.txt"
    folder = _ROOT / ".venv-bench" / name
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return str(python)
    _say(f"making the environment .venv-bench/{name}")
    shutil.rmtree(folder, ignore_errors=True)
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1"]
    for command in ([sys.executable, "-m", "venv", str(folder)], [*install, "-r", str(requirements)]):
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1200)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WorkerError(f"its environment could not be built: {type(error).__name__}") from error
        if done.returncode:
            raise WorkerError(f"its environment could not be built: {command[2]} exited {done.returncode}")
    stamp.write_text(wanted, encoding="ascii")
    return str(python)


def _terms() -> list[str]:
    """Cuewise's technique terms and those class terms that are plain words, for the other systems."""
    lexicons = _ROOT / "analyzer" / "lexicons"
    terms: set[str] = set()
    with (lexicons / "techniques.csv").open(encoding="utf-8", newline="") as file:
        terms.update(row["term"].lower() for row in csv.DictReader(file))
    with (lexicons / "classes.csv").open(encoding="utf-8", newline="") as file:
        plain = re.compile(r"[A-Za-z][A-Za-z' -]*")
        terms.update(row["term"].lower() for row in csv.DictReader(file) if plain.fullmatch(row["term"]))
    return sorted(terms)


def _corpus() -> tuple[list[str], dict[str, int]]:
    """Return the notes, and how many came from where."""
    examples: list[str] = []
    folder = _ROOT / "analyzer" / "examples"
    if folder.exists():
        with Worker(sys.executable) as worker:
            examples = worker.ask("read", paths=[str(folder)])["texts"]
    data = _ROOT / "training_data"
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    training = [
        json.loads(line)["text"]
        for batch in (*splits["train"], *splits["validation"])  # whole notes; the fragments are no notes
        for line in (data / "notes" / f"{batch}.jsonl").read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    found = list(dict.fromkeys(t for t in (*examples, *training) if t.strip() and len(t) <= _LONGEST))
    return found, {"examples": len(examples), "training": len(training)}


def _spread(texts: Sequence[str], count: int) -> list[str]:
    """Take ``count`` notes evenly over the corpus, or repeat it up to that number."""
    if len(texts) >= count:
        return [texts[number * len(texts) // count] for number in range(count)]
    return [texts[number % len(texts)] for number in range(count)]


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _load(figures: Figures, terms: Sequence[str]) -> Worker:
    worker = Worker(figures.python)
    try:
        answer = worker.ask("load", system=figures.contender.key, terms=terms)
    except WorkerError:
        worker.__exit__()
        raise
    figures.load_s.append(answer["load_s"])
    figures.versions = answer["versions"]
    return worker


def _ready(
    keys: Sequence[str], terms: Sequence[str], texts: Sequence[str], *, starts: int
) -> tuple[dict[str, tuple[Figures, Worker]], dict[str, str]]:
    """Load every system ``starts`` times in fresh processes, by turns; keep the last ones and warm them up."""
    entrants: dict[str, Figures] = {}
    missing: dict[str, str] = {}
    pythons: dict[str | None, str] = {None: sys.executable}
    for contender in CONTENDERS:
        if contender.key not in keys:
            continue
        try:
            if contender.environment not in pythons:
                pythons[contender.environment] = _environment(str(contender.environment))
            figures = Figures(contender, pythons[contender.environment])
            with _load(figures, terms):  # compiles byte code and warms the file cache; not counted
                figures.load_s.clear()
            entrants[contender.key] = figures
        except WorkerError as error:
            missing[contender.title] = str(error)
    for _ in range(starts - 1):
        for figures in entrants.values():
            with _load(figures, terms):
                pass
    ready = {}
    for key, figures in entrants.items():
        worker = _load(figures, terms)
        try:
            worker.ask("batch", texts=texts)  # warm up with the very notes that are timed
            ready[key] = (figures, worker)
        except WorkerError as error:
            missing[figures.contender.title] = str(error)
    return ready, missing


def _race(entrants: dict[str, tuple[Figures, Worker]], texts: Sequence[str], rounds: int) -> None:
    """Time the same notes in every system, round after round; then memory; then one note at a time."""
    for number in range(rounds):
        _say(f"round {number + 1} of {rounds}")
        for figures, worker in entrants.values():
            answer = worker.ask("batch", texts=texts)
            figures.notes_per_s.append(len(texts) / answer["wall_s"])
            figures.notes_per_cpu_s.append(len(texts) / answer["cpu_s"])
            figures.found_per_note = answer["found"] / len(texts)
        if "cuewise" in entrants:
            cuewise = entrants["cuewise"][0].notes_per_s[-1]
            for figures, _ in entrants.values():
                figures.versus_cuewise.append(figures.notes_per_s[-1] / cuewise)
    for figures, worker in entrants.values():
        figures.peak_mib = worker.ask("memory")["peak_mib"]
    for figures, worker in entrants.values():
        figures.latency_s = worker.ask("each", texts=texts)["seconds"]


def _sweeps(worker: Worker, texts: Sequence[str], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Time Cuewise over many notes in one process and in two, by turns; by number of processes, then figure."""
    sweeps: dict[str, dict[str, list[float]]] = {jobs: {"notes_per_s": [], "cpu_s": []} for jobs in ("1", "2")}
    for number in range(rounds):
        _say(f"sweep {number + 1} of {rounds}")
        for jobs, figures in sweeps.items():
            answer = worker.ask("sweep", texts=texts, jobs=int(jobs))
            if answer["reports"] != len(texts):
                raise WorkerError(f"{len(texts) - answer['reports']} notes gave no report")
            figures["notes_per_s"].append(len(texts) / answer["wall_s"])
            figures["cpu_s"].append(answer["cpu_s"])
    return sweeps


def _growing(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Notes strung together and cut at four lengths, under the names of their rows."""
    long = "\n\n".join(_spread(texts, 1 + 2 * _LONGEST * len(texts) // sum(map(len, texts))))
    return [(f"notes, {length:,}", long[:length]) for length in (100, 1_000, 10_000, _LONGEST)]


def _hostile() -> list[tuple[str, str]]:
    """Texts of the greatest length that say one thing over and over, under the names of their rows."""
    return [
        (f"{json.dumps(unit, ensure_ascii=False)} to {_LONGEST:,}", (unit * _LONGEST)[:_LONGEST]) for unit in _HOSTILE
    ]


def _scale(figures: Figures, worker: Worker | None, cases: Sequence[tuple[str, str]], terms: Sequence[str]) -> None:
    """Time single texts of growing length; one that takes too long ends its process and is marked."""
    _say(f"lengths, {figures.contender.title}")
    for name, text in cases:
        try:
            worker = worker or _load(Figures(figures.contender, figures.python), terms)
            first = worker.ask("each", texts=[text], timeout_s=_LIMIT_S)["seconds"][0]
            again = [first]
            if first < _LIMIT_S / 4:
                again = worker.ask("each", texts=[text] * (5 if first < 1 else 2))["seconds"]
            figures.lengths_ms[name] = 1000 * statistics.median(again)
        except WorkerError as error:
            figures.lengths_ms[name] = str(error)
            if worker is not None and not worker.is_alive():
                worker = None
    if worker is not None:
        worker.__exit__()  # one that was started here, too


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Set rows in columns, the first one flush left, the others flush right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _speed_table(all_figures: Sequence[Figures]) -> str:
    heads = (
        "system",
        "notes/s",
        "min-max",
        "vs Cuewise",
        "notes/CPU s",
        "p50 ms",
        "p95 ms",
        "load s",
        "peak MiB",
        "found/note",
    )
    rows: list[Sequence[str]] = [heads]
    for figures in all_figures:
        ratio = f"{statistics.median(figures.versus_cuewise):.2f}x" if figures.versus_cuewise else "-"
        rows.append(
            (
                figures.contender.title,
                f"{statistics.median(figures.notes_per_s):.1f}",
                f"{min(figures.notes_per_s):.1f}-{max(figures.notes_per_s):.1f}",
                ratio,
                f"{statistics.median(figures.notes_per_cpu_s):.1f}",
                f"{1000 * _percentile(figures.latency_s, 50):.2f}",
                f"{1000 * _percentile(figures.latency_s, 95):.2f}",
                f"{statistics.median(figures.load_s):.2f}",
                f"{figures.peak_mib:.0f}",
                f"{figures.found_per_note:.1f}",
            )
        )
    return _table(rows)


def _length_table(all_figures: Sequence[Figures]) -> str:
    rows: list[Sequence[str]] = [("characters (ms a text)", *(figures.contender.title for figures in all_figures))]
    for name in dict.fromkeys(name for figures in all_figures for name in figures.lengths_ms):
        values = [figures.lengths_ms.get(name, "-") for figures in all_figures]
        rows.append((name, *(f"{value:.1f}" if isinstance(value, float) else value.split(":")[0] for value in values)))
    return _table(rows)


def _arguments() -> argparse.Namespace:
    keys = [contender.key for contender in CONTENDERS]
    parser = argparse.ArgumentParser(description="Time Cuewise side by side with other pipelines. Nothing is asserted.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds of each system (default: %(default)s)")
    parser.add_argument("--notes", type=int, default=400, help="notes in a round (default: %(default)s)")
    parser.add_argument("--sweep-notes", type=int, default=2000, help="notes of the two-process sweep; 0: none")
    parser.add_argument("--no-lengths", action="store_true", help="leave out the table of text lengths")
    parser.add_argument("--systems", nargs="+", choices=keys, default=keys, help="default: all")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.notes < 2 or arguments.sweep_notes < 0:
        parser.error("--rounds needs 1 or more, --notes 2 or more, --sweep-notes 0 or more")
    return arguments


def main() -> int:
    arguments = _arguments()
    started = perf_counter()
    corpus, origins = _corpus()
    terms = _terms()
    if not corpus:
        print("No notes: neither analyzer/examples nor training_data/notes holds any.")
        return 1
    texts = _spread(corpus, arguments.notes)
    entrants, missing = _ready(arguments.systems, terms, texts, starts=3)
    for title, reason in missing.items():
        print(f"{title}: left out, {reason}")
    if not entrants:
        print("No system could be loaded.")
        return 1
    lengths = sorted(map(len, texts))
    origin = ", ".join(f"{count} {name}" for name, count in origins.items())
    print(
        f"{len(corpus)} notes ({origin}), {len(texts)} a round, {lengths[0]:,}-{lengths[-1]:,} characters, median "
        f"{statistics.median(lengths):,.0f}; {len(terms):,} terms; {arguments.rounds} rounds by turns.\n"
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, "
        f"load average {os.getloadavg()[0]:.1f} (wall times are only as good as the machine is idle).\n"
    )
    _race(entrants, texts, arguments.rounds)
    everyone = [figures for figures, _ in entrants.values()]
    print(_speed_table(everyone))
    print("\nvs Cuewise: median over the rounds of notes/s in that round; under 1 is slower than Cuewise. found/note:")
    print("evidence labels of Cuewise, term mentions of the others; Cuewise also rates, scores and checks rules.\n")

    sweeps: dict[str, dict[str, list[float]]] = {}
    if arguments.sweep_notes and "cuewise" in entrants:
        try:
            sweeps = _sweeps(entrants["cuewise"][1], _spread(corpus, arguments.sweep_notes), rounds=3)
            one, two = (statistics.median(sweeps[jobs]["notes_per_s"]) for jobs in ("1", "2"))
            one_cpu, two_cpu = (statistics.median(sweeps[jobs]["cpu_s"]) for jobs in ("1", "2"))
            print(
                f"Cuewise over {arguments.sweep_notes:,} notes: {one:.1f} notes/s with --jobs 1, "
                f"{two:.1f} with --jobs 2 (start of the processes included): {two / one:.2f}x; "
                f"CPU seconds {one_cpu:.1f} and {two_cpu:.1f}\n"
            )
        except WorkerError as error:
            missing["Cuewise sweep"] = str(error)
            print(f"Cuewise sweep: left out, {error}\n")

    for key, (figures, worker) in entrants.items():
        if not arguments.no_lengths:  # minutes for some systems on the hostile texts, so that those are Cuewise's alone
            _scale(figures, worker, [*_growing(corpus), *(_hostile() if key == "cuewise" else ())], terms)
        worker.__exit__()
    if not arguments.no_lengths:
        print(_length_table(everyone))
    if arguments.json:
        _write_json(arguments, everyone, missing, sweeps, texts, origins, len(terms))
    _say(f"done in {perf_counter() - started:.0f} s")
    return 0


def _write_json(
    arguments: argparse.Namespace,
    everyone: Sequence[Figures],
    missing: dict[str, str],
    sweeps: dict[str, dict[str, list[float]]],
    texts: Sequence[str],
    origins: dict[str, int],
    terms: int,
) -> None:
    record = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "rounds": arguments.rounds,
        "notes": len(texts),
        "notes_from": origins,
        "notes_sha256": hashlib.sha256("\0".join(texts).encode()).hexdigest(),
        "characters_median": statistics.median(map(len, texts)),
        "terms": terms,
        "left_out": missing,
        "sweep": {"notes": arguments.sweep_notes, "by_jobs": sweeps},
        "systems": {
            figures.contender.key: {
                "title": figures.contender.title,
                "versions": figures.versions,
                "notes_per_s": figures.notes_per_s,
                "notes_per_s_median": statistics.median(figures.notes_per_s),
                "notes_per_cpu_s": figures.notes_per_cpu_s,
                "versus_cuewise": figures.versus_cuewise,
                "found_per_note": figures.found_per_note,
                "latency_ms_p50": 1000 * _percentile(figures.latency_s, 50),
                "latency_ms_p95": 1000 * _percentile(figures.latency_s, 95),
                "load_s": figures.load_s,
                "peak_mib": figures.peak_mib,
                "lengths_ms": figures.lengths_ms,
            }
            for figures in everyone
        },
    }
    arguments.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
