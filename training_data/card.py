"""Measure the shipped encoder and write its card: ``metrics.json`` and ``card.md`` in its artifact.

    python -m training_data.card

Every number of the card comes from ``metrics.json``, which comes from here; a test measures again and compares. The
plots are drawn where matplotlib is installed (``train`` extra). What was tried in training stands in ``ablation.json``.
"""

import argparse
import json
import statistics
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analyzer.engine import Analyzer
from analyzer.evaluate import JUDGED_KINDS, calibration_error
from analyzer.types import Label, Note, Report, Verdict
from models import artifact
from training_data.build import group_of
from training_data.corpus import HERE, REFERENCE, Record, read_lines, read_split
from training_data.documents import markdown, rounded
from training_data.fit_points import right_labels
from training_data.measure import ROWS, SETS, SPLITS, figures

FOLDER = artifact.ARTIFACTS / "encoder"
ABLATION = HERE / "ablation.json"
ABLATED = ("validation", "test", "test_second", "reference")
BINS = 10
COVERAGES = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
LENGTHS = ((0, 60, "up to 60 words"), (60, 120, "61 to 120"), (120, 240, "121 to 240"), (240, 10**6, "more than 240"))


def sets() -> dict[str, list[Record]]:
    """The notes of each set that is measured."""
    return {name: read_split(name) for name in SPLITS} | {"reference": list(read_lines(REFERENCE))}


def read(analyzer: Analyzer, notes: Sequence[Record]) -> list[tuple[Record, Report]]:
    """Analyse notes without their annotations."""
    found = analyzer.analyze_all(Note(note["text"], id=note["id"]) for note in notes)
    return [(note, report) for note, report in zip(notes, found, strict=True) if isinstance(report, Report)]


def label_counts(note: Record, report: Report) -> Counter[str]:
    """Labels that are right, wrong and missed, over our segments."""
    counts: Counter[str] = Counter()
    given: dict[int, set[Label]] = defaultdict(set)
    for item in report.evidence:
        given[item.segment].add(item.label)
    for segment in report.segments:
        right, ours = right_labels(note, segment.start, segment.end), given[segment.index]
        counts["right"] += len(ours & right)
        counts["wrong"] += len(ours - right)
        counts["missed"] += len(right - ours)
        for label in ours - right:
            counts[f"{label}, not given by annotators"] += 1
        for label in right - ours:
            counts[f"{label}, missed"] += 1
    return counts


def by_group(pairs: Sequence[tuple[Record, Report]]) -> dict[str, dict[str, dict[str, float]]]:
    """Micro-F1 of labels, accuracy of verdicts and error of scores, by what kind of note it is."""
    groups = tomllib.loads((HERE / "groups.toml").read_text(encoding="utf-8"))
    ways: dict[str, Callable[[Record], str]] = {
        "setting": lambda note: group_of(note["setting"].lower(), groups["settings"], at_start=False),
        "disorder": lambda note: (
            group_of(note["icd10"][0], groups["disorders"], at_start=True) if note["icd10"] else "no code supported"
        ),
        "length": lambda note: _length(len(note["text"].split())),
        "kind": lambda note: str(note["kind"]),
        "verdict": lambda note: str(note["verdict"]),
    }
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, way in ways.items():
        members: dict[str, list[tuple[Record, Report]]] = defaultdict(list)
        for note, report in pairs:
            members[way(note)].append((note, report))
        found[name] = {group: _figures(members[group]) for group in sorted(members)}
    return found


def _length(words: int) -> str:
    return next(name for low, high, name in LENGTHS if low < words <= high)


def _figures(pairs: Sequence[tuple[Record, Report]]) -> dict[str, float]:
    counts = sum((label_counts(note, report) for note, report in pairs), Counter())
    judged = [(note, report) for note, report in pairs if note["kind"] in JUDGED_KINDS]
    row: dict[str, float] = {"notes": len(pairs)}
    row["micro_f1"] = 2 * counts["right"] / max(1, 2 * counts["right"] + counts["wrong"] + counts["missed"])
    if judged:
        row["verdict_accuracy"] = statistics.mean(note["verdict"] == report.verdict for note, report in judged)
        row["score_mae"] = statistics.mean(abs(note["score"] - report.score) for note, report in judged)
    return row


def reliability(pairs: Iterable[tuple[float, bool]]) -> dict[str, Any]:
    """How often what was given a probability came true, in ten equal bins, and the calibration error."""
    known = list(pairs)
    bins = []
    for number in range(BINS):
        inside = [
            (p, y) for p, y in known if number / BINS <= p < (number + 1) / BINS or (number == BINS - 1 and p == 1)
        ]
        if inside:
            probabilities, came_true = zip(*inside, strict=True)
            bins.append({"n": len(inside), "mean": statistics.mean(probabilities), "true": statistics.mean(came_true)})
    error = calibration_error([p for p, _ in known], [y for _, y in known])
    return {"n": len(known), "calibration_error": error, "bins": bins}


