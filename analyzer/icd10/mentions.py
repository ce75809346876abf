"""Diseases, disorders, deficits and facts that a note mentions, and how certain it is of them.

A *concept* is an ICD-10-CM code where the words have one code whatever else the note says (``G20.A1``), else a name
such as ``stroke`` or ``aphasia`` (``concepts.csv``) from which codes are composed later. Tables:
``lexicons/icd10/mentions_*.csv`` and ``certainty.csv``.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from analyzer.icd10.catalogue import load_catalogue
from analyzer.icd10.remarks import load_remarks
from analyzer.lexicon import Lexicons, Pattern, compile_pattern, fail, one_of, rows
from analyzer.scan import Found, Near, Scanner, Where
from analyzer.segment import Segmentation, fold
from analyzer.types import Certainty, Mention, Strength

_FOLDER = "icd10"
_REACH = 48  # characters between a trigger and what it speaks of
_FAR_REACH = {Certainty.FAMILY: 30, Certainty.OTHER_SUBJECT: 60}
_FARTHEST = max(_REACH, *_FAR_REACH.values())
_CLAUSE = re.compile(r"[;:\n]|\. | but | now | today | although | however | though | now has | secondary to | due to ")
_BREAK = re.compile(r",(?! ?(?:or|nor|and)\b)|[()\[\]]")
_LIST_GOES_ON = re.compile(r"(?:, [a-z -]{1,30}){0,3},? (?:or|nor) ")  # "no cough, choking or wet voice"
_ORDER = (
    Certainty.FAMILY,
    Certainty.OTHER_SUBJECT,
    Certainty.NEGATED,
    Certainty.UNCERTAIN,
    Certainty.RESOLVED,
    Certainty.HISTORY,
)
_DIRECTIONS = frozenset({"before", "after", "both"})
_SHORTEST_SYNONYM = 5  # letters; shorter ones are abbreviations with several meanings


class MentionReader:
    """Finds mentions in segmented notes; made once, shared by all notes.

    Parameters
    ----------
    lexicons : Lexicons
        For the classes that patterns name.
    """

    def __init__(self, lexicons: Lexicons) -> None:
        disorders, etiologies = (
            _mentions("mentions_disorder.csv", lexicons),
            _mentions("mentions_etiology.csv", lexicons),
        )
        triggers = _triggers(lexicons)
        self._names = _names()
        remarks = load_remarks()
        self._details, self._codes_of = remarks.details, remarks.codes_of
        self._strength = {row.id: Strength(_BY_WEIGHT[row.weight]) for row, _ in (*disorders, *etiologies)}
        self._upper = {row.id for row, is_upper in (*disorders, *etiologies) if is_upper}
        self._direction = {row.id: direction for row, direction in triggers}
        self._scan = Scanner(
            {
                "mentions": [row for row, _ in (*disorders, *etiologies)],
                "certainty": [row for row, _ in triggers],
            }
        )

    def __call__(self, segmentation: Segmentation) -> tuple[Mention, ...]:
        """Find the mentions of one note.

        Parameters
        ----------
        segmentation : Segmentation

        Returns
        -------
        tuple of Mention
            In the order of the text.
        """
        if not segmentation.segments:
            return ()
        found = self._scan(segmentation)
        triggers = Near(_in_force(found["certainty"]))
        mentions = []
        for one in found["mentions"]:
            if one.row.id in self._upper and not segmentation.text[one.start : one.end].isupper():
                continue
            certainty = self._certainty(segmentation.folded, triggers, one.segment, one.start, one.end)
            strength = self._strength[one.row.id]
            mentions.append(Mention(one.row.value, strength, certainty, one.segment, one.start, one.end, one.row.id))
        where = Where(segmentation.segments)
        for code, start, end in self._named(segmentation.folded):
            segment = where.index(start, end)
            if segment is not None:
                certainty = self._certainty(segmentation.folded, triggers, segment, start, end)
                mentions.append(Mention(code, Strength.STATED, certainty, segment, start, end, f"codes/{code}"))
        return tuple(
            sorted(self._longest(mentions), key=lambda mention: (mention.start, -mention.end, mention.concept))
        )

    def _longest(self, mentions: Sequence[Mention]) -> Iterator[Mention]:
        """Leave out what is part of the name of something else: "vascular dementia" is not also a dementia."""
        names = Near(filter(self._is_name, mentions))
        for mention in mentions:
            near = names(mention.start, mention.end) if self._is_name(mention) else ()
            if not any(self._is_part(mention, other) for other in near):
                yield mention

    def _is_name(self, mention: Mention) -> bool:
        return mention.strength is Strength.STATED and mention.concept not in self._details

    def _is_part(self, mention: Mention, other: Mention) -> bool:
        """Whether a mention is a part of the name of something else; of the same in a longer name it is not."""
        return (
            other.start <= mention.start
            and mention.end <= other.end
            and other.end - other.start > mention.end - mention.start
            and mention.concept != other.concept
            and not any(fnmatchcase(other.concept, pattern) for pattern in self._codes_of(mention.concept))
        )

    def _named(self, folded: str) -> Iterator[tuple[str, int, int]]:
        """Titles and synonyms of codes that stand in the text, also where one lies in another."""
        words = [(match.group(), match.start(), match.end()) for match in _WORD.finditer(folded)]
        for at, (word, start, _) in enumerate(words):
            for name, codes in self._names.get(word, ()):
                last = at + len(name) - 1
                if last < len(words) and all(words[at + k][0] == part for k, part in enumerate(name)):
                    for code in codes:
                        yield code, start, words[last][2]

    def _certainty(self, folded: str, triggers: Near[Found], segment: int, start: int, end: int) -> Certainty:
        said = {
            Certainty(trigger.row.value)
            for trigger in triggers(start, end, reach=_FARTHEST)
            if trigger.segment == segment and self._reaches(folded, trigger, start, end)
        }
        return next((certainty for certainty in _ORDER if certainty in said), Certainty.CERTAIN)

    def _reaches(self, folded: str, trigger: Found, start: int, end: int) -> bool:
        direction = self._direction[trigger.row.id]
        if trigger.end <= start:
            if direction == "after":
                return False
            between = folded[trigger.end : start]
        elif trigger.start >= end:
            if direction == "before":
                return False
            between = folded[end : trigger.start]
        else:  # one that lies in the mention is part of its name: "without loss of consciousness"
            return trigger.start < start or trigger.end > end
        certainty = Certainty(trigger.row.value)
        if len(between) > _FAR_REACH.get(certainty, _REACH) or _CLAUSE.search(between):
            return False
        if trigger.start >= end:
            return _BREAK.search(between) is None
        is_list = certainty is not Certainty.NEGATED or _LIST_GOES_ON.match(folded, end) is not None
        return is_list or _BREAK.search(between) is None


def _in_force(triggers: Sequence[Found]) -> Iterator[Found]:
    """Leave out what is part of a phrase that says nothing of certainty: the "old" of an age."""
    plain = Near(trigger for trigger in triggers if trigger.row.value == Certainty.CERTAIN)
    for trigger in triggers:
        near = plain(trigger.start, trigger.end)
        if not any(other.start <= trigger.start and trigger.end <= other.end for other in near):
            yield trigger


_BY_WEIGHT = {1.0: Strength.STATED, 0.5: Strength.SIGN, 0.25: Strength.CUE}
_WEIGHTS = {strength: weight for weight, strength in _BY_WEIGHT.items()}


def _mentions(file: str, lexicons: Lexicons) -> list[tuple[Pattern, bool]]:
    """Rows of a mention table, each with whether its words must stand in capitals."""
    name = f"{_FOLDER}/{file}"
    has_strength = file == "mentions_disorder.csv"
    columns = ("name", "concept", *(("strength",) if has_strength else ()), "case", "pattern", "example", "near_miss")
    known = load_remarks().concepts.keys() | load_catalogue().slp.keys()
    found: list[tuple[Pattern, bool]] = []
    names: set[str] = set()
    for line, row in rows(name, (*columns, "source")):
        if row["name"] in names:
            raise fail(name, line, f"duplicate name {row['name']!r}")
        names.add(row["name"])
        one_of(name, line, "concept", row["concept"], known)
        is_upper = one_of(name, line, "case", row["case"], frozenset({"any", "upper"})) == "upper"
        strength = Strength(one_of(name, line, "strength", row.get("strength", "stated"), frozenset(Strength)))
        pattern = Pattern(
            file=file.removesuffix(".csv"),
            name=row["name"],
            value=row["concept"],
            weight=_WEIGHTS[strength],
            expression=compile_pattern(name, line, row["pattern"], lexicons.classes),
            example=row["example"],
            near_miss=row["near_miss"],
            source=row["source"],
        )
        found.append((pattern, is_upper))
    return found


def _triggers(lexicons: Lexicons) -> list[tuple[Pattern, str]]:
    """Rows of the certainty table, each with the side on which it reaches."""
    name = f"{_FOLDER}/certainty.csv"
    found = []
    for line, row in rows(name, ("name", "certainty", "direction", "pattern", "example", "near_miss", "source")):
        one_of(name, line, "certainty", row["certainty"], frozenset(Certainty))
        direction = one_of(name, line, "direction", row["direction"], _DIRECTIONS)
        expression = compile_pattern(name, line, row["pattern"], lexicons.classes)
        pattern = Pattern(
            "certainty", row["name"], row["certainty"], 1.0, expression, row["example"], row["near_miss"], row["source"]
        )
        found.append((pattern, direction))
    return found


_Names = dict[str, list[tuple[tuple[str, ...], list[str]]]]


def _names() -> _Names:
    """Codes by the words of their titles and synonyms, by first word.

    What is written out in full is so found without a row of its own.
    """
    by_words: dict[tuple[str, ...], list[str]] = {}
    for code in load_catalogue().slp.values():
        if code.code.startswith("I69"):
            continue  # its synonyms are those of the deficit, whatever its cause
        for name in sorted({fold(_ASIDE.sub("", name)).strip() for name in (code.title, *code.synonyms)}):
            if len(name) >= _SHORTEST_SYNONYM and _PLAIN.fullmatch(name):
                by_words.setdefault(tuple(_WORD.findall(name)), []).append(code.code)
    found: _Names = {}
    for words, codes in by_words.items():
        found.setdefault(words[0], []).append((words, codes))
    return found


_WORD = re.compile(r"[a-z0-9]+")
_ASIDE = re.compile(r" ?\([^()]*\)")
_PLAIN = re.compile(r"[a-z0-9][a-z0-9 ,'/-]+[a-z0-9]")
