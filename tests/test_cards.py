"""Cards: the limits of CDS Hooks 2.0 and what a clinician reads."""

import re
from dataclasses import replace
from uuid import UUID

import pytest

from analyzer.engine import Analyzer
from analyzer.rules import RULES
from analyzer.types import Finding, Level, Note, Status, Verdict
from api.cards import OVERVIEW, card_id, code_of, escape, load_services, make_cards, shorten, unread_card

BASE = "https://cuewise.example"
DRILL = "Practiced /r/ words 50x. Tolerated tx well. Continue POC."


@pytest.fixture(scope="module")
def lexicons():
    return Analyzer.load(model="lexicons", raises=True)


@pytest.fixture(scope="module")
def drill(lexicons):
    return lexicons.analyze(Note(DRILL, id="A-1"))


def finding(**changes):
    values = {
        "code": "SKL003",
        "level": Level.WARNING,
        "title": "Accuracy is reported without the cueing that produced it",
        "start": 0,
        "end": 9,
        "message": "No cue stands by it.",
        "fix": "Say the cue: ___.",
        "source": "CMS: manual",
        "status": Status.STABLE,
    }
    return Finding(**values | changes)


def cards_of(report, findings, **changes):
    return make_cards(replace(report, findings=tuple(findings), **changes), base_url=BASE)


def test_first_card_gives_verdict_and_score(drill):
    first = make_cards(drill, base_url=BASE)[0]
    assert first["summary"] == "A payer's reviewer may read this note as unskilled: score 0 of 100"
    assert first["indicator"] == "warning"
    assert first["source"] == {"label": "Cuewise", "url": f"{BASE}/"}


def test_skilled_note_without_findings_has_no_cards(drill):
    assert cards_of(drill, [], verdict=Verdict.SKILLED) == []


def test_card_of_a_finding_has_words_message_and_fix(drill):
    (card,) = cards_of(drill, [finding()], verdict=Verdict.SKILLED)
    assert card["summary"] == "Accuracy is reported without the cueing that produced it"
    assert card["detail"] == "> “Practiced”\n\nNo cue stands by it.\n\n**To consider:** Say the cue: \\_\\_\\_."
    assert card["links"] == [{"label": "Why: rule SKL003", "url": f"{BASE}/rules/SKL003", "type": "absolute"}]
    assert card["source"]["topic"]["code"] == "SKL003"


def test_finding_about_the_whole_note_quotes_nothing(drill):
    (card,) = cards_of(drill, [finding(end=len(DRILL))], verdict=Verdict.SKILLED)
    assert card["detail"].startswith("No cue stands by it.")


def test_findings_of_one_rule_share_a_card(drill):
    found = [finding(start=start, end=start + 4) for start in (0, 10, 14, 25, 40)]
    (card,) = cards_of(drill, found, verdict=Verdict.SKILLED)
    assert card["detail"].count("> “") == 3
    assert "and 2 more places" in card["detail"]


def test_preview_finding_says_that_it_is_being_measured(drill):
    (card,) = cards_of(drill, [finding(status=Status.PREVIEW)], verdict=Verdict.SKILLED)
    assert "still being measured" in card["detail"]


@pytest.mark.parametrize(("level", "indicator"), [("error", "critical"), ("warning", "warning"), ("info", "info")])
def test_indicator_follows_the_level(drill, level, indicator):
    (card,) = cards_of(drill, [finding(level=Level(level))], verdict=Verdict.SKILLED)
    assert card["indicator"] == indicator


def test_too_many_rules_are_counted_on_the_first_card(drill):
    found = [finding(code=rule.code, title=rule.title) for rule in RULES[:20]]
    cards = cards_of(drill, found)
    assert len(cards) == load_services().max_cards
    assert "13 further rules with findings are not shown." in cards[0]["detail"]


def test_no_card_writes_into_a_record(drill):
    assert [name for card in make_cards(drill, base_url=BASE) for name in card if name == "suggestions"] == []


def test_note_is_named_where_there_are_several(drill):
    cards = make_cards(drill, base_url=BASE, name="note A_1")
    assert [card["detail"].startswith("About note A\\_1:\n\n") for card in cards] == [True] * len(cards)


def test_every_summary_is_under_140_characters(lexicons):
    for rule in RULES:
        assert len(shorten(rule.title, 139)) < 140
    long = replace(lexicons.analyze(Note(DRILL)), findings=(finding(title="word " * 100),))
    assert [len(card["summary"]) < 140 for card in make_cards(long, base_url=BASE)] == [True, True]


def test_every_override_reason_has_a_display(drill):
    for card in make_cards(drill, base_url=BASE):
        assert [sorted(reason) for reason in card["overrideReasons"]] == [["code", "display", "system"]] * 4


@pytest.mark.parametrize("code", [OVERVIEW, *(rule.code for rule in RULES)])
def test_id_of_a_card_tells_its_rule(code):
    assert code_of(card_id(code)) == code
    assert UUID(card_id(code)).version == 8


@pytest.mark.parametrize("id", ["", "SKL003", "4e0a3a1e-3283-4575-ab82-028d55fe2719"])
def test_id_that_is_not_ours_tells_nothing(id):
    assert code_of(id) is None


def test_ids_of_cards_differ():
    assert len({card_id("SKL003") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("![x](http://a.example)", r"!\[x\](http\://a.example)"),
        ("<script>", r"\<script\>"),
        ("www.a.example", r"www\.a.example"),
        ("**bold** `code` ~no~", r"\*\*bold\*\* \`code\` \~no\~"),
        ("line\n# heading", r"line \# heading"),
        ("12/20 (60%) min A: ok", "12/20 (60%) min A: ok"),
    ],
)
def test_words_of_a_note_make_no_markdown(text, escaped):
    assert escape(text) == escaped


def test_escaped_words_come_back_whole_from_a_markdown_reader():
    markdown = pytest.importorskip("markdown_it")
    text = r"a *b* _c_ [d](http://e.example) <f> `g` #h |i| ~j~ &amp; www.k.example \l ___"
    html = markdown.MarkdownIt("commonmark").render(f"> {escape(text)}")
    shown = re.sub(r"<.*?>", "", html).strip()
    assert shown == text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_notes_that_could_not_be_read_are_told_of():
    card = unread_card(["attachment-not-fetched", "attachment-not-fetched"], BASE)
    assert card["summary"] == "Cuewise could not read 2 notes of this request"
    assert card["detail"].endswith("Reason: attachment-not-fetched.")
