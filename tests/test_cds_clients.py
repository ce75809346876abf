"""Signed tokens of CDS clients: the specification's own example, and every way in which a token is not good."""

import base64
import http.server
import json
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from api import cds_clients
from api.cds_clients import Client, KeysError, TokenError, UsedToken, Verifier, is_safe_address
from api.database import Base, Database

ISSUER = "https://fhir-ehr.example.com/"
ENDPOINT = "https://cds.example.org/cds-services/some-service"
NOW = 1_800_000_000

# CDS Hooks 2.0, "Trusting CDS Clients": the example of a JWK Set and of the token signed with its key.
SPEC_KEY = {
    "kty": "EC",
    "use": "sig",
    "crv": "P-384",
    "kid": "example-kid",
    "x": "46SDH7Znh821wblCBglA61sNE9ZrHYKKt3qRtRTmSXyOI_FIGBLWrWa0GPUkDCEk",
    "y": "XMcRuuoGW7CXjQdy-F5i3FeBE0x9hPLdeFdSoDd3ELmx404tLX0VRRcqzAsPhXcI",
    "alg": "ES384",
}
SPEC_TOKEN = (
    "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCIsImtpZCI6ImV4YW1wbGUta2lkIiwiamt1IjoiaHR0cHM6Ly9maGlyLWVoci5leGFtcGxlLmNvbS9q"
    "d2tfdXJpIn0.eyJpc3MiOiJodHRwczovL2ZoaXItZWhyLmV4YW1wbGUuY29tLyIsInN1YiI6ImNsaWVudF9pZCIsImF1ZCI6Imh0dHBzOi8vY2Rz"
    "LmV4YW1wbGUub3JnL2Nkcy1zZXJ2aWNlcy9zb21lLXNlcnZpY2UiLCJleHAiOjE0MjI1Njg4NjAsImlhdCI6MTMxMTI4MDk3MCwianRpIjoiZWUy"
    "MmIwMjEtZTFiNy00NjExLWJhNWItOGVlYzZhMzNhYzFlIiwidGVuYW50IjoiMmRkZDZjM2EtOGU5YS00NGM2LWEzMDUtNTIxMTFhZDMwMmEyIn0."
    "CUFPkplnWd6YGIvzoHolWCQBDsCL8QtTWKGg_QFpS169WrqDGzktRi-_we6-6rVzbjerU27ZKww_SW0-b9RTz-dPJNcqsueMio8r6EqXUXhbLm_"
    "ch3XFSbDlGHDl_tqo"
)
PRIVATE = ec.generate_private_key(ec.SECP384R1())


def public_key(private, kid, algorithm):
    return json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(private.public_key())) | {"kid": kid, "use": "sig"}


def claims(**changes):
    values = {"iss": ISSUER, "aud": ENDPOINT, "exp": NOW + 300, "iat": NOW, "jti": "a-1"} | changes
    return {name: value for name, value in values.items() if value is not None}


def sign(key=PRIVATE, algorithm="ES384", headers=None, **changes):
    return jwt.encode(claims(**changes), key, algorithm, {"kid": "one", "typ": "JWT"} | (headers or {}))


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'cds.db'}")
    Base.metadata.create_all(database.engine, [UsedToken.__table__])
    yield database
    database.close()


@pytest.fixture
def verifier(tmp_path, database):
    keys = [public_key(PRIVATE, "one", "ES384"), public_key(PRIVATE, "two", "ES384")]
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": keys}))
    return Verifier([Client(ISSUER, str(path))], database, clock=lambda: NOW)


def test_token_of_a_known_client_is_good(verifier):
    assert verifier.verify(sign(), ENDPOINT) == ISSUER


def test_audience_may_be_a_list(verifier):
    assert verifier.verify(sign(aud=["https://other.example", ENDPOINT]), ENDPOINT) == ISSUER


def test_signature_of_the_specifications_example_is_checked(tmp_path, database):
    (tmp_path / "spec.json").write_text(json.dumps({"keys": [SPEC_KEY]}))
    client = Client(ISSUER, str(tmp_path / "spec.json"))
    # The example names an address of keys (jku) that this client was not configured with.
    with pytest.raises(TokenError, match="another JWK Set"):
        Verifier([client], database, clock=lambda: 1_400_000_000).verify(SPEC_TOKEN, ENDPOINT)


