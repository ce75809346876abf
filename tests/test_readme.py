"""The README is run: its commands in a shell, its Python as doctests; its tables are compared with the code."""

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from analyzer.cli import FORMATS, cli
from analyzer.lexicon import load_lexicons
from analyzer.types import Kind, Label, Verdict

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Command:
    line: str
    expected: str


def blocks(language):
    # The service's snippets need a server and stand in order: test_service_docs.py runs them.
    without_service = re.sub(r"^## The service\n.*?(?=^## )", "", README, flags=re.DOTALL | re.MULTILINE)
    return re.findall(rf"^```{language}\n(.*?)^```$", without_service, re.DOTALL | re.MULTILINE)


def read_commands(block):
    """Split a console block into commands and the output that is shown for each."""
    first, *parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert first == ""
    return [Command(line, expected) for line, _, expected in (part.partition("\n") for part in parts)]


def cells(row_start):
    """Return the first cells of the table whose header starts so."""
    table = README.split(f"| {row_start} |", 1)[1].split("\n\n", 1)[0]
    return [line.split("|")[1].strip() for line in table.splitlines()[2:]]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Stand in an empty folder that has the example notes where a checkout has them."""
    (tmp_path / "analyzer").mkdir()
    (tmp_path / "analyzer" / "examples").symlink_to(ROOT / "analyzer" / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", blocks("console"))
def test_console_snippet_prints_what_it_shows(block, checkout):
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "PYTHONIOENCODING": "utf-8",
    }
    status = 0
    for command in read_commands(block):
        done = subprocess.run(
            ["/bin/sh", "-c", f"(exit {status})\n{command.line}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            encoding="utf-8",
            env=environment,
        )
        status = done.returncode
        assert matches(command.expected, done.stdout), f"{command.line}\n{done.stdout}"


def matches(expected, output):
    return doctest.OutputChecker().check_output(expected or "...", output, FLAGS)


@pytest.mark.parametrize(
    ("expected", "output", "is_match"),
    [
        ("", "anything\n", True),
        ("3\n", "3\n", True),
        ("3\n", "4\n", False),
        ("...\nnotes audited\n", "22\nnotes audited\n", True),
        ("...\nnotes audited\n...\n", "nothing audited\n", False),
    ],
)
def test_shown_output_is_compared_with_ellipses(expected, output, is_match):
    assert matches(expected, output) is is_match


@pytest.mark.parametrize("block", blocks("python"))
def test_python_snippet_prints_what_it_shows(block, checkout):
    test = doctest.DocTestParser().get_doctest(block, {}, "README", "README.md", 0)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test)
    assert (runner.tries > 0, runner.failures) == (True, 0)


def test_every_snippet_is_run_or_needs_make():
    languages = re.findall(r"^```(\w+)$", README, re.MULTILINE)
    assert set(languages) == {"console", "python", "sh"}
    for block in blocks("sh"):
        for line in block.splitlines():
            target = re.match(r"make (\w+)", line)[1]
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_labels_are_those_of_the_analyzer():
    assert [name.strip("`") for name in (*cells("evidence"), *cells("weak documentation"))] == list(Label)


def test_weights_are_those_of_the_lexicons():
    rows = re.findall(r"^\| (\w+) \| (\d+) \|", README, re.MULTILINE)
    assert {name: float(weight) for name, weight in rows} == dict(load_lexicons().weights)


@pytest.mark.parametrize("value", [*Verdict, *Kind])
def test_verdicts_and_kinds_are_named(value):
    assert f"`{value}`" in README


def test_formats_are_those_of_the_command():
    assert sorted(", ".join(cells("`--format`")).replace("`", "").split(", ")) == sorted(FORMATS)


def test_lexicon_files_that_are_named_exist():
    section = README.split("## Contribute to the lexicons")[1].split("\n## ")[0]
    names = re.findall(r"`(\w+\.(?:csv|toml))`", section)
    assert [name for name in names if not (ROOT / "analyzer" / "lexicons" / name).is_file()] == []


def test_what_is_not_yet_there_is_not_in_the_command():
    section = re.search(r"^- Not yet there: (.*?)^- ", README, re.DOTALL | re.MULTILINE)[1]
    commands = re.findall(r"`cuewise (\w+)`", section)
    options = re.findall(r"`(--\w+)`", section)
    assert (commands, options) == (["sweep"], [])
    assert set(commands) & set(cli.commands) == set()
    help_text = CliRunner().invoke(cli, ["audit", "--help"]).stdout
    assert [option for option in options if option in help_text] == []


def test_figures_stand_between_their_markers():
    assert README.count("<!-- figures -->") == README.count("<!-- /figures -->") == 1
