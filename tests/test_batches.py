import csv
import io
import json
import logging
import re
import subprocess
import tempfile

import pytest
from openpyxl import Workbook, load_workbook
from serving import document, lexicons, service
from sqlalchemy import select

from analyzer.report import to_record
from analyzer.types import Note
from api.audit import AuditEntry
from api.auth import Tokens
from api.batches import BatchAnswer

TEXT = "Named 12/20 pictures with min phonemic cues, up from 8/20."
NOTES = [{"id": f"A-{number}", "text": f"{TEXT} {number}", "room": "4"} for number in range(3)]
LINES = "".join(json.dumps(note) + "\n" for note in NOTES)
NDJSON = {"Content-Type": "application/x-ndjson"}
FORMATS = {
    "jsonl": ("application/x-ndjson", "jsonl"),
    "csv": ("text/csv; charset=utf-8", "csv"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    "html": ("text/html; charset=utf-8", "html"),
    "fhir": ("application/fhir+json", "json"),
}


@pytest.fixture
def client(tmp_path):
    with service(tmp_path) as found:
        yield found


def store_of(client):
    return client.app.state.batches.store


def work_off(client, chunks=None):
    """Do what the worker processes do, here."""
    store = store_of(client)
    while chunks != 0 and (claim := store.claim("worker")) is not None:
        store.complete(claim, list(lexicons().analyze_all(claim.records)))
        chunks = None if chunks is None else chunks - 1


def send(client, **options):
    answer = client.post("/v1/batches", content=LINES, headers=NDJSON | options.pop("headers", {}), **options)
    assert answer.status_code == 202
    return answer.json()["id"]


def workbook(rows):
    book, output = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(output)
    return output.getvalue()


def find_in_files(folder, mark):
    """Return the files that hold a mark; asked of another process, since closing SQLite's file here drops its locks."""
    command = ["grep", "--recursive", "--text", "--files-with-matches", "--fixed-strings", mark, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def test_a_mark_in_a_file_is_found(tmp_path):
    (tmp_path / "file").write_bytes(b"\x00\xff xylophonist")
    assert find_in_files(tmp_path, "xylophonist") == [str(tmp_path / "file")]


def problem(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


# sending


def test_a_batch_is_accepted_with_where_to_look(client):
    answer = client.post("/v1/batches", json={"notes": NOTES})
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/batches/{body['id']}"
    assert body["results"] == f"/v1/batches/{body['id']}/results"
    assert (body["state"], body["notes"], body["done"], body["keep_text"]) == ("queued", 3, 0, False)
    assert client.get(answer.headers["location"]).json() == body
    assert json.loads(BatchAnswer.model_validate_json(answer.content).model_dump_json()).keys() == body.keys()


def test_the_examples_of_the_document_are_accepted(client):
    document = client.get("/openapi.json").json()
    bodies = document["paths"]["/v1/batches"]["post"]["requestBody"]["content"]
    examples = {kind: body["example"] for kind, body in bodies.items() if "example" in body}
    assert sorted(examples) == ["application/json", "application/x-ndjson"]
    for kind, example in examples.items():
        content = example if isinstance(example, str) else json.dumps(example)
        answer = client.post("/v1/batches", content=content, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["notes"]) == (202, 1)


TABLE = [["note id", "note", "room"], *([note["id"], note["text"], "4"] for note in NOTES)]
CSV = "\n".join(",".join(f'"{cell}"' for cell in row) for row in TABLE)
DOCUMENTS = [document(note["text"], id=note["id"]) for note in NOTES]
BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in DOCUMENTS]}


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"notes": NOTES}},
        {"json": NOTES},
        {"json": BUNDLE},
        {"content": json.dumps(BUNDLE), "headers": {"Content-Type": "application/fhir+json; charset=utf-8"}},
        {"content": LINES, "headers": NDJSON},
        {"content": "\n".join(map(json.dumps, DOCUMENTS)), "headers": {"Content-Type": "application/fhir+ndjson"}},
        {"content": CSV, "headers": {"Content-Type": "text/csv"}},
        {"files": {"file": ("night.jsonl", LINES)}},
        {"files": {"file": ("night.json", json.dumps({"notes": NOTES}))}},
        {"files": {"file": ("NIGHT.CSV", CSV)}},
        {"files": {"file": ("night.xlsx", workbook(TABLE))}},
        {"files": {"file": ("night", LINES, "application/x-ndjson")}},
    ],
)
def test_every_way_of_sending_gives_the_same_notes(client, request_):
    answer = client.post("/v1/batches", **request_)
    assert answer.status_code == 202
    records = store_of(client).claim("worker").records
    assert [(record.id, record.text) for record in records] == [(note["id"], note["text"]) for note in NOTES]


