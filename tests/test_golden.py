"""Whole reports of the example notes; ``pytest --update-golden`` rewrites them, and the diff is to be explained."""

import json
from pathlib import Path

import pytest

from analyzer.readers import read_notes
from analyzer.report.record import to_record

GOLDEN = Path(__file__).parent / "golden"
ABOUT = 0.03


def _lines(records):
    for record in records:
        record.pop("versions")  # the hash of the lexicons changes with every row
        yield json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def test_reports_of_the_example_notes_are_as_recorded(analyzer, examples, request):
    records = [to_record(result) for result in analyzer.analyze_all(read_notes([examples]))]
    names = [f"{record['id']}.json" for record in records]
    texts = dict(zip(names, _lines(records), strict=True))
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        for path in GOLDEN.glob("*.json"):
            path.unlink()
        for name, text in texts.items():
            (GOLDEN / name).write_text(text, encoding="utf-8")
    recorded = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.json")}
    assert recorded.keys() == texts.keys()
    for name, text in texts.items():
        assert json.loads(text) == _about(json.loads(recorded[name])), name


def _about(value):
    """The value with probabilities that compare as equal when processors round 8-bit products differently."""
    if isinstance(value, dict):
        return {key: _about(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_about(part) for part in value]
    return pytest.approx(value, abs=ABOUT) if isinstance(value, float) else value
