"""Endpoints: a Service leads to exactly the ready pods of its own application."""

from collections.abc import Iterator, Sequence
from typing import Any

from traderx_gate.kube import SERVICE_NAME, Manifest, is_ready, port_numbers, slices_of
from traderx_gate.verdict import Observation


def of_service(
    service: Manifest, slices: Sequence[Manifest], pods: Sequence[Manifest]
) -> Iterator[Observation]:
    """Compare where a Service leads with the ready pods, port by port.

    Args:
        service: The live Service.
        slices: The EndpointSlices of its namespace.
        pods: The pods of the application that the Service is for.
    """
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    own = slices_of(name, slices)
    ready = {pod["status"]["podIP"]: pod["metadata"]["name"] for pod in pods if _is_ready(pod)}
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort", port["port"])
        expected = {f"{ip}:{_number(target, pods)}" for ip in ready}
        seen = {
            f"{address}:{number}"
            for one in own
            for endpoint in one.get("endpoints") or ()
            if is_ready(endpoint)
            for address in endpoint["addresses"]
            for number in port_numbers(one, port.get("name") or "")
        }
        yield Observation(
            subject=f"Service {name}, port {port['port']}",
            expected=f"the ready pods {_list(expected)}",
            seen=f"the ready pods {_list(expected)}" if expected == seen else _list(seen),
            met=expected == seen and bool(seen),
            where=f"kubectl -n {namespace} get endpointslices -l {SERVICE_NAME}={name}",
        )


def selecting(services: Sequence[Manifest], pods: Sequence[Manifest]) -> list[str]:
    """Return the names of the Services whose selector matches any of the pods."""
    return sorted(
        service["metadata"]["name"]
        for service in services
        if (selector := service["spec"].get("selector"))
        and any(selector.items() <= (p["metadata"].get("labels") or {}).items() for p in pods)
    )


def _is_ready(pod: Manifest) -> bool:
    status = pod.get("status") or {}
    conditions = status.get("conditions") or ()
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"] and bool(status.get("podIP"))


def _number(target: int | str, pods: Sequence[Manifest]) -> Any:
    """Return the number of a target port, which may be a name of a container's port."""
    if isinstance(target, int):
        return target
    named = {
        port.get("name"): port["containerPort"]
        for pod in pods
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
    }
    return named.get(target, f"<no port named {target}>")


def _list(addresses: set[str]) -> str:
    return ", ".join(sorted(addresses)) or "none"