def _labels_given(pairs: Sequence[tuple[Record, Report]]) -> list[tuple[float, bool]]:
    found = []
    for note, report in pairs:
        for item in report.evidence:
            segment = report.segments[item.segment]
            found.append((item.probability or 0.0, item.label in right_labels(note, segment.start, segment.end)))
    return found


def _judged(pairs: Sequence[tuple[Record, Report]]) -> list[tuple[Record, Report]]:
    return [(note, report) for note, report in pairs if note["kind"] in JUDGED_KINDS]


def selective(pairs: Sequence[tuple[Record, Report]]) -> dict[str, Any]:
    """Verdicts of the notes with the widest margin: how many are wrong, and what the mark of doubt is worth."""
    judged = sorted(_judged(pairs), key=lambda pair: -_margin(pair[1]))
    curve = []
    for share in COVERAGES:
        kept = judged[: max(1, round(share * len(judged)))]
        curve.append({"coverage": share, "wrong": statistics.mean(n["verdict"] != r.verdict for n, r in kept)})
    marked = [(note, report) for note, report in judged if report.is_verdict_unclear]
    clear = [(note, report) for note, report in judged if not report.is_verdict_unclear]
    return {
        "curve": curve,
        "marked": len(marked),
        "marked_wrong": statistics.mean(n["verdict"] != r.verdict for n, r in marked) if marked else 0.0,
        "clear": len(clear),
        "clear_wrong": statistics.mean(n["verdict"] != r.verdict for n, r in clear) if clear else 0.0,
    }


def _margin(report: Report) -> float:
    return report.verdict_probability or 0.0


def failures(pairs: Sequence[tuple[Record, Report]]) -> dict[str, Any]:
    """The verdicts that were wrong, and the commonest errors of labels."""
    counts = sum((label_counts(note, report) for note, report in pairs), Counter())
    kinds = {name: n for name, n in counts.items() if name not in ("right", "wrong", "missed")}
    verdicts = Counter(
        f"{note['verdict']} called {report.verdict}"
        for note, report in _judged(pairs)
        if note["verdict"] != report.verdict
    )
    return {
        "verdicts": dict(verdicts.most_common()),
        "labels": dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:12]),
    }


def metrics() -> dict[str, Any]:
    """Everything that the card says."""
    analyzer, alone = Analyzer.load(model="encoder"), Analyzer.load(model="lexicons")
    pairs = {name: read(analyzer, notes) for name, notes in sets().items()}
    found = {
        "figures": figures(analyzer),
        "lexicons_alone": figures(alone),
        "groups": {name: by_group(own) for name, own in pairs.items()},
        "labels_given": {name: reliability(_labels_given(own)) for name, own in pairs.items()},
        "unskilled": {
            name: reliability(
                (r.unskilled_probability or 0.0, n["verdict"] == Verdict.UNSKILLED) for n, r in _judged(own)
            )
            for name, own in pairs.items()
        },
        "selective": {name: selective(own) for name, own in pairs.items()},
        "failures": {name: failures(own) for name, own in pairs.items()},
    }
    return dict(rounded(found))


