"""What settings of the training bring: the encoder alone, trained in other ways, on the validation and test notes.

    python -m training_data.ablation [--encoder PATH_OR_HUB_ID] [NAME...]

Trains each variant (about as long as a training of the shipped encoder), and writes its micro-F1 of labels in our own
segments, with thresholds chosen on the validation notes, to ``ablation.json``; rows that are there stay. Choices are
made on the first column. Needs the ``train`` extra.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.decisions import Decisions
from analyzer.labels import Labeler
from analyzer.lexicon import load_lexicons
from analyzer.segment import Segmenter
from models.encoder import Encoder
from models.export import prune_vocabulary, score_with_torch
from models.train import Settings, fit
from models.windows import Tokens
from training_data.corpus import HERE, LABELS, REFERENCE, Record, digest, read_lines, read_split, splits
from training_data.documents import rounded
from training_data.fit_decisions import best_threshold, f1_of
from training_data.fit_points import prepare, right_labels
from training_data.train import ENCODER, Lessons, file_of, texts

RESULT = HERE / "ablation.json"


class Variant(NamedTuple):
    """What a run is trained on: the first batches of the training split and of the short pieces, all when not given."""

    settings: Settings
    batches: int | None = None
    pieces: int | None = None
    mixed: bool = True  # runs of other notes, and notes in short runs


FIRST, SECOND, THIRD, FOURTH, FIFTH = 111, 189, 216, 282, 387  # batches of the training split written until then
PAIRS, RUNS, MORE = 5, 15, 21  # batches of short pieces that were written in the first two campaigns; three; five
EARLIER = Settings(epochs=5, batch_tokens=800, rate=1e-4, head_rate=2e-3, attention_dropout=0.1)
SHORT = replace(EARLIER, epochs=3, rounded_epochs=0)
SMALL = replace(SHORT, batch_tokens=400, rate=7e-5, head_rate=1.4e-3)
TEACHER = replace(SHORT, rate=5e-5, head_rate=1e-3, frozen_layers=4)
VARIANTS: Mapping[str, Variant] = {
    "first campaign, rate 2e-4, 1,600 tokens a step": Variant(
        replace(EARLIER, rate=2e-4, batch_tokens=1600, rounded_epochs=0), FIRST, PAIRS, mixed=False
    ),
    "first campaign, rate 1e-4, 800 tokens a step": Variant(
        replace(EARLIER, rounded_epochs=0), FIRST, PAIRS, mixed=False
    ),
    "first two campaigns": Variant(EARLIER, SECOND, PAIRS, mixed=False),
    "first two campaigns, notes mixed and in runs": Variant(EARLIER, SECOND, PAIRS),
    "the same, a base of 110 million parameters": Variant(TEACHER, SECOND, PAIRS),  # with --encoder
    "first three campaigns, notes mixed and in runs": Variant(EARLIER, THIRD, RUNS),
    "first four campaigns, notes mixed and in runs": Variant(replace(EARLIER, epochs=6), FOURTH),
    "first two campaigns, mixed, three epochs": Variant(SHORT, SECOND, PAIRS),
    "the same, rate 7e-5, 400 tokens a step": Variant(SMALL, SECOND, PAIRS),
    "the same, without dropout of attention": Variant(replace(SMALL, attention_dropout=0.0), SECOND, PAIRS),
    "first five campaigns, so, five epochs": Variant(replace(SMALL, epochs=5, rounded_epochs=1), FIFTH, MORE),
}

SHIPPED = {
    "encoder": "all six campaigns, as shipped: the encoder alone",
    "lexicons": "all six campaigns: the lexicons alone",
    "both": "all six campaigns, as shipped: encoder and lexicons together",
}


def row(name: str, scores: Mapping[str, NDArray[np.float64]], sets: Mapping[str, Sequence[Record]], notes: int) -> Any:
    """Micro-F1 of each set, with thresholds chosen on the validation notes.

    Parameters
    ----------
    scores : mapping of str to ndarray of shape (n_segments, n_labels)
        Probabilities of all of our segments of each set.
    """
    right = {name: wanted(found) for name, found in sets.items()}
    chosen = np.array(
        [best_threshold(scores["validation"][:, c], right["validation"][:, c]) for c in range(len(LABELS))]
    )
    figures = {key: f1_of(scores[key] >= chosen, right[key]) for key in sets}
    return rounded({"name": name, "notes": notes, **figures})


def first(split: str, batches: int | None) -> list[Record]:
    """The notes of the first batches of a split."""
    kept = set(splits()[split][:batches])
    return [note for note in read_split(split) if note["batch"] in kept]


def wanted(notes: Sequence[Record]) -> NDArray[np.bool_]:
    """The right labels of our segments; shape (n_segments, n_labels)."""
    segmenter = Segmenter(load_lexicons())
    return np.array(
        [
            [label in found for label in LABELS]
            for note in notes
            for segment in segmenter(note["text"]).segments
            for found in [right_labels(note, segment.start, segment.end)]
        ]
    )


def shipped(sets: Mapping[str, Sequence[Record]]) -> None:
    """Add the rows of what is shipped: the encoder alone, the lexicons alone, and both together."""
    encoder, lexicons = Encoder.load(), load_lexicons()
    labeler = Labeler(lexicons, lexicons.decisions)
    decisions = Decisions.of(encoder.decisions)
    intercept, by_lexicon, by_encoder = (
        np.array([getattr(decisions.labels[label], name) for label in LABELS])
        for name in ("intercept", "lexicon", "encoder")
    )
    columns = [encoder.labels.index(label) for label in LABELS]
    found: dict[str, dict[str, NDArray[np.float64]]] = {"encoder": {}, "lexicons": {}, "both": {}}
    for key, own in sets.items():
        logits = np.concatenate([note.segments[:, columns] for note in encoder.score(texts(own))]).astype(float)
        sums = np.concatenate([labeler.sums(note.signals) for note in prepare(own)])
        found["encoder"][key] = _logistic(logits)
        found["lexicons"][key] = _logistic(sums)
        found["both"][key] = _logistic(intercept + by_lexicon * sums + by_encoder * logits)
    notes = len(read_split("train"))
    for name, title in SHIPPED.items():
        add(row(title, found[name], sets, notes) | {"notes_sha256": digest()})


def _logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-values)))


def main() -> None:
    """Train, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="variants; all when none is named")
    parser.add_argument("--shipped", action="store_true", help="train nothing; measure what is shipped")
    parser.add_argument("--encoder", default=ENCODER, help=f"folder or hub id of the base encoder ({ENCODER})")
    arguments = parser.parse_args()
    sets = {name: read_split(name) for name in ("validation", "test", "test_second")} | {
        "reference": list(read_lines(REFERENCE))
    }
    if arguments.shipped:
        shipped(sets)
        return
    for name in arguments.names or VARIANTS:
        settings, batches, pieces, mixed = VARIANTS[name]
        notes, fragments = first("train", batches), first("fragments", pieces)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tokenizer.json"
            vocabulary = prune_vocabulary(file_of(arguments.encoder, "tokenizer.json"), path)
            tokens = Tokens(path)
        lessons = Lessons(notes, fragments, settings.seed, **({} if mixed else {"spliced": 0.0, "in_runs": 0.0}))
        network = fit(lessons, tokens, arguments.encoder, settings, vocabulary=vocabulary)
        scores = {
            key: _logistic(np.concatenate(score_with_torch(network, tokens, texts(own))).astype(float))
            for key, own in sets.items()
        }
        add(row(name, scores, sets, len(notes)) | {"notes_sha256": digest()})


def add(found: Mapping[str, Any]) -> None:
    """Put a row into the file, in the place of one of the same name."""
    rows = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else []
    rows = [*(row for row in rows if row["name"] != found["name"]), found]
    RESULT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
