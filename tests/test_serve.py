"""The service as a process: how it starts, where it listens, how it stops; and the commands around it."""

import datetime
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from ipaddress import ip_address

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from analyzer.cli import cli
from api.auth import SCOPES

CUEWISE = [sys.executable, "-m", "analyzer.cli"]
NOTE = json.dumps({"id": "A-17", "text": "Practiced /r/ words 50x. Zebrawood."})
JSON = {"Content-Type": "application/json"}


def environment_of(folder):
    mine = {name: value for name, value in os.environ.items() if not name.startswith("CUEWISE_")}
    return mine | {"CUEWISE_DATA_DIR": str(folder / "data")}


@pytest.fixture
def environment(tmp_path):
    """Return the environment of a service of its own."""
    return environment_of(tmp_path)


def run(environment, *args):
    return CliRunner().invoke(cli, args, env=environment)


class Served:
    """A running service, its address and its log."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        address = self._wait()
        self.scheme, _, place = address.partition("://")
        self.host, _, port = place.rpartition(":")
        self.port = int(port)

    def _read(self):
        self.lines.extend(json.loads(line) for line in self.process.stderr)

    def _wait(self):
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            for line in list(self.lines):
                if line["message"].startswith("listening on "):
                    return line["message"].removeprefix("listening on ")
            time.sleep(0.01)
        raise AssertionError("the service did not start")

    def ask(self, method, path, body=None, headers=None, context=None):
        kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=20, **({"context": context} if context else {}))
        connection.request(method, path, body, {**(JSON if body else {}), **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def stop(self, with_signal=signal.SIGTERM):
        self.process.send_signal(with_signal)
        self.process.wait(30)
        self._thread.join(10)
        return [line["message"] for line in self.lines]


@contextmanager
def serving(environment, *args):
    command = [*CUEWISE, "serve", "--port", "0", "--model", "lexicons", "--workers", "0", *args]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Served(process)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
        process.stderr.close()


@pytest.fixture(scope="module")
def open_service(tmp_path_factory):
    """Start a service without tokens that was told to listen everywhere."""
    with serving(environment_of(tmp_path_factory.mktemp("open")), "--host", "0.0.0.0") as served:
        yield served


def test_without_tokens_only_this_machine_is_served_and_told_so(open_service):
    assert open_service.host == "127.0.0.1"
    assert open_service.ask("POST", "/v1/notes:analyze", NOTE)[0] == 200
    said = [line["message"] for line in open_service.lines if line["logger"] == "api.serve"]
    assert said[0] == (
        "There are no API tokens, so only this machine is served, on 127.0.0.1. cuewise token create makes one."
    )


def test_with_a_token_every_address_may_be_served(environment):
    token = run(environment, "token", "create", "ehr", "--scope", "analyze").stdout.strip()
    with serving(environment, "--host", "0.0.0.0") as served:
        assert served.host == "0.0.0.0"
        served.host = "127.0.0.1"
        assert served.ask("POST", "/v1/notes:analyze", NOTE)[0] == 401
        assert served.ask("POST", "/v1/notes:analyze", NOTE, {"Authorization": f"Bearer {token}"})[0] == 200


def test_ctrl_c_ends_it_in_order(environment):
    with serving(environment) as served:
        served.ask("POST", "/v1/notes:analyze", NOTE)
        messages = served.stop(signal.SIGINT)
    assert (served.process.returncode, messages[-3:-1]) == (0, ["stopping", "Application shutdown complete."])
    assert "Zebrawood" not in json.dumps(served.lines)


def test_a_request_under_way_is_answered_before_it_ends(environment):
    with serving(environment) as served:
        connection = socket.create_connection((served.host, served.port))
        body = NOTE.encode()
        head = f"POST /v1/notes:analyze HTTP/1.1\r\nHost: {served.host}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
        time.sleep(0.2)
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.sendall(body[10:])
        with connection, connection.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        assert served.stop()[-3:-1] == ["stopping", "Application shutdown complete."]


def test_what_is_no_http_is_refused_without_repeating_it(open_service):
    with socket.create_connection((open_service.host, open_service.port)) as connection:
        connection.sendall(b"ZEBRAWOOD zebrawood zebrawood\r\n\r\n")
        with connection.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 400 Bad Request\r\n"
    assert "zebrawood" not in json.dumps(open_service.lines).lower()


def test_a_head_that_never_ends_is_given_up(open_service):
    with socket.create_connection((open_service.host, open_service.port), timeout=20) as connection:
        with suppress(ConnectionError):
            connection.sendall(b"GET / HTTP/1.1\r\n" + (b"X-Zebra: " + b"z" * 10_000 + b"\r\n") * 20)
        with suppress(ConnectionError):
            assert connection.recv(100) == b""
    assert open_service.ask("GET", "/healthz")[0] == 200


def test_an_address_that_is_taken_is_told(environment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            [*CUEWISE, "serve", "--port", str(taken.getsockname()[1])],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "Error: Reading or writing failed: Address already in use.",
    )


def make_certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cuewise.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def test_tls_is_served_directly(environment, tmp_path):
    make_certificate(tmp_path)
    settings = tmp_path / "service.toml"
    settings.write_text('tls_cert = "cert.pem"\ntls_key = "key.pem"\n')
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with serving(environment, "--settings", str(settings)) as served:
        assert served.scheme == "https"
        assert served.ask("POST", "/v1/notes:analyze", NOTE, context=context)[0] == 200


def test_wrong_settings_are_told(environment, tmp_path):
    settings = tmp_path / "service.toml"
    settings.write_text("prot = 1\n")
    done = run(environment, "serve", "--settings", str(settings))
    assert (done.exit_code, done.stderr) == (2, f"Error: {settings}: there is no setting 'prot'\n")


def test_a_wrong_address_of_the_database_is_told_without_it(environment):
    done = run(environment | {"CUEWISE_DATABASE_URL": "mysql://me:zebrawood@db/x"}, "serve")
    assert (done.exit_code, "zebrawood" in done.output) == (2, False)


# token


def test_a_token_is_printed_alone_and_listed_without_its_secret(environment):
    made = run(environment, "token", "create", "ehr", "--scope", "analyze", "--scope", "read", "--days", "30")
    (token,) = made.stdout.split()
    (listed,) = json.loads(run(environment, "token", "list", "--format", "json").stdout)
    assert (made.exit_code, made.stderr) == (0, "Keep it now: it cannot be shown again.\n")
    assert (listed["id"], listed["name"], listed["scopes"]) == (token[3:15], "ehr", ["analyze", "read"])
    assert (listed["revoked"], token[16:] in json.dumps(listed)) == (None, False)


def test_the_table_of_tokens_names_them(environment):
    run(environment, "token", "create", "ehr", "--scope", "batch")
    assert ["ehr", "batch"] in [line.split()[1:3] for line in run(environment, "token", "list").stdout.splitlines()]


def test_a_token_is_revoked_by_its_name(environment):
    run(environment, "token", "create", "ehr", "--scope", "read")
    done = run(environment, "token", "revoke", "ehr")
    (listed,) = json.loads(run(environment, "token", "list", "--format", "json").stdout)
    assert (done.exit_code, done.stderr, listed["revoked"] is None) == (0, "Revoked ehr.\n", False)


def test_the_scopes_are_those_of_the_service():
    (option,) = (each for each in cli.commands["token"].commands["create"].params if each.name == "scopes")
    assert tuple(option.type.choices) == tuple(SCOPES)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("create", "a\tb", "--scope", "read"), "The token cannot be made: a name has up to 60 letters"),
        (("create", "ehr"), "Missing option '--scope'"),
        (("revoke", "ehr"), "There is no token of that id or name: cuewise token list"),
    ],
)
def test_wrong_usage_is_told(environment, args, message):
    done = run(environment, "token", *args)
    assert (done.exit_code, message in done.stderr) == (2, True)
