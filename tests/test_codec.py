import json
import zlib
from dataclasses import replace

import pytest
from serving import lexicons

from analyzer.readers import read_notes
from analyzer.report import to_record
from analyzer.types import Failure, Note, Origin
from api.codec import CodecError, decode_records, decode_results, encode, without_text

FAILURE = Failure("bad-date", "expected a date", "A-1", "date_of_service", Origin("upload", 3), (("room", "2"),))


@pytest.fixture(scope="module")
def notes(examples):
    return list(read_notes([examples]))


@pytest.fixture(scope="module")
def results(notes):
    return [*lexicons().analyze_all(notes), FAILURE]


def test_notes_come_back_as_they_were(notes):
    assert decode_records(encode(notes)) == notes


def test_results_come_back_as_they_were(results):
    assert decode_results(encode(results)) == results


def test_handed_through_values_come_back():
    note = Note("Text.", extra=(("room", 4), ("tags", ["a", "b"]), ("half", "\ud83d")))
    assert decode_records(encode([note])) == [note]


def test_an_empty_list_comes_back():
    assert decode_results(encode([])) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zlib",
        zlib.compress(b"no JSON"),
        zlib.compress(json.dumps([{"note": {"text": "a", "unknown": 1}}]).encode()),
        zlib.compress(json.dumps([{"note": {}}]).encode()),
        zlib.compress(json.dumps([{"report": {}}]).encode()),
        zlib.compress(json.dumps([7]).encode()),
    ],
)
def test_what_another_version_wrote_is_refused(content):
    with pytest.raises(CodecError):
        decode_records(content)


def test_a_field_with_its_default_is_left_out():
    assert json.loads(zlib.decompress(encode([Note("Text.")]))) == [{"note": {"text": "Text."}}]


def test_masking_leaves_the_output_record_as_it_is(results):
    assert [to_record(without_text(result)) for result in results] == [to_record(result) for result in results]


def test_masking_leaves_no_word_of_the_text(results):
    letters = {char for result in results[:-1] for char in without_text(result).note.text if not char.isspace()}
    assert letters == {"▒"}


def test_masking_keeps_the_length_and_the_white_space_at_the_ends(results):
    report = replace(results[0], note=replace(results[0].note, text=" \n Named 12/20.\nContinue. \n"))
    assert without_text(report).note.text == " \n " + "▒" * 12 + "\n" + "▒" * 9 + " \n"


def test_masking_drops_columns_that_are_the_text_by_another_name(results):
    extra = (("Narrative", "Named 12/20."), ("soap note", "Named."), ("room", "4"))
    report = replace(results[0], note=replace(results[0].note, extra=extra))
    assert without_text(report).note.extra == (("room", "4"),)
    assert without_text(replace(FAILURE, extra=extra)).extra == (("room", "4"),)
