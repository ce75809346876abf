from datetime import date
from pathlib import Path

import pytest

from analyzer.engine import Analyzer
from analyzer.readers import read_notes
from analyzer.types import Note, Report

EXAMPLES = Path(__file__).parents[1] / "analyzer" / "examples"
# In the order of the files' names, and of the records in each.
IDS_BY_FILE = {
    "aphasia-soap.txt": ["aphasia-soap"],
    "attention-template.txt": ["attention-template"],
    "caseload.csv": ["V-2001", "V-2002", "V-2003", "V-2004", "V-2005", "V-2006"],
    "chart-export.json": ["AAC-0708", "PR-0324", "DC-0728"],
    "memory-right-words.txt": ["memory-right-words"],
    "parkinson-maintenance.txt": ["parkinson-maintenance"],
    "preschool-screening.txt": ["preschool-screening"],
    "r-sound-plain-words.txt": ["r-sound-plain-words"],
    "records.jsonl": ["EI-0417", "TP-0526", "EV-0602", "GR-1013"],
    "sentences-by-goal.md": ["sentences-by-goal"],
    "swallow-shorthand.txt": ["swallow-shorthand"],
    "voice-dictation.txt": ["voice-dictation"],
}
IDS = [record_id for ids in IDS_BY_FILE.values() for record_id in ids]


@pytest.fixture(scope="module")
def results():
    return list(read_notes([EXAMPLES]))


@pytest.fixture(scope="module")
def notes_by_id(results):
    return {result.id: result for result in results}


def test_every_example_is_read_under_its_own_id(results):
    assert [(type(result), Path(result.origin.file).name, result.id) for result in results] == [
        (Note, file, record_id) for file, ids in IDS_BY_FILE.items() for record_id in ids
    ]
    assert len(results) == len(set(IDS)) == 22


def test_each_example_is_25_to_250_words_long(results):
    lengths = {result.id: len(result.text.split()) for result in results}
    assert {record_id: length for record_id, length in lengths.items() if not 25 <= length <= 250} == {}


def test_records_name_patient_clinician_and_a_day_of_2026(results):
    records = [result for result in results if result.origin.row is not None]
    assert len(records) == 13
    assert {note.clinician_id for note in records} == {"C-01", "C-02", "C-03", "C-04"}
    assert {(note.patient_id[:2], note.date_of_service.year) for note in records} == {("P-", 2026)}


def test_windows_file_keeps_its_encoding_and_line_ends(notes_by_id):
    content = (EXAMPLES / "parkinson-maintenance.txt").read_bytes()
    assert notes_by_id["parkinson-maintenance"].text == content.decode("cp1252")
    assert "ordering at the café;" in notes_by_id["parkinson-maintenance"].text
    assert content.count(b"\r\n") == content.count(b"\n") == 15
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")


def test_unknown_column_of_the_caseload_is_handed_through(notes_by_id):
    assert notes_by_id["V-2004"].extra == (("site", "Lincoln Elem"),)


def test_bundle_gives_text_and_fields_of_its_documents(notes_by_id):
    note = notes_by_id["AAC-0708"]
    assert (note.patient_id, note.clinician_id, note.date_of_service) == ("P-377", "C-04", date(2026, 7, 8))
    assert note.text.startswith("P-377, age 6, cerebral palsy")
    assert notes_by_id["DC-0728"].text.startswith(
        "Speech therapy discharge summary\nDischarge summary\nDysphonia, bilateral"
    )


def test_every_example_gives_a_report(results):
    reports = list(Analyzer.load().analyze_all(results))
    assert [(type(report), report.note.id) for report in reports] == [(Report, record_id) for record_id in IDS]
