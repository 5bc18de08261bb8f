"""A local port that leads to a port of a pod, through the API server."""

import contextlib
import logging
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubernetes.client.api_client import ApiClient
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward

from traderx_gate.errors import RefusedError

if TYPE_CHECKING:
    from kubernetes.client.api.core_v1_api import CoreV1Api

CHUNK = 65536
CLOSE_TIMEOUT_S = 10.0
LIBRARY = "Kubernetes port forward proxy"
"""How the library names its threads."""
_OPENING = threading.Lock()
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A port that is being forwarded.

    Attributes:
        port: The local port.
    """

    port: int
    _ended: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Return when it ends; Ctrl-C ends it."""
        with contextlib.suppress(KeyboardInterrupt):
            self._ended.wait()


@contextlib.contextmanager
def forwarded(
    api: ApiClient, namespace: str, pod: str, port: int, *, local_port: int
) -> Iterator[Forward]:
    """Listen on 127.0.0.1 and carry every connection to a port of a pod.

    Args:
        api: The cluster.
        namespace: The pod's.
        pod: Its name.
        port: Its port.
        local_port: Where to listen; 0 for any free port.

    Raises:
        RefusedError: The local port cannot be had.
    """
    # here, because it takes half a second: most commands can do without, and a connection that
    # waited for it would be taken for a service that does not answer
    from kubernetes.client.api.core_v1_api import CoreV1Api  # noqa: PLC0415

    def own() -> CoreV1Api:
        # one for each connection: the library replaces the request method of the one it is given
        return CoreV1Api(ApiClient(api.configuration))

    try:
        listener = socket.create_server(("127.0.0.1", local_port))
    except OSError as error:
        raise RefusedError(
            f"port {local_port} cannot be used: {error.strerror}; name another, or none"
        ) from error
    with listener:
        threading.Thread(
            target=_accept, args=(listener, own, namespace, pod, port), daemon=True
        ).start()
        yield Forward(port=listener.getsockname()[1])
        # wakes the thread that waits in accept
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _accept(
    listener: socket.socket, own: "Callable[[], CoreV1Api]", namespace: str, pod: str, port: int
) -> None:
    while True:
        try:
            here, _ = listener.accept()
        except OSError:
            return  # the listener was closed
        threading.Thread(
            target=_carry, args=(here, own(), namespace, pod, port), daemon=True
        ).start()


def _carry(here: socket.socket, api: "CoreV1Api", namespace: str, pod: str, port: int) -> None:
    with here:
        try:
            session, thread = _session(api, namespace, pod, port)
        except (ApiException, OSError) as error:
            log.warning("pod %s, port %d: %s", pod, port, error)
            return
        there = session.socket(port)
        try:
            _relay(here, there)
        except OSError as error:
            log.info("connection to pod %s ended: %s", pod, error)
        finally:
            session.close()
            # the library's thread ends by itself then, but leaves its socket open
            thread.join(CLOSE_TIMEOUT_S)
            session.websocket.shutdown()


def _session(api: "CoreV1Api", namespace: str, pod: str, port: int) -> tuple[Any, threading.Thread]:
    """Open a connection, and find the thread that the library starts for it."""
    with _OPENING:
        before = set(threading.enumerate())
        session: Any = portforward(
            api.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port)
        )
        (thread,) = [
            new for new in set(threading.enumerate()) - before if new.name.startswith(LIBRARY)
        ]
    return session, thread


def _relay(here: socket.socket, there: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""
    other = {here: there, there: here}
    while True:
        readable, _, _ = select.select([here, there], [], [])
        for one in readable:
            data = one.recv(CHUNK)
            if not data:
                return
            other[one].sendall(data)
