"""Variants of labelled notes in which the words look different and every label stays what it was.

Each kind of change is a function of a note and a random generator; the offsets of the segments follow it. What a
clinician could review (abbreviations, headings, boilerplate) stands in ``augmentation/*.csv``.

The same notes, seed, kinds and rate give the same variants. Variants are made when they are needed and never stored.
"""

import csv
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from training_data.corpus import HERE, Record

TABLES = HERE / "augmentation"
RATE = 0.5  # share of the places at which a change is made
TYPO_RATE = 0.06  # share of the longer words that are misspelt
SHORTEST_MISSPELT = 5  # letters
Random = random.Random


@dataclass(frozen=True, order=True)
class Edit:
    """A half-open span of the text and what replaces it."""

    start: int
    end: int
    replacement: str


@cache
def _table(name: str) -> tuple[Mapping[str, str], ...]:
    with (TABLES / f"{name}.csv").open(encoding="utf-8", newline="") as rows:
        return tuple(csv.DictReader(rows))


def _whole_words(terms: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(terms, key=lambda term: (-len(term), term))
    ends = [re.escape(term) + ("" if term.endswith("/") else r"(?![\w/'’-])") for term in longest_first]
    return re.compile(r"(?<![\w/'’-])(?:" + "|".join(ends) + ")")


def _cased_like(word: str, model: str) -> str:
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def abbreviate(note: Record, rng: Random) -> Iterator[Edit]:
    """``patient`` to ``pt``, ``with`` to ``w/`` …"""
    short = {row["full"]: row["short"] for row in _table("abbreviations")}
    for found in _whole_words([*short, *(_cased_like(f, "A") for f in short)]).finditer(note["text"]):
        if rng.random() < RATE:
            word = found[0]
            replacement = short.get(word) or _cased_like(short[word[:1].lower() + word[1:]], word)
            yield Edit(found.start(), found.end(), replacement)


def expand(note: Record, rng: Random) -> Iterator[Edit]:
    """``pt`` to ``patient`` …, where the abbreviation has one meaning only."""
    full = {row["short"]: row["full"] for row in reversed(_table("abbreviations")) if row["expand"] == "yes"}
    for found in _whole_words(list(full)).finditer(note["text"]):
        if rng.random() < RATE:
            after = note["text"][found.end() : found.end() + 1]
            space = " " if found[0].endswith("/") and after.isalnum() else ""
            yield Edit(found.start(), found.end(), full[found[0]] + space)


def recase(note: Record, rng: Random) -> Iterator[Edit]:
    """All small letters, all capitals, or small letters at the beginning of segments."""
    text, way = note["text"], rng.choice(("lower", "upper", "begin"))
    if way == "begin":
        starts = [segment["start"] for segment in note["segments"]]
        words = [at for at in starts if text[at].isupper() and text[at + 1 : at + 2].islower()]
        yield from (Edit(at, at + 1, text[at].lower()) for at in words if rng.random() < RATE)
        return
    for at, letter in enumerate(text):
        changed = letter.lower() if way == "lower" else letter.upper()
        if changed != letter and len(changed) == 1:
            yield Edit(at, at + 1, changed)


def misspell(note: Record, rng: Random) -> Iterator[Edit]:
    """Letters of longer words swapped, left out or doubled, never the first or the last."""
    for found in re.finditer(rf"[A-Za-z]{{{SHORTEST_MISSPELT},}}", note["text"]):
        if rng.random() < TYPO_RATE:
            at = rng.randrange(found.start() + 1, found.end() - 2)
            one, two = note["text"][at : at + 2]
            yield Edit(at, at + 2, rng.choice((two + one, one, two, one + one + two)))


def retitle(note: Record, rng: Random) -> Iterator[Edit]:
    """Another style of section headings, the same for the whole note: ``S:``, ``Subjective:``, ``SUBJECTIVE`` …"""
    styles: dict[str, list[str]] = {}
    section_of = {}
    for row in _table("headers"):
        styles.setdefault(row["section"], []).append(row["header"])
        section_of[row["header"]] = row["section"]
    style = rng.randrange(min(map(len, styles.values())))
    for segment in note["segments"]:
        words = note["text"][segment["start"] : segment["end"]]
        for header in sorted(section_of, key=len, reverse=True):
            if words.startswith(header + " ") or words == header:
                at = segment["start"]
                yield Edit(at, at + len(header), styles[section_of[header]][style])
                break


# What tells a score from a date: what follows it, more than twelve right, or more trials than a month has days.
_SCORE = re.compile(
    r"(?<![\d/.-])(?P<right>\d{1,3})(?P<between>\s?/\s?|\sof\s|\sout of\s)(?P<trials>\d{1,3})(?![\d/.-]|\s?(?:am|pm)\b)"
    r"(?P<after>\s?(?:\(|trials|opp|correct|words|acc|w/|with|given|items))?"
)
_PERCENT = re.compile(r"(?<![\d.])(\d{1,3})(\s?%|\spercent)(?!\w)")


def renumber(note: Record, rng: Random) -> Iterator[Edit]:
    """``14/20`` to ``14 of 20`` or ``14 out of 20``, ``70%`` to ``70 %`` or ``70 percent``, and back."""
    for found in _SCORE.finditer(note["text"]):
        right, trials = int(found["right"]), int(found["trials"])
        is_score = right <= trials and (found["after"] or right > 12 or trials > 31)
        if is_score and rng.random() < RATE:
            yield Edit(found.start("between"), found.end("between"), rng.choice(("/", " / ", " of ", " out of ")))
    for found in _PERCENT.finditer(note["text"]):
        if rng.random() < RATE:
            yield Edit(found.start(2), found.end(2), rng.choice(("%", " %", " percent")))


_BULLET = re.compile(r"[-–•*·]\s|\d[.)]\s|\[[ xX]\]|☐|☒")


def reorder(note: Record, rng: Random) -> Record:
    """Bullets that follow one another, each on its line, in another order."""
    text, segments = note["text"], note["segments"]
    blocks: list[list[int]] = []
    for at, segment in enumerate(segments):
        before = text[segments[at - 1]["end"] : segment["start"]] if at else "\n"
        after = text[segment["end"] : segments[at + 1]["start"]] if at + 1 < len(segments) else "\n"
        is_line = "\n" in before and "\n" in after and _BULLET.match(text, segment["start"]) is not None
        if is_line and blocks and blocks[-1][-1] == at - 1:
            blocks[-1].append(at)
        elif is_line:
            blocks.append([at])
    order = list(range(len(segments)))
    for block in blocks:
        if len(block) > 1 and not any(text[segments[at]["start"]].isdigit() for at in block):
            shuffled = rng.sample(block, len(block))
            for place, at in zip(block, shuffled, strict=True):
                order[place] = at
    return _assemble(note, order)


def _assemble(note: Record, order: Sequence[int]) -> Record:
    """The segments in another order, with the same text between the places."""
    text, segments = note["text"], note["segments"]
    parts, moved, end, length = [], [], 0, 0
    for place, at in enumerate(order):
        between = text[end : segments[place]["start"]]
        words = text[segments[at]["start"] : segments[at]["end"]]
        start = length + len(between)
        length = start + len(words)
        moved.append({**segments[at], "start": start, "end": length})
        parts += [between, words]
        end = segments[place]["end"]
    return {**note, "text": "".join(parts) + text[end:], "segments": moved}


def pad(note: Record, rng: Random) -> Record:
    """One or two boilerplate sentences at the end of the note or of a line, as segments with labels of their own."""
    text, segments = note["text"], [dict(segment) for segment in note["segments"]]
    for row in rng.sample(_table("boilerplate"), rng.choice((1, 2))):
        ends = [
            at
            for at, segment in enumerate(segments)
            if at + 1 == len(segments) or "\n" in text[segment["end"] : segments[at + 1]["start"]]
        ]
        at = rng.choice(ends)
        place = segments[at]["end"]
        glue = "\n" if "\n" in text or not text[:place].endswith((".", "!", "?")) else " "
        inserted = glue + row["text"]
        labels = row["labels"].split()
        new = {"start": place + len(glue), "end": place + len(inserted), "labels": labels}
        for later in segments[at + 1 :]:
            later["start"] += len(inserted)
            later["end"] += len(inserted)
        segments.insert(at + 1, new)
        text = text[:place] + inserted + text[place:]
    return {**note, "text": text, "segments": segments}


def _by_edits(edits: Callable[[Record, Random], Iterator[Edit]]) -> Callable[[Record, Random], Record]:
    def change(note: Record, rng: Random) -> Record:
        return apply(note, list(edits(note, rng)))

    return change


def apply(note: Record, edits: Sequence[Edit]) -> Record:
    """Make edits that do not overlap; the offsets of the segments follow.

    Raises
    ------
    ValueError
        When two edits overlap.
    """
    text, parts, end, shifts = note["text"], [], 0, [(0, 0)]
    for edit in sorted(edits):
        if edit.start < end:
            raise ValueError(f"two edits overlap at {edit.start}")
        parts += [text[end : edit.start], edit.replacement]
        end = edit.end
        shifts.append((edit.end, shifts[-1][1] + len(edit.replacement) - (edit.end - edit.start)))
    moved, number = [], 0
    for offset in sorted({at for segment in note["segments"] for at in (segment["start"], segment["end"])}):
        while number + 1 < len(shifts) and shifts[number + 1][0] <= offset:
            number += 1
        moved.append((offset, offset + shifts[number][1]))
    new = dict(moved)
    segments = [{**s, "start": new[s["start"]], "end": new[s["end"]]} for s in note["segments"]]
    return {**note, "text": "".join([*parts, text[end:]]), "segments": segments}


CHANGES: dict[str, Callable[[Record, Random], Record]] = {
    "abbreviate": _by_edits(abbreviate),
    "expand": _by_edits(expand),
    "retitle": _by_edits(retitle),
    "renumber": _by_edits(renumber),
    "reorder": reorder,
    "pad": pad,
    "misspell": _by_edits(misspell),
    "recase": _by_edits(recase),
}
SHARE = {"recase": 0.3, "pad": 0.4}  # share of the variants that undergo a change; the others always do


def augment(
    notes: Sequence[Record], *, seed: int, copies: int = 1, kinds: Sequence[str] = tuple(CHANGES)
) -> list[Record]:
    """Make ``copies`` variants of each note.

    Parameters
    ----------
    notes : sequence of records
    seed : int
        Each variant draws from a generator of its own, made from the seed, the note's id and the variant's number, so
        that a note added elsewhere changes nothing.
    copies : int
    kinds : sequence of str
        Names of ``CHANGES``; they are made in the order of that table.

    Returns
    -------
    list of records
        With the id of their note followed by ``~`` and a number, and the note as their family. A variant in which
        nothing changed is left out.

    Raises
    ------
    ValueError
        When a kind is unknown.
    """
    if unknown := set(kinds) - CHANGES.keys():
        raise ValueError(f"unknown kinds of change: {', '.join(sorted(unknown))}; known are {', '.join(CHANGES)}")
    variants: list[Record] = []
    for note in notes:
        for number in range(copies):
            rng = Random(f"{seed} {note['id']} {number}")
            changed = note
            for name, change in CHANGES.items():
                chosen = rng.random() < SHARE.get(name, 1.0)
                own = Random(rng.random())
                if name in kinds and chosen and changed["segments"]:
                    changed = change(changed, own)
            if changed["text"] != note["text"]:
                family = note.get("family", note["id"])
                variants.append({**changed, "id": f"{note['id']}~{number + 1}", "family": family})
    return variants
