"""What a trained model may weigh about diagnoses: a note's words, mentions as they are asserted, typed codes."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from analyzer.segment import Segmentation
from analyzer.types import CODABLE, Kind, Mention, Segment, TypedCode

Spans = list[tuple[int, int]]
Features = Mapping[str, Spans]
"""Name of each feature, with the words that give it."""

_WORD = re.compile(r"[a-z][a-z'/-]*[a-z]|[a-z]/[a-z]+")
_MANY = 3


def code_features(
    segmentation: Segmentation,
    mentions: Sequence[Mention],
    typed: Sequence[TypedCode],
    kind: Kind,
    *,
    age_years: float | None = None,
) -> dict[str, Spans]:
    """List the features of a note.

    Parameters
    ----------
    segmentation : Segmentation
    mentions : sequence of Mention
    typed : sequence of TypedCode
    kind : Kind
        What kind of note it is: a contact without a session seldom supports a code.
    age_years : float, optional
        Taken as the mention of a child or an adult.

    Returns
    -------
    dict of str to list of (int, int)
        ``said/``, ``sign/`` and ``cue/`` with a concept, and ``~`` with its certainty where it is not certain;
        ``typed/`` with a code and with its category; ``kind/``; ``word/`` and ``pair/``.

    Examples
    --------
    Two mentions of a concept also give ``many/said/CONCEPT``.
    """
    found: dict[str, Spans] = {}
    for mention in mentions:
        certainty = "" if mention.certainty in CODABLE else f"~{mention.certainty}"
        found.setdefault(f"{_KIND[mention.strength]}/{mention.concept}{certainty}", []).append(
            (mention.start, mention.end)
        )
    for name in [name for name, spans in found.items() if len(spans) >= _MANY]:
        found[f"many/{name}"] = found[name]
    for code in typed:
        spans = [] if code.start is None or code.end is None else [(code.start, code.end)]
        for name in (code.code, code.code[:3]):
            found.setdefault(f"typed/{name}", []).extend(spans)
    found[f"kind/{kind}"] = []
    if age_years is not None:
        found.setdefault("said/" + ("child" if age_years < _ADULT else "adult"), [])
    for name, span in _words(segmentation.folded, segmentation.segments):
        found.setdefault(name, []).append(span)
    return found


_ADULT = 18
_KIND = {"stated": "said", "sign": "sign", "cue": "cue"}


def _words(folded: str, segments: Iterable[Segment]) -> Iterable[tuple[str, tuple[int, int]]]:
    for segment in segments:
        matches = list(_WORD.finditer(folded, segment.start, segment.end))
        for match in matches:
            yield f"word/{match.group()}", match.span()
        for first, second in pairwise(matches):
            yield f"pair/{first.group()} {second.group()}", (first.start(), second.end())


def is_word(name: str) -> bool:
    """Whether a feature is a word or a pair of words, which are weighed by how rare they are."""
    return name.startswith(("word/", "pair/"))


def values(features: Iterable[str], rarity: Mapping[str, float], *, share: float = 1.0) -> dict[str, float]:
    """Weigh the features of one note.

    Parameters
    ----------
    features : iterable of str
    rarity : mapping of str to float
        Inverse document frequency of every word that counts.
    share : float
        Length of the vector of words; mentions and typed codes count 1 each.

    Returns
    -------
    dict of str to float
    """
    words = {name: rarity[name] for name in features if name in rarity}
    length = math.sqrt(sum(value * value for value in words.values())) or 1.0
    weighed = {name: share * value / length for name, value in words.items()}
    return weighed | {name: 1.0 for name in features if not is_word(name)}
