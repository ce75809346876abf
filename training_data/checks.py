"""What every file of labelled notes must satisfy; what does not is said with batch, id and field, never with text."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from datasketch import MinHash, MinHashLSH

from analyzer.lexicon import load_lexicons
from analyzer.types import Dimension, Kind, Label, Verdict
from training_data.corpus import FITTED, LABELS, WHOLE, Record

FIELDS = {
    "id": str,
    "batch": str,
    "patient_id": str,
    "setting": str,
    "style": str,
    "age": str,
    "text": str,
    "segments": list,
    "kind": str,
    "verdict": str,
    "rubric": dict,
    "score": (int, float),
    "icd10": list,
    "icd10_acceptable": list,
}
OPTIONAL = {"family": str}
SINCE_OCTOBER_2026 = {"Z87.8901", "Z87.8902", "Z87.8903", "Z87.8904", "Z87.8909", "Z87.893"}  # newer than the library
RUN = 9  # words in a row that a note may not share with the reference set
SHINGLE = 3  # words of a shingle
NEAR = 0.3  # Jaccard similarity of shingles above which two notes are too much alike
PERMUTATIONS, BANDS = 128, (64, 2)  # finds a pair of similarity 0.3 with probability 0.998, one of 0.5 always
SHORTEST = 12  # shingles below which a text is too short to be called a copy


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong with a note."""

    batch: str
    id: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.batch}: {self.id}: {self.field}: {self.message}"


@dataclass(frozen=True, order=True)
class Pair:
    """Two notes whose shingles are alike, and how much."""

    first: str
    second: str
    similarity: float


def form(note: Record, batch: str) -> Iterator[Problem]:
    """Fields, offsets, labels, ratings and score of one note."""

    def problem(field: str, message: str) -> Problem:
        return Problem(batch, str(note.get("id", "?")), field, message)

    wrong = [name for name, kind in FIELDS.items() if not isinstance(note.get(name), kind)]
    wrong += [name for name, kind in OPTIONAL.items() if name in note and not isinstance(note[name], kind)]
    yield from (problem(name, "missing or of the wrong type") for name in wrong)
    yield from (problem(name, "unknown field") for name in note.keys() - FIELDS.keys() - OPTIONAL.keys())
    if wrong:
        return
    if note["batch"] != batch:
        yield problem("batch", f"is {note['batch']!r} in the file of {batch!r}")
    if not note["id"].startswith(f"{batch}-"):
        yield problem("id", "does not begin with its batch")
    yield from (problem(f"segments[{at}]", message) for at, message in _spans(note))
    for field, known in (("kind", Kind), ("verdict", Verdict)):
        if note[field] not in set(known):
            yield problem(field, f"{note[field]!r} is unknown")
    if set(note["rubric"]) != set(Dimension) or not set(note["rubric"].values()) <= {0, 1, 2}:
        yield problem("rubric", "needs each of the seven dimensions rated 0, 1 or 2")
    elif note["score"] != sum(_weights()[Dimension(name)] * rating / 2 for name, rating in note["rubric"].items()):
        yield problem("score", "is not the sum of the weighted ratings")


@cache
def _weights() -> Mapping[Dimension, float]:
    return load_lexicons().weights


def _spans(note: Record) -> Iterator[tuple[int, str]]:
    text, end = note["text"], 0
    for at, segment in enumerate(note["segments"]):
        if not _is_segment(segment):
            yield at, "needs start and end (whole numbers) and labels (a list), and nothing else"
            return
        start, stop, labels = segment["start"], segment["end"], segment["labels"]
        if not end <= start < stop <= len(text):
            yield at, "overlaps the one before it, is empty or leaves the text"
        elif text[start:stop] != text[start:stop].strip():
            yield at, "begins or ends with a space"
        elif re.search(r"\w{2}", text[end:start]):
            yield at, "leaves words before it outside of any segment"
        if not set(labels) <= set(Label):
            yield at, "carries an unknown label"
        if labels != sorted(set(labels)):
            yield at, "has labels unsorted or twice"
        end = max(end, stop)
    if re.search(r"\w{2}", text[end:]):
        yield len(note["segments"]) - 1, "leaves words after it outside of any segment"


def _is_segment(segment: object) -> bool:
    return (
        isinstance(segment, dict)
        and segment.keys() == {"start", "end", "labels"}
        and type(segment["start"]) is int
        and type(segment["end"]) is int
        and isinstance(segment["labels"], list)
    )


def codes(note: Record) -> Iterator[Problem]:
    """Codes that are no billable ICD-10-CM codes, and codes given twice."""
    import simple_icd_10_cm as catalogue

    given = [*note["icd10"], *note["icd10_acceptable"]]
    for code in given:
        if code not in SINCE_OCTOBER_2026 and not (catalogue.is_valid_item(code) and catalogue.is_leaf(code)):
            yield Problem(note["batch"], note["id"], "icd10", f"{code} is no billable ICD-10-CM code")
    if len(given) != len(set(given)):
        yield Problem(note["batch"], note["id"], "icd10", "gives a code twice")


def normal_words(text: str) -> list[str]:
    """Lower-case words and numbers of a text."""
    return re.sub(r"\W+", " ", text.lower()).split()


def shingles(text: str, length: int = SHINGLE) -> frozenset[tuple[str, ...]]:
    """All runs of so many words."""
    found = normal_words(text)
    return frozenset(tuple(found[i : i + length]) for i in range(len(found) - length + 1))


