import re
from datetime import UTC, datetime, timedelta

import pytest
from serving import service
from sqlalchemy import update
from starlette.testclient import TestClient

from api.auth import SCOPES, ApiToken, Caller, Tokens, require
from api.database import Database
from api.migrations import upgrade

NOTE = {"text": "Practiced /r/ words 50x."}


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'tokens.db'}")
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def tokens(database):
    return Tokens(database)


@pytest.fixture
def client(tmp_path):
    with service(tmp_path) as client:
        yield client


def tokens_of(client):
    return client.app.state.service.tokens


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# Tokens


def test_a_token_is_found_with_its_name_and_scopes(tokens):
    made = tokens.create("ehr", ["read", "analyze"])
    assert re.fullmatch(r"cw_[0-9a-f]{12}_[0-9A-Za-z_-]{43}", made)
    assert tokens.find(made) == Caller("token:ehr", frozenset({"analyze", "read"}), made[3:15])


def test_the_secret_is_not_in_the_database(tokens, database, tmp_path):
    made = tokens.create("ehr", ["read"])
    database.close()
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert [made[16:].encode() in content for content in files] == [False] * len(files)


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made[:-1] + ("A" if made[-1] != "A" else "B"),
        lambda made: "cw_000000000000" + made[15:],
        lambda made: made[3:],
        lambda made: made + "A",
        lambda made: "",
        lambda made: "ü" * 59,
    ],
)
def test_another_token_is_not_found(tokens, change):
    assert tokens.find(change(tokens.create("ehr", ["read"]))) is None


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_revoked_token_is_not_found(tokens, by):
    made = tokens.create("ehr", ["read"])
    assert tokens.revoke({"id": made[3:15], "name": "ehr"}[by]).name == "ehr"
    assert tokens.find(made) is None


