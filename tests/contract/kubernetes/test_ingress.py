"""Ingress, as whoever knows the Kubernetes API alone can use it: where it is says its status."""

import http.client
import socket
import time
from typing import Any

import pytest

from tests.contract.kubernetes.laboratory import DEADLINE_S, Connection, Laboratory

INGRESSES = "/apis/networking.k8s.io/v1/namespaces/{}/ingresses"
# Tells what it was asked; upgrades a connection to one that sends back what comes.
ECHO = """
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Upgrade") == "echo":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols" + 2 * bytes([13, 10]) + b"early")
            while data := self.connection.recv(100):
                self.connection.sendall(data)
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length", 0))
        told = {"path": self.path, "host": self.headers["Host"], "method": self.command,
                "body": self.rfile.read(length).decode()}
        body = json.dumps(told).encode()
        self.send_response(418 if "teapot" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
REWRITE = {
    "nginx.ingress.kubernetes.io/use-regex": "true",
    "nginx.ingress.kubernetes.io/rewrite-target": "/$2",
}


class Routes:
    """The ingresses of a namespace, all for one host."""

    def __init__(self, connection: Connection, lab: Laboratory) -> None:
        self.lab = lab
        self.host = f"{lab.namespace}.test"
        self._connection = connection
        self._path = INGRESSES.format(lab.namespace)
        self._reached = ("", 0)

    def create(
        self, name: str, paths: dict[str, tuple[str, str]], annotations: dict[str, str]
    ) -> None:
        """Create an ingress with a kind and a service for each path, and await its address."""
        rules = [
            {"path": path, "pathType": kind, "backend": _backend(service)}
            for path, (kind, service) in paths.items()
        ]
        spec = {
            "ingressClassName": "nginx",
            "rules": [{"host": self.host, "http": {"paths": rules}}],
        }
        body = {"metadata": {"name": name, "annotations": annotations}, "spec": spec}
        self._connection.request("POST", self._path, json=body).raise_for_status()
        for _, item in self._connection.watch(
            self._path, {"fieldSelector": f"metadata.name={name}"}
        ):
            for reached in item["status"].get("loadBalancer", {}).get("ingress", ()):
                port = next((p["port"] for p in reached.get("ports") or ()), 80)
                self._reached = (reached.get("ip") or reached["hostname"], port)
                return
        raise AssertionError(f"ingress {name} has no address within {DEADLINE_S} s")

    def open(self) -> http.client.HTTPConnection:
        """Connect to where the ingresses are."""
        return http.client.HTTPConnection(*self._reached, timeout=DEADLINE_S)

    def ask(
        self, path: str, *, method: str = "GET", host: str = "", body: str | None = None
    ) -> tuple[int, str]:
        """Ask for a path of the host."""
        connection = self.open()
        try:
            connection.request(method, path, body=body, headers={"Host": host or self.host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def until_served(self, path: str) -> None:
        """Return once a service answers; the ingress may learn of its pods later than we do."""
        deadline = time.monotonic() + DEADLINE_S
        while (status := self.ask(path)[0]) != 200:
            assert time.monotonic() < deadline, f"{path}: still {status} after {DEADLINE_S} s"


def _backend(service: str) -> dict[str, Any]:
    return {"service": {"name": service, "port": {"name": "http"}}}


@pytest.fixture(scope="module")
def routes(connection: Connection, shared_lab: Laboratory) -> Routes:
    """Two ingresses of one host, of which one rewrites, as TraderX has them."""
    shared_lab.pod(
        "echo", ECHO, labels={"app": "echo"}, readinessProbe={"tcpSocket": {"port": 8080}}
    )
    ports = [{"name": "other", "port": 1}, {"name": "http", "port": 80, "targetPort": 8080}]
    for name, label in (("echo", "echo"), ("empty", "none")):
        shared_lab.create("services", name, spec={"selector": {"app": label}, "ports": ports})
    shared_lab.until_ready("echo")
    shared_lab.until_endpoints("echo", 1)
    found = Routes(connection, shared_lab)
    plain = {"/page": ("Prefix", "echo"), "/empty": ("Prefix", "empty")}
    found.create("plain", {**plain, "/absent": ("Prefix", "absent")}, {})
    kind = "ImplementationSpecific"
    found.create("services", {"/echo(/|$)(.*)": (kind, "echo")}, REWRITE)
    found.until_served("/echo")
    return found


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ("/page/a%20b?c=d%2Fe", "/page/a%20b?c=d%2Fe"),
        ("/echo/account/1?x=y", "/account/1?x=y"),
        ("/echo", "/"),
    ],
)
def test_path_at_the_service(routes: Routes, asked: str, seen: str) -> None:
    """A path arrives as it was sent, or as the rewrite makes it; the query stays."""
    status, body = routes.ask(asked)
    assert status == 200
    assert f'"path": "{seen}"' in body


def test_host_and_body_arrive(routes: Routes) -> None:
    """Method, host and body of a request arrive at the service."""
    _, body = routes.ask("/echo/x", method="POST", body="text")
    told = f'"path": "/x", "host": "{routes.host}", "method": "POST", "body": "text"'
    assert body == "{" + told + "}"


def test_answer_is_the_services(routes: Routes) -> None:
    """Status and headers of an answer are those of the service, repeated ones included."""
    connection = routes.open()
    connection.request("GET", "/echo/teapot", headers={"Host": routes.host})
    answer = connection.getresponse()
    found = answer.status, answer.headers.get_all("Set-Cookie")
    connection.close()
    assert found == (418, ["a=1", "b=2"])


@pytest.mark.parametrize("path", ["/empty", "/absent"])
def test_service_without_endpoints(routes: Routes, path: str) -> None:
    """A route to a service that has no ready pod, or does not exist, is answered 503."""
    assert routes.ask(path)[0] == 503


def test_nothing_there(routes: Routes) -> None:
    """A path that no route has, and a host that no ingress has, is answered 404."""
    assert routes.ask("/nothing")[0] == 404
    assert routes.ask("/page", host="unknown.test")[0] == 404


def test_connection_is_upgraded(routes: Routes) -> None:
    """An upgraded connection carries bytes both ways, also those that come with the answer."""
    connection = routes.open()
    connection.connect()
    sock: socket.socket = connection.sock
    head = f"GET /echo/ws HTTP/1.1\r\nHost: {routes.host}\r\nConnection: Upgrade\r\n"
    sock.sendall(f"{head}Upgrade: echo\r\n\r\n".encode())
    received = b""
    while not received.endswith(b"early"):
        received += _some(sock)
    sock.sendall(b"ping")
    answered = _some(sock)
    connection.close()
    assert received.startswith(b"HTTP/1.1 101 ")
    assert answered == b"ping"


def test_refused_upgrade_is_an_answer(routes: Routes) -> None:
    """A service that does not upgrade answers as to any request, the last on its connection."""
    connection = routes.open()
    headers = {"Host": routes.host, "Connection": "Upgrade", "Upgrade": "unknown"}
    connection.request("GET", "/echo/teapot", headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.will_close, b"/teapot" in answer.read()
    connection.close()
    assert found == (418, True, True)


def test_route_follows_readiness(routes: Routes) -> None:
    """A route leads to a pod as soon as it is ready, without a change of the ingress."""
    lab = routes.lab
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    lab.create("services", "late", spec={"selector": {"app": "late"}, "ports": ports})
    routes.create("late", {"/late": ("Prefix", "late")}, {})
    before = routes.ask("/late")[0]
    lab.pod("late", ECHO, labels={"app": "late"}, readinessProbe={"tcpSocket": {"port": 8080}})
    lab.until_ready("late")
    routes.until_served("/late")
    assert before == 503


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(4096)
    assert data, "the connection has ended"
    return data
