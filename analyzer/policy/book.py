"""Payer and date of service to the policy that a note is judged by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path

from analyzer.errors import ConfigError, LexiconError
from analyzer.policy.packs import (
    DEFAULT_PAYER,
    OTHER_PAYER,
    Config,
    Figures,
    Pack,
    RuleSetting,
    lineage_of,
    read_config,
    read_packs,
)
from analyzer.policy.tables import Tables
from analyzer.rules import RULES
from analyzer.rules.rule import Rule
from analyzer.types import Level, Policy, TimedUnits


def load_policies(
    *, payer: str | None = None, config: Path | None = None, rules: Sequence[Rule] = RULES
) -> "PolicyBook":
    """Read payer packs, billing tables and a clinic's settings.

    Parameters
    ----------
    payer : str, optional
        A pack that judges every note, whatever payer its record names; a pack's name or another name of it.
    config : Path, optional
        A clinic's settings.
    rules : sequence of Rule
        The rules there are.

    Raises
    ------
    ConfigError
        When the payer has no pack, or the settings are not what they should be.
    LexiconError
        When a pack or table that ships with Cuewise is damaged.

    Examples
    --------
    >>> policy = load_policies().at("Medicare Part B", date(2026, 5, 4))
    >>> policy.payer, policy.kx_threshold
    ('medicare-b', 2480.0)
    """
    packs = read_packs(rules)
    settings = read_config(config, packs, rules) if config is not None else Config()
    return PolicyBook(packs, settings, rules, payer=payer)


class PolicyBook:
    """Every policy there is: by payer and date of service. It can be sent to another process.

    Use :func:`load_policies`.
    """

    def __init__(
        self, packs: Mapping[str, Pack], config: Config, rules: Sequence[Rule], *, payer: str | None = None
    ) -> None:
        self._shipped = packs
        self._config = config
        self._packs = _merged(packs, config.payers)
        self._defaults = {rule.code: (rule.level, rule.payers) for rule in rules}
        self._tables = Tables(config.tables)
        self._names = _names(self._packs)
        self._made: dict[tuple[str, bool, int | None, int | None], Policy] = {}
        self._forced = None if payer is None else self._named(payer)

    @property
    def payers(self) -> Mapping[str, str]:
        """The packs by name, with their titles."""
        return {name: pack.title or name for name, pack in sorted(self._packs.items())}

    def pack_of(self, payer: str | None) -> tuple[str, bool]:
        """Return the pack for a payer as a record names it, and whether a pack knows that name."""
        if self._forced is not None:
            return self._forced, True
        if payer is None or not _simple(payer):
            return self._config.payer or DEFAULT_PAYER, True
        found = self._names.get(_simple(payer))
        return (OTHER_PAYER, False) if found is None else (found, True)

    def at(self, payer: str | None, on: date | None) -> Policy:
        """Return the policy for a payer and a date of service.

        Parameters
        ----------
        payer : str, optional
            As the record names it; None gives the default payer.
        on : date, optional
            Without it the tables hold nothing.
        """
        pack, is_known = self.pack_of(payer)
        key = (pack, is_known, self._tables.period(on), None if on is None else on.year)
        if key not in self._made:
            self._made[key] = self._policy(pack, is_known, on)
        return self._made[key]

    def level(self, rule: Rule, payer: str) -> Level | None:
        """Return the level of a rule for a pack; None where it does not run."""
        return self._level(rule.code, lineage_of(payer, self._packs))

    def _named(self, payer: str) -> str:
        found = self._names.get(_simple(payer))
        if found is None:
            raise ConfigError(f"no payer is called {payer!r}; expected one of {', '.join(sorted(self._packs))}")
        return found

    def _policy(self, pack: str, is_known: bool, on: date | None) -> Policy:
        lineage = lineage_of(pack, self._packs)
        figures = self._figures(lineage)
        return Policy(
            payer=pack,
            is_payer_known=is_known,
            lineage=lineage,
            levels={code: level for code in self._defaults if (level := self._level(code, lineage))},
            turned_off=frozenset(
                code
                for code in self._defaults
                if self._shipped_level(code, lineage) is not None and self._level(code, lineage) is None
            ),
            tables=self._tables.at(on),
            kx_threshold=self._threshold("kx_pt_slp", lineage, on),
            review_threshold=self._threshold("review_pt_slp", lineage, on),
            timed_units=figures.timed_units or TimedUnits.EACH_CODE,
            needs_habilitative_modifier=bool(figures.habilitative_modifier),
            telehealth_through=figures.telehealth_through,
            certification_days=_needed(figures.certification_days),
            certification_due_days=_needed(figures.certification_due_days),
            report_days=_needed(figures.report_days),
        )

    def _level(self, code: str, lineage: tuple[str, ...]) -> Level | None:
        """Decide by who speaks most closely: the clinic for the payer, the clinic for all, the pack, the rule."""
        own = _first(self._config.payers, code, lineage)
        if own is not None:
            return own.level
        everyone = self._config.everyone.rules.get(code)
        if everyone is None:
            return self._shipped_level(code, lineage)
        if everyone.payers is not None:
            return everyone.level if set(everyone.payers) & set(lineage) else None
        return everyone.level if self._shipped_level(code, lineage) is not None else None

    def _shipped_level(self, code: str, lineage: tuple[str, ...]) -> Level | None:
        shipped = _first(self._shipped, code, lineage)
        if shipped is not None:
            return shipped.level
        level, payers = self._defaults[code]
        return level if not payers or set(payers) & set(lineage) else None

    def _figures(self, lineage: tuple[str, ...]) -> Figures:
        """Put together what the nearest that speaks says of each setting."""
        speaking = [
            *(self._config.payers[name].figures for name in lineage if name in self._config.payers),
            self._config.everyone.figures,
            *(self._shipped[name].figures for name in lineage if name in self._shipped),
        ]
        said = {f.name: [getattr(figures, f.name) for figures in speaking] for f in fields(Figures)}
        return Figures(**{name: next((v for v in values if v is not None), None) for name, values in said.items()})

    def _threshold(self, name: str, lineage: tuple[str, ...], on: date | None) -> float | None:
        if on is None:
            return None
        speaking = [*(self._packs[pack].thresholds for pack in lineage), self._config.everyone.thresholds]
        own = (thresholds[name, on.year] for thresholds in speaking if (name, on.year) in thresholds)
        return next(own, self._tables.threshold(name, on))


def _needed(number: int | None) -> int:
    if number is None:
        raise LexiconError(f"lexicons/billing/payers/{OTHER_PAYER}.toml: it must set every figure")
    return number


def _first(packs: Mapping[str, Pack], code: str, lineage: Iterable[str]) -> RuleSetting | None:
    return next((packs[name].rules[code] for name in lineage if name in packs and code in packs[name].rules), None)


def _merged(shipped: Mapping[str, Pack], own: Mapping[str, Pack]) -> dict[str, Pack]:
    """Return all packs; what a clinic says of one of ours comes before what ours says."""
    found = dict(shipped)
    for name, pack in own.items():
        ours = shipped.get(name, Pack())
        found[name] = Pack(
            title=pack.title or ours.title,
            extends=pack.extends or ours.extends,
            aliases=(*pack.aliases, *ours.aliases),
            sources=(*pack.sources, *ours.sources),
            thresholds={**ours.thresholds, **pack.thresholds},
        )
    return found


def _names(packs: Mapping[str, Pack]) -> dict[str, str]:
    found = {_simple(alias): name for name, pack in packs.items() for alias in pack.aliases}
    return found | {_simple(name): name for name in packs}


def _simple(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
