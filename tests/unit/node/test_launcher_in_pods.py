import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from traderx_embedded.kubernetes.node.preparation import LAUNCHER

BIND = "127.199.0.2"
HOSTS = {"ns": {"web": ["127.96.0.7"], "headless": []}, "other": {"db": ["127.96.0.8"]}}
DEADLINE_S = 30


@pytest.fixture
def pod(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in a pod."""
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps(HOSTS))
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(LAUNCHER),
        "HOSTNAME": "web-1",
        "TRADERX_BIND_ADDRESS": BIND,
        "TRADERX_POD_ADDRESS": "10.199.0.2",
        "TRADERX_POD_NETWORK": "10.199",
        "TRADERX_HOSTS": str(hosts),
        "TRADERX_NAMESPACE": "ns",
    }


def run(environment: dict[str, str], program: str) -> str:
    """Run a program in a pod and return what it printed, or the name of its error."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    last = (done.stderr.splitlines() or [""])[-1]
    return done.stdout.strip() or last.partition(":")[0].rpartition(".")[2]


ASYNCIO = (
    "import asyncio; loop = asyncio.new_event_loop(); "
    "server = loop.run_until_complete(asyncio.start_server(print, {host}, 0)); "
    "[s] = server.sockets"
)
BINDS = {
    "wildcard": "s = socket.socket(); s.bind(('0.0.0.0', 0))",
    "empty": "s = socket.socket(); s.bind(('', 0))",
    "own-address": "s = socket.socket(); s.bind(('10.199.0.2', 0))",
    "create-server": "s = socket.create_server(('0.0.0.0', 0))",
    "ipv6-wildcard": "s = socket.socket(socket.AF_INET6); s.bind(('::', 0))",
    "http-server": "import http.server; s = http.server.HTTPServer(('', 0), None).socket",
    "asyncio-all": ASYNCIO.format(host=None),
    "asyncio-wildcard": ASYNCIO.format(host="'0.0.0.0'"),
}


@pytest.mark.parametrize("program", BINDS.values(), ids=BINDS.keys())
def test_wildcard_is_the_pods_address(pod: dict[str, str], program: str) -> None:
    """A program that listens on all addresses listens on the pod's private one."""
    printed = run(pod, f"import socket; {program}; print(s.getsockname()[0])")
    assert printed.removeprefix("::ffff:") == BIND


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web", "127.96.0.7"),
        ("web.ns", "127.96.0.7"),
        ("web.ns.svc", "127.96.0.7"),
        ("WEB.ns.svc.cluster.local.", "127.96.0.7"),
        ("db.other", "127.96.0.8"),
        ("db", "gaierror"),
        ("headless", "gaierror"),
        ("nobody.ns", "gaierror"),
        ("web-1", BIND),
        ("localhost", "127.0.0.1"),
    ],
)
def test_names(pod: dict[str, str], name: str, expected: str) -> None:
    """Names of services and of the pod itself resolve; other names of the cluster do not."""
    program = f"import socket; print(socket.getaddrinfo({name!r}, 80)[0][4][0])"
    assert run(pod, program) == expected


def test_asyncio_resolves_too(pod: dict[str, str]) -> None:
    """Names resolve in asyncio programs as well."""
    program = (
        "import asyncio\n"
        "async def main():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    print((await loop.getaddrinfo('web', 80))[0][4][0])\n"
        "asyncio.run(main())\n"
    )
    assert run(pod, program) == "127.96.0.7"


@pytest.mark.parametrize(
    ("listen", "connect"),
    [
        pytest.param("127.199.3.4", "10.199.3.4", id="another-pod"),
        pytest.param(BIND, "10.199.0.2", id="the-pod-itself"),
        pytest.param(BIND, "localhost", id="localhost-is-the-pods"),
        pytest.param("127.0.0.1", "127.0.0.1", id="loopback-where-the-pod-does-not-listen"),
    ],
)
def test_connections_go_where_they_should(pod: dict[str, str], listen: str, connect: str) -> None:
    """Pod addresses and localhost lead to the addresses that stand for them."""
    with socket.create_server((listen, 0)) as server:
        port = server.getsockname()[1]
        dial = f"socket.create_connection(({connect!r}, {port})).getpeername()[0]"
        program = f"import socket; print({dial})"
        assert run(pod, program) == listen


def test_hostname_is_the_pods(pod: dict[str, str]) -> None:
    """A program sees its pod's name as the host's, without asking a name server."""
    program = (
        "import socket; print(socket.gethostname(), socket.getfqdn(), socket.getfqdn('0.0.0.0'))"
    )
    assert run(pod, program) == "web-1 web-1 web-1"


def test_nothing_changes_outside_a_pod() -> None:
    """Without a pod's variables the launcher leaves Python as it is."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(LAUNCHER)}
    program = "import socket; s = socket.create_server(('', 0)); print(s.getsockname()[0])"
    assert run(environment, program) == "0.0.0.0"
