"""What the encoder is shown in an epoch."""

import numpy as np
import pytest

from training_data.corpus import LABELS, read_split
from training_data.train import IN_RUNS, RUNS, SPLICED, Lessons


@pytest.fixture(scope="module")
def notes():
    return read_split("validation")[:60]


@pytest.fixture(scope="module")
def pieces():
    return read_split("validation_fragments")[:20]


@pytest.fixture(scope="module")
def lessons(notes, pieces):
    return Lessons(notes, pieces, seed=3)


@pytest.fixture(scope="module")
def shown(lessons):
    return [example for epoch in range(6) for example in lessons(epoch)]


def _given(example, at):
    return frozenset(label for column, label in enumerate(LABELS) if example.labels[at, column])


def test_each_segment_keeps_its_labels_wherever_it_is_shown(notes, pieces, shown):
    labelled = {}
    for note in (*notes, *pieces):
        for segment in note["segments"]:
            words = note["text"][segment["start"] : segment["end"]]
            labelled.setdefault(words, set()).add(frozenset(segment["labels"]))
    found = [(words, _given(example, at)) for example in shown for at, words in enumerate(example.texts)]
    known = [(words, given) for words, given in found if words in labelled]
    assert len(known) > 0.8 * len(found)  # the others are cut by our own segmenter
    assert [words for words, given in known if given not in labelled[words]] == []


def test_only_a_note_shown_as_it_was_written_teaches_about_whole_notes(notes, pieces, shown):
    whole = [example for example in shown if not np.isnan(example.note).all()]
    assert len(whole) == pytest.approx((1 - SPLICED - IN_RUNS) * 6 * len(notes), rel=0.15)
    texts = [note["text"] for note in notes]
    for example in whole:
        assert any(all(words in text for words in example.texts) for text in texts)


def test_some_notes_hold_a_run_of_another(notes, shown):
    texts = [note["text"] for note in notes]
    mixed = [
        example
        for example in shown
        if len(example.texts) > max(RUNS) and not any(all(w in text for w in example.texts) for text in texts)
    ]
    assert len(mixed) == pytest.approx(SPLICED * 6 * len(notes), rel=0.3)


def test_epochs_differ_and_can_be_had_again(lessons, notes, pieces):
    again = Lessons(notes, pieces, seed=3)
    assert [example.texts for example in again(1)] == [example.texts for example in lessons(1)]
    assert [example.texts for example in again(1)] != [example.texts for example in lessons(2)]
