"""How scores become labels, ratings, a verdict and a kind: fitted coefficients by the name of what they weigh.

Every decision is a logistic function of a few named features, so that each can be read, and recomputed by hand. There
are two sets with the same form: that of the lexicons alone (``points.toml``) and that of the encoder together with
them (its manifest).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analyzer.types import Dimension, Label

INTERCEPT = "intercept"
Coefficients = Mapping[str, float]


def logistic(coefficients: Coefficients, features: Mapping[str, float]) -> float:
    """Weigh features by their names.

    Parameters
    ----------
    coefficients : mapping of str to float
        ``intercept``, and one for each feature that counts.
    features : mapping of str to float
        Others than those of the coefficients are left alone.

    Returns
    -------
    float
        A probability.

    Raises
    ------
    KeyError
        When a feature that counts is missing.

    Examples
    --------
    >>> logistic({"intercept": -1.0, "score": 2.0}, {"score": 0.5, "weak_share": 0.1})
    0.5
    """
    total = coefficients[INTERCEPT]
    for name, weight in coefficients.items():
        if name != INTERCEPT:
            total += weight * features[name]
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


@dataclass(frozen=True, slots=True)
class LabelDecision:
    """When a label is given.

    Parameters
    ----------
    intercept, lexicon, encoder : float
        The label's calibrated log-odds are ``intercept + lexicon × sum of points + encoder × logit``.
    threshold : float
        The probability from which the label is given.
    unclear_below : float
        A given label that is less probable is one that a person should look at.
    """

    intercept: float
    lexicon: float
    encoder: float
    threshold: float
    unclear_below: float


@dataclass(frozen=True, slots=True)
class Decisions:
    """Everything that was fitted to turn scores into what a report says.

    Parameters
    ----------
    labels : mapping of Label to LabelDecision
    ratings : mapping of Dimension to (Coefficients, Coefficients)
        Of "at least 1" and "2".
    unskilled, skilled : Coefficients
        Of the two logistic functions behind the verdict.
    least_skilled_score : float
        A note with a lower score is not called skilled.
    unclear_verdict : float
        A verdict whose probability is lower is one that a person should look at.
    unclear_wrong : float, optional
        The share of the verdicts marked so that annotators did not give, on the notes that decisions were fitted on.
    lexicon_kind : float
        What the lexicons' kind of note weighs against the encoder's logits.
    """

    labels: Mapping[Label, LabelDecision]
    ratings: Mapping[Dimension, tuple[Coefficients, Coefficients]]
    unskilled: Coefficients
    skilled: Coefficients
    least_skilled_score: float
    unclear_verdict: float
    lexicon_kind: float
    unclear_wrong: float | None = None

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Decisions":
        """Read them from a manifest or a TOML file.

        Raises
        ------
        KeyError, TypeError, ValueError
            When something is missing, unknown or of another type.
        """
        return cls(
            labels={label: LabelDecision(**table["labels"][label]) for label in Label},
            ratings={
                dimension: (dict(table["ratings"][dimension]["1"]), dict(table["ratings"][dimension]["2"]))
                for dimension in Dimension
            },
            unskilled=dict(table["verdict"]["unskilled"]),
            skilled=dict(table["verdict"]["skilled"]),
            least_skilled_score=float(table["verdict"]["least_skilled_score"]),
            unclear_verdict=float(table["verdict"]["unclear"]),
            lexicon_kind=float(table["kind"]["lexicon"]),
            unclear_wrong=table["verdict"].get("unclear_wrong"),
        )
