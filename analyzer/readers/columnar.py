"""Parquet files, batch by batch."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow
import pyarrow.parquet

from analyzer.errors import NoteError
from analyzer.readers.limits import Limits
from analyzer.readers.records import NOTE_COLUMNS, Records, Source
from analyzer.types import Failure, Note

_BATCH_ROWS = 1000
# ValueError: names of columns that are not UTF-8, which pyarrow decodes without a check.
_ARROW_ERRORS = (pyarrow.ArrowException, OSError, ValueError, OverflowError)
# What a value of Arrow raises where Python's type cannot hold it: text that is not UTF-8, a date beyond year 9999.
_VALUE_ERRORS = (pyarrow.ArrowException, ValueError, OverflowError)


class _Unreadable:
    """Stands for a value that Python cannot hold."""


_UNREADABLE = _Unreadable()


def read_parquet(stream: BinaryIO, source: Source, limits: Limits) -> Iterator[Note | Failure]:
    """Yield the notes of a Parquet file."""
    names, n_rows, batches = _open(stream, limits)
    fields = NOTE_COLUMNS.match(names)
    if "text" not in fields:
        raise NOTE_COLUMNS.missing()
    if n_rows > limits.max_rows:
        raise NoteError("too-many-rows", f"the file has {n_rows:,} rows; the limit is {limits.max_rows:,}")
    records = Records(source, limits)
    row = 0
    for batch in _read_batches(batches):
        for values in zip(*map(_to_python, batch.columns), strict=True):
            row += 1
            if _UNREADABLE in values:
                index = values.index(_UNREADABLE)
                error = NoteError("wrong-type", "the value cannot be read", field=fields[index] or names[index])
                yield source.failure(error, row)
            else:
                yield records.read(names, values, row)


def _open(stream: BinaryIO, limits: Limits) -> tuple[Sequence[str], int, Iterator[Any]]:
    try:
        file = pyarrow.parquet.ParquetFile(stream)
        metadata = file.metadata
        unpacked_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        names = tuple(file.schema_arrow.names)
        batches = file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False)
    except _ARROW_ERRORS as error:
        raise _damaged() from error
    if unpacked_bytes > limits.max_zip_bytes:
        raise NoteError(
            "archive-too-large", f"the file unpacks to {unpacked_bytes:,} bytes; the limit is {limits.max_zip_bytes:,}"
        )
    return names, metadata.num_rows, batches


def _read_batches(batches: Iterator[Any]) -> Iterator[Any]:
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except _ARROW_ERRORS as error:
            raise _damaged() from error
        yield batch


def _to_python(column: Any) -> list[object]:
    try:
        values: list[object] = column.to_pylist()
    except _VALUE_ERRORS:
        return [_value(cell) for cell in column]
    return values


def _value(cell: Any) -> object:
    try:
        return cell.as_py()
    except _VALUE_ERRORS:
        return _UNREADABLE


def _damaged() -> NoteError:
    return NoteError("corrupt-file", "not a Parquet file, or a damaged one")
