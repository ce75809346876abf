"""What the text says of the record: every row does what its example says, and facts are read as written."""

import csv
import shutil
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
import re2

from analyzer import facts, lexicon
from analyzer.assertion import context
from analyzer.errors import LexiconError
from analyzer.facts import FactReader, tables
from analyzer.lexicon import Pattern, load_lexicons
from analyzer.match import Matcher
from analyzer.segment import Segmenter
from analyzer.types import Basis, ClaimLine, Credential, DateRole, Facts, Note, SignatureState

FOLDER = Path(lexicon.__file__).parent / "lexicons"
LEXICONS = load_lexicons()
SEGMENTER = Segmenter(LEXICONS)
MATCHER = Matcher(LEXICONS)
READER = FactReader(LEXICONS)
TABLES = tables(LEXICONS)
ROWS = [row for rows in TABLES.values() for row in rows]
HOSTILE = ("9:00-9:45 ", "45 min ", "signed ", "group of 3 ", "1/2 ", "/s/ ", "total ", "a", "a ", "\n", "97129 15 ")


def read(text: str, **fields: object) -> Facts:
    segmentation = SEGMENTER(text)
    note = Note(text, **fields)
    return READER(note, segmentation, context(segmentation, MATCHER(segmentation).triggers))


def quotes(row: Pattern, text: str) -> list[str]:
    segmentation = SEGMENTER(text)
    spans = [m.span() for m in re2.finditer(row.expression.encode("ascii"), segmentation.folded.encode("ascii"))]
    return [
        text[start:end]
        for start, end in spans
        if end > start and any(s.start <= start and end <= s.end for s in segmentation.segments)
    ]


# Rows


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_row_matches_its_example_and_not_its_near_miss(row: Pattern) -> None:
    assert (quotes(row, row.example) != [], quotes(row, row.near_miss)) == (True, [])


def test_examples_of_a_table_are_each_used_once() -> None:
    texts = [(table, text) for table, rows in TABLES.items() for row in rows for text in (row.example, row.near_miss)]
    assert sorted({text for text in texts if texts.count(text) > 1}) == []


@pytest.mark.parametrize("table", TABLES)
def test_table_is_sorted_by_what_it_says_then_name(table: str) -> None:
    keys = [(row.value, row.name) for row in TABLES[table]]
    assert [pair for pair in pairwise(keys) if pair[0] > pair[1]] == []


