"""Lexicon rows over the segments to hits with offsets, and the typed attributes in them.

Techniques are matched on spaCy tokens of a blank English pipeline, patterns with RE2 on the folded copy, so that the
time grows with the length of the note and with nothing else.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import re2
import spacy
from spacy.matcher import PhraseMatcher
from spacy.util import filter_spans

from analyzer.lexicon import Lexicons, Pattern, Term
from analyzer.segment import Segmentation
from analyzer.types import Comparison, Cue, CueChange, CueLevel, Measure, Segment, Technique


@dataclass(frozen=True, slots=True)
class Hit:
    """A pattern row found in a segment."""

    row: str
    value: str
    weight: float
    segment: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hits:
    """Everything that the lexicons find in one note, in the order of the text."""

    evidence: tuple[Hit, ...] = ()
    weak: tuple[Hit, ...] = ()
    triggers: tuple[Hit, ...] = ()
    kinds: tuple[Hit, ...] = ()
    cues: tuple[tuple[int, Cue], ...] = ()
    measures: tuple[tuple[int, Measure], ...] = ()
    techniques: tuple[tuple[int, Technique], ...] = ()
    comparisons: tuple[tuple[int, Comparison], ...] = ()
    goals: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Item:
    """A piece of a cue mention: a type, a level, a change of level, or a word for a cue."""

    start: int
    end: int
    tag: str
    value: str
    weight: float


class Matcher:
    """Finds lexicon rows in segmented notes; made once from the lexicons, shared by all notes."""

    def __init__(self, lexicons: Lexicons) -> None:
        self._nlp = spacy.blank("en")
        self._any = PhraseMatcher(self._nlp.vocab, attr="LOWER")
        self._exact = PhraseMatcher(self._nlp.vocab, attr="ORTH")
        self._terms: dict[str, list[tuple[Term, re.Pattern[str] | None]]] = defaultdict(list)
        for term in lexicons.techniques:
            needs = re.compile(r"\b(?:" + "|".join(map(re.escape, term.needs)) + r")") if term.needs else None
            key = ("=" if term.is_exact else "~") + (term.term if term.is_exact else term.term.lower())
            self._terms[key].append((term, needs))
        for key in self._terms:
            (self._exact if key[0] == "=" else self._any).add(key, [self._nlp.make_doc(key[1:])])
        self._evidence = _compiled(lexicons.evidence)
        self._weak = _compiled(lexicons.weak)
        self._triggers = _compiled(lexicons.triggers)
        self._kinds = _compiled(lexicons.kinds)
        self._measures = _compiled(lexicons.measures)
        self._cue_parts = (
            *(("type", row, pattern) for row, pattern in _compiled(lexicons.cue_types)),
            *(("level", row, pattern) for row, pattern in _compiled(lexicons.cue_levels)),
            *(("change", row, pattern) for row, pattern in _compiled(lexicons.cue_changes)),
        )
        self._cue_word = re2.compile((r"\b(?:" + lexicons.classes["cueword"] + r")\b").encode())
        self._numbers = {word: float(value) for word, value in lexicons.settings["numbers"].items()}

    def __call__(self, segmentation: Segmentation) -> Hits:
        """Find everything in one segmented note.

        Parameters
        ----------
        segmentation : Segmentation

        Returns
        -------
        Hits
            Without segments, no hits.
        """
        if not segmentation.segments:
            return Hits()
        line = segmentation.folded.encode("ascii")
        where = _Where(segmentation.segments)
        measures = self._find_measures(segmentation.folded, line, where)
        evidence = _hits(self._evidence, line, where)
        return Hits(
            evidence=evidence,
            weak=_hits(self._weak, line, where),
            triggers=_hits(self._triggers, line, where),
            kinds=_hits(self._kinds, line, where),
            cues=self._find_cues(segmentation.folded, line, where),
            measures=measures,
            techniques=self._find_techniques(segmentation, where),
            comparisons=tuple(_comparisons(segmentation.folded, measures)),
            goals=tuple(
                (hit.segment, segmentation.text[hit.start : hit.end]) for hit in evidence if hit.row in _GOAL_ROWS
            ),
        )

    def _find_techniques(self, segmentation: Segmentation, where: "_Where") -> tuple[tuple[int, Technique], ...]:
        doc = self._nlp.make_doc(segmentation.text)
        spans = []
        for matcher in (self._any, self._exact):
            for key, start, end in matcher(doc):
                span = doc[start:end]
                segment = where.segment(span.start_char, span.end_char)
                if segment is None or not segmentation.folded[span.start_char : span.end_char].strip():
                    continue  # across segments, or an unticked item
                text = segmentation.folded[segment.start : segment.end]
                for term, needs in self._terms[self._nlp.vocab.strings[key]]:
                    if needs is None or needs.search(text):
                        spans.append((span, segment.index, term))
                        break
        best = {(span.start, span.end): (segment, term) for span, segment, term in reversed(spans)}
        found = []
        for span in filter_spans([span for span, _, _ in spans]):
            index, term = best[span.start, span.end]
            found.append((index, Technique(span.start_char, span.end_char, term.technique, term.area)))
        return tuple(found)

    def _find_cues(self, folded: str, line: bytes, where: "_Where") -> tuple[tuple[int, Cue], ...]:
        items: dict[int, list[_Item]] = defaultdict(list)
        for tag, row, pattern in self._cue_parts:
            for match in pattern.finditer(line):
                segment = where.segment(*match.span())
                if segment is not None:
                    start, end = match.span()
                    items[segment.index].append(_Item(start, end, tag, row.value, row.weight))
        for match in self._cue_word.finditer(line):
            segment = where.segment(*match.span())
            if segment is not None:
                start, end = match.span()
                items[segment.index].append(_Item(start, end, "word", "", 0.5))
        found = []
        for index in sorted(items):
            for chain in _chains(folded, _longest(items[index])):
                cue = _cue(folded, chain, where.segments[index])
                if cue is not None:
                    found.append((index, cue))
        return tuple(found)

    def _find_measures(self, folded: str, line: bytes, where: "_Where") -> tuple[tuple[int, Measure], ...]:
        found: list[tuple[int, int, int, int, int, int, tuple[Measure, ...]]] = []
        for order, (row, pattern) in enumerate(self._measures):
            for match in pattern.finditer(line):
                segment = where.segment(*match.span())
                if segment is None:
                    continue
                groups = {
                    name.decode(): value.decode() for name, value in match.groupdict().items() if value is not None
                }
                read = self._measure(folded, row.value, match.start(), match.end(), groups, segment)
                if read is None:
                    continue
                rank = 2 if row.name.startswith("bare-") else 1 if row.value == "count" else 0
                found.append(
                    (rank, match.start() - match.end(), order, match.start(), match.end(), segment.index, read)
                )
        # The longest mention wins, bare numbers and counts last. A row that reads a mention as no measure at all (a
        # date, a dose) silences shorter readings of the same words.
        kept: list[tuple[int, Measure]] = []
        taken: list[tuple[int, int]] = []
        for _, _, _, start, end, index, read in sorted(found, key=lambda reading: reading[:4]):
            if not any(start < b and a < end for a, b in taken):
                taken.append((start, end))
                kept.extend((index, measure) for measure in read)
        return tuple(sorted(kept, key=lambda pair: pair[1].start))

    def _number(self, text: str) -> float | None:
        text = text.strip()
        try:
            return float(text)
        except ValueError:
            pass
        if text in self._numbers:
            return self._numbers[text]
        tens, _, ones = text.replace(" ", "-").partition("-")
        if tens in self._numbers and ones in self._numbers:
            return self._numbers[tens] + self._numbers[ones]
        return None

    def _measure(
        self, folded: str, unit: str, start: int, end: int, groups: dict[str, str], segment: Segment
    ) -> tuple[Measure, ...] | None:
        """Type one mention; empty where the words are surely no measure, None where this row does not read them."""
        if unit == "not":
            return ()
        value, total, upper, then = (
            self._number(groups[name]) if name in groups else None for name in ("value", "total", "upper", "then")
        )
        if unit == "all":
            total = 2.0 if groups.get("which") == "both" else total
            return (Measure(start, end, total, "ratio", total),) if total is not None else None
        if unit == "none":
            return (Measure(start, end, 0.0, "ratio", total),) if total is not None else None
        if unit == "fraction":
            return (Measure(start, end, _fraction(groups), unit),)
        if unit == "count":
            word = groups.get("word")
            if word:
                value = 1.0 if word == "once" else 2.0
            else:
                value = self._number(groups.get("number") or groups.get("value") or "")
        if unit in ("years", "months") and value is not None:
            months = float(groups.get("months", 0)) if unit == "years" else value
            value, unit = round((value if unit == "years" else 0) + months / 12, 3), "years"
        if value is None or (unit == "ratio" and not _is_ratio(folded, start, end, value, total, segment)):
            return None
        if upper is not None and _FROM.search(folded, max(segment.start, start - 6), start):
            upper, then = None, upper  # "from 60 to 80%" are two values, not a range
        if then is None:
            return (Measure(start, end, value, unit, total, upper),)
        middle = folded.rindex(" to", start, end)
        return Measure(start, middle, value, unit, total, upper), Measure(middle + 1, end, then, unit)


class _Where:
    """Which segment an offset lies in."""

    def __init__(self, segments: tuple[Segment, ...]) -> None:
        self.segments = segments
        self._starts = [segment.start for segment in segments]

    def segment(self, start: int, end: int) -> Segment | None:
        """Return the segment that holds the whole span; None where it crosses a border."""
        index = bisect_right(self._starts, start) - 1
        if index < 0 or end > self.segments[index].end:
            return None
        return self.segments[index]


def _compiled(rows: Iterable[Pattern]) -> tuple[tuple[Pattern, "re2._Regexp"], ...]:
    return tuple((row, re2.compile(row.expression.encode("ascii"))) for row in rows)


def _hits(rows: tuple[tuple[Pattern, "re2._Regexp"], ...], line: bytes, where: _Where) -> tuple[Hit, ...]:
    found = []
    for row, pattern in rows:
        for match in pattern.finditer(line):
            start, end = match.span()
            segment = where.segment(start, end)
            if segment is not None and end > start:
                found.append(Hit(row.id, row.value, row.weight, segment.index, start, end))
    return tuple(sorted(found, key=lambda hit: (hit.start, hit.end)))


def _longest(items: list[_Item]) -> list[_Item]:
    """Of overlapping items of one tag keep the longest; what is surely no cue silences every tag."""
    kept: list[_Item] = []
    for item in sorted(items, key=lambda i: (i.start - i.end, -i.weight, i.start, i.tag)):
        if all(
            item.end <= other.start
            or other.end <= item.start
            or (other.value != "not" and (item.tag != other.tag or (item.start, item.end) == (other.start, other.end)))
            for other in kept
        ):
            kept.append(item)
    return sorted(kept, key=lambda i: (i.start, i.end))


_LINK = re.compile(
    r"[ ,/&+()\-:>\n]*(?:(?:and|or|to|with|w/|c/|then|a|an|the|of|for|level|levels|only|just|plus|from|x ?\d+|\d+ ?%|"
    r"~?\d+|via|in|single|direct|clinician|slp|as well as|using|by|my|one|two|three|required|needed|provided|given|type|"
    r"amount|"
    r"quick|gentle|simple|specific|on \d+/\d+|for \d+/\d+|down|back|out|his|her|was|were|is|at|start|first|initially|end|"
    r"beginning)[ ,/&+()\-:>\n]+)*"
)


def _chains(folded: str, items: list[_Item]) -> Iterator[list[_Item]]:
    """Runs of items that nothing but connecting words stand between."""
    chain: list[_Item] = []
    reach = 0
    for item in items:
        if (
            chain
            and item.start > reach
            and (item.start - reach > 30 or item.value == "not" or not _LINK.fullmatch(folded, reach, item.start))
        ):
            yield chain
            chain = []
        if item.value != "not":
            chain.append(item)
            reach = max(reach, item.end)
    if chain:
        yield chain


_GOAL_ROWS = frozenset({"evidence/goal-number", "evidence/g-number"})
_LEVELS = list(CueLevel)
_DIGIT_BEFORE = re.compile(r"(?<![/\d])\d+ ?-?$")
_STANDS_ALONE = re.compile(r" *(?:$|[\n.,;:)]|for |to |x ?\d|w/|and |on |in |at |@|during |throughout|\d)")


def _cue(folded: str, chain: list[_Item], segment: Segment) -> Cue | None:
    """Read one chain of items as a cue mention; None where it is none after all."""
    chain = [item for item in chain if not _is_minutes(folded, item, chain, segment)]
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


_PARTS = {"third": 3, "quarter": 4, "fourth": 4, "fifth": 5}
_COUNTS = {"a": 1, "one": 1, "two": 2, "three": 3, "1": 1, "2": 2, "3": 3}


def _fraction(groups: dict[str, str]) -> float:
    if "half" in groups:
        return 0.5
    return round(_COUNTS[groups["count"]] / _PARTS[groups["part"].rstrip("s")], 3)


_FROM = re.compile(r"\bfrom $")
_DATE_BEFORE = re.compile(
    r"(?:\bon|\bsince|\bdos|\bdate|\bseen|\bby|\buntil|\bthru|\bthrough|\bof|\blast|\beval|\bdated|\bsoc|\bonset|\bdob|"
    r"\bvisit|\bsession|\btx|\bd/c|\bdc|\bsigned|\bin|\bfrom|\bre-?cert|\bweek|\bwk|\bmbss?|\bfees|\bvfss|\bfor|\bds|"
    r"\btues?|\bweds?|\bthurs?|\bfri|\bmon|\bsat|\bsun|\bsurgery|\bcva|\bhosp\w*|\bnext|\bpoc|#)[ :(.]*$|\d/$"
)
_NO_COUNT = re.compile(r"\b(?:visit|session|tx|treatment|day|week|wk|page|pg|step|level|phase|room|rm|bed|#)[ :#]*$")
_DOSE_AFTER = re.compile(r" ?-?(?:tsp|teaspoon|cup\b|tbsp|hour|hr|strength|tab|mile|sandwich)")


def _is_ratio(folded: str, start: int, end: int, value: float, total: float | None, segment: Segment) -> bool:
    """Tell x of y from a date, "2/2" for secondary to, a visit count and the like."""
    if not total or value > total or total > 400:
        return False
    before = folded[max(segment.start, start - 16) : start]
    after = folded[end : min(segment.end, end + 12)]
    if _NO_COUNT.search(before) or _DOSE_AFTER.match(after):
        return False
    if "/" not in folded[start:end]:
        return True
    if after[:1] == "/" or before[-1:] == "/" or after[:1].isalpha():
        return False  # a date with a year, a blood pressure
    if value == 2 and total == 2 and re.match(r" [a-z]", after) and not _TRIALS_AFTER.match(after):
        return False
    looks_like_date = value <= 12 and total <= 31 and value == int(value)
    return not (looks_like_date and _DATE_BEFORE.search(before) and not _TRIALS_AFTER.match(after))


_TRIALS_AFTER = re.compile(
    r"[ -]*(?:trials?|opp|tri|attempts|times|tries|words?|correct|acc|w/|with|sentences?|items?|\(|=|indep|bites?|sips?|"
    r"swallows?|phrases?|syll|questions?|pics|pictures?|targets?|productions?|steps?|turns?|errors?|cups?|spoons?)"
)
_BETWEEN = re.compile(
    r"[^\n]{0,40}?\b(?P<word>was|were|from|vs|versus|than|compared|last|baseline|prior|previous|up|down|against|to|now|"
    r"today|yesterday|ago)\b[^\n]{0,40}"
    r"|[ (]*(?P<arrow>-?-?>|=>)[^\n]{0,12}"
)
_FROM_BEFORE = re.compile(
    r"\b(?:from|was|baseline|bl|initial(?:ly)?|last \w+|previous(?:ly)?|prior|eval|at eval)[ :=(]*"
    r"(?:of |at |about |was )?$"
)


def _comparisons(folded: str, measures: tuple[tuple[int, Measure], ...]) -> Iterator[tuple[int, Comparison]]:
    """Pairs of the same unit in one segment that the words between set against each other."""
    for (index, first), (other, second) in pairwise(measures):
        if index != other or first.unit != second.unit:
            continue
        between = _BETWEEN.fullmatch(folded, first.end, second.start)
        if not between:
            continue
        is_forward = (
            between["arrow"] is not None
            or between["word"] in ("to", "now", "today")
            or _FROM_BEFORE.search(folded, max(0, first.start - 24), first.start) is not None
        )
        if between["word"] == "to" and not _FROM_BEFORE.search(folded, max(0, first.start - 24), first.start):
            continue  # "2 to 3": a range, not a comparison
        before, after = (first, second) if is_forward else (second, first)
        yield index, Comparison(first.start, second.end, replace(before), replace(after))
