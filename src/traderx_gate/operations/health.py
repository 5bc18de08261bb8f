"""Health of a service in seven lines: unit, image, replicas, pods, restarts, Service, answer.

Most services have no health route (D2), so the last line is the service's own contract, not a
`/health` that would be 404 on a healthy one.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from traderx_gate import traderx, workloads
from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import KubernetesError
from traderx_gate.inspection import endpoints, pods, rollout
from traderx_gate.verdict import Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLine:
    """One thing that was looked at.

    Attributes:
        healthy: Whether all of it is as it should be; what could not be seen is not.
    """

    service: str
    name: str
    healthy: bool
    seen: str


def lines(environment: DeployedEnvironment, service: Service) -> Iterator[HealthLine]:
    """Yield the seven lines of a service, each as soon as it was looked at."""
    now = dt.datetime.now(dt.UTC)
    found = workloads.pods(environment, service)
    newest = workloads.newest_replica_sets(environment, service)
    checks: Sequence[tuple[str, Callable[[], Iterable[Observation]]]] = (
        ("unit", lambda: rollout.revisions(environment.units_of(service))),
        (
            "image",
            lambda: rollout.images(environment.pods(service), environment.unit_images(service)),
        ),
        ("replicas", lambda: [_replicas(environment, service)]),
        ("pods", lambda: [pods.astray(pod, newest=newest, now=now) for pod in found]),
        ("restarts", lambda: (o for pod in found for o in pods.restarts(pod, now=now))),
        ("service", lambda: _endpoints(environment, service)),
        ("answer", lambda: [_answer(environment, service)]),
    )
    for name, check in checks:
        yield _line(service.slug, name, check)


def _line(slug: str, name: str, check: Callable[[], Iterable[Observation]]) -> HealthLine:
    try:
        observations = tuple(check())
    except KubernetesError as error:  # shown where it was met; an unreachable cluster ends it all
        return HealthLine(service=slug, name=name, healthy=False, seen=str(error))
    unmet = [observation for observation in observations if not observation.met]
    told = [f"{o.subject}: {o.seen}" for o in unmet] or [o.seen for o in observations]
    seen = "; ".join(dict.fromkeys(told)) or "nothing is there"
    return HealthLine(service=slug, name=name, healthy=bool(observations) and not unmet, seen=seen)


def _replicas(environment: DeployedEnvironment, service: Service) -> Observation:
    deployment = environment.find_deployment(service)
    return rollout.replicas(service.slug, deployment, environment.pods(service))


def _endpoints(environment: DeployedEnvironment, service: Service) -> list[Observation]:
    wanted = workloads.wanted(environment, service, "Service")
    if wanted is None:
        return [
            Observation(subject="Service", expected="none", seen="none, as in its units", met=True)
        ]
    kube, namespace = environment.kube, environment.spec.namespace
    name = wanted["metadata"]["name"]
    services = kube.list("v1", "Service", namespace=namespace, fields=f"metadata.name={name}")
    slices = kube.list("discovery.k8s.io/v1", "EndpointSlice", namespace=namespace)
    found = workloads.pods(environment, service)
    return [o for body in services for o in endpoints.of_service(body, slices, found)]


def _answer(environment: DeployedEnvironment, service: Service) -> Observation:
    contract = service.health
    answer = traderx.identify(environment.ask(service), service)
    return Observation(
        subject=f"{contract.method} {contract.path} on {contract.port}",
        expected=answer.expected,
        seen=answer.seen,
        met=answer.matches,
    )
