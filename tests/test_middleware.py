import asyncio
import logging
import threading
import time

import pytest
from serving import lexicons, service
from starlette.testclient import TestClient

from api.errors import Problem
from api.middleware import _Body

NOTE = {"text": "Practiced /r/ words 50x."}
MARKER = "Zebrawood"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with service(tmp_path_factory.mktemp("middleware"), max_note_bytes=2_000) as client:
        yield client


def code(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# Ids and headers


def test_a_request_keeps_the_id_that_it_came_with(client):
    answer = client.get("/healthz", headers={"X-Request-ID": "0f-8fad5b-d9cb"})
    assert answer.headers["x-request-id"] == "0f-8fad5b-d9cb"


@pytest.mark.parametrize("given", ["short", "has blanks in it", "x" * 65, "zebra_wood_1"])
def test_an_id_that_could_be_anything_is_replaced(client, given):
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert (answer.headers["x-request-id"] == given, len(answer.headers["x-request-id"])) == (False, 32)


def test_a_problem_names_the_request(client):
    answer = client.get("/nowhere", headers={"X-Request-ID": "0f-8fad5b-d9cb"})
    assert answer.json()["request_id"] == "0f-8fad5b-d9cb"


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/rules", "/openapi.json"])
def test_every_answer_has_safe_headers(client, path):
    headers = client.get(path).headers
    assert {name: headers.get(name) for name in ("x-content-type-options", "x-frame-options", "cache-control")} == {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
    }
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_transport_security_is_promised_over_tls_alone(client):
    secure = TestClient(client.app, base_url="https://127.0.0.1", client=("127.0.0.1", 1))
    assert secure.get("/healthz").headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in client.get("/healthz").headers


# Who may call from a browser


def test_pages_of_other_origins_are_not_told_that_they_may_read(client):
    headers = client.get("/healthz", headers={"Origin": "https://ehr.example"}).headers
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999"])
def test_what_pages_of_other_origins_send_is_refused(client, origin):
    answer = client.post("/v1/notes:analyze", json=NOTE, headers={"Origin": origin})
    assert code(answer) == (403, "foreign-origin")


def test_what_our_own_pages_send_is_read(client):
    answer = client.post("/v1/notes:analyze", json=NOTE, headers={"Origin": "http://127.0.0.1:8000"})
    assert answer.status_code == 200


def test_an_origin_in_the_settings_may_call(tmp_path):
    with service(tmp_path, cors_origins=("https://ehr.example",)) as client:
        headers = {"Origin": "https://ehr.example"}
        asked = client.options("/v1/notes:analyze", headers=headers | {"Access-Control-Request-Method": "POST"})
        sent = client.post("/v1/notes:analyze", json=NOTE, headers=headers)
        refused = client.post("/v1/notes:analyze", json={}, headers=headers)
        other = client.post("/v1/notes:analyze", json=NOTE, headers={"Origin": "https://evil.example"})
    assert (asked.status_code, sent.status_code, refused.status_code, other.status_code) == (200, 200, 422, 403)
    named = [each.headers.get("access-control-allow-origin") for each in (asked, sent, refused, other)]
    assert named == ["https://ehr.example"] * 3 + [None]


def test_only_the_hosts_in_the_settings_are_answered(tmp_path):
    with service(tmp_path, allowed_hosts=("cuewise.example", "127.0.0.1")) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/healthz", headers={"Host": "Cuewise.example:8000"}).status_code == 200
        assert code(client.get("/healthz", headers={"Host": "evil.example"})) == (421, "unknown-host")


# Bodies


def test_a_body_that_says_it_is_too_large_is_not_read(client):
    answer = client.post("/v1/notes:analyze", json={"text": "x" * 2_000})
    assert code(answer) == (413, "body-too-large")
    assert answer.headers["connection"] == "close"


def test_a_body_that_turns_out_too_large_is_read_no_further(client):
    read = []

    def pieces():
        for number in range(100):
            read.append(number)
            yield b" " * 500

    answer = client.post("/v1/notes:analyze", content=pieces(), headers={"Content-Type": "application/json"})
    assert code(answer) == (413, "body-too-large")


def test_a_packed_body_is_not_unpacked(client):
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = client.post("/v1/notes:analyze", content=b"\x1f\x8b", headers=headers)
    assert code(answer) == (415, "packed-body")


def test_who_has_no_token_cannot_make_the_service_read_a_body(tmp_path):
    with service(tmp_path) as client:
        client.app.state.service.tokens.create("ehr", ["analyze"])
        answer = client.post("/v1/batches", content=b"{" * 1_000_000, headers={"Content-Type": "application/json"})
        assert code(answer) == (401, "unauthorized")


def receive_slowly(*waits_and_sizes):
    messages = iter(waits_and_sizes)

    async def receive():
        wait, size, more = next(messages)
        await asyncio.sleep(wait)
        return {"type": "http.request", "body": b"x" * size, "more_body": more}

    return receive


def read_all(receive, timeout_s):
    async def read():
        body = _Body(receive, {}, 10_000_000, timeout_s)
        while (await body()).get("more_body"):
            pass

    asyncio.run(read())


def test_a_body_that_comes_too_slowly_is_given_up():
    with pytest.raises(Problem) as caught:
        read_all(receive_slowly((0.05, 1, True), (5, 1, False)), 0.1)
    assert (caught.value.status_code, caught.value.code) == (408, "slow-body")


def test_a_large_body_has_more_time():
    read_all(receive_slowly((0, 100_000, True), (0.2, 1, False)), 0.1)


# Time limit


class Slow:
    """An analyzer that waits until it is told to go on."""

    def __init__(self):
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.has_begun = threading.Event()

    def analyze(self, note):
        self.has_begun.set()
        self.may_go_on.wait(20)
        return lexicons().analyze(note)


def test_a_request_that_takes_too_long_is_answered_so(tmp_path):
    slow = Slow()
    with service(tmp_path, slow, request_timeout_s=0.1) as client:
        slow.may_go_on.clear()
        threading.Timer(0.4, slow.may_go_on.set).start()
        assert code(client.post("/v1/notes:analyze", json=NOTE)) == (504, "timeout")
        assert client.get("/healthz").status_code == 200


def test_health_is_told_while_every_place_is_taken(tmp_path):
    slow = Slow()
    with service(tmp_path, slow, analyses_at_once=1, max_waiting=1) as client:
        slow.has_begun.clear()
        slow.may_go_on.clear()
        answers = []
        callers = [
            threading.Thread(target=lambda: answers.append(client.post("/v1/notes:analyze", json=NOTE).status_code))
            for _ in range(3)
        ]
        for caller in callers:
            caller.start()
        until = time.monotonic() + 10
        while not answers and time.monotonic() < until:  # the third is turned away
            time.sleep(0.01)
        assert answers == [503]
        assert client.get("/healthz").status_code == 200
        slow.may_go_on.set()
        for caller in callers:
            caller.join(20)
        assert sorted(answers) == [200, 200, 503]


# What goes wrong


class Broken:
    """An analyzer whose errors quote the note, as a bug might."""

    is_broken = False

    def analyze(self, note):
        if self.is_broken:
            raise RuntimeError(f"cannot read {note.text}")
        return lexicons().analyze(note)


@pytest.fixture
def broken(tmp_path):
    analyzer = Broken()
    with service(tmp_path, analyzer) as client:
        analyzer.is_broken = True
        yield client


def test_a_fault_of_ours_is_told_in_fixed_words(broken):
    answer = broken.post("/v1/notes:analyze", json={"text": MARKER})
    assert code(answer) == (500, "internal")
    assert MARKER not in answer.text


def test_a_fault_of_ours_is_logged_by_type_and_place(broken, caplog):
    caplog.set_level(logging.DEBUG)
    broken.post("/v1/notes:analyze", json={"text": MARKER})
    found = [record.getMessage() for record in caplog.records if record.name == "api.errors"]
    assert [message.partition(" line ")[0] for message in found] == [
        "a request failed: RuntimeError in test_middleware.py,"
    ]
    assert MARKER not in caplog.text


def test_the_log_names_route_status_and_caller_and_never_the_path(client, caplog):
    caplog.set_level(logging.WARNING, "httpx2")  # the client of this test
    caplog.set_level(logging.INFO, "api")
    client.get(f"/v1/rules/{MARKER}", params={"q": MARKER})
    client.get(f"/{MARKER}")
    fields = [record.cuewise_fields for record in caplog.records if record.name == "api.requests"]
    assert [(each["method"], each["route"], each["status"], each["who"]) for each in fields] == [
        ("GET", "/v1/rules/{code}", 404, "local"),
        ("GET", "unknown", 404, None),
    ]
    assert MARKER not in caplog.text + str(fields)


def test_metrics_count_by_route_and_never_by_path(client):
    client.get(f"/v1/rules/{MARKER}")
    client.request(MARKER.upper(), f"/{MARKER}")
    client.post("/v1/notes:analyze", json=NOTE)
    text = client.get("/metrics").text
    assert 'cuewise_requests_total{method="GET",route="/v1/rules/{code}",status="404"}' in text
    assert 'cuewise_requests_total{method="OTHER",route="unknown",status="404"}' in text
    assert 'cuewise_notes_total{kind="treatment",verdict="unskilled"}' in text
    assert MARKER.lower() not in text.lower()
