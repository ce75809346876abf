"""Reports to CDS Hooks cards: what to consider, in the words of rules and note, and never a change to the record."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

from analyzer.lexicon import load_lexicons
from analyzer.report.words import is_whole_note, load_words, number, percent, plural
from analyzer.types import Finding, Report, Status, Verdict

Card = dict[str, object]

OVERVIEW = "VER000"
"""What stands for the first card of a note, which is no rule's, where cards are counted by rule."""

_SUMMARY = 139  # "One-sentence, <140-character summary message" (CDS Hooks 2.0, card attributes)
_QUOTE = 200
_QUOTES = 3
_LIKELY = 0.4  # codes below are alternatives, as everywhere in Cuewise
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~&@]|:(?=//)|(?i:(?<=www)\.))")


@dataclass(frozen=True, slots=True)
class Service:
    """A CDS service as ``cds_services.toml`` describes it.

    Parameters
    ----------
    notes : tuple of str
        Where its notes stand in a request, best first, such as ``prefetch.notes``.
    context : tuple of str
        Fields that the hook's context has.
    applies_to_orders : tuple of str
        Types of resource of which ``draftOrders`` must hold one for the service to look at all; empty for any.
    """

    id: str
    hook: str
    title: str
    description: str
    usage: str
    notes: tuple[str, ...]
    context: tuple[str, ...]
    prefetch: Mapping[str, str]
    applies_to_orders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Services:
    """The contents of ``cds_services.toml``."""

    system: str
    source: str
    max_notes: int
    max_cards: int
    by_id: Mapping[str, Service]
    override_reasons: Mapping[str, str]
    indicators: Mapping[str, str]

    @property
    def reasons_system(self) -> str:
        """The code system of the override reasons."""
        return f"{self.system}:override-reasons"


@cache
def load_services() -> Services:
    """Read ``cds_services.toml`` once."""
    content = tomllib.loads((Path(__file__).parent / "cds_services.toml").read_text(encoding="utf-8"))
    services = [
        Service(
            id=row["id"],
            hook=row["hook"],
            title=row["title"],
            description=row["description"],
            usage=row["usage"],
            notes=tuple(row["notes"]),
            context=tuple(row["context"]),
            prefetch=dict(row.get("prefetch", {})),
            applies_to_orders=tuple(row.get("applies_to_orders", ())),
        )
        for row in content["service"]
    ]
    return Services(
        system=content["system"],
        source=content["source"],
        max_notes=content["max_notes"],
        max_cards=content["max_cards"],
        by_id={service.id: service for service in services},
        override_reasons={reason["code"]: reason["display"] for reason in content["override_reason"]},
        indicators=content["indicators"],
    )


def make_cards(report: Report, *, base_url: str, name: str | None = None) -> list[Card]:
    """Turn a report into cards: what the note lacks as a whole first, then one card for each rule with findings.

    Parameters
    ----------
    report : Report
    base_url : str
        Where this service is reached, without a slash at the end; links lead there.
    name : str, optional
        What the cards call the note where a request has several.

    Returns
    -------
    list of dict
        CDS Hooks 2.0 cards without suggestions, worst first; empty where there is nothing to say.
    """
    services = load_services()
    by_code: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_code.setdefault(finding.code, []).append(finding)
    room = services.max_cards - 1
    shown = list(by_code.items())[:room]
    cards = [_finding_card(report, found, base_url, name) for _, found in shown]
    left_out = len(by_code) - len(shown)
    if (report.is_judged and report.verdict is not Verdict.SKILLED) or left_out:
        cards.insert(0, _overview_card(report, base_url, name, left_out))
    return cards


def unread_card(codes: Sequence[str], base_url: str) -> Card:
    """Return the card that says that notes of a request could not be read, beside those that could."""
    reasons = ", ".join(sorted(set(codes)))
    return _card(
        OVERVIEW,
        summary=f"Cuewise could not read {plural(len(codes), 'note')} of this request",
        detail=f"They were not looked at, so that no card about them means nothing. Reason: {reasons}.",
        indicator="info",
        source={"label": load_services().source, "url": f"{base_url}/"},
    )


def card_id(code: str) -> str:
    """Return a new id for a card: a version 8 UUID that begins with its rule's code, so that feedback can be counted.

    Examples
    --------
    >>> code_of(card_id("SKL003"))
    'SKL003'
    """
    letters = 0
    for letter in code[:3]:
        letters = letters * 26 + ord(letter) - ord("A")
    fields = (letters * 1000 + int(code[3:])) << 96  # 25 bits, in the first 32
    rest = uuid4().int & ((1 << 96) - 1)
    value = (fields | rest) & ~(0xF << 76) & ~(0x3 << 62)
    return str(UUID(int=value | (8 << 76) | (2 << 62)))


def code_of(card: str) -> str | None:
    """Return the code that a card's id begins with; None for an id that is not ours."""
    try:
        id = UUID(card)
    except ValueError:
        return None
    letters, digits = divmod(id.int >> 96, 1000)
    if id.version != 8 or letters >= 26**3:
        return None
    return "".join(chr(ord("A") + letters // 26**place % 26) for place in (2, 1, 0)) + f"{digits:03}"


def escape(text: str) -> str:
    """Return text for GitHub Flavored Markdown on one line, so that a note's words make no link, image or heading.

    Examples
    --------
    >>> escape("see [this](http://x)")
    'see \\\\[this\\\\](http\\\\://x)'
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _card(
    code: str,
    *,
    summary: str,
    detail: str,
    indicator: str,
    source: Mapping[str, object],
    links: Sequence[Mapping[str, str]] = (),
) -> Card:
    services = load_services()
    card: Card = {
        "uuid": card_id(code),
        "summary": shorten(summary, _SUMMARY),
        "detail": detail,
        "indicator": indicator,
        "source": dict(source),
        "overrideReasons": [
            {"code": reason, "system": services.reasons_system, "display": display}
            for reason, display in services.override_reasons.items()
        ],
    }
    if links:
        card["links"] = [dict(link) for link in links]
    return card


def _finding_card(report: Report, found: Sequence[Finding], base_url: str, name: str | None) -> Card:
    services = load_services()
    first = found[0]
    parts = [*_about(name), *_quotes(report, found), escape(first.message)]
    if first.fix:
        parts.append(f"**To consider:** {escape(first.fix)}")
    if first.status is Status.PREVIEW:
        parts.append("This rule is still being measured; weigh it with more care.")
    source: Card = {"label": first.source}
    address = _addresses().get(first.source, "")
    if address:
        source["url"] = address
    source["topic"] = {"system": f"{services.system}:rules", "code": first.code, "display": first.title}
    return _card(
        first.code,
        summary=first.title,
        detail="\n\n".join(parts),
        indicator=services.indicators[first.level],
        source=source,
        links=[{"label": f"Why: rule {first.code}", "url": f"{base_url}/rules/{first.code}", "type": "absolute"}],
    )


def _overview_card(report: Report, base_url: str, name: str | None, left_out: int) -> Card:
    words, services = load_words(), load_services()
    verdict = words.verdicts[report.verdict]
    parts = [*_about(name)]
    if report.is_judged:
        summary = f"A payer's reviewer may read this note as {verdict.name}: score {number(report.score)} of 100"
        parts.append(escape(verdict.meaning))
        if report.is_verdict_unclear:
            parts.append(f"**{words.unclear.name.capitalize()}:** {escape(words.unclear.meaning)}")
        parts.append("\n".join(_lacking(report)))
    else:
        summary = f"{plural(left_out, 'more finding')} in this note"
    likely = [code for code in report.icd10 if code.probability is not None and code.probability >= _LIKELY]
    if likely:
        listed = "; ".join(f"{code.code} {escape(code.title)} ({percent(code.probability)})" for code in likely)
        parts.append(f"**Codes that its words support:** {listed}. A clinician decides.")
    if left_out:
        parts.append(f"{plural(left_out, 'further rule')} with findings {'is' if left_out == 1 else 'are'} not shown.")
    parts.append(escape(words.caveat))
    return _card(
        OVERVIEW,
        summary=summary,
        detail="\n\n".join(filter(None, parts)),
        indicator=services.indicators.get(report.verdict, "info") if report.is_judged else "info",
        source={"label": services.source, "url": f"{base_url}/"},
    )


def _about(name: str | None) -> Iterator[str]:
    if name:
        yield f"About {escape(name)}:"


def _quotes(report: Report, found: Sequence[Finding]) -> Iterator[str]:
    quoted = [finding for finding in found if not is_whole_note(report, finding)]
    for finding in quoted[:_QUOTES]:
        yield f"> “{escape(shorten(report.note.text[finding.start : finding.end], _QUOTE))}”"
    if len(quoted) > _QUOTES:
        yield f"and {plural(len(quoted) - _QUOTES, 'more place')}"


def _lacking(report: Report) -> Iterator[str]:
    dimensions = load_words().dimensions
    for rating in report.ratings:
        if rating.rating < 2:
            name, meaning = dimensions[rating.dimension].name, dimensions[rating.dimension].meaning
            yield f"- {escape(name)}: {rating.rating} of 2; 2 means {escape(meaning)}"


@cache
def _addresses() -> Mapping[str, str]:
    """Return the web address of each source that has one, by how findings cite it."""
    sources = load_lexicons().sources.values()
    return {source.cited: source.address for source in sources if re.fullmatch(r"https://\S+", source.address)}


def shorten(text: str, length: int) -> str:
    """Return text on one line, cut after a word with an ellipsis where it is longer."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    cut = line[: length - 1]
    at_word = cut.rpartition(" ")[0]
    return (at_word if len(at_word) > length // 2 else cut).rstrip(" ,;:.") + "…"
