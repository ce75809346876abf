"""Every route of OpenAPI with what it promises, and with what no caller should send: no 5xx, soon, in little memory."""

import gzip
import io
import json
import re
import time
import tracemalloc
import zipfile
from functools import cache

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import response_schema_conformance
from serving import ADDRESS, document, service

_EXAMPLES = 8  # of each operation
_AT_MOST_S = 5.0
_AT_MOST_BYTES = 300_000_000


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    limits = {"requests_per_minute": 10_000_000, "request_burst": 1_000_000}
    with service(tmp_path_factory.mktemp("service"), **limits) as client:
        yield client


@pytest.fixture(scope="module")
def operations(client):
    """Return every operation of the document, by method and path."""
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json(), config=SchemathesisConfig())
    found = [result.ok() for result in schema.get_all_operations()]
    return {f"{operation.method.upper()} {operation.path}": operation for operation in found}


OPERATIONS = (
    "POST /v1/notes:analyze",
    "GET /v1/rules",
    "GET /v1/rules/{code}",
    "GET /v1/icd10/{code}",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "POST /v1/batches",
    "GET /v1/batches",
    "GET /v1/batches/{id}",
    "DELETE /v1/batches/{id}",
    "GET /v1/batches/{id}/results",
    "GET /cds-services",
    "POST /cds-services/{service_id}",
    "POST /cds-services/{service_id}/feedback",
    "GET /v1/cds-feedback",
)


WITHOUT_PARTS = {("GET /healthz", "negative"), ("GET /readyz", "negative")}


def test_every_operation_is_tried(operations):
    assert sorted(operations) == sorted(OPERATIONS)


def check(client, operation, case):
    """Send a case; the answer is no 5xx, is one that the document names, and keeps to its schema."""
    sent = case.as_transport_kwargs(ADDRESS)
    prepared = requests.Request(**{name: value for name, value in sent.items() if name != "cookies"}).prepare()
    content = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    answer = client.request(prepared.method, prepared.url, content=content, headers=dict(prepared.headers))
    told = operation.definition.raw["responses"]
    assert answer.status_code < 500, (case.method, case.path, answer.status_code, answer.text)
    # 405, and 404 of a path that is none of ours, are the framework's own
    assert str(answer.status_code) in told or answer.status_code in (404, 405), answer.status_code
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.status_code >= 400:
        assert kind == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
    else:
        assert kind in told[str(answer.status_code)]["content"]
        case.validate_response(Response.from_httpx(answer, verify=False), checks=[response_schema_conformance])


@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
@pytest.mark.parametrize("name", OPERATIONS)
def test_generated_requests_get_an_answer_of_the_document(client, operations, name, mode):
    operation = operations[name]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case):
        check(client, operation, case)

    try:
        send()
    except Unsatisfiable:  # nothing can be wrong with a request without parts
        assert (name, mode.value) in WITHOUT_PARTS


def test_examples_of_the_document_are_true(client, operations):
    """Every example of a body gets the answer of success that the document promises."""
    shown = client.get("/openapi.json").json()["paths"]
    for path, methods in shown.items():
        for method, operation in methods.items():
            for kind, media in operation.get("requestBody", {}).get("content", {}).items():
                examples = [media["example"]] if "example" in media else []
                examples += [example["value"] for example in media.get("examples", {}).values()]
                for example in examples:
                    content = example if isinstance(example, str) else json.dumps(example)
                    address = path.replace("{service_id}", "cuewise-note-sign")
                    answer = client.request(method, address, content=content, headers={"Content-Type": kind})
                    assert answer.status_code in (200, 202), (path, answer.text)


# What no caller should send


def nested(depth, opening="[", closing="]"):
    return (opening * depth + closing * depth).encode()


