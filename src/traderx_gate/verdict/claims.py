"""Claims and their keys: everything that could be asked of an environment, before anything runs."""

import difflib
import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from traderx_gate.errors import ConfigurationError
from traderx_gate.tables import Fields, read_toml

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
        writes: Whether its check leaves something behind, such as orders on a reserved account.
        needs: The capability of the cluster without which it cannot be checked; empty for none.
    """

    name: str
    suite: str
    title: str
    per_service: bool
    min_samples: int
    writes: bool
    needs: str = ""


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
                    writes=take.optional("writes", bool, default=False),
                    needs=take.optional("needs", str, ""),
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

    def keys(
        self,
        patterns: Sequence[str],
        *,
        source: str,
        suite: str,
        writes: bool,
        left_out: Sequence[str] = (),
    ) -> Mapping[ClaimKey, Claim]:
        """Return the keys that any of the patterns (`fnmatch`, over `module.function`) names.

        Args:
            patterns: What a policy says it wants.
            left_out: What of it the policy leaves out, likewise as patterns.
            source: The policy, for messages.
            suite: The suite that gathers this kind of evidence; claims of others are not meant.
            writes: Whether claims that write are among them.

        Raises:
            ConfigurationError: A pattern names no claim; suggests the nearest.
        """
        known = [claim for claim in self.claims if claim.suite == suite]
        unwanted = [claim for pattern in left_out for claim in _named(known, pattern, source)]
        chosen: dict[ClaimKey, Claim] = {}
        for pattern in patterns:
            for claim in _named(known, pattern, source):
                if claim in unwanted or (claim.writes and not writes):
                    continue
                module, function = claim.name.split(".")
                services = self.services if claim.per_service else ("",)
                chosen.update({ClaimKey(module, function, s): claim for s in services})
        return chosen


def _named(claims: Sequence[Claim], pattern: str, source: str) -> list[Claim]:
    found = [claim for claim in claims if fnmatch.fnmatchcase(claim.name, pattern)]
    if not found:
        near = difflib.get_close_matches(pattern, [c.name for c in claims], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigurationError(f"{source}: claims: {pattern!r} names no claim{hint}")
    return found
