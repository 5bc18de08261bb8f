from typing import Any

import pytest

from traderx_gate.inspection import nodes

FIT = "Ready, without pressure"


def node(
    name: str = "n1", *, cordoned: bool = False, taint: str = "", **conditions: str
) -> dict[str, Any]:
    """A node with conditions of these states."""
    states = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", **conditions}
    return {
        "metadata": {"name": name},
        "spec": {
            "unschedulable": cordoned,
            "taints": [{"key": "key", "effect": taint}] if taint else None,
        },
        "status": {"conditions": [{"type": k, "status": v} for k, v in states.items()]},
    }


@pytest.mark.parametrize(
    ("body", "seen", "met"),
    [
        (node(), FIT, True),
        (node(cordoned=True), f"{FIT}; cordoned: no new pod is placed there", True),
        (node(Ready="False"), "not Ready", False),
        (node(Ready="Unknown"), "not Ready", False),
        (node(DiskPressure="True", MemoryPressure="True"), "DiskPressure, MemoryPressure", False),
        (node(MemoryPressure="Unknown"), "MemoryPressure", False),
        (node(Ready="False", DiskPressure="True"), "not Ready, DiskPressure", False),
        ({"metadata": {"name": "n1"}, "spec": {}}, "not Ready", False),
    ],
)
def test_fitness(body: dict[str, Any], seen: str, met: bool) -> None:  # noqa: FBT001
    """A node is fit when it is ready and under no pressure; a cordon is stated, and no failure."""
    found = nodes.fitness(body)
    assert (found.subject, found.expected, found.seen, found.met) == ("node n1", FIT, seen, met)


@pytest.mark.parametrize(
    ("bodies", "seen", "met"),
    [
        ((node("a"), node("b", cordoned=True), node("c")), "a, c", True),
        ((node("a", cordoned=True),), "none: a cordoned", False),
        ((node("a", taint="NoSchedule"),), "none: a tainted key:NoSchedule", False),
        ((node("a", taint="NoExecute"), node("b")), "b", True),
        ((node("a", taint="PreferNoSchedule"),), "a", True),
        ((), "none: there is no node", False),
    ],
)
def test_schedulable(bodies: tuple[dict[str, Any], ...], seen: str, met: bool) -> None:  # noqa: FBT001
    """At least one node takes new pods, and those that do are named."""
    found = nodes.schedulable(bodies)
    assert (found.subject, found.expected, found.seen, found.met) == (
        "nodes that take new pods",
        "at least one",
        seen,
        met,
    )
