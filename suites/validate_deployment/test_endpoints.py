"""Endpoints: a Service leads to exactly the ready pods of its application."""

from fixtures.evidence import Observe
from traderx_gate import workloads
from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import endpoints
from traderx_gate.verdict import Observation


def test_lead_to_the_ready_pods(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """The Service of an application, and no other, leads to exactly its ready pods."""
    kube, namespace = environment.kube, environment.spec.namespace
    found = workloads.pods(environment, service)
    services = kube.list("v1", "Service", namespace=namespace)
    slices = kube.list("discovery.k8s.io/v1", "EndpointSlice", namespace=namespace)
    wanted = workloads.wanted(environment, service, "Service")
    names = [wanted["metadata"]["name"]] if wanted else []
    selecting = endpoints.selecting(services, found)
    unmet = observe(
        [
            Observation(
                subject=f"Services that select pods of {service.slug}",
                expected=", ".join(names) or "none",
                seen=", ".join(selecting) or "none",
                met=selecting == names,
                where=f"kubectl -n {namespace} get services -o wide",
            ),
            *(
                observation
                for body in services
                if body["metadata"]["name"] in names
                for observation in endpoints.of_service(body, slices, found)
            ),
        ]
    )
    assert unmet == ()