def test_the_specifications_example_fails_only_by_its_lifetime(tmp_path, database, monkeypatch):
    monkeypatch.setattr(cds_clients, "_fetch", lambda address: json.dumps({"keys": [SPEC_KEY]}).encode())
    client = Client(ISSUER, "https://fhir-ehr.example.com/jwk_uri")
    verifier = Verifier([client], database, clock=lambda: 1_400_000_000)
    with pytest.raises(TokenError, match="good for too long"):
        verifier.verify(SPEC_TOKEN, ENDPOINT)
    lenient = Verifier([client], database, clock=lambda: 1_400_000_000, lifetime_s=10**9)
    assert lenient.verify(SPEC_TOKEN, ENDPOINT) == ISSUER


def flip(token):
    head, body, signature = token.split(".")
    return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def unsigned(header, **changes):
    parts = [header, claims(**changes)]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "not a JSON Web Token"),
        ("a.b.c", "not a JSON Web Token"),
        ("x" * 9000, "too long"),
        (sign(iss="https://stranger.example"), "issuer is not known"),
        (sign(iss=None), "issuer is not known"),
        (sign(headers={"typ": "at+jwt"}), "type JWT"),
        (sign(headers={"kid": "nine"}), "no such key"),
        (unsigned({"alg": "ES384", "typ": "JWT"}), "names no key"),
        (sign(headers={"jku": "https://evil.example/jwks"}), "another JWK Set"),
        (sign(aud="https://cds.example.org/cds-services/other"), "another endpoint"),
        (sign(aud=None), "must have"),
        (sign(jti=None), "must have"),
        (sign(iat=None), "must have"),
        (sign(exp=None), "must have"),
        (sign(exp=NOW - 61, iat=NOW - 300), "expired"),
        (sign(iat=NOW + 61, exp=NOW + 300), "in the future"),
        (sign(nbf=NOW + 61), "in the future"),
        (sign(exp=NOW + 3601), "for too long"),
        (sign(jti=7), "must be a string|form is not good"),
        (sign(jti=""), "must be a string"),
        (sign(exp="soon"), "must be a number|form is not good"),
        (flip(sign()), "signature"),
        (sign(ec.generate_private_key(ec.SECP384R1())), "signature"),
        (sign(ec.generate_private_key(ec.SECP256R1()), "ES256"), "algorithm is not that|cannot be used|signature"),
        (sign(rsa.generate_private_key(65537, 2048), "RS256"), "algorithm is not that|cannot be used"),
        (sign("a shared secret of thirty-two or more bytes", "HS256"), "must be signed with one of"),
        (unsigned({"alg": "none", "typ": "JWT", "kid": "one"}), "must be signed with one of"),
    ],
)
def test_token_is_refused(verifier, token, says):
    with pytest.raises(TokenError, match=says):
        verifier.verify(token, ENDPOINT)


def test_public_key_as_a_shared_secret_is_refused(verifier):
    pem = b"-----BEGIN PUBLIC KEY-----"
    header, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "HS384", "typ": "JWT", "kid": "one"}, claims())
    )
    signature = base64.urlsafe_b64encode(pem).decode().rstrip("=")
    with pytest.raises(TokenError, match="must be signed with one of"):
        verifier.verify(f"{header}.{body}.{signature}", ENDPOINT)


def test_token_is_good_for_one_call(verifier):
    token = sign()
    verifier.verify(token, ENDPOINT)
    with pytest.raises(TokenError, match="used before"):
        verifier.verify(token, ENDPOINT)
    assert verifier.verify(sign(jti="a-2"), ENDPOINT) == ISSUER


def test_another_process_refuses_a_used_token(verifier, tmp_path, database):
    token = sign()
    verifier.verify(token, ENDPOINT)
    other = Verifier([Client(ISSUER, str(tmp_path / "jwks.json"))], database, clock=lambda: NOW)
    with pytest.raises(TokenError, match="used before"):
        other.verify(token, ENDPOINT)


def test_refused_token_uses_up_nothing(verifier):
    with pytest.raises(TokenError, match="another endpoint"):
        verifier.verify(sign(), "https://cds.example.org/cds-services/other")
    assert verifier.verify(sign(), ENDPOINT) == ISSUER


def test_used_ids_are_forgotten_once_they_have_expired(tmp_path, verifier, database):
    verifier.verify(sign(), ENDPOINT)
    later = NOW + 1000
    other = Verifier([Client(ISSUER, str(tmp_path / "jwks.json"))], database, clock=lambda: later)
    other.verify(sign(jti="a-2", iat=later, exp=later + 60), ENDPOINT)
    with database.reading() as session:
        assert session.query(UsedToken).count() == 1


