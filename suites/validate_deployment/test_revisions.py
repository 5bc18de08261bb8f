"""Revisions: what is desired is what was applied and what is live."""

from fixtures.evidence import Observe
from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import rollout


def test_head_is_applied_and_live(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """Of every unit of a service, the head revision is the one applied and live."""
    assert observe(rollout.revisions(environment.units_of(service))) == ()


def test_shared_head_is_applied_and_live(
    environment: DeployedEnvironment, observe: Observe
) -> None:
    """Of every unit that belongs to no single service, the head revision is applied and live."""
    assert observe(rollout.revisions(environment.shared_units())) == ()
