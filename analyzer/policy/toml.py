"""TOML settings that can say on which line a key stands."""

import tomllib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from analyzer.errors import AnalyzerError, ConfigError


@dataclass(frozen=True, slots=True)
class Settings:
    """A table of a TOML file, at some depth.

    Parameters
    ----------
    file : str
        What errors call the file.
    text : str
        The whole file.
    values : mapping
        The table's keys and values.
    path : tuple of str
        The keys that lead to it from the top.
    error : type
        The exception that a fault raises.
    """

    file: str
    text: str
    values: Mapping[str, Any]
    path: tuple[str, ...] = ()
    error: type[AnalyzerError] = ConfigError

    @classmethod
    def read(cls, text: str, file: str, error: type[AnalyzerError] = ConfigError) -> "Settings":
        """Parse a file.

        Raises
        ------
        AnalyzerError
            The given kind, when it is no TOML; the message names file and line.
        """
        try:
            return cls(file, text, tomllib.loads(text), (), error)
        except tomllib.TOMLDecodeError as fault:
            raise error(f"{file}: {fault}") from fault

    def fail(self, key: str | None, message: str) -> AnalyzerError:
        """Make the error about a key of this table, or about the table."""
        path = self.path if key is None else (*self.path, key)
        return self.error(f"{self.file}, line {line_of(self.text, path)}: {message}")

    def check_keys(self, known: Iterable[str]) -> None:
        """Refuse a key that means nothing here."""
        known = list(known)
        for key in self.values:
            if key not in known:
                raise self.fail(key, f"unknown key {key!r}; expected one of {', '.join(known)}")

    def table(self, key: str) -> "Settings":
        """Return a table of this table; an empty one where it is not there."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.fail(key, f"{key} must be a table, found {_kind(value)}")
        return Settings(self.file, self.text, value, (*self.path, key), self.error)

    def tables(self) -> "Iterable[tuple[str, Settings]]":
        """Yield every key as a table."""
        for key in self.values:
            yield key, self.table(key)

    def string(self, key: str) -> str | None:
        """Return a text, None where the key is not there."""
        value: str | None = self._typed(key, str, "a text")
        return value

    def whole(self, key: str) -> int | None:
        """Return a whole number above zero, None where the key is not there."""
        value: int | None = self._typed(key, int, "a whole number")
        if value is not None and value < 1:
            raise self.fail(key, f"{key} must be above zero, found {value}")
        return value

    def flag(self, key: str) -> bool | None:
        """Return true or false, None where the key is not there."""
        value: bool | None = self._typed(key, bool, "true or false")
        return value

    def day(self, key: str) -> date | None:
        """Return a date, None where the key is not there."""
        value: date | None = self._typed(key, date, "a date such as 2027-12-31")
        return value

    def money(self, key: str) -> float | None:
        """Return an amount in US dollars, None where the key is not there."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise self.fail(key, f"{key} must be an amount in US dollars, found {_kind(value)}")
        return float(value)

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty where the key is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(member, str) and member.strip() for member in value):
            raise self.fail(key, f"{key} must be a list of texts")
        return tuple(value)

    def one_of(self, key: str, allowed: Set[str]) -> str | None:
        """Return a text out of some, None where the key is not there."""
        value = self.string(key)
        if value is not None and value not in allowed:
            raise self.fail(key, f"unknown {key} {value!r}; expected one of {', '.join(sorted(allowed))}")
        return value

    def _typed(self, key: str, kind: type, expected: str) -> Any:
        value = self.values.get(key)
        if value is None:
            return None
        is_mistaken = (kind is int and isinstance(value, bool)) or (kind is date and isinstance(value, datetime))
        if not isinstance(value, kind) or is_mistaken:
            raise self.fail(key, f"{key} must be {expected}, found {_kind(value)}")
        return value


def _kind(value: object) -> str:
    kinds = ((str, "a text"), (bool, "true or false"), (int | float, "a number"), (dict, "a table"), (list, "a list"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a date or time")


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line, from 1, on which a key of a TOML text begins; of the last key of its path that is there.

    A key is there from the first lines that are whole TOML and hold it, so that the parser itself decides, whatever
    the style of the file. It takes long for a long file, and is asked for one error.

    Examples
    --------
    >>> line_of("a = 1\\n\\n[b]\\nc = [\\n  2,\\n]\\n", ("b", "c"))
    4
    """
    if not path:
        return 1
    lines = text.splitlines(keepends=True)
    whole = 0  # lines up to here are whole TOML
    for count in range(1, len(lines) + 1):
        try:
            values: Any = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        for key in path:
            values = values.get(key) if isinstance(values, dict) else None
        if values is not None:
            begins = (n for n in range(whole, count) if lines[n].strip() and not lines[n].lstrip().startswith("#"))
            return next(begins, whole) + 1
        whole = count
    return line_of(text, path[:-1])
