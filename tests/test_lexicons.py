"""Every lexicon row does what its own example says, and the reader refuses what a reviewer could get wrong."""

import csv
import shutil
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import re2

from analyzer import lexicon
from analyzer.errors import LexiconError
from analyzer.lexicon import Lexicons, Pattern, Term, load_lexicons
from analyzer.match import Hits, Matcher
from analyzer.rules import RULES
from analyzer.segment import Segmenter

FOLDER = Path(lexicon.__file__).parent / "lexicons"
PATTERN_FILES = (
    "breaks",
    "cue_changes",
    "cue_levels",
    "cue_types",
    "evidence",
    "kinds",
    "measures",
    "triggers",
    "weak",
)
LEXICONS = load_lexicons()
SEGMENTER = Segmenter(LEXICONS)
MATCHER = Matcher(LEXICONS)
PATTERNS: tuple[Pattern, ...] = tuple(row for file in PATTERN_FILES for row in getattr(LEXICONS, file))
# What measures.csv calls a way of writing comes out as a unit of its own.
READ_AS = {"all": "ratio", "none": "ratio", "months": "years"}


def ids(rows: tuple[Pattern, ...]) -> list[str]:
    return [row.id for row in rows]


def quotes(row: Pattern, text: str) -> list[str]:
    """Return what a row's expression finds in a text that stands inside one segment, as the matcher takes it."""
    segmentation = SEGMENTER(text)
    spans = (
        match.span() for match in re2.finditer(row.expression.encode("ascii"), segmentation.folded.encode("ascii"))
    )
    return [
        text[start:end]
        for start, end in spans
        if end > start and any(s.start <= start and end <= s.end for s in segmentation.segments)
    ]


def read(text: str) -> Hits:
    return MATCHER(SEGMENTER(text))


# Rows


@pytest.mark.parametrize("row", PATTERNS, ids=ids(PATTERNS))
def test_pattern_matches_its_example_and_not_its_near_miss(row: Pattern) -> None:
    assert (quotes(row, row.example) != [], quotes(row, row.near_miss)) == (True, [])


REPORTED = tuple(row for file in ("evidence", "kinds", "triggers", "weak") for row in getattr(LEXICONS, file))


@pytest.mark.parametrize("row", REPORTED, ids=ids(REPORTED))
def test_matcher_reports_the_row_for_its_example_and_not_for_its_near_miss(row: Pattern) -> None:
    def is_reported(text: str) -> bool:
        hits = read(text)
        return row.id in [hit.row for hit in (*hits.evidence, *hits.kinds, *hits.triggers, *hits.weak)]

    assert (is_reported(row.example), is_reported(row.near_miss)) == (True, False)


def test_pattern_examples_are_each_used_once() -> None:
    texts = [text.casefold() for row in PATTERNS for text in (row.example, row.near_miss)]
    assert sorted({text for text in texts if texts.count(text) > 1}) == []


MEASURES = tuple(row for row in LEXICONS.measures if row.value != "not")


@pytest.mark.parametrize("row", MEASURES, ids=ids(MEASURES))
def test_measure_of_the_rows_unit_is_read_in_its_example(row: Pattern) -> None:
    unit = READ_AS.get(row.value, row.value)
    assert {measure.unit for _, measure in read(row.example).measures} & {unit} == {unit}


NO_MEASURES = tuple(row for row in LEXICONS.measures if row.value == "not")


@pytest.mark.parametrize("row", NO_MEASURES, ids=ids(NO_MEASURES))
def test_what_is_no_measure_is_silenced(row: Pattern) -> None:
    text = row.example
    silenced = [text.index(quote) for quote in quotes(row, text)]
    starts = [measure.start for _, measure in read(text).measures]
    assert sorted(set(starts) & set(silenced)) == []


TERMS_BY_AREA = {area: tuple(term for term in LEXICONS.techniques if term.area == area) for area in lexicon.AREAS}


def reports(term: Term, text: str) -> bool:
    """Whether the term itself, not another term in the same words, is reported for a text."""
    written = term.term if term.is_exact else term.term.lower()
    found = [(technique.name, text[technique.start : technique.end]) for _, technique in read(text).techniques]
    return (term.technique, written) in [(name, quote if term.is_exact else quote.lower()) for name, quote in found]


@pytest.mark.parametrize("area", lexicon.AREAS)
def test_techniques_are_found_by_their_examples_and_not_by_their_near_misses(area: str) -> None:
    silent = [term.term for term in TERMS_BY_AREA[area] if not reports(term, term.example)]
    false = [term.term for term in TERMS_BY_AREA[area] if reports(term, term.near_miss)]
    assert (silent, false) == ([], [])


# Files


