"""Reports to whatever reads them: a terminal, a program, a spreadsheet, a browser."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from analyzer.report.html import write_html
from analyzer.report.record import to_record, write_jsonl
from analyzer.report.sheets import write_csv, write_xlsx
from analyzer.report.table import write_table
from analyzer.types import ClaimsMatch, Result

__all__ = ["FORMATS", "to_record", "write"]


@dataclass(frozen=True, slots=True)
class _Format:
    """How a format is written.

    ``is_binary`` says that the writer takes bytes. A text format that is not ``is_for_screen`` is UTF-8 wherever it
    goes, since programs read it.
    """

    writer: Callable[[Iterable[Result], Any, ClaimsMatch | None], None]
    is_binary: bool = False
    is_for_screen: bool = False


_FORMATS = {
    "table": _Format(write_table, is_for_screen=True),
    "jsonl": _Format(write_jsonl),
    "csv": _Format(write_csv),
    "xlsx": _Format(write_xlsx, is_binary=True),
    "html": _Format(write_html),
}

FORMATS = tuple(_FORMATS)
"""The names that `write` takes."""


def write(
    results: Iterable[Result], format: str, output: TextIO | BinaryIO | Path, *, claims: ClaimsMatch | None = None
) -> None:
    """Write results in one of the formats.

    Parameters
    ----------
    results : iterable of Report or Failure
        Reports and failures in the order of the input. ``jsonl`` and ``csv`` write each as it comes; the other formats
        hold them all. None at all gives an empty table, page or file with its header.
    format : str
        One of ``FORMATS``.
    output : stream or path
        A path is written anew. A text stream is fine for every format but ``xlsx``, unless it has a ``buffer`` of bytes
        below it as ``sys.stdout`` has. Streams are flushed and left open.
    claims : ClaimsMatch, optional
        What became of a claims file; its lines without a note, and the notes without a line, are then shown too.

    Raises
    ------
    ValueError
        If the format is unknown, or is a workbook and the stream takes text only.
    """
    if format not in _FORMATS:
        raise ValueError(f"unknown format {format!r}; expected one of {', '.join(FORMATS)}")
    chosen = _FORMATS[format]
    if isinstance(output, Path):
        with output.open("wb") as stream:
            _write_stream(results, chosen, stream, claims)
    else:
        _write_stream(results, chosen, output, claims)


def _write_stream(
    results: Iterable[Result], chosen: _Format, output: TextIO | BinaryIO, claims: ClaimsMatch | None
) -> None:
    is_text = hasattr(output, "encoding")  # also of wrappers around a text stream, which have no common class
    binary = getattr(output, "buffer", None) if is_text else output
    if chosen.is_binary and binary is None:
        raise ValueError("a workbook needs a stream of bytes, and this one takes text")
    output.flush()
    if chosen.is_binary:
        chosen.writer(results, binary, claims)
    elif is_text and (binary is None or chosen.is_for_screen):
        chosen.writer(results, output, claims)
    else:
        wrapper = TextIOWrapper(cast(BinaryIO, binary), encoding="utf-8", newline="")
        try:
            chosen.writer(results, wrapper, claims)
        finally:
            wrapper.detach()  # flushes, and leaves the stream open
    output.flush()
