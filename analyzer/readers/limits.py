"""How much a file may hold before it is refused: a clear failure instead of a process without memory."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the readers accept at most. Whatever exceeds a limit is a failure that names it; nothing is cut.

    Parameters
    ----------
    max_file_bytes : int
        Size of a table, a JSON file or standard input.
    max_note_file_bytes : int
        Size of a file, or of an attachment, that holds one note.
    max_note_chars : int
        Characters of one note.
    max_nesting : int
        Depth of JSON arrays and objects.
    max_zip_bytes : int
        Unpacked size of a ``.docx`` or ``.xlsx``, and of a ``.parquet``.
    max_zip_ratio : int
        Unpacked size as a multiple of the file's, heeded above 10 MB unpacked. Text packs about ten times smaller.
    max_rows : int
        Rows of a table, lines of a JSON Lines file, members of a JSON array, entries of a Bundle.
    """

    max_file_bytes: int = 200_000_000
    max_note_file_bytes: int = 5_000_000
    max_note_chars: int = 100_000
    max_nesting: int = 64
    max_zip_bytes: int = 200_000_000
    max_zip_ratio: int = 100
    max_rows: int = 1_000_000


DEFAULT_LIMITS = Limits()
