"""Payer packs and a clinic's settings: which rules run for whom, at which level, with which figures."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from analyzer import lexicon
from analyzer.errors import ConfigError, LexiconError
from analyzer.policy.tables import FORMS, ClinicTable, read_clinic_table
from analyzer.policy.toml import Settings
from analyzer.rules.rule import Rule
from analyzer.types import Level, TimedUnits

DEFAULT_PAYER = "medicare-b"
"""The pack for records that name no payer."""
OTHER_PAYER = "other"
"""The pack that every other one extends, and that judges payers without a pack."""

THRESHOLDS = ("kx_pt_slp", "review_pt_slp")
_OFF = "off"
_LEVELS = frozenset(Level) | {_OFF}
_PACK_KEYS = ("title", "extends", "aliases", "sources", "settings", "rules", "thresholds")
_SETTINGS = (
    "timed_units",
    "telehealth_through",
    "habilitative_modifier",
    "certification_days",
    "certification_due_days",
    "report_days",
)
_CONFIG_KEYS = ("payer", "rules", "settings", "thresholds", "payers", "tables")


@dataclass(frozen=True, slots=True)
class RuleSetting:
    """What is said of a rule: its level, None for off; and whom it is for, None where that stays as it is."""

    level: Level | None
    payers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Settings of a payer; None where nothing is said, so that the pack it extends decides."""

    timed_units: TimedUnits | None = None
    telehealth_through: date | None = None
    habilitative_modifier: bool | None = None
    certification_days: int | None = None
    certification_due_days: int | None = None
    report_days: int | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    """What one file, or one section of a clinic's settings, says of a payer.

    ``thresholds`` are US dollars by name and calendar year.
    """

    title: str | None = None
    extends: str | None = None
    aliases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    figures: Figures = Figures()
    rules: Mapping[str, RuleSetting] = field(default_factory=dict)
    thresholds: Mapping[tuple[str, int], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """A clinic's settings. ``everyone`` holds what is said for every payer."""

    payer: str | None = None
    everyone: Pack = Pack()
    payers: Mapping[str, Pack] = field(default_factory=dict)
    tables: tuple[ClinicTable, ...] = ()


def read_packs(rules: Sequence[Rule]) -> dict[str, Pack]:
    """Read the packs that ship with Cuewise.

    Raises
    ------
    LexiconError
        When one is not what it should be; the message names file and line.
    """
    sources = frozenset(lexicon.settings_of("sources.toml"))
    found: dict[str, Pack] = {}
    for name, text in lexicon.texts("billing/payers", ".toml"):
        settings = Settings.read(text, f"lexicons/billing/payers/{name}.toml", LexiconError)
        settings.check_keys(_PACK_KEYS)
        found[name] = _pack(settings, rules)
        for source in found[name].sources:
            if source not in sources:
                raise settings.fail("sources", f"unknown source {source!r}")
    return found


def read_config(path: Path, packs: Mapping[str, Pack], rules: Sequence[Rule]) -> Config:
    """Read a clinic's settings.

    Parameters
    ----------
    path : Path
        A TOML file; tables that it names lie beside it.
    packs : mapping of str to Pack
        The packs that ship with Cuewise.
    rules : sequence of Rule
        The rules that may be named, by code or name.

    Raises
    ------
    ConfigError
        When the file cannot be read or is not what it should be; the message names file and line.
    """
    settings = Settings.read(_text(path, path.name), path.name)
    settings.check_keys(_CONFIG_KEYS)
    payers: dict[str, Pack] = {}
    for name, section in settings.table("payers").tables():
        section.check_keys(_PACK_KEYS)
        payers[name] = _pack(section, rules)
    known = {*packs, *payers}
    for name, section in settings.table("payers").tables():
        section.one_of("extends", known)
        if _is_circular(name, payers, packs):
            raise section.fail("extends", f"{name} extends itself")
    everyone = Pack(
        figures=_figures(settings.table("settings")),
        rules=_rules(settings.table("rules"), rules),
        thresholds=_thresholds(settings.table("thresholds")),
    )
    _check_rule_payers(settings.table("rules"), known)
    return Config(
        payer=settings.one_of("payer", known),
        everyone=everyone,
        payers=payers,
        tables=tuple(_tables(settings.table("tables"), path.parent)),
    )


def lineage_of(name: str, packs: Mapping[str, Pack]) -> tuple[str, ...]:
    """Return a pack and those that it extends, nearest first; every pack extends ``other``."""
    found = [name]
    while (parent := packs[found[-1]].extends) is not None:
        found.append(parent)
    return tuple(found) if found[-1] == OTHER_PAYER else (*found, OTHER_PAYER)


def _is_circular(name: str, payers: Mapping[str, Pack], packs: Mapping[str, Pack]) -> bool:
    seen = [name]
    while True:
        pack = payers.get(seen[-1], Pack())
        parent = pack.extends or packs.get(seen[-1], Pack()).extends
        if parent is None:
            return False
        if parent in seen:
            return True
        seen.append(parent)


def _pack(settings: Settings, rules: Sequence[Rule]) -> Pack:
    own = settings.table("rules")
    for key, value in own.values.items():
        if isinstance(value, dict) and "payers" in value:
            raise own.fail(key, "a payer's own rules name no payers")
    return Pack(
        title=settings.string("title"),
        extends=settings.string("extends"),
        aliases=settings.strings("aliases"),
        sources=settings.strings("sources"),
        figures=_figures(settings.table("settings")),
        rules=_rules(settings.table("rules"), rules),
        thresholds=_thresholds(settings.table("thresholds")),
    )


def _figures(settings: Settings) -> Figures:
    settings.check_keys(_SETTINGS)
    timed_units = settings.one_of("timed_units", frozenset(TimedUnits))
    return Figures(
        timed_units=TimedUnits(timed_units) if timed_units else None,
        telehealth_through=settings.day("telehealth_through"),
        habilitative_modifier=settings.flag("habilitative_modifier"),
        certification_days=settings.whole("certification_days"),
        certification_due_days=settings.whole("certification_due_days"),
        report_days=settings.whole("report_days"),
    )


def _rules(settings: Settings, rules: Sequence[Rule]) -> dict[str, RuleSetting]:
    codes = {name: rule.code for rule in rules for name in (rule.code, rule.name)}
    found: dict[str, RuleSetting] = {}
    for key, value in settings.values.items():
        code = codes.get(key) or codes.get(key.upper())
        if code is None:
            raise settings.fail(key, f"there is no rule {key!r}; all of them: cuewise rules")
        if code in found:
            raise settings.fail(key, f"{code} is set twice")
        found[code] = _full_setting(settings.table(key)) if isinstance(value, dict) else _level(settings, key)
    return found


def _full_setting(settings: Settings) -> RuleSetting:
    settings.check_keys(("level", "payers"))
    if "level" not in settings.values:
        raise settings.fail(None, "level is missing")
    payers = settings.strings("payers") if "payers" in settings.values else None
    return RuleSetting(_level(settings, "level").level, payers)


def _level(settings: Settings, key: str) -> RuleSetting:
    level = settings.values[key]
    if level not in _LEVELS:
        raise settings.fail(key, f"unknown level {level!r}; expected one of {', '.join(sorted(_LEVELS))}")
    return RuleSetting(None if level == _OFF else Level(level))


def _check_rule_payers(settings: Settings, known: Set[str]) -> None:
    """Refuse payers of a rule that have no pack."""
    for key, value in settings.values.items():
        payers = value.get("payers", ()) if isinstance(value, dict) else ()
        if unknown := [payer for payer in payers if payer not in known]:
            named = ", ".join(unknown)
            raise settings.fail(key, f"no payer is called {named}; expected some of {', '.join(sorted(known))}")


def _thresholds(settings: Settings) -> dict[tuple[str, int], float]:
    settings.check_keys(THRESHOLDS)
    found: dict[tuple[str, int], float] = {}
    for name, years in settings.tables():
        for year in years.values:
            if not (year.isascii() and year.isdigit() and len(year) == 4):
                raise years.fail(year, f"{year!r} is not a year")
            amount = years.money(year)
            assert amount is not None
            found[name, int(year)] = amount
    return found


def _tables(settings: Settings, folder: Path) -> Iterator[ClinicTable]:
    settings.check_keys(FORMS)
    for name, section in settings.tables():
        section.check_keys(("file", "from", "to"))
        file, first, last = section.string("file"), section.day("from"), section.day("to")
        if file is None or first is None or last is None:
            raise section.fail(None, f"{name} needs file, from and to")
        if last < first:
            raise section.fail("to", "to lies before from")
        try:
            text = _text(folder / file, file)
        except ConfigError as error:
            raise section.fail("file", str(error)) from error
        yield read_clinic_table(name, text, file, first, last)


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 text") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror or type(error).__name__}") from error
