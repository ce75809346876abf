"""Measure the analyzer on the test and validation batches and on the development reference set; write the figures down.

    python -m training_data.measure

Writes ``training_data/figures.json`` and the block between the ``figures`` markers of README.md. No figure is typed by
hand.
"""

import json
import tempfile
from pathlib import Path

from analyzer.engine import Analyzer
from analyzer.evaluate import Metrics, evaluate, hide_annotations, read_reference
from analyzer.readers import read_notes
from analyzer.report.record import to_record
from training_data.corpus import HERE, NOTES, REFERENCE, splits
from training_data.documents import fill, markdown, rounded

README = HERE.parent / "README.md"
ROWS = (
    ("labels, micro-F1", "evidence_micro_f1"),
    ("labels, macro-F1", "evidence_macro_f1"),
    ("verdict, quadratic kappa", "verdict_kappa"),
    ("verdict, accuracy", "verdict_accuracy"),
    ("unskilled, AUROC", "unskilled_auroc"),
    ("unskilled, calibration error", "unskilled_calibration_error"),
    ("unskilled, recall", "unskilled_recall"),
    ("unskilled, precision", "unskilled_precision"),
    ("skilled notes called unskilled", "skilled_called_unskilled"),
    ("score, mean absolute error", "score_mae"),
    ("score, rank correlation", "score_spearman"),
    ("kind of note, accuracy", "kind_accuracy"),
    ("ICD-10-CM, a right code first", "icd_top1"),
    ("ICD-10-CM, a right code in the first three", "icd_top3"),
    ("ICD-10-CM, right codes found in five", "icd_recall5"),
    ("ICD-10-CM, a wrong code where none is right", "icd_false_on_empty"),
)


SETS = {
    "test": "test notes",
    "test_second": "second test notes",
    "validation": "validation notes",
    "reference": "reference notes",
}
SPLITS = tuple(name for name in SETS if name != "reference")


def split_file(split: str, folder: Path) -> Path:
    """Put the batches of a split into one file."""
    path = folder / f"{split}.jsonl"
    path.write_bytes(b"".join((NOTES / f"{batch}.jsonl").read_bytes() for batch in splits()[split]))
    return path


def measure(reference: Path, analyzer: Analyzer) -> Metrics:
    """Analyse the notes of a reference set, their annotations hidden, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        blind = Path(folder) / "notes.jsonl"
        blind.write_bytes(hide_annotations(reference))
        records = [to_record(result) for result in analyzer.analyze_all(read_notes([blind]))]
    return evaluate(read_reference(reference), records)


def figures(analyzer: Analyzer) -> dict[str, dict[str, object]]:
    """Measure on each set."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: split_file(name, Path(folder)) for name in SPLITS} | {"reference": REFERENCE}
        found = {name: measure(files[name], analyzer).to_dict() for name in SETS}
    return dict(rounded(found))


def table(found: dict[str, dict[str, object]]) -> str:
    """The figures as a Markdown table."""
    head = ("figure", *(f"{title} ({found[name]['notes']})" for name, title in SETS.items()))
    return markdown(head, [(title, *(found[name][figure] for name in SETS)) for title, figure in ROWS])


def main() -> None:
    """Measure and write."""
    found = figures(Analyzer.load())
    (HERE / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    README.write_text(fill(README.read_text(encoding="utf-8"), {"figures": table(found)}), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
