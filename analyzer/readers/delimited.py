"""Tables as text: comma, semicolon, tab or bar between the cells."""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from analyzer.errors import NoteError
from analyzer.readers.encoding import bad_encoding, open_text
from analyzer.readers.limits import Limits
from analyzer.readers.records import Columns, Records, Row, RowReader, Source
from analyzer.types import Failure, Note

_SEPARATORS = (",", ";", "\t", "|")


def read_delimited(stream: BinaryIO, source: Source, limits: Limits) -> Iterator[Note | Failure]:
    """Yield the notes of a table."""
    yield from read_table(stream, Records(source, limits), source, limits)


def read_table(stream: BinaryIO, records: RowReader[Row], source: Source, limits: Limits) -> Iterator[Row | Failure]:
    """Yield the records of a table, the header being its first line that is not blank.

    A row with more or fewer cells than the header is a failure: an unquoted separator or line end has cut its note.
    """
    if csv.field_size_limit() < limits.max_note_chars:
        # The limit belongs to the process; it is raised where the caller accepts longer notes, and never lowered.
        csv.field_size_limit(limits.max_note_chars)
    try:
        with open_text(stream) as lines:
            yield from _read_rows(_LineFeed(lines), records, source, limits)
    except UnicodeError:
        raise bad_encoding() from None  # the cause quotes the text


class _LineFeed:
    """The lines of a file, numbered from 1; lines since the last mark can be given back to be read anew."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: deque[str] = deque()
        self._taken: list[str] = []
        self.number = 0

    def __iter__(self) -> "_LineFeed":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.number += 1
        self._taken.append(line)
        return line

    def mark(self) -> int:
        """Begin a record; return the number of its first line."""
        self._taken.clear()
        return self.number + 1

    def give_back(self, kept: int) -> None:
        """Give back what was taken since the mark, but for the first lines."""
        self._returned.extendleft(reversed(self._taken[kept:]))
        self.number -= len(self._taken) - kept
        del self._taken[kept:]


def _read_rows(lines: _LineFeed, records: RowReader[Row], source: Source, limits: Limits) -> Iterator[Row | Failure]:
    separator = _find_separator(lines, records.columns)
    # Strict: a stray quote is an error instead of two rows silently run together.
    reader = csv.reader(lines, delimiter=separator, strict=True)
    header: Sequence[str] | None = None
    n_rows = 0
    while True:
        row = lines.mark()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if header is None:
                raise NoteError("bad-row", "the header's quotes do not match") from error
            _skip_record(lines, separator, len(header))
            yield source.failure(_bad_row(row, lines.number), row)
            continue
        if not any(map(str.strip, cells)):
            continue
        if header is None:
            header = _read_header(cells, records.columns)
            continue
        n_rows += 1
        if n_rows > limits.max_rows:
            raise NoteError("too-many-rows", f"the table has more rows than the limit of {limits.max_rows:,}")
        if len(cells) > len(header) and not any(map(str.strip, cells[len(header) :])):
            cells = cells[: len(header)]
        if len(cells) == len(header):
            yield records.read(header, cells, row)
        else:
            yield source.failure(_wrong_width(len(cells), len(header)), row)


def _skip_record(lines: _LineFeed, separator: str, n_columns: int) -> None:
    """Leave out the broken record that was begun at the mark.

    Either its cell holds quotes that are not doubled: then it ends with the line that makes the number of quotes even.
    Or a quote was opened and never closed: then the lines after the first are rows of their own.
    """
    lines.give_back(0)
    first = next(lines)
    n_quotes = first.count('"')
    following: list[str] = []
    n_chars = 0
    while n_quotes % 2 and n_chars <= 2 * csv.field_size_limit():
        line = next(lines, None)
        if line is None:
            break
        following.append(line)
        n_quotes += line.count('"')
        n_chars += len(line)
    if n_quotes % 2 or _are_rows(following, separator, n_columns):
        lines.give_back(1)


def _are_rows(lines: Sequence[str], separator: str, n_columns: int) -> bool:
    """Whether the first and most of the lines are rows as wide as the header, as prose in one column always is.

    A lone quote within a cell is taken for the end of the broken record: to read the rest of a note as a row of its own
    would be worse than to lose rows and say so.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    verdicts = []
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            if reader.line_num < len(lines):
                verdicts.append(False)
            continue
        if any(cell.count('"') % 2 for cell in cells):
            return False
        if cells:
            verdicts.append(len(cells) == n_columns)
    return n_columns > 1 and verdicts[:1] == [True] and 2 * sum(verdicts) > len(verdicts)


def _find_separator(lines: _LineFeed, columns: Columns) -> str:
    """Return what stands between the cells: what Excel's ``sep=`` line says, or what makes most sense of the header."""
    lines.mark()
    first = next((line for line in lines if line.strip()), "")
    if first.lower().startswith("sep=") and len(first.strip("\r\n")) == len("sep=;"):
        return first[4]
    lines.give_back(0)
    return max(_SEPARATORS, key=lambda separator: _score_header(first, separator, columns))


def _score_header(line: str, separator: str, columns: Columns) -> tuple[bool, int, int]:
    try:
        names = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return False, 0, 0
    fields = [field for field in columns.match(names) if field is not None]
    return columns.are_in(names), len(fields), len(names)


def _read_header(cells: Sequence[str], columns: Columns) -> Sequence[str]:
    header = tuple(cell.strip() for cell in cells)
    if not columns.are_in(header):
        raise columns.missing(header)
    return header


def _bad_row(first: int, last: int) -> NoteError:
    lines = f"line {first}" if first >= last else f"lines {first} to {last}"
    return NoteError("bad-row", f"{lines}: a quote is not closed, not doubled, or a cell is far too long")


def _wrong_width(n_cells: int, n_columns: int) -> NoteError:
    cells = "1 cell" if n_cells == 1 else f"{n_cells} cells"
    return NoteError(
        "bad-row",
        f"the row has {cells} and the header {n_columns}; a cell that holds a separator or a line end must stand in "
        "quotes",
    )
