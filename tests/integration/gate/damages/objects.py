"""What can be done to objects of Kubernetes behind ConfigHub's back."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.gate.damages.damage import DATABASE, DEADLINE_S, PROCESSOR, Inflict
from tests.integration.gate.gate_command import NAMESPACE, Gate, Json, ref
from traderx_gate.kube import Deployment, ObjectRef
from traderx_gate.waiting import Deadline, polling, until


def settled(gate: Gate, service: str) -> None:
    """Wait until a Deployment is rolled out, so that nothing of the damage is under way."""
    until(
        polling(
            lambda: gate.kube.deployment(NAMESPACE, service),
            every_s=0.05,
            deadline=Deadline(DEADLINE_S),
        ),
        Deployment.is_rolled_out,
        what=f"{service} to be rolled out",
    )


def patched(kind: str, name: str, body: Json, *, manager: str, undo: Json | None = None) -> Inflict:
    """Change an object, as `kubectl edit` and its like do."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        target = ref(kind, name)
        gate.patch(target, body, manager=manager)
        if kind == "Deployment":
            settled(gate, name)
        try:
            yield
        finally:
            if undo is not None:
                gate.patch(target, undo, manager=manager)

    return inflict


def container(name: str, **fields: Any) -> Json:
    """Return a patch of a Deployment's container."""
    return {"spec": {"template": {"spec": {"containers": [{"name": name, **fields}]}}}}


def deleted(kind: str, name: str) -> Inflict:
    """Delete an object."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        gate.kube.delete(ref(kind, name))
        yield

    return inflict


def created(body: Json) -> Inflict:
    """Create an object that no unit accounts for."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        namespaced = {**body, "metadata": {"namespace": NAMESPACE, **body["metadata"]}}
        gate.kube.apply(namespaced, manager="somebody")
        if body["kind"] == "Deployment":
            settled(gate, body["metadata"]["name"])
        try:
            yield
        finally:
            gate.kube.delete(ObjectRef.of(namespaced))

    return inflict


def template(**fields: Any) -> Json:
    """Return a patch of a Deployment's pods."""
    return {"spec": {"template": {"spec": fields}}}


@contextmanager
def cordoned(gate: Gate) -> Iterator[None]:
    """Have no node take new pods."""
    nodes = [ref("Node", body["metadata"]["name"]) for body in gate.kube.list("v1", "Node")]
    for node in nodes:
        gate.patch(node, {"spec": {"unschedulable": True}}, manager="kubectl-cordon")
    try:
        yield
    finally:
        for node in nodes:
            gate.patch(node, {"spec": {"unschedulable": None}}, manager="kubectl-cordon")


@contextmanager
def warned(gate: Gate) -> Iterator[None]:
    """Write a warning down, as any controller may."""
    # times of the API are whole seconds, and one that a pod became ready in belongs to its rollout
    now = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)).isoformat()
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "evil", "namespace": NAMESPACE},
        "involvedObject": {"kind": "Service", "name": DATABASE, "namespace": NAMESPACE},
        "type": "Warning",
        "reason": "Evil",
        "message": "something is wrong",
        "firstTimestamp": now,
        "lastTimestamp": now,
    }
    gate.kube.apply(event, manager="somebody")
    try:
        yield
    finally:
        gate.kube.delete(ref("Event", "evil"))


@contextmanager
def second_processor(gate: Gate) -> Iterator[None]:
    """Run a second trade-processor that no unit accounts for and no label gives away."""
    live = gate.kube.get(ref("Deployment", PROCESSOR))
    pod = live["spec"]["template"]["spec"]
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "helper"},
        "spec": {
            "selector": {"matchLabels": {"run": "helper"}},
            "template": {"metadata": {"labels": {"run": "helper"}}, "spec": pod},
        },
    }
    with created(body)(gate):
        yield


@contextmanager
def tainted(gate: Gate) -> Iterator[None]:
    """Keep pods off the nodes by a taint, as an operator does before maintenance."""
    taint = {"key": "maintenance", "effect": "NoSchedule"}
    # a patch replaces the whole list: taints have no merge key
    before = {
        ref("Node", body["metadata"]["name"]): body["spec"].get("taints") or []
        for body in gate.kube.list("v1", "Node")
    }
    for node, taints in before.items():
        gate.patch(node, {"spec": {"taints": [*taints, taint]}}, manager="kubectl-taint")
    try:
        yield
    finally:
        for node, taints in before.items():
            gate.patch(node, {"spec": {"taints": taints or None}}, manager="kubectl-taint")


def swapped_ports(first: str, second: str) -> Inflict:
    """Exchange where two Services lead to."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        ports = {
            name: gate.kube.get(ref("Service", name))["spec"]["ports"][0]
            for name in (first, second)
        }
        for name, other in ((first, second), (second, first)):
            port = {"port": ports[name]["port"], "targetPort": ports[other]["targetPort"]}
            gate.patch(ref("Service", name), {"spec": {"ports": [port]}}, manager="kubectl-edit")
        yield

    return inflict


def until_warned(gate: Gate, about: str, since: dt.datetime) -> None:
    """Wait until a warning about an object whose name begins so is written down, again or first.

    Times of the API are whole seconds; `since` is rounded down to one.
    """
    first = since.replace(microsecond=0)
    until(
        polling(
            lambda: gate.kube.list("v1", "Event", namespace=NAMESPACE),
            every_s=0.05,
            deadline=Deadline(DEADLINE_S),
        ),
        lambda events: any(
            event["type"] == "Warning"
            and event["involvedObject"]["name"].startswith(about)
            and dt.datetime.fromisoformat(event["lastTimestamp"] or event["eventTime"]) >= first
            for event in events
        ),
        what=f"a warning about {about}",
    )
