import json
from collections.abc import Mapping

import pytest

from tests.contract.kubernetes.laboratory import FOREVER, Json, Laboratory

NAMES_ITSELF = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["HOSTNAME"].encode()
        self.send_response(503 if self.path == "/ready" and sys.argv[1] == "unready" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
# A change of endpoints takes a moment to arrive: each program asks until it sees what is expected,
# at most 10 seconds, and prints what it saw last.
ASK = """
import sys, time, urllib.request
url, expected = sys.argv[1], int(sys.argv[2])
seen, end = set(), time.monotonic() + 10
while len(seen) < expected and time.monotonic() < end:
    try:
        seen.add(urllib.request.urlopen(url, timeout=5).read().decode())
    except OSError:
        time.sleep(0.05)
for _ in range(20):
    seen.add(urllib.request.urlopen(url, timeout=5).read().decode())
print(*sorted(seen))
"""
DIAL = """
import socket, sys, time
host, port, expected = sys.argv[1], int(sys.argv[2]), sys.argv[3]
seen, end = "", time.monotonic() + 10
while seen != expected and time.monotonic() < end:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        seen = type(error).__name__
    else:
        seen = "connected"
    time.sleep(0.05)
print(seen)
"""
DIAL_OFTEN = """
import socket, sys
seen = set()
for _ in range(200):
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
    except OSError as error:
        seen.add(type(error).__name__)
    else:
        seen.add("connected")
print(*sorted(seen))
"""
RESOLVE = """
import json, socket, sys
answers = socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET, socket.SOCK_STREAM)
print(json.dumps(sorted({answer[4][0] for answer in answers})))
"""


def server(lab: Laboratory, name: str, labels: Mapping[str, str], state: str = "ready") -> None:
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    ports = [{"name": "http", "containerPort": 8080}]
    lab.pod(name, NAMES_ITSELF, state, labels=labels, readinessProbe=probe, ports=ports)


def service(lab: Laboratory, name: str, **spec: object) -> Json:
    ports = [{"port": 80, "targetPort": "http"}]
    return lab.create("services", name, spec={"selector": {"app": name}, "ports": ports, **spec})


def client(lab: Laboratory) -> str:
    lab.pod("client", FOREVER)
    lab.until_ready("client")
    return "client"


def run(lab: Laboratory, program: str, *arguments: str) -> str:
    executed = lab.execute("client", "python3", "-c", program, *arguments)
    assert executed.code == 0, executed.stderr
    return executed.stdout


def dial(lab: Laboratory, host: str, port: str, expected: str) -> None:
    assert run(lab, DIAL, host, port, expected) == f"{expected}\n"


def test_balances_over_ready_pods_only(lab: Laboratory) -> None:
    """Requests to a service reach every ready pod behind it, and no other one."""
    service(lab, "web")
    server(lab, "first", {"app": "web"})
    server(lab, "second", {"app": "web"})
    server(lab, "third", {"app": "web"}, "unready")
    client(lab)
    lab.until_endpoints("web", 2)
    assert run(lab, ASK, "http://web/", "2") == "first second\n"


def test_refused_without_a_ready_pod(lab: Laboratory) -> None:
    """A connection to a service without a ready pod is refused."""
    service(lab, "web")
    server(lab, "only", {"app": "web"}, "unready")
    client(lab)
    lab.until_event("only", "Unhealthy")
    dial(lab, "web", "80", "ConnectionRefusedError")


def test_refused_where_no_pod_listens(lab: Laboratory) -> None:
    """Every connection to a service that leads to a port where nobody listens is refused."""
    lab.create(
        "services",
        "web",
        spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 9}]},
    )
    server(lab, "only", {"app": "web"})
    client(lab)
    lab.until_endpoints("web", 1)
    dial(lab, "web", "80", "ConnectionRefusedError")
    assert run(lab, DIAL_OFTEN, "web", "80") == "ConnectionRefusedError\n"


