"""The catalogue of ICD-10-CM: expected values are the tabular list's and the code editor's, by way of our reference."""

import gzip
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from pathlib import Path

import pytest

from analyzer import lexicon
from analyzer.errors import LexiconError
from analyzer.icd10.catalogue import (
    Catalogue,
    Checked,
    Exclusion,
    Standing,
    load_catalogue,
    looks_like_code,
    normalize,
)

FOLDER = Path(lexicon.__file__).parent / "lexicons"
CATALOGUE = load_catalogue()
CAUSES = "012389"
DEFICITS = ("10", "11", "12", "13", "14", "15", "18", "19", "20", "21", "22", "23", "28", "90", "91", "92")
FY2024, FY2025, FY2026, FY2027 = (date(year, 10, 1) for year in (2023, 2024, 2025, 2026))


def standing(code: str, day: date | None = None) -> Standing:
    return CATALOGUE.check(code, day).standing


def family(*starts: str) -> list[str]:
    return [code for code in CATALOGUE.slp if code.startswith(starts)]


# Dates


NEW = [
    *((code, FY2025) for code in ("R41.85", "F50.84", "G93.45")),
    *((code, FY2026) for code in ("G31.87", "G35.A", "G35.B0", "G35.B1", "G35.B2", "G35.C0", "G35.C1", "G35.C2")),
    *((code, FY2026) for code in ("G35.D", "QA0.0142", "QA0.0151", "QA0.8")),
    *((code, FY2027) for code in ("Z87.8901", "Z87.8902", "Z87.8903", "Z87.8904", "Z87.8909", "Z87.893")),
]


@pytest.mark.parametrize(("code", "day"), NEW)
def test_new_code_is_valid_from_its_first_day(code: str, day: date) -> None:
    before = standing(code, day - timedelta(days=1))
    assert (before, standing(code, day)) == (Standing.NOT_VALID_ON_DATE, Standing.VALID)


DIVIDED = [("F50.2", FY2025), ("G35", FY2026), ("Z87.890", FY2027)]


@pytest.mark.parametrize(("code", "day"), DIVIDED)
def test_code_that_was_divided_is_a_category_from_that_day(code: str, day: date) -> None:
    before = standing(code, day - timedelta(days=1))
    assert (before, standing(code, day)) == (Standing.VALID, Standing.NOT_BILLABLE)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, Standing.VALID) for code in ("G20.A1", "G20.A2", "G20.B1", "G20.B2", "G20.C", "Q75.009", "Q93.52")),
        ("G20", Standing.NOT_BILLABLE),
        ("Q75.0", Standing.NOT_BILLABLE),
    ],
)
def test_change_of_the_first_covered_day_is_known(code: str, expected: Standing) -> None:
    before = standing(code, FY2024 - timedelta(days=1))
    assert (before, standing(code, FY2024)) == (Standing.DATE_NOT_COVERED, expected)


def test_core_codes_did_not_change_with_fy2027() -> None:
    core = family("F80", "F81", "F82", "F84", "F88", "F89", "R13", "R41", "R47", "R48", "R49", "R63.3", "H93.25", "J38")
    days = (FY2027 - timedelta(days=1), FY2027)
    assert [code for code in (*core, *family("I69")) for day in days if standing(code, day) != Standing.VALID] == []


@pytest.mark.parametrize("day", [date(2023, 9, 30), date(2027, 10, 1)])
def test_day_outside_of_the_tables_is_not_answered(day: date) -> None:
    advice = "The tables cover 2023-10-01 to 2027-09-30 (FY2027)."
    assert CATALOGUE.check("R47.1", day) == Checked(
        "R47.1", "R47.1", Standing.DATE_NOT_COVERED, "Dysarthria and anarthria", (), advice
    )


def test_without_a_date_the_newest_release_is_asked() -> None:
    assert (CATALOGUE.release, CATALOGUE.first_day, CATALOGUE.last_day) == ("FY2027", FY2024, date(2027, 9, 30))
    assert [standing(code) for code in ("Z87.8909", "Z87.890")] == [Standing.VALID, Standing.NOT_BILLABLE]


def test_windows_end_where_a_code_ended() -> None:
    assert CATALOGUE.get("G35").windows == ((FY2024, date(2025, 9, 30)),)
    assert CATALOGUE.get("G35.D").windows == ((FY2026, None),)
    assert CATALOGUE.get("Z87.890").windows == ((FY2024, date(2026, 9, 30)),)
    assert CATALOGUE.get("R63.3").windows == ()


# What to offer instead


