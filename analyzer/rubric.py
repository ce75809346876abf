"""Dimension ratings, score and verdict, from the labels (annotation guide 4).

A dimension is rated by the strength of its evidence: the sum of the probabilities of the segments that carry its
label, those that are boilerplate counting for the lower rating only. The limits of strength, and the two logistic
functions behind the verdict, are fitted on our own labelled notes and stand in ``points.toml``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.types import WEAK_LABELS, Dimension, Evidence, Label, Rating, Verdict

BY_STRENGTH = {
    Dimension.INTERVENTION: Label.INTERVENTION,
    Dimension.CUEING: Label.CUEING,
    Dimension.RESPONSE: Label.RESPONSE,
    Dimension.CLINICAL_REASONING: Label.REASONING,
    Dimension.PLAN: Label.PLAN,
}
BY_BOTH = {
    Dimension.MEASURABLE_PROGRESS: (Label.MEASURE, Label.PROGRESS),
    Dimension.GOAL_FUNCTION: (Label.GOAL, Label.FUNCTION),
}
ENOUGH = 3.0  # segments of one label after which more of them say nothing about the verdict


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


def rate_dimensions(
    evidence: Sequence[Evidence], weights: Mapping[Dimension, float], limits: Mapping[str, Any]
) -> tuple[Rating, ...]:
    """Rate the seven dimensions of the rubric.

    Parameters
    ----------
    evidence : sequence of Evidence
    weights : mapping of Dimension to float
        Summing to 100.
    limits : mapping
        The strength from which a dimension is rated 1 and 2, or each of its two labels counts; ``[strength]`` of
        ``points.toml``.

    Returns
    -------
    tuple of Rating
        One a dimension, in the order of the guide; each names the segments it rests on.
    """
    strength = strengths(evidence)
    ratings = []
    for dimension in Dimension:
        labels = BY_BOTH.get(dimension) or (BY_STRENGTH[dimension],)
        if dimension in BY_BOTH:
            rating = sum(strength[label][0] >= limits[label][0] for label in labels)
        else:
            every, specific = strength[labels[0]]
            one, two = limits[labels[0]]
            rating = 2 if specific >= two else 1 if every >= one else 0
        ratings.append(
            Rating(
                dimension=dimension,
                rating=rating,
                weight=weights[dimension],
                segments=tuple(sorted({item.segment for item in evidence if item.label in labels})) if rating else (),
            )
        )
    return tuple(ratings)


def score(ratings: Sequence[Rating]) -> float:
    """Return the sum of weight × rating / 2 over the dimensions, 0 to 100."""
    return sum(rating.points for rating in ratings)


def weak_share(evidence: Sequence[Evidence]) -> float:
    """Return the share of weak segments among the labelled ones; 1 where none is labelled."""
    weak = {item.segment for item in evidence if item.label in WEAK_LABELS}
    strong = {item.segment for item in evidence if item.label not in WEAK_LABELS}
    return len(weak) / len(weak | strong) if weak or strong else 1.0


def conclude(
    ratings: Sequence[Rating], evidence: Sequence[Evidence], settings: Mapping[str, Any]
) -> tuple[Verdict, float]:
    """Conclude verdict and probability of ``unskilled``.

    Parameters
    ----------
    ratings : sequence of Rating
    evidence : sequence of Evidence
    settings : mapping
        ``[verdict]`` of ``points.toml``: coefficients of the two logistic functions, by the name of their feature.

    Returns
    -------
    verdict : Verdict
    unskilled_probability : float
        Calibrated on labelled notes of our own that the points were not fitted on.
    """
    features = verdict_features(ratings, evidence)
    unskilled = _logistic(settings["unskilled"], features)
    skilled = _logistic(settings["skilled"], features)
    if unskilled >= 0.5 and unskilled >= skilled:
        verdict = Verdict.UNSKILLED
    elif skilled >= 0.5 and score(ratings) >= settings["least_skilled_score"] and _is_measured(ratings):
        verdict = Verdict.SKILLED
    else:
        verdict = Verdict.AT_RISK
    return verdict, round(unskilled, 4)


def verdict_features(ratings: Sequence[Rating], evidence: Sequence[Evidence]) -> dict[str, float]:
    """Return what the verdict rests on.

    Returns
    -------
    dict of str to float
        ``score`` / 100, ``weak_share``, the rating of ``measurable_progress``, and the strength of each label in
        segments that are not boilerplate, which counts up to ``ENOUGH``.
    """
    return {
        "score": score(ratings) / 100,
        "weak_share": weak_share(evidence),
        "measurable_progress": float(_rating(ratings, Dimension.MEASURABLE_PROGRESS)),
        **{
            label: min(ENOUGH, specific)
            for label, (_, specific) in strengths(evidence).items()
            if label is not Label.GENERIC
        },
    }


def _is_measured(ratings: Sequence[Rating]) -> bool:
    """Whether there is data or a comparison: "strong skill without any number is at_risk" (annotation guide 5)."""
    return _rating(ratings, Dimension.MEASURABLE_PROGRESS) > 0


def _logistic(coefficients: Mapping[str, float], features: Mapping[str, float]) -> float:
    total = coefficients["intercept"] + sum(coefficients[name] * value for name, value in features.items())
    return 1 / (1 + math.exp(-total))


def _rating(ratings: Sequence[Rating], dimension: Dimension) -> int:
    return next(rating.rating for rating in ratings if rating.dimension is dimension)
