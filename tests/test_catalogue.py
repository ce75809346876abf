"""The catalogue of rules: codes unique and none lost, sources resolve, every rule listed."""

import re
import tomllib
from collections import Counter
from importlib.resources import files
from types import ModuleType

import pytest

from analyzer.engine import Analyzer
from analyzer.lexicon import load_lexicons
from analyzer.rules import RETIRED, RULES, drill, skilled
from analyzer.rules.rule import Rule
from analyzer.types import Kind, Level, Note, Reading, Verdict

MODULES = {"SKL": skilled, "DRL": drill}
SOURCES = tomllib.loads((files("analyzer") / "lexicons" / "sources.toml").read_text(encoding="utf-8"))

by_code = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def test_codes_are_unique() -> None:
    assert [code for code, count in Counter(rule.code for rule in RULES).items() if count > 1] == []


def test_rules_are_sorted_by_code() -> None:
    assert [rule.code for rule in RULES] == sorted(rule.code for rule in RULES)


def test_names_are_unique() -> None:
    assert [name for name, count in Counter(rule.name for rule in RULES).items() if count > 1] == []


def test_retired_codes_are_not_reused() -> None:
    assert sorted(RETIRED.keys() & {rule.code for rule in RULES}) == []


@by_code
def test_code_is_a_family_and_three_digits(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z]{3}\d{3}", rule.code)


@by_code
def test_name_is_kebab_case_and_says_what_is_wrong(rule: Rule) -> None:
    assert re.fullmatch(r"(?!(?:no|avoid)-)[a-z]+(?:-[a-z]+)+", rule.name)


@by_code
def test_title_is_one_sentence_without_its_full_stop(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z][^.]*[^. ]", rule.title)


@by_code
def test_sources_are_known(rule: Rule) -> None:
    assert [source for source in rule.sources if source not in SOURCES] == []
    assert rule.sources != ()


@pytest.mark.parametrize(("family", "module"), MODULES.items(), ids=MODULES)
def test_every_rule_defined_is_listed(family: str, module: ModuleType) -> None:
    defined = {value.code for value in vars(module).values() if isinstance(value, Rule)}

    assert [rule.code for rule in module.RULES] == sorted(defined)
    assert {rule.family for rule in module.RULES} == {family}
    assert [rule.code for rule in RULES if rule.family == family] == sorted(defined)


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_lexicon_rows_that_rules_name_exist(module: ModuleType) -> None:
    lexicons = load_lexicons()
    known = {f"evidence/{row.name}" for row in lexicons.evidence} | {f"weak/{row.name}" for row in lexicons.weak}
    named = {row for value in vars(module).values() if isinstance(value, frozenset) for row in value if "/" in str(row)}

    assert sorted(named - known) == []


@by_code
def test_rule_says_nothing_of_an_empty_reading(rule: Rule) -> None:
    for kind in Kind:
        reading = Reading(Note("12/20."), kind, (), (), (), 0.0, Verdict.UNSKILLED, None, ())

        assert list(rule.check(reading)) == []


@by_code
def test_only_a_note_that_reads_as_no_treatment_is_an_error(rule: Rule) -> None:
    sinking = {"DRL001", "DRL002", "DRL004", "DRL009", "DRL010"}

    assert (rule.level is Level.ERROR) == (rule.code in sinking)


def test_fix_states_no_figure() -> None:
    analyzer = Analyzer(load_lexicons(), raises=True)
    fixes = {
        finding.fix for rule in RULES for example in rule.fires for finding in analyzer.analyze(example.note).findings
    }

    assert sorted(fix for fix in fixes if re.search(r"\d", fix)) == []