@pytest.mark.parametrize(
    ("code", "default"),
    [
        ("G20", "G20.A1"),
        ("G35", "G35.D"),
        ("R63.3", "R63.30"),
        ("Q75.0", "Q75.009"),
        ("Z87.890", "Z87.8909"),
        ("F50.2", "F50.20"),
    ],
)
def test_default_successor_is_offered_first(code: str, default: str) -> None:
    assert CATALOGUE.check(code, date(2026, 11, 22)).successors[0] == default


def test_all_feeding_codes_are_offered_for_their_category() -> None:
    assert CATALOGUE.check("R63.3").successors == ("R63.30", "R63.31", "R63.32", "R63.39")


@pytest.mark.parametrize(
    ("code", "day", "earlier"),
    [
        ("G31.87", date(2025, 9, 15), "R48.2"),
        ("G35.D", date(2025, 9, 15), "G35"),
        ("G35.A", date(2025, 9, 15), "G35"),
        ("Z87.8902", date(2026, 9, 30), "Z87.890"),
    ],
)
def test_code_that_is_too_new_gives_the_one_that_was_in_force(code: str, day: date, earlier: str) -> None:
    assert CATALOGUE.check(code, day).successors == (earlier,)


def test_advice_names_the_first_day_and_the_question() -> None:
    assert CATALOGUE.check("G35.D", date(2025, 9, 15)).advice == "Valid from 2025-10-01. Until then G35."
    assert CATALOGUE.check("G35").advice == (
        "Valid until 2025-09-30; now a category: a code below it is needed. Ask for the course."
    )


def test_every_offer_is_valid_on_the_day() -> None:
    days = [*(day for _, day in DIVIDED), CATALOGUE.last_day]
    checked = [
        (CATALOGUE.check(code, day), day) for code, day in product([*CATALOGUE.slp, "G20", "I69", "R13.1"], days)
    ]
    assert [
        (found.code, offer, day)
        for found, day in checked
        for offer in found.successors
        if standing(offer, day) != Standing.VALID
    ] == []


# Codes that look real


NOT_LEAVES = [
    "R13.1",
    "R47.0",
    "R47.8",
    "R49.2",
    "R63.3",
    "R41.84",
    "I69.3",
    "I69.31",
    "I69.32",
    "F80.8",
    "G20",
    "G35",
    "J38.0",
    "Q75.0",
    "H93.2",
    "Z13.4",
    "S06.9X9",
    "I69.11",
]


@pytest.mark.parametrize("code", NOT_LEAVES)
def test_category_is_not_billable_and_offers_codes_below_it(code: str) -> None:
    found = CATALOGUE.check(code)
    assert (found.standing, [offer for offer in found.successors if not offer.startswith(code)]) == (
        Standing.NOT_BILLABLE,
        [],
    )
    assert found.successors != ()


@pytest.mark.parametrize(
    ("code", "offers"),
    [
        ("F80.3", ("G40.802",)),
        ("F81.1", ("F81.81",)),
        ("F83", ()),
        ("F84.1", ("F84.9",)),
        ("F84.4", ("F84.8",)),
        ("F98.6", ("F80.81",)),
        ("Z50.5", ()),
    ],
)
def test_code_of_the_who_is_named_as_such(code: str, offers: tuple[str, ...]) -> None:
    found = CATALOGUE.check(code)
    assert (found.standing, found.successors) == (Standing.WHO_ONLY, offers)


def test_code_that_nobody_has_is_unknown() -> None:
    assert CATALOGUE.check("F80.5").standing is Standing.UNKNOWN


def test_speech_therapy_is_no_diagnosis() -> None:
    assert CATALOGUE.check("Z50.5").advice == (
        "A code of the WHO's ICD-10 that ICD-10-CM does not have. Code the condition that is treated."
    )


# Spelling


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("i69320", "I69.320"),
        ("g20", "G20"),
        (" R47.01 ", "R47.01"),
        ("R 47.01", "R47.01"),
        ("R47.01*", "R47.01"),
        ("R13.", "R13"),
        ("R13.-", "R13"),
        ("S069X9S", "S06.9X9S"),
        ("", ""),
    ],
)
def test_spelling_is_made_that_of_the_tabular_list(typed: str, code: str) -> None:
    assert normalize(typed) == code


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("R47.O1", ("R47.01",)),  # letter O
        ("I69.32O", ("I69.320",)),
        ("R47.I", ("R47.1",)),  # letter I
        ("F80.8l", ("F80.81",)),  # letter l
        ("169.320", ("I69.320",)),  # digit 1
        ("F08.1", ("F80.1",)),  # swapped
        ("FO80.1", ("F80.1",)),  # both
        ("F80.6", ("F80.0", "F80.1", "F80.2", "F80.4", "F80.81")),  # no such code in that category
        ("XYZ", ()),
        ("?", ()),
    ],
)
def test_misspelled_code_is_unknown_with_what_may_be_meant(typed: str, meant: tuple[str, ...]) -> None:
    found = CATALOGUE.check(typed)
    assert (found.typed, found.standing, found.successors) == (typed, Standing.UNKNOWN, meant)


