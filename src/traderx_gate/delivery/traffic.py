"""The traffic of a service: led to one colour's pods by one change, and watched there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from traderx_gate.application import Service
from traderx_gate.delivery import colours
from traderx_gate.delivery.health_stream import HealthStream
from traderx_gate.delivery.service_rollout import apply, nothing
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import DeliveryError
from traderx_gate.kube import Pod
from traderx_gate.reach import target
from traderx_gate.waiting import Deadline, until
from traderx_gate.workloads import described

LEAST_ANSWERS_PER_S = 1.0
"""A watch with fewer answers than this says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The pods that a Service leads to, beside those that it should."""

    led_to: frozenset[str]
    wanted: frozenset[str]

    def are_right(self) -> bool:
        """Whether they are the same pods, and there are any."""
        return bool(self.wanted) and self.led_to == self.wanted

    def __str__(self) -> str:
        """Return both."""
        led_to, wanted = (
            ", ".join(sorted(names)) or "nothing" for names in (self.led_to, self.wanted)
        )
        return f"leads to {led_to}; ready are {wanted}"


def lead(
    deployed: DeployedEnvironment,
    service: Service,
    to: Service,
    deadline: Deadline,
    *,
    approves: bool = False,
    stream: HealthStream | None = None,
) -> bool:
    """Lead a service's traffic to the pods of a colour, unless it goes there.

    The pods that had it are left alone: until everybody has heard of the change, and has ended
    what he had begun, they have to go on serving.

    Args:
        deployed: Where.
        service: Whose traffic.
        to: The colour.
        deadline: Until when.
        approves: Whether the change may be approved, where ConfigHub holds it back.
        stream: What ends the wait at its first wrong answer.

    Returns:
        Whether anything had to be changed.

    Raises:
        NotReachedError: The EndpointSlices do not follow, or there is a deviation.
        DeliveryError: The worker could not apply the change.
    """
    deviation, wake = (stream.deviation, stream.wake) if stream else (nothing, None)
    unit, _ = described(deployed, service, "Service")
    data = colours.leading_to(unit.data, to.slug, source=f"unit {unit.slug}")
    if data != unit.data:
        change = f"blue-green: traffic to {to.slug}"
        unit = deployed.confighub.unit_update(unit, data, change=change)
    is_changed = unit.is_pending()
    if is_changed:
        apply(deployed, unit, deadline, deviation=deviation, approves=approves)
    until(
        deployed.kube.watch(
            [("discovery.k8s.io/v1", "EndpointSlice"), ("v1", "Pod")],
            lambda: _endpoints(deployed, service, to),
            namespace=deployed.spec.namespace,
            deadline=deadline,
            wake=wake,
        ),
        Endpoints.are_right,
        hopeless=lambda _: deviation(),
        what=f"the endpoints of Service {service.slug} to be the pods of {to.slug}",
    )
    return is_changed


def _endpoints(deployed: DeployedEnvironment, service: Service, to: Service) -> Endpoints:
    led_to = target(deployed.kube, deployed.spec.namespace, service.slug, service.health.port)
    return Endpoints(
        led_to=frozenset(name for name, _ in led_to.pods),
        wanted=frozenset(pod.name for pod in deployed.pods(to) if pod.ready),
    )


def watch(
    deployed: DeployedEnvironment, carrier: Service, seconds: float, stream: HealthStream
) -> int:
    """Watch the traffic, and the pods that carry it, for a while.

    Returns:
        How many answers came meanwhile, all of them right.

    Raises:
        DeliveryError: An answer was wrong, there were too few to say anything, or a pod was
            restarted, was lost, or is not ready.
    """
    before = stream.answers
    known = {pod.name: pod.restarts for pod in deployed.pods(carrier)}

    def read() -> tuple[Pod, ...]:
        return deployed.pods(carrier)

    snapshots = deployed.kube.watch(
        [("v1", "Pod")],
        read,
        namespace=deployed.spec.namespace,
        labels=f"app={carrier.slug}",
        deadline=Deadline(seconds),
        wake=stream.wake,
    )
    for pods in snapshots:
        _require_undisturbed(stream, known, pods)
    _require_undisturbed(stream, known, read())
    answers = stream.answers - before
    if answers < seconds * LEAST_ANSWERS_PER_S:
        raise DeliveryError(
            f"{answers} answers in {seconds:g} s through Service {carrier.slug} are too few to "
            "say anything"
        )
    return answers


def _require_undisturbed(
    stream: HealthStream, known: Mapping[str, int], pods: Iterable[Pod]
) -> None:
    if (wrong := stream.deviation() or disturbance(known, pods)) is not None:
        raise DeliveryError(wrong)


def disturbance(known: Mapping[str, int], pods: Iterable[Pod]) -> str | None:
    """Return what happened to pods meanwhile; None if nothing did.

    Args:
        known: The restarts of each pod by then, by name.
        pods: The pods as they are now.
    """
    found = {pod.name: pod for pod in pods}
    for name, restarts in known.items():
        pod = found.get(name)
        if pod is None:
            return f"pod {name} is gone"
        if pod.restarts > restarts:
            return f"pod {name} was restarted"
        if not pod.ready:
            return f"pod {pod}"
    return None if known else "there is no pod"
