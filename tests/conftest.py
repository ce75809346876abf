import ipaddress
import json
import socket
from pathlib import Path

import pytest

from analyzer.engine import Analyzer


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite the recorded reports")


@pytest.fixture(scope="session")
def analyzer():
    """Load the analyzer once; it holds no state between notes."""
    return Analyzer.load()


@pytest.fixture
def write_lines(tmp_path):
    """Return a function that writes records as JSON Lines into the test's folder, a string as it stands."""

    def write(name, records):
        path = tmp_path / name
        lines = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def examples():
    """Return the folder of example notes that ships with Cuewise."""
    return Path(__file__).parents[1] / "analyzer" / "examples"


@pytest.fixture(scope="session", autouse=True)
def only_loopback():
    """Refuse every connection that would leave this machine."""

    def guard(name):
        original = getattr(socket.socket, name)

        def guarded(self, *args):
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(args[-1][0]):
                raise AssertionError("a test tried to connect to another machine")
            return original(self, *args)

        return guarded

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, guard(name))
        yield


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
