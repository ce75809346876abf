"""Notes to codes: the golden cases of the ICD-10-CM reference, and what is said beside a code."""

from datetime import date

import pytest

from analyzer import Analyzer, Note
from analyzer.icd10.catalogue import load_catalogue
from analyzer.icd10.coder import load_coder
from analyzer.lexicon import load_lexicons
from analyzer.segment import Segmenter
from analyzer.types import Certainty, Kind

# What the note says, its date of service, the codes to expect first (in this order), and codes that must not be likely.
GOLDEN = [
    ("s/p L MCA CVA, nonfluent aphasia, AOS", None, {"I69.320", "I69.390"}, {"R47.01", "R48.2", "I69.920"}),
    ("Oropharyngeal dysphagia after stroke.", None, ["I69.391", "R13.12"], set()),
    ("Dysarthria, Parkinson disease.", None, ["R47.1", "G20.A1"], {"G20"}),
    ("Neurogenic stuttering, Parkinson disease.", None, ["G20.A1", "R47.82"], {"F80.81"}),
    ("Primary progressive aphasia, logopenic variant.", None, ["G31.01"], {"R47.01"}),
    ("Progressive apraxia of speech, diagnosed by neurology.", date(2026, 11, 22), ["G31.87"], {"R48.2"}),
    ("Progressive apraxia of speech, diagnosed by neurology.", date(2025, 9, 15), ["R48.2"], {"G31.87"}),
    ("MS, spastic-ataxic dysarthria.", date(2026, 11, 22), ["R47.1", "G35.D"], {"G35"}),
    ("MS, spastic-ataxic dysarthria.", date(2025, 9, 15), ["R47.1", "G35"], {"G35.D"}),
    ("MCI of unknown cause, memory strategies.", None, ["G31.84"], {"R41.841", "R41.3"}),
    ("TBI with LOC of unstated length, cognitive-communication deficit.", None, ["R41.841", "S06.9X9S"], {"Z87.820"}),
    ("Autism, expressive language delay, receptive language WNL.", None, {"F80.1", "F84.0"}, {"F80.82"}),
    ("Teacher with vocal nodules per ENT, hoarse.", None, {"R49.0", "J38.2"}, {"F44.4"}),
    ("Total laryngectomy, NED for 5 years, TEP voice.", None, {"R49.1", "Z90.02", "Z85.21"}, {"C32.9"}),
    ("Repaired unilateral cleft lip and palate, hypernasal speech.", None, {"R49.21", "Z87.730"}, {"Q37.5"}),
    ("Long COVID with cognitive-communication deficit.", None, ["R41.841", "U09.9"], {"Z86.16"}),
    (
        "History of stroke in 2015, fully recovered. Dysphonia from unilateral vocal fold paralysis.",
        None,
        {"R49.0", "J38.01"},
        {"I69.398", "I69.320"},
    ),
    ("10-day-old with poor latch and tongue-tie.", None, {"P92.5", "Q38.1"}, {"R63.30"}),
    ("2-year-old, pediatric feeding disorder for 8 months, PEG.", None, {"R63.32", "Z93.1"}, {"R63.3"}),
    ("Stutters since age 3, now 42.", None, ["F80.81"], {"F98.5"}),
]


@pytest.mark.parametrize(("text", "day", "expected", "wrong"), GOLDEN, ids=[case[0][:40] for case in GOLDEN])
def test_golden_cases_of_the_reference(analyzer: Analyzer, text, day, expected, wrong):
    given = analyzer.analyze(Note(text, date_of_service=day)).icd10
    first = [suggestion.code for suggestion in given[: len(expected)]]
    likely = {s.code for s in given if s.probability >= 0.5 and "Not together with" not in s.advice}
    assert (first if isinstance(expected, list) else set(first), likely & wrong) == (expected, set())


def codes(analyzer: Analyzer, text: str, **fields) -> list[str]:
    return [suggestion.code for suggestion in analyzer.analyze(Note(text, **fields)).icd10]


