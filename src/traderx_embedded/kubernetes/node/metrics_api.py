"""metrics.k8s.io, which `kubectl top` reads: served beside the kubelet API, for the API server."""

import asyncio
import base64
import logging
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from traderx_embedded.kubernetes.node import clock, selector
from traderx_embedded.kubernetes.node.api import Api, ApiError, Json
from traderx_embedded.kubernetes.node.selector import SelectorError
from traderx_embedded.kubernetes.node.settings import Settings
from traderx_embedded.kubernetes.node.status import HOST_IP
from traderx_embedded.kubernetes.node.usage import Usage, UsageMeter
from traderx_embedded.kubernetes.node.worker import PodWorker

_LOG = logging.getLogger(__name__)

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
ROOT = f"/apis/{GROUP}/{VERSION}"
NAMESPACE, SERVICE = "kube-system", "metrics-server"
RETRY_S = 0.5


class MetricsApi:
    """Answers with what the meter measured, and registers itself."""

    def __init__(
        self,
        settings: Settings,
        api: Api,
        meter: UsageMeter,
        workers: Callable[[], Iterable[PodWorker]],
    ) -> None:
        self._settings = settings
        self._api = api
        self._meter = meter
        self._workers = workers

    def add_to(self, app: web.Application) -> None:
        """Serve with this application."""
        app.router.add_get(ROOT, _resources)
        app.router.add_get(f"{ROOT}/nodes", self._nodes)
        app.router.add_get(f"{ROOT}/nodes/{{name}}", self._node)
        app.router.add_get(f"{ROOT}/pods", self._pods)
        app.router.add_get(f"{ROOT}/namespaces/{{namespace}}/pods", self._pods)
        app.router.add_get(f"{ROOT}/namespaces/{{namespace}}/pods/{{name}}", self._pod)

    async def run(self) -> None:
        """Register with the API server, which passes requests of this group on to here."""
        authority = base64.b64encode((self._settings.pki / "ca.crt").read_bytes()).decode()
        # An external name: no endpoint may be a loopback address.
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SERVICE, "namespace": NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": HOST_IP},
        }
        port = self._settings.kubelet_port
        registration = {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{VERSION}.{GROUP}"},
            "spec": {
                "group": GROUP,
                "version": VERSION,
                "service": {"name": SERVICE, "namespace": NAMESPACE, "port": port},
                "caBundle": authority,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        }
        await self._put(f"/api/v1/namespaces/{NAMESPACE}/services", service)
        await self._put("/apis/apiregistration.k8s.io/v1/apiservices", registration)

    async def _put(self, path: str, body: Json) -> None:
        while True:
            try:
                try:
                    await self._api.create(path, body)
                except ApiError as error:
                    if error.status != 409:
                        raise
                    name = body["metadata"]["name"]
                    await self._api.patch(f"{path}/{name}", {"spec": body["spec"]})
            except ApiError as error:
                _LOG.warning("metrics not registered error=%s", error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _nodes(self, request: web.Request) -> web.Response:
        items = [self._describe_node()] if self._meter.machine else []
        return _list("NodeMetricsList", _selected(request, [(item, {}) for item in items if item]))

    async def _node(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        found = self._describe_node() if name == self._settings.node_name else None
        return _one("nodes", name, found)

    async def _pods(self, request: web.Request) -> web.Response:
        namespace = request.match_info.get("namespace")
        found = [
            (item, dict(worker.pod.labels))
            for worker in self._workers()
            if namespace in {None, worker.pod.namespace} and (item := self._describe_pod(worker))
        ]
        return _list("PodMetricsList", _selected(request, found))

    async def _pod(self, request: web.Request) -> web.Response:
        wanted = request.match_info["namespace"], request.match_info["name"]
        found = (w for w in self._workers() if (w.pod.namespace, w.pod.name) == wanted)
        worker = next(found, None)
        described = self._describe_pod(worker) if worker is not None else None
        return _one("pods", "/".join(wanted), described)

    def _describe_node(self) -> Json | None:
        usage = self._meter.machine
        if usage is None:
            return None
        metadata = {"name": self._settings.node_name}
        return {"metadata": metadata, **_measured(usage), "usage": _quantities(usage)}

    def _describe_pod(self, worker: PodWorker) -> Json | None:
        run = worker.active.record.run
        usage = self._meter.of(run) if run is not None and run.is_running else None
        if usage is None:
            return None
        pod = worker.pod
        labels = {"labels": dict(pod.labels)} if pod.labels else {}
        container = {"name": worker.active.name, "usage": _quantities(usage)}
        return {
            "metadata": {"name": pod.name, "namespace": pod.namespace, **labels},
            **_measured(usage),
            "containers": [container],
        }


def _measured(usage: Usage) -> dict[str, str]:
    return {"timestamp": clock.seconds(usage.moment), "window": f"{usage.window_s:.3f}s"}


def _quantities(usage: Usage) -> dict[str, str]:
    return {"cpu": f"{usage.cores * 1e9:.0f}n", "memory": f"{usage.memory_bytes // 1024}Ki"}


def _selected(request: web.Request, found: list[tuple[Json, dict[str, str]]]) -> list[Json]:
    try:
        of_labels = selector.parse(request.query.get("labelSelector", ""))
        of_fields = selector.parse(request.query.get("fieldSelector", ""))
    except SelectorError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return [
        item
        for item, labels in found
        if of_labels(labels)
        and of_fields({f"metadata.{key}": str(value) for key, value in item["metadata"].items()})
    ]


async def _resources(_request: web.Request) -> web.Response:
    shared = {"singularName": "", "verbs": ["get", "list"]}
    resources = [
        {"name": "nodes", "namespaced": False, "kind": "NodeMetrics", **shared},
        {"name": "pods", "namespaced": True, "kind": "PodMetrics", **shared},
    ]
    head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}"}
    return web.json_response({**head, "resources": resources})


def _list(kind: str, items: list[Json]) -> web.Response:
    head = {"kind": kind, "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}}
    return web.json_response({**head, "items": items})


def _one(resource: str, name: str, found: Json | None) -> web.Response:
    if found is not None:
        kind = {"nodes": "NodeMetrics", "pods": "PodMetrics"}[resource]
        return web.json_response({"kind": kind, "apiVersion": f"{GROUP}/{VERSION}", **found})
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "NotFound",
        "code": 404,
        "message": f'{resource}.{GROUP} "{name}" not found',
    }
    return web.json_response(status, status=404)