def records(file: str, folder: Path = FOLDER) -> list[dict[str, str]]:
    with (folder / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def write(folder: Path, file: str, rows: list[dict[str, str]]) -> None:
    with (folder / file).open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


SORTED_BY_FIRST_COLUMN = ("abbreviations", "headings", "techniques", "words")


@pytest.mark.parametrize("file", SORTED_BY_FIRST_COLUMN)
def test_list_is_sorted_by_its_first_column(file: str) -> None:
    keys = [next(iter(row.values())).casefold() for row in records(f"{file}.csv")]
    assert [pair for pair in pairwise(keys) if pair[0] > pair[1]] == []


@pytest.mark.parametrize("file", PATTERN_FILES)
def test_pattern_file_is_sorted_by_value_then_name(file: str) -> None:
    keys = [(row.value, row.name) for row in getattr(LEXICONS, file)]
    assert [pair for pair in pairwise(keys) if pair[0] > pair[1]] == []


def test_classes_are_sorted_by_class_then_term() -> None:
    keys = [(row["class"], row["term"]) for row in records("classes.csv")]
    assert [pair for pair in pairwise(keys) if pair[0] > pair[1]] == []


def test_no_row_waits_for_its_example() -> None:
    assert [row.id for row in PATTERNS if {"TODO", ""} & {row.example, row.near_miss}] == []
    assert [term.term for term in LEXICONS.techniques if {"TODO", ""} & {term.example, term.near_miss}] == []


def sources_in(settings: object) -> Iterator[str]:
    """Yield the source ids that settings name under ``sources``, however deep."""
    for key, value in settings.items() if isinstance(settings, dict) else ():
        if key == "sources" and isinstance(value, list):
            yield from value
        yield from sources_in(value)


def test_every_source_is_used_and_every_used_source_is_known() -> None:
    files = [path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.csv")]
    used = {row["source"] for file in files for row in records(file) if "source" in row}
    for path in FOLDER.rglob("*.toml"):
        if path.name != "sources.toml":
            used |= set(sources_in(tomllib.loads(path.read_text(encoding="utf-8"))))
    used |= {source for rule in RULES for source in rule.sources}
    known = set(tomllib.loads((FOLDER / "sources.toml").read_text(encoding="utf-8")))
    assert (known - used, used - known) == (set(), set())


# The reader


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the lexicons that the reader reads instead of them."""
    copy = tmp_path / "lexicons"
    shutil.copytree(FOLDER, copy)
    monkeypatch.setattr(lexicon, "_FOLDER", copy)
    return copy


def read_uncached() -> Lexicons:
    return load_lexicons.__wrapped__()


def refusal() -> str:
    with pytest.raises(LexiconError) as caught:
        read_uncached()
    return str(caught.value)


def test_reader_reads_a_copy_of_the_lexicons(folder: Path) -> None:
    assert read_uncached() == LEXICONS


@pytest.mark.parametrize("file", ["sources.toml", "icd10/release.toml", "icd10/codes.csv", "icd10/icd10cm.tsv.gz"])
def test_hash_changes_with_any_file(folder: Path, file: str) -> None:
    path = folder / file
    path.write_bytes(path.read_bytes() + b"\n# reviewed\n")
    assert read_uncached().hash != LEXICONS.hash


LISTS = ("abbreviations", "classes", "headings", "points", "techniques", "words")
EVERY_FILE = tuple(f"{file}.csv" for file in sorted((*PATTERN_FILES, *LISTS)))


def test_every_list_of_the_folder_is_read() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.csv")) == list(EVERY_FILE)


@pytest.mark.parametrize("file", EVERY_FILE)
def test_unknown_column_is_refused(folder: Path, file: str) -> None:
    rows = records(file, folder)
    columns = ",".join(rows[0])
    write(folder, file, [row | {"remark": "new"} for row in rows])
    assert refusal() == f"lexicons/{file}, line 1: columns must be {columns}; found {columns},remark"


@pytest.mark.parametrize("file", EVERY_FILE)
def test_missing_field_is_refused(folder: Path, file: str) -> None:
    rows = records(file, folder)
    with (folder / file).open("a", encoding="utf-8") as lines:
        lines.write("lonely\n")
    assert refusal() == f"lexicons/{file}, line {len(rows) + 2}: expected {len(rows[0])} fields"


@pytest.mark.parametrize("file", EVERY_FILE)
def test_duplicate_is_refused(folder: Path, file: str) -> None:
    rows = records(file, folder)
    write(folder, file, [*rows, rows[0]])
    assert refusal().split(": duplicate ")[0] == f"lexicons/{file}, line {len(rows) + 2}"


@pytest.mark.parametrize("file", EVERY_FILE)
def test_stray_space_is_refused(folder: Path, file: str) -> None:
    rows = records(file, folder)
    column = next(iter(rows[0]))
    rows[1][column] += " "
    write(folder, file, rows)
    assert refusal() == f"lexicons/{file}, line 3: stray white space in {column}"


def test_line_end_inside_a_field_is_refused(folder: Path) -> None:
    rows = records("weak.csv", folder)
    rows[0]["example"] += "\nmore"
    write(folder, "weak.csv", rows)
    assert refusal() == "lexicons/weak.csv, line 3: stray white space in example"


@pytest.mark.parametrize("file", [file for file in EVERY_FILE if file != "points.csv"])
def test_unknown_source_is_refused(folder: Path, file: str) -> None:
    rows = records(file, folder)
    rows[1]["source"] = "hearsay"
    write(folder, file, rows)
    assert refusal().split("; expected one of ")[0] == f"lexicons/{file}, line 3: unknown source 'hearsay'"


@pytest.mark.parametrize(
    ("file", "column"),
    [
        ("abbreviations", "stops"),
        ("breaks", "break"),
        ("cue_changes", "change"),
        ("cue_levels", "level"),
        ("cue_types", "type"),
        ("evidence", "label"),
        ("headings", "section"),
        ("kinds", "kind"),
        ("measures", "unit"),
        ("points", "label"),
        ("techniques", "area"),
        ("techniques", "case"),
        ("triggers", "assertion"),
        ("weak", "label"),
    ],
)
def test_unknown_label_is_refused(folder: Path, file: str, column: str) -> None:
    rows = records(f"{file}.csv", folder)
    rows[1][column] = "vibes"
    write(folder, f"{file}.csv", rows)
    assert refusal().split("; expected one of ")[0] == f"lexicons/{file}.csv, line 3: unknown {column} 'vibes'"


@pytest.mark.parametrize("file", PATTERN_FILES)
@pytest.mark.parametrize(
    "pattern",
    [
        "(?:cue",  # not closed
        "[z-a]",  # an empty range
        r"(cue) \1",  # a back reference, which no linear-time engine has
        "(?=cue)",  # likewise
        "cue–fade",  # folded text has no such dash
    ],
)
def test_pattern_that_does_not_compile_is_refused(folder: Path, file: str, pattern: str) -> None:
    rows = records(f"{file}.csv", folder)
    rows[0]["pattern"] = pattern
    write(folder, f"{file}.csv", rows)
    assert refusal() == f"lexicons/{file}.csv, line 2: pattern does not compile"


def test_unknown_class_in_a_pattern_is_refused(folder: Path) -> None:
    rows = records("weak.csv", folder)
    rows[0]["pattern"] = "{nobody} (?:said|sang)"
    write(folder, "weak.csv", rows)
    assert refusal() == "lexicons/weak.csv, line 2: unknown class 'nobody'"


def test_class_that_names_itself_is_refused(folder: Path) -> None:
    rows = records("classes.csv", folder)
    rows[0]["term"] = "{bodypart} or two"
    write(folder, "classes.csv", rows)
    assert refusal() == "lexicons/classes.csv: a class names itself"


@pytest.mark.parametrize("column", ["name", "pattern", "example", "near_miss"])
def test_empty_field_of_a_pattern_is_refused(folder: Path, column: str) -> None:
    rows = records("kinds.csv", folder)
    rows[0][column] = ""
    write(folder, "kinds.csv", rows)
    assert refusal() == f"lexicons/kinds.csv, line 2: empty {column}"


def test_weight_that_is_no_number_is_refused(folder: Path) -> None:
    rows = records("kinds.csv", folder)
    rows[0]["weight"] = "heavy"
    write(folder, "kinds.csv", rows)
    assert refusal() == "lexicons/kinds.csv, line 2: weight is not a number"


def test_points_that_are_no_number_are_refused(folder: Path) -> None:
    rows = records("points.csv", folder)
    rows[0]["points"] = "many"
    write(folder, "points.csv", rows)
    assert refusal() == "lexicons/points.csv, line 2: points are not a number"


def test_source_with_a_missing_field_is_refused(folder: Path) -> None:
    path = folder / "sources.toml"
    path.write_text(path.read_text(encoding="utf-8") + '\n[hearsay]\ntitle = "Hearsay"\n', encoding="utf-8")
    assert refusal().split(" title, ")[0] == "lexicons/sources.toml: hearsay must have exactly"


def test_settings_that_are_no_toml_are_refused(folder: Path) -> None:
    (folder / "rubric.toml").write_text("[weights\n", encoding="utf-8")
    assert refusal().split(": ")[0] == "lexicons/rubric.toml"


# Hostile text: patterns must finish, whatever a note holds

HOSTILE = (
    "a",
    "a ",
    "min ",
    "min verbal ",
    "1/2 ",
    "1 of ",
    "50% ",
    "[ ] ",
    "[x] ",
    ", ",
    "(((",
    'he said "',
    '"" ',
    "-> ",
    "x10",
    "cues and ",
    "goal 1 ",
    "1.",
    "\n",
    "a\n",
    "½",
)


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_matcher_finishes_on_hostile_text(piece: str) -> None:
    text = (piece * (100_000 // len(piece) + 1))[:100_000]
    segmentation = SEGMENTER(text)
    MATCHER(segmentation)
    assert (segmentation.text, len(segmentation.folded)) == (text, 100_000)


@pytest.mark.parametrize("row", PATTERNS, ids=ids(PATTERNS))
def test_pattern_finishes_on_its_own_example_repeated(row: Pattern) -> None:
    text = f"{row.example} " * (20_000 // (len(row.example) + 1))
    folded = SEGMENTER(text).folded.encode("ascii")
    spans = [match.span() for match in re2.finditer(row.expression.encode("ascii"), folded)]
    assert spans == sorted(spans)