@pytest.mark.parametrize(
    ("private", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), "RS384"),
        (rsa.generate_private_key(65537, 2048), "PS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
)
def test_asymmetric_algorithms_are_taken(tmp_path, database, private, algorithm):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [public_key(private, "one", algorithm)]}))
    verifier = Verifier([Client(ISSUER, str(path))], database, clock=lambda: NOW)
    assert verifier.verify(sign(private, algorithm), ENDPOINT) == ISSUER


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_short_rsa_key_is_refused(tmp_path, database):
    private = rsa.generate_private_key(65537, 1024)
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [public_key(private, "one", "RS384")]}))
    verifier = Verifier([Client(ISSUER, str(path))], database, clock=lambda: NOW)
    with pytest.raises(TokenError, match="2048 bits"):
        verifier.verify(sign(private, "RS384"), ENDPOINT)


def test_error_repeats_nothing_of_the_token(verifier):
    for token in (sign(iss="https://marked.example"), sign(aud="https://marked.example"), sign(jti="marked") + "x"):
        with pytest.raises(TokenError) as raised:
            verifier.verify(token, ENDPOINT)
        assert "marked" not in str(raised.value)


@pytest.fixture
def key_server():
    """Serve a JWK Set on this machine, and count how often it is asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked += 1
            if server.redirect:
                self.send_response(302)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                return
            self.send_response(server.status)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": server.keys}).encode())

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.status, server.redirect = 0, 200, False
    server.keys = [public_key(PRIVATE, "one", "ES384")]
    server.address = f"http://127.0.0.1:{server.server_port}/jwks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def served(key_server, database):
    return Verifier([Client(ISSUER, key_server.address)], database, clock=lambda: NOW)


def test_keys_are_asked_for_once(key_server, database):
    verifier = served(key_server, database)
    for number in range(3):
        verifier.verify(sign(jti=f"a-{number}"), ENDPOINT)
    assert key_server.asked == 1


def test_jku_may_name_the_configured_address(key_server, database):
    token = sign(headers={"jku": key_server.address})
    assert served(key_server, database).verify(token, ENDPOINT) == ISSUER


def test_new_key_is_asked_for_but_not_at_every_call(key_server, database, monkeypatch):
    verifier = served(key_server, database)
    verifier.verify(sign(), ENDPOINT)
    key_server.keys = [public_key(PRIVATE, "two", "ES384")]
    token = sign(headers={"kid": "two"}, jti="a-2")
    with pytest.raises(TokenError, match="no such key"):
        verifier.verify(token, ENDPOINT)
    assert key_server.asked == 1
    later = time.monotonic() + 31
    monkeypatch.setattr(cds_clients.time, "monotonic", lambda: later)
    assert verifier.verify(token, ENDPOINT) == ISSUER
    assert key_server.asked == 2


def test_known_keys_serve_while_the_server_does_not_answer(key_server, database, monkeypatch):
    verifier = served(key_server, database)
    verifier.verify(sign(), ENDPOINT)
    key_server.status = 500
    start = time.monotonic()
    monkeypatch.setattr(cds_clients.time, "monotonic", lambda: start + 4000)
    assert verifier.verify(sign(jti="a-2"), ENDPOINT) == ISSUER
    monkeypatch.setattr(cds_clients.time, "monotonic", lambda: start + 90_000)
    with pytest.raises(KeysError):
        verifier.verify(sign(jti="a-3"), ENDPOINT)


@pytest.mark.parametrize("fault", ["status", "redirect", "keys"])
def test_keys_that_cannot_be_had_are_told_apart_from_a_bad_token(key_server, database, fault):
    setattr(key_server, fault, {"status": 404, "redirect": True, "keys": None}[fault])
    with pytest.raises(KeysError):
        served(key_server, database).verify(sign(), ENDPOINT)


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [
        ("https://ehr.example/jwks", True),
        ("http://127.0.0.1:1/jwks", True),
        ("http://localhost/jwks", True),
        ("http://ehr.example/jwks", False),
        ("file:///etc/passwd", False),
        ("ftp://ehr.example/jwks", False),
        ("https://", False),
    ],
)
def test_keys_come_encrypted_or_from_this_machine(address, is_safe):
    assert is_safe_address(address) is is_safe