def test_every_fact_has_a_row() -> None:
    assert sorted({row.value for row in TABLES["said"]}) == sorted(facts.SAID)


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_reading_finishes_on_hostile_text(piece: str) -> None:
    text = (piece * (40_000 // len(piece) + 1))[:40_000]
    assert read(text).billed == ()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "lexicons"
    shutil.copytree(FOLDER, copy)
    monkeypatch.setattr(lexicon, "_FOLDER", copy)
    return copy / "facts"


def rewrite(path: Path, line: int, column: str, value: str) -> None:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    rows[line][column] = value
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("file", "column", "value", "message"),
    [
        ("said.csv", "says", "vibes", "unknown says 'vibes'"),
        ("said.csv", "source", "hearsay", "unknown source 'hearsay'"),
        ("said.csv", "example", "", "empty example"),
        ("minutes.csv", "pattern", "(?:cue", "pattern does not compile"),
        ("areas.csv", "says", "gait", "unknown says 'gait'"),
        ("services.csv", "shows", "gait", "unknown shows 'gait'"),
        ("diagnoses.csv", "areas", "gait", "unknown areas 'gait'"),
    ],
)
def test_damaged_row_is_refused_with_file_and_line(
    folder: Path, file: str, column: str, value: str, message: str
) -> None:
    rewrite(folder / file, 1, column, value)

    with pytest.raises(LexiconError) as caught:
        FactReader(LEXICONS)

    assert str(caught.value).split("; expected one of ")[0] == f"lexicons/facts/{file}, line 3: {message}"


@pytest.mark.parametrize(
    ("file", "column"),
    [("said.csv", "name"), ("services.csv", "code"), ("diagnoses.csv", "codes")],
)
def test_duplicate_is_refused(folder: Path, file: str, column: str) -> None:
    with (folder / file).open(encoding="utf-8", newline="") as lines:
        first = next(csv.DictReader(lines))
    rewrite(folder / file, 1, column, first[column])

    with pytest.raises(LexiconError) as caught:
        FactReader(LEXICONS)

    assert str(caught.value).split(": duplicate ")[0] == f"lexicons/facts/{file}, line 3"


# Minutes and times


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("Total treatment time: 44 min. Named 14 of 20.", 44),
        ("Minutes: 42\nNamed 14 of 20.", 42),
        ("Patient was seen for 45 minutes in the clinic.", 45),
        ("Student attended a thirty-minute individual session.", 30),
        ("Half hour session in the sun room.", 30),
        ("Timed: 15   Untimed: 27   CPT: 92507", 42),
        ("CPT 97129 -- 15 min\nCPT 92526 -- 28 min", 43),
        ("In 9:02 Out 9:47. Named 14 of 20.", 45),
        ("Time in 10:10\nTime out 10:40\nNamed 14 of 20.", 30),
        ("TIME IN/OUT: 1300/1345", 45),
        ("11:30-12:15, room 4", 45),
        ("12:30-1:15, room 4", 45),  # past noon
        ("9:00-9:30 group.\n14:00-14:30 alone.", 60),
        ("Arrived 2:02, left 2:45. Named 14 of 20.", 43),
    ],
)
def test_minutes_that_the_note_states(text: str, minutes: int) -> None:
    assert read(text).stated_minutes == minutes


@pytest.mark.parametrize(
    "text",
    [
        "Read aloud for 5 min at 72 dB.",  # a task
        "Arrived 8 min late.",
        "Plan: 45 min 2x/wk",  # planned
        "Recommend 30 minute sessions weekly.",
        "Bathroom break 2:20 to 2:31",
        "DOB 6/83, seen since 2019-2022.",
        "Mean 71 dB at 1 m.",
    ],
)
def test_other_minutes_are_not_the_session(text: str) -> None:
    assert read(text).stated_minutes is None


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("Seen at home, 45 min, with mom.\nNamed 14 of 20 pictures with cues.", 45),
        ("Language 20 min, pictures.\nFluency: 10 min, easy onsets.", 30),
    ],
)
def test_minutes_that_are_not_said_to_be_the_total_count_where_nothing_else_does(text: str, minutes: int) -> None:
    found = read(text)
    assert (found.stated_minutes, found.total_minutes) == (None, minutes)


def test_age_is_no_minutes() -> None:
    assert read("62 M, PD\nLoud ah x 10").total_minutes is None


def test_minutes_by_code() -> None:
    found = read("CPT 97129 -- 15 min\nCPT 92526 -- 28 min")
    assert (found.minutes_of_code("97129"), found.minutes_of_code("92526"), found.minutes_of_code("92507")) == (
        15,
        28,
        None,
    )


def test_timed_minutes_are_not_untimed_ones() -> None:
    assert read("Untimed min 33. Chin tuck on thin liquids.").timed_minutes is None


def test_minutes_by_disorder_area() -> None:
    found = read("20 min of swallowing treatment, then lunch tray.\nFluency: 15 min, easy onsets.\n10 min on fluency")
    assert found.minutes_by_area == (("dysphagia", 20), ("fluency", 25))


def test_minutes_carry_their_words() -> None:
    text = "Named 14 of 20 pictures.\nTotal minutes: 42"
    assert [(m.basis, text[m.start : m.end]) for m in read(text).minutes] == [(Basis.TOTAL, "Total minutes: 42")]


