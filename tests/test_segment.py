import pytest

from analyzer.lexicon import load_lexicons
from analyzer.segment import Segmenter, fold
from analyzer.types import Section


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter(load_lexicons())


@pytest.fixture(scope="module")
def quotes(segmenter):
    def cut(text):
        return [text[segment.start : segment.end] for segment in segmenter(text).segments]

    return cut


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Café – 70 %", "cafe - 70 %"),
        ("“min” A → mod", '"min" a > mod'),
        ("a\tb\u00a0c", "a b c"),
        ("☑ yes ☐ no", "\x01 yes \x02 no"),
        ("", ""),
    ],
)
def test_fold_gives_lower_case_ascii_character_for_character(text, folded):
    assert fold(text) == folded
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # sentences, with abbreviations and initials that end in a full stop
        ("Named 8/10. Needed help twice.", ["Named 8/10.", "Needed help twice."]),
        ("Seen by Dr. Varga at 9. Alert.", ["Seen by Dr. Varga at 9.", "Alert."]),
        ("Approx. 12 words today. Tired.", ["Approx. 12 words today.", "Tired."]),
        ("Required min. cues for sec. step.", ["Required min. cues for sec. step."]),
        ("Signed M. Trujillo CCC-SLP", ["Signed M. Trujillo CCC-SLP"]),
        ("Started too far R. Wife drove.", ["Started too far R.", "Wife drove."]),
        ("Up 3.5 s. cont poc", ["Up 3.5 s.", "cont poc"]),
        ("Seen with J.T. Worked on verbs.", ["Seen with J.T. Worked on verbs."]),
        ("From St. Anne's. Tired.", ["From St. Anne's.", "Tired."]),
        ("Read p. 14 aloud. Tired.", ["Read p. 14 aloud.", "Tired."]),
        ("Goal 2. Names pictures. Met.", ["Goal 2. Names pictures.", "Met."]),
        ("b. Reads labels. Met.", ["Reads labels.", "Met."]),
        # telegraphic shorthand goes on in lower case
        ("named 8/10 pics. needed help. cont poc.", ["named 8/10 pics.", "needed help.", "cont poc."]),
        # the sentence goes on after a quotation
        ('Asked "where is it?" she pointed.', ['Asked "where is it?" she pointed.']),
        # lines, bullets, numbers
        ("- sips of thin\n- bites of puree", ["- sips of thin", "- bites of puree"]),
        ("1. Naming 8/10\n2. Reading 3/5", ["Naming 8/10", "Reading 3/5"]),
        ("one\r\ntwo\r\n\r\nthree", ["one", "two", "three"]),
        # table rows stay whole
        ("Reading    66    74\nPhrases    64    76", ["Reading    66    74", "Phrases    64    76"]),
        # SOAP on one line
        ("S: Alert. O: Named 8/10 A: Improving", ["S: Alert.", "O: Named 8/10", "A: Improving"]),
        ("", []),
        (" \n\t\n", []),
    ],
)
def test_segments_are_sentences_bullets_and_lines(quotes, text, expected):
    assert quotes(text) == expected


def test_segment_joins_lines_that_were_wrapped(quotes):
    text = (
        "The patient worked on her script for the phone call to her sister and\n"
        "needed the first sound for about a third of the words, which was half\n"
        "on Tuesday. She laughed."
    )
    assert quotes(text) == [text[: text.index(" She")], "She laughed."]


def test_segment_keeps_short_lines_apart_although_the_next_begins_in_lower_case(quotes):
    assert quotes("named 8 of 10\nneeded help twice\ncont poc") == ["named 8 of 10", "needed help twice", "cont poc"]


def test_segment_keeps_the_longest_line_apart_where_the_others_end_at_will(quotes):
    lines = ["tablet cards, asked for juice and crackers by himself at the kitchen counter", "sister there", "no cues"]
    assert quotes("\n".join(lines)) == lines


def test_segment_splits_dictation_without_punctuation_into_thoughts(quotes):
    text = (
        "patient was seen at bedside she named eight of ten objects without any help today "
        "then we moved to verbs and he needed the first sound for most of them i will add two more next time"
    )
    cut = quotes(text)
    assert " ".join(cut) == text
    assert len(cut) > 2


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        (
            "S: Alert.\nO: Named 8/10.\nTired.\nA: Better.\nP: Add verbs.",
            "subjective objective objective assessment plan",
        ),
        ("D: Named 8/10.\nA: Better.\nP: Add verbs.", "objective assessment plan"),
        ("Skilled Intervention: modelled\nPt response: fixed it\nPlan: verbs", "intervention objective plan"),
        ("GOALS\n1. Name 20 objects\nPLAN\nAdd verbs", "goals goals plan plan"),
        ("Date: 3/2/26\nNamed 8/10.", "header body"),
        ("Named 8/10. Add verbs.", "body body"),
    ],
)
def test_segment_types_sections_by_their_headings(segmenter, text, sections):
    assert [str(segment.section) for segment in segmenter(text).segments] == sections.split()


def test_segment_body_begins_after_bullet_goal_label_and_heading(segmenter):
    text = "P: Add verbs\n- sips\nSTG 2: named 8/10"
    assert [text[s.body_start : s.end] for s in segmenter(text).segments] == ["Add verbs", "sips", "named 8/10"]


def test_segment_marks_a_line_whose_boxes_are_all_empty(segmenter):
    text = "[ ] verbal [ ] tactile\n[x] verbal [ ] tactile\n☐ min ☑ mod"
    assert [s.is_unticked for s in segmenter(text).segments] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Cues: [x] verbal [ ] tactile", "cues: , verbal"),
        ("☐ min ☑ mod ☐ max", ", mod"),
        ("verbal [x] tactile [ ]", "verbal  ,"),  # the box follows its item
    ],
)
def test_segment_blanks_unticked_items(segmenter, text, seen):
    folded = segmenter(text).folded
    assert " ".join(folded.split()) == " ".join(seen.split())
    assert len(folded) == len(text)


def test_segment_heading_alone_is_a_heading(segmenter):
    segments = segmenter("OBJECTIVE\nNamed 8/10.").segments
    assert [(s.is_heading, s.section) for s in segments] == [(True, Section.OBJECTIVE), (False, Section.OBJECTIVE)]
