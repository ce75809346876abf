"""What kind of note it is: treatment, evaluation, progress report, no-show and so on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from analyzer.match import Hit
from analyzer.segment import Segmentation
from analyzer.types import Kind, Section

_THRESHOLD = 3.0
_OPENING = 2  # segments at the top, where a note says what it is
_SCRAP = 5  # segments below which there is too little for the encoder, which learned from whole notes
_LATER = 0.4  # what a mention further down counts


def note_kind(
    segmentation: Segmentation,
    hits: Iterable[Hit],
    *,
    evidence_segments: int,
    note_logits: Mapping[str, float] | None = None,
    lexicon_weight: float = 1.0,
) -> Kind:
    """Decide the kind of a note from weighted hits and, where it ran, from what the encoder says.

    What nothing speaks for is a treatment note.

    Parameters
    ----------
    segmentation : Segmentation
    hits : iterable of Hit
        Of the rows of ``kinds.csv``.
    evidence_segments : int
        Segments with evidence of treatment; a note with much of it is no missed visit.
    note_logits : mapping of str to float, optional
        The encoder's logits, among them ``kind:KIND`` of every kind.
    lexicon_weight : float
        What the kind that the lexicons decide on adds to its logit.
    """
    by_lexicon = _by_lexicon(segmentation, hits, evidence_segments)
    if not note_logits or len(segmentation.segments) < _SCRAP:
        return by_lexicon
    return max(Kind, key=lambda kind: note_logits[f"kind:{kind}"] + lexicon_weight * (kind is by_lexicon))


def _by_lexicon(segmentation: Segmentation, hits: Iterable[Hit], evidence_segments: int) -> Kind:
    scores: dict[Kind, float] = defaultdict(float)
    counted: dict[str, int] = defaultdict(int)
    for hit in hits:
        segment = segmentation.segments[hit.segment]
        if segment.section is Section.PLAN or segment.is_unticked:
            continue  # "next: re-evaluation" is a plan, not the kind of this note
        counted[hit.row] += 1
        if counted[hit.row] <= 2:  # a word that comes back says little more
            kind = Kind(hit.value)
            is_opening = hit.segment < _OPENING or kind is Kind.NO_SHOW  # a missed visit is told anywhere
            scores[kind] += hit.weight * (1.0 if is_opening else _LATER)
    if evidence_segments > 1:
        scores[Kind.NO_SHOW] = 0.0
    return _best(scores)


def _best(scores: Mapping[Kind, float]) -> Kind:
    candidates = [(score, kind) for kind, score in scores.items() if kind is not Kind.TREATMENT and score >= _THRESHOLD]
    if not candidates:
        return Kind.TREATMENT
    return max(candidates, key=lambda pair: (pair[0], -list(Kind).index(pair[1])))[1]
