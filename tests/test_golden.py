"""Whole reports of the example notes; ``pytest --update-golden`` rewrites them, and the diff is to be explained."""

import json
from pathlib import Path

from analyzer.readers import read_notes
from analyzer.report.record import to_record

GOLDEN = Path(__file__).parent / "golden"


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
    assert {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.json")} == texts
