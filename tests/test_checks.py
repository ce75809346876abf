"""Each thing that can be wrong with labelled notes is found, and said without any of their text."""

import copy

import pytest

from training_data import checks
from training_data.checks import Problem
from training_data.corpus import read_lines

TEXT = "Held a mirror up for /s/; he fixed 7 of 10 himself.\nContinue POC."
NOTE = {
    "id": "aa-01",
    "batch": "aa",
    "patient_id": "aa-p1",
    "setting": "school",
    "style": "plain",
    "age": "7 years",
    "text": TEXT,
    "segments": [
        {"start": 0, "end": 51, "labels": ["cueing", "measure", "response"]},
        {"start": 52, "end": 65, "labels": ["generic"]},
    ],
    "kind": "treatment",
    "verdict": "at_risk",
    "rubric": {
        "intervention": 0,
        "cueing": 1,
        "response": 2,
        "measurable_progress": 1,
        "clinical_reasoning": 0,
        "goal_function": 0,
        "plan": 0,
    },
    "score": 32.5,  # 15 x 1/2 + 15 x 2/2 + 20 x 1/2
    "icd10": ["F80.0"],
    "icd10_acceptable": [],
}
OTHER = (
    "Wife thickened the coffee to a nectar by herself today, and he drank all of it without one cough or a wet voice."
)


SHAPE = "needs start and end (whole numbers) and labels (a list), and nothing else"


def changed(**fields):
    return {**copy.deepcopy(NOTE), **fields}


def segment(start, end, *labels):
    return {"start": start, "end": end, "labels": list(labels)}


def found(*notes, split="train", reference=()):
    return checks.problems({split: list(notes)}, list(reference), {"aa": "author-1", "bb": "author-2"})


def of_note(field, message):
    return [Problem("aa", "aa-01", field, message)]


def test_good_note_has_no_problem():
    assert found(NOTE) == []


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"setting": None}, "setting", "missing or of the wrong type"),
        ({"family": 3}, "family", "missing or of the wrong type"),
        ({"colour": "red"}, "colour", "unknown field"),
        ({"id": "bb-01"}, "id", "does not begin with its batch"),
        ({"kind": "chat"}, "kind", "'chat' is unknown"),
        ({"verdict": "fine"}, "verdict", "'fine' is unknown"),
        ({"rubric": {"plan": 3}}, "rubric", "needs each of the seven dimensions rated 0, 1 or 2"),
        ({"score": 30.0}, "score", "is not the sum of the weighted ratings"),
        ({"icd10": ["F80"]}, "icd10", "F80 is no billable ICD-10-CM code"),
        ({"icd10": ["I69.328.1"]}, "icd10", "I69.328.1 is no billable ICD-10-CM code"),
        ({"icd10_acceptable": ["F80.0"]}, "icd10", "gives a code twice"),
        ({"family": "aa-f1"}, "family", "has no other note"),
    ],
)
def test_wrong_field_is_named(fields, field, message):
    note = changed(**fields)
    assert found(note) == [Problem("aa", note["id"], field, message)]


def test_code_that_came_in_october_2026_is_known():
    assert found(changed(icd10=["Z87.8902"])) == []


@pytest.mark.parametrize(
    ("segments", "at", "message"),
    [
        ([segment(0, 51), segment(40, 65)], 1, "overlaps the one before it, is empty or leaves the text"),
        ([segment(0, 51), segment(52, 66)], 1, "overlaps the one before it, is empty or leaves the text"),
        (
            [segment(0, 0), segment(0, 51), segment(52, 65)],
            0,
            "overlaps the one before it, is empty or leaves the text",
        ),
        ([segment(0, 52), segment(52, 65)], 0, "begins or ends with a space"),
        ([segment(24, 51), segment(52, 65)], 0, "leaves words before it outside of any segment"),
        ([segment(0, 51)], 0, "leaves words after it outside of any segment"),
        ([segment(0, 51, "cue"), segment(52, 65)], 0, "carries an unknown label"),
        ([segment(0, 51, "measure", "cueing"), segment(52, 65)], 0, "has labels unsorted or twice"),
        ([{"start": 0, "end": 51}], 0, SHAPE),
        ([{"start": "0", "end": 51, "labels": []}], 0, SHAPE),
        ([{"start": 0, "end": 51, "labels": "plan"}], 0, SHAPE),
        (["Named 7 of 10"], 0, SHAPE),
    ],
)
def test_wrong_segment_is_named(segments, at, message):
    assert of_note(f"segments[{at}]", message)[0] in found(changed(segments=segments))


