import base64
import codecs
import csv
import io
import json
import os
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from docx import Document
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analyzer.readers import Limits, read_notes
from analyzer.types import ClaimLine, Failure, Note, Origin, PlanOfCare

SUFFIXES = (".txt", ".md", ".docx", ".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".ndjson", ".parquet")
TEXT = "S: Pt alert.\nO: 8/10 /r/ in words given min verbal cues."


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path, monkeypatch):
    """Paths in the tests are relative, as users give them."""
    monkeypatch.chdir(tmp_path)


def read(name, content, **limits):
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_notes([name], limits=Limits(**limits)))


def codes(results):
    return [(r.code, r.origin.row, r.field) if isinstance(r, Failure) else (r.id, r.origin.row) for r in results]


def note(text, id, file, row=None, **fields):
    return Note(text=text, id=id, origin=Origin(file, row), **fields)


# Files, folders and standard input


def test_folder_is_read_recursively_in_order_of_names_without_hidden_and_temporary_files():
    for name in ("b.txt", "a/z.md", "a/b.txt", ".hidden.txt", ".git/x.txt", "~$c.docx", "c.txt~", "Thumbs.db"):
        path = Path("notes", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert list(read_notes(["notes"])) == [
        note("a/b.txt", "b", "notes/a/b.txt"),
        note("a/z.md", "z", "notes/a/z.md"),
        note("b.txt", "notes/b", "notes/b.txt"),
    ]


def test_unsupported_file_in_a_folder_is_a_failure_in_its_place():
    Path("notes").mkdir()
    Path("notes/a.pdf").write_bytes(b"%PDF-1.7")
    Path("notes/b.txt").write_text("x")
    supported = ", ".join((".txt", ".md", ".docx", ".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".ndjson", ".parquet"))
    assert list(read_notes(["notes"])) == [
        Failure("unsupported-format", f"expected one of {supported}", id="a", origin=Origin("notes/a.pdf")),
        note("x", "b", "notes/b.txt"),
    ]


def test_links_between_folders_are_followed_once():
    Path("notes/inner").mkdir(parents=True)
    Path("notes/inner/a.txt").write_text("x")
    Path("notes/inner/up").symlink_to("..", target_is_directory=True)
    Path("notes/self").symlink_to("self")
    assert codes(read_notes(["notes"])) == [("a", None), ("unreadable-file", None, None)]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("missing.txt", "file-not-found"),
        ("notes.txt/inner.txt", "file-not-found"),
        ("a\0b.txt", "unreadable-file"),
        ("empty", "no-notes"),
        ("pipe.txt", "unreadable-file"),
        ("notes.rtf", "unsupported-format"),
        ("notes", "unsupported-format"),
    ],
)
def test_path_that_cannot_be_read_is_a_failure(path, code):
    Path("notes.txt").write_text("x")
    Path("notes.rtf").write_text("x")
    Path("notes").write_text("x")
    Path("empty").mkdir()
    os.mkfifo("pipe.txt")
    assert codes(read_notes([path])) == [(code, None, None)]


def test_reading_is_lazy():
    Path("a.txt").write_text("x")
    results = read_notes(["a.txt", "b.txt"])
    assert next(results) == note("x", "a", "a.txt")
    Path("b.txt").write_text("y")
    assert next(results) == note("y", "b", "b.txt")


def test_ids_made_of_file_names_are_unique_in_a_run():
    for name in ("a/n.txt", "b/n.txt", "b/n.md"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("x")
    paths = ["a/n.txt", "b/n.txt", "b/n.md", "b/n.md"]
    assert [n.id for n in read_notes(paths)] == ["n", "b/n", "b/n.md", "b/n.md~2"]


def test_ids_of_the_caller_stay_when_they_are_repeated():
    assert codes(read("a.csv", "id,text\n7,x\n7,y\n")) == [("7", 2), ("7", 3)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_a_failure():
    Path("a.txt").write_text("x")
    Path("a.txt").chmod(0)
    assert codes(read_notes(["a.txt"])) == [("unreadable-file", None, None)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[ ] Verbal cues\r\n[x] None", [note("[ ] Verbal cues\r\n[x] None", "stdin", "-")]),
        (b"{Name} worked on /r/", [note("{Name} worked on /r/", "stdin", "-")]),
        (b'{"id": "7", "text": "x"}', [note("x", "7", "-")]),
        (b'[{"text": "x"}, {"text": "y"}]', [note("x", "stdin:1", "-", 1), note("y", "stdin:2", "-", 2)]),
        (b'{"text": "x"}\n\n{"text": "y"}\n', [note("x", "stdin:1", "-", 1), note("y", "stdin:3", "-", 3)]),
        (b"", [Failure("empty-text", "the note is empty", id="stdin", field="text", origin=Origin("-"))]),
        (b"[]", [Failure("no-notes", "the file holds no notes", id="stdin", origin=Origin("-"))]),
    ],
)
def test_standard_input_is_json_where_it_begins_so_and_one_note_otherwise(content, expected):
    assert list(read_notes(["-"], stdin=io.BytesIO(content))) == expected


# Text files and encodings


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"one\r\ntwo\rthree\n", "one\r\ntwo\rthree\n"),
        ("Pt’s /ʃ/ é".encode(), "Pt’s /ʃ/ é"),
        (codecs.BOM_UTF8 + "Pt’s".encode(), "Pt’s"),
        ("Pt’s /ʃ/".encode("utf-16"), "Pt’s /ʃ/"),
        (codecs.BOM_UTF16_BE + "Pt’s".encode("utf-16-be"), "Pt’s"),
        (codecs.BOM_UTF32_LE + "Pt’s".encode("utf-32-le"), "Pt’s"),
        ("Pt’s “café” – 8½".encode("cp1252"), "Pt’s “café” – 8½"),
        (
            ("Pt tolerated the trial well. " * 5000 + "Pt’s").encode("cp1252"),
            "Pt tolerated the trial well. " * 5000 + "Pt’s",
        ),
    ],
)
def test_text_file_is_given_as_it_is_whatever_its_encoding(content, text):
    assert read("a.txt", content, max_note_chars=200_000) == [note(text, "a", "a.txt")]


