"""Measure the codes and write their card: ``models/artifacts/codes/metrics.json`` and ``card.md``.

    python -m training_data.card_codes

No figure is typed by hand. Notes are read as the analyzer reads them, by their text alone. The yardstick is what a
search gives: TF-IDF similarity of the note's sentences with titles and synonyms of the same codes.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from analyzer.engine import Analyzer
from analyzer.icd10.catalogue import load_catalogue
from analyzer.types import Note
from models import artifact
from training_data.corpus import REFERENCE, Record, read_lines, read_split
from training_data.documents import markdown, rounded

FOLDER = artifact.ARTIFACTS / "codes"
SETS = {"test": "test notes", "test_second": "second test notes", "validation": "validation notes"}
FITTED_ON = ("validation", "reserve")  # probabilities were fitted here
EDGES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0001)
FIGURES = {
    "first": "a right code first",
    "three": "a right code in the first three",
    "recall": "right codes found in five",
    "false": "a wrong code where none is right",
}
Ranked = Sequence[Sequence[str]]


def figures(notes: Sequence[Record], ranked: Ranked) -> dict[str, float]:
    """Compare ranked codes with the right and the acceptable ones."""
    coded = [(note, codes) for note, codes in zip(notes, ranked, strict=True) if note["icd10"]]
    empty = [(note, codes) for note, codes in zip(notes, ranked, strict=True) if not note["icd10"]]
    right = sum(len(note["icd10"]) for note, _ in coded)
    return {
        "notes": len(coded),
        "notes_without": len(empty),
        "first": sum(bool(fine(note) & {*codes[:1]}) for note, codes in coded) / len(coded),
        "three": sum(bool(fine(note) & {*codes[:3]}) for note, codes in coded) / len(coded),
        "recall": sum(len({*note["icd10"]} & {*codes[:5]}) for note, codes in coded) / right,
        "false": sum(bool({*codes[:1]} - fine(note)) for note, codes in empty) / len(empty),
    }


def fine(note: Record) -> set[str]:
    """Codes that are right, or acceptable in the place of a right one."""
    return {*note["icd10"], *note["icd10_acceptable"]}


def searched(notes: Sequence[Record]) -> Ranked:
    """Rank codes by the similarity of titles and synonyms with any sentence of the note."""
    codes = list(load_catalogue().slp.values())
    vectors = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    known = vectors.fit_transform(" ".join((code.title, *code.synonyms)) for code in codes)
    found = []
    for note in notes:
        sentences = [note["text"][s["start"] : s["end"]] for s in note["segments"]]
        best = (vectors.transform(sentences) @ known.T).max(axis=0).toarray().ravel()
        found.append([codes[at].code for at in np.argsort(-best, kind="stable")[:5] if best[at] > 0])
    return found


def calibration(notes: Sequence[Record], given: Sequence[Any]) -> list[dict[str, float]]:
    """How often codes of a probability are right or acceptable, over all codes given."""
    pairs = [
        (s.probability, s.code in fine(note))
        for note, report in zip(notes, given, strict=True)
        for s in report.icd10
        if s.billable
    ]
    rows = []
    for low, high in pairwise(EDGES):
        inside = [(p, right) for p, right in pairs if low <= p < high]
        if inside:
            p, right = (float(np.mean(column)) for column in zip(*inside, strict=True))
            rows.append({"from": low, "codes": len(inside), "probability": p, "right": right})
    return rows


def areas(notes: Sequence[Record], ranked: Ranked) -> dict[str, dict[str, float]]:
    """Right codes first, by the area of the right first code."""
    found: dict[str, list[bool]] = {}
    slp = load_catalogue().slp
    for note, codes in zip(notes, ranked, strict=True):
        if note["icd10"]:
            code = slp.get(note["icd10"][0])
            area = code.area if code and code.area else "outside of the set"
            found.setdefault(area, []).append(bool(fine(note) & {*codes[:1]}))
    return {area: {"notes": len(right), "first": sum(right) / len(right)} for area, right in sorted(found.items())}


def measure() -> dict[str, Any]:
    """Measure every set."""
    analyzer = Analyzer.load()
    sets = {name: read_split(name) for name in SETS} | {"reference": list(read_lines(REFERENCE))}
    found: dict[str, Any] = {"sets": {}, "search": {}}
    pooled: tuple[list[Record], list[Any], list[list[str]]] = ([], [], [])
    for name, notes in sets.items():
        given = list(analyzer.analyze_all(Note(note["text"], id=note["id"]) for note in notes))
        ranked = [[s.code for s in report.icd10] for report in given]
        found["sets"][name] = figures(notes, ranked)
        found["search"][name] = figures(notes, searched(notes))
        if name not in FITTED_ON and name != "reference":
            for pool, part in zip(pooled, (notes, given, ranked), strict=True):
                pool.extend(part)
    found["calibration"] = calibration(pooled[0], pooled[1])
    found["areas"] = areas(pooled[0], pooled[2])
    return dict(rounded(found))


def card(found: Mapping[str, Any], manifest: artifact.Manifest) -> str:
    """The card as Markdown."""
    titles = SETS | {"reference": "reference notes"}
    head = ("figure", *(f"{title} ({found['sets'][name]['notes']})" for name, title in titles.items()))
    ours = [(title, *(found["sets"][name][key] for name in titles)) for key, title in FIGURES.items()]
    search = [(f"search: {title}", *(found["search"][name][key] for name in titles)) for key, title in FIGURES.items()]
    bins = [(f"from {row['from']}", row["codes"], row["probability"], row["right"]) for row in found["calibration"]]
    by_area = [(area, row["notes"], row["first"]) for area, row in found["areas"].items()]
    return f"""# Codes: what a note's words say of its diagnoses

One logistic regression for each of {len(manifest.labels)} targets over words, pairs of words, mentions as they are
asserted (`analyzer/lexicons/icd10/`), typed codes and the kind of note, fitted on {manifest.training["notes"]} invented
notes of `training_data/`. Targets become codes by tables that a coder can read. No clinician and no certified coder has
reviewed notes, codes or tables yet. It suggests; a clinician decides.

## Figures

Number of notes with a code in brackets. Probabilities were fitted on validation notes and on notes of the split
`reserve`, so that the validation figures flatter. "Search" is TF-IDF similarity with titles and synonyms of the same
codes, the yardstick; it always answers.

{markdown(head, [*ours, *search])}

## Calibration

Codes given on both sets of test notes: how often they were right or acceptable.

{markdown(("probability", "codes", "mean probability", "right or acceptable"), bins)}

## By area

Area of the first right code, on both sets of test notes: how often a right code came first.

{markdown(("area", "notes", "a right code first"), by_area)}

## Known limits

- A code is given for what the note says of the treated disorder; comorbidities that play no part in it are often
  left out, as annotators left them out.
- Acute strokes against residuals, and severity of dementia, rest on few words and are often wrong.
- Codes outside of the speech-language pathology set are looked up and checked when they are typed, never suggested.
"""


def main() -> None:
    """Measure and write."""
    found = measure()
    manifest, folder = artifact.load("codes")
    (folder / "metrics.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = card(found, manifest)
    (folder / "card.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
