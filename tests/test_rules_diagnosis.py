"""DXC: what the rules' own examples do not show. Codes and days are those of the tabular list and its releases."""

from datetime import date

import pytest

from analyzer import Analyzer, Note
from analyzer.rules import diagnosis
from analyzer.types import Level, NotRun

APHASIA = "Aphasia. Named 14 of 20 pictures with moderate phonemic cues."
SWALLOWING = "Oropharyngeal dysphagia after stroke. Chin tuck with thin liquids, moderate cues."


@pytest.fixture(scope="module")
def diagnoses() -> Analyzer:
    """Load an analyzer that runs the rules on diagnoses alone."""
    analyzer = Analyzer.load(model="lexicons", raises=True)
    analyzer._rules = tuple(rule for rule in analyzer._rules if rule.family == "DXC")
    return analyzer


def found(analyzer: Analyzer, note: Note) -> list[tuple[str, str]]:
    return [(f.code, note.text[f.start : f.end]) for f in analyzer.analyze(note).findings]


@pytest.mark.parametrize(
    ("code", "on", "expected"),
    [
        ("G35", date(2025, 9, 30), []),
        ("G35", date(2025, 10, 1), ["DXC001"]),
        ("G35.D", date(2025, 9, 30), ["DXC001"]),
        ("G35.D", date(2025, 10, 1), []),
        ("G31.87", date(2025, 9, 30), ["DXC001"]),
        ("G31.87", date(2025, 10, 1), []),
        ("Z87.890", date(2026, 9, 30), []),
        ("Z87.890", date(2026, 10, 1), ["DXC001"]),
        ("G20", date(2023, 10, 1), ["DXC002"]),
        ("R63.3", date(2026, 10, 1), ["DXC002"]),
        ("R63.3", None, ["DXC002"]),
        ("G35", None, []),
        ("F80.3", None, ["DXC003"]),
        ("i69320", None, []),
    ],
)
def test_validity_goes_by_the_date_of_service(diagnoses, code, on, expected):
    validity = {"DXC001", "DXC002", "DXC003"}
    note = Note("Seen for 30 minutes.", diagnoses=(code,), date_of_service=on)

    assert [f.code for f in diagnoses.analyze(note).findings if f.code in validity] == expected


def test_message_names_the_codes_that_may_stand_in_its_place(diagnoses):
    note = Note("Seen for 30 minutes.", diagnoses=("G35",), date_of_service=date(2025, 10, 1))
    (finding,) = [f for f in diagnoses.analyze(note).findings if f.code == "DXC001"]

    assert finding.message == (
        "G35 (Multiple sclerosis) is not valid on 2025-10-01. Valid until 2025-09-30; now a category: a code below it "
        "is needed. Ask for the course. To consider: G35.D, G35.A, G35.B0, G35.C0, G35.B1."
    )


def test_a_code_in_text_and_record_is_complained_of_once_where_it_stands(diagnoses):
    note = Note(f"Dx: R41.84. {APHASIA}", diagnoses=("R41.84",))

    assert [pair for pair in found(diagnoses, note) if pair[0] == "DXC002"] == [("DXC002", "R41.84")]


def test_each_code_is_complained_of_by_itself(diagnoses):
    note = Note("Dx: R63.3, I69.32, F80.3.")

    assert [pair for pair in found(diagnoses, note) if pair[0] < "DXC004"] == [
        ("DXC002", "R63.3"),
        ("DXC002", "I69.32"),
        ("DXC003", "F80.3"),
    ]


def test_a_category_without_a_dot_is_a_code_only_after_a_word_that_says_so(diagnoses):
    headed, bare = (
        [code for code, _ in found(diagnoses, Note(text)) if code == "DXC002"]
        for text in (f"Diagnosis: G20. {APHASIA}", f"Room G20. {APHASIA}")
    )

    assert (headed, bare) == (["DXC002"], [])


def test_the_record_gives_the_order_of_the_claim(diagnoses):
    wrong = Note(f"I69.391, R13.12. {SWALLOWING}", diagnoses=("R13.12", "I69.391"))
    right = Note(f"R13.12, I69.391. {SWALLOWING}", diagnoses=("I69.391", "R13.12"))

    assert [[c for c, _ in found(diagnoses, note)] for note in (wrong, right)] == [["DXC006"], []]


def test_one_of_several_causes_before_it_is_enough(diagnoses):
    note = Note(
        "Alzheimer disease with dementia, cognitive-communication deficit.", diagnoses=("G30.9", "R41.841", "F02.80")
    )

    assert [code for code, _ in found(diagnoses, note) if code == "DXC006"] == []


@pytest.mark.parametrize("fields", [{"setting": "acute care"}, {"diagnoses": ("R13.12", "I63.9")}])
def test_the_stay_for_the_stroke_itself_has_no_sequelae(diagnoses, fields):
    note = Note(SWALLOWING, **{"diagnoses": ("R13.12",), **fields})

    assert [code for code, _ in found(diagnoses, note) if code == "DXC006"] == []


def test_stroke_residual_is_said_once_where_both_codes_stand(diagnoses):
    note = Note("Aphasia after stroke. Named 14 of 20 pictures.", diagnoses=("R47.01", "I69.320"))

    assert [code for code, _ in found(diagnoses, note)] == ["DXC007"]


def test_conflict_quotes_the_note_of_the_tabular_list(diagnoses):
    note = Note("Memory log with moderate cues.", diagnoses=("F80.1", "F80.2"))
    (finding,) = [f for f in diagnoses.analyze(note).findings if f.code == "DXC007"]

    assert finding.message == (
        "F80.1 and F80.2 exclude each other; the note at F80.1 says: “mixed receptive-expressive language disorder "
        "(F80.2)”."
    )


def test_hospital_stays_may_code_what_is_probable(diagnoses):
    text = "Possible aphasia, R47.01. Named 6 of 10 pictures with moderate phonemic cues."
    given = [
        [code for code, _ in found(diagnoses, note)]
        for note in (Note(text), Note(text, setting="inpatient rehab"), Note(text, place_of_service="21"))
    ]

    assert given == [["DXC008"], [], []]


def test_easy_onset_is_no_onset_in_adulthood(diagnoses):
    note = Note("Will use easy onset in 80% of sentences. Stuttered on 9 of 40 sentences.", diagnoses=("F80.81",))

    assert found(diagnoses, note) == []


def test_validity_is_said_not_to_have_been_checked_without_a_date(diagnoses):
    report = diagnoses.analyze(Note(APHASIA, diagnoses=("R47.01",)))

    assert [n for n in report.not_run if "DXC" in n.check] == [NotRun("DXC001", "The record has no date_of_service.")]


def test_days_outside_of_the_tables_are_said_not_to_have_been_checked(diagnoses):
    report = diagnoses.analyze(Note(APHASIA, diagnoses=("R47.01",), date_of_service=date(2020, 1, 1)))

    assert [n for n in report.not_run if "DXC" in n.check] == [
        NotRun("DXC001 DXC002", "The tables cover 2023-10-01 to 2027-09-30 (FY2027).")
    ]


def test_what_a_claim_is_returned_for_is_an_error():
    levels = {rule.code for rule in diagnosis.RULES if rule.level is Level.ERROR}

    assert levels == {"DXC001", "DXC002", "DXC003"}
