"""How much each share of the training notes teaches two kinds of model: a measure of the notes, not of Cuewise.

    python -m training_data.learning_curve --encoder PATH_OR_HUB_ID
    python -m training_data.learning_curve --encoder PATH_OR_HUB_ID --add    only all notes as they stand now

Trains a linear model over TF-IDF and a small transformer over the whole note on 25, 50, 75 and 100 % of the training
notes, chooses the thresholds of the labels on the validation batches, and writes the micro-F1 on the test batches and
on the development reference set to ``learning_curve.json``. Segments are those of the annotators, so that the figures
lie above those of a tool that has to find its segments first. Needs the ``train`` extra.
"""

import argparse
import json
import random
import time
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from models.export import score_with_torch
from models.train import Example, Settings, fit
from models.windows import Tokens
from training_data.augment import CHANGES, augment
from training_data.corpus import HERE, LABELS, REFERENCE, Record, digest, read_lines, read_split, words
from training_data.documents import rounded
from training_data.fit_decisions import f1_of
from training_data.train import file_of

RESULT = HERE / "learning_curve.json"
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
SHARES = (0.25, 0.5, 0.75, 1.0)
SEED = 17
STRENGTH = 4.0  # inverse regularisation of the linear model
Truth = NDArray[np.bool_]
Scores = NDArray[np.float64]


def right(notes: Sequence[Record]) -> Truth:
    """Labels of every segment; shape (n_segments, n_labels)."""
    return np.array([[label in s["labels"] for label in LABELS] for note in notes for s in note["segments"]])


def thresholds(scores: Scores, wanted: Truth) -> Scores:
    """For each label the threshold with the best F1."""
    grid = np.arange(0.1, 0.75, 0.02)
    return np.array(
        [
            max(grid, key=lambda at: (f1_of(scores[:, [column]] >= at, wanted[:, [column]]), -abs(at - 0.4)))
            for column in range(len(LABELS))
        ]
    )


class Linear:
    """Words and characters of a segment, words of its neighbours, one logistic regression a label."""

    def __init__(self) -> None:
        self.own = (
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True),
        )
        self.before = TfidfVectorizer(min_df=3, sublinear_tf=True)
        self.after = TfidfVectorizer(min_df=3, sublinear_tf=True)

    def _columns(self, notes: Sequence[Record]) -> tuple[list[str], list[str], list[str]]:
        texts = [words(note) for note in notes]
        before = chain.from_iterable(["", *found[:-1]] for found in texts)
        after = chain.from_iterable([*found[1:], ""] for found in texts)
        return list(chain.from_iterable(texts)), list(before), list(after)

    def _matrix(self, notes: Sequence[Record], method: str) -> csr_matrix:
        own, before, after = self._columns(notes)
        parts = [getattr(vectorizer, method)(own) for vectorizer in self.own]
        around = [getattr(self.before, method)(before), getattr(self.after, method)(after)]
        return hstack([*parts, *(0.5 * matrix for matrix in around)]).tocsr()

    def fit(self, notes: Sequence[Record]) -> "Linear":
        """Fit on labelled notes."""
        x, wanted = self._matrix(notes, "fit_transform"), right(notes)
        self.models = [
            LogisticRegression(C=STRENGTH, solver="liblinear", random_state=SEED).fit(x, wanted[:, column])
            for column in range(len(LABELS))
        ]
        return self

    def predict(self, notes: Sequence[Record]) -> Scores:
        """Probabilities of every segment; shape (n_segments, n_labels)."""
        x = self._matrix(notes, "transform")
        return np.column_stack([model.predict_proba(x)[:, 1] for model in self.models])


