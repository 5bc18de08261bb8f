"""EndpointSlices: which belong to a Service, and which of their endpoints are ready."""

from collections.abc import Mapping, Sequence
from typing import Any

from traderx_gate.kube.objects import Manifest

SERVICE_NAME = "kubernetes.io/service-name"
"""The label by which an EndpointSlice belongs to a Service."""


def slices_of(service: str, slices: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """Return those of a namespace's EndpointSlices that belong to a Service."""
    return tuple(
        one for one in slices if (one["metadata"].get("labels") or {}).get(SERVICE_NAME) == service
    )


def is_ready(endpoint: Mapping[str, Any]) -> bool:
    """Whether an endpoint is ready; one that does not say is, as the API has it."""
    return (endpoint.get("conditions") or {}).get("ready") is not False


def port_numbers(one: Manifest, name: str) -> tuple[int, ...]:
    """Return the numbers of a slice's ports of a name, which may be empty."""
    ports = one.get("ports") or ()
    return tuple(port["port"] for port in ports if (port.get("name") or "") == name)
