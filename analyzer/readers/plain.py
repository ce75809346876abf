"""Text files that hold one note."""

from collections.abc import Iterator
from typing import BinaryIO

from analyzer.readers.encoding import decode
from analyzer.readers.limits import Limits
from analyzer.readers.records import Records, Source
from analyzer.types import Failure, Note


def read_plain(stream: BinaryIO, source: Source, limits: Limits) -> Iterator[Note | Failure]:
    """Yield the one note of a text file, with its line ends as given: offsets point into it."""
    yield Records(source, limits).read(("text",), (decode(stream.read()),), None)
