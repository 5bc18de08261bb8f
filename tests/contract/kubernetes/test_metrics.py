"""metrics.k8s.io: what `kubectl top` reads."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.kubernetes.laboratory import (
    DEADLINE_S,
    FOREVER,
    Connection,
    Json,
    Laboratory,
    quantity,
)

METRICS = "/apis/metrics.k8s.io/v1beta1"
MEMORY = 64 << 20
HOLD = f"held = bytearray({MEMORY}); {FOREVER}"
BUSY = "while True: pass"


def until_measured(
    connection: Connection, path: str, predicate: Callable[[Json], bool] = bool
) -> Json:
    """Return an answer of the metrics API as soon as it says what is asked for."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        answer = connection.request("GET", f"{METRICS}/{path}")
        if answer.status_code == 200 and predicate(answer.json()):
            found: Json = answer.json()
            return found
        assert time.monotonic() < deadline, f"{path}: {answer.status_code} {answer.text}"


def used(pod: Json, resource: str) -> float:
    """What the only container of a pod used."""
    (container,) = pod["containers"]
    return float(quantity(container["usage"][resource]))


@pytest.fixture(scope="module")
def measured(connection: Connection, shared_lab: Laboratory) -> dict[str, Json]:
    """A busy pod and one that holds memory, measured, by their names."""
    shared_lab.pod("busy", BUSY, labels={"kind": "busy"})
    shared_lab.pod("holding", HOLD, labels={"kind": "holding"})

    def both(pods: Json) -> bool:
        return len(pods["items"]) == 2

    pods = until_measured(connection, f"namespaces/{shared_lab.namespace}/pods", both)
    return {pod["metadata"]["name"]: pod for pod in pods["items"]}


def test_cpu_is_measured(measured: dict[str, Json]) -> None:
    """A pod that computes all the time used more CPU than one that waits."""
    assert used(measured["busy"], "cpu") > 2 * used(measured["holding"], "cpu")
    assert used(measured["busy"], "cpu") > 0.05


def test_memory_is_measured(measured: dict[str, Json]) -> None:
    """A pod that holds 64 MiB used at least those, and more than one that does not."""
    held = used(measured["holding"], "memory")
    assert held > MEMORY
    assert held > used(measured["busy"], "memory") + MEMORY / 2


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("kind=busy", {"busy"}),
        ("kind!=busy", {"holding"}),
        ("kind in (busy,holding),kind notin (busy)", {"holding"}),
        ("kind", {"busy", "holding"}),
        ("!kind", set()),
    ],
)
def test_selection(
    connection: Connection,
    shared_lab: Laboratory,
    measured: dict[str, Json],
    selector: str,
    names: set[str],
) -> None:
    """Pods can be chosen by their labels."""
    assert len(measured) == 2
    path = f"{METRICS}/namespaces/{shared_lab.namespace}/pods"
    answer = connection.request("GET", path, params={"labelSelector": selector})
    assert {pod["metadata"]["name"] for pod in answer.json()["items"]} == names


def test_pod_that_does_not_exist(connection: Connection, shared_lab: Laboratory) -> None:
    """Asked for a pod that does not exist it answers as the API does."""
    path = f"{METRICS}/namespaces/{shared_lab.namespace}/pods/none"
    answer = connection.request("GET", path)
    assert (answer.status_code, answer.json()["reason"]) == (404, "NotFound")


def test_nodes_are_measured(connection: Connection) -> None:
    """What a node used is no more than what it has."""
    nodes = until_measured(connection, "nodes", lambda found: bool(found["items"]))
    capacities = {
        node["metadata"]["name"]: node["status"]["capacity"]
        for node in connection.request("GET", "/api/v1/nodes").json()["items"]
    }
    usages: list[dict[str, Any]] = nodes["items"]
    assert {node["metadata"]["name"] for node in usages} == capacities.keys()
    for node in usages:
        capacity = capacities[node["metadata"]["name"]]
        for resource in ("cpu", "memory"):
            # a measurement of a busy machine may be a bit above what there is
            most = quantity(capacity[resource]) * Decimal("1.05")
            assert 0 < quantity(node["usage"][resource]) <= most