def test_refused_after_the_last_pod_is_gone(lab: Laboratory) -> None:
    """A connection to a service is refused when its last pod was deleted."""
    service(lab, "web")
    server(lab, "only", {"app": "web"})
    client(lab)
    lab.until_endpoints("web", 1)
    dial(lab, "web", "80", "connected")
    lab.last_state("only")
    lab.until_endpoints("web", 0)
    dial(lab, "web", "80", "ConnectionRefusedError")


@pytest.mark.parametrize(
    "suffix", ["", ".{namespace}", ".{namespace}.svc", ".{namespace}.svc.cluster.local"]
)
def test_name_resolves(lab: Laboratory, suffix: str) -> None:
    """A service's short name and its longer forms resolve to its address."""
    address = service(lab, "web")["spec"]["clusterIP"]
    client(lab)
    name = "web" + suffix.format(namespace=lab.namespace)
    assert json.loads(run(lab, RESOLVE, name)) == [address]


def test_unknown_name_does_not_resolve(lab: Laboratory) -> None:
    """A name of no service is unknown, at once."""
    client(lab)
    executed = lab.execute("client", "python3", "-c", RESOLVE, "nobody")
    assert executed.code == 1
    assert "gaierror" in executed.stderr


def test_name_of_another_namespace_needs_the_namespace(lab: Laboratory) -> None:
    """A service of another namespace is not found by its short name, but by its longer one."""
    client(lab)
    dial(lab, "kubernetes", "443", "gaierror")
    dial(lab, "kubernetes.default", "443", "connected")


def test_headless_name_resolves_to_pods(lab: Laboratory) -> None:
    """The name of a headless service leads to its pods, at the port they listen on."""
    service(lab, "web", clusterIP="None")
    server(lab, "first", {"app": "web"})
    client(lab)
    lab.until_endpoints("web", 1)
    assert run(lab, ASK, "http://web:8080/", "1") == "first\n"


def test_pod_address_leads_to_the_pod(lab: Laboratory) -> None:
    """A pod is reached at the address its status shows, also at a port it never declared."""
    server(lab, "first", {})
    client(lab)
    address = lab.until_ready("first")["status"]["podIP"]
    assert run(lab, ASK, f"http://{address}:8080/", "1") == "first\n"
    dial(lab, address, "8081", "ConnectionRefusedError")


def test_two_pods_may_use_one_port(lab: Laboratory) -> None:
    """Pods that listen on the same port on all their addresses do not meet."""
    server(lab, "first", {})
    server(lab, "second", {})
    client(lab)
    first, second = (lab.until_ready(name)["status"]["podIP"] for name in ("first", "second"))
    assert first != second
    assert run(lab, ASK, f"http://{second}:8080/", "1") == "second\n"


def test_service_proxy(lab: Laboratory) -> None:
    """The API server passes requests on to a service."""
    service(lab, "web")
    server(lab, "first", {"app": "web"})
    lab.until_endpoints("web", 1)
    answer = lab.request("GET", "services/web:80/proxy/")
    assert (answer.status_code, answer.text) == (200, "first")


def test_connection_survives_half_close(lab: Laboratory) -> None:
    """A client that has finished sending still gets the whole answer, through the service."""
    program = """
import socket
server = socket.create_server(("0.0.0.0", 8080))
while True:
    connection = server.accept()[0]
    with connection:
        size = 0
        while data := connection.recv(65536):
            size += len(data)
        connection.sendall(str(size).encode())
"""
    ask = """
import socket, sys
with socket.create_connection(("web", 80), timeout=10) as connection:
    connection.sendall(bytes(3_000_000))
    connection.shutdown(socket.SHUT_WR)
    print(connection.recv(100).decode())
"""
    service(lab, "web")
    lab.pod(
        "counter",
        program,
        labels={"app": "web"},
        ports=[{"name": "http", "containerPort": 8080}],
        readinessProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    )
    client(lab)
    lab.until_endpoints("web", 1)
    assert run(lab, ask) == "3000000\n"
