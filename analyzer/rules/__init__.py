"""``RULES``, the one list of all rules, and ``RETIRED``, the codes never to be used again."""

from analyzer.rules import agreement, billing, diagnosis, drill, pairs, plan, record, skilled, threshold, units
from analyzer.rules.rule import Rule

_MODULES: tuple[tuple[Rule, ...], ...] = (
    skilled.RULES,
    drill.RULES,
    record.RULES,
    agreement.RULES,
    plan.RULES,
    billing.RULES,
    pairs.RULES,
    threshold.RULES,
    units.RULES,
    diagnosis.RULES,
)
RULES: tuple[Rule, ...] = tuple(sorted((rule for rules in _MODULES for rule in rules), key=lambda rule: rule.code))

RETIRED: dict[str, str] = {}
"""Code to the reason it went and its successor."""