def test_text_in_another_code_page_is_detected():
    text = "Пациент внимателен. Произносил звук в словах с минимальной помощью логопеда. " * 20
    assert read("a.txt", text.encode("cp1251")) == [note(text, "a", "a.txt")]


@pytest.mark.parametrize(
    ("content", "code", "field"),
    [
        (b"", "empty-text", "text"),
        (b" \r\n\t", "empty-text", "text"),
        (b"S: Pt\0alert", "not-text", "text"),
        (bytes(range(1, 32)) * 4, "not-text", "text"),
        (b"%PDF-1.7\n", "not-text", None),
        (b"{\\rtf1 S: Pt alert}", "not-text", None),
        (b"PK\x03\x04rest", "not-text", None),
        (codecs.BOM_UTF16_LE + b"x", "bad-encoding", None),
        (codecs.BOM_UTF8 + b"\xff", "bad-encoding", None),
    ],
)
def test_text_file_that_holds_no_text_is_a_failure(content, code, field):
    assert codes(read("a.txt", content)) == [(code, None, field)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_file_over_its_size_limit_is_a_failure_that_names_limit_and_size(suffix):
    message = "the file has 11 bytes; the limit is 10"
    assert read(f"a{suffix}", b"x" * 11, max_file_bytes=10, max_note_file_bytes=10) == [
        Failure("file-too-large", message, id="a", origin=Origin(f"a{suffix}"))
    ]


def test_note_over_the_length_limit_is_a_failure_and_never_cut():
    assert read("a.txt", "x" * 11, max_note_chars=10) == [
        Failure(
            "note-too-long",
            "the note has 11 characters; the limit is 10",
            id="a",
            field="text",
            origin=Origin("a.txt"),
        )
    ]


# Fields of a record


def test_every_field_of_the_input_record_is_read():
    record = {
        "id": "A-17", "text": TEXT, "patient_id": "P1", "clinician_id": "C1", "credential": "CCC-SLP",
        "payer": "Medicare B", "date_of_service": "2026-03-01", "setting": "SNF", "age_years": 71.5, "minutes": 45,
        "place_of_service": "31", "diagnoses": ["R13.12", "I69.391"],
        "claim_lines": [{"code": "92507", "units": 1, "modifiers": ["GN", "KX"], "minutes": 45, "charge": 78.1}],
        "plan_of_care": {"start": "2026-02-01", "certified_through": "2026-05-01", "goals": ["STG 1"]},
        "ytd_pt_slp_allowed": 1200.5, "cpt": "92507", "room": 4, "tags": {"a": [1]},
    }  # fmt: skip
    expected = note(
        TEXT,
        "A-17",
        "a.json",
        patient_id="P1",
        clinician_id="C1",
        credential="CCC-SLP",
        payer="Medicare B",
        date_of_service=date(2026, 3, 1),
        setting="SNF",
        age_years=71.5,
        cpt="92507",
        minutes=45,
        place_of_service="31",
        diagnoses=("R13.12", "I69.391"),
        claim_lines=(ClaimLine("92507", 1, ("GN", "KX"), 45, 78.1),),
        plan_of_care=PlanOfCare(date(2026, 2, 1), date(2026, 5, 1), ("STG 1",)),
        ytd_pt_slp_allowed=1200.5,
        extra=(("room", 4), ("tags", {"a": [1]})),
    )
    assert read("a.json", json.dumps(record)) == [expected]


def test_numbers_written_as_text_are_numbers():
    record = {
        "text": "x", "id": 7, "minutes": "45", "age_years": " 6.5 ", "ytd_pt_slp_allowed": "$1,200.50",
        "claim_lines": [{"code": 92507, "units": "2", "modifiers": "GN, KX", "charge": "$80"}],
    }  # fmt: skip
    lines = (ClaimLine("92507", 2, ("GN", "KX"), None, 80.0),)
    assert read("a.json", json.dumps(record)) == [
        note("x", "7", "a.json", minutes=45, age_years=6.5, ytd_pt_slp_allowed=1200.5, claim_lines=lines)
    ]


@pytest.mark.parametrize(
    "written",
    ["2026-03-01", "20260301", "2026-03-01T23:30:00-08:00", "2026-03-01 08:15:00", "03/01/2026", "3/1/2026 8:15 AM"],
)
def test_date_of_service_is_the_day_as_written(written):
    (read_note,) = read("a.jsonl", json.dumps({"text": "x", "date_of_service": written}))
    assert read_note == note("x", "a:1", "a.jsonl", 1, date_of_service=date(2026, 3, 1))


@pytest.mark.parametrize(
    ("field", "value", "code", "reported"),
    [
        ("date_of_service", "2026-02-30", "bad-date", "date_of_service"),
        ("date_of_service", "13/01/2026", "bad-date", "date_of_service"),
        ("date_of_service", "March 1", "bad-date", "date_of_service"),
        ("date_of_service", "0001-01-01", "bad-date", "date_of_service"),
        ("date_of_service", 46082, "wrong-type", "date_of_service"),
        ("minutes", -5, "out-of-range", "minutes"),
        ("minutes", 2700, "out-of-range", "minutes"),
        ("minutes", 45.5, "wrong-type", "minutes"),
        ("minutes", "45 min", "wrong-type", "minutes"),
        ("minutes", "nan", "out-of-range", "minutes"),
        ("minutes", True, "wrong-type", "minutes"),
        ("minutes", [45], "wrong-type", "minutes"),
        ("age_years", 1955, "out-of-range", "age_years"),
        ("age_years", 10**400, "out-of-range", "age_years"),
        ("patient_id", {"a": 1}, "wrong-type", "patient_id"),
        ("patient_id", True, "wrong-type", "patient_id"),
        ("id", [1], "wrong-type", "id"),
        ("diagnoses", 5, "wrong-type", "diagnoses"),
        ("diagnoses", ["R13.12", {}], None, None),
        ("diagnoses", ["R13.12", {"a": 1}], "wrong-type", "diagnoses"),
        ("claim_lines", "92507", "wrong-type", "claim_lines"),
        ("claim_lines", ["92507"], "wrong-type", "claim_lines[0]"),
        ("claim_lines", [{"units": 1}], "missing-field", "claim_lines[0].code"),
        ("claim_lines", [{"code": "1"}, {"code": "2", "units": -1}], "out-of-range", "claim_lines[1].units"),
        ("plan_of_care", "2026", "wrong-type", "plan_of_care"),
        ("plan_of_care", {"start": "soon"}, "bad-date", "plan_of_care.start"),
        ("text", 5, "wrong-type", "text"),
        ("text", None, "empty-text", "text"),
        ("text", " ", "empty-text", "text"),
        ("text", "a\0b", "not-text", "text"),
    ],
)
def test_wrong_value_is_a_failure_of_its_row_and_field_while_others_go_on(field, value, code, reported):
    rows = [{"id": "1", "text": "x", field: value}, {"id": "2", "text": "y"}]
    failure = ("1", 1) if code is None else (code, 1, reported)
    assert codes(read("a.jsonl", "\n".join(map(json.dumps, rows)))) == [failure, ("2", 2)]


def test_failure_keeps_id_and_unknown_columns_and_tells_no_value():
    record = {"id": "A-17", "text": "x", "minutes": "Pt was alert", "room": "4"}
    assert read("a.jsonl", json.dumps(record)) == [
        Failure(
            "wrong-type",
            "expected a number, found text",
            id="A-17",
            field="minutes",
            origin=Origin("a.jsonl", 1),
            extra=(("room", "4"),),
        )
    ]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Note Text", "text"),
        ("NOTE", "text"),
        ("body", "text"),
        ("noteId", "id"),
        ("DOS", "date_of_service"),
        ("Date of Service", "date_of_service"),
        ("mrn", "patient_id"),
        ("Therapist", "clinician_id"),
        ("POS", "place_of_service"),
    ],
)
def test_column_is_known_by_its_other_names(header, field):
    value = "2026-03-01" if field == "date_of_service" else "7"
    record = {"text": "x", header: value} if field != "text" else {header: "7"}
    expected = {"text": "x", "id": "a", "origin": Origin("a.json")}
    expected[field] = {"date_of_service": date(2026, 3, 1), "age_years": 7.0}.get(field, "7")
    assert read("a.json", json.dumps(record)) == [Note(**expected)]