def test_one_record_is_a_batch(client):
    assert client.post("/v1/batches", json=NOTES[0]).json()["notes"] == 1


def test_fields_of_ones_own_are_handed_through(client):
    client.post("/v1/batches", json=[{"text": TEXT, "room": "4", "extra": {"bed": 2}}])
    assert store_of(client).claim("worker").records[0].extra == (("bed", 2), ("room", "4"))


def test_a_file_name_is_kept_nowhere(client, tmp_path):
    client.post("/v1/batches", files={"file": ("Jane-Doe.csv", CSV + '\n"","",""')})
    for record in store_of(client).claim("worker").records:
        assert record.origin.file == "upload"


def test_a_row_that_cannot_be_read_stops_no_other(client):
    batch_id = client.post("/v1/batches", json=[NOTES[0], {"id": "B-2"}, 7, NOTES[1]]).json()["id"]
    work_off(client)
    lines = client.get(f"/v1/batches/{batch_id}/results").text.splitlines()
    told = [(record["id"], record["status"], record.get("error", {}).get("row")) for record in map(json.loads, lines)]
    assert told == [("A-0", "ok", None), ("B-2", "error", 2), ("note:3", "error", 3), ("A-1", "ok", None)]
    assert client.get(f"/v1/batches/{batch_id}").json()["failed"] == 2


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"json": []}, 422, "no-notes"),
        ({"json": {}}, 422, "no-notes"),
        ({"json": {"notes": []}}, 422, "no-notes"),
        ({"json": {"notes": NOTES, "more": 1}}, 422, "no-readable-notes"),
        ({"json": "a text"}, 422, "no-notes"),
        ({"content": b"null", "headers": {"Content-Type": "application/json"}}, 422, "no-notes"),
        ({"json": {"resourceType": "Patient"}}, 422, "no-notes"),
        ({"json": [{"id": "A-1"}]}, 422, "no-readable-notes"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "bad-json"),
        ({"content": b"\xff\xfe\xfd", "headers": {"Content-Type": "application/json"}}, 400, "bad-encoding"),
        ({"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400, "too-deep"),
        ({"content": b"", "headers": NDJSON}, 422, "no-notes"),
        ({"content": b"no JSON", "headers": NDJSON}, 422, "no-readable-notes"),
        ({"content": b"\x89PNG\r\n\x1a\n", "headers": NDJSON}, 422, "not-text"),
        ({"content": b"text", "headers": {"Content-Type": "image/png"}}, 415, "unsupported-media-type"),
        ({"content": b"text"}, 415, "unsupported-media-type"),
        ({"files": {"file": ("night.pdf", b"%PDF")}}, 415, "unsupported-media-type"),
        ({"files": {"other": ("night.csv", CSV)}}, 400, "no-file"),
        ({"data": {"file": "text"}, "files": {"x": ("a.csv", CSV)}}, 400, "no-file"),
        ({"files": [("file", ("a.csv", CSV)), ("file", ("b.csv", CSV))]}, 400, "bad-form"),
        ({"content": b"text", "headers": {"Content-Type": "multipart/form-data"}}, 400, "bad-form"),
        ({"content": b"text", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400, "bad-form"),
        ({"files": {"file": ("night.xlsx", b"PK\x03\x04 no workbook")}}, 422, "corrupt-file"),
        ({"json": NOTES, "params": {"keep_text": "perhaps"}}, 422, "invalid-request"),
        ({"json": NOTES, "headers": {"Idempotency-Key": "x" * 256}}, 422, "invalid-request"),
    ],
)
def test_what_holds_no_notes_is_refused(client, request_, status, code):
    problem(client.post("/v1/batches", **request_), status, code)
    assert client.get("/v1/batches").json() == {"batches": [], "next": None}


def test_rows_that_cannot_be_read_are_named_without_what_was_sent(client):
    answer = client.post("/v1/batches", json=[{"text": 7}, {"text": TEXT, "date_of_service": "xylophone"}])
    told = problem(answer, 422, "no-readable-notes")
    assert [error["field"] for error in told["errors"]] == ["row 1.text", "row 2.date_of_service"]
    assert "xylophone" not in answer.text


@pytest.mark.parametrize(
    "request_",
    [
        {"json": NOTES},
        {"content": LINES, "headers": NDJSON},
        {"files": {"file": ("a.xlsx", workbook(TABLE))}},
        {"json": BUNDLE},
    ],
)
def test_too_many_notes_are_refused(tmp_path, request_):
    with service(tmp_path, max_batch_notes=2) as client:
        told = problem(client.post("/v1/batches", **request_), 413, "too-many-notes")
    assert told["detail"] == "A batch has at most 2."


def test_a_document_of_very_many_small_values_is_refused_before_it_is_read(tmp_path):
    with service(tmp_path, max_batch_notes=100) as client:
        content = b"[" + b"[]," * 200_000 + b"[]]"
        answer = client.post("/v1/batches", content=content, headers={"Content-Type": "application/json"})
        problem(answer, 413, "too-many-values")


def test_a_large_file_of_a_form_stays_in_memory(client, monkeypatch):
    monkeypatch.setattr(tempfile, "_TemporaryFileWrapper", None)
    monkeypatch.setattr(tempfile, "TemporaryFile", None)  # what a spooled file rolls over to
    lines = LINES * 10_000
    assert len(lines) > 2 * 1024 * 1024
    problem(client.post("/v1/batches", files={"file": ("night.jsonl", lines)}), 413, "too-many-notes")


# the idempotency key


def test_a_repeated_request_gives_the_same_batch(client):
    headers = NDJSON | {"Idempotency-Key": "night-1"}
    first, second = (client.post("/v1/batches", content=LINES, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert ("Idempotent-Replayed" in first.headers, second.headers["Idempotent-Replayed"]) == (False, "true")


def test_a_key_for_another_batch_is_refused(client):
    headers = {"Idempotency-Key": "night-1"}
    send(client, headers=headers)
    answer = client.post("/v1/batches", json=NOTES, headers=headers)
    problem(answer, 422, "idempotency-key-reused")


# looking


def test_a_batch_tells_how_far_it_is(client):
    batch_id = send(client)
    claim = store_of(client).claim("worker")
    assert client.get(f"/v1/batches/{batch_id}").json()["state"] == "running"
    store_of(client).complete(claim, list(lexicons().analyze_all(claim.records)))
    shown = client.get(f"/v1/batches/{batch_id}").json()
    assert (shown["state"], shown["done"], shown["failed"]) == ("done", 3, 0)


def test_batches_are_listed_page_by_page(client):
    ids = [send(client) for _ in range(3)]
    page = client.get("/v1/batches", params={"limit": 2}).json()
    assert ([batch["id"] for batch in page["batches"]], page["next"]) == ([ids[2], ids[1]], ids[1])
    page = client.get("/v1/batches", params={"limit": 2, "before": page["next"]}).json()
    assert ([batch["id"] for batch in page["batches"]], page["next"]) == ([ids[0]], None)


@pytest.mark.parametrize("path", ["/v1/batches/{}", "/v1/batches/{}/results", "/v1/batches?before={}"])
def test_a_batch_that_is_not_there_is_not_found(client, path):
    problem(client.get(path.format("bat_" + "x" * 24)), 404, "unknown-batch")


def test_each_token_sees_its_own_batches_and_admin_all(client):
    tokens = Tokens(client.app.state.service.database)
    scopes = {"a": ["batch"], "b": ["batch"], "boss": ["admin"], "reader": ["read"]}
    headers = {name: {"Authorization": f"Bearer {tokens.create(name, scope)}"} for name, scope in scopes.items()}
    batch_id = send(client, headers=headers["a"])
    seen = {name: client.get(f"/v1/batches/{batch_id}", headers=headers[name]).status_code for name in headers}
    assert seen == {"a": 200, "b": 404, "boss": 200, "reader": 403}
    listed = {
        name: len(client.get("/v1/batches", headers=headers[name]).json()["batches"]) for name in ("a", "b", "boss")
    }
    assert listed == {"a": 1, "b": 0, "boss": 1}
    for method, path in (("DELETE", ""), ("GET", "/results")):
        problem(client.request(method, f"/v1/batches/{batch_id}{path}", headers=headers["b"]), 404, "unknown-batch")
    problem(client.get(f"/v1/batches/{batch_id}"), 401, "unauthorized")


# results


@pytest.mark.parametrize("format", FORMATS)
def test_results_come_as_a_file_of_their_type(client, format):
    batch_id = send(client)
    work_off(client)
    answer = client.get(f"/v1/batches/{batch_id}/results", params={"format": format})
    media_type, suffix = FORMATS[format]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="cuewise-{batch_id}.{suffix}"'
    assert answer.headers["cuewise-results"] == "3/3"


def test_json_lines_are_the_output_records(client):
    batch_id = send(client)
    work_off(client)
    lines = client.get(f"/v1/batches/{batch_id}/results").text.splitlines()
    expected = [
        to_record(lexicons().analyze(Note(note["text"], id=note["id"], extra=(("room", "4"),)))) for note in NOTES
    ]
    assert [json.loads(line) for line in lines] == expected


def test_csv_has_one_header_and_a_row_a_note(client):
    batch_id = client.post("/v1/batches", json=[{"id": str(number), "text": TEXT} for number in range(150)]).json()[
        "id"
    ]
    work_off(client)
    text = client.get(f"/v1/batches/{batch_id}/results", params={"format": "csv"}).text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["id"] for row in rows] == [str(number) for number in range(150)]
    assert {row["status"] for row in rows} == {"ok"}


def test_a_workbook_has_a_row_a_note(client):
    batch_id = send(client)
    work_off(client)
    content = client.get(f"/v1/batches/{batch_id}/results", params={"format": "xlsx"}).content
    rows = list(load_workbook(io.BytesIO(content), read_only=True)["Notes"].values)
    assert [row[0] for row in rows] == ["id", "A-0", "A-1", "A-2"]


def test_fhir_is_a_bundle_that_names_the_batch(client):
    batch_id = send(client)
    work_off(client)
    bundle = client.get(f"/v1/batches/{batch_id}/results", params={"format": "fhir"}).json()
    assert (bundle["resourceType"], bundle["identifier"]["value"]) == ("Bundle", batch_id)


@pytest.mark.parametrize("format", FORMATS)
def test_results_hold_no_text_unless_asked(client, format):
    batch_id = send(client)
    work_off(client)
    content = client.get(f"/v1/batches/{batch_id}/results", params={"format": format}).content
    if format == "xlsx":
        book = load_workbook(io.BytesIO(content), read_only=True)
        content = repr([list(sheet.values) for sheet in book]).encode()
    assert re.findall(b"pictures|phonemic cues", content) == []


def test_results_hold_the_text_when_asked(client):
    batch_id = send(client, params={"keep_text": True})
    work_off(client)
    page = client.get(f"/v1/batches/{batch_id}/results", params={"format": "html"}).text
    assert re.sub("<[^>]+>", "", page).count("pictures with") >= 3


def test_results_of_a_batch_that_is_not_done_are_not_passed_off_as_all(client):
    batch_id = client.post("/v1/batches", json=[{"id": str(number), "text": TEXT} for number in range(40)]).json()["id"]
    work_off(client, chunks=1)
    answer = client.get(f"/v1/batches/{batch_id}/results")
    told = problem(answer, 409, "batch-not-done")
    assert told["detail"] == "32 of 40 notes have a result; partial=true gives them."
    assert answer.headers["retry-after"] == "2"
    answer = client.get(f"/v1/batches/{batch_id}/results", params={"partial": True})
    assert (len(answer.text.splitlines()), answer.headers["cuewise-results"]) == (32, "32/40")


def test_an_unknown_format_is_refused(client):
    problem(client.get(f"/v1/batches/{send(client)}/results", params={"format": "pdf"}), 422, "invalid-request")


# ending


def test_a_cancelled_batch_says_so(client):
    batch_id = send(client)
    assert client.delete(f"/v1/batches/{batch_id}").json()["state"] == "cancelled"
    problem(client.get(f"/v1/batches/{batch_id}/results"), 409, "batch-cancelled")
    assert store_of(client).claim("worker") is None


def test_deleted_results_are_gone(client):
    batch_id = send(client)
    work_off(client)
    assert client.delete(f"/v1/batches/{batch_id}").json()["state"] == "expired"
    problem(client.get(f"/v1/batches/{batch_id}/results"), 410, "batch-expired")


# the trail, the logs, the disk


def test_the_trail_tells_who_sent_what(client):
    batch_id = send(client, headers={"X-Request-ID": "request-1"})
    work_off(client)
    client.get(f"/v1/batches/{batch_id}/results", headers={"X-Request-ID": "request-2"})
    client.delete(f"/v1/batches/{batch_id}", headers={"X-Request-ID": "request-3"})
    with client.app.state.service.database.reading() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    assert [(entry.who, entry.action, json.loads(entry.ids)) for entry in entries] == [
        (
            "local",
            "batch.create",
            {"batch": batch_id, "notes": "3", "note_ids": '["A-0", "A-1", "A-2"]', "request": "request-1"},
        ),
        ("local", "batch.results", {"batch": batch_id, "format": "jsonl", "request": "request-2"}),
        ("local", "batch.delete", {"batch": batch_id, "request": "request-3"}),
    ]
    assert json.loads(entries[0].versions)["lexicons"] == lexicons().analyze(Note("Text.")).versions.lexicons


def test_a_repeated_request_is_in_the_trail_once(client):
    for _ in range(2):
        send(client, headers={"Idempotency-Key": "night-1"})
    with client.app.state.service.database.reading() as session:
        assert session.scalars(select(AuditEntry.action)).all() == ["batch.create"]


@pytest.mark.parametrize("keep_text", [True, False])
def test_nothing_on_the_disk_or_in_a_log_holds_a_mark(tmp_path, caplog, keep_text):
    caplog.set_level(logging.DEBUG)
    mark = "xylophonist"
    rows = [{"text": f"{TEXT} {mark}"}, {"text": 7, "narrative": mark}, {"text": TEXT, "date_of_service": mark}]
    answers = []
    with service(tmp_path) as client:
        options = {"params": {"keep_text": keep_text}, "headers": {"Idempotency-Key": mark}}
        batch_id = client.post("/v1/batches", json=rows, **options).json()["id"]
        answers.append(client.post("/v1/batches", json=[{"text": mark}], **options).text)
        answers.append(client.post("/v1/batches", json=rows[1:]).text)
        work_off(client)
        answers.append(client.get("/metrics").text)
        if not keep_text:
            answers += [client.get(f"/v1/batches/{batch_id}/results?format={format}").text for format in FORMATS]
        assert find_in_files(tmp_path, mark) == []
    assert mark not in caplog.text
    assert [answer for answer in answers if mark in answer] == []


def test_a_service_whose_workers_nobody_looks_after_is_not_ready(client):
    assert client.get("/readyz").json()["lacks"] == []
    client.app.state.batches.workforce.stop()
    assert client.get("/readyz").json()["lacks"] == ["The workers are not looked after."]


def test_what_is_no_id_is_cut_in_the_trail(client):
    client.post("/v1/batches", json=[{"id": "x" * 5000, "text": TEXT}])
    with client.app.state.service.database.reading() as session:
        (ids,) = session.scalars(select(AuditEntry.ids)).all()
    assert json.loads(json.loads(ids)["note_ids"]) == ["x" * 200]


def test_metrics_know_batches(client):
    send(client)
    assert "cuewise_batch_notes_waiting 3.0" in client.get("/metrics").text.splitlines()
