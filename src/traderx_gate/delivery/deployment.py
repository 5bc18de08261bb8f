"""Deployment of an environment in dependency order; stops at the first service that fails."""

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from traderx_gate import rights
from traderx_gate.application import Application, Service
from traderx_gate.application.catalogue import unit_slugs
from traderx_gate.delivery import approval, rollout_restart, schedule, worker_control
from traderx_gate.delivery.explanation import explain
from traderx_gate.delivery.service_rollout import apply, roll_out
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import (
    ConfigurationError,
    DeliveryError,
    GateError,
    before_the_first_effect,
)
from traderx_gate.kube import PROJECT_LABEL
from traderx_gate.settings import Settings
from traderx_gate.verdict import Rollout, ServiceRollout
from traderx_gate.waiting import Deadline

DEPLOYMENT_TIMEOUT_S = 300.0
"""The runbook's DEPLOYMENT_TIMEOUT."""

Deploy = Callable[[Mapping[str, int]], object]
"""Makes units of one environment live in their order, each at the revision that is its head."""
Report = Callable[[str], None]
"""Told, in words, of each step that is done; never by two threads at once."""


def deploy(
    settings: Settings,
    environment: str,
    *,
    report: Report,
    timeout_s: float = DEPLOYMENT_TIMEOUT_S,
    pinned: Mapping[str, int] | None = None,
) -> Rollout:
    """Apply an environment's units in dependency order, each service healthy before its dependants.

    Services that do not need each other go in parallel, each with clients of its own.

    Args:
        settings: Where the systems are.
        environment: What is deployed.
        report: Told of each step.
        timeout_s: For all of it.
        pinned: The units to be applied, each with the revision that has to be its head; all units
            as they are where it is left out.

    Raises:
        DeliveryError: A service failed; says which, why, and what was not done.
        RefusedError: ConfigHub holds a unit back; nothing was changed.
        UnreachableError, ConfigurationError: Nothing was changed.
    """
    deployed = checked(settings, environment)
    units = deployed.units()
    wanted = frozenset(units if pinned is None else pinned)
    approval.require_open(deployed, [units[slug] for slug in sorted(wanted)])
    application = deployed.application
    deadline = Deadline(timeout_s)
    started_at, started = dt.datetime.now(dt.UTC), time.monotonic()
    speaking = threading.Lock()

    def elapsed_s() -> float:
        return round(time.monotonic() - started, 3)

    def say(text: str) -> None:
        with speaking:
            report(text)

    def deploy_service(slug: str) -> ServiceRollout:
        service = application.service(slug)
        with contextlib.closing(settings.connect(environment)) as mine:
            reached = roll_out(mine, service, deadline, elapsed_s=elapsed_s, pinned=pinned)
        say(f"{slug}: healthy after {reached.healthy_s:.1f} s")
        return reached

    def apply_in_turn(named: Sequence[str], *, then: Sequence[str]) -> None:
        slugs = [slug for slug in named if slug in wanted]
        for number, slug in enumerate(slugs, start=1):
            try:
                revision = None if pinned is None else pinned[slug]
                apply(deployed, units[slug], deadline, revision=revision)
            except GateError as error:
                raise DeliveryError(f"{error}. {_left([*slugs[number:], *then])}") from error
            say(f"{slug}: applied")

    apply_in_turn(application.shared_units, then=[*application.slugs, *application.final_units])
    concerned = [s for s in application.services if wanted.intersection(s.units)]
    outcome = schedule.in_order(_needs(application, concerned), deploy_service)
    if outcome.failed:
        final = [slug for slug in application.final_units if slug in wanted]
        raise DeliveryError(_failure(deployed, outcome, then=final))
    for service in application.services:
        involved = {service.slug, *service.restart_after}
        if service.restart_after and any(other.slug in involved for other in concerned):
            _restart_if_due(deployed, service, deadline, say)
    apply_in_turn(application.final_units, then=())
    return Rollout(
        environment=deployed.spec.name,
        space=deployed.space.slug,
        started_at=started_at,
        services=tuple(outcome.done.values()),
        units={slug: unit.sha256 for slug, unit in units.items()},
    )