def test_column_with_the_field_s_own_name_wins_and_the_others_are_handed_through():
    assert read("a.json", '{"note": "short", "TEXT": "x", "date": "no date", "dos": "2026-03-01"}') == [
        note(
            "x",
            "a",
            "a.json",
            date_of_service=date(2026, 3, 1),
            extra=(("note", "short"), ("date", "no date")),
        )
    ]


# CSV


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_table_is_read_whatever_its_separator_and_line_ends(separator, suffix, line_end):
    written = io.StringIO()
    writer = csv.writer(written, delimiter=separator, lineterminator=line_end)
    writer.writerows([["id", "text", "room"], ["1", 'a, b; c\td|e "f"', "4"], ["2", "x\r\ny", "5"]])
    assert read(f"a{suffix}", written.getvalue()) == [
        note('a, b; c\td|e "f"', "1", f"a{suffix}", 2, extra=(("room", "4"),)),
        note("x\r\ny", "2", f"a{suffix}", 3, extra=(("room", "5"),)),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_table_is_read_whatever_its_encoding(encoding):
    assert read("a.csv", "id,text\n1,Pt’s café\n".encode(encoding)) == [note("Pt’s café", "1", "a.csv", 2)]


def test_separator_line_of_excel_is_heeded():
    assert read("a.csv", "sep=;\r\nid;text\r\n1;x, y\r\n") == [note("x, y", "1", "a.csv", 3)]


def test_lists_in_cells_are_json_and_diagnoses_also_separated():
    header = ["text", "diagnoses", "claim_lines", "plan_of_care"]
    rows = [
        ["a", '["R13.12", "R47.02"]', '[{"code": "92526", "units": 1}]', '{"start": "02/01/2026", "goals": "STG"}'],
        ["b", "R13.12; R47.02|", "", ""],
        ["c", "R13.12, R47.02", "[]", "{}"],
        ["d", "Aphasia, mild", "", ""],
        ["e", "[R13.12]", "", ""],
        ["f", "[" * 100 + "]" * 100, "", ""],
    ]
    written = io.StringIO()
    csv.writer(written).writerows([header, *rows])
    results = read("a.csv", written.getvalue())
    plan = PlanOfCare(date(2026, 2, 1), None, ("STG",))
    codes_ = ("R13.12", "R47.02")
    assert results[:4] == [
        note("a", "a:2", "a.csv", 2, diagnoses=codes_, claim_lines=(ClaimLine("92526", 1),), plan_of_care=plan),
        note("b", "a:3", "a.csv", 3, diagnoses=codes_),
        note("c", "a:4", "a.csv", 4, diagnoses=codes_),
        note("d", "a:5", "a.csv", 5, diagnoses=("Aphasia, mild",)),
    ]
    assert codes(results[4:]) == [("bad-json", 6, "diagnoses"), ("too-deep", 7, "diagnoses")]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # a cell too many: an unquoted comma has cut the note
        (["1,well, tired,4", "2,y,5"], [("bad-row", 2, None), ("2", 3)]),
        # a cell too few: an unquoted line end has
        (["1,well", "2,y,5"], [("bad-row", 2, None), ("2", 3)]),
        (["1,x,4,,", "", ",,", "2,y,5"], [("1", 2), ("2", 5)]),
        (['1,5" tube,4', "2,y,5"], [("1", 2), ("2", 3)]),
        # a quote that is never closed takes no other row with it
        (['1,"x,4', "2,y,5", "3,z,6"], [("bad-row", 2, None), ("2", 3), ("3", 4)]),
        (['1,"x,4', "2,y,5", '3,"z', 'z",6'], [("bad-row", 2, None), ("2", 3), ("3", 4)]),
        # quotes that are not doubled spoil their own row, all lines of it
        (['1,"x "y" z', 'more, text",4', "2,y,5"], [("bad-row", 2, None), ("2", 4)]),
        (['1,"x "y" z', "a, b, c", "d, e, f", 'g",4', "2,y,5"], [("bad-row", 2, None), ("2", 6)]),
        (['1,"' + "x\n" * 70_000 + '",4', "2,y,5"], [("bad-row", 2, None), ("2", 70_003)]),
    ],
)
def test_broken_row_is_a_failure_and_other_rows_go_on(lines, expected):
    assert codes(read("a.csv", "id,text,room\n" + "\n".join(lines))) == expected


