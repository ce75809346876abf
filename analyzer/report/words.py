"""What reports call things: the words of ``words.toml``, and numbers and places as a reader expects them."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from analyzer.types import UNJUDGED_KINDS, ClaimLine, Dimension, Evidence, Finding, Kind, Label, Level, Report, Verdict

# Lone surrogates have no UTF-8 form, and NUL no HTML form.
_UNENCODABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Term:
    """A name that readers see, and what it means."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Words:
    """The contents of ``words.toml``; every value of each enumeration has its entry."""

    caveat: str
    score: str
    probability: str
    highlights: str
    money: str
    claims: str
    unclear: Term
    not_judged: Term
    contacts: dict[Kind, str]
    verdicts: dict[Verdict, Term]
    kinds: dict[Kind, str]
    levels: dict[Level, str]
    dimensions: dict[Dimension, Term]
    labels: dict[Label, Term]


@cache
def load_words() -> Words:
    """Read ``words.toml`` once."""
    content = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
    return Words(
        caveat=content["caveat"].strip(),
        score=content["score"].strip(),
        probability=content["probability"].strip(),
        highlights=content["highlights"].strip(),
        money=content["money"].strip(),
        claims=content["claims"].strip(),
        unclear=Term(**content["unclear"]),
        not_judged=Term(**content["not_judged"]),
        contacts={kind: content["contacts"][kind] for kind in UNJUDGED_KINDS},
        verdicts={verdict: Term(**content["verdicts"][verdict]) for verdict in Verdict},
        kinds={kind: content["kinds"][kind] for kind in Kind},
        levels={level: content["levels"][level] for level in Level},
        dimensions={dimension: Term(**content["dimensions"][dimension]) for dimension in Dimension},
        labels={label: Term(**content["labels"][label]) for label in Label},
    )


def number(value: float) -> str:
    """Write a number with at most two decimals and no trailing zeros.

    Examples
    --------
    >>> number(80.0), number(62.5), number(6.251)
    ('80', '62.5', '6.25')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def percent(probability: float | None) -> str:
    """Write a probability as a whole percentage, and a missing one as a dash; only certainty is 0% or 100%.

    Examples
    --------
    >>> percent(0.18), percent(0.001), percent(0.9996), percent(None)
    ('18%', '<1%', '>99%', '–')
    """
    if probability is None:
        return "–"
    if 0 < probability < 0.01:
        return "<1%"
    if 0.99 < probability < 1:
        return ">99%"
    return f"{probability:.0%}"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun, which takes an s but for one.

    Examples
    --------
    >>> plural(1, "note"), plural(1200, "note")
    ('1 note', '1,200 notes')
    """
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def count_contacts(counts: Mapping[Kind, int]) -> str:
    """Name the notes that are not judged, as in "2 no-shows, 1 other contact"."""
    words = load_words()
    return ", ".join(plural(count, words.contacts[kind]) for kind, count in counts.items() if count)


def encodable(text: str) -> str:
    """Return the text with what no UTF-8 page or table can hold replaced by U+FFFD; offsets stay."""
    return _UNENCODABLE.sub("\ufffd", text)


def is_whole_note(report: Report, finding: Finding) -> bool:
    """Whether a finding is about something that is missing, and so spans the whole note."""
    text = report.note.text
    return text[finding.start : finding.end].strip() == text.strip()


def describe_line(line: ClaimLine) -> str:
    """Write a claim line: its code, modifiers and units.

    Examples
    --------
    >>> describe_line(ClaimLine("92507", 1, ("GN", "KX"))), describe_line(ClaimLine("92523"))
    ('92507 GN KX × 1', '92523')
    """
    return " ".join((line.code, *line.modifiers)) + ("" if line.units is None else f" × {line.units}")


def describe_evidence(evidence: Evidence) -> str:
    """Say what a label found beyond its name: cues, quantities, techniques, the goal."""
    parts = []
    for cue in evidence.cues:
        levels = "–".join(level.replace("_", " ") for level in (cue.level, cue.level_upper) if level)
        words = [levels, ", ".join(kind.replace("_", " ") for kind in cue.types), cue.change or ""]
        parts.append(" ".join(word for word in words if word))
    for measure in evidence.measures:
        value = number(measure.value) + ("" if measure.upper is None else f"–{number(measure.upper)}")
        of_total = "" if measure.total is None else f" of {number(measure.total)}"
        unit = {"percent": "%", "ratio": ""}.get(measure.unit, f" {measure.unit}")
        parts.append(f"{value}{of_total}{unit}")
    parts += [f"{technique.name} ({technique.area})" for technique in evidence.techniques]
    if evidence.goal:
        parts.append(f"goal {evidence.goal}")
    return "; ".join(part for part in parts if part)
