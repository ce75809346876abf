"""The labelled notes are what they say they are, and the datasheet states what was counted."""

import json
from collections import Counter

import pytest

from analyzer.types import Label
from training_data import build, checks, corpus, documents

PROMISED = 2400  # whole notes


@pytest.fixture(scope="module")
def by_split():
    return build.read_all()


@pytest.fixture(scope="module")
def figures(by_split):
    return build.figures(by_split)


def test_nothing_is_wrong_with_any_note(by_split):
    assert checks.problems(by_split, list(corpus.read_lines(corpus.REFERENCE)), corpus.authors()) == []


def test_every_batch_stands_in_one_split():
    batches = sorted(batch for found in corpus.splits().values() for batch in found)
    assert batches == sorted(path.stem for path in corpus.NOTES.glob("*.jsonl"))
    assert [batch for batch, number in Counter(batches).items() if number > 1] == []


def test_figures_written_down_are_those_counted(figures):
    assert json.loads(build.FIGURES.read_text(encoding="utf-8")) == figures


def test_datasheet_shows_the_figures_counted(figures):
    blocks = build.tables(figures, json.loads(build.CURVE.read_text(encoding="utf-8")))
    text = build.DATASHEET.read_text(encoding="utf-8")
    assert documents.fill(text, blocks) == text


def test_there_are_as_many_notes_as_promised(figures):
    assert figures["whole_notes"] >= PROMISED
    assert figures["contrast_pairs"] >= 250
    assert figures["splits"]["train"]["batches"] >= 24
    assert figures["splits"]["test"]["batches"] == 2


@pytest.mark.parametrize("label", Label)
def test_label_has_enough_segments(figures, label):
    assert figures["labels"][label] >= 400


def test_length_does_not_give_the_verdict_away(figures):
    assert figures["words"]["auroc_for_unskilled"] < 0.65


def test_notes_are_unlike_one_another(figures):
    assert figures["share_with_near_neighbour"] < 0.02
    assert figures["share_with_near_neighbour_outside_family"] == 0


def test_two_annotators_agree(figures):
    assert figures["agreement"]["notes"] >= 240
    assert figures["label_agreement"]["micro"]["f1"] >= 0.93


@pytest.mark.parametrize("label", Label)
def test_two_annotators_agree_on_each_label(figures, label):
    found = figures["agreement_again"].get(label, figures["label_agreement"][label])
    assert found["f1"] >= 0.85


@pytest.mark.parametrize("label", Label)
def test_two_readers_decide_the_hard_labels_alike(figures, label):
    assert figures["agreement_on_hard"][label]["segments"] >= 30
    assert figures["agreement_on_hard"][label]["f1"] >= 0.8


def test_learning_curve_says_which_notes_each_point_was_made_with():
    points = json.loads(build.CURVE.read_text(encoding="utf-8"))["curve"]
    assert [len(point["training_data_sha256"]) for point in points] == [64] * len(points)
    assert points[-1]["share"] == 1.0


def test_document_without_a_place_for_a_table_is_refused():
    with pytest.raises(ValueError, match="no block 'labels'"):
        documents.fill("<!-- splits -->\n<!-- /splits -->", {"labels": "| a |"})
