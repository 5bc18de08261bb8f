"""What the contract tests do to a cluster: create, watch until, ask, run; over its API alone.

Nothing here knows which cluster it is: the same tests can run against a real one.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from kubernetes import client, config
from kubernetes.stream import portforward, stream
from kubernetes.utils.quantity import parse_quantity

IMAGE = "python:3.11-slim"
DEADLINE_S = 40
REQUEST_DEADLINE_S = 20

Json = dict[str, Any]

# Answers each path with a status that can be changed: GET /set/ready=503. Above 1000 it is a delay
# in milliseconds. Logs every request.
SWITCHBOARD = """
import http.server, json, sys, time
status = json.loads(sys.argv[1])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, value = self.path.partition("=")
        if value:
            status[path.removeprefix("/set")] = int(value)
        code = status.get(path, 200)
        print("GET " + path + f" {code}" + chr(10), end="", flush=True)
        if code > 1000:
            time.sleep(code / 1000)
            code = 200
        self.send_response(code)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
FOREVER = "import threading; threading.Event().wait()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """How a command in a container ended."""

    stdout: str
    stderr: str
    code: int


class Connection:
    """The API of a cluster, as its kubeconfig says."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = config.new_client_from_config(str(kubeconfig))
        told = self._client.configuration
        self.host: str = told.host
        self.core = client.CoreV1Api(self._client)
        self.session = requests.Session()
        self.session.trust_env = False  # REQUESTS_CA_BUNDLE would replace the cluster's own
        self.session.verify = told.ssl_ca_cert
        self.session.cert = (told.cert_file, told.key_file)

    def __enter__(self) -> Self:
        """Use until the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self.session.close()
        # The client's own close() leaves its sockets to the garbage collector.
        self._client.rest_client.pool_manager.clear()
        self._client.close()

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask the API, whatever the answer."""
        return self.session.request(
            method, f"{self.host}{path}", timeout=REQUEST_DEADLINE_S, **options
        )

    def watch(self, path: str, selector: Mapping[str, str]) -> Iterator[tuple[str, Json]]:
        """Yield the state and every change of the selected objects, until the deadline."""
        query = {"watch": "true", "timeoutSeconds": str(DEADLINE_S), **selector}
        with self.session.get(
            f"{self.host}{path}", params=query, stream=True, timeout=(5, DEADLINE_S + 5)
        ) as response:
            response.raise_for_status()
            for line in response.iter_lines(chunk_size=None):
                event = json.loads(line)
                yield event["type"], event["object"]


