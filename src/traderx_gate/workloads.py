"""The workload of a service as its units want it, beside the one that is live."""

from collections.abc import Iterator, Mapping

from traderx_gate import traderx
from traderx_gate.application import Service
from traderx_gate.confighub import Unit
from traderx_gate.environment import REVISION, DeployedEnvironment
from traderx_gate.errors import NotFoundError, RefusedError
from traderx_gate.inspection import dependencies, ingress
from traderx_gate.kube import Manifest, ObjectRef, owners_of
from traderx_gate.traderx import Direct, Through
from traderx_gate.verdict import Observation, PodIdentity

EXEC_TIMEOUT_S = 10.0
FEED = "trade-feed"
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"
EMPTY: Manifest = {"spec": {}}
NOT_TAKEN = traderx.Answer(
    matches=False, expected="an Ingress taken by its controller", seen="absent, or not taken"
)


def wanted(environment: DeployedEnvironment, service: Service, kind: str) -> Manifest | None:
    """Return the object of a kind that a service's units describe; None if they describe none."""
    found = (
        manifest
        for unit in environment.units_of(service)
        for manifest in environment.manifests(unit)
        if manifest["kind"] == kind
    )
    return next(found, None)


def described(
    environment: DeployedEnvironment, service: Service, kind: str
) -> tuple[Unit, Manifest]:
    """Return the unit of a service that describes an object of a kind, and the object.

    Raises:
        NotFoundError: None of its units does.
    """
    for unit in environment.units_of(service):
        for manifest in environment.manifests(unit):
            if manifest["kind"] == kind:
                return unit, manifest
    space = environment.space.slug
    raise NotFoundError(f"no unit of {service.slug} in {space} describes a {kind}", status=404)


def template(environment: DeployedEnvironment, service: Service) -> Manifest:
    """Return the pod template that the units make, with the API server's defaults filled in.

    Asked of an object that does not exist: applying to the live one would keep what others added.
    """
    manifest = wanted(environment, service, "Deployment")
    if manifest is None:
        return EMPTY
    metadata = {**manifest["metadata"], "name": f"{manifest['metadata']['name']}-of-the-unit"}
    unknown = {**manifest, "metadata": metadata}
    applied: Manifest = environment.kube.apply(unknown, dry_run=True)["spec"]["template"]
    return applied


def pods(environment: DeployedEnvironment, service: Service) -> tuple[Manifest, ...]:
    """Return every pod that carries the service's label, those on their way out included."""
    return environment.kube.list(
        "v1", "Pod", namespace=environment.spec.namespace, labels=f"app={service.slug}"
    )


def identities(environment: DeployedEnvironment) -> Mapping[str, PodIdentity]:
    """Return which pods are in the namespace, by name, without those on their way out."""
    found = environment.kube.list("v1", "Pod", namespace=environment.spec.namespace)
    return {
        body["metadata"]["name"]: _identity(body)
        for body in found
        if "deletionTimestamp" not in body["metadata"]
    }


def _identity(body: Manifest) -> PodIdentity:
    statuses = (body.get("status") or {}).get("containerStatuses") or ()
    return PodIdentity(
        uid=body["metadata"]["uid"],
        containers={status["name"]: status.get("imageID", "") for status in statuses},
        restarts={status["name"]: status.get("restartCount", 0) for status in statuses},
    )


def newest_replica_sets(environment: DeployedEnvironment, service: Service) -> frozenset[str]:
    """Return the names of the ReplicaSets of what the live Deployment says now."""
    ref = ObjectRef(
        api_version="apps/v1",
        kind="Deployment",
        namespace=environment.spec.namespace,
        name=service.slug,
    )
    live = environment.kube.find(ref)
    if live is None:
        return frozenset()
    number = (live["metadata"].get("annotations") or {}).get(REVISION)
    return frozenset(
        body["metadata"]["name"]
        for body in environment.kube.list("apps/v1", "ReplicaSet", namespace=ref.namespace)
        if (body["metadata"].get("annotations") or {}).get(REVISION) == number
        and any(owner["uid"] == live["metadata"]["uid"] for owner in owners_of(body))
    )


def connections(environment: DeployedEnvironment) -> Iterator[Observation]:
    """Connect from inside every ready pod to everything that its service calls.

    Raises:
        RefusedError: An image has nothing in it to connect with.
    """
    namespace = environment.spec.namespace
    for service in environment.application.services:
        ready = [pod for pod in environment.pods(service) if pod.ready] if service.calls else ()
        for pod in ready:
            for call in service.calls:
                ended = environment.kube.execute(
                    namespace, pod.name, dependencies.command(call), timeout_s=EXEC_TIMEOUT_S
                )
                if not dependencies.has_tool(ended):
                    raise RefusedError(f"pod {pod.name}: {ended.output.strip()} in its image")
                yield dependencies.reached(pod.name, namespace, call, ended)


def ingress_answers(environment: DeployedEnvironment) -> Iterator[Observation]:
    """Ask every service that an ingress of the units leads to, the way that a browser would.

    Raises:
        RefusedError: No controller has taken the Ingress objects: there is nothing to ask.
    """
    namespace = environment.spec.namespace
    found = environment.kube.list("networking.k8s.io/v1", "Ingress", namespace=namespace)
    wanted = [body for unit in environment.shared_units() for body in environment.manifests(unit)]
    routes = list(ingress.promised(wanted, found))
    if not any(route.url for route in routes):
        raise RefusedError(
            f"no ingress controller has taken the Ingress objects of {namespace}: the cluster "
            "lacks the capability ingress"
        )
    for route in routes:
        service = environment.application.service(route.service)
        answer = _through(route, service) if route.url else NOT_TAKEN
        yield Observation(
            subject=f"{route.service} through {route.url}, host {route.host}{route.prefix or '/'}",
            expected=answer.expected,
            seen=answer.seen,
            met=answer.matches,
            where=f"kubectl -n {namespace} describe ingress",
        )


def _through(route: ingress.Route, service: Service) -> traderx.Answer:
    way = Through(direct=Direct(route.url), host=route.host, prefix=route.prefix)
    if route.prefix or route.service != FEED:
        return traderx.identify(way, service)
    reply = way("GET", HANDSHAKE)
    expected = "200 with a Socket.IO session"
    met = reply.status == 200 and '"sid"' in reply.body
    return traderx.Answer(matches=met, expected=expected, seen=expected if met else reply.seen)
