"""Check the labelled notes, count them, and write the datasheet.

    python -m training_data.build            check, then write corpus.json and the tables of training_data/README.md
    python -m training_data.build check      check only; exit status 1 where something is wrong
    python -m training_data.build augment    print variants of the notes of a split as JSON Lines

Every table of the datasheet is made here from the notes, ``agreement.jsonl`` and ``learning_curve.json``. Needs the
``dev`` extra.
"""

import argparse
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from analyzer.evaluate import JUDGED_KINDS, auroc
from training_data import agreement, checks
from training_data.augment import CHANGES, augment
from training_data.corpus import HERE, LABELS, REFERENCE, WHOLE, Record, authors, read_lines, read_split, splits
from training_data.documents import fill, markdown, rounded

FIGURES = HERE / "corpus.json"
DATASHEET = HERE / "README.md"
CURVE = HERE / "learning_curve.json"
MODELS = ("linear", "transformer")  # of the learning curve


def read_all() -> dict[str, list[Record]]:
    """The notes of every split."""
    return {split: read_split(split) for split in splits()}


def group_of(value: str, groups: Mapping[str, Sequence[str]], *, at_start: bool) -> str:
    """The first group one of whose signs stands in a value, or at its start."""
    for name, signs in groups.items():
        if any(value.startswith(sign) if at_start else sign in value for sign in signs):
            return name
    return "other"


def _by_group(notes: Iterable[Record]) -> dict[str, Counter[str]]:
    groups = tomllib.loads((HERE / "groups.toml").read_text(encoding="utf-8"))
    found: dict[str, Counter[str]] = {"setting": Counter(), "disorder": Counter()}
    for note in notes:
        found["setting"][group_of(note["setting"].lower(), groups["settings"], at_start=False)] += 1
        first = next(iter(note["icd10"]), None)
        disorder = group_of(first, groups["disorders"], at_start=True) if first else "no code supported"
        found["disorder"][disorder] += 1
    return found