@pytest.mark.parametrize(
    ("content", "code", "field"),
    [
        ("", "no-notes", None),
        ("id,text\n", "no-notes", None),
        ("id,comment\n1,x\n2,y\n", "missing-field", "text"),
        ('id,"text\n1,x\n', "bad-row", None),
        (b"\xff\xfeid", "missing-field", "text"),
        (b"PK\x03\x04", "not-text", None),
    ],
)
def test_table_without_notes_is_one_failure(content, code, field):
    if content == b"\xff\xfeid":
        content = "id\n1\n".encode("utf-16")
    assert codes(read("a.csv", content)) == [(code, None, field)]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.xlsx"])
def test_rows_over_the_limit_are_a_failure(name):
    rows = [{"id": str(i), "text": "x"} for i in (1, 2, 3)]
    if name == "a.xlsx":
        write_workbook(name, {"S": [["id", "text"], *(list(row.values()) for row in rows)]})
        content = Path(name).read_bytes()
    elif name == "a.csv":
        content = "id,text\n1,x\n2,x\n3,x\n"
    else:
        content = json.dumps(rows) if name == "a.json" else "\n".join(map(json.dumps, rows))
    found = [result.id if isinstance(result, Note) else result.code for result in read(name, content, max_rows=2)]
    assert found == ["1", "2", "too-many-rows"]


# JSON


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json"])
def test_broken_lines_are_failures_of_their_row(name):
    lines = ['{"id": "1", "text": "x"}', '{"id": "2", "te', "5", "", '{"id": "3"}', '{"id": "4", "text": "y"}']
    assert codes(read(name, "\n".join(lines))) == [
        ("1", 1),
        ("bad-json", 2, None),
        ("wrong-type", 3, None),
        ("missing-field", 5, "text"),
        ("4", 6),
    ]


def test_json_lines_file_may_hold_an_array():
    assert codes(read("a.jsonl", '[\n {"id": "1", "text": "x"},\n {"text": "y"}\n]')) == [("1", 1), ("a:2", 2)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "bad-json"),
        ('{"text": ', "bad-json"),
        ('{"text": "x", "n": Infinity}', "bad-json"),
        ('{"text": "x", "n": 1e999}', "bad-json"),
        ('{"text": "x", "n": ' + "9" * 5000 + "}", "bad-json"),
        ('{"text": "\\ud800"}', "bad-json"),
        ('{"text": "x", "n": "\\uDC00"}', "bad-json"),
        ("[" * 100_000, "too-deep"),
        ('{"a":' * 100_000, "too-deep"),
        ("[" * 65 + "]" * 65, "too-deep"),
        ('"x"', "wrong-type"),
        ("[]", "no-notes"),
    ],
)
def test_json_that_no_note_comes_of_is_one_failure(content, code):
    assert codes(read("a.json", content)) == [(code, None, None)]


def test_json_nested_up_to_the_limit_is_read():
    deep = '{"text": "x", "a": ' + "[" * 63 + "]" * 63 + "}"
    assert [type(result) for result in read("a.json", deep)] == [Note]


def test_not_a_number_is_an_empty_value():
    assert read("a.json", '{"text": "x", "minutes": NaN, "n": NaN}') == [note("x", "a", "a.json", extra=(("n", None),))]


# Parquet


def write_parquet(name, table):
    pyarrow.parquet.write_table(table, name)


def test_parquet_is_read_with_its_own_types():
    rows = [
        {
            "id": 1, "text": TEXT, "date_of_service": date(2026, 3, 1), "minutes": 45.0, "diagnoses": ["R13.12"],
            "claim_lines": [{"code": "92526", "units": 1}], "seen": datetime(2026, 3, 1, 8, 15),
        },
        {"id": 2, "text": None, "date_of_service": None, "minutes": None, "diagnoses": None},
    ]  # fmt: skip
    write_parquet("a.parquet", pyarrow.Table.from_pylist(rows))
    assert list(read_notes(["a.parquet"])) == [
        note(
            TEXT,
            "1",
            "a.parquet",
            1,
            date_of_service=date(2026, 3, 1),
            minutes=45,
            diagnoses=("R13.12",),
            claim_lines=(ClaimLine("92526", 1),),
            extra=(("seen", "2026-03-01T08:15:00"),),
        ),
        Failure(
            "empty-text",
            "the note is empty",
            id="2",
            field="text",
            origin=Origin("a.parquet", 2),
            extra=(("seen", None),),
        ),
    ]