def _restart_if_due(
    deployed: DeployedEnvironment, service: Service, deadline: Deadline, say: Report
) -> None:
    if cause := rollout_restart.cause(deployed, service):
        say(f"{service.slug}: restarting it, because {cause} was started after it")
        try:
            rollout_restart.carry_out(deployed, service, deadline)
        except GateError as error:
            raise DeliveryError(explain(deployed, service.slug, error)) from error
        say(f"{service.slug}: restarted, and healthy")


def apply_all(
    settings: Settings, environment: str, *, report: Report, timeout_s: float = DEPLOYMENT_TIMEOUT_S
) -> None:
    """Apply every unit of an environment at once, and wait until the worker has ended them all.

    What the others lie in, such as the namespace, is applied first; otherwise no order is kept, and
    nothing is asked of a service but that its replicas become ready.

    Raises:
        DeliveryError: Units were not applied; says which, and why.
        RefusedError: ConfigHub holds a unit back; nothing was changed.
        UnreachableError, ConfigurationError: Nothing was changed.
    """
    deployed = checked(settings, environment)
    deadline = Deadline(timeout_s)
    units = deployed.units()
    approval.require_open(deployed, units.values())
    first = deployed.application.shared_units
    speaking = threading.Lock()

    def apply_one(slug: str) -> None:
        apply(settings.connect(environment), units[slug], deadline)
        with speaking:
            report(f"{slug}: applied")

    needs: dict[str, tuple[str, ...]] = dict.fromkeys(first, ())
    needs |= {slug: first for slug in units if slug not in first}
    outcome = schedule.in_order(needs, apply_one)
    for error in outcome.failed.values():
        if not isinstance(error, GateError):  # a defect of ours: its traceback is what helps
            raise error
    if outcome.failed:
        said = "\n".join(f"{slug} failed: {error}" for slug, error in outcome.failed.items())
        left = ", ".join(outcome.not_done)
        raise DeliveryError(f"{said}\nNot done: {left}" if left else said)


def checked(settings: Settings, environment: str) -> DeployedEnvironment:
    """Return an environment after everything that a deployment needs was found to be there.

    Raises:
        UnreachableError, ConfigurationError: Something is missing or malformed.
    """
    deployed = settings.connect(environment)
    with before_the_first_effect():
        deployed.kube.version()
        rights.require(deployed.kube, [deployed.spec.namespace])
        worker_control.require_all_enabled(deployed.confighub, deployed.space)
        units = deployed.well_formed_units()
    foreign = deployed.foreign_objects(units.values())
    if foreign:
        raise ConfigurationError(
            f"{foreign[0]} does not carry the label {PROJECT_LABEL}: {deployed.project}; "
            "nothing without it is changed: add it to the unit"
        )
    for slug in unit_slugs(deployed.application):
        if slug not in units:
            raise ConfigurationError(
                f"space {deployed.space.slug} has no unit {slug}; "
                f"make it with `traderx-gate install {environment}`"
            )
    return deployed


def _needs(application: Application, concerned: Iterable[Service]) -> dict[str, tuple[str, ...]]:
    """Return what each of these services needs of the others, also by way of ones left out."""
    slugs = {service.slug for service in concerned}

    def all_needs(slug: str) -> set[str]:
        direct = application.service(slug).depends_on
        return set(direct).union(*(all_needs(other) for other in direct))

    return {slug: tuple(sorted(all_needs(slug) & slugs)) for slug in sorted(slugs)}


def _failure(
    deployed: DeployedEnvironment,
    outcome: schedule.Outcome[ServiceRollout],
    *,
    then: Sequence[str],
) -> str:
    lines = []
    for slug, error in outcome.failed.items():
        if not isinstance(error, GateError):  # a defect of ours: its traceback is what helps
            raise error
        lines.append(explain(deployed, slug, error))
    left = [*outcome.not_done, *then]
    return "\n".join([*lines, _left(left)])


def _left(names: Sequence[str]) -> str:
    return f"Not done: {', '.join(names)}" if names else "Nothing else was left to do"
