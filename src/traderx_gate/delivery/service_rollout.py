"""The rollout of one service: its units applied, its replicas ready, its contract kept."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from traderx_gate import traderx
from traderx_gate.application import Service
from traderx_gate.confighub import Operation, Unit, UnitEvent
from traderx_gate.delivery import approval
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import DeliveryError
from traderx_gate.kube import Deployment, Pod
from traderx_gate.verdict import ServiceRollout
from traderx_gate.waiting import Deadline, polling, until

POLL_S = 0.05
HOPELESS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerError"}
)
CRASHES = 2
"""Restarts after which a crashing container is given up."""
Deviation = Callable[[], str | None]
"""Says what went wrong meanwhile; None while nothing did."""


def nothing() -> None:
    """Say that nothing went wrong."""


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


def roll_out(
    deployed: DeployedEnvironment,
    service: Service,
    deadline: Deadline,
    *,
    elapsed_s: Callable[[], float],
    pinned: Mapping[str, int] | None = None,
) -> ServiceRollout:
    """Apply the units of a service, wait until it is ready, and until it answers as itself.

    Args:
        deployed: Where; the clients are used by this thread only.
        service: What.
        deadline: Of the whole deployment.
        elapsed_s: Seconds since the deployment began.
        pinned: The units to be applied, each with the revision that has to be its head; all as
            they are where it is left out.

    Raises:
        NotReachedError: Time is over, or it can never become ready.
        DeliveryError: The worker could not apply a unit.
    """
    began_s = elapsed_s()
    for unit in deployed.units_of(service):
        if pinned is None or unit.slug in pinned:
            revision = None if pinned is None else pinned[unit.slug]
            apply(deployed, unit, deadline, service, revision=revision)
    applied_s = elapsed_s()
    await_replicas(deployed, service, deadline)
    ready_s = elapsed_s()
    await_healthy(deployed, service, deadline)
    return ServiceRollout(
        service=service.slug,
        began_s=began_s,
        applied_s=applied_s,
        ready_s=ready_s,
        healthy_s=elapsed_s(),
    )


def await_healthy(deployed: DeployedEnvironment, service: Service, deadline: Deadline) -> None:
    """Wait until a service answers as itself.

    Raises:
        NotReachedError: Time is over.
    """
    until(
        polling(
            # the way to it may only now become known
            lambda: traderx.identify(deployed.ask(service), service),
            every_s=POLL_S,
            deadline=deadline,
        ),
        lambda answer: answer.matches,
        what=f"{service.health.method} {service.health.path} to answer {service.health.status}",
        describe=lambda answer: answer.seen,
    )


def await_replicas(
    deployed: DeployedEnvironment,
    service: Service,
    deadline: Deadline,
    *,
    deviation: Deviation = nothing,
    wake: threading.Event | None = None,
) -> None:
    """Wait until all replicas of a service are those that its Deployment says now, and ready.

    Args:
        deployed: Where.
        service: What.
        deadline: Until when.
        deviation: Says why to wait no longer, though they may become ready.
        wake: Set by whoever knows that `deviation` has something to say.

    Raises:
        NotReachedError: Time is over, they can never become ready, or there is a deviation.
    """
    until(
        deployed.kube.watch(
            [("apps/v1", "Deployment"), ("v1", "Pod")],
            lambda: _rollout(deployed, service),
            namespace=deployed.spec.namespace,
            labels=f"app={service.slug}",
            deadline=deadline,
            wake=wake,
        ),
        RolloutSnapshot.is_complete,
        hopeless=lambda seen: deviation() or seen.hopeless,
        what="its replicas to be ready",
    )


def _rollout(deployed: DeployedEnvironment, service: Service) -> RolloutSnapshot:
    deployment = deployed.deployment(service)
    return RolloutSnapshot(
        deployment=deployment,
        pods=deployed.pods(service),
        hopeless=_hopeless(deployed, service) or deployment.stuck or None,
    )


def apply(
    deployed: DeployedEnvironment,
    unit: Unit,
    deadline: Deadline,
    service: Service | None = None,
    *,
    revision: int | None = None,
    deviation: Deviation = nothing,
    approves: bool = False,
) -> None:
    """Apply a unit and wait until the worker has ended the operation, or never can.

    Args:
        deployed: Where.
        unit: What.
        deadline: Until when.
        service: Whose pods the unit makes, if it makes any.
        revision: The one that has to be its head; whatever is, where it is left out.
        deviation: Says why to wait no longer, though the worker may get there.
        approves: Whether it may be approved, where ConfigHub holds it back.

    Raises:
        NotReachedError: Time is over, the service's pods cannot become ready, or there is a
            deviation.
        DeliveryError: The worker could not apply it, or another revision was its head.
    """
    if approves:
        approval.approve(deployed, pinned={unit.slug: unit.head_revision})
    operation = deployed.confighub.unit_apply(unit)
    if revision is not None and operation.revision != revision:
        raise DeliveryError(
            f"unit {unit.slug}: somebody changed it: its revision {operation.revision} is being "
            f"applied, not {revision}"
        )
    _await_end(deployed, unit, operation, deadline, service, deviation=deviation)


def destroy(deployed: DeployedEnvironment, unit: Unit, deadline: Deadline) -> None:
    """Have the worker remove a unit's objects, and wait until it has; those gone are no error.

    Raises:
        NotReachedError: Time is over.
        DeliveryError: The worker could not remove them.
    """
    _await_end(deployed, unit, deployed.confighub.unit_destroy(unit), deadline)


def _await_end(
    deployed: DeployedEnvironment,
    unit: Unit,
    operation: Operation,
    deadline: Deadline,
    service: Service | None = None,
    *,
    deviation: Deviation = nothing,
) -> None:
    doing = operation.action.lower()

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
        hopeless=lambda seen: deviation() or seen.hopeless,
        what=f"ConfigHub's worker to {doing} unit {unit.slug}",
    ).event
    if ended is None or ended.status != "Completed":
        said = "nothing" if ended is None else f"{ended.result}: {ended.message}"
        raise DeliveryError(f"unit {unit.slug}: {doing} ended as {said}")
