"""Nodes: fit to carry what runs on them."""

from fixtures.evidence import Observe
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import nodes


def test_are_fit(environment: DeployedEnvironment, observe: Observe) -> None:
    """Every node is ready and without pressure, and at least one takes new pods."""
    found = environment.kube.list("v1", "Node")
    assert observe([*map(nodes.fitness, found), nodes.schedulable(found)]) == ()
