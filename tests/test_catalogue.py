"""The catalogue of rules: codes unique and none lost, sources resolve, every rule listed."""

import re
import tomllib
from collections import Counter
from importlib.resources import files
from itertools import chain
from types import ModuleType

import pytest

from analyzer.engine import Analyzer
from analyzer.lexicon import load_lexicons
from analyzer.rules import (
    RETIRED,
    RULES,
    agreement,
    billing,
    diagnosis,
    drill,
    pairs,
    plan,
    record,
    skilled,
    threshold,
    units,
)
from analyzer.rules.rule import Rule
from analyzer.types import Kind, Level, Note, Reading, Verdict

MODULES: dict[str, tuple[ModuleType, ...]] = {
    "SKL": (skilled,),
    "DRL": (drill,),
    "BIL": (agreement, billing, pairs, threshold, units),
    "DXC": (diagnosis,),
    "DOC": (plan, record),
}
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


@pytest.mark.parametrize(("family", "modules"), MODULES.items(), ids=MODULES)
def test_every_rule_defined_is_listed(family: str, modules: tuple[ModuleType, ...]) -> None:
    defined = {
        module.__name__: sorted(value.code for value in vars(module).values() if isinstance(value, Rule))
        for module in modules
    }

    assert {module.__name__: [rule.code for rule in module.RULES] for module in modules} == defined
    assert {rule.family for module in modules for rule in module.RULES} == {family}
    assert [rule.code for rule in RULES if rule.family == family] == sorted(chain(*defined.values()))


def test_every_family_has_its_modules() -> None:
    assert sorted({rule.family for rule in RULES}) == sorted(MODULES)


@pytest.mark.parametrize("module", [module for modules in MODULES.values() for module in modules])
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
def test_of_the_words_of_a_note_only_what_reads_as_no_treatment_is_an_error(rule: Rule) -> None:
    sinking = {"DRL001", "DRL002", "DRL004", "DRL009", "DRL010"}

    if rule.family in ("SKL", "DRL"):
        assert (rule.level is Level.ERROR) == (rule.code in sinking)


def test_fix_states_no_figure() -> None:
    analyzer = Analyzer(load_lexicons(), raises=True)
    fixes = {
        finding.fix for rule in RULES for example in rule.fires for finding in analyzer.analyze(example.note).findings
    }

    assert sorted(fix for fix in fixes if re.search(r"\d", fix)) == []
