"""Rollout: every replica is there, of the newest generation, and ready."""

from fixtures.evidence import Observe
from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import rollout


def test_replicas_are_complete(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """Desired, updated, available and ready replicas agree and no rollout is stuck."""
    deployment = environment.find_deployment(service)
    pods = environment.pods(service)
    assert observe([rollout.replicas(service.slug, deployment, pods)]) == ()
