"""A claims file to its lines: finds out what it is, and turns what goes wrong with a row into a failure."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from analyzer.claims.table import CLAIM_COLUMNS, ClaimRows
from analyzer.claims.x12 import SUFFIXES as X12_SUFFIXES
from analyzer.claims.x12 import looks_like_x12, read_x12
from analyzer.errors import NoteError
from analyzer.readers.delimited import read_table
from analyzer.readers.limits import DEFAULT_LIMITS, Limits
from analyzer.readers.records import Source
from analyzer.readers.workbook import read_sheets
from analyzer.types import BilledLine, Failure

_TABLES = (".csv", ".tsv", ".txt")
_WORKBOOK = ".xlsx"
SUFFIXES = (".csv", ".tsv", _WORKBOOK, *X12_SUFFIXES)
"""How the names of claims files end; an X12 interchange is also known by its first letters, whatever its name."""


@dataclass(frozen=True, slots=True)
class ClaimsFile:
    """The lines of a claims file, in its order, and what could not be read.

    Parameters
    ----------
    file : str
        The path as the caller gave it.
    lines : tuple of BilledLine
    failures : tuple of Failure
        Rows, or claims of a transaction, that could not be read; each names its row and field.
    remarks : tuple of str
        What was left out on purpose, in sentences.
    """

    file: str
    lines: tuple[BilledLine, ...]
    failures: tuple[Failure, ...] = ()
    remarks: tuple[str, ...] = ()


def read_claims(path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> ClaimsFile:
    """Read a claims file: a table as CSV or XLSX, or an X12 837P or 837I interchange.

    Parameters
    ----------
    path : str or Path
        A table has one row a line, and columns for patient, date of service and procedure code at least.
    limits : Limits
        How much the file may hold.

    Returns
    -------
    ClaimsFile
        A file without lines gives none.

    Raises
    ------
    NoteError
        When the file as a whole cannot be read; a row that cannot be is a failure, and the others go on.
    """
    path = Path(path)
    source = Source(path.as_posix(), path.stem)
    try:
        with path.open("rb") as stream:
            return _read_stream(stream, path.suffix.lower(), source, limits)
    except OSError as error:
        raise NoteError(
            "unreadable-file", f"the claims file cannot be read: {error.strerror or 'no reason'}"
        ) from error


def _read_stream(stream: BinaryIO, suffix: str, source: Source, limits: Limits) -> ClaimsFile:
    n_bytes = stream.seek(0, 2)
    stream.seek(0)
    if n_bytes > limits.max_file_bytes:
        raise NoteError(
            "file-too-large", f"the claims file has {n_bytes:,} bytes; the limit is {limits.max_file_bytes:,}"
        )
    remarks: list[str] = []
    if suffix in X12_SUFFIXES or looks_like_x12(stream):
        read: Iterable[BilledLine | Failure] = read_x12(stream, source, limits, remarks)
    elif suffix == _WORKBOOK:
        read = read_sheets(stream, lambda part: ClaimRows(part, limits), CLAIM_COLUMNS, source, limits)
    elif suffix in _TABLES:
        read = read_table(stream, ClaimRows(source, limits), source, limits)
    else:
        raise NoteError("unsupported-format", f"the claims file must end in one of {', '.join(SUFFIXES)}")
    results = list(read)
    return ClaimsFile(
        file=source.file,
        lines=tuple(result for result in results if not isinstance(result, Failure)),
        failures=tuple(result for result in results if isinstance(result, Failure)),
        remarks=tuple(remarks),
    )
