"""Train the encoder on the labelled notes, export it, fit its decisions on validation notes, write the artifact.

    python -m training_data.train [--encoder PATH_OR_HUB_ID] [--device cuda]
    python -m training_data.train --decide      only fit the decisions anew, without torch

``cuewise train`` runs this from a checkout. The same notes, seed and machine give the same artifact. Needs the
``train`` extra; on two processors it takes about an hour and a half.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from analyzer.evaluate import JUDGED_KINDS
from analyzer.kind import note_kind
from analyzer.labels import Labeler, is_weak
from analyzer.lexicon import load_lexicons
from analyzer.segment import Segmenter
from analyzer.types import Dimension, Kind, Label, Verdict
from models import artifact
from models.encoder import TOKENIZER, WEIGHTS, Encoder
from models.export import export, prune_vocabulary, refit_note_head, unrounded_copy
from models.train import Example, Settings, fit
from models.windows import Tokens
from training_data.corpus import FITTED, LABELS, Record, digest, read_split
from training_data.fit_decisions import Scored, evidence_of, fit_decisions, label_decisions, probabilities
from training_data.fit_points import prepare, right_labels

ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
NAME, VERSION = "encoder", "1"
OWN = 0.5  # share of the notes that are learned in our own segments, the others in the annotators'
SPLICED, IN_RUNS = 0.3, 0.12  # shares of the notes that are shown with a run of another, and in short runs
RUNS, _LEAST = (1, 1, 2, 3), 3  # segments in a run; in a note that is changed
NOTE_STRENGTH = 0.01  # of the regressions for the whole note; chosen on validation and reserve notes
DECIDED = ("validation", "reserve")  # the splits on which decisions are fitted
NOTE_OUTPUTS = (
    *(f"{dimension}>={level}" for dimension in Dimension for level in (1, 2)),
    *(f"verdict:{verdict}" for verdict in Verdict),
    *(f"kind:{kind}" for kind in Kind),
)


def note_target(note: Record) -> list[float]:
    """What the outputs for a whole note should be; NaN where the annotation says nothing."""
    judged = note["kind"] in JUDGED_KINDS
    return [
        *(float(note["rubric"][dimension] >= level) for dimension in Dimension for level in (1, 2)),
        *(float(note["verdict"] == verdict) if judged else np.nan for verdict in Verdict),
        *(float(note["kind"] == kind) for kind in Kind),
    ]


_UNKNOWN = np.full(len(NOTE_OUTPUTS), np.nan, dtype=np.float32)
Cut = Sequence[tuple[str, frozenset[Label]]]  # the segments of a note: words, and their labels


class Lessons:
    """What each epoch shows: every note, in the annotators' segments or in our own.

    Some notes are shown with a run of another note's segments in the place of one of theirs, and some in short runs, so
    that a segment is read for what it says and not only for the tone of what stands around it.
    """

    def __init__(
        self,
        notes: Sequence[Record],
        fragments: Sequence[Record],
        seed: int,
        *,
        spliced: float = SPLICED,
        in_runs: float = IN_RUNS,
    ) -> None:
        segmenter = Segmenter(load_lexicons())
        self._seed, self._spliced, self._in_runs = seed, spliced, in_runs
        self._fragments = [self._cuts(note, segmenter) for note in fragments]
        self._notes = [self._cuts(note, segmenter) for note in notes]
        self._targets = [np.array(note_target(note), dtype=np.float32) for note in notes]

    @staticmethod
    def _cuts(note: Record, segmenter: Segmenter) -> tuple[Cut, Cut]:
        """The note in the annotators' segments, and in our own."""
        text = note["text"]
        theirs = [(text[s["start"] : s["end"]], frozenset(s["labels"])) for s in note["segments"]]
        ours = [(text[s.start : s.end], right_labels(note, s.start, s.end)) for s in segmenter(text).segments]
        return theirs, ours

    def __call__(self, epoch: int) -> list[Example]:
        """The examples of an epoch."""
        rng = random.Random(f"{self._seed} {epoch}")
        examples = [_example(_cut(cuts, rng), _UNKNOWN) for cuts in self._fragments]
        for cuts, target in zip(self._notes, self._targets, strict=True):
            segments, way = _cut(cuts, rng), rng.random()
            if len(segments) < _LEAST or way >= self._spliced + self._in_runs:
                examples.append(_example(segments, target))
            elif way < self._spliced:
                examples.append(_example(_splice(segments, _cut(rng.choice(self._notes), rng), rng), _UNKNOWN))
            else:
                examples += [_example(run, _UNKNOWN) for run in _runs(segments, rng)]
        return [example for example in examples if example.texts]