def test_letter_in_a_category_gives_the_codes_below_it() -> None:
    assert CATALOGUE.check("G2O").successors == CATALOGUE.check("G20").successors


def test_seventh_character_that_is_missing_is_offered() -> None:
    found = CATALOGUE.check("S06.9X9")
    assert (found.standing, found.successors) == (Standing.NOT_BILLABLE, ("S06.9X9S", "S06.9X9A", "S06.9X9D"))


@pytest.mark.parametrize(
    "typed", ["I69320", "g20", "R47.O1", "169.320", "S06.9X9S", "qa0.8", "F80.1*", "R13 12", "B2O"]
)
def test_code_is_told_from_words(typed: str) -> None:
    assert looks_like_code(typed)


@pytest.mark.parametrize(
    "typed", ["aphasia", "AOS", "h/o CVA", "PD", "150 mL", "R13 and more", "F80.1 with F84.0", "stg 2", "", "10", "dob"]
)
def test_words_are_told_from_a_code(typed: str) -> None:
    assert not looks_like_code(typed)


# The codes of the field


@pytest.mark.parametrize("cause", CAUSES)
def test_grid_of_sequelae_is_complete(cause: str) -> None:
    codes = [f"I69.{cause}{deficit}" for deficit in DEFICITS]
    days = (FY2024, CATALOGUE.last_day)
    assert [code for code in codes for day in days if standing(code, day) != Standing.VALID] == []
    assert [code for code in codes if code not in CATALOGUE.slp or CATALOGUE._full.get(f"{code}0") is not None] == []


def test_code_carries_what_the_tabular_list_says() -> None:
    code = CATALOGUE.slp["R13.12"]
    assert (code.title, code.area, code.is_billable) == ("Dysphagia, oropharyngeal phase", "swallowing", True)
    assert code.code_first == (
        "[R13.1] if applicable, dysphagia following cerebrovascular disease (I69. with final characters -91)"
    )


def test_code_outside_of_the_field_has_its_title_alone() -> None:
    code = CATALOGUE.get("A00.0")
    assert (code.title, code.is_billable, code.area, code.synonyms) == (
        "Cholera due to Vibrio cholerae 01, biovar cholerae",
        True,
        None,
        (),
    )


def test_code_whose_title_could_not_be_read_is_known_all_the_same() -> None:
    found = CATALOGUE.check("C78.31")
    assert (found.standing, found.title) == (Standing.VALID, "")


def test_children_are_the_codes_valid_on_the_day() -> None:
    assert [code.code for code in CATALOGUE.children("R63.3")] == ["R63.30", "R63.31", "R63.32", "R63.39"]
    assert CATALOGUE.children("G35", date(2025, 9, 30)) == ()
    assert [code.code for code in CATALOGUE.children("G35")] == [
        "G35.A",
        "G35.B0",
        "G35.B1",
        "G35.B2",
        "G35.C0",
        "G35.C1",
        "G35.C2",
        "G35.D",
    ]


# What excludes what


def by_grid(deficit: str) -> list[str]:
    return [f"I69.{cause}{deficit}" for cause in CAUSES]