def test_parquet_value_that_is_not_text_is_a_failure_of_its_row():
    text = pyarrow.array([b"x", b"\xff", b"y"], pyarrow.binary()).view(pyarrow.binary())
    broken = pyarrow.Array.from_buffers(pyarrow.string(), 3, text.buffers())
    write_parquet("a.parquet", pyarrow.table({"text": broken}))
    assert codes(read_notes(["a.parquet"])) == [("a:1", 1), ("wrong-type", 2, "text"), ("a:3", 3)]


def test_parquet_that_cannot_be_read_is_one_failure():
    write_parquet("a.parquet", pyarrow.table({"text": ["x"] * 100}))
    whole = Path("a.parquet").read_bytes()
    write_parquet("b.parquet", pyarrow.table({"comment": ["x"]}))
    assert codes(read("cut.parquet", whole[:-20])) == [("corrupt-file", None, None)]
    assert codes(read("name.parquet", whole.replace(b"text", b"te\x80t"))) == [("corrupt-file", None, None)]
    assert codes(read("text.parquet", b"id,text\n1,x\n")) == [("corrupt-file", None, None)]
    assert codes(read_notes(["b.parquet"])) == [("missing-field", None, "text")]
    assert codes(read_notes(["a.parquet"], limits=Limits(max_rows=99))) == [("too-many-rows", None, None)]
    assert codes(read_notes(["a.parquet"], limits=Limits(max_zip_bytes=10))) == [("archive-too-large", None, None)]


# Excel


def write_workbook(name, sheets, *, hidden=()):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        if title in hidden:
            sheet.sheet_state = "hidden"
    book.save(name)


def test_workbook_gives_the_notes_of_every_sheet_with_a_text_column():
    write_workbook(
        "a.xlsx",
        {
            "Mon": [["id", "text", "DOS", "MRN"], ["1", "x", datetime(2026, 3, 1), 4711], [], ["2", None, None, None]],
            "Codes": [["code"], ["92507"]],
            "Tue": [["Weekly report"], [], ["text", "minutes"], ["y_x000D_z", "45"], ["w", "=1/0"]],
        },
        hidden=("Tue",),
    )
    assert list(read_notes(["a.xlsx"])) == [
        note("x", "1", "a.xlsx#Mon", 2, date_of_service=date(2026, 3, 1), patient_id="4711"),
        Failure("empty-text", "the note is empty", id="2", field="text", origin=Origin("a.xlsx#Mon", 4)),
        note("y\rz", "a:Tue:4", "a.xlsx#Tue", 4, minutes=45),
        note("w", "a:Tue:5", "a.xlsx#Tue", 5),  # a formula that was never computed has no value
    ]


def test_workbook_with_one_sheet_is_named_by_its_file():
    write_workbook("a.xlsx", {"S": [["text", "minutes"], ["x", "#REF!"], ["y", 30]]})
    book = openpyxl.load_workbook("a.xlsx")
    book.active["B2"].data_type = "e"
    book.save("a.xlsx")
    assert list(read_notes(["a.xlsx"])) == [
        Failure(
            "cell-error",
            "the cell holds an error of the spreadsheet",
            id="a:2",
            field="minutes",
            origin=Origin("a.xlsx", 2),
        ),
        note("y", "a:3", "a.xlsx", 3, minutes=30),
    ]


def test_warnings_of_openpyxl_are_kept_from_the_caller():
    write_workbook("a.xlsx", {"S": [["text", "DOS"], ["x", datetime(2026, 3, 1)]]})
    edit_archive("a.xlsx", "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"<v>46082</v>", b"<v>9999999999</v>"))
    assert codes(read_notes(["a.xlsx"])) == [("cell-error", 2, "date_of_service")]


@pytest.mark.parametrize("reference", ["ZZZZZZZ2", "A99999999999"])
def test_workbook_with_an_absurd_cell_does_not_exhaust_the_reader(reference):
    write_workbook("a.xlsx", {"S": [["text"], ["x"]]})
    row = "2" if reference.endswith("Z2") else "99999999999"

    def edit(xml):
        return xml.replace(b'<row r="2"', f'<row r="{row}"'.encode()).replace(b'r="A2"', f'r="{reference}"'.encode())

    edit_archive("a.xlsx", "xl/worksheets/sheet1.xml", edit)
    results = list(read_notes(["a.xlsx"], limits=Limits(max_rows=1000)))
    assert [result.code for result in results] in (["too-many-rows"], ["corrupt-file"], ["no-notes"])


def edit_archive(name, member, edit):
    with zipfile.ZipFile(name) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    contents[member] = edit(contents[member])
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            archive.writestr(path, content)


# Word


def test_word_document_gives_paragraphs_and_tables_in_order_with_headers_and_footers():
    document = Document()
    document.sections[0].header.paragraphs[0].text = "Riverside Clinic"
    document.sections[0].footer.paragraphs[0].text = "Page 1"
    document.add_paragraph("S: Pt alert.\tTired.")
    table = document.add_table(2, 2)
    table.cell(0, 0).text = "Target"
    table.cell(0, 1).text = "Accuracy"
    table.cell(1, 0).text = "/r/"
    table.cell(1, 1).text = "8/10\nmin cues"
    document.add_paragraph()
    document.add_paragraph("P: Continue.")
    document.save("a.docx")
    text = "Riverside Clinic\nS: Pt alert.\tTired.\nTarget\tAccuracy\n/r/\t8/10\nmin cues\n\nP: Continue.\nPage 1"
    assert list(read_notes(["a.docx"])) == [note(text, "a", "a.docx")]


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def write_word(name, body):
    Document().save(name)
    xml = f'<w:document xmlns:w="{W}" xmlns:mc="urn:mc"><w:body>{body}</w:body></w:document>'
    edit_archive(name, "word/document.xml", lambda _: xml.encode())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<w:sdt><w:sdtContent><w:p><w:r><w:t>control</w:t></w:r></w:p></w:sdtContent></w:sdt>", "control"),
        (
            "<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>",
            "new",
        ),
        ("<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr><w:r><w:t>kept</w:t></w:r></w:p>", "kept"),
        (
            "<w:p><w:hyperlink><w:r><w:t>a</w:t><w:br/><w:t>b</w:t><w:tab/><w:t>c</w:t></w:r></w:hyperlink></w:p>",
            "a\nb\tc",
        ),
        (
            "<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p>"
            "</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p>"
            "</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r><w:r><w:t>around</w:t></w:r></w:p>",
            "box\naround",
        ),
        (
            '<w:p><w:r><w:fldChar><w:ffData><w:checkBox><w:default w:val="0"/></w:checkBox></w:ffData></w:fldChar>'
            "<w:instrText> FORMCHECKBOX </w:instrText><w:t>Verbal</w:t></w:r></w:p>"
            '<w:p><w:r><w:sym w:font="Wingdings" w:char="F0FE"/><w:t> Tactile</w:t></w:r></w:p>',
            "☐ Verbal\n☑ Tactile",
        ),
        (
            "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:tbl><w:tr><w:tc><w:p><w:r><w:t>b</w:t>"
            "</w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>c</w:t></w:r></w:p></w:tc></w:tr></w:tbl><w:p/></w:tc></w:tr></w:tbl>",
            "a\tb\tc",
        ),
    ],
)
def test_word_document_loses_no_text_of_templates(body, text):
    write_word("a.docx", body)
    assert list(read_notes(["a.docx"])) == [note(text, "a", "a.docx")]


