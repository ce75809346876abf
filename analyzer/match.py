"""Lexicon rows over the segments to hits with offsets, and the typed attributes in them.

Techniques are matched on tokens of a blank spaCy pipeline, patterns by :mod:`analyzer.scan`.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

from spacy.lang.en import English
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.util import filter_spans
from spacy.vocab import create_vocab

from analyzer.cues import read_cues
from analyzer.lexicon import Lexicons, Pattern, Term
from analyzer.measures import read_comparisons, read_measures
from analyzer.scan import Found, Scanner, Where
from analyzer.segment import Segmentation
from analyzer.types import Comparison, Cue, Measure, Technique


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


class Matcher:
    """Finds lexicon rows in segmented notes; made once from the lexicons, shared by all notes."""

    def __init__(self, lexicons: Lexicons) -> None:
        self._vocab = create_vocab("en", English.Defaults)  # a blank pipeline without the tokenizer that is not used
        self._known = {word.lower() for term in lexicons.techniques for word in _TOKEN.findall(term.term)}
        self._any = PhraseMatcher(self._vocab, attr="LOWER")
        self._exact = PhraseMatcher(self._vocab, attr="ORTH")
        self._terms: dict[str, list[tuple[Term, re.Pattern[str] | None]]] = defaultdict(list)
        for term in lexicons.techniques:
            needs = re.compile(r"\b(?:" + "|".join(map(re.escape, term.needs)) + r")") if term.needs else None
            key = ("=" if term.is_exact else "~") + (term.term if term.is_exact else term.term.lower())
            self._terms[key].append((term, needs))
        for key in self._terms:
            (self._exact if key[0] == "=" else self._any).add(key, [self._doc(_TOKEN.findall(key[1:]))])
        self._scan = Scanner(
            {
                "evidence": lexicons.evidence,
                "weak": lexicons.weak,
                "triggers": lexicons.triggers,
                "kinds": lexicons.kinds,
                "measures": lexicons.measures,
                "type": lexicons.cue_types,
                "level": lexicons.cue_levels,
                "change": lexicons.cue_changes,
                "word": (_cue_word(lexicons),),
            }
        )
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
        folded, segments = segmentation.folded, segmentation.segments
        found = self._scan(segmentation)
        measures = read_measures(folded, segments, found["measures"], self._numbers)
        evidence = _hits(found["evidence"])
        return Hits(
            evidence=evidence,
            weak=_hits(found["weak"]),
            triggers=_without_counts(_hits(found["triggers"]), measures),
            kinds=_hits(found["kinds"]),
            cues=read_cues(folded, segments, {tag: found[tag] for tag in ("type", "level", "change", "word")}),
            measures=measures,
            techniques=self._find_techniques(segmentation),
            comparisons=tuple(read_comparisons(folded, measures)),
            goals=tuple(
                (hit.segment, segmentation.text[hit.start : hit.end]) for hit in evidence if hit.row in _GOAL_ROWS
            ),
        )

    def _find_techniques(self, segmentation: Segmentation) -> tuple[tuple[int, Technique], ...]:
        tokens = list(_TOKEN.finditer(segmentation.text))
        doc = self._doc([token.group() for token in tokens])
        where = Where(segmentation.segments)
        spans = []
        found_needs: dict[tuple[int, str], bool] = {}
        for matcher in (self._any, self._exact):
            for key, first, end in matcher(doc):
                a, b = tokens[first].start(), tokens[end - 1].end()
                index = where.index(a, b)
                if index is None or not segmentation.folded[a:b].strip():
                    continue  # across segments, or an unticked item
                for term, needs in self._terms[self._vocab.strings[key]]:
                    if needs is not None and (index, needs.pattern) not in found_needs:
                        segment = segmentation.segments[index]
                        is_there = needs.search(segmentation.folded, segment.start, segment.end) is not None
                        found_needs[index, needs.pattern] = is_there
                    if needs is None or found_needs[index, needs.pattern]:
                        spans.append((doc[first:end], index, term))
                        break
        best = {(span.start, span.end): (index, term) for span, index, term in reversed(spans)}
        found = []
        for span in filter_spans([span for span, _, _ in spans]):
            index, term = best[span.start, span.end]
            start, stop = tokens[span.start].start(), tokens[span.end - 1].end()
            found.append((index, Technique(start, stop, term.technique, term.area)))
        return tuple(found)

    def _doc(self, words: list[str]) -> Doc:
        """Make a Doc of the words that techniques are made of; all others are one placeholder.

        spaCy keeps every word it has seen for as long as the vocabulary lives, and a note holds names. Its own
        tokenizer is not used either: it is quadratic in a run of punctuation.
        """
        known = [word if word.lower() in self._known else _UNKNOWN for word in words]
        return Doc(self._vocab, words=known, spaces=[True] * len(known))


_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
_UNKNOWN = "\x1a"


def _cue_word(lexicons: Lexicons) -> Pattern:
    """The words for a cue as one row, from their class."""
    expression = r"\b(?:" + lexicons.classes["cueword"] + r")\b"
    return Pattern("classes", "cueword", "", 0.5, expression, example="", near_miss="", source="field")


def _hits(found: list[Found]) -> tuple[Hit, ...]:
    hits = [Hit(one.row.id, one.row.value, one.row.weight, one.segment, one.start, one.end) for one in found]
    return tuple(sorted(hits, key=lambda hit: (hit.start, hit.end)))


def _without_counts(triggers: tuple[Hit, ...], measures: tuple[tuple[int, Measure], ...]) -> tuple[Hit, ...]:
    """Leave out what reads as a date but was found to be a count: "on 10/10 trials"."""
    ends = {measure.end for _, measure in measures if measure.unit == "ratio"}
    return tuple(hit for hit in triggers if hit.row != "triggers/last-time" or hit.end not in ends)


_GOAL_ROWS = frozenset({"evidence/goal-number", "evidence/g-number"})
