"""The labelled notes: where they stand, which split they belong to, and how they are read."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analyzer.types import Label

HERE = Path(__file__).parent
NOTES = HERE / "notes"
REFERENCE = HERE / "reference" / "dev.jsonl"
LABELS = tuple(Label)
WHOLE = ("train", "reserve", "validation", "test", "test_second")  # splits of whole notes; others hold short pieces
FITTED = ("train", "fragments")  # the splits that anything is fitted on
Record = Mapping[str, Any]


def splits() -> dict[str, list[str]]:
    """The batches of each split, in the order of ``splits.json``."""
    found: dict[str, list[str]] = json.loads((HERE / "splits.json").read_text(encoding="utf-8"))
    return found


def authors() -> dict[str, str]:
    """The author of each batch; an author writes as several invented clinicians, a batch for each."""
    batches: dict[str, list[str]] = json.loads((HERE / "authors.json").read_text(encoding="utf-8"))
    return {batch: author for author, written in batches.items() for batch in written}


def read_lines(path: Path) -> Iterator[Record]:
    """The records of a JSON Lines file.

    Raises
    ------
    ValueError
        When a line is no JSON object; names file and line.
    """
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                match json.loads(line):
                    case dict() as record:
                        yield record
                    case _:
                        raise ValueError("no JSON object")
            except ValueError as error:
                raise ValueError(f"{path.name}, line {number}: expected a JSON object") from error


def read_split(split: str) -> list[Record]:
    """The notes of a split, in the order of batch and line."""
    return [note for batch in splits()[split] for note in read_lines(NOTES / f"{batch}.jsonl")]


def digest(names: Sequence[str] = FITTED) -> str:
    """SHA-256 over the files of some splits, which a fitted artifact states and a test compares."""
    batches = [batch for name in names for batch in splits()[name]]
    return hashlib.sha256(b"".join((NOTES / f"{batch}.jsonl").read_bytes() for batch in batches)).hexdigest()


def words(record: Record) -> list[str]:
    """The text of each segment."""
    return [record["text"][segment["start"] : segment["end"]] for segment in record["segments"]]
