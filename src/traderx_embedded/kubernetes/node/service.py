"""Services and EndpointSlices, parsed once; and what follows from them without any effect.

The effects (listeners, the file of names) are in `service_proxy.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One port of a service."""

    name: str
    number: int
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service; `cluster_ip` is empty for a headless one."""

    namespace: str
    name: str
    cluster_ip: str
    ports: tuple[Port, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the service."""
        return self.namespace, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One pod behind a service."""

    address: str
    ready: bool
    serving: bool
    terminating: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One EndpointSlice."""

    namespace: str
    name: str
    service: str
    ports: Mapping[str, int]
    endpoints: tuple[Endpoint, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the slice."""
        return self.namespace, self.name


def parse_service(document: Mapping[str, Any]) -> Service:
    """Parse a Service of the API."""
    metadata, spec = document["metadata"], document["spec"]
    address = spec.get("clusterIP", "")
    return Service(
        namespace=metadata["namespace"],
        name=metadata["name"],
        cluster_ip="" if address == "None" else address,
        ports=tuple(
            Port(
                name=port.get("name", ""),
                number=port["port"],
                protocol=port.get("protocol", "TCP"),
            )
            for port in spec.get("ports") or ()
        ),
    )


def parse_slice(document: Mapping[str, Any]) -> Slice:
    """Parse an EndpointSlice of the API."""
    metadata = document["metadata"]
    return Slice(
        namespace=metadata["namespace"],
        name=metadata["name"],
        service=metadata.get("labels", {}).get("kubernetes.io/service-name", ""),
        ports={
            port.get("name") or "": port["port"]
            for port in document.get("ports") or ()
            if port.get("port") is not None
        },
        endpoints=tuple(
            _endpoint(endpoint, address)
            for endpoint in document.get("endpoints") or ()
            for address in endpoint["addresses"]
        ),
    )


def _endpoint(document: Mapping[str, Any], address: str) -> Endpoint:
    # An unknown condition is to be read as true, except `terminating`.
    conditions = document.get("conditions", {})
    return Endpoint(
        address=address,
        ready=conditions.get("ready") is not False,
        serving=conditions.get("serving", conditions.get("ready")) is not False,
        terminating=conditions.get("terminating") is True,
    )


def usable(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Return the endpoints that get traffic: ready ones, else those that serve while ending."""
    found = list(endpoints)
    ready = [endpoint for endpoint in found if endpoint.ready]
    return ready or [endpoint for endpoint in found if endpoint.serving and endpoint.terminating]


def link_variables(service: Service) -> dict[str, str]:
    """Return the variables by which a kubelet announces a service to the pods of its namespace."""
    prefix = service.name.upper().replace("-", "_")
    address = service.cluster_ip
    first = service.ports[0]
    found = {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": str(first.number),
        f"{prefix}_PORT": f"{first.protocol.lower()}://{address}:{first.number}",
    }
    for port in service.ports:
        protocol = port.protocol.lower()
        if port.name:
            name = port.name.upper().replace("-", "_")
            found[f"{prefix}_SERVICE_PORT_{name}"] = str(port.number)
        link = f"{prefix}_PORT_{port.number}_{port.protocol.upper()}"
        found |= {
            link: f"{protocol}://{address}:{port.number}",
            f"{link}_PROTO": protocol,
            f"{link}_PORT": str(port.number),
            f"{link}_ADDR": address,
        }
    return found