# Dates


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("DOS: 3/4/2026\nNamed 14 of 20.", [(3, 4, 2026, DateRole.SERVICE)]),
        ("Date of service: March 4, 2026", [(3, 4, 2026, DateRole.SERVICE)]),
        ("Date: 2026-03-04", [(3, 4, 2026, DateRole.SERVICE)]),
        ("DOS: 01/19/26   CPT: 92526", [(1, 19, 2026, DateRole.SERVICE)]),
        ("11/04  10:15-11:00  RT, TBI", [(11, 4, None, DateRole.OPENING)]),
        ("Named 10/12 pictures.", []),
        ("Date: 25/30", []),  # no month
        ("Signed: R. Quell, CCC-SLP 3/5/2026", [(3, 5, 2026, DateRole.SIGNATURE)]),
    ],
)
def test_dates(text: str, dates: list[tuple[int, int, int | None, DateRole]]) -> None:
    assert [(d.month, d.day, d.year, d.role) for d in read(text).dates] == dates


@pytest.mark.parametrize(
    ("written", "day", "may_be"),
    [
        ("DOS: 3/4", date(2026, 3, 4), True),
        ("DOS: 3/4/25", date(2026, 3, 4), False),
        ("DOS: 3/5", date(2026, 3, 4), False),
        ("DOS: 4/3", date(2026, 3, 4), False),
    ],
)
def test_written_date_may_be_a_day(written: str, day: date, may_be: bool) -> None:
    assert read(written).dates[0].may_be(day) is may_be


# Signatures and credentials


@pytest.mark.parametrize(
    ("text", "state", "credentials"),
    [
        ("E-signed by Dana Whitlock, MA CCC-SLP 10/07 13:09", SignatureState.SIGNED, (Credential.SLP,)),
        ("E-signed L. Brandvold, M.S., CCC-SLP 1738", SignatureState.SIGNED, (Credential.SLP,)),
        ("Electronically signed 11/10 1612", SignatureState.SIGNED, ()),
        ("Signed K.L.", SignatureState.SIGNED, ()),
        ("Provider: R. Vasquez, SLPA", SignatureState.NAMED, (Credential.ASSISTANT,)),
        ("Jordan Pell, MS, CF-SLP", SignatureState.NAMED, (Credential.FELLOW,)),
        ("Student clinician: A. Brandt", SignatureState.NAMED, (Credential.STUDENT,)),
        ("Signed: K. Moss, OTR/L", SignatureState.SIGNED, (Credential.OTHER_DISCIPLINE,)),
        ("Signature: ________", SignatureState.BLANK, ()),
        ("Clinician: ______", SignatureState.BLANK, ()),
    ],
)
def test_signature(text: str, state: SignatureState, credentials: tuple[Credential, ...]) -> None:
    signer = read(f"Named 14 of 20 pictures.\n{text}").signer
    assert signer is not None
    assert (signer.state, signer.credentials) == (state, credentials)


@pytest.mark.parametrize(
    "text",
    [
        "Patient signature: ________",
        "MD signature ________",
        "Mom signed the form.",
        "Signed MORE 6 times with a model.",  # sign language
        "Signature on file",
        "/s/ in initial position, 8 of 10",
        "DISCHARGE SUMMARY, SLP",
        "Goal status: in progress",
    ],
)
def test_what_is_no_signature_of_the_author(text: str) -> None:
    assert read(f"Named 14 of 20 pictures.\n{text}").signer is None


def test_supervisor_is_a_second_signature() -> None:
    found = read("Signed: J. Pell, SLPA\nSupervising SLP: T. Lindqvist, CCC-SLP")
    assert [(s.credentials, s.is_second) for s in found.signatures] == [
        ((Credential.ASSISTANT,), False),
        ((Credential.SLP,), True),
    ]


