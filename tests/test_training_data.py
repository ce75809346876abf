"""The labelled notes are what they say they are, and share nothing with the reference set."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from analyzer.types import Dimension, Kind, Label, Verdict

DATA = Path(__file__).parents[1] / "training_data"
SPLITS = json.loads((DATA / "splits.json").read_text(encoding="utf-8"))
BATCHES = sorted(batch for batches in SPLITS.values() for batch in batches)
WEIGHTS = dict(zip(Dimension, (20, 15, 15, 20, 15, 10, 5), strict=True))  # annotation guide 4
RUN = 9  # words in a row that no two sets may share


def notes(batch):
    return [json.loads(line) for line in (DATA / "notes" / f"{batch}.jsonl").read_text(encoding="utf-8").splitlines()]


def runs(text):
    words = re.sub(r"\W+", " ", text.lower()).split()
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}


@pytest.fixture(scope="module")
def reference_runs():
    lines = (DATA / "reference" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    return set().union(*(runs(json.loads(line)["text"]) for line in lines))


def test_every_batch_stands_in_one_split():
    assert sorted(path.stem for path in (DATA / "notes").glob("*.jsonl")) == BATCHES
    assert len(BATCHES) == len(set(BATCHES))


def test_ids_are_unique():
    ids = Counter(note["id"] for batch in BATCHES for note in notes(batch))
    assert [id for id, count in ids.items() if count > 1] == []


def test_no_patient_stands_in_two_splits():
    found = {split: {n["patient_id"] for b in batches for n in notes(b)} for split, batches in SPLITS.items()}
    assert found["train"] & found["validation"] == set()
    assert found["fragments"] & found["validation"] == set()


@pytest.mark.parametrize("batch", BATCHES)
def test_notes_of_a_batch_are_well_formed(batch, reference_runs):
    for note in notes(batch):
        assert note["batch"] == batch
        end = 0
        for segment in note["segments"]:
            assert end <= segment["start"] < segment["end"] <= len(note["text"])
            words = note["text"][segment["start"] : segment["end"]]
            assert words == words.strip()
            assert set(segment["labels"]) <= set(Label)
            end = segment["end"]
        assert note["kind"] in set(Kind)
        assert note["verdict"] in set(Verdict)
        assert set(note["rubric"]) == set(Dimension)
        assert note["score"] == sum(WEIGHTS[Dimension(name)] * r / 2 for name, r in note["rubric"].items())
        assert runs(note["text"]) & reference_runs == set(), note["id"]
