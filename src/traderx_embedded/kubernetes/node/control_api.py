"""The control API: what is known here of pods and is not in Kubernetes, such as admin addresses."""

import hmac
import secrets
from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler

from traderx_embedded import state
from traderx_embedded.kubernetes.node.settings import Settings
from traderx_embedded.kubernetes.node.worker import PodWorker


class ControlApi:
    """Serves 127.0.0.1 only, to bearers of the token in `control.token`."""

    def __init__(self, settings: Settings, workers: Callable[[], Iterable[PodWorker]]) -> None:
        self._settings = settings
        self._workers = workers

    async def start(self) -> web.AppRunner:
        """Listen, and return what has to be cleaned up at the end."""
        token = self._token()

        @web.middleware
        async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                raise web.HTTPUnauthorized(text="a bearer token is needed, see control.token")
            return await handler(request)

        app = web.Application(middlewares=[authenticate])
        app.router.add_get("/pods", self._pods)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._settings.control_port).start()
        return runner

    def _token(self) -> str:
        path = self._settings.state / "control.token"
        if not path.exists():
            state.write(path, secrets.token_urlsafe(32))
        return path.read_text().strip()

    async def _pods(self, _request: web.Request) -> web.Response:
        return web.json_response([self._describe(worker) for worker in self._workers()])

    def _describe(self, worker: PodWorker) -> dict[str, object]:
        networks, record = self._settings.networks, worker.record
        running = record.run is not None and record.run.is_running
        admin = f"http://{networks.private_of(record.ip)}:{worker.admin_port}" if running else None
        return {
            "namespace": worker.pod.namespace,
            "name": worker.pod.name,
            "uid": worker.pod.uid,
            "ip": record.ip,
            "address": networks.reach(record.ip),
            "pid": record.run.pid if record.run is not None and running else None,
            "admin_url": admin if worker.admin_port else None,
        }