def _cut(cuts: tuple[Cut, Cut], rng: random.Random) -> Cut:
    return cuts[rng.random() < OWN]


def _splice(segments: Cut, other: Cut, rng: random.Random) -> Cut:
    """Put a run of another note in the place of as many segments."""
    length = rng.randint(1, max(1, min(len(segments) - 1, len(other))))
    at, start = rng.randint(0, len(segments) - length), rng.randint(0, max(0, len(other) - length))
    return [*segments[:at], *other[start : start + length], *segments[at + length :]]


def _runs(segments: Cut, rng: random.Random) -> Iterator[Cut]:
    start = 0
    while start < len(segments):
        end = start + rng.choice(RUNS)
        yield segments[start:end]
        start = end


def _example(segments: Cut, target: Any) -> Example:
    labels = [[label in given for label in LABELS] for _, given in segments]
    return Example(tuple(words for words, _ in segments), np.array(labels, dtype=np.float32), target)


def scored(records: Sequence[Record], encoder: Encoder) -> list[Scored]:
    """Put the scores of lexicons and encoder beside notes."""
    lexicons = load_lexicons()
    labeler = Labeler(lexicons, lexicons.decisions)
    prepared = prepare(records)
    columns = [encoder.labels.index(label) for label in LABELS]
    found = []
    for note, scores in zip(prepared, encoder.score(texts(records)), strict=True):
        found.append(
            Scored(
                record=note.record,
                right=note.labels,
                is_unticked=tuple(segment.is_unticked for segment in note.segmentation.segments),
                lexicon=labeler.sums(note.signals),
                encoder=scores.segments[:, columns].astype(float),
                note_logits=dict(zip(encoder.note_outputs, map(float, scores.note), strict=True)),
                lexicon_kind="",
            )
        )
    labels = label_decisions(found, has_encoder=True)
    for at, (note, own) in enumerate(zip(prepared, found, strict=True)):
        strong = len({item.segment for item in evidence_of(own, labels) if not is_weak(item)})
        kind = note_kind(note.segmentation, note.hits.kinds, evidence_segments=strong)
        found[at] = replace(own, lexicon_kind=str(kind))
    return found


def agreement(notes: Sequence[Scored], as_trained: Sequence[Any], labels: Mapping[str, Mapping[str, float]]) -> float:
    """Share of segments whose labels are the same with the network as trained and as exported."""
    same, total = 0, 0
    thresholds = np.array([labels[label]["threshold"] for label in LABELS])
    for note, logits in zip(notes, as_trained, strict=True):
        other = replace(note, encoder=logits.astype(float))
        equal = (probabilities(note, labels) >= thresholds) == (probabilities(other, labels) >= thresholds)
        same += int(equal.all(axis=1).sum())
        total += len(equal)
    return same / total


