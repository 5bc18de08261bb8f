"""The catalogue of services and environments, parsed once into frozen values."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from typing import Self, TypeVar

from traderx_gate.errors import ConfigurationError
from traderx_gate.tables import Fields, read_toml

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthContract:
    """A service's own contract: the request, and the answer that proves the right application.

    Attributes:
        port: The Service's port.
        body_contains: Text that the body has to contain; empty to compare `body_json`.
        body_json: What the body has to be as JSON; None to look for `body_contains`.
        lists: Further paths, each of which answers 200 with a list that is never empty.
    """

    port: int
    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body_contains: str
    body_json: object | None
    lists: tuple[str, ...]

    @classmethod
    def from_table(cls, table: object, *, where: str) -> Self:
        """Read `[service.health]`."""
        take = Fields(table, where=where)
        contract = cls(
            port=take.number("port", at_least=1),
            method=take.choice("method", ("GET", "POST")),
            path=take.text("path"),
            status=take.number("status", at_least=100),
            headers=take.optional("headers", dict, {}),
            body_contains=take.optional("body_contains", str, ""),
            body_json=take.optional("body_json", dict, None),
            lists=tuple(take.optional("lists", list, [])),
        )
        take.nothing_else()
        if bool(contract.body_contains) == (contract.body_json is not None):
            raise ConfigurationError(f"{where}: needs one of body_contains and body_json")
        return contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of TraderX.

    Attributes:
        slug: Its name everywhere: Deployment, Service, label `app`.
        units: The units that deploy it, in the order in which they are applied.
        depends_on: Services that have to be healthy before it is deployed.
        calls: `service:port` of everything that its pods connect to.
        restart_after: Services after whose start it has to be started again.
        singleton: Why a second pod breaks it; empty where none does (`reference/traderx.md` I23).
    """

    slug: str
    layer: str
    order: int
    units: tuple[str, ...]
    depends_on: tuple[str, ...]
    calls: tuple[str, ...]
    restart_after: tuple[str, ...]
    singleton: str
    health: HealthContract

    @classmethod
    def from_table(cls, table: object, *, where: str) -> Self:
        """Read `[[service]]`."""
        take = Fields(table, where=where)
        slug = take.text("slug")
        service = cls(
            slug=slug,
            layer=take.choice("layer", ("data", "backend", "frontend")),
            order=take.number("order", at_least=0),
            units=take.texts("units"),
            depends_on=tuple(take.optional("depends_on", list, [])),
            calls=tuple(take.optional("calls", list, [])),
            restart_after=tuple(take.optional("restart_after", list, [])),
            singleton=take.optional("singleton", str, ""),
            health=HealthContract.from_table(
                take.any("health", dict), where=f"{where} ({slug}).health"
            ),
        )
        take.nothing_else()
        return service


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """Looks at the health of an environment, one after another.

    Attributes:
        checks: How many; 0 for none.
        every_s: Seconds between the beginnings of two.
    """

    checks: int = 0
    every_s: float = 60.0

    @classmethod
    def from_table(cls, table: object, *, where: str) -> Self:
        """Read `[environment.soak]`."""
        take = Fields(table, where=where)
        soak = cls(
            checks=take.optional("checks", int, 0), every_s=float(take.optional("every_s", int, 60))
        )
        take.nothing_else()
        return soak


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """A named deployment; `upstream` is empty for the one that others are cloned from.

    Attributes:
        policy: What it has to prove to count as validated.
        promotion_policy: What evidence it needs before it may be promoted.
        needs_approval: Whether ConfigHub holds back every revision that nobody approved.
        confirmed: Whether its name has to be typed before it is promoted to.
        soak: How often, and how far apart, its health is looked at after a promotion.
    """

    name: str
    upstream: str
    namespace: str
    policy: str
    promotion_policy: str
    needs_approval: bool
    confirmed: bool
    soak: Soak

    @classmethod
    def from_table(cls, table: object, *, where: str) -> Self:
        """Read `[[environment]]`."""
        take = Fields(table, where=where)
        spec = cls(
            name=take.text("name"),
            upstream=take.optional("upstream", str, ""),
            namespace=take.text("namespace"),
            policy=take.optional("policy", str, "validate"),
            promotion_policy=take.optional("promotion_policy", str, "promote"),
            needs_approval=take.optional("needs_approval", bool, default=False),
            confirmed=take.optional("confirmed", bool, default=False),
            soak=Soak.from_table(take.optional("soak", dict, {}), where=f"{where}.soak"),
        )
        take.nothing_else()
        return spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """All of TraderX that this version deploys.

    Attributes:
        shared_units: Units that belong to no single service, applied before every service.
        final_units: Units that belong to no single service, applied after every service.
    """

    services: tuple[Service, ...]
    environments: tuple[EnvironmentSpec, ...]
    shared_units: tuple[str, ...]
    final_units: tuple[str, ...]

    @classmethod
    def from_toml(cls, text: str, *, source: str) -> Self:
        """Read the catalogue.

        Raises:
            ConfigurationError: Malformed, or dependencies that are unknown or circular.
        """
        take = Fields(read_toml(text, source=source), where=source)
        application = cls(
            services=tuple(
                Service.from_table(table, where=f"{source}: service {number}")
                for number, table in enumerate(take.tables("service"), start=1)
            ),
            environments=tuple(
                EnvironmentSpec.from_table(table, where=f"{source}: environment {number}")
                for number, table in enumerate(take.tables("environment"), start=1)
            ),
            shared_units=take.texts("shared_units"),
            final_units=tuple(take.optional("final_units", list, [])),
        )
        take.nothing_else()
        for service in application.services:
            for name in ("depends_on", "restart_after"):
                for other in getattr(service, name):
                    if other not in application.slugs:
                        raise ConfigurationError(
                            f"{source}: service {service.slug}: {name}: no service {other!r}"
                        )
            for call in service.calls:
                if call.partition(":")[0] not in application.slugs:
                    raise ConfigurationError(
                        f"{source}: service {service.slug}: calls: no service {call!r}"
                    )
        application.waves()
        return application

    @property
    def slugs(self) -> tuple[str, ...]:
        """The services' slugs."""
        return tuple(service.slug for service in self.services)

    def waves(self) -> tuple[tuple[Service, ...], ...]:
        """Return the services in dependency order; those of one wave do not need each other.

        Raises:
            ConfigurationError: Dependencies are circular.
        """
        by_slug = {service.slug: service for service in self.services}
        sorter = TopologicalSorter({s.slug: s.depends_on for s in self.services})
        try:
            sorter.prepare()
        except CycleError as error:
            raise ConfigurationError(
                f"services depend on each other in a circle: {' -> '.join(error.args[1])}"
            ) from error
        waves = []
        while sorter.is_active():
            ready = sorter.get_ready()
            waves.append(tuple(sorted((by_slug[s] for s in ready), key=lambda s: s.order)))
            sorter.done(*ready)
        return tuple(waves)

    def downstream(self, name: str) -> EnvironmentSpec | None:
        """Return the environment that is cloned from another one; None where none is."""
        return next((spec for spec in self.environments if spec.upstream == name), None)

    def owner(self, unit: str) -> Service | None:
        """Return the service that a unit deploys; None for those that belong to no single one."""
        return next((service for service in self.services if unit in service.units), None)

    def service(self, slug: str) -> Service:
        """Return a service.

        Raises:
            ConfigurationError: Unknown; suggests the nearest.
        """
        return _named("service", slug, {service.slug: service for service in self.services})

    def in_namespaces(self, prefix: str) -> Self:
        """Return the application with the namespaces `<prefix>-<environment>`.

        The one that others are cloned from is never deployed; its namespace stays.
        """
        environments = tuple(
            replace(spec, namespace=f"{prefix}-{spec.name}") if spec.upstream else spec
            for spec in self.environments
        )
        return replace(self, environments=environments)

    def environment(self, name: str) -> EnvironmentSpec:
        """Return an environment.

        Raises:
            ConfigurationError: Unknown; suggests the nearest.
        """
        return _named("environment", name, {spec.name: spec for spec in self.environments})


def _named(kind: str, name: str, known: Mapping[str, Item]) -> Item:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
    raise ConfigurationError(f"unknown {kind} {name!r}{hint}")


@cache
def load() -> Application:
    """Return the catalogue that comes with the project."""
    text = files(__package__).joinpath("services.toml").read_text()
    return Application.from_toml(text, source="application/services.toml")


def unit_data(slug: str) -> bytes:
    """Return the base unit's YAML.

    Raises:
        ConfigurationError: There is none of this name.
    """
    path = files(__package__).joinpath("units", "base", f"{slug}.yaml")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"unit {slug}: {path}: {error.strerror}") from error


def unit_slugs(application: Application) -> Sequence[str]:
    """Return the slugs of all units, in the order in which they are applied."""
    services = [service for wave in application.waves() for service in wave]
    return [
        *application.shared_units,
        *(slug for service in services for slug in service.units),
        *application.final_units,
    ]