@pytest.mark.parametrize(
    ("written", "credential"),
    [
        ("CCC-SLP", Credential.SLP),
        ("M.S., CCC-SLP", Credential.SLP),
        ("speech-language pathologist", Credential.SLP),
        ("SLP-CF", Credential.FELLOW),
        ("CFY-SLP", Credential.FELLOW),
        ("SLPA", Credential.ASSISTANT),
        ("SLP-A", Credential.ASSISTANT),
        ("graduate student clinician", Credential.STUDENT),
        ("OTR/L", Credential.OTHER_DISCIPLINE),
        ("wizard", None),
        ("", None),
        (None, None),
    ],
)
def test_credential_of_the_record(written: str | None, credential: Credential | None) -> None:
    assert read("Named 14 of 20.", credential=written).record_credential is credential


# What is said


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("Seen with 3 peers in the resource room.", "group"),
        ("Cards with a grp of 4.", "group"),
        ("Seen individually in room 4.", "individual"),
        ("Video visit, 40 min.", "telehealth"),
        ("Session held over Zoom.", "telehealth"),
        ("Seen bedside at breakfast.", "in-person"),
        ("No show, called twice.", "missed"),
        ("Wife trained without the patient present.", "patient-absent"),
        ("GFTA-3 standard score 74.", "evaluation"),
        ("Added two words to his page set.", "device-training"),
    ],
)
def test_fact_is_said(text: str, fact: str) -> None:
    assert read(text).says(fact) is True


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("Lat s, F80.0, gr 5.", "group"),  # a grade
        ("Group size: 1", "group"),
        ("Next visit by Zoom.", "telehealth"),
        ("Interpreter Luz on video.", "telehealth"),
        ("Watched a video of the ball game.", "telehealth"),
        ("Dropped the picture on the floor.", "telehealth"),
        ("☐ Individual ☒ Group", "individual"),
    ],
)
def test_fact_is_not_said(text: str, fact: str) -> None:
    assert read(text).says(fact) is False


def test_planned_fact_is_mentioned_and_not_said() -> None:
    found = read("Next visit by Zoom.")
    assert (found.says("telehealth"), found.mentions("telehealth")) == (False, True)


# What was billed


def test_codes_are_those_of_the_lines() -> None:
    found = read("Named 14 of 20.", cpt="92526", claim_lines=(ClaimLine("92507 "), ClaimLine("97129")))
    assert [code for code, _ in found.billed] == ["92507", "97129"]


def test_line_of_another_discipline_asks_nothing_of_the_note() -> None:
    found = read("Named 14 of 20.", claim_lines=(ClaimLine("97129", 1, ("GO",)), ClaimLine("97129", 1, ("GN",))))
    assert found.lines_of("timed") == (1,)


def test_lines_of_asks_for_all_services() -> None:
    found = read("Named 14 of 20.", claim_lines=(ClaimLine("92508"), ClaimLine("92507"), ClaimLine("92526")))
    assert (found.lines_of("treatment"), found.lines_of("treatment", "speech"), found.lines_of("group")) == (
        (0, 1, 2),
        (0, 1),
        (0,),
    )


@pytest.mark.parametrize(
    ("code", "areas"),
    [
        ("R13.12", ("dysphagia",)),
        ("I69.391", ("dysphagia",)),
        ("F80.81", ("fluency",)),
        ("r49.0", ("voice",)),
        ("G20.A1", ()),  # a cause
        ("Z99.9", ()),
    ],
)
def test_areas_of_a_diagnosis(code: str, areas: tuple[str, ...]) -> None:
    assert read("Named 14 of 20.", diagnoses=(code,)).diagnosis_areas == ((code.upper(), areas),)


def test_diagnoses_of_record_and_claim_are_each_named_once() -> None:
    lines = (ClaimLine("92507", diagnoses=("R4701", "F80.81")),)
    assert read("Named 14 of 20.", diagnoses=("R47.01",), claim_lines=lines).diagnosis_areas == (
        ("R47.01", ("aphasia", "language", "aac")),
        ("F80.81", ("fluency",)),
    )
