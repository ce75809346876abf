"""From what a note is about to candidate codes: the I69 grid, sequelae of head injury, and codes that are echoed.

The trained model says how probable each *target* is: ``deficit:aphasia`` whatever its cause, ``stroke``, ``injury``,
``code:F80.0`` where one code is all there is to know, or ``none`` where no code is supported. Tables turn targets into
codes (``lexicons/icd10/deficits.csv``, ``composition.toml``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from analyzer.icd10.catalogue import load_catalogue
from analyzer.icd10.remarks import load_remarks
from analyzer.lexicon import fail, one_of, rows, settings_of
from analyzer.types import CODABLE, Certainty, Mention, Strength

STROKE, INJURY, NONE = "stroke", "injury", "none"
_SEQUELA = re.compile(r"S0[69]\..*S")
_GRID = re.compile(r"I69\.([0-9])([0-9]{2})")
_PHASE = re.compile(r"R13\.1.")
_NEGLIGIBLE = 0.003
_DISORDERS = frozenset({"treating", "symptom", "manifest"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A code that a note may support.

    Parameters
    ----------
    probability : float
        Not yet calibrated.
    targets : tuple of str
        Outputs of the model that it rests on; empty where it is only echoed.
    spans : tuple of (int, int)
        Words that name it, where it is echoed.
    """

    code: str
    probability: float
    targets: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Derived:
    """A code that several mentions together ask for, in the place of another one."""

    all_of: frozenset[str]
    none_of: frozenset[str]
    code: str
    instead_of: str


@dataclass(frozen=True, slots=True)
class Composition:
    """The tables that codes are composed with.

    Parameters
    ----------
    plain, digits : mapping of str to str
        Code, and last digits in the I69 grid, of each deficit.
    stroke, injury : mapping
        Causes of stroke; kinds of head injury.
    derived : tuple of Derived
    named : mapping of str to str
        Target of each concept that names one disorder.
    """

    plain: Mapping[str, str]
    digits: Mapping[str, str]
    stroke: Mapping[str, Any]
    injury: Mapping[str, Any]
    derived: tuple[Derived, ...]
    named: Mapping[str, str]

    def targets(self, code: str) -> tuple[str, ...]:
        """Say which targets a code stands for.

        Parameters
        ----------
        code : str

        Returns
        -------
        tuple of str

        Examples
        --------
        >>> load_composition().targets("I69.320")
        ('deficit:aphasia', 'stroke')
        >>> load_composition().targets("R13.12")
        ('deficit:swallowing', 'code:R13.12')
        """
        if grid := _GRID.fullmatch(code):
            deficit = next((name for name, digits in self.digits.items() if digits == grid[2]), None)
            return (f"deficit:{deficit}" if deficit else f"code:{code}", STROKE)
        if _SEQUELA.fullmatch(code):
            return (INJURY,)
        if deficit := next((name for name, plain in self.plain.items() if plain == code), None):
            return (f"deficit:{deficit}",)
        return ("deficit:swallowing", f"code:{code}") if _PHASE.fullmatch(code) else (f"code:{code}",)

    def candidates(
        self, probabilities: Mapping[str, float], mentions: Sequence[Mention], *, named: float, echo: float
    ) -> list[Candidate]:
        """Compose codes.

        Parameters
        ----------
        probabilities : mapping of str to float
            Of each target.
        mentions : sequence of Mention
        named, echo : float
            Probability of a disorder, and of any other code, that the note names and the model does not know.

        Returns
        -------
        list of Candidate
            The most probable first; one a code.
        """
        said = {mention.concept for mention in mentions if mention.certainty in CODABLE}
        found: dict[str, Candidate] = {}

        def put(candidate: Candidate) -> None:
            if candidate.probability < _NEGLIGIBLE:
                return
            if candidate.code not in found or candidate.probability > found[candidate.code].probability:
                found[candidate.code] = candidate

        probabilities = dict(probabilities)
        for mention in mentions:  # a disorder that is named outright is not left to the words around it
            target = self.named.get(mention.concept)
            is_said = mention.certainty is Certainty.CERTAIN and mention.strength is Strength.STATED
            if is_said and target in probabilities:
                probabilities[target] = max(named, probabilities[target])
        stroke = probabilities.get(STROKE, 0.0)
        if not any(name == STROKE or name.startswith(f"{STROKE}-") for name in said):
            stroke = 0.0  # a cause is echoed from the note, never inferred
        cause = next((digit for name, digit in self.stroke["digits"].items() if name in said), self.stroke["default"])
        for target, probability in probabilities.items():
            kind, _, name = target.partition(":")
            if kind == "code":
                put(Candidate(name, probability, (target,)))
            elif kind == "deficit":
                put(Candidate(f"I69.{cause}{self.digits[name]}", probability * stroke, (target, STROKE)))
                if self.plain[name]:
                    put(Candidate(self.plain[name], probability * (1 - stroke), (target,)))
            elif kind == INJURY:
                put(Candidate(self._injury(said), probability, (target,)))
        slp = load_catalogue().slp
        named_spans: dict[str, list[tuple[int, int]]] = {}
        for mention in mentions:
            if mention.certainty in CODABLE and mention.strength is Strength.STATED:
                named_spans.setdefault(mention.concept, []).append((mention.start, mention.end))
        for code in slp.keys() & named_spans.keys():
            if not probabilities.keys() & self.targets(code):
                probability = named if slp[code].role in _DISORDERS else echo
                put(Candidate(code, probability, (), tuple(named_spans[code])))
        for row in self.derived:
            if row.all_of <= said and not row.none_of & said:
                spans = tuple(spans[0] for name in sorted(row.all_of) for spans in [named_spans.get(name, ())] if spans)
                replaced = found.pop(row.instead_of, None)
                probability = max(named, replaced.probability if replaced else 0.0)
                put(Candidate(row.code, probability, replaced.targets if replaced else (), spans))
        return sorted(found.values(), key=lambda candidate: (-candidate.probability, candidate.code))

    def _injury(self, said: set[str]) -> str:
        table = self.injury
        stem = next((stem for name, stem in table["stems"].items() if name in said), table["default"])
        consciousness = next(
            (char for name, char in table["consciousness"].items() if name in said), table["default_consciousness"]
        )
        return f"{stem}{consciousness}S"