def card(found: Mapping[str, Any], manifest: artifact.Manifest, ablation: Sequence[Mapping[str, Any]]) -> str:
    """Lay the card out."""
    training = manifest.training
    names = list(SETS)
    head = ["", *(SETS[name] for name in names)]

    def block(title: str, lines: Sequence[str]) -> list[str]:
        return ["", f"## {title}", "", *lines]

    def table(of: Mapping[str, Any]) -> str:
        return markdown(head, [(title, *(of[name][figure] for name in names)) for title, figure in ROWS])

    labels = [
        (
            label,
            *(
                f"{found['figures'][name]['labels'][label][part]}"
                for name in names
                for part in ("precision", "recall", "f1")
            ),
        )
        for label in map(str, Label)
    ]
    part_names = [f"{SETS[name]}: {part}" for name in names for part in ("precision", "recall", "F1")]
    lines = [
        f"# Model card: {manifest.name} {manifest.version}",
        "",
        "A small transformer that reads a whole session note and scores each segment for the fourteen labels of the annotation",
        "guide, and the note for its rubric, verdict and kind. Written by `python -m training_data.card`; no number is typed by hand.",
        *block(
            "What it is",
            [
                f"- Base: `{training['base']}` (6 layers, 22 million parameters), fine-tuned on {training['notes']} whole notes and"
                f" {training['pieces']} short pieces, all invented and written by language models (datasheet: `training_data/README.md`).",
                f"- 8-bit weights in ONNX, run on a CPU; after export the labels of {training['same_after_export']:.2%} of the validation"
                " segments are those of the network as trained.",
                "- A segment's logit is the mean of its tokens' logits, so that the words shown for a label are those that carried it.",
                "- In training some notes hold a run of another note's segments, and some are shown in short runs, so that a segment is"
                " read for what it says. The outputs for the whole note are then fitted anew on all notes.",
                "- Decisions (weights of encoder and lexicons, thresholds, ratings, verdict) were fitted on validation and reserve notes;"
                " the former therefore look better here than they are. The test and reference notes took no part.",
                "- The kinds of segments that an earlier encoder read wrongly in the reference notes, without their wording, were"
                " part of the brief for later notes (datasheet); test notes never were.",
                f"- Settings: `{json.dumps(training['settings'])}`; libraries: `{json.dumps(training['libraries'])}`.",
            ],
        ),
        *block(
            "Use",
            [
                "For documentation review by people who know the record. It judges what is written, not the care that was given, and decides",
                "no claim. English notes of speech-language pathology only. It was never shown a real patient's note, and no clinician has",
                "checked its labels; a verdict marked as unclear is one that a person should read.",
            ],
        ),
        *block("Figures of the analyzer with this encoder", [table(found["figures"])]),
        *block(
            "Figures of the lexicons alone, which stand in where the encoder cannot be loaded",
            [table(found["lexicons_alone"])],
        ),
        *block("Labels", [markdown(["label", *part_names], labels)]),
        *block(
            "What was tried",
            [
                "Labels in our own segments, with one threshold a label chosen on the validation notes. Choices were made on the first column and on the reserve notes.",
                "The last three rows were measured with the segments and the validation labels of now, the first six before lines were joined and sentences cut as now.",
                "No teacher was distilled into the encoder: one five times as large was hardly better on the same notes, more notes were.",
                "",
                markdown(
                    ("run", "notes", *(f"micro-F1, {SETS[name]}" for name in ABLATED)),
                    [(row["name"], row["notes"], *(row[name] for name in ABLATED)) for row in ablation],
                ),
            ],
        ),
    ]
    for name in names:
        own = found["selective"][name]
        lines += block(
            f"Calibration and doubt: {SETS[name]}",
            [
                f"Labels given: {found['labels_given'][name]['n']}, calibration error {found['labels_given'][name]['calibration_error']}."
                f" Chance of unskilled: calibration error {found['unskilled'][name]['calibration_error']}.",
                "",
                markdown(
                    ("chance of unskilled", "notes", "were unskilled"),
                    [(b["mean"], b["n"], b["true"]) for b in found["unskilled"][name]["bins"]],
                ),
                "",
                markdown(
                    ("probability of a label given", "labels", "were right"),
                    [(b["mean"], b["n"], b["true"]) for b in found["labels_given"][name]["bins"]],
                ),
                "",
                f"Verdicts marked as unclear: {own['marked']} of {own['marked'] + own['clear']}, of which {own['marked_wrong']:.1%} were wrong;"
                f" of the others {own['clear_wrong']:.1%}.",
                "",
                markdown(
                    ("share of verdicts kept, clearest first", "wrong"),
                    [(row["coverage"], row["wrong"]) for row in own["curve"]],
                ),
            ],
        )
    for name in names:
        lines += block(
            f"By kind of note: {SETS[name]}",
            [
                markdown(
                    ("", "notes", "labels, micro-F1", "verdict, accuracy", "score, mean absolute error"),
                    [
                        (
                            f"{way}: {group}",
                            row["notes"],
                            row["micro_f1"],
                            row.get("verdict_accuracy", "–"),
                            row.get("score_mae", "–"),
                        )
                        for way, members in found["groups"][name].items()
                        for group, row in members.items()
                    ],
                ),
            ],
        )
    for name in names:
        own = found["failures"][name]
        verdicts = ", ".join(f"{kind} ({n})" for kind, n in own["verdicts"].items()) or "none"
        kinds = ", ".join(f"{kind} ({n})" for kind, n in own["labels"].items())
        lines += block(f"Failures: {SETS[name]}", [f"Wrong verdicts: {verdicts}. Commonest errors of labels: {kinds}."])
    lines += block("Plots", ["![Reliability of the chance of unskilled and of labels](reliability.svg)"])
    return "\n".join(lines) + "\n"


def plot(found: Mapping[str, Any], path: Path) -> None:
    """Draw the reliability of each set."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "cuewise"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for axis, key, title in zip(
        axes, ("unskilled", "labels_given"), ("chance of unskilled", "labels given"), strict=True
    ):
        axis.plot([0, 1], [0, 1], color="0.8")
        for name, title_of_set in SETS.items():
            bins = found[key][name]["bins"]
            axis.plot([b["mean"] for b in bins], [b["true"] for b in bins], marker="o", label=title_of_set)
        axis.set(title=title, xlabel="probability given", ylabel="share that was so", xlim=(0, 1), ylim=(0, 1.02))
    axes[0].legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    """Measure and write."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    found = metrics()
    (FOLDER / "metrics.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    manifest, _ = artifact.load("encoder")
    ablation = json.loads(ABLATION.read_text(encoding="utf-8"))
    (FOLDER / "card.md").write_text(card(found, manifest, ablation), encoding="utf-8")
    try:
        plot(found, FOLDER / "reliability.svg")
    except ImportError:
        print("matplotlib is not installed; the plots were left as they are")


if __name__ == "__main__":
    main()