def test_word_document_without_text_is_a_failure():
    write_word("a.docx", "<w:p/>")
    assert codes(read_notes(["a.docx"])) == [("empty-text", None, "text")]


def make_archive(suffix):
    name = f"a{suffix}"
    if suffix == ".docx":
        write_word(name, "<w:p><w:r><w:t>x</w:t></w:r></w:p>")
    else:
        write_workbook(name, {"S": [["text"], ["x"]]})
    return name


PARTS = {".docx": "word/document.xml", ".xlsx": "xl/worksheets/sheet1.xml"}


@pytest.mark.parametrize("suffix", [".docx", ".xlsx"])
class TestArchive:
    """What .docx and .xlsx have in common."""

    def test_truncated_file_is_corrupt(self, suffix):
        content = Path(make_archive(suffix)).read_bytes()
        assert codes(read(f"b{suffix}", content[: len(content) // 2])) == [("corrupt-file", None, None)]

    def test_damaged_content_is_corrupt(self, suffix):
        content = bytearray(Path(make_archive(suffix)).read_bytes())
        content[100:140] = bytes(40)
        assert codes(read(f"b{suffix}", bytes(content))) == [("corrupt-file", None, None)]

    def test_broken_xml_is_corrupt(self, suffix):
        name = make_archive(suffix)
        edit_archive(name, PARTS[suffix], lambda xml: xml[:-30])
        assert codes(read_notes([name])) in ([("corrupt-file", None, None)], [("a:2", 2), ("corrupt-file", None, None)])

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "wrong-format"),
            (b"S: Pt alert.", "wrong-format"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "wrong-format"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password-protected"),
        ],
    )
    def test_other_content_is_told_apart(self, suffix, content, code):
        assert codes(read(f"a{suffix}", content)) == [(code, None, None)]

    def test_file_of_the_other_kind_has_the_wrong_format(self, suffix):
        content = Path(make_archive(".xlsx" if suffix == ".docx" else ".docx")).read_bytes()
        assert codes(read(f"b{suffix}", content)) == [("wrong-format", None, None)]

    def test_archive_without_parts_is_refused(self, suffix):
        with zipfile.ZipFile(f"a{suffix}", "w") as archive:
            archive.writestr("x.txt", "x")
        assert codes(read_notes([f"a{suffix}"])) in ([("wrong-format", None, None)], [("corrupt-file", None, None)])

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_entity_bomb_is_refused_unparsed(self, suffix, encoding):
        name = make_archive(suffix)
        laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
        bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><x>&l11;</x>'
        edit_archive(name, PARTS[suffix], lambda _: bomb.encode(encoding))
        assert codes(read_notes([name])) == [("unsafe-xml", None, None)]

    @pytest.mark.parametrize("limits", [Limits(), Limits(max_zip_bytes=15_000_000, max_zip_ratio=10**6)])
    def test_zip_bomb_is_refused(self, suffix, limits):
        name = make_archive(suffix)
        with zipfile.ZipFile(name, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("media/x.bin", bytes(20_000_000))
        assert codes(read_notes([name], limits=limits)) == [("archive-too-large", None, None)]

    def test_zip_bomb_whose_directory_lies_is_refused(self, suffix):
        name = make_archive(suffix)
        with zipfile.ZipFile(name, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("media/x.bin", bytes(20_000_000))
        size = (20_000_000).to_bytes(4, "little")
        content = Path(name).read_bytes().replace(size, (1000).to_bytes(4, "little"))
        assert codes(read(name, content)) == [("corrupt-file", None, None)]


# FHIR


def encode(text, encoding="utf-8"):
    return base64.b64encode(text.encode(encoding)).decode()


def document_reference(attachment, **fields):
    return {"resourceType": "DocumentReference", "content": [{"attachment": attachment}], **fields}


def fhir_note(text, id, kind, row=None, file="a.json", **fields):
    return note(text, id, file, row, extra=(("resourceType", kind),), **fields)


def test_document_reference_is_mapped_to_a_note():
    resource = document_reference(
        {"contentType": "text/plain", "data": encode(TEXT)},
        id="d1",
        subject={"reference": "Patient/p1"},
        author=[{"reference": "https://example.org/fhir/Practitioner/c1"}, {"reference": "Practitioner/c2"}],
        date="2026-03-02T08:00:00Z",
        context={"period": {"start": "2026-03-01T09:00:00-05:00"}},
    )
    assert read("a.json", json.dumps(resource)) == [
        fhir_note(
            TEXT,
            "d1",
            "DocumentReference",
            patient_id="p1",
            clinician_id="c1",
            date_of_service=date(2026, 3, 1),
        )
    ]


@pytest.mark.parametrize(
    ("attachment", "text"),
    [
        ({"contentType": "text/plain; charset=windows-1252", "data": encode("Pt’s", "cp1252")}, "Pt’s"),
        ({"contentType": 'TEXT/PLAIN;charset="UTF-16LE"', "data": encode("Pt’s", "utf-16-le")}, "Pt’s"),
        ({"contentType": "text/plain", "data": encode("a\r\nb")}, "a\r\nb"),
        ({"contentType": "text/plain", "data": encode("abcdefgh")[:6] + "\n " + encode("abcdefgh")[6:]}, "abcdefgh"),
        (
            {
                "contentType": "text/html",
                "data": encode(
                    "<!DOCTYPE html [<!ENTITY e 'no'>]><head><title>t</title><style>s</style></head><body>"
                    "<h1>SOAP</h1>S: tired  &amp;\n hoarse<br>O:&nbsp;8/10<!-- c -->"
                    "<ul><li>one</li><li><b>t</b>wo</li></ul>"
                    "<table><tr><th>Target</th><th>Accuracy</th></tr><tr><td><p>/r/</p></td><td>80%</td></tr></table>"
                    "<pre>a  b\n c</pre><input type=checkbox checked>Verbal<script>x</script>"
                ),
            },
            "SOAP\nS: tired & hoarse\nO:\xa08/10\none\ntwo\nTarget\tAccuracy\n/r/\t80%\na  b\n c\n☒ Verbal",
        ),
        (
            {
                "contentType": "application/xhtml+xml",
                "data": encode(
                    '<?xml version="1.0" encoding="UTF-8"?><div xmlns="http://www.w3.org/1999/xhtml"><p/><p>a</p>b</div>'
                ),
            },
            "a\nb",
        ),
    ],
)
def test_attachment_is_decoded_by_its_type_and_charset(attachment, text):
    assert read("a.json", json.dumps(document_reference(attachment))) == [fhir_note(text, "a", "DocumentReference")]


TYPE_FIELD = "content.attachment.contentType"


@pytest.mark.parametrize(
    ("attachment", "code", "field"),
    [
        ({"contentType": "application/pdf", "data": "AAAA"}, "unsupported-attachment", TYPE_FIELD),
        ({"data": "AAAA"}, "unsupported-attachment", TYPE_FIELD),
        ({"contentType": "text/plain", "url": "Binary/9"}, "attachment-not-fetched", "content.attachment.url"),
        ({"contentType": "text/plain", "data": "A"}, "bad-attachment", "content.attachment.data"),
        ({"contentType": "text/plain", "data": "é==="}, "bad-attachment", "content.attachment.data"),
        ({"contentType": "text/plain; charset=klingon", "data": "AAAA"}, "bad-encoding", None),
        ({"contentType": "text/plain; charset=utf-8", "data": "/w=="}, "bad-encoding", None),
        ({"contentType": "text/plain", "data": "AAAA"}, "not-text", "text"),
        ({"contentType": "text/plain", "data": 5}, "bad-fhir", "data"),
        ({}, "empty-text", "text"),
        ([], "bad-fhir", "attachment"),
    ],
)
def test_attachment_that_gives_no_text_is_a_failure(attachment, code, field):
    resource = document_reference(attachment, id="d1")
    (failure,) = read("a.ndjson", json.dumps(resource))
    assert (failure.code, failure.field, failure.id, failure.origin) == (code, field, "d1", Origin("a.ndjson", 1))


def test_plain_text_is_preferred_among_the_formats_of_one_document():
    resource = document_reference({"contentType": "application/pdf", "data": "AAAA"})
    resource["content"] += [
        {"attachment": {"contentType": "text/html", "data": encode("<p>html</p>")}},
        {"attachment": {"contentType": "text/plain", "data": encode("plain")}},
    ]
    assert read("a.json", json.dumps(resource)) == [fhir_note("plain", "a", "DocumentReference")]


def narrative(text):
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}


def test_composition_gives_its_sections_with_headings():
    resource = {
        "resourceType": "Composition",
        "id": "c1",
        "title": "Treatment note",
        "text": narrative("All in all"),
        "subject": {"identifier": {"value": "MRN7"}},
        "author": [{"display": "J. Doe"}],
        "date": "2026-03-01",
        "section": [
            {"title": "Subjective", "text": narrative("<p>Alert.</p>")},
            {
                "title": "Objective",
                "section": [{"title": "Speech", "text": narrative("8/10")}, {"text": narrative("x")}],
            },
        ],
    }
    assert read("a.json", json.dumps(resource)) == [
        fhir_note(
            "Treatment note\nSubjective\nAlert.\nObjective\nSpeech\n8/10\nx",
            "c1",
            "Composition",
            patient_id="MRN7",
            clinician_id="J. Doe",
            date_of_service=date(2026, 3, 1),
        )
    ]


def test_clinical_impression_gives_description_summary_findings_and_notes():
    resource = {
        "resourceType": "ClinicalImpression",
        "id": "i1",
        "description": "Session 4",
        "subject": {"reference": "urn:uuid:1"},
        "assessor": {"reference": "Practitioner/c1/_history/2"},
        "effectivePeriod": {"start": "2026-03-01"},
        "summary": "Skilled cues faded.",
        "finding": [
            {"itemCodeableConcept": {"text": "Aphasia"}, "basis": "WAB"},
            {"itemCodeableConcept": {"coding": [{"code": "R13.12", "display": "Dysphagia"}]}},
        ],
        "note": [{"text": "Continue."}],
    }
    assert read("a.json", json.dumps(resource)) == [
        fhir_note(
            "Session 4\nSkilled cues faded.\nAphasia\nWAB\nDysphagia\nContinue.",
            "i1",
            "ClinicalImpression",
            patient_id="urn:uuid:1",
            clinician_id="c1",
            date_of_service=date(2026, 3, 1),
        )
    ]


def test_bundle_resolves_its_binaries_and_passes_over_other_resources():
    binary = {"resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": encode("from binary")}
    contained = {"resourceType": "Binary", "id": "in", "contentType": "text/plain", "data": encode("from inside")}
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "Patient", "id": "p1"}},
            {"resource": document_reference({"url": "Binary/b1"}, id="d1")},
            {"resource": document_reference({"url": "urn:uuid:9"}, id="d2")},
            {"resource": document_reference({"url": "#in"}, contained=[contained])},
            {"resource": document_reference({"url": "https://example.org/Binary/b1"}, id="d4")},
            {"resource": document_reference({"url": "Binary/b1"}, id="d5", status="entered-in-error")},
            {"resource": 5},
            {"request": {"method": "DELETE"}},
            {"fullUrl": "urn:uuid:9", "resource": binary},
        ],
    }
    results = read("a.json", json.dumps(bundle))
    assert results[:3] == [
        fhir_note("from binary", "d1", "DocumentReference", 2),
        fhir_note("from binary", "d2", "DocumentReference", 3),
        fhir_note("from inside", "a:4", "DocumentReference", 4),
    ]
    assert codes(results[3:]) == [
        ("attachment-not-fetched", 5, "content.attachment.url"),
        ("entered-in-error", 6, "status"),
        ("bad-fhir", 7, "entry.resource"),
    ]