def test_id_that_stands_twice_is_found():
    twin = changed(text=OTHER, segments=[segment(0, len(OTHER))])
    assert found(NOTE, twin) == of_note("id", "stands twice")


def test_text_that_stands_twice_is_found_whatever_its_capitals_and_marks():
    text = TEXT.upper().replace(".", "!")
    assert Problem("aa", "aa-02", "text", "is that of aa-01") in found(NOTE, changed(id="aa-02", text=text))


def test_near_duplicate_outside_of_a_family_is_found():
    text = TEXT.replace("7 of 10", "8 of 10")
    # 12 shingles each; the one number stands in three of them: 9 / 15
    message = "is a near-duplicate of aa-02 (Jaccard 0.60) outside of its family"
    assert found(NOTE, changed(id="aa-02", text=text)) == of_note("text", message)


def test_near_duplicates_of_one_family_are_variants():
    text = TEXT.replace("7 of 10", "8 of 10")
    assert found(changed(family="aa-f1"), changed(id="aa-02", text=text, family="aa-f1")) == []


@pytest.mark.parametrize("field", ["patient_id", "family"])
def test_patient_or_family_on_both_sides_is_found(field):
    other = changed(batch="bb", id="bb-01", text=OTHER, segments=[segment(0, len(OTHER))])
    by_split = {"train": [changed(family="f1")], "test": [{**other, "patient_id": "bb-p1", "family": "f2"}]}
    by_split["train"].append(changed(id="aa-02", text=OTHER[:60], segments=[segment(0, 60)], family="f1"))
    by_split["test"].append({**by_split["test"][0], "id": "bb-02", "text": OTHER[20:], "segments": [segment(0, 92)]})
    by_split["test"][1]["family"] = "f2"
    by_split["test"][0][field] = by_split["train"][0][field]
    problems = list(checks.grouping(by_split))
    value = by_split["train"][0][field]
    assert problems == [Problem("bb", "bb-01", field, f"{value!r} stands in test and in train")]


def test_author_of_notes_for_fitting_and_for_measuring_is_found():
    by_split = {"train": [NOTE], "test": [changed(batch="bb", id="bb-01")]}
    found = list(checks.shared_authors(by_split, {"aa": "author-1", "bb": "author-1"}))
    assert found == [Problem("bb", "bb-01", "batch", "is by author-1, who wrote for train too")]


def test_patient_may_stand_among_the_notes_and_the_pieces_for_fitting():
    assert list(checks.grouping({"train": [NOTE], "fragments": [changed(id="aa-02")]})) == []


def test_nine_words_of_the_reference_set_are_found():
    reference = [{"id": "R1", "text": "Today: held a mirror up for s; he fixed 7 items."}]
    assert found(NOTE, reference=reference) == of_note("text", "shares 9 words in a row with the reference set")


def test_eight_words_of_the_reference_set_are_none():
    assert found(NOTE, reference=[{"id": "R1", "text": "Held a mirror up for /s/; he fixed nine."}]) == []


@pytest.mark.parametrize("line", ['{"id": ', "[]"])
def test_line_that_is_no_record_is_named(tmp_path, line):
    path = tmp_path / "aa.jsonl"
    path.write_text('{"id": "aa-01"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"aa\.jsonl, line 2: expected a JSON object"):
        list(read_lines(path))


def test_problem_is_one_line_without_text():
    assert str(Problem("aa", "aa-01", "score", "is wrong")) == "aa: aa-01: score: is wrong"


def test_near_duplicates_are_those_of_all_pairs():
    """MinHash finds candidates only; none of the pairs of a hundred notes that plain comparison finds is missed."""
    from itertools import combinations

    from training_data.corpus import read_split

    notes = [note for note in read_split("train") if "family" in note][:100]
    sets = {note["id"]: checks.shingles(note["text"]) for note in notes}
    pairs = {
        (a, b)
        for a, b in combinations(sorted(sets), 2)
        if min(len(sets[a]), len(sets[b])) >= checks.SHORTEST
        and len(sets[a] & sets[b]) / len(sets[a] | sets[b]) >= checks.NEAR
    }
    assert {(pair.first, pair.second) for pair in checks.near_duplicates(notes)} == pairs
    assert len(pairs) > 5
