"""Note to coding: mentions, typed codes, and the ICD-10-CM codes that the text supports, best first.

The treated disorder comes first unless the tabular list says "code first"; what the note is not certain of is not coded
(outpatient, guideline IV.H); every code is valid on the date of service; and of two codes that an Excludes1 note
forbids together the less probable one says so.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from itertools import combinations

from analyzer.decisions import logistic
from analyzer.errors import ModelError
from analyzer.icd10.catalogue import Standing, load_catalogue
from analyzer.icd10.compose import NONE, STROKE, Candidate, load_composition
from analyzer.icd10.features import Features, code_features, values
from analyzer.icd10.mentions import MentionReader
from analyzer.icd10.remarks import load_remarks
from analyzer.lexicon import Lexicons
from analyzer.segment import Segmentation
from analyzer.types import (
    LIKELY_CODE,
    Certainty,
    CodeConflict,
    CodeOrder,
    CodeSuggestion,
    Coding,
    Kind,
    Mention,
    Note,
    Strength,
    TypedCode,
)
from models.artifact import ArtifactError
from models.linear import Linear, Weighing

MODEL = "codes"
WORDS = 3.0  # length of the vector of words, beside mentions that count 1 each; chosen on validation notes
NAMED, ECHO = 0.5, 0.4  # of a disorder that is only named, and of any other such code, before calibration
TYPED = 0.95  # of a code that is written as a code, likewise
_MOST = 10  # suggestions
_MOST_SPANS = 4
_ENOUGH = 0.6  # of what speaks for a code, as words shown
_CODE = re.compile(r"(?<![A-Za-z0-9.])[A-TV-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?(?![A-Za-z0-9]|\.[0-9])")
_KNOWN = frozenset({Standing.VALID, Standing.NOT_BILLABLE, Standing.NOT_VALID_ON_DATE, Standing.WHO_ONLY})
_HEADING, _HEADING_REACH = re.compile(r"\b(?:dx|diagnos[ie]s|icd)\b", re.IGNORECASE), 60


@dataclass(frozen=True, slots=True)
class CodeReading:
    """What is known of a note before codes are decided: what the decisions are fitted on.

    ``none`` is the probability that no code is supported, before calibration.
    """

    mentions: tuple[Mention, ...]
    typed: tuple[TypedCode, ...]
    features: Features
    weighing: Weighing
    candidates: tuple[Candidate, ...]
    none: float


class Coder:
    """Reads diagnoses; made once from lexicons and model, shared by all notes."""

    def __init__(self, lexicons: Lexicons, model: Linear) -> None:
        self._find_mentions = MentionReader(lexicons)
        self._model = model
        self._catalogue = load_catalogue()
        self._composition = load_composition()
        self._remarks = load_remarks()
        self.release = self._catalogue.release

    def __call__(self, note: Note, segmentation: Segmentation, kind: Kind) -> Coding:
        """Read the diagnoses of a note.

        Parameters
        ----------
        note : Note
            Its date of service decides which codes are valid; without one, those of the newest release.
        segmentation : Segmentation
        kind : Kind

        Returns
        -------
        Coding
        """
        reading = self.read(note, segmentation, kind)
        suggestions = self._suggest(reading)
        bare, supported = reading, suggestions
        if reading.typed:
            bare = self._weigh(note, segmentation, kind, reading.mentions, ())
            supported = self._suggest(bare)
        typed = tuple(self._facts(code, bare, supported) for code in reading.typed)
        return Coding(
            mentions=reading.mentions,
            typed=typed,
            suggestions=suggestions,
            conflicts=tuple(self._conflicts(typed)),
            orders=tuple(self._orders(typed, supported)),
            supported=supported,
        )

    def read(self, note: Note, segmentation: Segmentation, kind: Kind) -> CodeReading:
        """Find mentions, typed codes and candidates, not yet calibrated.

        Parameters
        ----------
        note : Note
        segmentation : Segmentation
        kind : Kind

        Returns
        -------
        CodeReading
        """
        return self._weigh(note, segmentation, kind, self._find_mentions(segmentation), self._typed_codes(note))

    def _weigh(
        self,
        note: Note,
        segmentation: Segmentation,
        kind: Kind,
        mentions: tuple[Mention, ...],
        typed: tuple[TypedCode, ...],
    ) -> CodeReading:
        features = code_features(segmentation, mentions, typed, kind, age_years=note.age_years)
        weighing = self._model.weigh(values(features, self._model.rarity, share=WORDS))
        probabilities = {
            target: 1 / (1 + math.exp(-value))
            for target, value in zip(weighing.labels, weighing.log_odds.tolist(), strict=True)
        }
        composed = self._composition.candidates(probabilities, mentions, named=NAMED, echo=ECHO)
        candidates = self._on_date(_with_typed(composed, typed), note.date_of_service)
        return CodeReading(mentions, typed, features, weighing, candidates, probabilities.get(NONE, 0.5))

    def _typed_codes(self, note: Note) -> tuple[TypedCode, ...]:
        """Codes in the text and in the record, each with its standing on the date of service."""
        found = []
        for match in _CODE.finditer(note.text):
            typed = self._typed_code(match.group(), note.date_of_service, match.span())
            signs = ("." in match.group(), typed.standing in _KNOWN)
            if typed.standing == Standing.VALID or all(signs) or (any(signs) and _is_a_code(note.text, *match.span())):
                found.append(typed)
        found.extend(self._typed_code(code, note.date_of_service, (None, None)) for code in note.diagnoses)
        return tuple(found)

    def _typed_code(self, written: str, day: date | None, span: tuple[int | None, int | None]) -> TypedCode:
        checked = self._catalogue.check(written, day)
        typed = TypedCode(
            checked.code, checked.title, str(checked.standing), checked.successors, checked.advice, span[0], span[1]
        )
        return replace(typed, valid_until=self._catalogue.valid_until(checked.code, day))

    def _on_date(self, candidates: Iterable[Candidate], day: date | None) -> tuple[Candidate, ...]:
        """Replace what is not yet, or no longer, valid on the date of service."""
        found: dict[str, Candidate] = {}
        for candidate in candidates:
            code = candidate.code
            checked = self._catalogue.check(code, day)
            if checked.standing in (Standing.NOT_VALID_ON_DATE, Standing.NOT_BILLABLE):
                if not checked.successors:
                    continue
                code = checked.successors[0]
            elif checked.standing not in (Standing.VALID, Standing.DATE_NOT_COVERED):
                continue
            found.setdefault(code, Candidate(code, candidate.probability, candidate.targets, candidate.spans))
        return tuple(sorted(found.values(), key=lambda candidate: (-candidate.probability, candidate.code)))

    def _calibrated(self, reading: CodeReading) -> list[tuple[float, Candidate]]:
        """Candidates with their probabilities, best first."""
        coefficients = self._model.decisions["calibration"]
        found = [
            (logistic(coefficients, calibration_features(candidate, reading)), candidate)
            for candidate in reading.candidates
        ]
        return sorted(found, key=lambda pair: (-pair[0], pair[1].code))

    def _suggest(self, reading: CodeReading) -> tuple[CodeSuggestion, ...]:
        decisions = self._model.decisions
        calibrated = self._calibrated(reading)
        none = logistic(decisions["none"], {"log_odds": log_odds(reading.none)})
        if not calibrated or (calibrated[0][0] < none and not calibrated[0][1].spans):
            return ()  # what the text names outright is suggested all the same
        kept = [(p, candidate) for p, candidate in calibrated[:_MOST] if p >= decisions["least"]]
        words = {candidate.code: self._evidence(candidate, reading) for _, candidate in kept}
        recorded = {typed.code for typed in reading.typed}
        kept = [(p, candidate) for p, candidate in kept if words[candidate.code] or candidate.code in recorded]
        ordered = self._ordered(kept)
        by_code = {candidate.code: (p, candidate) for p, candidate in kept}
        suggestions = list(self._category(kept, calibrated, reading))
        for code in ordered:
            probability, _ = by_code[code]
            catalogued = self._catalogue.get(code)
            suggestions.append(
                CodeSuggestion(
                    code=code,
                    title=catalogued.title if catalogued else "",
                    probability=round(probability, 4),
                    billable=True,
                    evidence=words[code],
                    advice=self._advice(code, ordered, by_code),
                    role=(catalogued.role or "") if catalogued else "",
                    area=(catalogued.area or "") if catalogued else "",
                    is_unspecified=catalogued.is_unspecified if catalogued else False,
                )
            )
        return tuple(suggestions[:_MOST])

    def _ordered(self, kept: Sequence[tuple[float, Candidate]]) -> list[str]:
        """Put what may stand on one claim in sequence; alternatives come after it."""
        claim: list[str] = []
        for probability, candidate in kept:
            excluded = any(self._catalogue.excludes1(candidate.code, other) for other in claim)
            if probability >= LIKELY_CODE and not excluded and not self._rival(candidate.code, claim):
                claim.append(candidate.code)
        others = [candidate.code for _, candidate in kept if candidate.code not in claim]
        return [*self._remarks.in_sequence(claim), *others]

    def _rival(self, code: str, codes: Iterable[str]) -> str | None:
        """Find a code of the same kind that stands in its place, since one of the two is the unspecified one."""
        return next((other for other in codes if self._is_unspecified_of(code, other)), None)

    def _is_unspecified_of(self, code: str, other: str) -> bool:
        pair = [self._catalogue.slp.get(name) for name in (code, other)]
        is_one = code != other and code[:-1] == other[:-1]
        return is_one and any(known is not None and known.is_unspecified for known in pair)

    def _category(
        self,
        kept: Sequence[tuple[float, Candidate]],
        calibrated: Sequence[tuple[float, Candidate]],
        reading: CodeReading,
    ) -> tuple[CodeSuggestion, ...]:
        """Put a category first where no code below it is supported by itself."""
        if not kept or calibrated[0][0] >= self._model.decisions["least_leaf"]:
            return ()
        _, first = kept[0]
        category = first.code[:3]
        catalogued = self._catalogue.get(category)
        none_of_them = math.prod(1 - p for p, candidate in calibrated if candidate.code.startswith(category))
        return (
            CodeSuggestion(
                code=category,
                title=catalogued.title if catalogued else "",
                probability=round(1 - none_of_them, 4),
                billable=False,
                evidence=self._evidence(first, reading),
                advice="A category, not a code: the note does not say enough for a code below it.",
            ),
        )

    def _evidence(self, candidate: Candidate, reading: CodeReading) -> tuple[tuple[int, int], ...]:
        """Words that speak for a code, heaviest first until they are most of what does, in the order of the text."""
        parts: dict[str, float] = {}
        for target in candidate.targets:
            for name, part in reading.weighing.parts(target).items():
                if part > 0 and reading.features[name]:
                    parts[name] = parts.get(name, 0.0) + part
        spans = list(candidate.spans)
        total, shown = sum(parts.values()), 0.0
        for name in sorted(parts, key=lambda name: (-parts[name], name)):
            if len(spans) >= _MOST_SPANS or shown >= _ENOUGH * total:
                break
            shown += parts[name]
            span = reading.features[name][0]
            if not any(span[0] < end and start < span[1] for start, end in spans):
                spans.append(span)
        return tuple(sorted(set(spans)))

    def _advice(self, code: str, codes: Sequence[str], by_code: dict[str, tuple[float, Candidate]]) -> str:
        likely = [other for other in codes if by_code[other][0] >= LIKELY_CODE]
        rival = self._rival(code, [other for other in likely if codes.index(other) < codes.index(code)])
        said = [f"In the place of {rival}, not beside it."] if rival else list(self._remarks.advice(code))
        said.extend(self._remarks.reasons(code, likely))
        for other in codes[: codes.index(code)]:
            forbidden = self._catalogue.excludes1(code, other)
            if forbidden is not None:
                said.append(f"Not together with {other}: Excludes1 at {forbidden.sits_at}.")
        return " ".join(said)

    def _facts(self, typed: TypedCode, bare: CodeReading, supported: Sequence[CodeSuggestion]) -> TypedCode:
        """Say of a typed code how far the words alone bear it out, and which code they bear out better."""
        calibrated = self._calibrated(bare)
        support = next((p for p, candidate in calibrated if candidate.code == typed.code), 0.0)
        catalogued = self._catalogue.slp.get(typed.code)
        targets = set(self._composition.targets(typed.code)) - {STROKE}
        better = tuple(
            suggestion.code
            for suggestion in supported
            if suggestion.billable
            and suggestion.code != typed.code
            and (suggestion.probability or 0.0) >= max(LIKELY_CODE, support)
            and (
                targets.intersection(self._composition.targets(suggestion.code))
                or (catalogued is not None and self._area(suggestion.code) == catalogued.area)
            )
        )
        about = tuple(mention for mention in bare.mentions if self._is_about(mention, typed.code))
        said = {mention.certainty for mention in about}
        return replace(
            typed,
            role=(catalogued.role or "") if catalogued else "",
            is_unspecified=catalogued.is_unspecified if catalogued else False,
            support=round(support, 4),
            better=better,
            certainty=next((certainty for certainty in Certainty if certainty in said), None),
            area=(catalogued.area or "") if catalogued else "",
            covers=self._remarks.covers.get(catalogued.area or "", ()) if catalogued else (),
            mentions=about,
        )

    def _area(self, code: str) -> str | None:
        catalogued = self._catalogue.slp.get(code)
        return catalogued.area if catalogued else None

    def _is_about(self, mention: Mention, code: str) -> bool:
        if mention.strength is not Strength.STATED:
            return False
        return any(fnmatchcase(code, pattern) for pattern in self._remarks.codes_of(mention.concept))

    def _orders(self, typed: Sequence[TypedCode], supported: Sequence[CodeSuggestion]) -> Iterable[CodeOrder]:
        recorded = [code.code for code in typed if code.start is None]  # the claim's sequence, if there is one
        codes = list(dict.fromkeys([*recorded, *(code.code for code in typed)]))
        likely = [s.code for s in supported if s.billable and (s.probability or 0.0) >= LIKELY_CODE]
        kept: set[tuple[str, str]] = set()  # one of several causes that may come first is enough
        rules = [order for order in self._remarks.orders if order.is_rule]
        for order in rules:
            for at, code in enumerate(codes):
                if fnmatchcase(code, order.then) and any(fnmatchcase(before, order.first) for before in codes[:at]):
                    kept.add((order.then, code))
        for order in rules:
            for then in (code for code in codes if fnmatchcase(code, order.then)):
                if (order.then, then) in kept:
                    continue
                first = [code for code in codes if fnmatchcase(code, order.first)]
                missing = [code for code in likely if fnmatchcase(code, order.first)]
                if first:
                    yield CodeOrder(first[0], then, order.reason, is_missing=False)
                elif missing:
                    yield CodeOrder(missing[0], then, order.reason, is_missing=True)

    def _conflicts(self, typed: Sequence[TypedCode]) -> Iterable[CodeConflict]:
        codes = list(dict.fromkeys(code.code for code in typed))
        for first, second in combinations(codes, 2):
            forbidden = self._catalogue.excludes1(first, second)
            if forbidden is not None:
                yield CodeConflict(first, second, forbidden.note, forbidden.sits_at)


def _is_a_code(text: str, start: int, end: int) -> bool:
    """Whether it stands in brackets, or a word such as "diagnosis" shortly before it in its sentence."""
    if text[start - 1 : start] == "(" and text[end : end + 1] == ")":
        return True
    begin = max(text.rfind("\n", 0, start), text.rfind(". ", 0, start), start - _HEADING_REACH, 0)
    return _HEADING.search(text, begin, start) is not None


def calibration_features(candidate: Candidate, reading: CodeReading) -> dict[str, float]:
    """What the probability of a code is calibrated from."""
    is_typed = any(code.code == candidate.code for code in reading.typed)
    return {
        "log_odds": log_odds(candidate.probability),
        "typed": float(is_typed),
        "echoed": float(not candidate.targets and not is_typed),
    }


def log_odds(probability: float) -> float:
    """Log-odds of a probability, kept finite."""
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(probability / (1 - probability))


def _with_typed(candidates: Iterable[Candidate], typed: Sequence[TypedCode]) -> list[Candidate]:
    """Add the codes that are written as codes, and raise those that are candidates already."""
    found = {candidate.code: candidate for candidate in candidates}
    for code in typed:
        known = found.get(code.code)
        span = () if code.start is None or code.end is None else ((code.start, code.end),)
        missing = 1 - known.probability if known else 1.0
        spans = (*known.spans, *span) if known else span
        found[code.code] = Candidate(code.code, 1 - (1 - TYPED) * missing, known.targets if known else (), spans)
    return list(found.values())


def load_coder(lexicons: Lexicons) -> Coder:
    """Load the shipped coder.

    Parameters
    ----------
    lexicons : Lexicons

    Returns
    -------
    Coder

    Raises
    ------
    LexiconError
        When a table is damaged.
    ModelError
        When the artifact is damaged or missing.
    """
    try:
        return Coder(lexicons, Linear.load(MODEL))
    except ArtifactError as error:
        raise ModelError(str(error)) from error
