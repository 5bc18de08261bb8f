"""How fast a pod becomes Ready, and what the node's data path costs."""

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.measurement import Measurement, Target
from bench.throwaway import Throwaway
from traderx_gate.kube import Kube, Manifest, ObjectRef, Pod
from traderx_gate.waiting import Deadline, until

NAMESPACE = "bench"
PODS = 10
PORT = 18999
ROUNDS = 3
REQUESTS = 2000
CONNECTIONS = 8
DEADLINE_S = 30
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SERVER = f"""
import asyncio
class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write({ANSWER!r} * data.count(b"\\r\\n\\r\\n"))
async def main():
    server = await asyncio.get_running_loop().create_server(Server, "0.0.0.0", {PORT})
    await server.serve_forever()
asyncio.run(main())
"""


def starting(place: Throwaway) -> Iterator[Measurement]:
    """Measure from the creation of a pod: a little more than from its scheduling, never less."""
    kube = place.kube()
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    values = tuple(_created_to_ready(kube, f"pod-{number}") for number in range(PODS))
    yield Measurement(
        what="one pod, created and scheduled to Ready",
        unit="s",
        values=values,
        target=Target(bound=0.5),
    )


def _pod(name: str, *command: str) -> Manifest:
    container = {"name": "main", "image": "python:3.11", "command": ["python", *command]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def _created_to_ready(kube: Kube, name: str) -> float:
    body = _pod(name, "-c", "import time; time.sleep(600)")
    snapshots = kube.watch(
        [("v1", "Pod")],
        lambda: kube.pods(NAMESPACE, labels=f"app={name}"),
        namespace=NAMESPACE,
        labels=f"app={name}",
        deadline=Deadline(DEADLINE_S),
    )
    next(snapshots)  # the watch is there before the pod
    started = time.monotonic()
    kube.apply(body)
    until(
        snapshots,
        lambda pods: any(pod.ready_at is not None for pod in pods),
        what=f"pod {name} Ready",
    )
    seconds = time.monotonic() - started
    kube.delete(ObjectRef.of(body))
    return seconds


def data_path(place: Throwaway) -> Iterator[Measurement]:
    """Measure requests through a ClusterIP against the same requests to the process itself."""
    kube = place.kube()
    kube.apply(_pod("server", "-c", SERVER))
    service: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": PORT}]},
    }
    kube.apply(service)
    pod = until(
        kube.watch(
            [("v1", "Pod")],
            lambda: kube.pods(NAMESPACE, labels="app=server")[0],
            namespace=NAMESPACE,
            deadline=Deadline(DEADLINE_S),
        ),
        lambda found: found.ready_at is not None,
        what="the server Ready",
    )
    through = (str(kube.get(ObjectRef.of(service))["spec"]["clusterIP"]), PORT)
    direct = (_private_address(place, kube, pod), PORT)
    for address in (through, direct):
        _await_answer(address)
    rates = tuple(_requests_a_second(through) for _ in range(ROUNDS))
    yield Measurement(
        what=f"requests through the node, {CONNECTIONS} keep-alive connections",
        unit="1/s",
        values=rates,
        target=Target(bound=1500, at_least=True),
    )
    added = tuple(1000 * (_p50(through) - _p50(direct)) for _ in range(ROUNDS))
    yield Measurement(
        what="added to a request by the node, p50", unit="ms", values=added, target=Target(bound=1)
    )


def _private_address(place: Throwaway, kube: Kube, pod: Pod) -> str:
    ref = ObjectRef(api_version="v1", kind="Pod", namespace=NAMESPACE, name=pod.name)
    shown = str(kube.get(ref)["status"]["podIP"])
    return f"{place.private_network()}.{shown.split('.', 2)[2]}"


def _await_answer(address: tuple[str, int]) -> None:
    """Wait for the first answer: a ready pod's endpoint takes a moment to reach the proxy."""
    deadline = Deadline(DEADLINE_S)
    while True:
        try:
            _ask(address, 1)
        except OSError:
            if deadline.is_over():
                raise
        else:
            return


def _ask(address: tuple[str, int], count: int) -> list[float]:
    """Send requests one after the other on one connection; returns the seconds of each."""
    taken = []
    with socket.create_connection(address, timeout=DEADLINE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            started = time.perf_counter()
            connection.sendall(REQUEST)
            received = 0
            while received < len(ANSWER):
                data = connection.recv(4096)
                if not data:
                    raise ConnectionResetError(f"{address} closed")
                received += len(data)
            taken.append(time.perf_counter() - started)
    return taken


def _p50(address: tuple[str, int]) -> float:
    return statistics.median(_ask(address, REQUESTS))


def _requests_a_second(address: tuple[str, int]) -> float:
    return _in_parallel(lambda: _ask(address, REQUESTS), CONNECTIONS) * REQUESTS


def _in_parallel(work: Callable[[], object], count: int) -> float:
    """Do the same `count` times at once; returns how many are done a second."""
    with ThreadPoolExecutor(count) as pool:
        started = time.perf_counter()
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()
        return count / (time.perf_counter() - started)
