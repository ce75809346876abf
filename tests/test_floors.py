"""Modules import only from floors below their own, and heavy packages only where they belong (style guide 3)."""

import ast
import tomllib
from pathlib import Path

import pytest
from importlinter import configuration
from importlinter.application.use_cases import lint_imports

ROOT = Path(__file__).parents[1]
PACKAGES = ("analyzer", "models", "api")
# Package to the only places that may import it; a folder ends in a slash.
HOMES = {
    "fastapi": ("api/",),
    "pydantic": ("api/",),
    "pyspark": ("analyzer/sweep/spark.py",),
    "torch": ("models/",),
    "transformers": ("models/",),
    "spacy": ("analyzer/segment.py", "analyzer/match.py"),
    "click": ("analyzer/cli.py",),
}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def sources():
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def layered_modules():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return {name for layer in contract["layers"] for name in layer.split(" | ")}


def test_modules_import_only_from_floors_below_their_own(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    configuration.configure()
    assert lint_imports(config_filename="pyproject.toml", cache_dir=None), capsys.readouterr().out


def test_every_module_stands_on_a_floor():
    modules = {
        f"analyzer.{path.stem}"
        for path in (ROOT / "analyzer").iterdir()
        if path.name != "__init__.py" and (path.suffix == ".py" or (path / "__init__.py").is_file())
    }
    assert modules - layered_modules() == set()


@pytest.mark.parametrize("package", HOMES)
def test_package_is_imported_only_where_it_belongs(package):
    users = [path.relative_to(ROOT).as_posix() for path in sources() if package in imports_of(path)]
    assert [user for user in users if not user.startswith(HOMES[package])] == []


def test_nothing_imports_training_data():
    assert [path.name for path in sources() if "training_data" in imports_of(path)] == []