@cache
def load_composition() -> Composition:
    """Read the tables, once a process.

    Returns
    -------
    Composition

    Raises
    ------
    LexiconError
        For a code that does not exist or a duplicate; the message names file and line.
    """
    file = "icd10/deficits.csv"
    plain: dict[str, str] = {}
    digits: dict[str, str] = {}
    slp = load_catalogue().slp
    for line, row in rows(file, ("deficit", "code", "digits", "source")):
        if row["deficit"] in plain:
            raise fail(file, line, "duplicate deficit")
        for code in filter(None, (row["code"], f"I69.3{row['digits']}")):
            if code not in slp:
                raise fail(file, line, f"unknown code {code}")
        plain[row["deficit"]], digits[row["deficit"]] = row["code"], row["digits"]
    table = settings_of("icd10/composition.toml")
    derived = []
    file = "icd10/derived.csv"
    for line, row in rows(file, ("all_of", "none_of", "code", "instead_of", "source")):
        for code in filter(None, (row["code"], row["instead_of"])):
            one_of(file, line, "code", code, slp.keys())
        all_of, none_of = frozenset(row["all_of"].split()), frozenset(row["none_of"].split())
        derived.append(Derived(all_of, none_of, row["code"], row["instead_of"]))
    named = {name: f"deficit:{name}" for name in digits}
    for concept, codes in load_remarks().concepts.items():
        if concept not in named and len(codes) == 1 and codes[0] in slp and slp[codes[0]].role in _DISORDERS:
            named[concept] = f"code:{codes[0]}"
    return Composition(plain, digits, table["stroke"], table["injury"], tuple(derived), named)
