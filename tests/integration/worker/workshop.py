"""A ConfigHub, a worker and a namespace of a real cluster, each a process of its own."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import (
    DEADLINE_S,
    ConfigHubProcess,
    Json,
    make_space,
    make_unit,
    ok,
    unit_path,
    until,
)
from tests.contract.confighub.scripted_worker import make_worker
from traderx_gate.errors import NotFoundError
from traderx_gate.kube import Kube, ObjectRef

IMAGE = "python:3.11-slim"


class WorkerProcess:
    """One worker process; can be killed and started again."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._log_path = folder / "worker.log"
        self._environment = environment
        self.start()

    def start(self) -> None:
        """Start the worker."""
        with self._log_path.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "traderx_gate.worker"],
                env={**os.environ, **self._environment},
                stderr=log,
            )

    def kill(self) -> None:
        """Kill the worker as a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(DEADLINE_S)

    def stop(self) -> int:
        """End the worker in order and return its exit status."""
        self._process.terminate()
        return self._process.wait(DEADLINE_S)

    def log(self) -> str:
        """Return what the worker has logged."""
        return self._log_path.read_text()


class Workshop:
    """What the tests of the worker work with."""

    def __init__(
        self, server: ConfigHubProcess, client: httpx.Client, kube: Kube, kubeconfig: Path
    ) -> None:
        self.server = server
        self.client = client
        self.kube = kube
        self.namespace = f"worker-{uuid.uuid4().hex[:8]}"
        self.space = make_space(client, "s")
        self.identity = make_worker(client, self.space)
        self.environment = {
            "CONFIGHUB_URL": server.url,
            "CONFIGHUB_WORKER_PORT": server.url.rsplit(":", 1)[1],
            "CONFIGHUB_WORKER_ID": self.identity["BridgeWorkerID"],
            "CONFIGHUB_WORKER_SECRET": self.identity["Secret"],
            "KUBECONFIG": str(kubeconfig),
        }

    def await_target(self) -> Json:
        """Wait until the worker has offered its target, and return it."""
        path = f"/space/{self.space}/target"
        found: list[Json] = until(lambda: ok(self.client.get(path)), what="the worker's target")
        return dict(found[0]["Target"])

    def set_wait(self, duration: str) -> None:
        """Set the target's `WaitTimeout`."""
        target = self.await_target()
        path = f"/space/{self.space}/target/{target['TargetID']}"
        ok(self.client.patch(path, json={"Parameters": f'{{"WaitTimeout": "{duration}"}}'}))

    def unit(self, slug: str, data: str) -> Json:
        """Create a unit on the worker's target."""
        target = self.await_target()
        return make_unit(self.client, self.space, slug, data, TargetID=target["TargetID"])

    def queue(self, unit: Json, action: str = "apply") -> Json:
        """Queue an action on a unit."""
        queued: Json = ok(self.client.post(f"{unit_path(unit)}/{action}"))
        return queued

    def events(self, operation: Json) -> list[Json]:
        """Return the events of an operation."""
        path = f"/space/{operation['SpaceID']}/unit/{operation['UnitID']}/unit_event"
        where = f"QueuedOperationID = '{operation['QueuedOperationID']}'"
        found: list[Json] = ok(self.client.get(path, params={"where": where}))
        return found

    def await_end(self, operation: Json) -> Json:
        """Wait until an operation has ended, and return its last event."""

        def last() -> Json | None:
            events = self.events(operation)
            return events[-1] if events and "TerminatedAt" in events[-1] else None

        event: Json = until(last, what=f"the end of {operation['Action']}")
        return event

    def act(self, unit: Json, action: str = "apply") -> Json:
        """Queue an action, wait for its end and return its last event."""
        return self.await_end(self.queue(unit, action))

    def read(self, unit: Json) -> Json:
        """Return the extended unit."""
        found: Json = ok(self.client.get(unit_path(unit)))
        return found

    def ref(self, kind: str, name: str) -> ObjectRef:
        """Return the reference of an object in the namespace."""
        version = "apps/v1" if kind == "Deployment" else "v1"
        return ObjectRef(api_version=version, kind=kind, name=name, namespace=self.namespace)

    def live(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """Return a live object of the namespace, None if there is none."""
        try:
            return self.kube.get(self.ref(kind, name))
        except NotFoundError:
            return None

    def config_map(self, name: str, value: str = "v") -> str:
        """Return a document."""
        return (
            "apiVersion: v1\nkind: ConfigMap\n"
            f"metadata: {{name: {name}, namespace: {self.namespace}}}\ndata: {{k: {value}}}\n"
        )

    def deployment(self, name: str, *, image: str = IMAGE) -> str:
        """Return a document of a deployment that answers on a port, if its image exists."""
        return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {self.namespace}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: {image}
        args: ["-m", "http.server", "8000"]
        readinessProbe: {{tcpSocket: {{port: 8000}}, periodSeconds: 1}}
"""


@contextmanager
def opened(folder: Path, kubeconfig: Path) -> Iterator[Workshop]:
    """Open a workshop without a worker; its namespace is gone afterwards."""
    kube = Kube.from_kubeconfig(kubeconfig)
    options = ("--heartbeat-s", "0.2")
    with (
        confighub_process.running(folder, *options) as server,
        server.client() as client,
    ):
        workshop = Workshop(server, client, kube, kubeconfig)
        namespace = ObjectRef(api_version="v1", kind="Namespace", name=workshop.namespace)
        kube.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.name}},
            manager="tests",
        )
        try:
            yield workshop
        finally:
            kube.delete(namespace)


@contextmanager
def working(folder: Path, workshop: Workshop) -> Iterator[WorkerProcess]:
    """Run a worker that must end in order, and must not have met an error of its own."""
    process = WorkerProcess(folder, workshop.environment)
    try:
        yield process
    finally:
        status = process.stop()
    assert status == 0, process.log()
    assert "Traceback" not in process.log(), process.log()
