"""The node's HTTPS API, which only the API server may call: logs, exec, attach, port-forward."""

import ssl
from collections.abc import Callable

from aiohttp import web

from traderx_embedded.kubernetes.node import container_log, log_reader, streams, websocket
from traderx_embedded.kubernetes.node.container import ContainerRun
from traderx_embedded.kubernetes.node.keeper import Keeper
from traderx_embedded.kubernetes.node.metrics_api import MetricsApi
from traderx_embedded.kubernetes.node.settings import Settings
from traderx_embedded.kubernetes.node.spdy import Connection
from traderx_embedded.kubernetes.node.status import Waiting
from traderx_embedded.kubernetes.node.worker import PodWorker

Find = Callable[[str, str], PodWorker | None]


class KubeletApi:
    """Answers for the pods of this node."""

    def __init__(self, settings: Settings, find: Find, metrics: MetricsApi) -> None:
        self._settings = settings
        self._find = find
        self._metrics = metrics

    async def start(self) -> web.AppRunner:
        """Listen, and return what has to be cleaned up at the end."""
        app = web.Application()
        app.router.add_get("/healthz", _healthz)
        self._metrics.add_to(app)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        handlers = {"exec": self._exec, "attach": self._attach, "portForward": self._forward}
        for kind, handler in handlers.items():
            for method in ("GET", "POST"):
                app.router.add_route(method, f"/{kind}/{{namespace}}/{{pod}}", handler)
                app.router.add_route(
                    method, f"/{kind}/{{namespace}}/{{pod}}/{{container}}", handler
                )
                app.router.add_route(
                    method, f"/{kind}/{{namespace}}/{{pod}}/{{uid}}/{{container}}", handler
                )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(
            runner, "127.0.0.1", self._settings.kubelet_port, ssl_context=self._tls()
        ).start()
        return runner

    def _tls(self) -> ssl.SSLContext:
        pki = self._settings.pki
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _worker(self, request: web.Request) -> PodWorker:
        match = request.match_info
        worker = self._find(match["namespace"], match["pod"])
        if worker is None:
            raise web.HTTPNotFound(text=f'pod "{match["pod"]}" is not on this node')
        return worker

    def _keeper(self, request: web.Request) -> tuple[PodWorker, Keeper]:
        worker = self._worker(request)
        name = request.match_info.get("container", worker.pod.container.name)
        keeper = worker.keeper(name)
        if keeper is None:
            raise web.HTTPNotFound(text=f'container "{name}" not found in pod "{worker.pod.name}"')
        return worker, keeper

    def _running(self, request: web.Request) -> ContainerRun:
        _, keeper = self._keeper(request)
        run = keeper.record.run
        if run is None or not run.is_running:
            raise web.HTTPNotFound(text=f'container not found ("{keeper.name}")')
        return run

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        worker, keeper = self._keeper(request)
        try:
            question = log_reader.Question.from_query(dict(request.query))
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"unreadable option: {error}") from error
        restart = _run_number(
            worker, keeper, previous=request.query.get("previous") in {"true", "1"}
        )
        path = container_log.path_of(keeper.logs, restart)
        run = keeper.record.run if restart == keeper.record.restarts else None
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)

        def is_live() -> bool:
            return run is not None and run.is_writing and request.transport is not None

        try:
            async for text in log_reader.read(path, question, is_live=is_live):
                await response.write(text)
        except ConnectionResetError:
            return response  # the reader went away
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        run = self._running(request)
        command = request.query.getall("command", [])
        if not command:
            raise web.HTTPBadRequest(text="a command is needed")
        wanted, with_terminal = _wanted(request)
        session = streams.ExecSession(
            run=run, command=command, wanted=wanted, with_terminal=with_terminal
        )
        await session.serve(*await streams.upgrade(request, _protocol(request)))
        return streams.handed_over(request)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        run = self._running(request)
        wanted, with_terminal = _wanted(request)
        session = streams.AttachSession(run=run, wanted=wanted, with_terminal=with_terminal)
        await session.serve(*await streams.upgrade(request, _protocol(request)))
        return streams.handed_over(request)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        worker = self._worker(request)
        run = worker.record.run
        if run is None or not run.is_running:
            raise web.HTTPNotFound(text=f'pod "{worker.pod.name}" is not running')
        address = self._settings.networks.private_of(worker.record.ip)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await websocket.forward(request, address)
        forwarding = streams.Forwarding(address=address)
        reader, writer = await streams.upgrade(request, streams.FORWARD_PROTOCOL)
        try:
            await Connection(reader, writer, forwarding.opened).run()
        finally:
            writer.close()
        return streams.handed_over(request)


def _protocol(request: web.Request) -> str:
    offered = ",".join(request.headers.getall("X-Stream-Protocol-Version", []))
    found = next((name for name in streams.EXEC_PROTOCOLS if name in offered), None)
    if found is None:
        raise web.HTTPForbidden(text=f"no stream protocol in common, offered: {offered}")
    return found


def _wanted(request: web.Request) -> tuple[frozenset[str], bool]:
    """Return the streams that the client is going to open, and whether it has a terminal."""
    names = {"input": "stdin", "output": "stdout", "error": "stderr"}
    wanted = {name for key, name in names.items() if request.query.get(key) in {"1", "true"}}
    with_terminal = request.query.get("tty") in {"1", "true"}
    if with_terminal:
        wanted = wanted - {"stderr"} | {"resize"}
    return frozenset(wanted | {"error"}), with_terminal


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _run_number(worker: PodWorker, keeper: Keeper, *, previous: bool) -> int:
    """Return the number of the container's run whose log is asked for."""
    record, name, directory = keeper.record, keeper.name, keeper.logs
    waiting = record.state if isinstance(record.state, Waiting) else None
    candidates = [record.restarts, record.restarts - 1]
    if previous and waiting is None:
        candidates.pop(0)
    for number in candidates:
        if container_log.path_of(directory, number).exists():
            return number
    if previous:
        text = f'previous terminated container "{name}" in pod "{worker.pod.name}" not found'
    else:
        reason = waiting.reason if waiting is not None else "its log is gone"
        text = f'container "{name}" in pod "{worker.pod.name}" is waiting to start: {reason}'
    raise web.HTTPBadRequest(text=text)