class Transformer:
    """The encoder as Cuewise trains it (``models/train.py``), on the annotators' segments."""

    def __init__(self, encoder: str) -> None:
        self._encoder = encoder
        self._tokens = Tokens(file_of(encoder, "tokenizer.json"))

    def fit(self, notes: Sequence[Record]) -> "Transformer":
        """Fine-tune on labelled notes."""
        nothing = np.full(1, np.nan, dtype=np.float32)  # of the note as a whole

        def example(note: Record) -> Example:
            return Example(tuple(words(note)), right([note]).astype(np.float32), nothing)

        examples = [example(note) for note in notes if note["segments"]]
        settings = Settings(rounded_epochs=0, seed=SEED)
        self._network = fit(lambda epoch: examples, self._tokens, self._encoder, settings)
        return self

    def predict(self, notes: Sequence[Record]) -> Scores:
        """Probabilities of every segment; shape (n_segments, n_labels)."""
        logits = np.concatenate(score_with_torch(self._network, self._tokens, [words(note) for note in notes]))
        return np.asarray(1 / (1 + np.exp(-logits)))


def figures(model: Linear | Transformer, chosen_on: Sequence[Record], sets: Mapping[str, Sequence[Record]]) -> object:
    """Micro-F1 of each set, and F1 of each label on it, with thresholds chosen on other notes."""
    limits = thresholds(model.predict(chosen_on), right(chosen_on))
    found = {}
    for name, notes in sets.items():
        given, wanted = model.predict(notes) >= limits, right(notes)
        labels = {label: f1_of(given[:, [c]], wanted[:, [c]]) for c, label in enumerate(LABELS)}
        found[name] = {"micro_f1": f1_of(given, wanted), "labels": labels}
    return rounded(found)


def subset(notes: Sequence[Record], share: float) -> list[Record]:
    """A share of the notes, drawn at random; a smaller share is part of a larger one."""
    order = random.Random(SEED).sample(range(len(notes)), len(notes))
    return [notes[at] for at in sorted(order[: round(share * len(notes))])]


def curve(notes: Sequence[Record], encoder: str, shares: Sequence[float]) -> list[dict[str, object]]:
    """Train both models on each share of the notes."""
    validation = read_split("validation")
    sets = {"test": read_split("test"), "reference": list(read_lines(REFERENCE))}
    points, of = [], digest()
    for share in shares:
        part = subset(notes, share)
        point: dict[str, object] = {"training_data_sha256": of, "share": share, "notes": len(part)}
        for name in ("linear", "transformer"):
            started = time.perf_counter()
            model = Linear() if name == "linear" else Transformer(encoder)
            point[name] = figures(model.fit(part), validation, sets)
            print(f"{share:.0%} {len(part)} notes, {name}, {time.perf_counter() - started:.0f} s", flush=True)
        points.append(point)
        print(json.dumps(point), flush=True)
    return points


def ablation(notes: Sequence[Record]) -> list[dict[str, object]]:
    """What one variant of each note brings the linear model: none, all changes, all but one."""
    validation = read_split("validation")
    changed = augment(validation, seed=SEED + 1)
    sets = {"test": read_split("test"), "validation, changed": changed, "reference": list(read_lines(REFERENCE))}
    ways: dict[str, tuple[str, ...]] = {"none": (), "all": tuple(CHANGES)}
    ways |= {f"without {name}": tuple(kind for kind in CHANGES if kind != name) for name in CHANGES}
    rows = []
    for name, kinds in ways.items():
        variants = augment(notes, seed=SEED, kinds=kinds) if kinds else []
        model = Linear().fit([*notes, *variants])
        rows.append({"changes": name, "variants": len(variants), "linear": figures(model, validation, sets)})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Train, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=ENCODER, help=f"folder or hub id of the base encoder ({ENCODER})")
    parser.add_argument("--add", action="store_true", help="keep the points there are and add one for all notes")
    arguments = parser.parse_args()
    notes = [*read_split("train"), *read_split("fragments")]
    kept = json.loads(RESULT.read_text(encoding="utf-8"))["curve"] if arguments.add else []
    points = curve(notes, arguments.encoder, (1.0,) if arguments.add else SHARES)
    found = {"seed": SEED, "curve": [*kept, *points], "augmentation": ablation(notes)}
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
