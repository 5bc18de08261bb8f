"""Dependencies: what a service calls can be reached from where it runs."""

from fixtures.evidence import Observe
from traderx_gate import workloads
from traderx_gate.environment import DeployedEnvironment


def test_are_reached_from_inside(environment: DeployedEnvironment, observe: Observe) -> None:
    """From inside every pod, every service that its application calls accepts connections."""
    assert observe(workloads.connections(environment)) == ()
