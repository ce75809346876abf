import pytest


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ST Daily Note. Named 12/20 with min cues.", "treatment"),
        ("Named 12/20 with min cues.", "treatment"),
        ("INITIAL EVALUATION\nReferred by Dr. Ames. WAB-R AQ 62. Impression: moderate Broca's aphasia.", "evaluation"),
        ("PROGRESS REPORT visits 1-10\nSTG 1: 40% to 70%, met.", "progress_report"),
        ("DISCHARGE SUMMARY\nAll goals met. Discharged to home program.", "discharge"),
        ("Group therapy, 4 students. J. asked two questions of peers.", "group"),
        ("Speech screening. Passed articulation and language. No eval indicated.", "screening"),
        ("No show. Called mom, left message.", "no_show"),
        ("Phone call with mother about the schedule.", "other"),
        ("Named 12/20 with min cues, up from 8/20. Next visit: re-evaluation.", "treatment"),  # a plan, not the kind
    ],
)
def test_kind_of_note(analyzer, text, kind):
    from analyzer import Note

    assert str(analyzer.analyze(Note(text)).kind) == kind
