"""A variant looks different, and every label stays with its words."""

import random

import pytest

from training_data import augment, checks, corpus
from training_data.augment import CHANGES, Edit


class Always(random.Random):
    """Makes every change there is, and takes the first of every choice."""

    def random(self):
        return 0.0

    def choice(self, options):
        return options[0]

    def randrange(self, start, stop=None, step=1):
        return start if stop is not None else 0

    def sample(self, population, k):
        return list(population)[::-1][:k]


def note(*segments, glue="\n"):
    """A note of (text, labels) segments."""
    found, end = [], 0
    for text, labels in segments:
        found.append({"start": end, "end": end + len(text), "labels": sorted(labels)})
        end += len(text) + len(glue)
    return {"id": "aa-01", "batch": "aa", "text": glue.join(text for text, _ in segments), "segments": found}


def change(name, *texts):
    return CHANGES[name](note(*((text, ["response"]) for text in texts)), Always())["text"]


def labelled(record):
    return [(record["text"][s["start"] : s["end"]], s["labels"]) for s in record["segments"]]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("abbreviate", "Patient spoke with moderate help.", "Pt spoke w/ mod help."),
        ("abbreviate", "An outpatient, unpatiently", "An outpatient, unpatiently"),
        ("expand", "Pt ate w/ wife, w/cues", "Patient ate with wife, with cues"),
        ("expand", "min cues for 20 min", "min cues for 20 min"),
        ("renumber", "Named 14 of 20, then 3 of 5 (60%).", "Named 14/20, then 3/5 (60%)."),
        ("renumber", "On 3 of 12 he read 4 of 9", "On 3 of 12 he read 4 of 9"),
        ("renumber", "Since 11/20/2026, 11/20", "Since 11/20/2026, 11/20"),
        ("retitle", "Objective: Ate.", "O: Ate."),
        ("retitle", "Objective findings: Ate.", "Objective findings: Ate."),
        ("recase", "Said SUN.", "said sun."),
        ("misspell", "He said strawberry", "He said srtawberry"),
    ],
)
def test_change_of_words(name, before, after):
    assert change(name, before) == after


def test_heading_style_is_the_same_for_the_whole_note():
    assert change("retitle", "SUBJECTIVE", "Obj: 3 of 4.", "P - more") == "S:\nO: 3 of 4.\nP: more"


def test_bullets_change_places_and_take_their_labels_along():
    record = note(("Today:", []), ("- one", ["cueing"]), ("- two more", ["measure"]), ("Bye.", ["generic"]))
    moved = CHANGES["reorder"](record, Always())
    assert moved["text"] == "Today:\n- two more\n- one\nBye."
    assert labelled(moved) == [
        ("Today:", []),
        ("- two more", ["measure"]),
        ("- one", ["cueing"]),
        ("Bye.", ["generic"]),
    ]


@pytest.mark.parametrize("lines", [("First", "then"), ("1. one", "2. two"), ("- one", "Then:", "- two")])
def test_lines_that_are_not_free_stay_where_they_are(lines):
    assert change("reorder", *lines) == "\n".join(lines)


def test_boilerplate_has_labels_of_its_own():
    padded = CHANGES["pad"](note(("Ate well.", ["passive"]), ("Bye.", [])), Always())
    assert padded["text"] == "Ate well.\nNext appt already on the calendar.\nBye."
    assert labelled(padded)[1] == ("Next appt already on the calendar.", [])


def test_edits_move_what_stands_behind_them():
    record = note(("one two", ["cueing"]), ("three", ["plan"]), glue=" ")
    assert labelled(augment.apply(record, [Edit(0, 3, "1"), Edit(8, 13, "iii")])) == [
        ("1 two", ["cueing"]),
        ("iii", ["plan"]),
    ]


def test_edits_that_overlap_are_refused():
    with pytest.raises(ValueError, match="overlap at 1"):
        augment.apply(note(("abc", [])), [Edit(0, 2, "x"), Edit(1, 3, "y")])


@pytest.mark.parametrize("kind", CHANGES)
def test_variants_of_the_training_notes_keep_labels_and_form(kind):
    notes = corpus.read_split("train")[:200]
    by_id = {note["id"]: note for note in notes}
    variants = augment.augment(notes, seed=3, kinds=[kind])
    assert len(variants) > 0
    assert [problem for variant in variants for problem in checks.form(variant, variant["batch"])] == []
    for variant in variants:
        origin = by_id[variant["id"].removesuffix("~1")]
        kept = [s["labels"] for s in variant["segments"]]
        wanted = [s["labels"] for s in origin["segments"]]
        if kind == "pad":
            assert [labels for labels in wanted if labels] == _without_inserted(kept, wanted)
        else:
            assert sorted(kept) == sorted(wanted)
        assert {k: variant[k] for k in ("verdict", "rubric", "kind")} == {
            k: origin[k] for k in ("verdict", "rubric", "kind")
        }


def _without_inserted(kept, wanted):
    """The labels in their order, less those that the boilerplate brought."""
    left, found = list(wanted), []
    for labels in kept:
        if left and labels == left[0]:
            left.pop(0)
            if labels:
                found.append(labels)
    return found


def test_same_seed_gives_the_same_variants_and_another_gives_others():
    notes = corpus.read_split("train")[:20]
    first = augment.augment(notes, seed=1, copies=2)
    assert first == augment.augment(notes, seed=1, copies=2)
    assert first != augment.augment(notes, seed=2, copies=2)


def test_variant_does_not_depend_on_the_other_notes():
    notes = corpus.read_split("train")[:20]
    assert augment.augment(notes[5:6], seed=1) == [
        v for v in augment.augment(notes, seed=1) if v["id"][:5] == notes[5]["id"]
    ]


def test_change_that_is_switched_off_is_not_made():
    assert augment.augment([note(("Patient spoke.", []))], seed=1, kinds=["renumber"]) == []


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="unknown kinds of change: shout"):
        augment.augment([], seed=1, kinds=["shout"])