def test_ndjson_gives_resources_records_and_bundles_line_by_line():
    impression = {"resourceType": "ClinicalImpression", "summary": "x"}
    lines = [
        {"resourceType": "Patient"},
        {"id": "r1", "text": "y"},
        {"resourceType": "Bundle", "entry": [{"resource": impression}, {"resource": impression}]},
        impression,
    ]
    assert read("a.ndjson", "\n".join(map(json.dumps, lines))) == [
        note("y", "r1", "a.ndjson", 2),
        fhir_note("x", "a:3.1", "ClinicalImpression", 3, "a.ndjson"),
        fhir_note("x", "a:3.2", "ClinicalImpression", 3, "a.ndjson"),
        fhir_note("x", "a:4", "ClinicalImpression", 4, "a.ndjson"),
    ]


@pytest.mark.parametrize(
    "resource",
    [{"resourceType": "Patient"}, {"resourceType": "Bundle"}, {"resourceType": ["Bundle"]}, {"resourceType": None}],
)
def test_resource_without_notes_is_a_failure(resource):
    assert codes(read("a.json", json.dumps(resource))) == [("no-notes", None, None)]


# Anything at all

_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["resourceType", "text", "id", "entry", "resource", "content", "attachment", "data", "section", "div"]
        ),
        inner | st.sampled_from(["Bundle", "DocumentReference", "Composition", "ClinicalImpression", "text/html"]),
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip
_CONTENT = st.one_of(
    st.binary(max_size=300),
    st.text(alphabet='id,text;\t"\n\r[{}]:é’\0', max_size=100).map(lambda t: ("id,text\n" + t).encode()),
    _JSON.map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(SUFFIXES), content=_CONTENT)
