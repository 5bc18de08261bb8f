"""How an environment stands, looked at from outside: what ConfigHub holds, what the cluster runs.

None of it asks the code that is judged by it: units, annotations and Deployments are read as they
are, and what has to agree is compared here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from bench.throwaway import BenchError
from traderx_gate.confighub import ConfigHub, Space, Unit
from traderx_gate.kube import Kube

PROJECT = "bench"
UNDER_WAY = "traderx-gate/promotion"
"""Annotations of a space that begin so say that a promotion to it did not end."""

Data = Mapping[str, bytes]
"""The data of an environment's units, by slug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An environment at one moment.

    Attributes:
        data: Of every unit.
        under_way: The annotations of a promotion that did not end; empty where there is none.
        pending: Units whose head is not live, in words; not those that never were.
        strays: Where a live Deployment is not what its unit says, in words.
    """

    data: Data
    under_way: Mapping[str, str]
    pending: tuple[str, ...]
    strays: tuple[str, ...]

    def faults(self, wanted: Data) -> list[str]:
        """Return what is not as it has to be once everything has ended, in words."""
        differing = differences(wanted, self.data)
        return [
            *([f"a promotion is under way: {sorted(self.under_way)}"] if self.under_way else []),
            *self.pending,
            *self.strays,
            *([f"other data than wanted: {', '.join(differing)}"] if differing else []),
        ]


def differences(wanted: Data, found: Data) -> list[str]:
    """Return the units that are not byte for byte the same, or are in one alone."""
    return sorted(s for s in {*wanted, *found} if wanted.get(s) != found.get(s))


def in_another(data: Data, *, source: str, target: str) -> dict[str, bytes]:
    """Return what the data of an environment is in another one: the namespace is its own."""
    names = (f"traderx-{source}".encode(), f"traderx-{target}".encode())
    return {slug: content.replace(*names) for slug, content in data.items()}


def strays(unit: Unit, live: Mapping[str, Any]) -> list[str]:
    """Return where a live Deployment has another image, or requests, than its unit, in words."""
    (wanted,) = yaml.safe_load_all(unit.data)
    ours, theirs = _containers(wanted), _containers(live)
    return [
        f"{unit.slug}: container {name} has {theirs.get(name)} live, {ours.get(name)} in the unit"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]


def _containers(deployment: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return {c["name"]: (c["image"], dict(c["resources"]["requests"])) for c in containers}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Looks at the environments of the project that is measured."""

    hub: ConfigHub
    kube: Kube

    def space(self, name: str) -> Space:
        """Return the space of an environment.

        Raises:
            BenchError: There is none.
        """
        found = self.hub.space_find(f"{PROJECT}-{name}")
        if found is None:
            raise BenchError(f"the space of {name} is gone")
        return found

    def data(self, name: str) -> dict[str, bytes]:
        """Return the data of an environment's units, by slug."""
        return {unit.slug: unit.data for unit in self.hub.unit_list(self.space(name))}

    def standing(self, name: str) -> Standing:
        """Return how an environment stands now."""
        space = self.space(name)
        units = self.hub.unit_list(space)
        found = self.kube.list("apps/v1", "Deployment", namespace=f"traderx-{name}")
        live = {f"{body['metadata']['name']}-deployment": body for body in found}
        deployments = {unit.slug: unit for unit in units if unit.slug.endswith("-deployment")}
        absent = sorted(deployments.keys() ^ live.keys())
        return Standing(
            data={unit.slug: unit.data for unit in units},
            under_way={k: v for k, v in space.annotations.items() if k.startswith(UNDER_WAY)},
            pending=tuple(
                f"{unit.slug}: head {unit.head_revision}, live {unit.live_revision}"
                for unit in units
                if unit.live_revision not in {0, unit.head_revision}
            ),
            strays=(
                *(f"{slug}: not both in ConfigHub and live" for slug in absent),
                *(
                    stray
                    for slug in sorted(deployments.keys() & live.keys())
                    for stray in strays(deployments[slug], live[slug])
                ),
            ),
        )


@dataclass(slots=True)
class Way:
    """The proven states that led to the newest one: where a rollback has to land.

    Kept here from what was seen, beside what the gate works out from its evidence.
    """

    states: list[Data] = field(default_factory=list)

    def prove(self, data: Data) -> None:
        """Add a state that passed; coming back to one takes away what came after it."""
        if data in self.states:
            del self.states[self.states.index(data) :]
        self.states.append(data)

    def before(self, data: Data) -> Data | None:
        """Return the state before one; of what was never proven, the newest; None for none."""
        if data in self.states:
            number = self.states.index(data)
            return self.states[number - 1] if number else None
        return self.states[-1] if self.states else None


def tail(said: str, *, lines: int = 12) -> Sequence[str]:
    """Return the last lines of what a command said."""
    return said.strip().splitlines()[-lines:]
