"""Green: two units of its own in the environment's space, made, proven and removed again."""

import functools
from collections.abc import Callable

from traderx_gate import traderx
from traderx_gate.application import Service
from traderx_gate.delivery.colours import Change
from traderx_gate.delivery.service_rollout import POLL_S, apply, await_replicas, destroy
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import DeliveryError
from traderx_gate.kube import ObjectRef
from traderx_gate.traderx import Ask
from traderx_gate.waiting import Deadline, polling, until
from traderx_gate.workloads import described

ANSWER_S = 10.0
"""Pods that are ready answer as themselves within this; on a busy machine it takes a second."""
REMOVAL_S = 180.0
"""A worker that waits for what it applied may take two minutes before it turns to the next."""

MADE = (
    ("apps/v1", "ReplicaSet"),
    ("v1", "Pod"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
)
"""What controllers made of green's objects, with green's label; it goes after them."""


def make(deployed: DeployedEnvironment, change: Change) -> None:
    """Make what is missing of green's units, with the labels and the target of blue's.

    The Deployment's comes first and goes last: it knows what a killed run is taken back to.

    Raises:
        DeliveryError: ConfigHub holds a unit back; nothing of it is in the cluster.
    """
    hub, space = deployed.confighub, deployed.space
    blue, deployment = described(deployed, change.service, "Deployment")
    _, service = described(deployed, change.service, "Service")
    target = next(one for one in hub.target_list(space) if one.id == blue.target_id)
    units = deployed.units()
    for slug, data in change.green_units(deployment, service).items():
        unit = units.get(slug) or hub.unit_create(space, slug, data, labels=blue.labels)
        if unit.target_id != target.id:
            unit = hub.unit_set_target(unit, target)
        gates = hub.unit_get(unit).apply_gates
        if gates and not change.approves:
            raise DeliveryError(f"unit {slug} is held by apply gate {', '.join(sorted(gates))}")


def prove(deployed: DeployedEnvironment, change: Change, deadline: Deadline) -> None:
    """Apply green, and wait until it is proven to be the version asked for, and healthy.

    Raises:
        NotReachedError: Its pods do not become ready, or do not answer as the service does.
        DeliveryError: The worker could not apply it, a pod was restarted or has another image.
    """
    green = change.green
    for unit in deployed.units_of(green):
        if unit.is_pending():
            apply(deployed, unit, deadline, green, approves=change.approves)
    await_replicas(deployed, green, deadline)
    # the way to it may only now become known
    _await_answer(lambda: deployed.ask(green), green, f"Service {green.slug}")
    require_version(deployed, change, green)


def require_version(deployed: DeployedEnvironment, change: Change, colour: Service) -> None:
    """Have every pod of a colour be of the version, never restarted, and answer for itself.

    Raises:
        NotReachedError: A pod does not answer as the service does.
        DeliveryError: A pod was restarted, or has another image.
    """
    for pod in deployed.pods(colour):
        if change.after not in pod.spec_images.values():
            images = ", ".join(pod.spec_images.values())
            raise DeliveryError(f"pod {pod.name} has image {images}, not {change.after}")
        if pod.restarts:
            raise DeliveryError(f"pod {pod.name} was restarted {pod.restarts} times")
        _await_answer(functools.partial(deployed.ask_pod, colour, pod), colour, f"pod {pod.name}")


def _await_answer(way: Callable[[], Ask], service: Service, where: str) -> None:
    contract = service.health
    until(
        polling(
            lambda: traderx.identify(way(), service), every_s=POLL_S, deadline=Deadline(ANSWER_S)
        ),
        lambda answer: answer.matches,
        what=f"{where} to answer {contract.method} {contract.path} as {service.slug} does",
        describe=lambda answer: answer.seen,
    )


def remove(deployed: DeployedEnvironment, change: Change) -> bool:
    """Take green out of the cluster, wait until its pods are gone, then delete its units.

    Returns:
        Whether there was anything of it.

    Raises:
        NotReachedError: The worker, or a pod, does not get there in time.
        DeliveryError: The worker could not remove an object.
    """
    deadline = Deadline(REMOVAL_S)
    green, units = change.green, deployed.units()
    left = [units[slug] for slug in reversed(green.units) if slug in units]
    for unit in left:
        if unit.target_id:  # without one it was never applied
            destroy(deployed, unit, deadline)
    until(
        deployed.kube.watch(
            [("v1", "Pod"), ("discovery.k8s.io/v1", "EndpointSlice")],
            lambda: _objects(deployed, green),
            namespace=deployed.spec.namespace,
            labels=f"app={green.slug}",
            deadline=deadline,
        ),
        lambda found: not found,
        what=f"everything of {green.slug} to be gone",
        describe=", ".join,
    )
    for unit in left:
        deployed.confighub.unit_delete(unit)
    return bool(left)


def _objects(deployed: DeployedEnvironment, green: Service) -> list[str]:
    """Return what is left of green's objects and what was made of them, in words."""
    return [
        str(ObjectRef.of(body))
        for api_version, kind in MADE
        for body in deployed.kube.list(
            api_version, kind, namespace=deployed.spec.namespace, labels=f"app={green.slug}"
        )
    ]
