"""ConfigHub's application in this process: requests reach it through an adapter, and may not.

Its workers are in here as well: what is queued for one that is up is applied at once, to objects
that are kept as bytes.
"""

import asyncio
import base64
import functools
import io
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from traderx_embedded.confighub import operations, server, workers
from traderx_embedded.confighub.store import Store
from traderx_embedded.confighub.stream import Streams
from traderx_gate.confighub import ConfigHub, Worker

URL = "http://confighub.test"
TOKEN = "in-process"
INFO = {
    "BridgeWorkerInfo": {
        "SupportedConfigTypes": [
            {
                "ToolchainType": "Kubernetes/YAML",
                "ProviderType": "Kubernetes",
                "AvailableTargets": [{"Name": "cluster"}],
            }
        ]
    }
}
NOT_CARRIED = {
    "conflict": (409, "somebody else was faster"),
    "too many": (429, "slow down"),
    "broken": (503, "try again later"),
}
"""What a request is answered that never reached the application."""


class Killed(BaseException):
    """The process that sends requests is no more; nothing it would still do has an effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What becomes of one request.

    Attributes:
        kind: `killed before`, `killed after`, `lost` (it has its effect, and no answer comes),
            `doubled` (it arrives twice; the second answer comes), or one of `NOT_CARRIED`.
        at: Which request, from the next one on; 0 is the next.
        writes: Whether those that only read are not counted.
    """

    kind: str
    at: int
    writes: bool


class Hub(BaseAdapter):
    """The application, its store in memory, and what its workers have applied.

    Attributes:
        live: The bytes of what is applied, by unit id.
        down: Ids of workers that are not there.
        applied: Told of every apply before it has its effect: unit id, bytes.
    """

    def __init__(self, applied: Callable[[str, bytes], None]) -> None:
        super().__init__()
        self.live: dict[str, bytes] = {}
        self.down: set[str] = set()
        self._applied = applied
        self._loop = asyncio.new_event_loop()
        self._store = Store(Path(":memory:"))
        streams = Streams(self._store, heartbeat_s=3600, errand_timeout_s=1)
        self._app = server.application(
            server.Services(store=self._store, streams=streams, token=TOKEN, port=0)
        )
        self._woken: set[str] = set()
        self._store.on_work(self._woken.add)
        self._fault: Fault | None = None
        self._carried = 0
        self._dead = False

    def close(self) -> None:
        """Forget everything."""
        self._store.close()
        self._loop.close()

    def client(self) -> ConfigHub:
        """Return a client, as a new process would have one."""
        return ConfigHub(URL, f"Bearer {TOKEN}", carrier=self)

    def arm(self, fault: Fault | None) -> None:
        """Begin a process of which one request meets a fault; the next one has its own."""
        self._fault, self._carried, self._dead = fault, 0, False

    def connect(self, worker: Worker) -> None:
        """Have a worker there, which takes what was queued for it."""
        self._run(lambda tx: workers.register(tx, worker.id, INFO, ""))
        self.down.discard(worker.id)
        self._work(worker.id)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Carry a request to the application, unless its fault is another one."""
        if self._dead:
            raise Killed
        fault = self._fault
        if fault is None or (fault.writes and request.method == "GET"):
            return self._carry(request)
        number = self._carried
        self._carried += 1
        if fault.at != number:
            return self._carry(request)
        if fault.kind in NOT_CARRIED:
            status, message = NOT_CARRIED[fault.kind]
            body = f'{{"Code": "{status}", "Message": "{message}"}}'.encode()
            return _response(request, status, {"content-type": "application/json"}, body)
        if fault.kind == "killed before":
            self._dead = True
            raise Killed
        self._carry(request)
        if fault.kind == "doubled":
            return self._carry(request)
        if fault.kind == "lost":
            raise requests.ReadTimeout(request=request)
        self._dead = True
        raise Killed

    def _carry(self, request: requests.PreparedRequest) -> requests.Response:
        status, headers, body = self._loop.run_until_complete(self._ask(request))
        for worker_id in tuple(self._woken - self.down):
            self._work(worker_id)
        return _response(request, status, headers, body)

    async def _ask(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(request.url or "")
        content = request.body if isinstance(request.body, bytes) else b""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": url.path,
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in request.headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("confighub.test", 80),
        }
        sent: list[Mapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        await self._app(cast("Any", scope), receive, cast("Any", send))
        headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:])

    def _work(self, worker_id: str) -> None:
        """Do what is queued for a worker, one after the other, and report it."""
        self._woken.discard(worker_id)
        for message in self._run(lambda tx: operations.take(tx, worker_id)):
            payload = message["Data"]["Payload"]
            data = base64.b64decode(payload["Data"])
            self._applied(payload["UnitID"], data)
            self.live[payload["UnitID"]] = data
            report = operations.Report.from_json(
                {
                    "QueuedOperationID": payload["QueuedOperationID"],
                    "Action": message["Data"]["Action"],
                    "Result": "ApplyCompleted",
                    "Status": "Completed",
                    "LiveState": payload["Data"],
                }
            )
            self._run(functools.partial(operations.record, worker_id=worker_id, report=report))
        self._woken.discard(worker_id)

    def _run(self, work: Callable[[Any], Any]) -> Any:
        return self._loop.run_until_complete(self._store.run(work))


def _response(
    request: requests.PreparedRequest, status: int, headers: Mapping[str, str], body: bytes
) -> requests.Response:
    response = requests.Response()
    response.request, response.url = request, request.url or ""
    response.status_code = status
    response.headers.update({**headers, "X-Request-Id": str(uuid.uuid4())})
    response.raw = io.BytesIO(body)
    return response
