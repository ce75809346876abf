import json
import math
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score, roc_auc_score

from analyzer.errors import NoteError
from analyzer.evaluate import (
    IcdCounts,
    LabelFigures,
    auroc,
    calibration_error,
    evaluate,
    f1,
    hide_annotations,
    parse_reference,
    quadratic_kappa,
    ranks,
    read_reference,
    spearman,
)
from analyzer.types import Kind, Label, Verdict

TEXT = "x" * 100


def gold(id="A", segments=(), **fields):
    """Parse a reference note from its shorthand: segments as (start, end, labels, optional labels)."""
    record = {
        "id": id,
        "text": TEXT,
        "segments": [
            {"start": start, "end": end, "labels": labels, "optional": optional[0] if optional else []}
            for start, end, labels, *optional in segments
        ],
    }
    return parse_reference(record | fields, 1)


def guess(id="A", segments=(), codes=(), **fields):
    """Build an output record from its shorthand: segments as (start, end, labels)."""
    return {
        "id": id,
        "segments": [
            {"start": start, "end": end, "labels": [{"label": label} for label in labels]}
            for start, end, labels in segments
        ],
        "icd10": [{"code": code} for code in codes],
    } | fields


def judged(verdict, score, **fields):
    return {"kind": "treatment", "verdict": verdict, "score": score} | fields


# Labels over segments


@pytest.mark.parametrize(
    ("segment", "is_found"),
    [
        ((0, 20), True),
        ((10, 30), True),  # half of either
        ((11, 31), False),
        ((5, 7), True),  # all of the shorter one
        ((19, 21), True),  # half of the shorter one
        ((19, 22), False),
        ((0, 100), True),
        ((20, 40), False),  # offsets are half-open
        ((10, 10), False),
    ],
)
def test_label_counts_where_segments_overlap_by_half_of_the_shorter(segment, is_found):
    metrics = evaluate([gold(segments=[(0, 20, ["cueing"])])], [guess(segments=[(*segment, ["cueing"])])])
    assert metrics.labels[Label.CUEING].recall == float(is_found)


def test_optional_label_counts_neither_for_nor_against():
    note = gold(segments=[(0, 10, ["cueing"], ["response"]), (20, 30, ["response"], ["cueing"])])
    found = guess(segments=[(0, 10, ["cueing", "response"]), (20, 30, [])])
    labels = evaluate([note], [found]).labels
    assert labels[Label.CUEING] == LabelFigures(precision=1.0, recall=1.0, f1=1.0, support=1)
    assert labels[Label.RESPONSE] == LabelFigures(precision=1.0, recall=0.0, f1=0.0, support=1)


def test_label_in_a_stretch_without_a_reference_segment_is_not_counted():
    metrics = evaluate([gold(segments=[(0, 10, [])])], [guess(segments=[(50, 60, ["drill"])])])
    assert metrics.labels[Label.DRILL] == LabelFigures(precision=1.0, recall=1.0, f1=1.0, support=0)


def test_labels_of_all_segments_over_a_reference_segment_come_together():
    note = gold(segments=[(0, 40, ["cueing", "measure"])])
    found = guess(segments=[(0, 20, ["cueing"]), (20, 40, ["measure", "plan"])])
    metrics = evaluate([note], [found])
    # Two hits and one false alarm: 2·2 / (2·2 + 1).
    assert metrics.evidence_micro_f1 == 0.8
    # The macro mean goes over the labels that the reference has; plan is not among them.
    assert metrics.evidence_macro_f1 == 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_precision_recall_and_f1_are_those_of_scikit_learn(pairs):
    wanted, found = zip(*pairs, strict=True)
    assume(any(wanted) and any(found))
    notes = [gold(str(i), [(0, 10, ["plan"] if want else [])]) for i, want in enumerate(wanted)]
    records = [guess(str(i), [(0, 10, ["plan"] if got else [])]) for i, got in enumerate(found)]
    metrics = evaluate(notes, records)
    assert metrics.labels[Label.PLAN] == LabelFigures(
        precision=pytest.approx(precision_score(wanted, found)),
        recall=pytest.approx(recall_score(wanted, found)),
        f1=pytest.approx(f1_score(wanted, found)),
        support=sum(wanted),
    )
    assert metrics.evidence_micro_f1 == metrics.evidence_macro_f1 == metrics.labels[Label.PLAN].f1


