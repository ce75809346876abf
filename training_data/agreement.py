"""How far a second annotator, who had not seen the first labels, gave the same ones.

``agreement.jsonl`` holds one note a line: ``id``; ``segments``, each with the labels of the ``first`` and of the
``second`` annotator; and ``verdict``, ``kind`` and, where they were kept as first given, ``rubric`` and ``icd10`` of
both. These are the labels before any adjudication; what was decided stands in the note itself.

A label on which the two agreed too little was decided anew for all notes, by a sharper rule, segment by segment.
``relabelled.jsonl`` holds a sample of those decisions, each made once more by someone who had not seen the first. Those
of ``round`` 2 are of the labels on which the encoder and the author differed most.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from analyzer.evaluate import JUDGED_KINDS, f1, quadratic_kappa
from analyzer.types import Verdict
from training_data.corpus import HERE, LABELS, Record, read_lines

DOUBLE, AGAIN = HERE / "agreement.jsonl", HERE / "relabelled.jsonl"
_GRADES = {verdict: grade for grade, verdict in enumerate(Verdict)}


def read() -> list[Record]:
    """The notes that were labelled twice."""
    return list(read_lines(DOUBLE))


def read_again() -> dict[int, list[Record]]:
    """The samples of segments whose label was decided anew, by the round of decisions they are of: 1 or 2."""
    rounds: dict[int, list[Record]] = {1: [], 2: []}
    for decision in read_lines(AGAIN):
        rounds[decision.get("round", 1)].append(decision)
    return rounds


def label_agreement(double: Sequence[Record]) -> dict[str, dict[str, float]]:
    """For each label, and for all together as ``micro``: F1 of one annotator against the other, and the counts."""
    both: Counter[str] = Counter()
    one: Counter[str] = Counter()
    for segment in chain.from_iterable(note["segments"] for note in double):
        first, second = set(segment["first"]), set(segment["second"])
        both.update(first & second)
        one.update(first ^ second)
    rows = {label: (both[label], one[label]) for label in LABELS}
    rows_all = {**rows, "micro": (both.total(), one.total())}
    return {
        name: {"f1": f1(hits, misses, 0), "both": hits, "one_only": misses} for name, (hits, misses) in rows_all.items()
    }


def agreement_again(decisions: Sequence[Record]) -> dict[str, dict[str, float]]:
    """For each label that was decided anew: F1 of one annotator against the other, and the counts."""
    found = {}
    for label in sorted({decision["label"] for decision in decisions}):
        given = [(d["first"], d["second"]) for d in decisions if d["label"] == label]
        both = sum(first and second for first, second in given)
        one = sum(first != second for first, second in given)
        found[label] = {"f1": f1(both, one, 0), "both": both, "one_only": one, "segments": len(given)}
    return found


def note_agreement(double: Sequence[Record]) -> dict[str, float]:
    """Agreement on verdict, kind, first code and ratings."""
    judged = [note for note in double if note["kind"]["first"] in JUDGED_KINDS]
    grades = [tuple(_GRADES[Verdict(note["verdict"][who])] for who in ("first", "second")) for note in judged]
    coded = [n["icd10"] for n in double if "icd10" in n and n["icd10"]["first"] and n["icd10"]["second"]]
    ratings = [
        abs(note["rubric"]["first"][dimension] - note["rubric"]["second"][dimension])
        for note in double
        if "rubric" in note
        for dimension in note["rubric"]["first"]
    ]
    return {
        "notes": len(double),
        "segments": sum(len(note["segments"]) for note in double),
        "batches": len({note["id"].split("-")[0] for note in double}),
        "verdict_accuracy": sum(a == b for a, b in grades) / len(grades),
        "verdict_kappa": quadratic_kappa([(a, b) for a, b in grades]),
        "kind": sum(note["kind"]["first"] == note["kind"]["second"] for note in double) / len(double),
        "coded": len(coded),
        "first_code": sum(codes["first"][0] == codes["second"][0] for codes in coded) / len(coded),
        "rating_equal": sum(difference == 0 for difference in ratings) / len(ratings),
        "rating_within_one": sum(difference <= 1 for difference in ratings) / len(ratings),
    }
