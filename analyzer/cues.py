"""Mentions of cues and assistance: types, level, direction of change, wherever they stand beside each other."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analyzer.scan import Disjoint, Found
from analyzer.types import Cue, CueChange, CueLevel, Segment

_REACH = 30  # characters of connecting words between two items
_LONGEST = 12  # items in one mention; a longer run is a list, read in parts


@dataclass(frozen=True, slots=True)
class _Item:
    """A piece of a cue mention: a type, a level, a change of level, or a word for a cue."""

    start: int
    end: int
    tag: str
    value: str
    weight: float


def read_cues(
    folded: str, segments: Sequence[Segment], found: Mapping[str, Sequence[Found]]
) -> tuple[tuple[int, Cue], ...]:
    """Join what the rows of the cue tables found to mentions.

    Parameters
    ----------
    folded : str
    segments : sequence of Segment
    found : mapping of str to sequence of Found
        By tag: ``type``, ``level``, ``change``, ``word``.

    Returns
    -------
    tuple of (int, Cue)
        Segment index and cue, in the order of the text.
    """
    items: dict[int, list[_Item]] = defaultdict(list)
    for tag, rows in found.items():
        for one in rows:
            items[one.segment].append(_Item(one.start, one.end, tag, one.row.value, one.row.weight))
    cues = []
    for index in sorted(items):
        for chain in _chains(folded, _longest(items[index])):
            cue = _cue(folded, chain, segments[index])
            if cue is not None:
                cues.append((index, cue))
    return tuple(cues)


def _longest(items: list[_Item]) -> list[_Item]:
    """Of overlapping items of one tag keep the longest; what is surely no cue silences every tag."""
    kept: list[_Item] = []
    taken: dict[str, Disjoint] = defaultdict(Disjoint)
    exact: set[tuple[str, int, int]] = set()
    for item in sorted(items, key=lambda i: (i.start - i.end, -i.weight, i.start, i.tag)):
        if taken["not"].touches(item.start, item.end):
            continue
        key = (item.tag, item.start, item.end)
        if key in exact:
            kept.append(item)  # the same words give two values: "written choices"
        elif not taken[item.tag].touches(item.start, item.end):
            taken[item.tag].add(item.start, item.end)
            exact.add(key)
            kept.append(item)
            if item.value == "not":
                taken["not"].add(item.start, item.end)
    return sorted(kept, key=lambda i: (i.start, i.end))


_LINK = re.compile(
    r"[ ,/&+()\-:>\n]*(?:(?:and|or|to|with|w/|c/|then|a|an|the|of|for|level|levels|only|just|plus|from|x ?\d+|\d+ ?%|"
    r"~?\d+|via|in|single|direct|clinician|slp|as well as|using|by|my|one|two|three|required|needed|provided|given|"
    r"type|amount|quick|gentle|simple|specific|on \d+/\d+|for \d+/\d+|down|back|out|his|her|was|were|is|at|start|"
    r"first|initially|end|beginning)[ ,/&+()\-:>\n]+)*"
)


def _chains(folded: str, items: list[_Item]) -> Iterator[list[_Item]]:
    """Runs of items that nothing but connecting words stand between."""
    chain: list[_Item] = []
    reach = 0
    for item in items:
        if chain and (len(chain) >= _LONGEST or (item.start > reach and _is_apart(folded, reach, item))):
            yield chain
            chain = []
        if item.value != "not":
            chain.append(item)
            reach = max(reach, item.end)
    if chain:
        yield chain


def _is_apart(folded: str, reach: int, item: _Item) -> bool:
    return item.start - reach > _REACH or item.value == "not" or not _LINK.fullmatch(folded, reach, item.start)


_LEVELS = list(CueLevel)
_DIGIT_BEFORE = re.compile(r"(?<![/\d])\d+ ?-?$")
_STANDS_ALONE = re.compile(r" *(?:$|[\n.,;:)]|for |to |x ?\d|w/|and |on |in |at |@|during |throughout|\d)")


def _cue(folded: str, chain: list[_Item], segment: Segment) -> Cue | None:
    """Read one chain of items as a cue mention; None where it is none after all."""
    chain = [item for item in chain if not _is_minutes(folded, item, chain, segment)]
    while len(chain) > 1 and _is_material(folded, chain[0], chain[1]):
        chain = chain[1:]
    has_word = any(item.tag == "word" for item in chain)
    types = [item for item in chain if item.tag == "type"]
    levels = [
        item
        for item in chain
        if item.tag == "level"
        and (item.weight >= 1 or not any(t.start <= item.start and item.end <= t.end for t in types))  # "light touch"
    ]
    changes = [item for item in chain if item.tag == "change"]
    if not has_word:
        # "min verbal" without a noun counts only where nothing follows that could be what it describes; and a type that
        # needs a noun ("picture") does not join a level that needs none ("independently").
        is_short = bool(types and levels) and levels[0].weight < 1 and bool(_STANDS_ALONE.match(folded, chain[-1].end))
        types = [item for item in types if item.weight >= 1 or is_short]
        levels = levels if types or any(item.weight >= 1 for item in levels) else []
    else:
        types = [item for item in types if item.weight >= 1 or levels or _is_beside_word(item, chain)]
    if not types and not levels and not (has_word and changes and changes[0].value == CueChange.FADED):
        return None
    change = CueChange(changes[0].value) if changes and (types or levels or has_word) else None
    order = [CueLevel(item.value) for item in levels]
    level = order[0] if order else None
    upper = None
    if len(order) > 1 and order[0] != order[-1]:
        is_less = _LEVELS.index(order[-1]) < _LEVELS.index(order[0])
        if change is None and _FROM.search(folded, max(segment.start, levels[0].start - 6), levels[0].start):
            change = CueChange.FADED if is_less else CueChange.INCREASED
        elif change is None:
            level, upper = sorted((order[0], order[-1]), key=_LEVELS.index)
    return Cue(
        start=min(item.start for item in chain),
        end=max(item.end for item in chain),
        types=tuple(sorted({item.value for item in types})),
        level=level,
        level_upper=upper,
        change=change,
    )


def _is_material(folded: str, first: _Item, second: _Item) -> bool:
    """Whether a type names what was worked with, not a cue: "pictures with mod phonemic cues"."""
    is_weak = first.tag == "type" and first.weight < 1
    return is_weak and _WITH.match(folded, first.end, max(first.end, second.start)) is not None


_FROM = re.compile(r"\bfrom $")
_WITH = re.compile(r"[ ,]*(?:with|w/|c/|given|using|via) ")


def _is_minutes(folded: str, item: _Item, chain: list[_Item], segment: Segment) -> bool:
    """Whether a "min" is one of time: a number stands before it, and nothing of cues after it."""
    if item.tag != "level" or item.value != CueLevel.MINIMAL:
        return False
    if not _DIGIT_BEFORE.search(folded[max(segment.start, item.start - 8) : item.start]):
        return False
    return not any(other.tag in ("type", "word") and 0 <= other.start - item.end <= 2 for other in chain)


def _is_beside_word(item: _Item, chain: list[_Item]) -> bool:
    """Whether a cue word or another type stands directly before or after, as in "verbal and tactile cues"."""
    position = chain.index(item)
    return any(
        0 <= other < len(chain) and chain[other].tag in ("word", "type") for other in (position - 1, position + 1)
    )
