"""Keeps services reachable: a listener on each ClusterIP and port, and the file of cluster names.

Connections go in turn to the ready endpoints. With none, or where no process listens behind any,
nothing listens and they are refused: one that is accepted and then reset may look connected.
"""

import asyncio
import json
import logging
from collections.abc import Sequence

from traderx_embedded import state
from traderx_embedded.kubernetes.node import service as services
from traderx_embedded.kubernetes.node.api import Api
from traderx_embedded.kubernetes.node.datapath import Listener, Target
from traderx_embedded.kubernetes.node.listening import PodPorts
from traderx_embedded.kubernetes.node.service import Service, Slice
from traderx_embedded.kubernetes.node.settings import Settings
from traderx_embedded.kubernetes.node.watching import Changed, Listed, Removed, watch

_LOG = logging.getLogger(__name__)

RETRY_S = 1.0


class _Front:
    """One ClusterIP and port: its listener and the targets behind it."""

    def __init__(self) -> None:
        self.targets: Sequence[Target] = ()
        self.listener: Listener | None = None
        self._turn = 0

    def choose(self) -> Target | None:
        if not self.targets:
            return None
        self._turn += 1
        return self.targets[self._turn % len(self.targets)]


class ServiceProxy:
    """The services of the cluster, as this node serves them."""

    def __init__(self, settings: Settings, api: Api, ports: PodPorts) -> None:
        self._settings = settings
        self._api = api
        self._ports = ports
        self._services: dict[tuple[str, str], Service] = {}
        self._slices: dict[tuple[str, str], Slice] = {}
        self._fronts: dict[Target, _Front] = {}
        self._names = ""
        self._dirty = asyncio.Event()
        self._listed = {"services": asyncio.Event(), "slices": asyncio.Event()}
        self._applied = asyncio.Event()
        ports.watch(self._dirty.set)

    async def synced(self) -> None:
        """Return once all services were read and are served."""
        await self._applied.wait()

    def links(self, namespace: str, *, own: bool) -> dict[str, str]:
        """Return the service variables of a pod: of `kubernetes`, and of its `own` namespace."""
        found: dict[str, str] = {}
        for service in self._services.values():
            master = service.key == ("default", "kubernetes")
            if service.cluster_ip and (master or (own and service.namespace == namespace)):
                found |= services.link_variables(service)
        return found

    def targets(self, namespace: str, name: str, port: int | str) -> list[Target]:
        """Return where a port of a service, by number or by name, can be reached now."""
        service = self._services.get((namespace, name))
        found = (p for p in service.ports if port in {p.number, p.name}) if service else ()
        return [target for p in found if service for target in self._targets(service, p.name)]

    async def run(self) -> None:
        """Follow services and endpoints until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_services())
            group.create_task(self._follow_slices())
            group.create_task(self._apply_changes())

    async def _follow_services(self) -> None:
        async for change in watch(self._api, "/api/v1/services"):
            match change:
                case Listed(items=items):
                    parsed = [services.parse_service(item) for item in items]
                    self._services = {service.key: service for service in parsed}
                    self._listed["services"].set()
                case Changed(item=item):
                    service = services.parse_service(item)
                    self._services[service.key] = service
                case Removed(item=item):
                    self._services.pop(services.parse_service(item).key, None)
            self._dirty.set()

    async def _follow_slices(self) -> None:
        async for change in watch(self._api, "/apis/discovery.k8s.io/v1/endpointslices"):
            match change:
                case Listed(items=items):
                    parsed = [services.parse_slice(item) for item in items]
                    self._slices = {piece.key: piece for piece in parsed}
                    self._listed["slices"].set()
                case Changed(item=item):
                    piece = services.parse_slice(item)
                    self._slices[piece.key] = piece
                case Removed(item=item):
                    self._slices.pop(services.parse_slice(item).key, None)
            self._dirty.set()

    async def _apply_changes(self) -> None:
        for event in self._listed.values():
            await event.wait()
        while True:
            self._dirty.clear()
            complete = await self._apply()
            self._write_names()
            self._applied.set()
            if complete:
                await self._dirty.wait()
            else:
                await asyncio.sleep(RETRY_S)

    async def _apply(self) -> bool:
        """Make the listeners equal to what the services say; false if one could not be opened."""
        wanted = self._wanted()
        for key in [key for key in self._fronts if not wanted.get(key)]:
            front = self._fronts.pop(key)
            if front.listener is not None:
                front.listener.close()
        complete = True
        for (address, port), targets in wanted.items():
            if not targets:
                continue
            front = self._fronts.setdefault((address, port), _Front())
            front.targets = targets
            if front.listener is None:
                try:
                    front.listener = await Listener.open(address, port, front.choose)
                except OSError as error:
                    complete = False
                    _LOG.warning("cannot serve address=%s port=%s error=%s", address, port, error)
        return complete

    def _wanted(self) -> dict[Target, list[Target]]:
        wanted: dict[Target, list[Target]] = {}
        for service in self._services.values():
            if not service.cluster_ip:
                continue
            for port in service.ports:
                if port.protocol == "TCP":
                    targets = self._targets(service, port.name)
                    alive = any(self._ports.is_listening(*target) for target in targets)
                    wanted[service.cluster_ip, port.number] = targets if alive else []
        return wanted

    def _targets(self, service: Service, port: str) -> list[Target]:
        # This one has no endpoints: a slice cannot name a loopback address.
        if service.key == ("default", "kubernetes"):
            return [("127.0.0.1", self._settings.apiserver_port)]
        candidates = [
            (endpoint, piece.ports[port])
            for piece in self._slices_of(service)
            if port in piece.ports
            for endpoint in piece.endpoints
        ]
        chosen = services.usable(endpoint for endpoint, _ in candidates)
        networks = self._settings.networks
        targets = [
            (networks.private_of(endpoint.address), number)
            for endpoint, number in candidates
            if endpoint in chosen and networks.is_pod(endpoint.address)
        ]
        return [target for target in targets if not self._ports.is_hidden(*target)]

    def _slices_of(self, service: Service) -> list[Slice]:
        return [
            piece
            for piece in self._slices.values()
            if piece.namespace == service.namespace and piece.service == service.name
        ]

    def _write_names(self) -> None:
        names: dict[str, dict[str, list[str]]] = {}
        for service in self._services.values():
            names.setdefault(service.namespace, {})[service.name] = self._addresses(service)
        text = json.dumps(names, sort_keys=True, indent=1)
        if text == self._names:
            return
        state.write(self._settings.hosts, text, mode=0o644)
        self._names = text

    def _addresses(self, service: Service) -> list[str]:
        if service.cluster_ip:
            return [service.cluster_ip]
        networks = self._settings.networks
        endpoints = [endpoint for piece in self._slices_of(service) for endpoint in piece.endpoints]
        return sorted(
            {networks.reach(e.address) for e in endpoints if e.ready and networks.is_pod(e.address)}
        )