def count(by_split: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """Every count and figure of the notes themselves."""
    whole = [note for split in WHOLE for note in by_split[split]]
    every = [note for notes in by_split.values() for note in notes]
    lengths = {note["id"]: len(note["text"].split()) for note in whole}
    judged = [note for note in whole if note["kind"] in JUDGED_KINDS]
    author_of = authors()
    sides = Counter(n["family"] for split in by_split if split not in WHOLE for n in by_split[split] if "family" in n)
    by_id = {note["id"]: note for note in whole}
    pairs = [(by_id[p.first], by_id[p.second]) for p in checks.near_duplicates(whole) if p.similarity > checks.NEAR]
    alike = {note["id"] for pair in pairs for note in pair}
    alike_elsewhere = {note["id"] for pair in pairs if not checks.are_variants(*pair) for note in pair}
    shingles = [checks.shingles(note["text"]) for note in whole]
    return {
        "splits": {
            split: {
                "notes": len(notes),
                "authors": len({author_of[note["batch"]] for note in notes}),
                "batches": len({note["batch"] for note in notes}),
                "patients": len({note["patient_id"] for note in notes}),
                "segments": sum(len(note["segments"]) for note in notes),
                "labels": checks.label_counts(notes),
            }
            for split, notes in by_split.items()
        },
        "labels": checks.label_counts(every),
        "whole_notes": len(whole),
        "contrast_pairs": sum(number == 2 for number in sides.values()),
        "families_of_whole_notes": len({n["family"] for n in whole if "family" in n}),
        "kind": dict(Counter(note["kind"] for note in whole).most_common()),
        "verdict": dict(Counter(note["verdict"] for note in judged).most_common()),
        **{name: dict(found.most_common()) for name, found in _by_group(whole).items()},
        "codes": len({code for note in every for code in (*note["icd10"], *note["icd10_acceptable"])}),
        "words": {
            "least": min(lengths.values()),
            "median": median(lengths.values()),
            "most": max(lengths.values()),
            "median_by_verdict": {
                verdict: median(lengths[n["id"]] for n in judged if n["verdict"] == verdict)
                for verdict in ("skilled", "at_risk", "unskilled")
            },
            "auroc_for_unskilled": length_auroc(judged),
        },
        "distinct_3grams_per_note": len(frozenset().union(*shingles)) / len(whole),
        "share_of_3grams_in_one_note": _only_once(shingles),
        "share_with_near_neighbour": len(alike) / len(whole),
        "share_with_near_neighbour_outside_family": len(alike_elsewhere) / len(whole),
    }


def length_auroc(notes: Sequence[Record]) -> float:
    """How well the number of words alone tells unskilled notes from the others, whichever way round."""
    found = auroc([len(note["text"].split()) for note in notes], [note["verdict"] == "unskilled" for note in notes])
    return max(found, 1 - found)


def _only_once(sets: Sequence[frozenset[tuple[str, ...]]]) -> float:
    counts = Counter(shingle for found in sets for shingle in found)
    return sum(number == 1 for number in counts.values()) / len(counts)


def figures(by_split: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """All that the datasheet states of the notes and of the agreement on them."""
    double, again = agreement.read(), agreement.read_again()
    found = {
        **count(by_split),
        "agreement": agreement.note_agreement(double),
        "label_agreement": agreement.label_agreement(double),
        "agreement_again": agreement.agreement_again(again[1]),
        "agreement_on_hard": agreement.agreement_again(again[2]),
    }
    return dict(rounded(found))


def tables(found: Mapping[str, Any], curve: Mapping[str, Any]) -> dict[str, str]:
    """The Markdown tables of the datasheet, by the name of their block."""
    words = found["words"]
    by_verdict = ", ".join(f"{verdict} {number:g}" for verdict, number in words["median_by_verdict"].items())
    double = found["agreement"]
    return {
        "splits": markdown(
            ("split", "notes", "authors", "batches", "patients", "segments"),
            [
                (name, *(s[figure] for figure in ("notes", "authors", "batches", "patients", "segments")))
                for name, s in found["splits"].items()
            ],
        ),
        "labels": markdown(
            ("label", *found["splits"], "all", "agreement (F1)", "after relabelling", "hard ones"),
            [
                (
                    label,
                    *(s["labels"][label] for s in found["splits"].values()),
                    found["labels"][label],
                    found["label_agreement"][label]["f1"],
                    *(found[key].get(label, {}).get("f1", "") for key in ("agreement_again", "agreement_on_hard")),
                )
                for label in LABELS
            ],
        ),
        "notes": "\n\n".join(
            markdown((name, "whole notes"), list(found[name].items()))
            for name in ("verdict", "kind", "setting", "disorder")
        ),
        "variety": markdown(
            ("figure", "value"),
            [
                ("whole notes", found["whole_notes"]),
                ("contrast pairs, both sides labelled", found["contrast_pairs"]),
                ("families of whole notes (copied forward on purpose)", found["families_of_whole_notes"]),
                ("different ICD-10-CM codes", found["codes"]),
                ("words a note: least, median, most", f"{words['least']}, {words['median']:g}, {words['most']}"),
                ("median words by verdict", by_verdict),
                ("AUROC of the number of words alone for `unskilled`", words["auroc_for_unskilled"]),
                ("distinct word 3-grams per note", found["distinct_3grams_per_note"]),
                ("share of the distinct 3-grams that stand in one note only", found["share_of_3grams_in_one_note"]),
                ("share of notes with another of Jaccard > 0.3", found["share_with_near_neighbour"]),
                ("the same outside of declared families", found["share_with_near_neighbour_outside_family"]),
            ],
        ),
        "agreement": markdown(
            ("figure", "value"),
            [
                ("notes labelled twice", f"{double['notes']} of {double['batches']} batches"),
                ("segments", double["segments"]),
                ("labels, micro-F1", found["label_agreement"]["micro"]["f1"]),
                ("labels that both gave; that one gave", _counts(found["label_agreement"]["micro"])),
                ("verdict, same (treatment and group notes)", double["verdict_accuracy"]),
                ("verdict, quadratic kappa", double["verdict_kappa"]),
                ("kind, same", double["kind"]),
                (f"first code, same ({double['coded']} notes where both gave one)", double["first_code"]),
                ("ratings, same; at most one apart", f"{double['rating_equal']}; {double['rating_within_one']}"),
            ],
        ),
        "curve": markdown(
            ("share", "notes and pieces", *(f"{model}, {name}" for model in MODELS for name in ("test", "reference"))),
            [
                (
                    f"{point['share']:.0%}",
                    point["notes"],
                    *(point[model][name]["micro_f1"] for model in MODELS for name in ("test", "reference")),
                )
                for point in curve["curve"]
            ],
        ),
        "augmentation": markdown(
            ("changes", "variants", "test", "reference", "validation, changed"),
            [
                (
                    row["changes"],
                    row["variants"],
                    *(row["linear"][name]["micro_f1"] for name in ("test", "reference", "validation, changed")),
                )
                for row in curve["augmentation"]
            ],
        ),
    }


def _counts(row: Mapping[str, float]) -> str:
    return f"{row['both']}; {row['one_only']}"


def check(by_split: Mapping[str, Sequence[Record]]) -> bool:
    """Print what is wrong; return whether nothing is."""
    found = checks.problems(by_split, list(read_lines(REFERENCE)), authors())
    for problem in found:
        print(problem)
    print(f"{sum(map(len, by_split.values()))} notes, {len(found)} problems", file=sys.stderr)
    return not found


def main() -> None:
    """Check and write, or do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("check", help="check only")
    variants = commands.add_parser("augment", help="print variants of the notes of a split")
    variants.add_argument("--split", default="train", choices=[*splits()])
    variants.add_argument("--seed", type=int, default=0)
    variants.add_argument("--copies", type=int, default=1)
    variants.add_argument("--without", action="append", default=[], choices=[*CHANGES], help="switch a change off")
    arguments = parser.parse_args()
    if arguments.command == "augment":
        kinds = [kind for kind in CHANGES if kind not in arguments.without]
        for note in augment(read_split(arguments.split), seed=arguments.seed, copies=arguments.copies, kinds=kinds):
            print(json.dumps(note, ensure_ascii=False))
        return
    by_split = read_all()
    if not check(by_split):
        sys.exit(1)
    if arguments.command is None:
        found = figures(by_split)
        FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        blocks = tables(found, json.loads(CURVE.read_text(encoding="utf-8")))
        DATASHEET.write_text(fill(DATASHEET.read_text(encoding="utf-8"), blocks), encoding="utf-8")


if __name__ == "__main__":
    main()
