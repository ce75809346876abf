"""What was measured is what stands in the repository, and stays above floors."""

import json
import tomllib
from pathlib import Path

import pytest

from analyzer.engine import Analyzer
from analyzer.lexicon import load_lexicons
from analyzer.types import Label
from models import artifact
from training_data import card, card_codes, corpus, fit_codes, measure, train

ROOT = Path(__file__).parents[1]
DATA = ROOT / "training_data"
WRITTEN = json.loads((DATA / "figures.json").read_text(encoding="utf-8"))
FLOORS = tomllib.loads((ROOT / "tests" / "data" / "floors.toml").read_text(encoding="utf-8"))


# The encoder computes with 8-bit activations, which processors round a little differently: a few of the thousands of
# labels may change, and with one of them a rating of a note.
TOLERANCE = {"score_mae": 0.5, "skilled_called_unskilled": 0}
ABOUT = 0.02


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer.load(model="encoder")


@pytest.fixture(scope="module")
def figures(analyzer):
    return measure.figures(analyzer)


@pytest.mark.parametrize("dataset", measure.SETS)
def test_figures_written_down_are_those_measured(figures, dataset):
    written, measured = WRITTEN[dataset], figures[dataset]
    names = [name for _, name in measure.ROWS]
    off = {
        name: (written[name], measured[name])
        for name in names
        if abs(written[name] - measured[name]) > TOLERANCE.get(name, ABOUT)
    }
    assert off == {}


def test_readme_shows_the_figures_written_down():
    assert measure.table(WRITTEN) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_card_shows_the_metrics_written_down():
    found = json.loads((card.FOLDER / "metrics.json").read_text(encoding="utf-8"))
    manifest, folder = artifact.load("encoder")
    ablation = json.loads(card.ABLATION.read_text(encoding="utf-8"))
    assert card.card(found, manifest, ablation) == (folder / "card.md").read_text(encoding="utf-8")
    assert found["figures"] == WRITTEN


def test_encoder_was_trained_and_decided_on_the_notes_that_stand_here():
    manifest, _ = artifact.load("encoder")
    assert manifest.training["notes_sha256"] == corpus.digest()
    assert manifest.training["decided_on_sha256"] == corpus.digest(train.DECIDED)


def test_codes_were_fitted_and_decided_on_the_notes_that_stand_here():
    manifest, _ = artifact.load("codes")
    assert manifest.training["notes_sha256"] == corpus.digest(fit_codes.LEARNED)
    assert manifest.training["decided_on_sha256"] == corpus.digest(fit_codes.DECIDED)


def test_card_of_the_codes_shows_the_metrics_written_down():
    manifest, folder = artifact.load("codes")
    found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert card_codes.card(found, manifest) == (folder / "card.md").read_text(encoding="utf-8")
    written = {name: figures["icd_top1"] for name, figures in WRITTEN.items()}
    assert {name: figures["first"] for name, figures in found["sets"].items()} == pytest.approx(written, abs=ABOUT)


def test_exported_encoder_gives_the_labels_of_the_one_that_was_trained():
    manifest, _ = artifact.load("encoder")
    assert manifest.training["same_after_export"] >= 0.995


def test_artifact_is_small_enough_to_ship():
    assert (artifact.ARTIFACTS / "encoder" / "encoder.onnx").stat().st_size < 25e6


@pytest.mark.parametrize("dataset", measure.SETS)
def test_figures_stay_above_their_floors(figures, dataset):
    found, floors = figures[dataset], FLOORS[dataset]
    below = {name: found[name] for name in floors["least"] if found[name] < floors["least"][name]}
    above = {name: found[name] for name in floors["most"] if found[name] > floors["most"][name]}
    assert (below, above) == ({}, {})


@pytest.mark.parametrize("label", Label)
def test_label_stays_above_its_floors_on_left_out_notes(figures, label):
    found, floors = figures["validation"]["labels"][label], FLOORS["labels"][label]
    assert [found["precision"] >= floors[0], found["recall"] >= floors[1]] == [True, True]


def test_points_were_fitted_on_the_training_notes_that_stand_here():
    assert load_lexicons().settings["fitted"]["training_data_sha256"] == corpus.digest()


def _precision(findings, right):
    return sum(right[note] for note in findings) / len(findings) if findings else 1.0


@pytest.mark.parametrize("family", ["SKL", "DRL"])
def test_findings_of_a_family_fall_on_notes_that_deserve_them(analyzer, family):
    """A warning or an error is right where annotators did not call the note skilled."""
    from analyzer import Note

    flagged, deserved = [], {}
    for record in corpus.read_split("validation"):
        deserved[record["id"]] = record["verdict"] != "skilled"
        report = analyzer.analyze(Note(record["text"], id=record["id"]))
        flagged += [record["id"] for f in report.findings if f.code.startswith(family) and f.level != "info"]
    assert _precision(flagged, deserved) >= FLOORS["findings"][family]