def test_f1_over_all_labels_is_that_of_scikit_learn():
    labels = [[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]]
    found = [[1, 1, 0], [0, 1, 1], [0, 1, 1], [0, 0, 1]]
    names = ["intervention", "measure", "generic"]

    def named(row):
        return [name for name, flag in zip(names, row, strict=True) if flag]

    notes = [gold(str(i), [(0, 9, named(row))]) for i, row in enumerate(labels)]
    metrics = evaluate(notes, [guess(str(i), [(0, 9, named(row))]) for i, row in enumerate(found)])
    assert metrics.evidence_micro_f1 == pytest.approx(f1_score(labels, found, average="micro"))
    assert metrics.evidence_macro_f1 == pytest.approx(f1_score(labels, found, average="macro"))


@pytest.mark.parametrize(
    ("counts", "expected"), [((0, 0, 0), 1.0), ((0, 1, 0), 0.0), ((0, 0, 1), 0.0), ((3, 1, 1), 0.75)]
)
def test_f1_by_hand(counts, expected):
    assert f1(*counts) == expected


# Verdicts and scores


def test_verdict_figures_by_hand():
    verdicts = [
        ("unskilled", "unskilled"),
        ("unskilled", "at_risk"),
        ("at_risk", "unskilled"),
        ("skilled", "skilled"),
        ("skilled", "unskilled"),
    ]
    notes = [gold(str(i), **judged(want, 50)) for i, (want, _) in enumerate(verdicts)]
    metrics = evaluate(notes, [guess(str(i), verdict=got, score=50) for i, (_, got) in enumerate(verdicts)])
    assert metrics.verdict_accuracy == 0.4
    assert metrics.unskilled_recall == 0.5
    assert metrics.unskilled_precision == pytest.approx(1 / 3)
    assert metrics.skilled_called_unskilled == 1
    # Squared distances 0+1+1+0+4 = 6. Expected from the margins (2, 1, 2) and (3, 1, 1): (2+8+3+1+24+2) / 5 = 8.
    assert metrics.verdict_kappa == pytest.approx(1 - 6 / 8)


def test_verdict_and_score_count_only_for_treatment_and_group_notes_and_notes_of_unstated_kind():
    kinds = [None, "treatment", "group", "evaluation", "progress_report", "discharge", "screening", "no_show", "other"]
    notes = [gold(str(i), **judged("skilled", 100 if i < 3 else 0, kind=kind)) for i, kind in enumerate(kinds)]
    metrics = evaluate(notes, [guess(str(i), verdict="skilled", score=90) for i in range(len(kinds))])
    assert (metrics.verdict_accuracy, metrics.score_mae) == (1.0, 10.0)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_quadratic_kappa_is_that_of_scikit_learn(pairs):
    first, second = zip(*pairs, strict=True)
    assume(len({*first, *second}) > 1)  # one grade throughout has no kappa there
    expected = cohen_kappa_score(first, second, labels=[0, 1, 2], weights="quadratic")
    assert quadratic_kappa(pairs) == pytest.approx(expected)


def test_quadratic_kappa_of_agreement_on_one_grade_is_one_and_of_nothing_is_nan():
    assert quadratic_kappa([(1, 1), (1, 1)]) == 1.0
    assert math.isnan(quadratic_kappa([]))


@given(
    st.lists(
        st.tuples(st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0]), st.booleans()), min_size=2, max_size=40
    ).filter(lambda pairs: len({positive for _, positive in pairs}) == 2)
)
def test_auroc_is_that_of_scikit_learn(pairs):
    scores, is_positive = zip(*pairs, strict=True)
    assert auroc(scores, is_positive) == pytest.approx(roc_auc_score(is_positive, scores))


