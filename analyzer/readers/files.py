"""Paths to notes: finds the files, chooses the reader, turns what goes wrong with a file into a failure."""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from analyzer.errors import NoteError
from analyzer.readers.columnar import read_parquet
from analyzer.readers.delimited import read_delimited
from analyzer.readers.jsonfile import read_json, read_json_lines, read_unknown
from analyzer.readers.limits import DEFAULT_LIMITS, Limits
from analyzer.readers.plain import read_plain
from analyzer.readers.records import Source
from analyzer.readers.word import read_word
from analyzer.readers.workbook import read_workbook
from analyzer.types import Failure, Note

Reader = Callable[[BinaryIO, Source, Limits], Iterator[Note | Failure]]


@dataclass(frozen=True, slots=True)
class _Format:
    read: Reader
    is_one_note: bool = False


_FORMATS: Mapping[str, _Format] = {
    ".txt": _Format(read_plain, is_one_note=True),
    ".md": _Format(read_plain, is_one_note=True),
    ".docx": _Format(read_word, is_one_note=True),
    ".csv": _Format(read_delimited),
    ".tsv": _Format(read_delimited),
    ".xlsx": _Format(read_workbook),
    ".json": _Format(read_json),
    ".jsonl": _Format(read_json_lines),
    ".ndjson": _Format(read_json_lines),
    ".parquet": _Format(read_parquet),
}
_STDIN = "-"
# What operating systems and Office leave behind in folders, besides hidden files.
_TEMPORARY_PREFIXES = ("~$", "~lock.")
_TEMPORARY_SUFFIXES = ("~", ".tmp")
_TEMPORARY_NAMES = ("thumbs.db", "desktop.ini", "__macosx")


def read_notes(
    paths: Iterable[str | Path], *, stdin: BinaryIO | None = None, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Note | Failure]:
    """Yield the notes of files, of folders and of standard input, one file at a time.

    Folders are read recursively in the order of their names, without hidden and temporary files; each folder is
    entered once, whatever links lead to it. A record without ``id`` gets the file's stem, or stem and row. Whatever
    cannot be read is a failure in its place, and the rest goes on: only wrong arguments raise.

    Parameters
    ----------
    paths : iterable of str or Path
        Files and folders; ``-`` is standard input, which may hold FHIR, a JSON array, JSON Lines, or one plain note.
    stdin : binary file, optional
        What ``-`` reads; the standard input of the process where it is None.
    limits : Limits
        How much a file may hold.

    Yields
    ------
    Note or Failure
        In the order of the paths, and of the rows in each file.
    """
    stems = _Stems()
    for path in paths:
        if str(path) == _STDIN:
            yield from _read_stdin(sys.stdin.buffer if stdin is None else stdin, stems, limits)
        else:
            yield from _read_path(Path(path), stems, limits)


class _Stems:
    """Gives every file the stem of its notes' ids, and none to two files of a run."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def source(self, path: Path) -> Source:
        """Return a file's source: its stem is its name, or else its path, without suffix and then with it."""
        file = _show(path)
        candidates = [_show(Path(path.stem)), _show(path.with_suffix("")) if path.name else file, file]
        stem = next((stem for stem in candidates if stem not in self._taken), None)
        number = 2
        while stem is None:
            numbered = f"{file}~{number}"
            stem = None if numbered in self._taken else numbered
            number += 1
        self._taken.add(stem)
        return Source(file, stem)


def _read_stdin(stream: BinaryIO, stems: _Stems, limits: Limits) -> Iterator[Note | Failure]:
    source = Source(_STDIN, stems.source(Path("stdin")).stem)
    try:
        content = stream.read(limits.max_file_bytes + 1)
    except OSError as error:
        yield source.failure(_unreadable(error))
        return
    yield from _read_stream(io.BytesIO(content), len(content), _Format(read_unknown), source, limits)


def _read_path(top: Path, stems: _Stems, limits: Limits) -> Iterator[Note | Failure]:
    entered: set[tuple[int, int]] = set()
    pending = [top]
    n_files = 0
    while pending:
        path = pending.pop()
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                if (status.st_dev, status.st_ino) not in entered:
                    entered.add((status.st_dev, status.st_ino))
                    names = sorted(name for name in os.listdir(path) if not _is_left_out(name))  # noqa: PTH208  # names, not paths
                    pending.extend(path / name for name in reversed(names))
                continue
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            n_files += 1
            yield stems.source(path).failure(_unreadable(error))
            continue
        n_files += 1
        yield from _read_file(path, status.st_mode, stems.source(path), limits)
    if not n_files:
        yield stems.source(top).failure(NoteError("no-notes", "the folder holds no files"))


def _read_file(path: Path, mode: int, source: Source, limits: Limits) -> Iterator[Note | Failure]:
    format_ = _FORMATS.get(path.suffix.lower())
    if format_ is None:
        supported = ", ".join(_FORMATS)
        yield source.failure(NoteError("unsupported-format", f"expected one of {supported}"))
        return
    if not stat.S_ISREG(mode):
        yield source.failure(NoteError("unreadable-file", "expected a file, found a device or a pipe"))
        return
    try:
        with path.open("rb") as stream:
            yield from _read_stream(stream, os.fstat(stream.fileno()).st_size, format_, source, limits)
    except OSError as error:
        yield source.failure(_unreadable(error))


def _read_stream(
    stream: BinaryIO, n_bytes: int, format_: _Format, source: Source, limits: Limits
) -> Iterator[Note | Failure]:
    max_bytes = limits.max_note_file_bytes if format_.is_one_note else limits.max_file_bytes
    is_empty = True
    try:
        if n_bytes > max_bytes:
            raise NoteError("file-too-large", f"the file has {n_bytes:,} bytes; the limit is {max_bytes:,}")
        for result in format_.read(stream, source, limits):
            is_empty = False
            yield result
        if is_empty:
            raise NoteError("no-notes", "the file holds no notes")
    except NoteError as error:
        yield source.failure(error)


def _is_left_out(name: str) -> bool:
    folded = name.lower()
    return (
        folded.startswith((".", *_TEMPORARY_PREFIXES))
        or folded.endswith(_TEMPORARY_SUFFIXES)
        or folded in _TEMPORARY_NAMES
    )


def _unreadable(error: OSError | ValueError) -> NoteError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NoteError("file-not-found", "there is no such file or folder")
    reason = error.strerror if isinstance(error, OSError) else None
    return NoteError("unreadable-file", f"the file cannot be read: {reason or 'its name cannot be'}")


def _show(path: Path) -> str:
    """Return a path with slashes, and without the bytes of a name that are not UTF-8: no report could hold them."""
    return os.fsencode(path.as_posix()).decode(errors="replace")