@example(suffix=".csv", content=b'text\n"')
@example(suffix=".txt", content=b"\xff")
def test_any_bytes_give_notes_or_failures(suffix, content):
    results = read(f"a{suffix}", content)
    assert {type(result) for result in results} in ({Note}, {Failure}, {Note, Failure})
    assert results == list(read_notes([f"a{suffix}"]))
    assert list(read_notes(["-"], stdin=io.BytesIO(content))) != []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from([".docx", ".xlsx", ".parquet"]), data=st.data())
def test_damaged_files_give_notes_or_failures(suffix, data):
    name = f"a{suffix}"
    if not Path(name).exists():
        if suffix == ".parquet":
            write_parquet(name, pyarrow.table({"text": ["x", "y"], "minutes": [1, 2]}))
        else:
            make_archive(suffix)
    content = bytearray(Path(name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    results = read(f"b{suffix}", bytes(content))
    assert {type(result) for result in results} in ({Note}, {Failure}, {Note, Failure})


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from([".docx", ".xlsx"]), data=st.data())
def test_damaged_parts_give_notes_or_failures(suffix, data):
    name = make_archive(suffix)
    with zipfile.ZipFile(name) as archive:
        parts = sorted(archive.namelist())

    def damage(xml):
        start = data.draw(st.integers(0, len(xml)))
        return xml[:start] + data.draw(st.binary(max_size=3)) + xml[start + data.draw(st.integers(0, 30)) :]

    edit_archive(name, data.draw(st.sampled_from(parts)), damage)
    results = list(read_notes([name]))
    assert {type(result) for result in results} in ({Note}, {Failure}, {Note, Failure})
