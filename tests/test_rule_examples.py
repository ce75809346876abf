"""Every example of every rule, through the real analyzer: exactly the marked spans are reported."""

import pytest

from analyzer.engine import Analyzer
from analyzer.rules import RULES
from analyzer.rules.rule import Example, Rule

EXAMPLES = [
    pytest.param(rule, example, id=f"{rule.code}-{kind}-{number}")
    for rule in RULES
    for kind, examples in (("fires", rule.fires), ("silent", rule.silent))
    for number, example in enumerate(examples)
]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer.load(model="encoder", raises=True)


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_rule_reports_exactly_the_marked_words(analyzer: Analyzer, rule: Rule, example: Example) -> None:
    report = analyzer.analyze(example.note)

    found = sorted((finding.start, finding.end) for finding in report.findings if finding.code == rule.code)

    assert found == sorted(example.spans)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_rule_has_examples_of_both_kinds(rule: Rule) -> None:
    few = {
        kind: len(examples) for kind, examples in (("fires", rule.fires), ("silent", rule.silent)) if len(examples) < 3
    }

    assert few == {}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_firing_examples_are_marked_and_silent_ones_are_not(rule: Rule) -> None:
    marked = [bool(example.spans) for example in (*rule.fires, *rule.silent)]

    assert marked == [True] * len(rule.fires) + [False] * len(rule.silent)
