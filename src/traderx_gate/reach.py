"""Reaching services: over the network where that is possible, else through the API server.

Which way it is, is found by probing, once for a run: two ways in one run would prove two things.
"""

import contextlib
import enum
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from traderx_gate.errors import GateError, NotFoundError, UnreachableError
from traderx_gate.kube import Kube, Manifest, ObjectRef, is_ready, port_numbers, slices_of
from traderx_gate.traderx import Direct, Reply, asking

CONNECT_TIMEOUT_S = 1.0
ENOUGH = 3
"""So many Services are tried; where packets are lost each of them takes its time."""
ANSWER_TIMEOUT_S = asking.CONNECT_TIMEOUT_S + asking.ANSWER_TIMEOUT_S
"""Where the API server, or a port of this machine, takes the connection and makes the real one."""


class Reach(enum.Enum):
    """The ways to a service, the one that proves most first."""

    DIRECT = "direct"
    PROXY = "service-proxy"
    FORWARD = "port-forward"


def probe(kube: Kube, namespace: str) -> Reach | None:
    """Return the best way to the services of a namespace; None while none of them can be reached.

    Raises:
        UnreachableError: The API does not answer.
    """
    targets = [one for one in _targets(kube, namespace) if one.pods][:ENOUGH]
    if any(_accepts(one.address, one.port) for one in targets):
        return Reach.DIRECT
    if not targets:
        return None
    proxies = [
        Proxy(kube=kube, ref=service_ref(namespace, one.name), port=one.port) for one in targets
    ]
    proxied = kube.may("get", "services/proxy", namespace=namespace)
    if proxied and any(proxy.is_open() for proxy in proxies):
        return Reach.PROXY
    if kube.may("create", "pods/portforward", namespace=namespace):
        return Reach.FORWARD
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A Service with the ready pods that it leads to.

    Attributes:
        pods: Each ready pod's name, with the port that the Service's port leads to there.
    """

    name: str
    address: str
    port: int
    pods: tuple[tuple[str, int], ...]


def _targets(kube: Kube, namespace: str) -> Iterator[Target]:
    slices = kube.list("discovery.k8s.io/v1", "EndpointSlice", namespace=namespace)
    for body in kube.list("v1", "Service", namespace=namespace):
        for port in body["spec"].get("ports") or ():
            yield _target(body, port["port"], slices)


def service_ref(namespace: str, name: str) -> ObjectRef:
    """Return the reference of a Service."""
    return ObjectRef(api_version="v1", kind="Service", namespace=namespace, name=name)


def target(kube: Kube, namespace: str, name: str, port: int) -> Target:
    """Return where a port of a Service leads to.

    Raises:
        NotFoundError: There is no such Service.
    """
    body = kube.get(service_ref(namespace, name))
    slices = kube.list("discovery.k8s.io/v1", "EndpointSlice", namespace=namespace)
    return _target(body, port, slices)


def _target(body: Manifest, number: int, slices: Sequence[Manifest]) -> Target:
    name = body["metadata"]["name"]
    ports = {p["port"]: p.get("name") or "" for p in body["spec"].get("ports") or ()}
    pods = [
        (endpoint["targetRef"]["name"], there)
        for one in slices_of(name, slices)
        if number in ports
        for there in port_numbers(one, ports[number])
        for endpoint in one.get("endpoints") or ()
        if is_ready(endpoint) and "targetRef" in endpoint
    ]
    return Target(
        name=name,
        address=str(body["spec"].get("clusterIP") or ""),
        port=number,
        pods=tuple(sorted(pods)),
    )


def _accepts(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The way through the API server: to a Pod, or to a Service, of which it chooses a ready pod.

    Attributes:
        ref: The Pod or Service.
        port: Its port.
    """

    kube: Kube
    ref: ObjectRef
    port: int

    def __call__(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request and return what came back."""
        try:
            status, body, received = self.kube.ask(
                self.ref,
                self.port,
                method=method,
                path=path,
                headers=headers or {},
                timeout_s=ANSWER_TIMEOUT_S,
            )
        except UnreachableError as error:
            return Reply(status=None, body=str(error))
        return Reply(status=status, body=body, headers=received)

    def is_open(self) -> bool:
        """Whether anything comes through that the API server does not say itself."""
        reply = self("GET", "/")
        return reply.status is not None and '"kind":"Status"' not in reply.body.replace(" ", "")


@dataclass(slots=True)
class Forwards:
    """Ports of this machine that lead to pods; each is opened when it is first wanted."""

    kube: Kube
    namespace: str
    _open: dict[tuple[str, int], str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def url(self, service: str, port: int) -> str:
        """Return an address of this machine that leads to a ready pod of a Service.

        Raises:
            NotFoundError: There is no such Service, or no pod of it is ready.
            RefusedError: No local port can be had.
        """
        found = target(self.kube, self.namespace, service, port)
        if not found.pods:
            raise NotFoundError(f"Service {self.namespace}/{service} has no ready pod", status=404)
        with self._lock:
            known = [self._open[key] for key in found.pods if key in self._open]
            if known:
                return known[0]
            pod, number = found.pods[0]
            forward = self._stack.enter_context(
                self.kube.forwarded(self.namespace, pod, number, local_port=0)
            )
            return self._open.setdefault((pod, number), f"http://127.0.0.1:{forward.port}")

    def close(self) -> None:
        """Listen no more."""
        self._stack.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """The way to one ready pod of a Service, chosen anew at every request."""

    forwards: Forwards
    service: str
    port: int

    def __call__(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request and return what came back."""
        try:
            way = Direct(self.forwards.url(self.service, self.port), ANSWER_TIMEOUT_S)
        except GateError as error:
            return Reply(status=None, body=str(error))
        return way(method, path, headers=headers)