def test_note_without_diagnosis_or_description_has_no_code(analyzer: Analyzer):
    assert codes(analyzer, "Pt cancelled, rescheduled for Thursday at 2.") == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Possible aphasia, to be ruled out. Sustained /a/ 12 s, hoarse and breathy voice.", "R47.01"),
        ("No dysphagia. Named 12/20 objects, cannot find words since his stroke.", "R13.10"),
        ("Her brother has autism. She could not be understood by strangers, /k/ is still /t/.", "F84.0"),
    ],
)
def test_what_is_uncertain_negated_or_of_the_family_is_not_likely(analyzer: Analyzer, text, code):
    given = {s.code: s.probability for s in analyzer.analyze(Note(text)).icd10}
    assert given.get(code, 0.0) < 0.4


@pytest.mark.parametrize(
    ("day", "code"),
    [(date(2025, 9, 30), "G35"), (date(2025, 10, 1), "G35.D"), (date(2026, 9, 30), "G35.D"), (None, "G35.D")],
)
def test_codes_are_those_of_the_date_of_service(analyzer: Analyzer, day, code):
    assert code in codes(analyzer, "Multiple sclerosis with ataxic dysarthria.", date_of_service=day)


def test_typed_code_is_a_suggestion_with_the_words_where_it_stands(analyzer: Analyzer):
    text = "Dx: J38.2, R49.0. Soft onsets in 12 of 20 phrases."
    given = {s.code: s.evidence for s in analyzer.analyze(Note(text)).icd10}
    assert [(4, 9) in given["J38.2"], (11, 16) in given["R49.0"]] == [True, True]


def test_words_shown_for_a_code_are_those_that_name_it(analyzer: Analyzer):
    text = "Seen for aphasia after a stroke in May."
    first = analyzer.analyze(Note(text)).icd10[0]
    shown = {text[start:end] for start, end in first.evidence}
    assert (first.code, {"aphasia", "stroke"} <= {word for words in shown for word in words.split()}) == (
        "I69.320",
        True,
    )


def test_advice_asks_for_the_phase_of_dysphagia(analyzer: Analyzer):
    given = {s.code: s.advice for s in analyzer.analyze(Note("Dysphagia. Coughs on thin liquids.")).icd10}
    assert given["R13.10"].startswith("Phase of dysphagia is not documented: R13.10 until it is.")


def test_code_that_excludes_the_one_before_says_so(analyzer: Analyzer):
    given = {s.code: s.advice for s in analyzer.analyze(Note("Dx: F84.0. Autism, slurred speech, R47.1.")).icd10}
    assert "Not together with" in given["R47.1"] + given["F84.0"]


def test_probabilities_fall_among_what_may_stand_on_one_claim(analyzer: Analyzer):
    given = analyzer.analyze(Note("Oropharyngeal dysphagia after stroke, mild dysarthria.")).icd10
    assert all(0 < suggestion.probability <= 1 for suggestion in given)
    assert len(given) <= 10


@pytest.fixture
def coding(analyzer: Analyzer):
    """The coding of a text, as rules see it."""
    segmenter = Segmenter(load_lexicons())
    coder = load_coder(load_lexicons())
    return lambda text, **fields: coder(Note(text, **fields), segmenter(text), Kind.TREATMENT)


def test_typed_codes_that_exclude_each_other_are_a_conflict(coding):
    found = coding("Dx: F84.0, R47.1.").conflicts
    assert [(conflict.code, conflict.other, conflict.sits_at) for conflict in found] == [("F84.0", "R47.1", "R47")]


def test_phase_of_dysphagia_before_the_stroke_code_is_a_wrong_order(coding):
    found = coding("Dx: R13.12, I69.391.").orders
    assert [(order.first, order.then, order.is_missing) for order in found] == [("I69.391", "R13.12", False)]