COGNITIVE = [code for deficit in ("10", "11", "12", "13", "14", "15", "18", "19") for code in by_grid(deficit)]
NEVER = {
    "aphasia": (["R47.01"], [*by_grid("20"), "G31.01"]),
    "dysarthria": (["R47.1"], by_grid("22")),
    "apraxia": (["R48.2"], by_grid("90")),
    "fluency": (["R47.82", "F80.81"], by_grid("23")),
    "other speech": (["R47.81", "R47.89"], by_grid("28")),
    "cognition after stroke": (["R41.840", "R41.841", "R41.842", "R41.843", "R41.844"], COGNITIVE),
    "mild cognitive impairment": (family("R41"), ["G31.84"]),
    "its known cause": (family("I6", "F01", "F02", "F03", "F06.7", "S06"), ["G31.84"]),
    "speech in autism": (family("R47"), ["F84.0"]),
    "developmental or not": (family("R47"), family("F80")),
    "articulation due to apraxia": (["F80.0"], ["R48.2"]),
    "symbolic and scholastic": (family("R48"), family("F81")),
    "expressive and mixed": (["F80.1"], ["F80.2"]),
    "auditory processing": (["H93.25"], ["F80.2", "H90.5", *family("H91")]),
    "pragmatics in autism": (["F80.82"], ["F84.0", "F84.5"]),
    "onset of stuttering": (["F80.81"], ["F98.5", "R47.82"]),
    "stuttering by cause": (["F98.5"], ["R47.82"]),
    "psychogenic voice": (family("R49"), ["F44.4"]),
    "psychogenic dysphagia": (family("R13.1"), ["F45.8"]),
    "attention": (["R41.840"], family("F90")),
    "neglect": (["R41.4"], ["R41.842"]),
    "literacy": (family("F80", "F81", "F82", "F84", "F88", "F89"), family("Z55")),
    "history of stroke": (["Z86.73"], [*family("I69"), "Z87.820"]),
    "history of COVID": (["Z86.16"], ["U09.9"]),
    "stroke of two types": (family("I69.3"), family("I69.9")),
    "stroke and injury": (family("I6"), family("S06")),
    "newborn feeding": (family("P92"), family("F50")),
    "tracheostomy": (["Z93.0"], ["Z43.0", *family("J95.0")]),
    "stridor": (family("J38"), ["R06.1"]),
    "cleft palate and lip": (family("Q35"), family("Q37")),
    "known and unknown cause": (["F06.70"], ["I69.311", "G31.84"]),
}


def excluded(kind: Callable[[str, str], Exclusion | None], pairs: tuple[list[str], list[str]]) -> list[tuple[str, str]]:
    return [pair for pair in product(*pairs) if pair[0] != pair[1] and kind(*pair) is not None]


def unexcluded(
    kind: Callable[[str, str], Exclusion | None], pairs: tuple[list[str], list[str]]
) -> list[tuple[str, str]]:
    return [pair for pair in product(*pairs) if pair[0] != pair[1] and kind(*pair) is None]


@pytest.mark.parametrize("pairs", NEVER.values(), ids=NEVER)
def test_pair_is_excluded_by_a_note(pairs: tuple[list[str], list[str]]) -> None:
    assert pairs[0] != [] != pairs[1]
    assert unexcluded(CATALOGUE.excludes1, pairs) == []


BOTH = {
    "intellectual disability": (["F80.0", "F80.1", "F80.2"], family("F7")),
    "language in autism": (["F80.1", "F80.2"], family("F84")),
    "selective mutism": (["F80.1", "F80.2"], ["F94.0"]),
    "sounds and language": (["F80.0"], ["F80.1", "F80.2", "F80.4"]),
    "feeding": (family("R63.3"), family("P92", "F98.2", "F50")),
    "cleft in a syndrome": (family("Q35", "Q36", "Q37"), ["Q87.0"]),
    "new and old stroke": (["I63.9"], family("I69.3")),
}


@pytest.mark.parametrize("pairs", BOTH.values(), ids=BOTH)
def test_pair_may_be_reported_together(pairs: tuple[list[str], list[str]]) -> None:
    assert pairs[0] != [] != pairs[1]
    assert (unexcluded(CATALOGUE.excludes2, pairs), excluded(CATALOGUE.excludes1, pairs)) == ([], [])


SILENT = {
    "voice and larynx": (["R49.0"], family("J38")),
    "dysphagia and reflux": (family("R13.1"), [*family("K21"), "J69.0"]),
    "language and hearing loss": (family("F80"), family("H90")),
    "apraxia and language": (["R48.2"], ["F80.1", "F80.2"]),
    "auditory processing and its hearing loss": (["H93.25"], ["H90.3"]),
}


@pytest.mark.parametrize("pairs", SILENT.values(), ids=SILENT)
def test_pair_has_no_note_at_all(pairs: tuple[list[str], list[str]]) -> None:
    assert pairs[0] != [] != pairs[1]
    assert (excluded(CATALOGUE.excludes1, pairs), excluded(CATALOGUE.excludes2, pairs)) == ([], [])


def test_exclusion_quotes_the_note_and_where_it_stands() -> None:
    expected = Exclusion(
        "R41.841", "G31.84", "mild cognitive impairment of uncertain or unknown etiology (G31.84)", "R41"
    )
    assert CATALOGUE.excludes1("R41.841", "G31.84") == expected


