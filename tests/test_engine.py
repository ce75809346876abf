import logging

import pytest

from analyzer import Analyzer, Note
from analyzer.errors import ModelError, NoteError
from analyzer.lexicon import load_lexicons
from analyzer.rules import RULES
from analyzer.rules.rule import Rule
from analyzer.types import Failure, Level, NotRun, Status
from models.artifact import ArtifactError

TEXT = "STG 1: named 12/20 with min phonemic cues, up from 8/20 Tuesday. Next: verbs."


@pytest.mark.parametrize(("text", "code"), [("", "empty-text"), (" \n\t", "empty-text"), ("a" * 101, "note-too-long")])
def test_engine_refuses_what_it_cannot_analyse(text, code):
    with pytest.raises(NoteError) as caught:
        Analyzer.load(max_chars=100).analyze(Note(text))
    assert (caught.value.code, caught.value.field) == (code, "text")


def test_error_about_a_note_never_holds_its_text():
    with pytest.raises(NoteError) as caught:
        Analyzer.load(max_chars=10).analyze(Note("Zebulon was here today"))
    assert "Zebulon" not in str(caught.value)


def test_score_is_the_sum_of_its_rubric(analyzer):
    report = analyzer.analyze(Note(TEXT))
    assert report.score == sum(rating.points for rating in report.ratings)


def test_report_says_what_did_not_run(analyzer):
    named = [code for item in analyzer.analyze(Note(TEXT)).not_run for code in item.check.split()]
    of_claims = [r.code for r in RULES if r.payers in ((), ("medicare-b",)) and "BIL" <= r.code < "BIL041"]
    assert sorted(code for code in named if "BIL" <= code < "BIL041") == of_claims


def test_report_carries_the_versions_it_was_made_with(analyzer):
    versions = analyzer.analyze(Note(TEXT)).versions
    assert (versions.lexicons, versions.model) == (load_lexicons().hash, "encoder-1")


def _broken(reading):
    raise ZeroDivisionError
    yield


BROKEN = Rule(
    code="SKL999",
    name="broken",
    title="",
    why="",
    sources=("field",),
    level=Level.INFO,
    status=Status.PREVIEW,
    since="0.1.0",
    fires=(),
    silent=(),
    known_limits="",
    check=_broken,
)


def test_rule_that_fails_is_reported_and_others_go_on(caplog):
    caplog.set_level(logging.ERROR)
    report = Analyzer(load_lexicons(), rules=[BROKEN]).analyze(Note(TEXT, id="A-1"))
    assert report.findings == ()
    assert report.not_run[-1] == NotRun("SKL999", "The rule failed; please report this.")
    assert [record.getMessage() for record in caplog.records] == ["rule SKL999 failed on note None: ZeroDivisionError"]


def test_rule_that_fails_raises_when_asked_to():
    with pytest.raises(ZeroDivisionError):
        Analyzer(load_lexicons(), rules=[BROKEN], raises=True).analyze(Note(TEXT))


@pytest.mark.parametrize("text", [None, 5, b"Named 8/10.", "ab\ud800"])
def test_engine_refuses_what_is_no_text(text):
    with pytest.raises(NoteError) as caught:
        Analyzer.load().analyze(Note(text))
    assert caught.value.code == "not-text"


def test_words_of_a_note_do_not_stay_in_memory(analyzer):
    analyzer.analyze(Note("Zebulonius Quartermane named 8/10 with min cues."))
    assert "Zebulonius" not in analyzer._matcher._vocab.strings


def test_workers_are_refused_what_they_could_not_load_again():
    with pytest.raises(ValueError, match="one process"):
        next(Analyzer(load_lexicons(), rules=[BROKEN]).analyze_all([Note(TEXT)], jobs=2))


def test_left_out_rules_are_said():
    checks = {item.check: item.reason for item in Analyzer.load(preview=False).analyze(Note(TEXT)).not_run}
    assert "rules were left out" in checks["rules"]


def test_many_notes_keep_their_order_and_failures_are_handed_through(analyzer):
    failure = Failure("bad-date", "…", id="B")
    results = list(analyzer.analyze_all([Note(TEXT, id="A"), failure, Note("", id="C"), Note(TEXT, id="D")]))
    assert [(type(r).__name__, r.id if isinstance(r, Failure) else r.note.id) for r in results] == [
        ("Report", "A"),
        ("Failure", "B"),
        ("Failure", "C"),
        ("Report", "D"),
    ]


@pytest.mark.slow
def test_processes_give_the_same_reports_as_one(analyzer):
    notes = [Note(TEXT.replace("12", str(n)), id=str(n)) for n in range(450)]
    assert list(analyzer.analyze_all(notes, jobs=2)) == list(analyzer.analyze_all(notes))


def test_preview_rules_can_be_left_out():
    report = Analyzer.load(preview=False).analyze(Note("Practiced naming. Tolerated well. Continue POC."))
    assert {finding.status for finding in report.findings} <= {Status.STABLE}


def test_lexicons_decide_alone_where_the_encoder_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr("models.encoder.Encoder.load", _absent)
    monkeypatch.setattr("models.encoder.Encoder.is_installed", lambda: False)
    report = Analyzer.load().analyze(Note(TEXT))
    assert report.versions.model is None
    assert "encoder" in {item.check for item in report.not_run}
    assert {item.model_probability for item in report.evidence} == {None}


def test_damaged_encoder_is_an_error_and_no_silent_fallback(monkeypatch):
    monkeypatch.setattr("models.encoder.Encoder.load", _absent)
    with pytest.raises(ModelError, match=r"encoder/encoder\.onnx: missing"):
        Analyzer.load()


def test_encoder_that_is_insisted_on_must_be_there(monkeypatch):
    monkeypatch.setattr("models.encoder.Encoder.load", _absent)
    monkeypatch.setattr("models.encoder.Encoder.is_installed", lambda: False)
    with pytest.raises(ModelError):
        Analyzer.load(model="encoder")


def _absent(**_):
    raise ArtifactError("encoder/encoder.onnx: missing")


def test_lexicons_alone_say_nothing_of_a_missing_encoder():
    report = Analyzer.load(model="lexicons").analyze(Note(TEXT))
    assert (report.versions.model, [item for item in report.not_run if item.check == "encoder"]) == (None, [])


def test_notes_are_the_same_alone_and_together(analyzer):
    notes = [Note(f"{TEXT} Visit {number}.", id=str(number)) for number in range(5)]
    alone = [analyzer.analyze(note) for note in notes]
    assert list(analyzer.analyze_all(notes)) == alone


def test_note_that_the_encoder_fails_on_is_a_record_of_its_own(monkeypatch):
    analyzer = Analyzer.load(model="encoder")
    score = analyzer._model.score

    def fails(notes):
        if any("boom" in text for texts in notes for text in texts):
            raise RuntimeError
        return score(notes)

    monkeypatch.setattr(analyzer._model, "score", fails)
    results = list(analyzer.analyze_all([Note(TEXT, id="a"), Note("boom", id="b"), Note(TEXT, id="c")]))
    assert [result.code if isinstance(result, Failure) else result.note.id for result in results] == [
        "a",
        "internal",
        "c",
    ]