def test_a_token_past_its_time_is_not_found(tokens, database):
    made = tokens.create("ehr", ["read"], days=30)
    assert tokens.find(made) is not None
    with database.session() as session:
        session.execute(update(ApiToken).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert tokens.find(made) is None


def test_days_say_when_a_token_is_void(tokens):
    tokens.create("ehr", ["read"], days=30)
    (token,) = tokens.all()
    assert token.expires_at - token.created_at == timedelta(days=30)


@pytest.mark.parametrize(
    ("name", "scopes"),
    [("", ["read"]), ("a\nb", ["read"]), ("x" * 61, ["read"]), ("ehr", []), ("ehr", ["read", "zebra"])],
)
def test_a_token_without_a_right_name_or_scope_is_refused(tokens, name, scopes):
    with pytest.raises(ValueError):  # noqa: PT011 - the class is what is promised
        tokens.create(name, scopes)
    assert tokens.all() == []


def test_a_name_is_taken_once_and_for_all(tokens):
    tokens.create("ehr", ["read"])
    tokens.revoke("ehr")
    with pytest.raises(ValueError, match="a token of that name is on record"):
        tokens.create("ehr", ["read"])


def test_revoking_what_is_not_there_is_an_error(tokens):
    with pytest.raises(LookupError):
        tokens.revoke("ehr")


def test_a_revoked_token_keeps_the_service_closed(tokens):
    assert tokens.exist() is False
    tokens.create("ehr", ["read"])
    tokens.revoke("ehr")
    assert tokens.exist() is True


def test_a_scope_that_does_not_exist_cannot_be_required():
    with pytest.raises(ValueError, match="there is no scope zebra"):
        require("zebra")


# Without tokens


def test_without_tokens_this_machine_may_call(client):
    assert client.post("/v1/notes:analyze", json=NOTE).status_code == 200


def test_without_tokens_another_machine_may_not(client):
    other = TestClient(client.app, base_url="http://127.0.0.1:8000", client=("192.0.2.7", 50000))
    answer = other.post("/v1/notes:analyze", json=NOTE)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_without_tokens_a_name_that_leads_here_may_not(client):
    answer = client.post("/v1/notes:analyze", json=NOTE, headers={"Host": "rebound.example"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


# With tokens


def test_once_there_is_a_token_calls_need_one(client):
    tokens_of(client).create("ehr", ["analyze"])
    answer = client.post("/v1/notes:analyze", json=NOTE)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="cuewise"'


def test_a_token_lets_its_caller_in(client):
    token = tokens_of(client).create("ehr", ["analyze"])
    assert client.post("/v1/notes:analyze", json=NOTE, headers=bearer(token)).status_code == 200


def test_a_token_lets_its_caller_in_from_everywhere(client):
    token = tokens_of(client).create("ehr", ["analyze"])
    other = TestClient(client.app, base_url="http://cuewise.example", client=("192.0.2.7", 50000))
    assert other.post("/v1/notes:analyze", json=NOTE, headers=bearer(token)).status_code == 200


def test_a_token_may_come_in_the_cookie_of_the_pages(client):
    token = tokens_of(client).create("page", ["read"])
    client.cookies.set("cuewise_token", token)
    assert client.get("/v1/rules").status_code == 200


@pytest.mark.parametrize("written", ["zebra", "Bearer zebra", "Basic cw_", "Bearer", ""])
def test_a_wrong_token_is_refused(client, written):
    answer = client.post("/v1/notes:analyze", json=NOTE, headers={"Authorization": written})
    assert (answer.status_code, "zebra" in answer.text) == (401, False)
    assert answer.headers["www-authenticate"] == 'Bearer realm="cuewise", error="invalid_token"'


def test_a_token_without_the_scope_is_told_which_it_needs(client):
    token = tokens_of(client).create("reader", ["read"])
    answer = client.post("/v1/notes:analyze", json=NOTE, headers=bearer(token))
    assert (answer.status_code, answer.json()["detail"]) == (403, "It needs the scope analyze.")
    assert 'error="insufficient_scope", scope="analyze"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/v1/rules", "/v1/icd10/R47.01", "/metrics"])
def test_rules_codes_and_metrics_need_the_scope_read(client, path):
    tokens = tokens_of(client)
    statuses = {scope: client.get(path, headers=bearer(tokens.create(scope, [scope]))).status_code for scope in SCOPES}
    assert statuses == {"analyze": 403, "batch": 403, "read": 200, "admin": 200}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(client, path):
    tokens_of(client).create("ehr", ["analyze"])
    assert client.get(path).status_code == 200


def test_a_token_is_revoked_while_the_service_runs(client):
    token = tokens_of(client).create("ehr", ["read"])
    before = client.get("/v1/rules", headers=bearer(token)).status_code
    tokens_of(client).revoke("ehr")
    assert (before, client.get("/v1/rules", headers=bearer(token)).status_code) == (200, 401)


def test_the_trail_names_the_caller_by_the_token(client):
    token = tokens_of(client).create("ehr", ["analyze"])
    client.post("/v1/notes:analyze", json=NOTE | {"id": "A-17"}, headers=bearer(token))
    with client.app.state.service.database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT who, action FROM audit_entry").fetchall()
    assert found == [("command line", "token.create"), ("token:ehr", "note.analyze")]


def test_tokens_cannot_be_guessed_at_speed(tmp_path):
    with service(tmp_path, request_burst=3, requests_per_minute=1) as client:
        token = tokens_of(client).create("ehr", ["read"])
        guesses = [client.get("/v1/rules", headers=bearer("zebra")).status_code for _ in range(4)]
        assert guesses == [401, 401, 401, 429]
        assert client.get("/v1/rules", headers=bearer(token)).status_code == 200


def test_each_caller_has_a_rate_limit_of_their_own(tmp_path):
    with service(tmp_path, request_burst=2, requests_per_minute=1) as client:
        one, other = (tokens_of(client).create(name, ["read"]) for name in ("one", "other"))
        answers = [client.get("/v1/rules", headers=bearer(one)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert (answers[2].json()["code"], answers[2].headers["retry-after"]) == ("too-many-requests", "60")
        assert client.get("/v1/rules", headers=bearer(other)).status_code == 200
