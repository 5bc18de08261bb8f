"""TOML tables at the edge: takes keys one by one, complains of missing, wrong and unknown ones."""

import tomllib
from collections.abc import Sequence
from typing import Any

from traderx_gate.errors import ConfigurationError


def read_toml(text: str, *, source: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ConfigurationError: Not TOML; names `source` and the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source}: not TOML: {error}") from error


class Fields:
    """Takes the keys of one TOML table, and complains of what is missing, wrong or unknown."""

    def __init__(self, table: object, *, where: str) -> None:
        if not isinstance(table, dict):
            raise ConfigurationError(f"{where}: must be a table")
        self._left = dict(table)
        self._where = where

    def _take(self, key: str, kind: type, default: object = None) -> Any:
        value = self._left.pop(key, default)
        if value is None:
            raise ConfigurationError(f"{self._where}: {key} is missing")
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise ConfigurationError(f"{self._where}: {key} must be {kind.__name__}, is {value!r}")
        return value

    def text(self, key: str) -> str:
        """Take a string that is not empty."""
        value: str = self._take(key, str)
        if not value.strip():
            raise ConfigurationError(f"{self._where}: {key} is empty")
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """Take one of the allowed words."""
        value = self.text(key)
        if value not in allowed:
            raise ConfigurationError(
                f"{self._where}: {key} must be one of {', '.join(allowed)}, is {value!r}"
            )
        return value

    def number(self, key: str, *, at_least: int, default: int | None = None) -> int:
        """Take a whole number."""
        value: int = self._take(key, int, default)
        if value < at_least:
            raise ConfigurationError(
                f"{self._where}: {key} must be at least {at_least}, is {value}"
            )
        return value

    def texts(self, key: str, *, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Take a list of strings that is not empty; with a default it may be absent."""
        if default is not None and key not in self._left:
            return default
        value: list[object] = self._take(key, list)
        if not value or not all(isinstance(item, str) for item in value):
            raise ConfigurationError(
                f"{self._where}: {key} must be a list of strings, is {value!r}"
            )
        return tuple(str(item) for item in value)

    def any(self, key: str, kind: type) -> Any:
        """Take a value of one type."""
        return self._take(key, kind)

    def optional(self, key: str, kind: type, default: Any) -> Any:
        """Take a value of one type, which may be absent."""
        return self._take(key, kind) if key in self._left else default

    def tables(self, key: str) -> list[object]:
        """Take a list of tables, which may be absent."""
        return list(self._take(key, list, []))

    def nothing_else(self) -> None:
        """Complain of keys that nobody took."""
        if self._left:
            raise ConfigurationError(f"{self._where}: unknown key {min(self._left)!r}")
