"""``RULES``, the one list of all rules, and ``RETIRED``, the codes never to be used again."""

from analyzer.rules import drill, skilled
from analyzer.rules.rule import Rule

RULES: tuple[Rule, ...] = tuple(sorted((*skilled.RULES, *drill.RULES), key=lambda rule: rule.code))

RETIRED: dict[str, str] = {}
"""Code to the reason it went and its successor."""
