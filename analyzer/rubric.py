"""Dimension ratings, score and verdict, from labels and what the encoder says of the note (annotation guide 4).

Each decision is a logistic function of named features (:mod:`analyzer.decisions`): how strong the evidence of each
label is, and, where the encoder ran, its logits for the note. The score is the sum of its rubric, whatever decided it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from analyzer.decisions import Decisions, logistic
from analyzer.types import WEAK_LABELS, Dimension, Evidence, Label, Rating, Verdict

LABELS_OF = {
    Dimension.INTERVENTION: (Label.INTERVENTION,),
    Dimension.CUEING: (Label.CUEING,),
    Dimension.RESPONSE: (Label.RESPONSE,),
    Dimension.MEASURABLE_PROGRESS: (Label.MEASURE, Label.PROGRESS),
    Dimension.CLINICAL_REASONING: (Label.REASONING,),
    Dimension.GOAL_FUNCTION: (Label.GOAL, Label.FUNCTION),
    Dimension.PLAN: (Label.PLAN,),
}
ENOUGH = 3.0  # segments of one label after which more of them say nothing more
_FAINT = 0.05  # strength of a label that is not there, so that its logarithm is finite


def strengths(evidence: Sequence[Evidence]) -> dict[Label, tuple[float, float]]:
    """Sum the probabilities of each label's segments.

    Returns
    -------
    dict of Label to (float, float)
        Over all its segments, and over those that are not boilerplate.
    """
    boilerplate = {item.segment for item in evidence if item.label is Label.GENERIC}
    sums = {label: [0.0, 0.0] for label in Label}
    for item in evidence:
        probability = 1.0 if item.probability is None else item.probability
        sums[item.label][0] += probability
        if item.segment not in boilerplate:
            sums[item.label][1] += probability
    return {label: (every, specific) for label, (every, specific) in sums.items()}


def note_features(evidence: Sequence[Evidence], note_logits: Mapping[str, float]) -> dict[str, float]:
    """Return what ratings and verdict may rest on.

    Parameters
    ----------
    evidence : sequence of Evidence
    note_logits : mapping of str to float
        What the encoder says of the whole note, by output; empty where it did not run.

    Returns
    -------
    dict of str to float
        ``every/LABEL`` and ``specific/LABEL``, the logarithm of a label's strength in all segments and in those that
        are not boilerplate, which counts up to ``ENOUGH``; ``weak_share``; and ``note/OUTPUT``.
    """
    features = {"weak_share": weak_share(evidence)}
    for label, (every, specific) in strengths(evidence).items():
        features[f"every/{label}"] = math.log(_FAINT + min(ENOUGH, every))
        features[f"specific/{label}"] = math.log(_FAINT + min(ENOUGH, specific))
    return features | {f"note/{output}": value for output, value in note_logits.items()}


def rate_dimensions(
    evidence: Sequence[Evidence],
    features: Mapping[str, float],
    weights: Mapping[Dimension, float],
    decisions: Decisions,
) -> tuple[Rating, ...]:
    """Rate the seven dimensions of the rubric.

    Parameters
    ----------
    evidence : sequence of Evidence
    features : mapping of str to float
        Those of :func:`note_features`.
    weights : mapping of Dimension to float
        Summing to 100.
    decisions : Decisions

    Returns
    -------
    tuple of Rating
        One a dimension, in the order of the guide; each names the segments it rests on, and a dimension without any
        evidence is rated 0.
    """
    ratings = []
    for dimension in Dimension:
        segments = tuple(sorted({item.segment for item in evidence if item.label in LABELS_OF[dimension]}))
        one, two = (logistic(coefficients, features) >= 0.5 for coefficients in decisions.ratings[dimension])
        rating = 0 if not segments else 2 if one and two else 1 if one else 0
        ratings.append(Rating(dimension, rating, weights[dimension], segments if rating else ()))
    return tuple(ratings)


def score(ratings: Sequence[Rating]) -> float:
    """Return the sum of weight × rating / 2 over the dimensions, 0 to 100."""
    return sum(rating.points for rating in ratings)


def weak_share(evidence: Sequence[Evidence]) -> float:
    """Return the share of weak segments among the labelled ones; 1 where none is labelled."""
    weak = {item.segment for item in evidence if item.label in WEAK_LABELS}
    strong = {item.segment for item in evidence if item.label not in WEAK_LABELS}
    return len(weak) / len(weak | strong) if weak or strong else 1.0


def verdict_features(ratings: Sequence[Rating], features: Mapping[str, float]) -> dict[str, float]:
    """Add to the features of a note what its ratings say: ``score`` / 100 and ``rating/measurable_progress``."""
    measured = float(_rating(ratings, Dimension.MEASURABLE_PROGRESS))
    return {**features, "score": score(ratings) / 100, "rating/measurable_progress": measured}


class Conclusion(NamedTuple):
    """What a note comes to.

    Parameters
    ----------
    verdict : Verdict
    probability : float
        Of this verdict.
    unskilled_probability : float
        Calibrated on labelled notes of our own that nothing else was fitted on.
    is_unclear : bool
        Whether the margin is so thin that a person should look.
    """

    verdict: Verdict
    probability: float
    unskilled_probability: float
    is_unclear: bool


def conclude(ratings: Sequence[Rating], features: Mapping[str, float], decisions: Decisions) -> Conclusion:
    """Conclude the verdict.

    Parameters
    ----------
    ratings : sequence of Rating
    features : mapping of str to float
        Those of :func:`note_features`.
    decisions : Decisions

    Returns
    -------
    Conclusion
    """
    known = verdict_features(ratings, features)
    unskilled, skilled = logistic(decisions.unskilled, known), logistic(decisions.skilled, known)
    if unskilled >= 0.5 and unskilled >= skilled:
        verdict, probability = Verdict.UNSKILLED, unskilled
    elif skilled >= 0.5 and score(ratings) >= decisions.least_skilled_score and _is_measured(ratings):
        verdict, probability = Verdict.SKILLED, skilled
    else:
        verdict, probability = Verdict.AT_RISK, 1 - max(unskilled, skilled)
    return Conclusion(verdict, round(probability, 4), round(unskilled, 4), probability < decisions.unclear_verdict)


def _is_measured(ratings: Sequence[Rating]) -> bool:
    """Whether there is data or a comparison: "strong skill without any number is at_risk" (annotation guide 5)."""
    return _rating(ratings, Dimension.MEASURABLE_PROGRESS) > 0


def _rating(ratings: Sequence[Rating], dimension: Dimension) -> int:
    return next(rating.rating for rating in ratings if rating.dimension is dimension)
