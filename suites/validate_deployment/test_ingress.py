"""Ingress: its routes lead to what they name."""

from fixtures.evidence import Observe
from traderx_gate import workloads
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import ingress


def test_routes_lead_to_services(environment: DeployedEnvironment, observe: Observe) -> None:
    """Every route of the ingress leads to a port of a Service that has ready pods."""
    kube, namespace = environment.kube, environment.spec.namespace
    unmet = observe(
        ingress.routes(
            kube.list("networking.k8s.io/v1", "Ingress", namespace=namespace),
            kube.list("v1", "Service", namespace=namespace),
            kube.list("discovery.k8s.io/v1", "EndpointSlice", namespace=namespace),
        )
    )
    assert unmet == ()


def test_routes_answer(environment: DeployedEnvironment, observe: Observe) -> None:
    """Through the ingress, every route answers as the service it leads to, Socket.IO included."""
    assert observe(workloads.ingress_answers(environment)) == ()
