"""ZIP archives, which .docx and .xlsx are: nothing is handed to a parser before all of it is known to be harmless."""

import struct
import zlib
from lzma import LZMAError
from typing import BinaryIO
from zipfile import BadZipFile, LargeZipFile, ZipFile, ZipInfo

from analyzer.errors import NoteError
from analyzer.readers.limits import Limits

# What zipfile raises on damaged or unusual archives: it has no common base. RuntimeError: an encrypted member,
# NotImplementedError: an unknown compression method, ValueError: a name or date that cannot be.
ZIP_ERRORS = (
    BadZipFile, LargeZipFile, zlib.error, LZMAError, EOFError, OSError, KeyError,
    RuntimeError, ValueError, struct.error,
)  # fmt: skip

_OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The stream of an OLE container that holds a document with a password ([MS-OFFCRYPTO] 2.3.4.4).
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
# Office files have no document type (ECMA-376-2, 9.1.4): one that has is made to blow up whoever expands its entities.
_DOCTYPES = (b"<!DOCTYPE", b"<!DOCTYPE".decode().encode("utf-16-le"), b"<!DOCTYPE".decode().encode("utf-16-be"))
_LONGEST_DOCTYPE = max(map(len, _DOCTYPES))
_XML_SUFFIXES = (".xml", ".rels", ".vml")
_CHUNK_BYTES = 1 << 18
_RATIO_FLOOR_BYTES = 10_000_000


def open_archive(stream: BinaryIO, limits: Limits) -> ZipFile:
    """Return a ZIP archive, each member of which unpacks within the limits and declares no XML entities.

    Raises
    ------
    NoteError
        ``wrong-format``, ``password-protected``, ``corrupt-file``, ``archive-too-large`` or ``unsafe-xml``.
    """
    _check_signature(stream)
    try:
        archive = ZipFile(stream)
        members = archive.infolist()
        if any(member.flag_bits & 1 for member in members):
            raise NoteError("password-protected", "the file is protected by a password")
        packed_bytes = stream.seek(0, 2)
        # Twice: what the directory says costs nothing to check, but only what is unpacked is true.
        _check_size(sum(member.file_size for member in members), packed_bytes, limits)
        total = 0
        for member in members:
            total = _check_member(archive, member, total, packed_bytes, limits)
    except ZIP_ERRORS as error:
        raise NoteError("corrupt-file", "the file is damaged: it cannot be unpacked") from error
    return archive


def _check_signature(stream: BinaryIO) -> None:
    stream.seek(0)
    head = stream.read(len(_OLE_SIGNATURE))
    if head == _OLE_SIGNATURE:
        if _ENCRYPTED_STREAM in stream.read():
            raise NoteError("password-protected", "the file is protected by a password")
        raise NoteError("wrong-format", "expected an Office Open XML file, found an older Office document")
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise NoteError("wrong-format", "expected an Office Open XML file, found something else")
    stream.seek(0)


def _check_size(unpacked_bytes: int, packed_bytes: int, limits: Limits) -> None:
    if unpacked_bytes > limits.max_zip_bytes:
        raise NoteError(
            "archive-too-large", f"the file unpacks to over {limits.max_zip_bytes:,} bytes, which is the limit"
        )
    if unpacked_bytes > _RATIO_FLOOR_BYTES and unpacked_bytes > limits.max_zip_ratio * packed_bytes:
        ratio = unpacked_bytes // packed_bytes
        raise NoteError(
            "archive-too-large", f"the file unpacks to {ratio} times its size; the limit is {limits.max_zip_ratio}"
        )


def _check_member(archive: ZipFile, member: ZipInfo, total: int, packed_bytes: int, limits: Limits) -> int:
    is_xml = member.filename.lower().endswith(_XML_SUFFIXES)
    tail = b""
    with archive.open(member) as content:
        while chunk := content.read(_CHUNK_BYTES):
            total += len(chunk)
            _check_size(total, packed_bytes, limits)
            if is_xml and any(doctype in tail + chunk for doctype in _DOCTYPES):
                raise NoteError("unsafe-xml", "the file declares XML entities, which no Office program writes")
            tail = chunk[-_LONGEST_DOCTYPE:]
    return total
