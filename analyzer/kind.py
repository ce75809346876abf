"""What kind of note it is: treatment, evaluation, progress report, no-show and so on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from analyzer.match import Hit
from analyzer.segment import Segmentation
from analyzer.types import Kind, Section

_THRESHOLD = 3.0


def note_kind(segmentation: Segmentation, hits: Iterable[Hit], *, evidence_segments: int) -> Kind:
    """Decide the kind of a note from weighted hits; what nothing speaks for is a treatment note.

    Parameters
    ----------
    segmentation : Segmentation
    hits : iterable of Hit
        Of the rows of ``kinds.csv``.
    evidence_segments : int
        Segments with evidence of treatment; a note with much of it is no missed visit.
    """
    scores: dict[Kind, float] = defaultdict(float)
    rows: dict[str, int] = defaultdict(int)
    for hit in hits:
        if segmentation.segments[hit.segment].section is Section.PLAN:
            continue  # "next: re-evaluation" is a plan, not the kind of this note
        rows[hit.row] += 1
        if rows[hit.row] <= 2:  # a word that comes back says little more
            early = 1.0 if hit.segment < 4 else 0.5
            scores[Kind(hit.value)] += hit.weight * early
    if scores[Kind.NO_SHOW] and evidence_segments > 2:
        scores[Kind.NO_SHOW] = 0.0
    return _best(scores)


def _best(scores: Mapping[Kind, float]) -> Kind:
    candidates = [(score, kind) for kind, score in scores.items() if kind is not Kind.TREATMENT and score >= _THRESHOLD]
    if not candidates:
        return Kind.TREATMENT
    return max(candidates, key=lambda pair: (pair[0], -list(Kind).index(pair[1])))[1]
