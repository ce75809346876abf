"""The commands that check the labelled notes and print variants of them."""

import json
import sys

import pytest

from training_data import build, corpus


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["build", *arguments])
    build.main()


def test_check_of_good_notes_says_how_many(monkeypatch, capsys):
    notes = {"test": corpus.read_split("test")[:5]}
    monkeypatch.setattr(build, "read_all", lambda: notes)
    run(monkeypatch, "check")
    assert capsys.readouterr() == ("", "5 notes, 0 problems\n")


def test_check_of_a_bad_note_names_it_and_fails(monkeypatch, capsys):
    notes = {"test": [corpus.read_split("test")[0] | {"verdict": "fine"}]}
    monkeypatch.setattr(build, "read_all", lambda: notes)
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "check")
    assert stopped.value.code == 1
    assert capsys.readouterr().out == "za: za-01: verdict: 'fine' is unknown\n"


def test_variants_are_printed_as_records_without_the_changes_switched_off(monkeypatch, capsys):
    monkeypatch.setattr(build, "read_split", lambda split: corpus.read_split(split)[:30])
    others = [argument for name in build.CHANGES if name != "abbreviate" for argument in ("--without", name)]
    run(monkeypatch, "augment", "--split", "test", "--seed", "4", *others)
    variants = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert variants == build.augment(corpus.read_split("test")[:30], seed=4, kinds=["abbreviate"])
    assert len(variants) > 10