def test_phase_of_dysphagia_without_the_stroke_code_misses_it(coding):
    found = coding("Dx: R13.12. Oropharyngeal dysphagia after a stroke.").orders
    assert [(order.first, order.then, order.is_missing) for order in found] == [("I69.391", "R13.12", True)]


def test_symptom_code_after_a_stroke_has_a_better_one(coding):
    (typed,) = coding("Dx: R47.01. Aphasia since his stroke.").typed
    assert typed.better[0] == "I69.320"


def test_typed_code_knows_that_the_note_only_suspects_it(coding):
    (typed,) = coding("Dx: R48.2. Suspected apraxia of speech.").typed
    assert typed.certainty is Certainty.UNCERTAIN


def test_codes_of_the_record_are_typed_codes_without_a_place(coding):
    (typed,) = coding("Named objects.", diagnoses=("r4701",)).typed
    assert (typed.code, typed.start, typed.end) == ("R47.01", None, None)


def test_every_suggested_code_is_billable_or_marked_as_a_category(coding):
    catalogue = load_catalogue()
    texts = ("Aphasia after a stroke.", "Speech delay.", "Dysphagia, trach.", "Words are few.")
    given = [suggestion for text in texts for suggestion in coding(text).suggestions]
    assert [catalogue.get(s.code).is_billable for s in given] == [s.billable for s in given]


def test_cause_that_the_note_does_not_name_is_not_inferred(analyzer: Analyzer):
    given = codes(analyzer, "Group session with 4 patients with aphasia. Took 6 turns with min cues.")
    assert [code for code in given if code.startswith("I69")] == []


def test_unspecified_code_stands_in_the_place_of_a_specific_one(analyzer: Analyzer):
    given = analyzer.analyze(Note("Oropharyngeal dysphagia, coughing on thin liquids.")).icd10
    advice = {suggestion.code: suggestion.advice for suggestion in given}
    assert (given[0].code, advice["R13.10"]) == ("R13.12", "In the place of R13.12, not beside it.")


def test_stuttering_that_began_after_a_stroke_is_a_sequela(analyzer: Analyzer):
    assert codes(analyzer, "Stuttering began after a stroke in March.")[0] == "I69.323"


def test_category_in_brackets_is_a_typed_code(coding):
    (typed,) = coding("Ataxic dysarthria with MS (G35).", date_of_service=date(2026, 5, 4)).typed
    assert (typed.code, typed.standing) == ("G35", "not_billable")


def test_apraxia_that_is_to_be_ruled_out_is_not_coded(analyzer: Analyzer):
    given = codes(analyzer, "R/o CAS vs phonological disorder: phonological processes, no groping.")
    assert (given[0] in {"F80.0", "F80.9", "R47.89"}, "R48.2" in given) == (True, False)


def test_apraxia_and_dyslexia_are_flagged_as_a_pair_that_is_excluded(analyzer: Analyzer):
    first, second = analyzer.analyze(Note("CAS and dyslexia.")).icd10[:2]
    assert {first.code, second.code} == {"R48.2", "F81.0"}  # as likely: either may come first
    assert second.advice.endswith(f"Not together with {first.code}: Excludes1 at R48.")


def test_a_category_and_the_codes_below_it_are_ten_at_most(analyzer: Analyzer):
    given = analyzer.analyze(Note("Worked on a list.")).icd10
    assert (len(given[0].code), given[0].billable, len(given) <= 10) == (3, False, True)


@pytest.mark.parametrize("text", ["0", "x"])
def test_nothing_is_suggested_without_words_that_speak_for_it(analyzer: Analyzer, text):
    assert analyzer.analyze(Note(text)).icd10 == ()


def test_a_code_of_the_record_needs_no_words(analyzer: Analyzer):
    (first, *_) = analyzer.analyze(Note("0", diagnoses=("R47.01",))).icd10
    assert (first.code, first.evidence) == ("R47.01", ())
