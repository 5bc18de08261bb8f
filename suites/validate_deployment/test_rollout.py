"""Rollout: every replica is there, of the newest generation, and ready."""

from fixtures.evidence import Observe
from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import NotFoundError
from traderx_gate.verdict import Observation


def test_replicas_are_complete(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """Desired, updated, available and ready replicas agree and no rollout is stuck."""
    namespace = environment.spec.namespace
    try:
        deployment = environment.deployment(service)
    except NotFoundError:
        seen, met = "no such deployment", False
    else:
        seen, met = str(deployment), deployment.is_rolled_out() and deployment.desired > 0
    pods = "; ".join(str(pod) for pod in environment.pods(service)) or "no pods"
    unmet = observe(
        [
            Observation(
                subject=f"deployment {service.slug}",
                expected="desired = existing = updated = ready = available, at least 1",
                seen=seen if met else f"{seen}; {pods}",
                met=met,
                where=f"kubectl -n {namespace} describe deployment {service.slug}",
            )
        ]
    )
    assert unmet == ()
