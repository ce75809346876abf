"""Agreement between two annotators, against figures worked out by hand."""

from training_data import agreement


def double(segments, verdicts, kinds=("treatment", "treatment"), codes=(("F80.0",), ("F80.0",)), ratings=(2, 2)):
    both = ("first", "second")
    return {
        "id": "aa-01",
        "segments": [{"first": list(a), "second": list(b)} for a, b in segments],
        "verdict": dict(zip(both, verdicts, strict=True)),
        "kind": dict(zip(both, kinds, strict=True)),
        "icd10": {who: list(found) for who, found in zip(both, codes, strict=True)},
        "rubric": {who: {"plan": rating} for who, rating in zip(both, ratings, strict=True)},
    }


NOTES = [
    double([(["cueing", "measure"], ["cueing"]), (["plan"], ["plan"])], ("skilled", "skilled")),
    double([(["cueing"], ["cueing"]), ([], ["plan"])], ("at_risk", "unskilled"), ratings=(0, 2)),
    double([([], [])], ("unskilled", "skilled"), ("no_show", "no_show"), ((), ("R47.01",)), ratings=(1, 2)),
]


def test_label_agreement_is_f1_of_one_against_the_other():
    found = agreement.label_agreement(NOTES)
    assert found["cueing"] == {"f1": 1.0, "both": 2, "one_only": 0}
    assert found["plan"] == {"f1": 2 / 3, "both": 1, "one_only": 1}  # 2 x 1 / (2 x 1 + 1)
    assert found["measure"] == {"f1": 0.0, "both": 0, "one_only": 1}
    assert found["micro"] == {"f1": 0.75, "both": 3, "one_only": 2}  # 6 / 8


def test_agreement_on_a_label_decided_anew():
    pairs = [(True, True), (True, True), (True, False), (False, False)]
    decisions = [{"id": "aa-01", "segment": 1, "label": "plan", "first": a, "second": b} for a, b in pairs]
    assert agreement.agreement_again(decisions) == {"plan": {"f1": 0.8, "both": 2, "one_only": 1, "segments": 4}}


def test_note_agreement_judges_verdicts_of_treatment_only():
    found = agreement.note_agreement(NOTES)
    assert found["notes"] == 3
    assert found["segments"] == 5
    assert found["batches"] == 1
    assert found["verdict_accuracy"] == 0.5  # of two treatment notes
    assert found["kind"] == 1
    assert found["first_code"] == 1  # the third note has no first code to compare
    assert (found["rating_equal"], found["rating_within_one"]) == (1 / 3, 2 / 3)
