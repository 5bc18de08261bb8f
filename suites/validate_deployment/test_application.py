"""Application: the right program answers, not merely some program."""

from fixtures.evidence import Observe
from traderx_gate import traderx
from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.verdict import Observation


def test_right_application_answers(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """What answers at a service's address is that service, by status and body."""
    answer = traderx.identify(environment.ask(service), service)
    unmet = observe(
        [
            Observation(
                subject=f"{service.health.method} {service.health.path} of {service.slug}",
                expected=answer.expected,
                seen=answer.seen,
                met=answer.matches,
                where=f"kubectl -n {environment.spec.namespace} logs deployment/{service.slug}",
            )
        ]
    )
    assert unmet == ()
