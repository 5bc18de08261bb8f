"""Deployment of an environment in dependency order; stops at the first service that fails."""

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from traderx_gate import traderx
from traderx_gate.application import Service
from traderx_gate.application.catalogue import unit_slugs
from traderx_gate.confighub import Unit, UnitEvent
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import (
    ConfigurationError,
    DeliveryError,
    GateError,
    KubernetesError,
    before_the_first_effect,
)
from traderx_gate.kube import Deployment, Pod
from traderx_gate.settings import Settings
from traderx_gate.waiting import Deadline, polling, until

DEPLOYMENT_TIMEOUT_S = 300.0
"""The runbook's DEPLOYMENT_TIMEOUT."""
POLL_S = 0.05
LOG_LINES = 8
EVENTS = 5
HOPELESS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerError"}
)
CRASHES = 2
"""Restarts after which a crashing container is given up."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSnapshot:
    """A deployment and its pods at one time.

    Attributes:
        hopeless: Why it cannot complete without somebody's help; None while it may.
    """

    deployment: Deployment
    pods: tuple[Pod, ...]
    hopeless: str | None

    def is_complete(self) -> bool:
        """Whether all replicas are rolled out."""
        return self.deployment.is_rolled_out()

    def __str__(self) -> str:
        """Return the counts, and the pods that are not ready."""
        return "; ".join([str(self.deployment), *_not_ready(self.pods)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplySnapshot:
    """The worker's last word on an apply, and the pods of the service meanwhile.

    Attributes:
        event: None while the operation waits to be taken by a worker.
        workers: The workers of the space with their conditions, in words.
        hopeless: Why it cannot complete without somebody's help; None while it may.
    """

    event: UnitEvent | None
    workers: str
    pods: tuple[Pod, ...]
    hopeless: str | None

    def __str__(self) -> str:
        """Return what the worker said, and the pods that are not ready."""
        if self.event is None:
            return f"no worker has taken it ({self.workers})"
        return "; ".join([f"{self.event.status} {self.event.message}", *_not_ready(self.pods)])


def _not_ready(pods: tuple[Pod, ...]) -> list[str]:
    return [str(pod) for pod in pods if not pod.ready]


def _hopeless(deployed: DeployedEnvironment, service: Service) -> str | None:
    """Return why pods of what the units say now cannot become ready.

    Those that an earlier apply left behind do not count: they are what a deployment repairs.
    """
    if any(map(_without_hope, deployed.pods(service))):
        return next(filter(None, map(_without_hope, deployed.newest_pods(service))), None)
    return None


def _without_hope(pod: Pod) -> str | None:
    for container in pod.containers:
        if container.reason in HOPELESS:
            return f"{pod.name}: {container.reason}: {container.message}"
        if container.reason == "CrashLoopBackOff" and container.restarts >= CRASHES:
            return f"{pod.name}: crashed {container.restarts} times, {container.last_exit}"
    return None


def deploy(
    settings: Settings, environment: str, *, report: Report, timeout_s: float = DEPLOYMENT_TIMEOUT_S
) -> None:
    """Apply an environment's units in dependency order, each service healthy before its dependants.

    Services that do not need each other go in parallel, each with clients of its own.

    Raises:
        DeliveryError: A service failed; says which, why, and what was not done.
        UnreachableError, ConfigurationError: Nothing was changed.
    """
    deployed = settings.connect(environment)
    application = deployed.application
    with before_the_first_effect():
        units = deployed.well_formed_units()
        deployed.kube.version()
    for slug in unit_slugs(application):
        if slug not in units:
            raise ConfigurationError(
                f"space {deployed.space.slug} has no unit {slug}; "
                f"make it with `traderx-gate install {environment}`"
            )
    deadline = Deadline(timeout_s)
    waves = application.waves()
    started = time.monotonic()
    try:
        for slug in application.shared_units:
            _apply(deployed, units[slug], deadline)
            report(f"{slug}: applied")
    except GateError as error:
        raise DeliveryError(f"{error}. Not done: {', '.join(application.slugs)}") from error
    for number, wave in enumerate(waves):
        with ThreadPoolExecutor(max_workers=len(wave)) as pool:
            runs = {
                service.slug: pool.submit(_deploy_service, settings, environment, service, deadline)
                for service in wave
            }
        failures = {slug: failure for slug, run in runs.items() if (failure := run.exception())}
        for service in wave:
            if service.slug not in failures:
                report(f"{service.slug}: healthy after {time.monotonic() - started:.1f} s")
        if failures:
            later = [s.slug for left in waves[number + 1 :] for s in left]
            said = "\n".join(_explain(deployed, slug, e) for slug, e in failures.items())
            not_done = f"Not done: {', '.join(later)}" if later else "Nothing else was left to do"
            raise DeliveryError(f"{said}\n{not_done}")


def _deploy_service(
    settings: Settings, environment: str, service: Service, deadline: Deadline
) -> None:
    deployed = settings.connect(environment)
    for unit in deployed.units_of(service):
        _apply(deployed, unit, deadline, service)
    until(
        deployed.kube.watch(
            [("apps/v1", "Deployment"), ("v1", "Pod")],
            lambda: _rollout(deployed, service),
            namespace=deployed.spec.namespace,
            labels=f"app={service.slug}",
            deadline=deadline,
        ),
        RolloutSnapshot.is_complete,
        hopeless=lambda seen: seen.hopeless,
        what="its replicas to be ready",
    )
    address = deployed.address(service)
    until(
        polling(lambda: traderx.identify(address, service), every_s=POLL_S, deadline=deadline),
        lambda answer: answer.matches,
        what=f"{service.health.method} {service.health.path} to answer {service.health.status}",
        describe=lambda answer: answer.seen,
    )


def _rollout(deployed: DeployedEnvironment, service: Service) -> RolloutSnapshot:
    deployment = deployed.deployment(service)
    return RolloutSnapshot(
        deployment=deployment,
        pods=deployed.pods(service),
        hopeless=_hopeless(deployed, service) or deployment.stuck or None,
    )


def _apply(
    deployed: DeployedEnvironment, unit: Unit, deadline: Deadline, service: Service | None = None
) -> None:
    """Apply a unit and wait until the worker has ended the operation, or never can.

    Raises:
        NotReachedError: Time is over, or the service's pods cannot become ready.
        DeliveryError: The worker could not apply it.
    """
    operation = deployed.confighub.unit_apply(unit)

    def read() -> ApplySnapshot:
        events = deployed.confighub.unit_event_list(unit, operation=operation)
        return ApplySnapshot(
            event=events[-1] if events else None,
            workers="" if events else deployed.workers(),
            pods=deployed.pods(service) if service else (),
            hopeless=_hopeless(deployed, service) if service else None,
        )

    ended = until(
        polling(read, every_s=POLL_S, deadline=deadline),
        lambda seen: seen.event is not None and seen.event.is_terminal(),
        hopeless=lambda seen: seen.hopeless,
        what=f"ConfigHub's worker to apply unit {unit.slug}",
    ).event
    if ended is None or ended.status != "Completed":
        said = "nothing" if ended is None else f"{ended.result}: {ended.message}"
        raise DeliveryError(f"unit {unit.slug}: apply ended as {said}")


def _explain(deployed: DeployedEnvironment, slug: str, error: BaseException) -> str:
    """Return why a service failed: what was waited for, its events, its last log lines."""
    if not isinstance(error, GateError):
        raise error
    service = deployed.application.service(slug)
    lines = [f"{slug} failed: {error}"]
    try:
        waiting = [pod for pod in deployed.pods(service) if not pod.ready]
        lines += [f"  pod {pod}" for pod in waiting]
        lines += [f"  event {text}" for text in _events(deployed, service)]
        for pod in waiting[:1]:
            lines += [f"  log {pod.name}: {line}" for line in _log_lines(deployed, pod)]
    except GateError as unreadable:
        lines.append(f"  (pods, events and logs cannot be read: {unreadable})")
    return "\n".join(lines)


def _log_lines(deployed: DeployedEnvironment, pod: Pod) -> list[str]:
    try:
        text = deployed.kube.logs(pod.namespace, pod.name, lines=LOG_LINES)
    except KubernetesError as error:  # a container that never started has none
        return [f"none, {error}"]
    return text.splitlines()


def _events(deployed: DeployedEnvironment, service: Service) -> list[str]:
    """Return the newest warnings; those about pods that are gone are of an earlier deployment."""
    pods = {pod.name for pod in deployed.pods(service)}
    events = [
        event
        for event in deployed.kube.list("v1", "Event", namespace=deployed.spec.namespace)
        if event.get("type") == "Warning" and _is_about(event["involvedObject"], service, pods)
    ]
    events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    return [f"{e['reason']}: {e['message']} (x{e.get('count') or 1})" for e in events[-EVENTS:]]


def _is_about(involved: Mapping[str, str], service: Service, pods: AbstractSet[str]) -> bool:
    name = involved.get("name", "")
    return name in pods if involved.get("kind") == "Pod" else name.startswith(service.slug)
