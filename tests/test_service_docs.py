"""The service's part of the README and ``docs/service.md``: run from top to bottom against a server of their own."""

import doctest
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest
from test_readme import FLAGS, ROOT, matches, read_commands

from api import cards
from api.settings import Settings

PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
SECTION = (
    "## The service"
    + (ROOT / "README.md").read_text(encoding="utf-8").split("\n## The service", 1)[1].split("\n## ")[0]
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Stand in an empty folder with the example notes, with a port of one's own; end the server that was started."""
    (tmp_path / "analyzer").mkdir()
    (tmp_path / "analyzer" / "examples").symlink_to(ROOT / "analyzer" / "examples")
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for name in [name for name in os.environ if name.startswith("CUEWISE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CUEWISE_PORT", port)
    monkeypatch.setenv("CUEWISE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CUEWISE_MODEL", "lexicons")
    yield port
    pid = tmp_path / "service.pid"
    if pid.is_file():
        with suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGTERM)


@pytest.mark.parametrize("text", [SECTION, PAGE], ids=["README", "docs/service.md"])
def test_snippets_print_what_they_show(text, place):
    shared = {}
    for language, block in re.findall(r"^```(console|python)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        here = block.replace(":8000", f":{place}")
        if language == "console":
            run_console(here)
        else:
            run_python(here, shared)


def run_console(block):
    for command in read_commands(block):
        done = subprocess.run(
            ["/bin/sh", "-c", command.line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            encoding="utf-8",
            timeout=90,
        )
        assert done.returncode == 0, f"{command.line}\n{done.stdout}"
        assert matches(command.expected, done.stdout), f"{command.line}\n{done.stdout}"


def run_python(block, shared):
    test = doctest.DocTestParser().get_doctest(block, shared, "snippet", "snippet", 0)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    said = []
    runner.run(test, out=said.append, clear_globs=False)
    shared.update(test.globs)
    assert runner.failures == 0, "".join(said)


def test_services_are_those_that_are_offered():
    rows = re.findall(r"^\| `(cuewise-[a-z-]+)` \| `([a-z.-]+)` \|", PAGE, re.MULTILINE)
    assert rows == [(service.id, service.hook) for service in cards.load_services().by_id.values()]


def test_settings_are_those_that_there_are():
    table = PAGE.split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    assert table.strip() == settings_table().strip()


def settings_table():
    """Write the table of settings from the docstring of ``Settings``."""
    text = Settings.__doc__.split("----------\n", 1)[1]
    rows = ["| setting | default | |", "|---|---|---|"]
    for names, words in re.findall(r"^    (\w[\w, ]*?)(?: : [^\n]*)?\n((?:        [^\n]*\n)+)", text, re.MULTILINE):
        shown = ", ".join(f"`{name}`" for name in names.split(", "))
        defaults = ", ".join(filter(None, (default_of(name) for name in names.split(", "))))
        rows.append(f"| {shown} | {defaults} | {' '.join(words.split()).replace('``', '`')} |")
    return "\n".join(rows) + "\n"


def default_of(name):
    default = next(field.default for field in fields(Settings) if field.name == name)
    return f"`{json.dumps(default)}`" if isinstance(default, str | int | float) else ""


def test_every_setting_is_named():
    named = set(re.findall(r"`(\w+)`", PAGE.split("<!-- settings -->")[1].split("<!-- /settings -->")[0]))
    assert [field.name for field in fields(Settings) if field.name not in named] == []


# The image cannot be built here, for want of a registry; what it rests on can be looked at.

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_image_copies_what_there_is_and_what_the_package_needs():
    copied = {
        part for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE) for part in line.split()[:-1]
    }
    assert [part for part in copied if not (ROOT / part).exists()] == []
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert copied == allowed
    assert {"analyzer", "models", "api", "pyproject.toml", "README.md", "LICENSE"} == copied


def test_image_sets_what_can_be_set():
    names = {name.lower() for name in re.findall(r"CUEWISE_(\w+)=", DOCKERFILE)}
    assert names <= {field.name for field in fields(Settings)}


def test_image_runs_without_rights():
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["cuewise"]
