"""Excel workbooks: every sheet, hidden or not, that has a column of notes."""

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import openpyxl
from lxml.etree import LxmlError
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils.escape import unescape
from openpyxl.utils.exceptions import InvalidFileException

from analyzer.errors import NoteError
from analyzer.readers.archives import open_archive
from analyzer.readers.limits import Limits
from analyzer.readers.records import NOTE_COLUMNS, Columns, Records, Row, RowReader, Source
from analyzer.types import Failure, Note

# openpyxl has no base class of errors and lets those of Python's own types through where a file breaks the format.
_WORKBOOK_ERRORS = (
    InvalidFileException, LxmlError, ParseError, BadZipFile, zlib.error, struct.error, EOFError, OSError, KeyError,
    IndexError, ValueError, TypeError, AttributeError, OverflowError, NotImplementedError, RuntimeError, MemoryError,
)  # fmt: skip

# Reports out of other systems have a title above their table.
_HEADER_ROWS = 10
# Excel's own limit. A cell further right would make openpyxl fill in every cell before it.
_MAX_COLUMNS = 16_384
_BATCH_ROWS = 500


def read_workbook(stream: BinaryIO, source: Source, limits: Limits) -> Iterator[Note | Failure]:
    """Yield the notes of every sheet that has a column of notes."""
    yield from read_sheets(stream, lambda part: Records(part, limits), NOTE_COLUMNS, source, limits)


def read_sheets(
    stream: BinaryIO, records_of: Callable[[Source], RowReader[Row]], columns: Columns, source: Source, limits: Limits
) -> Iterator[Row | Failure]:
    """Yield the records of every sheet that has the required columns, within its first ten rows.

    Formulas give the value that was saved with them. Cells to the right of the header belong to no column and are not
    read.
    """
    with open_archive(stream, limits) as archive:
        names = archive.namelist()
    if "xl/workbook.xml" not in names and any(name.startswith("word/") for name in names):
        raise NoteError("wrong-format", "expected a workbook, found a Word document")
    book = _load(stream)
    try:
        sheets = book.worksheets
        headers = [_find_header(sheet, columns) for sheet in sheets]
        if not any(headers):
            raise columns.missing()
        for sheet, header in zip(sheets, headers, strict=True):
            if header is not None:
                part = source if len(sheets) == 1 else source.sheet(sheet.title)
                yield from _read_sheet(sheet, *header, records_of(part), part, limits)
    finally:
        book.close()


def _load(stream: BinaryIO) -> Any:
    try:
        with warnings.catch_warnings():
            _ignore_openpyxl()
            return openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    except _WORKBOOK_ERRORS as error:
        raise _damaged() from error


def _find_header(sheet: Any, columns: Columns) -> tuple[int, Sequence[str]] | None:
    """Return the header's row and its names, up to the last one; None for a sheet without notes."""
    sheet.reset_dimensions()  # some programs write wrong ones, and openpyxl would believe them
    rows = _batches(sheet.iter_rows(max_row=_HEADER_ROWS, max_col=_MAX_COLUMNS, values_only=True))
    for number, cells in enumerate(rows, start=1):
        names = ["" if cell is None else str(cell).strip() for cell in cells]
        while names and not names[-1]:
            names.pop()
        if columns.are_in(names):
            return number, tuple(names)
    return None


def _read_sheet(
    sheet: Any, header_row: int, header: Sequence[str], records: RowReader[Row], source: Source, limits: Limits
) -> Iterator[Row | Failure]:
    fields = records.columns.match(header)
    rows = sheet.iter_rows(min_row=header_row + 1, max_col=len(header), values_only=True)
    for row, values in enumerate(_batches(rows), start=header_row + 1):
        if row - header_row > limits.max_rows:
            raise NoteError("too-many-rows", f"a sheet has more rows than the limit of {limits.max_rows:,}")
        cells = [_clean(value) for value in values]
        if all(cell is None or cell == "" for cell in cells):
            continue
        broken = next((field for field, cell in zip(fields, cells, strict=True) if field and cell in ERROR_CODES), None)
        if broken is None:
            yield records.read(header, cells, row)
        else:
            yield source.failure(
                NoteError("cell-error", "the cell holds an error of the spreadsheet", field=broken), row
            )


def _batches(rows: Iterator[Sequence[object]]) -> Iterator[Sequence[object]]:
    """Yield rows; the filter of warnings, which belongs to the process, is changed only while openpyxl works."""
    while True:
        try:
            with warnings.catch_warnings():
                _ignore_openpyxl()
                batch = list(islice(rows, _BATCH_ROWS))
        except _WORKBOOK_ERRORS as error:
            raise _damaged() from error
        if not batch:
            return
        yield from batch


def _ignore_openpyxl() -> None:
    """Ignore its warnings about features that it would lose on saving, and about dates that it gives as errors."""
    warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")


def _clean(value: object) -> object:
    """Return a cell's value with characters that XML cannot hold, such as ``_x000D_``, put back."""
    return unescape(value) if isinstance(value, str) and "_x" in value else value


def _damaged() -> NoteError:
    return NoteError("corrupt-file", "the workbook is damaged: it cannot be read")
