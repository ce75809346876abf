"""The one reader and validator of ``analyzer/lexicons/``: tables and settings that a clinician can review.

Patterns are RE2 expressions over folded text (see :func:`analyzer.segment.fold`): lower case, plain ASCII. ``{name}``
in a pattern stands for any term of that class in ``classes.csv``; a blank matches one or more; whole words are matched
unless the pattern begins or ends with ``(?:)``.
"""

import csv
import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import re2

from analyzer.decisions import Decisions
from analyzer.errors import LexiconError
from analyzer.types import Assertion, CueChange, CueLevel, Dimension, Kind, Label, Section

_FOLDER = files("analyzer") / "lexicons"
AREAS = (
    "aac",
    "aphasia",
    "aural",
    "cognition",
    "dysarthria",
    "dysphagia",
    "fluency",
    "language",
    "motor_speech_apraxia",
    "social",
    "speech_sounds",
    "voice",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    """A named technique as it is written; ``needs`` are words one of which must stand in the same segment."""

    term: str
    technique: str
    area: str
    is_exact: bool
    needs: tuple[str, ...]
    example: str
    near_miss: str
    source: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """One row of a pattern file: what it says (``value``), how much it counts, and its compiled expression.

    ``expression`` is ready for RE2; ``weight`` 1 suffices alone, less needs company; negative speaks against the value.
    """

    file: str
    name: str
    value: str
    weight: float
    expression: str
    example: str
    near_miss: str
    source: str

    @property
    def id(self) -> str:
        """Traceable name of the row, such as ``weak/tolerance-filler``."""
        return f"{self.file}/{self.name}"

    @property
    def has_groups(self) -> bool:
        """Whether the pattern names parts of what it matches."""
        return "(?P<" in self.expression


@dataclass(frozen=True, slots=True)
class Abbreviation:
    """An abbreviation and one of its expansions; ``stops`` where it is written with a full stop inside a sentence."""

    abbreviation: str
    expansion: str
    stops: bool
    source: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading as clinicians write it, and the section it opens; ``header`` types its own line only."""

    heading: str
    section: Section
    source: str


@dataclass(frozen=True, slots=True)
class Points:
    """What a signal is worth for a label, in log-odds; fitted on our own labelled notes, never on a reference set."""

    label: Label
    signal: str
    points: float


@dataclass(frozen=True, slots=True)
class Source:
    """What a source id stands for."""

    id: str
    title: str
    publisher: str
    section: str
    address: str
    effective: str
    read: str
    certainty: str

    @property
    def cited(self) -> str:
        """How a finding names it: publisher, title and section."""
        part = f", section {self.section}" if self.section[:1].isdigit() else ""
        return f"{self.publisher}: {self.title}{part}"


@dataclass(frozen=True, slots=True)
class Lexicons:
    """All lexicons, read once. ``hash`` is the first 12 hexadecimal digits of the SHA-256 over every file."""

    techniques: tuple[Term, ...]
    abbreviations: tuple[Abbreviation, ...]
    headings: tuple[Heading, ...]
    cue_types: tuple[Pattern, ...]
    cue_levels: tuple[Pattern, ...]
    cue_changes: tuple[Pattern, ...]
    measures: tuple[Pattern, ...]
    evidence: tuple[Pattern, ...]
    weak: tuple[Pattern, ...]
    triggers: tuple[Pattern, ...]
    kinds: tuple[Pattern, ...]
    breaks: tuple[Pattern, ...]
    words: frozenset[str]
    points: tuple[Points, ...]
    intercepts: Mapping[Label, float]
    decisions: Decisions
    classes: Mapping[str, str]
    weights: Mapping[Dimension, float]
    settings: Mapping[str, Any]
    sources: Mapping[str, Source]
    hash: str


def _decisions(settings: Mapping[str, Any]) -> Decisions:
    try:
        return Decisions.of(settings)
    except (KeyError, TypeError, ValueError) as error:
        raise LexiconError(f"lexicons/points.toml: {type(error).__name__}: {error}") from error


def fail(file: str, line: int, message: str) -> LexiconError:
    """Make the error that names a file of the lexicons and its line."""
    return LexiconError(f"lexicons/{file}, line {line}: {message}")


def rows(file: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a table of the lexicons, line by line, checked for its columns, stray blanks and unknown sources."""
    text = (_FOLDER / file).read_text(encoding="utf-8")
    sources = frozenset(settings_of("sources.toml"))
    for line, row in table_rows(text, f"lexicons/{file}", columns):
        if "source" in row:
            one_of(file, line, "source", row["source"], sources)
        yield line, row


def table_rows(text: str, name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a table from its text, checked for its columns and stray blanks; ``name`` is what errors call the file."""
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = tuple(next(reader, ()))
        if header != columns:
            raise LexiconError(f"{name}, line 1: columns must be {','.join(columns)}; found {','.join(header)}")
        for fields in reader:
            line = reader.line_num
            if len(fields) != len(columns):
                raise LexiconError(f"{name}, line {line}: expected {len(columns)} fields")
            for column, value in zip(columns, fields, strict=True):
                if value != value.strip() or "\n" in value:
                    raise LexiconError(f"{name}, line {line}: stray white space in {column}")
            yield line, dict(zip(columns, fields, strict=True))
    except csv.Error as error:
        raise LexiconError(f"{name}, line {reader.line_num}: {error}") from error


def one_of(file: str, line: int, column: str, value: str, allowed: Set[str]) -> str:
    """Return the value when it is allowed."""
    if value not in allowed:
        raise fail(file, line, f"unknown {column} {value!r}; expected one of {', '.join(sorted(allowed))}")
    return value


def _classes() -> dict[str, str]:
    terms: dict[str, list[str]] = {}
    seen: set[tuple[str, str]] = set()
    for line, row in rows("classes.csv", ("class", "term", "source")):
        if (row["class"], row["term"]) in seen:
            raise fail("classes.csv", line, "duplicate term")
        seen.add((row["class"], row["term"]))
        terms.setdefault(row["class"], []).append(row["term"])
    # Longest first, so that an alternation prefers "speech therapist" over "speech".
    plain = {name: "(?:" + "|".join(sorted(values, key=lambda t: (-len(t), t))) + ")" for name, values in terms.items()}
    return {name: _expand(value, plain) for name, value in plain.items()}


_CLASS = re.compile(r"\{([a-z][a-z_]*)\}")


def _expand(pattern: str, classes: Mapping[str, str]) -> str:
    previous = ""
    while pattern != previous:  # a class may name another class; a cycle would name itself for ever
        previous = pattern
        pattern = _CLASS.sub(lambda match: classes[match[1]], pattern)
        if len(pattern) > 200_000:
            raise LexiconError("lexicons/classes.csv: a class names itself")
    return pattern


def compile_pattern(file: str, line: int, pattern: str, classes: Mapping[str, str]) -> str:
    """Expand a pattern's classes and blanks, bind it to whole words, and check that it compiles."""
    try:
        expression = _expand(pattern, classes)
    except KeyError as error:
        raise fail(file, line, f"unknown class {error.args[0]!r}") from error
    expression = re.sub(r"(?<!\[)(?<!\\) (?![?*+{])", " +", expression)
    before = "" if expression.startswith(("^", "(?:)")) else r"\b"
    after = "" if expression.endswith(("$", "(?:)")) else r"\b"
    expression = f"(?m){before}(?:{expression}){after}"
    try:
        re2.compile(expression.encode("ascii"))
    except (re2.error, UnicodeEncodeError) as error:
        raise fail(file, line, "pattern does not compile") from error
    return expression


def _patterns(
    file: str, column: str, allowed: frozenset[str], classes: Mapping[str, str], *, weighted: bool = False
) -> tuple[Pattern, ...]:
    columns = ("name", column, *(("weight",) if weighted else ()), "pattern", "example", "near_miss", "source")
    stem = file.removesuffix(".csv")
    found: list[Pattern] = []
    names: set[str] = set()
    for line, row in rows(file, columns):
        if row["name"] in names:
            raise fail(file, line, f"duplicate name {row['name']!r}")
        names.add(row["name"])
        for needed in ("name", "pattern", "example", "near_miss", "source"):
            if not row[needed]:
                raise fail(file, line, f"empty {needed}")
        try:
            weight = float(row["weight"]) if weighted else 1.0
        except ValueError as error:
            raise fail(file, line, "weight is not a number") from error
        found.append(
            Pattern(
                file=stem,
                name=row["name"],
                value=one_of(file, line, column, row[column], allowed),
                weight=weight,
                expression=compile_pattern(file, line, row["pattern"], classes),
                example=row["example"],
                near_miss=row["near_miss"],
                source=row["source"],
            )
        )
    return tuple(found)


def _techniques() -> tuple[Term, ...]:
    file = "techniques.csv"
    found: list[Term] = []
    seen: set[tuple[str, str]] = set()
    for line, row in rows(file, ("term", "technique", "area", "case", "needs", "example", "near_miss", "source")):
        key = (row["term"].casefold(), row["technique"])
        if key in seen:
            raise fail(file, line, "duplicate term")
        seen.add(key)
        one_of(file, line, "area", row["area"], frozenset(AREAS))
        exact = one_of(file, line, "case", row["case"], frozenset({"any", "exact"})) == "exact"
        needs = tuple(filter(None, row["needs"].split("|")))
        found.append(
            Term(
                row["term"],
                row["technique"],
                row["area"],
                exact,
                needs,
                row["example"],
                row["near_miss"],
                row["source"],
            )
        )
    return tuple(found)


def _abbreviations() -> tuple[Abbreviation, ...]:
    file = "abbreviations.csv"
    found: list[Abbreviation] = []
    seen: set[tuple[str, str]] = set()
    for line, row in rows(file, ("abbreviation", "expansion", "stops", "source")):
        key = (row["abbreviation"], row["expansion"].casefold())  # "MS" is not "Ms": case tells them apart
        if key in seen:
            raise fail(file, line, "duplicate abbreviation")
        seen.add(key)
        stops = one_of(file, line, "stops", row["stops"], frozenset({"yes", "no"})) == "yes"
        found.append(Abbreviation(row["abbreviation"], row["expansion"], stops, row["source"]))
    return tuple(found)


def _words() -> frozenset[str]:
    file = "words.csv"
    found: set[str] = set()
    for line, row in rows(file, ("word", "source")):
        if row["word"] in found or row["word"] != row["word"].lower():
            raise fail(file, line, "duplicate or upper-case word")
        found.add(row["word"])
    return frozenset(found)


def _points() -> tuple[Points, ...]:
    file = "points.csv"
    labels = {str(label): label for label in Label}
    found: list[Points] = []
    seen: set[tuple[str, str]] = set()
    for line, row in rows(file, ("label", "signal", "points")):
        key = (row["label"], row["signal"])
        if key in seen:
            raise fail(file, line, "duplicate signal")
        seen.add(key)
        one_of(file, line, "label", row["label"], labels.keys())
        try:
            found.append(Points(labels[row["label"]], row["signal"], float(row["points"])))
        except ValueError as error:
            raise fail(file, line, "points are not a number") from error
    return tuple(found)


def _headings() -> tuple[Heading, ...]:
    file = "headings.csv"
    allowed = frozenset(Section)
    found: list[Heading] = []
    seen: set[str] = set()
    for line, row in rows(file, ("heading", "section", "source")):
        if row["heading"] in seen:
            raise fail(file, line, "duplicate heading")
        seen.add(row["heading"])
        found.append(
            Heading(row["heading"], Section(one_of(file, line, "section", row["section"], allowed)), row["source"])
        )
    return tuple(found)


def settings_of(file: str) -> dict[str, Any]:
    """Read nested settings of the lexicons."""
    try:
        return tomllib.loads((_FOLDER / file).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise LexiconError(f"lexicons/{file}: {error}") from error


def _sources() -> dict[str, Source]:
    fields = ("title", "publisher", "section", "address", "effective", "read", "certainty")
    found: dict[str, Source] = {}
    for id, row in settings_of("sources.toml").items():
        if set(row) != set(fields):
            raise LexiconError(f"lexicons/sources.toml: {id} must have exactly {', '.join(fields)}")
        found[id] = Source(id=id, **row)
    return found


def texts(folder: str, suffix: str) -> Iterator[tuple[str, str]]:
    """Yield the name, without its suffix, and the text of every file of a folder of the lexicons, in order."""
    for path in sorted((_FOLDER / folder).iterdir(), key=lambda path: path.name):
        if path.name.endswith(suffix):
            yield path.name.removesuffix(suffix), path.read_text(encoding="utf-8")


def read_bytes(file: str) -> bytes:
    """Read a file of the lexicons that is no table of its own, such as a compressed list."""
    return (_FOLDER / file).read_bytes()


def _hash() -> str:
    digest = hashlib.sha256()
    for name, content in _contents(_FOLDER):
        digest.update(name.encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def _contents(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of every file of a folder and of the folders in it, in order."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        name = f"{prefix}{path.name}"
        if path.is_dir():
            yield from _contents(path, f"{name}/")
        elif path.name.endswith((".csv", ".toml", ".gz")):
            yield name, path.read_bytes()


@cache
def load_lexicons() -> Lexicons:
    """Read and check every lexicon, once a process.

    Returns
    -------
    Lexicons

    Raises
    ------
    LexiconError
        For an unknown column, label or source, a duplicate, a stray space or a pattern that does not compile; the
        message names file and line.

    Examples
    --------
    >>> load_lexicons().sources["cms-mbpm-15-220.3"].publisher
    'Centers for Medicare & Medicaid Services'
    """
    classes = _classes()
    labels = frozenset(Label)
    types = frozenset(settings_of("rubric.toml")["cue_types"]) | {"not"}
    units = frozenset(settings_of("rubric.toml")["units"])

    def patterns(file: str, column: str, allowed: frozenset[str], weighted: bool = False) -> tuple[Pattern, ...]:
        return _patterns(file, column, allowed, classes, weighted=weighted)

    settings = settings_of("rubric.toml") | settings_of("points.toml")
    return Lexicons(
        techniques=_techniques(),
        abbreviations=_abbreviations(),
        headings=_headings(),
        cue_types=patterns("cue_types.csv", "type", types, True),
        cue_levels=patterns("cue_levels.csv", "level", frozenset(CueLevel) | {"not"}, True),
        cue_changes=patterns("cue_changes.csv", "change", frozenset(CueChange)),
        measures=patterns("measures.csv", "unit", units),
        evidence=patterns("evidence.csv", "label", labels),
        weak=patterns("weak.csv", "label", labels),
        triggers=patterns("triggers.csv", "assertion", frozenset(Assertion)),
        kinds=patterns("kinds.csv", "kind", frozenset(Kind), True),
        breaks=patterns("breaks.csv", "break", frozenset({"thought"})),
        words=_words(),
        points=_points(),
        intercepts={Label(name): float(value) for name, value in settings["intercepts"].items()},
        decisions=_decisions(settings),
        classes=classes,
        weights={Dimension(name): float(weight) for name, weight in settings["weights"].items()},
        settings=settings,
        sources=_sources(),
        hash=_hash(),
    )