def test_auroc_by_hand_counts_a_tie_half():
    # Pairs of a positive and a negative: 0.9>0.2, 0.9>0.5, 0.5>0.2, 0.5=0.5.
    assert auroc([0.9, 0.5, 0.2, 0.5], [True, True, False, False]) == 3.5 / 4
    assert math.isnan(auroc([0.3, 0.4], [True, True]))


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100).map(lambda x: round(x, 1)) | st.sampled_from([0.0, 50.0]), st.integers(0, 40).map(float)
        ),
        min_size=3,
        max_size=30,
    )
)
def test_spearman_is_that_of_scipy(pairs):
    x, y = zip(*pairs, strict=True)
    assume(len(set(x)) > 1 and len(set(y)) > 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = spearmanr(x, y).statistic
    assert spearman(x, y) == pytest.approx(expected)


def test_spearman_without_variation_is_nan():
    assert math.isnan(spearman([1.0, 2.0], [5.0, 5.0]))
    assert math.isnan(spearman([1.0], [1.0]))


def test_ranks_of_ties_are_their_mean():
    assert ranks([10.0, 30.0, 10.0, 20.0, 10.0]) == [1.0, 4.0, 1.0, 3.0, 1.0]
    assert ranks([]) == []


def test_score_figures_by_hand():
    scores = [(80, 70), (20, 35), (50, 50)]
    notes = [gold(str(i), **judged("at_risk", want)) for i, (want, _) in enumerate(scores)]
    metrics = evaluate(notes, [guess(str(i), verdict="at_risk", score=got) for i, (_, got) in enumerate(scores)])
    assert metrics.score_mae == pytest.approx(25 / 3)
    assert metrics.score_spearman == pytest.approx(1.0)


# Calibration


@pytest.mark.parametrize(
    ("probabilities", "is_positive", "expected"),
    [
        ([], [], 0.0),
        ([1.0, 1.0], [True, True], 0.0),
        ([1.0, 0.95], [False, True], 0.475),  # 1 falls into the last bin: |1.95 - 1| / 2
        ([0.3, 0.3, 0.3, 0.3], [True, False, False, False], 0.05),
        ([0.1, 0.2], [False, True], 0.45),  # an edge opens the next bin: (0.1 + 0.8) / 2
        ([0.1, 0.19], [False, True], 0.355),  # one bin: |0.29 - 1| / 2
        ([0.0, 0.0999], [True, False], 0.45005),
    ],
)
def test_calibration_error_by_hand(probabilities, is_positive, expected):
    assert calibration_error(probabilities, is_positive) == pytest.approx(expected)


def test_probability_is_compared_on_judged_notes_only():
    notes = [
        gold("A", **judged("unskilled", 0)),
        gold("B", **judged("skilled", 90)),
        gold("C", **judged("skilled", 0, kind="no_show")),
    ]
    records = [guess(id, unskilled_probability=p) for id, p in (("A", 0.75), ("B", 0.25), ("C", 1.0))]
    metrics = evaluate(notes, records)
    assert (metrics.unskilled_auroc, metrics.unskilled_calibration_error) == (1.0, 0.25)


# Kinds and codes


def test_kind_is_compared_where_the_reference_states_one():
    notes = [gold("A", kind="no_show"), gold("B", kind="group", verdict=None), gold("C")]
    metrics = evaluate(notes, [guess("A", kind="no_show"), guess("B", kind="treatment"), guess("C", kind="other")])
    assert metrics.kind_accuracy == 0.5


def test_codes_by_hand():
    notes = [
        gold("first", icd10=["R47.01"]),
        gold("acceptable", icd10=["I69.320"], icd10_acceptable=["R47.01"]),
        gold("third", icd10=["F80.1", "F80.0"]),
        gold("fifth", icd10=["R13.12"]),
        gold("none", icd10=["R49.0"]),
        gold("empty-right"),
        gold("empty-wrong"),
        gold("empty-acceptable", icd10_acceptable=["R41.841"]),
    ]
    records = [
        guess("first", codes=["R47.01"]),
        guess("acceptable", codes=["R47.01"]),
        guess("third", codes=["X", "Y", "F80.0"]),
        guess("fifth", codes=["A", "B", "C", "D", "R13.12"]),
        guess("none"),
        guess("empty-right"),
        guess("empty-wrong", codes=["R49.0"]),
        guess("empty-acceptable", codes=["R41.841", "R49.0"]),
    ]
    metrics = evaluate(notes, records)
    assert metrics.icd_counts == IcdCounts(
        notes=5, top1=2, top3=3, recall_needed=6, recall_hit=3, empty=3, empty_wrong=1
    )
    assert (metrics.icd_top1, metrics.icd_top3, metrics.icd_recall5) == (0.4, 0.6, 0.5)
    assert metrics.icd_false_on_empty == pytest.approx(1 / 3)


# What is missing


@pytest.mark.parametrize("records", [[], [{"id": "A", "status": "error", "error": {"code": "x", "message": "y"}}]])
def test_note_without_an_analysis_counts_as_skilled_with_score_0_and_no_labels(records):
    note = gold("A", [(0, 10, ["drill"])], **judged("unskilled", 30), icd10=["R49.0"])
    metrics = evaluate([note], records)
    assert (metrics.notes, metrics.missing) == (1, 1 - len(records))
    assert metrics.labels[Label.DRILL].recall == 0.0
    assert (metrics.verdict_accuracy, metrics.score_mae, metrics.kind_accuracy, metrics.icd_top3) == (0, 30, 0, 0)


def test_prediction_for_no_reference_note_is_ignored():
    metrics = evaluate([gold("A", [(0, 10, ["plan"])])], [guess("A", [(0, 10, ["plan"])]), guess("B", codes=["R49.0"])])
    assert (metrics.notes, metrics.evidence_micro_f1, metrics.icd_counts.empty_wrong) == (1, 1.0, 0)


def test_figures_without_anything_to_count_are_null_in_json():
    figures = evaluate([gold("A")], []).to_dict()
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert {name for name, value in figures.items() if value is None} == {
        "evidence_macro_f1",
        "score_mae",
        "score_spearman",
        "unskilled_auroc",
        "verdict_accuracy",
        "verdict_kappa",
    }


def test_dictionary_has_every_figure_of_the_scorer():
    figures = evaluate([gold("A")], []).to_dict()
    assert list(figures) == [
        "notes",
        "missing",
        "evidence_micro_f1",
        "evidence_macro_f1",
        "labels",
        "verdict_accuracy",
        "verdict_kappa",
        "unskilled_auroc",
        "unskilled_calibration_error",
        "unskilled_recall",
        "unskilled_precision",
        "skilled_called_unskilled",
        "score_mae",
        "score_spearman",
        "kind_accuracy",
        "icd_top1",
        "icd_top3",
        "icd_recall5",
        "icd_false_on_empty",
        "icd_counts",
    ]
    assert list(figures["labels"]) == [label.value for label in Label]
    assert list(figures["labels"]["plan"]) == ["precision", "recall", "f1", "support"]
    assert list(figures["icd_counts"]) == [
        "notes",
        "top1",
        "top3",
        "recall_needed",
        "recall_hit",
        "empty",
        "empty_wrong",
    ]


@pytest.mark.parametrize(
    ("record", "field"),
    [({"verdict": "excellent"}, "verdict"), ({"unskilled_probability": 1.5}, "unskilled_probability")],
)
def test_prediction_that_cannot_be_is_refused(record, field):
    with pytest.raises(NoteError) as caught:
        evaluate([gold("A")], [guess("A", **record)])
    assert caught.value.field == field


# Reading a reference set


def test_reference_is_read_with_its_labels_verdict_and_codes(write_lines):
    record = {
        "id": "A-1",
        "text": "Named 4/5.",
        "segments": [{"start": 0, "end": 10, "labels": ["measure"], "optional": ["response"]}],
        "rubric": {"cueing": 0},
        "kind": "treatment",
        "verdict": "at_risk",
        "score": 10,
        "icd10": ["R47.01"],
        "icd10_acceptable": ["I69.320"],
    }
    (note,) = read_reference(write_lines("gold.jsonl", [record, ""]))
    (segment,) = note.segments
    assert (note.id, note.kind, note.verdict, note.score) == ("A-1", Kind.TREATMENT, Verdict.AT_RISK, 10.0)
    assert (note.icd10, note.icd10_acceptable) == (("R47.01",), ("I69.320",))
    assert (segment.start, segment.end) == (0, 10)
    assert (segment.labels, segment.optional) == ({Label.MEASURE}, {Label.RESPONSE})


SEGMENT = {"start": 0, "end": 5, "labels": []}
RECORD = {"id": "A", "text": "MARKER text", "segments": [SEGMENT]}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{MARKER", "line 2: expected one JSON object a line"),
        ("[]", "line 2: expected a JSON object, found a list"),
        (RECORD | {"id": None}, "line 2: id: expected text, found null"),
        (RECORD | {"id": 17}, "line 2: id: expected text, found a number"),
        (RECORD | {"text": ""}, "line 2: text: expected text, found empty text"),
        ({"id": "A", "text": "MARKER"}, "line 2: segments: expected a list, found nothing"),
        (RECORD | {"segments": ["MARKER"]}, "line 2: segments: expected a list of objects, found a list"),
        (
            RECORD | {"segments": [SEGMENT, SEGMENT | {"start": "0"}]},
            "line 2: segments[1].start: expected a whole number, found text",
        ),
        (
            RECORD | {"segments": [SEGMENT | {"start": -1}]},
            "line 2: segments[0].start: expected an offset of at least 0, found -1",
        ),
        (
            RECORD | {"segments": [SEGMENT | {"start": 5}]},
            "line 2: segments[0]: expected start before end, found none of it between them",
        ),
        (
            RECORD | {"segments": [SEGMENT | {"labels": "plan"}]},
            "line 2: segments[0].labels: expected a list, found text",
        ),
        (
            RECORD | {"verdict": "MARKER"},
            "line 2: verdict: expected one of unskilled, at_risk, skilled, found text",
        ),
        (RECORD | {"verdict": "skilled"}, "line 2: score: expected a number beside the verdict, found none"),
        (RECORD | {"score": 101}, "line 2: score: expected a number from 0 to 100, found one outside"),
        (RECORD | {"score": True}, "line 2: score: expected a number, found true or false"),
        (RECORD | {"icd10": [1]}, "line 2: icd10: expected a list of texts, found a list"),
        (RECORD | {"id": "first"}, "line 2: id: expected an id of its own, found one that an earlier line has"),
    ],
)
def test_bad_reference_line_is_an_error_that_names_line_and_field_and_quotes_nothing(write_lines, record, message):
    path = write_lines("gold.jsonl", [RECORD | {"id": "first"}, record])
    with pytest.raises(NoteError) as caught:
        read_reference(path)
    assert str(caught.value) == message
    assert caught.value.__cause__ is None