class Laboratory:
    """A namespace, and what can be done in it."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace
        self.path = f"/api/v1/namespaces/{namespace}"

    def __enter__(self) -> Self:
        """Create the namespace."""
        body = {"metadata": {"name": self.namespace}}
        self._connection.request("POST", "/api/v1/namespaces", json=body).raise_for_status()
        # Pods are refused until the controllers have made the account they run as.
        self.until("serviceaccounts", "default", lambda _account: True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Delete the namespace and all in it; that it goes on afterwards harms no one."""
        self._connection.request("DELETE", self.path).raise_for_status()

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask the API about something in the namespace, whatever the answer."""
        return self._connection.request(method, f"{self.path}/{path}", **options)

    def create(self, kind: str, name: str, **fields: Any) -> Json:
        """Create an object of the core API."""
        metadata = {"name": name, **fields.pop("metadata", {})}
        response = self.request("POST", kind, json={"metadata": metadata, **fields})
        assert response.status_code == 201, response.text
        created: Json = response.json()
        return created

    def pod(
        self,
        name: str,
        program: str = FOREVER,
        *arguments: str,
        labels: Mapping[str, str] | None = None,
        spec: Mapping[str, Any] | None = None,
        **container: Any,
    ) -> Json:
        """Create a pod that runs a Python program."""
        command = ["python3", "-u", "-c", program, *arguments]
        told = {"name": "main", "image": IMAGE, "command": command, **container}
        told = {key: value for key, value in told.items() if value is not None}
        return self.create(
            "pods",
            name,
            metadata={"labels": dict(labels or {})},
            spec={"terminationGracePeriodSeconds": 1, "containers": [told], **(spec or {})},
        )

    def switchboard(self, name: str, status: Mapping[str, int], **container: Any) -> Json:
        """Create a pod whose answers can be changed."""
        return self.pod(name, SWITCHBOARD, json.dumps(status), **container)

    def switch(self, name: str, path: str, status: int) -> None:
        """Change an answer of a switchboard."""
        self.request("GET", f"pods/{name}:8080/proxy/set{path}={status}").raise_for_status()

    def get(self, kind: str, name: str) -> Json:
        """Read an object."""
        response = self.request("GET", f"{kind}/{name}")
        response.raise_for_status()
        found: Json = response.json()
        return found

    def until(self, kind: str, name: str, predicate: Callable[[Json], bool]) -> Json:
        """Return the object as soon as the predicate holds."""
        last: Json = {}
        for event, item in self._connection.watch(f"{self.path}/{kind}", by_name(name)):
            last = item
            if event != "DELETED" and predicate(item):
                return item
        raise AssertionError(f"{kind}/{name}: not within {DEADLINE_S} s; last seen {last}")

    def until_event(self, pod: str, reason: str, text: str = "") -> Json:
        """Return an event about the pod."""
        selector = {"fieldSelector": f"involvedObject.name={pod},reason={reason}"}
        for _, item in self._connection.watch(f"{self.path}/events", selector):
            if text in item["message"]:
                return item
        raise AssertionError(f"no event {reason} with {text!r} about {pod} within {DEADLINE_S} s")

    def until_ready(self, name: str) -> Json:
        """Return the pod as soon as it is ready."""
        return self.until("pods", name, is_ready)

    def until_endpoints(self, service: str, number: int) -> None:
        """Return once the service has this number of ready endpoints."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"
        selector = {"labelSelector": f"kubernetes.io/service-name={service}"}
        for _, item in self._connection.watch(path, selector):
            endpoints = item.get("endpoints") or []
            if sum(endpoint["conditions"]["ready"] for endpoint in endpoints) == number:
                return
        raise AssertionError(f"{service} has not {number} endpoints within {DEADLINE_S} s")

    def last_state(self, name: str, *, grace_s: int | None = None) -> Json:
        """Delete the pod and return its last state before it was gone."""
        changes = self._connection.watch(f"{self.path}/pods", by_name(name))
        _, last = next(changes)
        options = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        self.request("DELETE", f"pods/{name}", json=options).raise_for_status()
        for event, item in changes:
            if event == "DELETED":
                return last
            last = item
        raise AssertionError(f"pod {name} still there after {DEADLINE_S} s; last seen {last}")

    def logs(self, pod: str, **options: Any) -> str:
        """Read the pod's log."""
        response = self.request("GET", f"pods/{pod}/log", params=options)
        assert response.status_code == 200, response.text
        return response.text

    def follow(self, pod: str, **options: str) -> Iterator[str]:
        """Yield the pod's log lines until its container ends."""
        with self._connection.session.get(
            f"{self._connection.host}{self.path}/pods/{pod}/log",
            params={"follow": "true", **options},
            stream=True,
            timeout=(5, DEADLINE_S),
        ) as response:
            response.raise_for_status()
            yield from response.iter_lines(chunk_size=None, decode_unicode=True)

    def execute(self, pod: str, *command: str) -> Executed:
        """Run a command in the pod's container."""
        running = stream(
            self._connection.core.connect_get_namespaced_pod_exec,
            pod,
            self.namespace,
            command=list(command),
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _preload_content=False,
        )
        try:
            running.run_forever(timeout=DEADLINE_S)
            return Executed(
                stdout=running.read_stdout(timeout=0) or "",
                stderr=running.read_stderr(timeout=0) or "",
                code=running.returncode,
            )
        finally:
            hang_up(running)

    def interact(self, pod: str, command: Sequence[str]) -> Any:
        """Run a command whose input is written by the test; the client's own object."""
        return stream(
            self._connection.core.connect_get_namespaced_pod_exec,
            pod,
            self.namespace,
            command=list(command),
            stdout=True,
            stderr=True,
            stdin=True,
            tty=False,
            _preload_content=False,
        )

    def attach(self, pod: str) -> Any:
        """Follow what the pod's container says from now on; the client's own object."""
        return stream(
            self._connection.core.connect_get_namespaced_pod_attach,
            pod,
            self.namespace,
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _preload_content=False,
        )

    @contextlib.contextmanager
    def forward(self, pod: str, port: int) -> Iterator[Any]:
        """Open a connection to a port of the pod."""
        with self._forwarded(pod, port) as (connection, _):
            yield connection

    def forward_error(self, pod: str, port: int) -> str:
        """Return why a connection to a port of the pod ended."""
        with self._forwarded(pod, port) as (connection, forwarded):
            assert connection.recv(1) == b""
            return str(forwarded.error(port))

    @contextlib.contextmanager
    def _forwarded(self, pod: str, port: int) -> Iterator[Any]:
        forwarded = portforward(
            self._connection.core.connect_get_namespaced_pod_portforward,
            pod,
            self.namespace,
            ports=str(port),
        )
        connection = forwarded.socket(port)
        connection.settimeout(DEADLINE_S)
        try:
            yield connection, forwarded
        finally:
            connection.close()
            # The library's thread ends by itself then, but leaves its socket open.
            for thread in threading.enumerate():
                if thread.name.startswith("Kubernetes port forward proxy"):
                    thread.join(REQUEST_DEADLINE_S)
            forwarded.websocket.shutdown()


def quantity(text: str) -> Decimal:
    """Return a quantity of the API as a number."""
    return Decimal(parse_quantity(text))


def by_name(name: str) -> dict[str, str]:
    """Select one object."""
    return {"fieldSelector": f"metadata.name={name}"}


def hang_up(running: Any) -> None:
    """Close a stream: the library leaves the socket open when the server ended it first."""
    running.close()
    running.sock.shutdown()


def is_ready(pod: Json) -> bool:
    """Whether the pod says that it is ready."""
    return condition(pod, "Ready").get("status") == "True"


def condition(pod: Json, kind: str) -> Json:
    """Return one condition of a pod; empty if it has none of this kind."""
    found = (item for item in pod["status"].get("conditions", ()) if item["type"] == kind)
    return next(found, {})


def container(pod: Json) -> Json:
    """Return the status of the pod's container; empty if there is none yet."""
    statuses: list[Json] = pod["status"].get("containerStatuses") or [{}]
    return statuses[0]


def waits_with(reason: str) -> Callable[[Json], bool]:
    """Return whether the pod's container waits for this reason."""
    return lambda pod: container(pod).get("state", {}).get("waiting", {}).get("reason") == reason


def has_ended(pod: Json) -> bool:
    """Whether the pod has ended for good."""
    return pod["status"].get("phase") in {"Succeeded", "Failed"}


def has_restarted(pod: Json) -> bool:
    """Whether the pod's container runs and was started again before."""
    status = container(pod)
    return status.get("restartCount", 0) > 0 and "running" in status.get("state", {})
