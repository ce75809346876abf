"""Bytes to text, exactly as given: line ends stay, only a byte order mark goes."""

import codecs
import io
import re
from typing import BinaryIO

from charset_normalizer import from_bytes

from analyzer.errors import NoteError

# UTF-32 stands first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNATURES = (
    (b"PK\x03\x04", "a ZIP archive, such as a .docx or .xlsx file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an older Office document"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_CHUNK_BYTES = 1 << 20
# A statistical detector needs about this much to tell one single-byte code page from another.
_SAMPLE_BYTES = 1 << 16
_SHORT_BYTES = 1000


def find_encoding(stream: BinaryIO) -> str:
    """Return the name of the encoding of a seekable stream, which is left at its start.

    A byte order mark decides; then UTF-8 if every byte fits; then Windows-1252 for text that is short or mostly ASCII;
    then what charset-normalizer makes of it.

    Raises
    ------
    NoteError
        ``not-text`` where the content is another kind of file or no encoding fits.
    """
    stream.seek(0)
    sample = stream.read(_SAMPLE_BYTES)
    stream.seek(0)
    for signature, description in _SIGNATURES:
        if sample.startswith(signature):
            raise NoteError("not-text", f"expected text, found {description}")
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if _fits(stream, "utf-8"):
        return "utf-8"
    share = sum(byte > 0x7F for byte in sample) / len(sample)
    if (len(sample) <= _SHORT_BYTES or share <= 0.1) and _fits(stream, "cp1252"):
        return "cp1252"
    best = from_bytes(sample).best()
    if best is None:
        raise NoteError("not-text", "no known text encoding fits the bytes")
    return best.encoding


def open_text(stream: BinaryIO) -> io.TextIOWrapper:
    """Return a seekable stream as text, with line ends as given."""
    return io.TextIOWrapper(stream, encoding=find_encoding(stream), newline="")


def decode(content: bytes) -> str:
    """Return bytes of unknown encoding as text."""
    try:
        return content.decode(find_encoding(io.BytesIO(content)))
    except UnicodeError:
        raise bad_encoding() from None  # the cause quotes the text


def bad_encoding() -> NoteError:
    """Return the error for bytes that contradict the encoding they announce."""
    return NoteError("bad-encoding", "the bytes do not fit the text encoding that the file announces or begins with")


def check_is_text(text: str, *, field: str | None = None) -> None:
    """Raise NoteError ``not-text`` for NUL characters, for half surrogate pairs and for more than 5 % control codes."""
    if "\0" in text:
        raise NoteError("not-text", "expected text, found NUL characters", field=field)
    if len(_CONTROL.findall(text)) > len(text) / 20:
        raise NoteError("not-text", "expected text, found mostly control characters", field=field)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteError(
            "not-text", "expected text, found half of a surrogate pair", field=field
        ) from None  # the cause quotes the text


def _fits(stream: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        stream.seek(0)
    return True
