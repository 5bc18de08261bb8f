"""Follows Ingress objects of class `nginx`, and tells in their status where they are reached."""

import asyncio
import logging

from traderx_embedded.kubernetes.node import ingress as ingresses
from traderx_embedded.kubernetes.node.api import Api, ApiError
from traderx_embedded.kubernetes.node.ingress import CLASS, Ingress, Table
from traderx_embedded.kubernetes.node.settings import Settings
from traderx_embedded.kubernetes.node.status import HOST_IP
from traderx_embedded.kubernetes.node.watching import Changed, Listed, Removed, watch

_LOG = logging.getLogger(__name__)

GROUP = "/apis/networking.k8s.io/v1"
CONTROLLER = "traderx-gate/process-node"
RETRY_S = 0.5


class IngressController:
    """The Ingress objects of the cluster, as this node serves them."""

    def __init__(self, settings: Settings, api: Api) -> None:
        self._api = api
        self._reached = ((HOST_IP, settings.ingress_port),)
        self._found: dict[tuple[str, str], Ingress] = {}
        self._untold: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.table = Table(())

    async def run(self) -> None:
        """Follow the objects until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._make_class())
            group.create_task(self._follow())
            group.create_task(self._tell())

    async def _make_class(self) -> None:
        body = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": CLASS},
            "spec": {"controller": CONTROLLER},
        }
        while True:
            try:
                await self._api.create(f"{GROUP}/ingressclasses", body)
            except ApiError as error:
                if error.status != 409:
                    _LOG.warning("ingress class not made error=%s", error)
                    await asyncio.sleep(RETRY_S)
                    continue
            return

    async def _follow(self) -> None:
        async for change in watch(self._api, f"{GROUP}/ingresses"):
            match change:
                case Listed(items=items):
                    self._found = {}
                    for item in items:
                        self._take(ingresses.parse(item))
                case Changed(item=item):
                    self._take(ingresses.parse(item))
                case Removed(item=item):
                    self._found.pop(ingresses.parse(item).key, None)
            self.table = Table(self._found.values())

    def _take(self, ingress: Ingress) -> None:
        before = self._found.pop(ingress.key, None)
        if ingress.class_name != CLASS:
            return
        self._found[ingress.key] = ingress
        if ingress.unknown and (before is None or before.unknown != ingress.unknown):
            unknown = ", ".join(ingress.unknown)
            _LOG.warning("ingress=%s/%s without effect: %s", *ingress.key, unknown)
        if ingress.reached != self._reached:
            self._untold.put_nowait(ingress.key)

    async def _tell(self) -> None:
        """Write the status of those that do not say yet where they are reached."""
        while True:
            key = await self._untold.get()
            if key not in self._found or self._found[key].reached == self._reached:
                continue
            try:
                await self._write_status(*key)
            except ApiError as error:
                if error.status != 404:
                    _LOG.warning("ingress status not written ingress=%s/%s error=%s", *key, error)
                    await asyncio.sleep(RETRY_S)
                    self._untold.put_nowait(key)

    async def _write_status(self, namespace: str, name: str) -> None:
        reached = [
            {"ip": address, "ports": [{"port": port, "protocol": "TCP"}]}
            for address, port in self._reached
        ]
        await self._api.patch(
            f"{GROUP}/namespaces/{namespace}/ingresses/{name}/status",
            {"status": {"loadBalancer": {"ingress": reached}}},
        )