@cache
def bomb(name, n_bytes):
    """Return a ZIP archive with one member that unpacks to so many zeros."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(name, "w", force_zip64=True) as member:
            for _ in range(n_bytes // 1_000_000):
                member.write(bytes(1_000_000))
        archive.writestr("[Content_Types].xml", "<Types/>")
    return held.getvalue()


BODIES = {
    "empty": b"",
    "no JSON": b"{",
    "deep arrays": nested(100_000),
    "deep objects": nested(100_000, '{"a":', "}").replace(b"}", b"1}", 1),
    "deep in a field": b'{"id": "a", "text": ' + nested(50_000) + b"}",
    "deep in an extension": b'{"resourceType": "DocumentReference", "extension": ' + nested(50_000) + b"}",
    "UTF-8 cut short": b'{"text": "caf\xc3"}',
    "Latin-1": b'{"text": "caf\xe9"}',
    "UTF-16": '{"text": "Seen."}'.encode("utf-16"),
    "lone surrogate": b'{"text": "a\\ud800"}',
    "NUL": b'{"text": "\x00"}',
    "huge number": b'{"text": "Seen.", "minutes": ' + b"9" * 100_000 + b"}",
    "huge exponent": b'{"text": "Seen.", "ytd_pt_slp_allowed": 1e999999}',
    "many names": json.dumps({f"name{i}": i for i in range(50_000)}).encode(),
    "long name": b'{"' + b"a" * 1_000_000 + b'": 1}',
    "a list": b"[1, 2, 3]",
    "a word": b'"text"',
    "null": b"null",
    "wrong types": b'{"id": [], "text": {}, "date_of_service": 7, "minutes": "x", "diagnoses": 3, "claim_lines": "a"}',
    "text too long": json.dumps({"text": "a" * 1_000_000}).encode(),
    "body too large": b'{"text": "' + b"a" * 5_000_000 + b'"}',
    "packed": gzip.compress(bytes(10_000_000)),
}
ADDRESSES = (
    "/v1/notes:analyze",
    "/v1/batches",
    "/cds-services/cuewise-note-sign",
    "/cds-services/cuewise-note-sign/feedback",
)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("name", BODIES)
def test_hostile_body_is_refused_soon(client, address, name):
    began = time.perf_counter()
    answer = client.post(address, content=BODIES[name], headers={"Content-Type": "application/json"})
    assert time.perf_counter() - began < _AT_MOST_S
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
def test_packed_body_is_not_unpacked(client, encoding):
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    assert client.post("/v1/notes:analyze", content=gzip.compress(bytes(1_000_000)), headers=headers).status_code == 415


@pytest.mark.parametrize("name", ["note.docx", "notes.xlsx", "notes.parquet", "notes.csv", "notes.json"])
def test_zip_bomb_is_refused_soon(client, name):
    content = bomb("xl/workbook.xml" if name.endswith("xlsx") else "word/document.xml", 300_000_000)
    tracemalloc.start()
    began = time.perf_counter()
    answer = client.post("/v1/batches", files={"file": (name, content)})
    seconds, (_, peak) = time.perf_counter() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 400 <= answer.status_code < 500, answer.text
    assert (seconds < _AT_MOST_S, peak < _AT_MOST_BYTES) == (True, True)


def test_entities_of_a_document_are_not_expanded(client):
    laughs = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "&l{n - 1};&l{n - 1};">' for n in range(1, 60))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("word/document.xml", f'<?xml version="1.0"?><!DOCTYPE d [{laughs}]><d>&l59;</d>')
    answer = client.post("/v1/batches", files={"file": ("note.docx", held.getvalue())})
    assert 400 <= answer.status_code < 500


def test_attachment_that_is_no_text_is_refused_soon(client):
    attachment = {"contentType": "text/plain; charset=zip", "data": "AAAA" * 100_000}
    body = {
        "hook": "org.cuewise.note-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "a", "patientId": "b", "note": document(content=[{"attachment": attachment}])},
    }
    assert client.post("/cds-services/cuewise-note-sign", json=body).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/v1/icd10/%00",
        "/v1/icd10/" + "9" * 10_000,
        "/v1/rules/..%2f..%2fetc%2fpasswd",
        "/v1/batches/%F0%9F%92%A3",
        "/v1/batches/'%20OR%201=1--",
        "/cds-services/%2e%2e",
        "/rules/%3Cscript%3E",
        "/assets/a/..%2f..%2f__init__.py",
        "/v1/icd10/R47.01?date=%00",
        "/v1/batches?limit=99999999999999999999",
        "/v1/batches?before=" + "a" * 5000,
    ],
)
def test_hostile_path_is_refused(client, path):
    answer = client.get(path)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=20,
)
_FIELDS = [
    *("id", "text", "patient_id", "date_of_service", "minutes", "diagnoses", "claim_lines", "plan_of_care", "notes"),
    *("resourceType", "content", "section", "status", "entry", "hook", "hookInstance", "context", "prefetch"),
    *("feedback", "card", "outcome", "outcomeTimestamp", "overrideReason"),
]


@pytest.mark.parametrize("address", ADDRESSES)
@settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(body=st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=8))
def test_any_json_gets_an_answer(client, address, body):
    answer = client.post(address, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code < 500


@pytest.mark.parametrize("address", ADDRESSES)
@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=2000))
def test_any_bytes_get_an_answer(client, address, body):
    assert client.post(address, content=body, headers={"Content-Type": "application/json"}).status_code < 500


@settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(max_size=300), day=st.text(max_size=12), minutes=st.text(max_size=8))
def test_anything_typed_into_the_page_gets_a_page(client, text, day, minutes):
    fields = {"text": text, "date_of_service": day, "minutes": minutes}
    answer = client.post("/", data={name: value.encode("utf-8", "replace") for name, value in fields.items()})
    assert answer.status_code in (200, 422)
    assert re.match("<!doctype html>", answer.text)