def borrowed(notes: Iterable[Record], reference: Iterable[Record]) -> Iterator[Problem]:
    """Notes that share nine words in a row with a reference note."""
    theirs = frozenset().union(*(shingles(note["text"], RUN) for note in reference))
    for note in notes:
        if shingles(note["text"], RUN) & theirs:
            yield Problem(note["batch"], note["id"], "text", f"shares {RUN} words in a row with the reference set")


def near_duplicates(notes: Sequence[Record], least: float = NEAR) -> list[Pair]:
    """Pairs of notes whose word 3-grams have a Jaccard similarity of at least ``least``.

    Candidates come from MinHash with locality-sensitive hashing; their similarity is then computed exactly.
    """
    sets = {note["id"]: shingles(note["text"]) for note in notes}
    sets = {id: found for id, found in sets.items() if len(found) >= SHORTEST}
    hashes = {}
    index = MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)
    for id, found in sets.items():
        hashes[id] = MinHash(num_perm=PERMUTATIONS)
        hashes[id].update_batch(" ".join(shingle).encode() for shingle in found)
        index.insert(id, hashes[id])
    pairs = []
    for id, found in sets.items():
        for other in index.query(hashes[id]):
            if id < other:
                similarity = len(found & sets[other]) / len(found | sets[other])
                if similarity >= least:
                    pairs.append(Pair(id, other, similarity))
    return sorted(pairs)


def are_variants(first: Record, second: Record) -> bool:
    """Whether two notes are declared variants of each other."""
    return "family" in first and first["family"] == second.get("family")


def unexplained(notes: Sequence[Record], pairs: Sequence[Pair]) -> Iterator[Problem]:
    """Near-duplicates that are no declared variants of one another."""
    by_id = {note["id"]: note for note in notes}
    for pair in pairs:
        first = by_id[pair.first]
        if not are_variants(first, by_id[pair.second]):
            message = f"is a near-duplicate of {pair.second} (Jaccard {pair.similarity:.2f}) outside of its family"
            yield Problem(first["batch"], pair.first, "text", message)


def duplicates(notes: Iterable[Record]) -> Iterator[Problem]:
    """Ids that stand twice, and texts of no one family that differ in nothing but spaces, marks and capitals."""
    ids = Counter(note["id"] for note in notes)
    seen: dict[tuple[str, ...], Record] = {}
    for note in notes:
        if ids[note["id"]] > 1:
            yield Problem(note["batch"], note["id"], "id", "stands twice")
        text = tuple(normal_words(note["text"]))
        first = seen.setdefault(text, note)
        if first is not note and not are_variants(first, note):
            yield Problem(note["batch"], note["id"], "text", f"is that of {first['id']}")


def grouping(by_split: Mapping[str, Sequence[Record]]) -> Iterator[Problem]:
    """Batches, patients and families that stand on both sides of the line between fitting and measuring."""
    for field in ("batch", "patient_id", "family"):
        found: dict[str, dict[str, Record]] = defaultdict(dict)
        for split, notes in by_split.items():
            side = FITTED[0] if split in FITTED else split
            for note in notes:
                if field in note:
                    found[note[field]].setdefault(side, note)
        for value, sides in found.items():
            for one, other in combinations(sorted(sides), 2):
                note = sides[one]
                yield Problem(note["batch"], note["id"], field, f"{value!r} stands in {one} and in {other}")


def shared_authors(by_split: Mapping[str, Sequence[Record]], author_of: Mapping[str, str]) -> Iterator[Problem]:
    """Authors of whole notes on both sides of the line between fitting and measuring."""
    side_of: dict[str, str] = {}
    for split in WHOLE:
        for note in by_split.get(split, ()):
            author = author_of[note["batch"]]
            side = side_of.setdefault(author, split)
            if side != split:
                yield Problem(note["batch"], note["id"], "batch", f"is by {author}, who wrote for {side} too")


def lone_variants(notes: Iterable[Record]) -> Iterator[Problem]:
    """Families of one."""
    families = Counter(note["family"] for note in notes if "family" in note)
    for note in notes:
        if "family" in note and families[note["family"]] == 1:
            yield Problem(note["batch"], note["id"], "family", "has no other note")


def problems(
    by_split: Mapping[str, Sequence[Record]], reference: Sequence[Record], author_of: Mapping[str, str]
) -> list[Problem]:
    """Everything that is wrong with the notes; form first, as the rest relies on it.

    Parameters
    ----------
    by_split : mapping of str to sequence of records
        The notes of each split.
    reference : sequence of records
        Notes for measuring only, with which no run of words may be shared.
    author_of : mapping of str to str
        The author of each batch.

    Returns
    -------
    list of Problem
        Sorted; empty where nothing is wrong.
    """
    notes = [note for found in by_split.values() for note in found]
    malformed = [problem for note in notes for problem in form(note, str(note.get("batch")))]
    if malformed:
        return sorted(malformed)
    return sorted(
        {
            *(problem for note in notes for problem in codes(note)),
            *duplicates(notes),
            *lone_variants(notes),
            *grouping(by_split),
            *shared_authors(by_split, author_of),
            *borrowed(notes, reference),
            *unexplained(notes, near_duplicates(notes)),
        }
    )


def label_counts(notes: Iterable[Record]) -> dict[Label, int]:
    """Segments that carry each label."""
    counts = Counter(name for note in notes for segment in note["segments"] for name in segment["labels"])
    return {label: counts[label] for label in LABELS}
