"""What can be done to a deployed environment behind its back, and how the gate has to see it."""

import datetime as dt
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from tests.integration.gate.gate_command import (
    NAMESPACE,
    PROJECT,
    REQUEST_TIMEOUT_S,
    Gate,
    Json,
    ref,
)
from traderx_gate.kube import Deployment
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 60.0
ACCOUNTS = "account-service"
DATABASE = "database"
FEED = "trade-feed"
PAGE = "web-gui"
PEOPLE = "people-service"
POSITIONS = "position-service"
STOCKS = "reference-data"
TRADES = "trade-service"

Inflict = Callable[[Gate], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that somebody did, or that happened.

    Attributes:
        inflict: Does it; what a deployment does not repair is taken back when it is left.
        claims: Every claim that has to be false then, no more and no fewer.
        says: What the reasons have to say of it.
    """

    name: str
    inflict: Inflict
    claims: frozenset[str]
    says: str


def of(service: str, *claims: str) -> frozenset[str]:
    """Return the keys of a service's claims."""
    return frozenset(f"{claim}[{service}]" for claim in claims)


# Kubernetes


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
            gate.kube.delete(ref(body["kind"], body["metadata"]["name"]))

    return inflict


# ConfigHub


def changed_unit(slug: str, old: str, new: str) -> Inflict:
    """Change a unit and apply nothing."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        with gate.changed_unit(slug, (old, new)):
            yield

    return inflict


def applied_in_vain(slug: str, old: str, new: str) -> Inflict:
    """Apply a unit that never gets ready."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        with gate.changed_unit(slug, (old, new)) as unit, gate.impatient_worker("1s"):
            operation = gate.confighub.unit_apply(unit)
            until(
                polling(
                    lambda: gate.confighub.unit_event_list(unit, operation=operation),
                    every_s=0.05,
                    deadline=Deadline(DEADLINE_S),
                ),
                lambda events: bool(events) and events[-1].status == "Failed",
                what="the apply to fail",
            )
            yield

    return inflict


def queued_for_nobody(slug: str, old: str, new: str) -> Inflict:
    """Apply a unit while no worker is there."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        with gate.changed_unit(slug, (old, new)) as unit, gate.without_worker():
            gate.confighub.unit_apply(unit)
            yield

    return inflict


def no_worker(gate: Gate) -> AbstractContextManager[None]:
    """End the worker."""
    return gate.without_worker()


@contextmanager
def unit_more_upstream(gate: Gate) -> Iterator[None]:
    """Have a unit in base that dev lacks."""
    space = gate.confighub.space_find(f"{PROJECT}-base")
    assert space is not None
    data = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: newer\n"
    unit = gate.confighub.unit_create(space, "newer", data, labels={})
    try:
        yield
    finally:
        gate.ask_confighub("DELETE", f"/space/{space.id}/unit/{unit.id}")


@contextmanager
def filter_gone(gate: Gate) -> Iterator[None]:
    """Delete one of the project's filters; installing brings it back."""
    space = gate.confighub.space_find(f"{PROJECT}-filters")
    assert space is not None
    first = gate.confighub.filter_list(space)[0]
    gate.ask_confighub("DELETE", f"/space/{space.id}/filter/{first.id}")
    yield
    done = gate.run("install", "dev")
    assert done.returncode == 0, done.stdout + done.stderr


# Programs


def switched(service: str, switch: str) -> Inflict:
    """Turn a defect of every pod of a service on, at the port that is no part of the unit."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        urls = [f"{pod['admin_url']}/switches/{switch}" for pod in gate.pods(service)]
        _put(urls, "true")
        try:
            yield
        finally:
            _put(urls, "false")

    return inflict


def _put(urls: list[str], value: str) -> None:
    assert urls
    for url in urls:
        assert requests.put(url, value, timeout=REQUEST_TIMEOUT_S).status_code == 200


@contextmanager
def frozen(gate: Gate) -> Iterator[None]:
    """Stop one of two processes without ending it, until it is seen not to be ready."""
    pod = gate.pods(PAGE)[0]
    os.kill(pod["pid"], signal.SIGSTOP)
    try:
        _until_ready(gate, PAGE, 1)
        yield
    finally:
        gate.kube.delete(ref("Pod", pod["name"]))
        settled(gate, PAGE)


@contextmanager
def crashed(gate: Gate) -> Iterator[None]:
    """Kill a process; its container is restarted, and ready again."""
    pod = gate.pods(STOCKS)[0]
    os.kill(pod["pid"], signal.SIGKILL)
    until(
        polling(lambda: gate.pods(STOCKS), every_s=0.05, deadline=Deadline(DEADLINE_S)),
        lambda pods: len(pods) == 2 and pod["pid"] not in [p["pid"] for p in pods],
        what="the container to be restarted",
    )
    yield
    gate.kube.delete(ref("Pod", pod["name"]))
    settled(gate, STOCKS)


def _until_ready(gate: Gate, service: str, count: int) -> None:
    until(
        polling(lambda: gate.pods(service), every_s=0.05, deadline=Deadline(DEADLINE_S)),
        lambda pods: len(pods) == count,
        what=f"{count} pods of {service} to be ready",
    )


@contextmanager
def killed_for_good(gate: Gate) -> Iterator[None]:
    """Delete a pod; to be done while no node takes a new one."""
    gate.kube.delete(ref("Pod", gate.pods(POSITIONS)[0]["name"]))
    _until_ready(gate, POSITIONS, 0)
    yield


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


IMAGES = "images.running_image_is_the_units"
ROLLOUT = "rollout.replicas_are_complete"
APPLICATION = "application.right_application_answers"
LIVE = "live_objects.equal_their_unit"
REVISIONS = "revisions.head_is_applied_and_live"
CONFIGURED = "pods.configured_as_the_unit_says"
ASTRAY = "pods.none_is_astray"
RESTARTED = "pods.none_restarted_lately"
ENDPOINTS = "endpoints.lead_to_the_ready_pods"
SHARED_LIVE = "live_objects.shared_objects_equal_their_unit"
SHARED_REVISIONS = "revisions.shared_head_is_applied_and_live"
UNMANAGED = "namespace.nothing_is_unmanaged"
EVENTS = "events.warn_of_nothing"
NODES = "nodes.are_fit"
SINGLETONS = "singletons.are_single"
WORKER = "worker.is_connected"
UPSTREAM = "units.have_their_upstream"
LAYOUT = "units.filters_and_sets_are_as_installed"

PAUSE = {"image": "python:3.11-slim", "args": ["-c", "import threading; threading.Event().wait()"]}

DRIFT = (
    Damage(
        name="image set by kubectl",
        inflict=patched(
            "Deployment",
            STOCKS,
            container(STOCKS, image="ghcr.io/finos/traderx/reference-data:v1.2.2"),
            manager="kubectl-set",
        ),
        claims=of(STOCKS, IMAGES, LIVE, CONFIGURED),
        says="changed by kubectl-set",
    ),
    Damage(
        name="memory limit removed",
        inflict=patched(
            "Deployment",
            ACCOUNTS,
            container(ACCOUNTS, resources={"limits": {"memory": None}}),
            manager="kubectl-edit",
        ),
        claims=of(ACCOUNTS, LIVE, CONFIGURED),
        says="resources.limits.memory",
    ),
    Damage(
        name="environment variable added",
        inflict=patched(
            "Deployment",
            PAGE,
            container(PAGE, env=[{"name": "DEBUG", "value": "1"}]),
            manager="kubectl-set",
            undo=container(PAGE, env=[{"name": "DEBUG", "$patch": "delete"}]),
        ),
        claims=of(PAGE, LIVE),
        says='"DEBUG", changed by kubectl-set',
    ),
    Damage(
        name="annotation added",
        inflict=patched(
            "Deployment",
            DATABASE,
            {"metadata": {"annotations": {"note": "mine"}}},
            manager="kubectl-annotate",
            undo={"metadata": {"annotations": {"note": None}}},
        ),
        claims=of(DATABASE, LIVE),
        says='"mine", changed by kubectl-annotate',
    ),
    Damage(
        name="label changed",
        inflict=patched(
            "Deployment", PEOPLE, {"metadata": {"labels": {"layer": "x"}}}, manager="kubectl-label"
        ),
        claims=of(PEOPLE, LIVE),
        says='"x", changed by kubectl-label',
    ),
    Damage(
        name="label of the namespace changed",
        inflict=patched(
            "Namespace",
            NAMESPACE,
            {"metadata": {"labels": {"app.kubernetes.io/part-of": "x"}}},
            manager="kubectl-label",
        ),
        claims=frozenset({SHARED_LIVE}),
        says='"x", changed by kubectl-label',
    ),
    Damage(
        name="unit ahead of live",
        inflict=changed_unit(f"{POSITIONS}-service", "type: ClusterIP", "type: ClusterIP # same"),
        claims=of(POSITIONS, REVISIONS),
        says=f"unit {POSITIONS}-service",
    ),
    Damage(
        name="unmanaged ConfigMap",
        inflict=created({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray"}}),
        claims=frozenset({UNMANAGED}),
        says="unmanaged ConfigMap traderx-dev/stray",
    ),
    Damage(
        name="a warning",
        inflict=warned,
        claims=frozenset({EVENTS}),
        says="Evil: something is wrong",
    ),
)
BESIDE_THE_UNITS = (
    Damage(
        name="replicas scaled by hand",
        inflict=patched("Deployment", PEOPLE, {"spec": {"replicas": 3}}, manager="kubectl-scale"),
        claims=of(PEOPLE, LIVE),
        says="3, changed by kubectl-scale",
    ),
    Damage(
        name="singleton scaled by hand",
        inflict=patched("Deployment", FEED, {"spec": {"replicas": 2}}, manager="kubectl-scale"),
        claims=of(FEED, LIVE) | {SINGLETONS},
        says="2, changed by kubectl-scale",
    ),
    Damage(
        name="environment variable changed",
        inflict=patched(
            "Deployment",
            ACCOUNTS,
            container(ACCOUNTS, env=[{"name": "PEOPLE_SERVICE_HOST", "value": "nobody"}]),
            manager="kubectl-set",
        ),
        claims=of(ACCOUNTS, LIVE, CONFIGURED),
        says='"nobody", changed by kubectl-set',
    ),
    Damage(
        name="Service pointed at another application",
        inflict=patched(
            "Service", PAGE, {"spec": {"selector": {"app": STOCKS}}}, manager="kubectl-edit"
        ),
        claims=of(PAGE, LIVE, APPLICATION, ENDPOINTS) | of(STOCKS, ENDPOINTS),
        says=f'"{STOCKS}", changed by kubectl-edit',
    ),
    Damage(
        name="image changed in the unit, not applied",
        inflict=changed_unit(f"{POSITIONS}-deployment", ":v1.2.3", ":v1.2.2"),
        claims=of(POSITIONS, IMAGES, LIVE, CONFIGURED, REVISIONS),
        says=f"{POSITIONS}:v1.2.3",
    ),
    Damage(
        name="shared unit ahead of live",
        inflict=changed_unit("namespace", "kind: Namespace", "kind: Namespace # same"),
        claims=frozenset({SHARED_REVISIONS}),
        says="unit namespace",
    ),
    Damage(
        name="a filter deleted",
        inflict=filter_gone,
        claims=frozenset({LAYOUT}),
        says="absent",
    ),
    Damage(
        name="unmanaged Pod",
        inflict=created(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "stray"},
                "spec": {"containers": [{"name": "main", **PAUSE}]},
            }
        ),
        claims=frozenset({UNMANAGED}),
        says="unmanaged Pod traderx-dev/stray",
    ),
    Damage(
        name="rollout stuck while the old pods are ready",
        inflict=applied_in_vain(f"{TRADES}-deployment", ":v1.2.3", ":v9.9.9"),
        claims=of(TRADES, IMAGES, ROLLOUT, REVISIONS, CONFIGURED, ASTRAY) | {EVENTS},
        says="1 updated",
    ),
)
ABSENT = (
    Damage(
        name="Deployment deleted",
        inflict=deleted("Deployment", PAGE),
        claims=of(
            PAGE, LIVE, ROLLOUT, APPLICATION, IMAGES, CONFIGURED, ASTRAY, RESTARTED, ENDPOINTS
        ),
        says="no such deployment",
    ),
    Damage(
        name="Service deleted",
        inflict=deleted("Service", PEOPLE),
        claims=of(PEOPLE, LIVE, APPLICATION, ENDPOINTS),
        says="absent",
    ),
    Damage(
        name="a process crashed",
        inflict=crashed,
        claims=of(STOCKS, RESTARTED),
        says="1 restarts",
    ),
    Damage(
        name="another application answers",
        inflict=switched(ACCOUNTS, "wrong-application"),
        claims=of(ACCOUNTS, APPLICATION),
        says="<title>TraderX</title>",
    ),
    Damage(
        name="worker gone",
        inflict=no_worker,
        claims=frozenset({WORKER}),
        says="Disconnected",
    ),
    Damage(
        name="a unit that only the upstream has",
        inflict=unit_more_upstream,
        claims=frozenset({UPSTREAM}),
        says="there is no such unit here",
    ),
    Damage(
        name="no node takes new pods",
        inflict=cordoned,
        claims=frozenset({NODES}),
        says="all are cordoned",
    ),
    Damage(
        name="a pod killed that cannot come back",
        inflict=killed_for_good,
        claims=of(POSITIONS, ROLLOUT, ASTRAY, APPLICATION, ENDPOINTS, RESTARTED) | {EVENTS},
        says="0 ready",
    ),
)
UNWELL = (
    Damage(
        name="port of a Service swapped",
        inflict=patched(
            "Service",
            STOCKS,
            {"spec": {"ports": [{"port": 18085, "targetPort": 18091}]}},
            manager="kubectl-edit",
        ),
        claims=of(STOCKS, LIVE, APPLICATION),
        says="18091, changed by kubectl-edit",
    ),
    Damage(
        name="an application without data",
        inflict=switched(ACCOUNTS, "empty-data"),
        claims=of(ACCOUNTS, APPLICATION),
        says="200 []",
    ),
    Damage(
        name="an application that fails",
        inflict=switched(TRADES, "unavailable"),
        claims=of(TRADES, APPLICATION),
        says="500",
    ),
    Damage(
        name="a slow application",
        inflict=switched(POSITIONS, "slow"),
        claims=of(POSITIONS, APPLICATION),
        says="no answer",
    ),
    Damage(
        name="unmanaged Deployment",
        inflict=created(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "stray"},
                "spec": {
                    "selector": {"matchLabels": {"app": "stray"}},
                    "template": {
                        "metadata": {"labels": {"app": "stray"}},
                        "spec": {"containers": [{"name": "main", **PAUSE}]},
                    },
                },
            }
        ),
        claims=frozenset({UNMANAGED}),
        says="unmanaged Deployment traderx-dev/stray",
    ),
    Damage(
        name="live behind what was applied, for want of a worker",
        inflict=queued_for_nobody(f"{DATABASE}-service", "ClusterIP", "ClusterIP # same"),
        claims=of(DATABASE, REVISIONS) | {WORKER},
        says="Disconnected",
    ),
    Damage(
        name="one of two pods frozen",
        inflict=frozen,
        claims=of(PAGE, ROLLOUT, ASTRAY) | {EVENTS},
        says="1 ready",
    ),
)
GROUPS = {
    "drift": DRIFT,
    "beside the units": BESIDE_THE_UNITS,
    "absent": ABSENT,
    "unwell": UNWELL,
}
"""What is done together: no two of a group make the same claim false."""
