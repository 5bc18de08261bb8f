"""Claims and their keys: everything that could be asked of an environment, before anything runs."""

import difflib
import fnmatch
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from traderx_gate.errors import ConfigurationError

_KEY = re.compile(r"(?P<module>[a-z0-9_]+)\.(?P<function>[a-z0-9_]+)(\[(?P<service>[a-z0-9-]+)\])?")


@dataclass(frozen=True, slots=True, order=True)
class ClaimKey:
    """A claim's name in policies, evidence and decisions: `module.function[service]`.

    Attributes:
        module: The suite's module without `test_`.
        function: The test function without `test_`.
        service: The TraderX slug; empty for a claim about the whole environment.
    """

    module: str
    function: str
    service: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key.

        Raises:
            ConfigurationError: It has another form.
        """
        match = _KEY.fullmatch(text)
        if match is None:
            raise ConfigurationError(
                f"{text!r} is no claim key; one looks like module.function[service]"
            )
        return cls(match["module"], match["function"], match["service"] or "")

    def __str__(self) -> str:
        """Return the key as written."""
        return f"{self.module}.{self.function}" + (f"[{self.service}]" if self.service else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim of the catalogue.

    Attributes:
        name: `module.function`.
        suite: The folder under `suites/` that proves it.
        title: The claim in one sentence; the test's docstring says the same.
        per_service: Whether it is made of every service, or once of the environment.
        min_samples: How many things a proof has to have looked at, at least.
    """

    name: str
    suite: str
    title: str
    per_service: bool
    min_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCatalogue:
    """All claims, and the services that the per-service ones are made of."""

    claims: tuple[Claim, ...]
    services: tuple[str, ...]

    @classmethod
    def from_toml(cls, text: str, *, source: str, services: Sequence[str]) -> Self:
        """Read `claims.toml`.

        Raises:
            ConfigurationError: Malformed; names `source` and the line or key.
        """
        claims = []
        for number, entry in enumerate(read_toml(text, source=source).get("claim", ()), start=1):
            where = f"{source}: claim {number}"
            take = Fields(entry, where=where)
            name = take.text("name")
            if ClaimKey.parse(name).service:
                raise ConfigurationError(f"{where}: name {name!r} must not have a service")
            claims.append(
                Claim(
                    name=name,
                    suite=take.text("suite"),
                    title=take.text("title"),
                    per_service=take.choice("per", ("service", "environment")) == "service",
                    min_samples=take.number("min_samples", at_least=1),
                )
            )
            take.nothing_else()
        if not claims:
            raise ConfigurationError(f"{source}: holds no [[claim]]")
        names = [claim.name for claim in claims]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ConfigurationError(f"{source}: claim {twice[0]} stands there twice")
        return cls(claims=tuple(claims), services=tuple(services))

    def keys(self, patterns: Sequence[str], *, source: str) -> Mapping[ClaimKey, Claim]:
        """Return the keys that any of the patterns (`fnmatch`, over `module.function`) names.

        Raises:
            ConfigurationError: A pattern names no claim; suggests the nearest.
        """
        chosen: dict[ClaimKey, Claim] = {}
        for pattern in patterns:
            found = [claim for claim in self.claims if fnmatch.fnmatchcase(claim.name, pattern)]
            if not found:
                near = difflib.get_close_matches(pattern, [c.name for c in self.claims], n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ConfigurationError(f"{source}: claims: {pattern!r} names no claim{hint}")
            for claim in found:
                module, function = claim.name.split(".")
                services = self.services if claim.per_service else ("",)
                chosen.update({ClaimKey(module, function, s): claim for s in services})
        return chosen


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

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of strings that is not empty."""
        value: list[object] = self._take(key, list)
        if not value or not all(isinstance(item, str) for item in value):
            raise ConfigurationError(
                f"{self._where}: {key} must be a list of strings, is {value!r}"
            )
        return tuple(str(item) for item in value)

    def any(self, key: str, kind: type) -> Any:
        """Take a value of one type."""
        return self._take(key, kind)

    def tables(self, key: str) -> list[object]:
        """Take a list of tables, which may be absent."""
        return list(self._take(key, list, []))

    def nothing_else(self) -> None:
        """Complain of keys that nobody took."""
        if self._left:
            raise ConfigurationError(f"{self._where}: unknown key {min(self._left)!r}")
