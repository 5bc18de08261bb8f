"""Singletons: what breaks when it is there twice is there once."""

from fixtures.evidence import Observe
from traderx_gate import workloads
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import singletons


def test_are_single(environment: DeployedEnvironment, observe: Observe) -> None:
    """Of every service that must not be scaled, one replica is wanted and one pod exists."""
    unmet = observe(
        singletons.single(
            service.slug,
            environment.find_deployment(service),
            workloads.pods(environment, service),
        )
        for service in environment.application.services
        if service.singleton
    )
    assert unmet == ()