def main() -> None:
    """Train, export, decide and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=ENCODER, help=f"folder or hub id of the base encoder ({ENCODER})")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--decide", action="store_true", help="train nothing; fit the decisions anew")
    parser.add_argument("--output", type=Path, default=artifact.ARTIFACTS, help="folder of artifacts")
    arguments = parser.parse_args()
    if arguments.decide:
        decide(*artifact.load(NAME, arguments.output))
        return
    started = time.perf_counter()
    settings = Settings()
    folder = arguments.output / NAME
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = prune_vocabulary(file_of(arguments.encoder, TOKENIZER), folder / TOKENIZER)
    tokens = Tokens(folder / TOKENIZER)
    lessons = Lessons(read_split("train"), read_split("fragments"), settings.seed)
    network = fit(lessons, tokens, arguments.encoder, settings, device=arguments.device, vocabulary=vocabulary)
    print(f"trained in {time.perf_counter() - started:.0f} s")
    export(network.cpu(), folder / WEIGHTS)
    learn_whole_notes(folder)
    write(folder, settings, arguments.encoder)


def learn_whole_notes(folder: Path) -> None:
    """Fit the outputs of an exported network for the whole note."""
    notes = read_split("train")
    targets = np.array([note_target(note) for note in notes], dtype=np.float32)
    refit_note_head(folder / WEIGHTS, Tokens(folder / TOKENIZER), texts(notes), targets, strength=NOTE_STRENGTH)


def write(folder: Path, settings: Settings, encoder: str) -> None:
    """Write the manifest of an exported network, and fit its decisions."""
    manifest = artifact.Manifest(
        name=NAME,
        version=VERSION,
        files=artifact.hashes(folder, (WEIGHTS, TOKENIZER)),
        labels=tuple(map(str, LABELS)),
        note_outputs=NOTE_OUTPUTS,
        decisions={},
        training={
            "base": Path(encoder).name if Path(encoder).is_dir() else encoder,
            "base_sha256": artifact.sha256(file_of(encoder, "model.safetensors")),
            "notes_sha256": digest(),
            "notes": len(read_split("train")),
            "pieces": len(read_split("fragments")),
            "decided_on_sha256": digest(DECIDED),
            "splits": list(FITTED),
            "settings": {**asdict(settings), "note_strength": NOTE_STRENGTH},
            "libraries": {name: version(name) for name in ("torch", "transformers", "onnxruntime", "scikit-learn")},
        },
    )
    decide(manifest, folder)


def decide(manifest: artifact.Manifest, folder: Path) -> None:
    """Fit the decisions of an encoder, count the labels that rounding changes under them, and write the manifest."""
    notes = scored([note for split in DECIDED for note in read_split(split)], Encoder(manifest, folder))
    labels = label_decisions(notes, has_encoder=True)
    same = agreement(notes, as_trained(manifest, folder, [note.record for note in notes]), labels)
    print(f"labels of {same:.2%} of the segments are those of the network as trained")
    training = {**manifest.training, "decided_on_sha256": digest(DECIDED), "same_after_export": round(same, 4)}
    artifact.write(replace(manifest, decisions=fit_decisions(notes, labels), training=training), folder.parent)


def as_trained(manifest: artifact.Manifest, folder: Path, records: Sequence[Record]) -> list[Any]:
    """Logits of each note's segments by the network as trained, columns in the order of ``LABELS``."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        shutil.copyfile(folder / TOKENIZER, copy / TOKENIZER)
        unrounded_copy(folder / WEIGHTS, copy / WEIGHTS)
        found = Encoder(manifest, copy).score(texts(records))
    columns = [manifest.labels.index(label) for label in LABELS]
    return [scores.segments[:, columns] for scores in found]


def texts(records: Sequence[Record]) -> list[list[str]]:
    """The words of our segments of each note."""
    segmenter = Segmenter(load_lexicons())
    return [[note["text"][s.start : s.end] for s in segmenter(note["text"]).segments] for note in records]


def file_of(encoder: str, name: str) -> Path:
    """A file of a base encoder, in a folder or from the public hub."""
    if Path(encoder).is_dir():
        return Path(encoder) / name
    from transformers.utils.hub import cached_file

    return Path(cached_file(encoder, name))


if __name__ == "__main__":
    main()
