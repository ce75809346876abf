"""What was measured is what stands in the repository, and stays above floors."""

import json
import tomllib
from pathlib import Path

import pytest

from analyzer.lexicon import load_lexicons
from analyzer.types import Label
from training_data import corpus, measure

ROOT = Path(__file__).parents[1]
DATA = ROOT / "training_data"
FLOORS = tomllib.loads((ROOT / "tests" / "data" / "floors.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def figures(analyzer):
    return measure.figures(analyzer)


def test_figures_written_down_are_those_measured(figures):
    assert json.loads((DATA / "figures.json").read_text(encoding="utf-8")) == figures


def test_readme_shows_the_figures_measured(figures):
    assert measure.table(figures) in (ROOT / "README.md").read_text(encoding="utf-8")


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
