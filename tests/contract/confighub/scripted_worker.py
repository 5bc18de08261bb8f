"""A worker that speaks the protocol by hand, so that tests decide what it answers and when."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.contract.confighub.confighub_process import (
    DEADLINE_S,
    ConfigHubProcess,
    Json,
    make_space,
    ok,
)

ZERO_ID = "00000000-0000-0000-0000-000000000000"


def make_worker(client: httpx.Client, space: str, slug: str = "wk") -> Json:
    """Create a worker and return it, secret included."""
    worker: Json = ok(client.post(f"/space/{space}/bridge_worker", json={"Slug": slug}))
    return worker


def make_target(client: httpx.Client, space: str, worker: Json, slug: str = "t") -> str:
    """Create a target of a worker and return its identifier."""
    body = {
        "Slug": slug,
        "ToolchainType": "Kubernetes/YAML",
        "ProviderType": "Kubernetes",
        "BridgeWorkerID": worker["BridgeWorkerID"],
    }
    return str(ok(client.post(f"/space/{space}/target", json=body))["TargetID"])


class WorkerScene:
    """A server, a space with a worker and its target, and a client."""

    def __init__(self, server: ConfigHubProcess, client: httpx.Client) -> None:
        self.server = server
        self.client = client
        self.space = make_space(client, "s")
        self.worker = make_worker(client, self.space)
        self.target = make_target(client, self.space, self.worker)


class Stream:
    """An open stream: yields operations, answers heartbeats unless told not to."""

    def __init__(self, http: httpx.Client, path: str, lines: Iterator[str]) -> None:
        self._http = http
        self._path = path
        self._lines = lines
        self.answers_heartbeats = True

    def next_event(self) -> Json:
        """Return the next event, whatever it is."""
        for line in self._lines:
            if line.startswith("data: "):
                event: Json = json.loads(line.removeprefix("data: "))
                return event
        raise AssertionError("the server ended the stream")

    def drain(self) -> None:
        """Read until the server ends the stream; it hangs if it never does."""
        for _ in self._lines:
            pass

    def next_operation(self) -> Json:
        """Return the payload of the next operation, its action added."""
        while True:
            event = self.next_event()
            if event["Event"] == "BridgeWorkerEvent":
                return {"Action": event["Data"]["Action"], **event["Data"]["Payload"]}
            self.answer_heartbeat()

    def next_invocation(self) -> Json:
        """Return the payload of the next invocation of functions, its action added."""
        while (event := self.next_event())["Event"] != "FunctionWorkerEvent":
            self.answer_heartbeat()
        return {"Action": event["Data"]["Action"], **event["Data"]["Payload"]}

    def answer(self, invocation: Json, result: str, **values: Any) -> httpx.Response:
        """Answer an invocation of functions."""
        wanted = invocation["InvocationRequest"]
        body = {name: wanted[name] for name in ("UnitID", "SpaceID", "RevisionNum")}
        body |= {name: invocation[name] for name in ("QueuedOperationID", "Action")}
        status = "Completed" if result.endswith("Completed") else "Failed"
        body |= {"Result": result, "Status": status, **values}
        return self._http.post(f"{self._path}/action_result", json=body)

    def operations_until_heartbeat(self) -> list[Json]:
        """Return the operations that come before the next heartbeat."""
        found = []
        while (event := self.next_event())["Event"] == "BridgeWorkerEvent":
            found.append({"Action": event["Data"]["Action"], **event["Data"]["Payload"]})
        self.answer_heartbeat()
        return found

    def answer_heartbeat(self) -> None:
        """Answer a heartbeat as the real worker does."""
        if self.answers_heartbeats:
            body = {"Action": "Heartbeat", "Result": "None", "Status": "Completed"}
            zero = {"QueuedOperationID": ZERO_ID, "UnitID": ZERO_ID, "SpaceID": ZERO_ID}
            ok(self._http.post(f"{self._path}/action_result", json={**zero, **body}))

    def report(self, operation: Json, result: str, status: str, **values: Any) -> httpx.Response:
        """Report on an operation."""
        kept = ("QueuedOperationID", "UnitID", "SpaceID", "RevisionNum", "Action")
        body = {name: operation[name] for name in kept}
        body |= {"Result": result, "Status": status, **values}
        return self._http.post(f"{self._path}/action_result", json=body)


@contextmanager
def connected(
    server: ConfigHubProcess,
    worker: Json,
    *,
    targets: list[Json] | None = None,
    functions: Json | None = None,
) -> Iterator[Stream]:
    """Open a worker's stream over HTTP/2 with prior knowledge."""
    path = f"/bridge_worker/{worker['BridgeWorkerID']}"
    supported = {
        "ToolchainType": "Kubernetes/YAML",
        "ProviderType": "Kubernetes",
        "AvailableTargets": targets or [],
    }
    info = {
        "BridgeWorkerInfo": {"SupportedConfigTypes": [supported]},
        "FunctionWorkerInfo": {"SupportedFunctions": {"Kubernetes/YAML": functions or {}}},
    }
    with httpx.Client(
        base_url=f"{server.url}/api",
        headers={"Authorization": f"Bearer {worker['Secret']}"},
        http1=False,
        http2=True,
        timeout=DEADLINE_S,
        trust_env=False,
    ) as http:
        ok(http.get(f"{path}/me"))
        with http.stream("POST", f"{path}/stream", json=info) as response:
            assert response.status_code == 200
            yield Stream(http, path, response.iter_lines())


@contextmanager
def completing(server: ConfigHubProcess, worker: Json) -> Iterator[None]:
    """Have a worker in the background that completes whatever it is given."""
    ready = threading.Event()
    failures: list[BaseException] = []
    stop = threading.Event()

    def serve() -> None:
        try:
            with connected(server, worker) as stream:
                ready.set()
                while not stop.is_set():
                    for operation in stream.operations_until_heartbeat():
                        _complete(stream, operation)
        except BaseException as error:  # noqa: BLE001 - raised again by the test below
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(DEADLINE_S)
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)
    assert not failures, failures
    assert not thread.is_alive()


def _complete(stream: Stream, operation: Json) -> None:
    results = {"Refresh": "RefreshAndNoDrift"}
    ok(stream.report(operation, "None", "Progressing", Message="at it"))
    result = results.get(operation["Action"], f"{operation['Action']}Completed")
    ok(stream.report(operation, result, "Completed", LiveState=operation["Data"]))
