import socket

import pytest
from fastapi import FastAPI
from serving import serve

from api import protocol
from api.protocol import BoundedProtocol

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
def connect(monkeypatch):
    """Return a function that connects to a server which waits for a fifth of a second."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.2)
    app = FastAPI()
    app.get("/healthz")(lambda: "ok")
    with serve(app, http=BoundedProtocol) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        yield lambda: socket.create_connection((host, int(port)), timeout=10)


@pytest.mark.parametrize("sent", [b"", b"G", HEAD])
def test_a_head_that_does_not_come_is_given_up(connect, sent):
    with connect() as connection:
        connection.sendall(sent)
        assert connection.recv(100) == b""


def test_a_second_head_that_does_not_come_is_given_up(connect):
    with connect() as connection:
        connection.sendall(HEAD + b"\r\n")
        answer = b""
        while not answer.endswith(b'"ok"'):  # head and body may come one after the other
            part = connection.recv(1000)
            assert part
            answer += part
        assert answer.startswith(b"HTTP/1.1 200 OK")
        connection.sendall(HEAD)
        assert connection.recv(100) == b""


def test_a_request_that_comes_in_time_is_answered(connect):
    with connect() as connection:
        connection.sendall(HEAD)
        connection.sendall(b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