def test_analyzer_is_given_nothing_that_annotators_found(write_lines):
    found = {"segments": [SEGMENT], "rubric": {"plan": 2}, "kind": "group", "verdict": "skilled", "score": 90}
    codes = {"icd10": ["R49.0"], "icd10_acceptable": ["R49.8"]}
    given = {"id": "A", "text": "Café", "date_of_service": "2026-05-04", "setting": "school"}
    path = write_lines("gold.jsonl", ["", given | found | codes])
    first, second, rest = hide_annotations(path).split(b"\n")
    assert (first, json.loads(second), rest) == (b"", given, b"")


def test_unknown_label_of_a_reference_is_refused(write_lines):
    path = write_lines("gold.jsonl", [RECORD | {"segments": [SEGMENT | {"optional": ["cues"]}]}])
    with pytest.raises(NoteError, match=r"^line 1: segments\[0\]\.optional: expected labels among intervention, "):
        read_reference(path)


@pytest.mark.parametrize(("content", "found"), [(b"", "found none"), (b"\n\n", "found none"), (b'"\xff"', "not UTF-8")])
def test_file_that_is_no_reference_set_is_refused(tmp_path, content, found):
    path = tmp_path / "gold.jsonl"
    path.write_bytes(content)
    with pytest.raises(NoteError, match=found):
        read_reference(path)
