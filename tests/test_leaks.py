"""Marked notes go through every part of the service; then every trace that it leaves is searched for the marks."""

import json
import logging
import sqlite3
import time
import warnings

import pytest
from serving import bundle, document, service

from api.logs import set_up_logs

MARK = "zyxomarkedtext"
TEXT = f"Practiced {MARK} words 50x. Tolerated {MARK} tx well. Continue POC for {MARK}."
HOOK = {"hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}


@pytest.fixture
def run(tmp_path, capfd):
    """Start the service with its own logs at their most talkative, and give what every answer of an error said."""
    log = (tmp_path / "log.jsonl").open("w+", encoding="utf-8")
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    set_up_logs("debug", log)
    (tmp_path / "service").mkdir()
    settings = {"batch_workers": 1, "model": "lexicons", "log_level": "debug"}
    said = []
    with service(tmp_path / "service", **settings) as client:
        client.said, client.folder, client.log = said, tmp_path / "service", log
        client.event_hooks = {"response": [lambda answer: keep(said, answer)]}
        yield client
    logging.captureWarnings(False)
    root.handlers[:], _ = before
    root.setLevel(before[1])
    log.close()


def keep(said, answer):
    answer.read()
    if answer.status_code >= 400 and "text/html" not in answer.headers["content-type"]:
        said.append(answer.text)


def wait_for(client, batch):
    until = time.monotonic() + 60
    while client.get(f"/v1/batches/{batch}").json()["state"] not in ("done", "cancelled"):
        assert time.monotonic() < until, "the batch was not worked off"
        time.sleep(0.05)


def send_marked_notes(client):
    """Send marked notes in every way that there is, those that are refused among them."""
    client.post("/v1/notes:analyze", json={"id": "a", "text": TEXT})
    client.post("/v1/notes:analyze", json=document(TEXT))
    for wrong in (
        {"id": "a", "text": TEXT, "date_of_service": MARK},
        {"id": "a", "text": TEXT, MARK: 1},
        {"id": "a", "text": [TEXT]},
        {"id": "a", "text": TEXT, "minutes": MARK},
        {"id": "a", "text": TEXT * 2000},
        {"id": "a", "text": TEXT, "diagnoses": [{"a": MARK}]},
        {"id": "a", "text": f"{MARK}\ud800"},
        {"resourceType": MARK, "text": TEXT},
        document(TEXT, content=MARK),
        document(content=[{"attachment": {"contentType": MARK, "data": MARK}}]),
    ):
        client.post("/v1/notes:analyze", content=json.dumps(wrong), headers={"Content-Type": "application/json"})
    for broken in (f'{{"text": "{TEXT}"', f'{{"text": "{MARK}\xe9"}}'.encode("latin-1"), f"[{MARK}]"):
        client.post("/v1/notes:analyze", content=broken, headers={"Content-Type": "application/json"})
        client.post("/v1/batches", content=broken, headers={"Content-Type": "application/json"})
        client.post("/v1/batches", content=broken, headers={"Content-Type": "application/x-ndjson"})
    client.get(f"/v1/icd10/{MARK}")
    client.get(f"/v1/rules/{MARK}?family={MARK}")
    client.get(f"/{MARK}?{MARK}={MARK}")
    client.get("/cds-services", headers={"Authorization": f"Bearer {MARK}", "X-Request-ID": f"{MARK}?"})
    context = {"userId": "Practitioner/1", "patientId": "1", "encounterId": "2"}
    sign = HOOK | {"hook": "org.cuewise.note-sign", "context": context | {"note": document(TEXT)}}
    client.post("/cds-services/cuewise-note-sign", json=sign)
    client.post("/cds-services/cuewise-note-sign", json=sign | {"hook": MARK})
    client.post("/cds-services/cuewise-note-sign", json=sign | {"hookInstance": MARK})
    client.post(f"/cds-services/{MARK}", json=sign)
    away = document(content=[{"attachment": {"url": f"https://{MARK}.example/{MARK}"}}])
    discharge = HOOK | {"hook": "encounter-discharge", "context": context}
    client.post("/cds-services/cuewise-encounter-discharge", json=discharge | {"prefetch": {"notes": bundle(away)}})
    client.post("/cds-services/cuewise-encounter-discharge", json=discharge | {"prefetch": {"notes": MARK}})
    feedback = {
        "card": "f6b95768-b1c8-40dc-8385-bf3504b82ffb",
        "outcome": "overridden",
        "overrideReason": {"reason": {"code": MARK, "system": MARK, "display": MARK}, "userComment": TEXT},
        "outcomeTimestamp": "2020-12-11T00:00:00Z",
    }
    client.post("/cds-services/cuewise-note-sign/feedback", json={"feedback": [feedback]})
    client.post("/cds-services/cuewise-note-sign/feedback", json={"feedback": [feedback | {"outcome": MARK}]})
    client.post("/", data={"text": TEXT})
    client.post("/", data={"text": TEXT, "date_of_service": MARK})
    client.post("/sign-in", data={"token": MARK})


def send_marked_batches(client):
    """Send marked batches, kept with and without text; return the one whose text is kept."""
    notes = [{"id": f"n-{number}", "text": TEXT} for number in range(40)] + [
        {"id": "bad", "text": TEXT, "minutes": MARK}
    ]
    plain = client.post("/v1/batches", json={"notes": notes[:-1]}).json()["id"]
    lines = "".join(json.dumps(note) + "\n" for note in notes)
    kept = client.post("/v1/batches?keep_text=true", files={"file": (f"{MARK}.jsonl", lines)}).json()["id"]
    client.post("/v1/batches", files={"file": (f"{MARK}.pdf", TEXT)})
    for batch in (plain, kept):
        wait_for(client, batch)
        for format in ("jsonl", "csv", "xlsx", "html", "fhir"):
            assert client.get(f"/v1/batches/{batch}/results?format={format}").status_code == 200
    return plain, kept


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_trace_holds_a_note(run, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        send_marked_notes(run)
        plain, kept = send_marked_batches(run)
    run.log.seek(0)
    log = run.log.read()
    assert len(run.said) > 20
    traces = {
        "log": log,
        "metrics": run.get("/metrics").text,
        "errors": "\n".join(run.said),
        "standard output and error": "".join(capfd.readouterr()),
        "readiness": run.get("/readyz").text,
        "names of files": "\n".join(files_of(run.folder)),
    }
    assert {name: trace.count(MARK) for name, trace in traces.items()} == dict.fromkeys(traces, 0)
    assert log.count("\n") > 40  # it did speak
    assert {
        name: content.count(MARK.encode()) for name, content in files_of(run.folder).items() if MARK.encode() in content
    } == {}
    assert MARK not in run.get(f"/v1/batches/{plain}/results").text
    assert MARK in run.get(f"/v1/batches/{kept}/results?format=html").text  # as it was asked for


def test_search_for_marks_would_find_one(run):
    """The search works: what is written plainly is found in the very files that are searched."""
    with sqlite3.connect(run.folder / "cuewise.db") as connection:
        connection.execute("CREATE TABLE plain (text TEXT)")
        connection.execute("INSERT INTO plain VALUES (?)", (TEXT,))
    connection.close()
    assert [name for name, content in files_of(run.folder).items() if MARK.encode() in content] != []
    logging.getLogger("api").info("a line about %s", MARK)
    run.log.seek(0)
    assert MARK in run.log.read()