# The reader


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the tables that is read instead of them."""
    copy = tmp_path / "lexicons"
    shutil.copytree(FOLDER, copy)
    monkeypatch.setattr(lexicon, "_FOLDER", copy)
    return copy / "icd10"


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def line_of(path: Path, start: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(start))


def ask_everything(catalogue: Catalogue) -> None:
    """Make it read every table, which it does only when it is asked."""
    catalogue.excludes1("R47.01", "I69.320")
    catalogue.check("G35")


def test_nothing_is_read_at_import() -> None:
    code = "import analyzer.icd10.catalogue as c; print(c.load_catalogue.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_complete_list_is_read_only_for_codes_outside_of_the_field(folder: Path) -> None:
    (folder / "icd10cm.tsv.gz").unlink()
    catalogue = Catalogue()
    assert catalogue.check("R47.01").standing is Standing.VALID
    with pytest.raises(LexiconError, match=r"^lexicons/icd10/icd10cm.tsv.gz: FileNotFoundError$"):
        catalogue.check("A00.0")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("speech-motor,symptom,1,no,", "speech-motor,symptom,4,no,", "unknown tier '4'; expected one of 1, 2, 3"),
        ("speech-motor,symptom,1,no,", "speech-motor,symptom,1,perhaps,", "unknown is_unspecified 'perhaps'"),
        ("Dysarthria and anarthria", "", "code or title is not as in the tabular list"),
        ("1,no,,,dysarthria", "1,no,1.10.2025,,dysarthria", "a date is not written as 2025-10-01"),
        ("1,no,,,dysarthria", "1,no,2025-10-01,2024-09-30,dysarthria", "valid_to is before valid_from"),
    ],
)
def test_damaged_row_of_the_codes_is_refused(folder: Path, old: str, new: str, message: str) -> None:
    path = folder / "codes.csv"
    line = line_of(path, "R47.1,")
    row = path.read_text(encoding="utf-8").splitlines()[line - 1]
    replace(path, row, row.replace(old, new, 1))
    with pytest.raises(LexiconError) as caught:
        Catalogue()
    assert str(caught.value).startswith(f"lexicons/icd10/codes.csv, line {line}: {message}")


def test_duplicate_code_is_refused(folder: Path) -> None:
    path = folder / "codes.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines, lines[-1]]), encoding="utf-8")
    with pytest.raises(LexiconError, match=rf"^lexicons/icd10/codes.csv, line {len(lines) + 1}: duplicate code$"):
        Catalogue()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("excludes.csv", "R47.01,I69.320,1,", "R47.01,I69.320,3,", "unknown type '3'"),
        ("excludes.csv", "R47.01,I69.320,1,", "R47.01,X99,1,", "other 'X99' is not in codes.csv"),
        ("successors.csv", "G35,G35.D,", "G35,G35.Z,", "there is no code 'G35.Z'"),
        ("successors.csv", "G35,G35.D,", "G35,G35.A,", "duplicate offer"),
        ("who_only.csv", "F98.6,cluttering,F80.81,", "F98.6,cluttering,F80.5,", "there is no code 'F80.5'"),
    ],
)
def test_damaged_row_of_another_table_is_refused(folder: Path, file: str, old: str, new: str, message: str) -> None:
    replace(folder / file, old, new)
    with pytest.raises(LexiconError) as caught:
        ask_everything(Catalogue())
    assert str(caught.value).startswith(f"lexicons/icd10/{file}, line ")
    assert message in str(caught.value)


def test_damaged_line_of_the_complete_list_is_refused(folder: Path) -> None:
    path = folder / "icd10cm.tsv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    line = text[: text.index("\nA00.0\t")].count("\n") + 2
    path.write_bytes(gzip.compress(text.replace("\nA00.0\t", "\nA00.0\t\t", 1).encode()))
    with pytest.raises(LexiconError, match=rf"^lexicons/icd10/icd10cm.tsv.gz, line {line}: expected 5 fields$"):
        Catalogue().get("A00.0")


def test_complete_list_that_is_cut_short_is_refused(folder: Path) -> None:
    path = folder / "icd10cm.tsv.gz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(LexiconError, match=r"^lexicons/icd10/icd10cm.tsv.gz: EOFError$"):
        Catalogue().get("A00.0")


def test_missing_setting_is_refused(folder: Path) -> None:
    replace(folder / "release.toml", "\nlast_day", "\nfinal_day")
    with pytest.raises(LexiconError, match=r"^lexicons/icd10/release.toml: last_day is missing$"):
        Catalogue()
