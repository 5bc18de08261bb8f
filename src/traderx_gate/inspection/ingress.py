"""Ingress: every route leads to a port of a Service that has ready pods."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traderx_gate.kube import Manifest, is_ready, slices_of
from traderx_gate.verdict import Observation


def routes(
    ingresses: Sequence[Manifest], services: Sequence[Manifest], slices: Sequence[Manifest]
) -> Iterator[Observation]:
    """Tell of every path of every Ingress where it leads.

    Args:
        ingresses: The live Ingress objects of the namespace.
        services: Its Services.
        slices: Its EndpointSlices.
    """
    ports = {service["metadata"]["name"]: _ports(service) for service in services}
    for ingress in ingresses:
        namespace, name = ingress["metadata"]["namespace"], ingress["metadata"]["name"]
        for rule in ingress["spec"].get("rules") or ():
            for path in (rule.get("http") or {}).get("paths") or ():
                expected, wrong = _judged(path["backend"], ports, slices)
                yield Observation(
                    subject=f"Ingress {name}, {rule.get('host', '*')}{path.get('path', '/')}",
                    expected=expected,
                    seen=wrong or expected,
                    met=not wrong,
                    where=f"kubectl -n {namespace} describe ingress {name}",
                )


def _judged(
    backend: Mapping[str, Any],
    ports: Mapping[str, frozenset[int | str]],
    slices: Sequence[Manifest],
) -> tuple[str, str]:
    """Return where a path has to lead, and what is wrong with that; empty where nothing is."""
    service = backend.get("service")
    if service is None:  # Kubernetes takes any object that an Ingress controller can serve
        other = backend["resource"]
        wrong = f"leads to {other['kind']} {other['name']}, which is no Service"
        return "a Service, with ready pods", wrong
    port = service["port"].get("number") or service["port"].get("name")
    wrong = _wrong(service["name"], port, ports, slices)
    return f"{service['name']}:{port}, with ready pods", wrong


def _ports(service: Manifest) -> frozenset[int | str]:
    found = service["spec"].get("ports") or ()
    return frozenset(value for p in found for value in (p["port"], p.get("name")) if value)


def _wrong(
    name: str,
    port: int | str,
    ports: Mapping[str, frozenset[int | str]],
    slices: Sequence[Manifest],
) -> str:
    if name not in ports:
        return f"there is no Service {name}"
    if port not in ports[name]:
        return f"Service {name} has no port {port}"
    if not any(is_ready(endpoint) for endpoint in _endpoints(name, slices)):
        return f"Service {name} has no ready pod"
    return ""


def _endpoints(name: str, slices: Sequence[Manifest]) -> list[Mapping[str, Any]]:
    return [e for one in slices_of(name, slices) for e in one.get("endpoints") or ()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One path of an Ingress.

    Attributes:
        url: Where the controller that took it is reached; empty where none did.
        host: The host that requests have to name; empty for any.
        prefix: What comes before the Service's own paths; empty where the path is kept.
        service: The Service that it leads to.
    """

    url: str
    host: str
    prefix: str
    service: str


def promised(wanted: Sequence[Manifest], live: Sequence[Manifest]) -> Iterator[Route]:
    """Yield the routes that units describe, reached as the live objects of their names say.

    What a live Ingress says may have been changed: its routes then answer as it says, and wrongly.

    Args:
        wanted: The objects of the units; others than Ingress objects are passed over.
        live: The Ingress objects of the namespace.
    """
    status = {body["metadata"]["name"]: body.get("status") for body in live}
    for body in wanted:
        if body["kind"] == "Ingress":
            yield from _routes({**body, "status": status.get(body["metadata"]["name"])})


def taken(ingresses: Sequence[Manifest]) -> Iterator[Route]:
    """Yield the routes of the Ingress objects whose status says where they are reached."""
    return (route for ingress in ingresses for route in _routes(ingress) if route.url)


def _routes(ingress: Manifest) -> Iterator[Route]:
    url = _address(ingress)
    for rule in ingress["spec"].get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            if "service" in path["backend"]:
                yield Route(
                    url=url,
                    host=rule.get("host", ""),
                    # `/account-service(/|$)(.*)`: the rewrite takes the prefix off again
                    prefix=path["path"].partition("(")[0] if "(" in path["path"] else "",
                    service=path["backend"]["service"]["name"],
                )


def _address(ingress: Manifest) -> str:
    balancer = (ingress.get("status") or {}).get("loadBalancer") or {}
    for one in balancer.get("ingress") or ():
        host = one.get("ip") or one.get("hostname")
        ports = [port["port"] for port in one.get("ports") or ()]
        if host:
            return f"http://{host}:{ports[0] if ports else 80}"
    return ""
