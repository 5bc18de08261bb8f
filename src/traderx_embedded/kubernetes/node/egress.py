"""How the API server reaches pods: HTTP CONNECT over a Unix socket, and the address rule."""

import asyncio
import contextlib
import logging
import re
from pathlib import Path
from typing import cast

from traderx_embedded.kubernetes.node.datapath import Pipe, Target, connect
from traderx_embedded.kubernetes.node.listening import PodPorts
from traderx_embedded.kubernetes.node.settings import Settings

_LOG = logging.getLogger(__name__)

_CONNECT = re.compile(rb"CONNECT ([0-9.]+):(\d+) HTTP/1\.1\r\n")
MAX_HEADER = 16 * 1024


class Egress:
    """The proxy; what is neither a pod, a service nor this node is refused."""

    def __init__(self, settings: Settings, ports: PodPorts) -> None:
        self._settings = settings
        self._ports = ports
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> asyncio.Server:
        """Listen on `egress.sock` in the state directory."""
        path = self._settings.state / "egress.sock"
        path.unlink(missing_ok=True)
        # Socket names are short (107 bytes): a relative name works from the state directory.
        relative = Path("egress.sock") if Path.cwd() == self._settings.state else path
        return await asyncio.get_running_loop().create_unix_server(
            lambda: _Tunnel(self, self._tasks), str(relative)
        )

    def target(self, host: str, port: int) -> Target | None:
        """Return where the API server's request really goes."""
        networks = self._settings.networks
        if networks.is_pod(host):
            private = networks.private_of(host)
            return None if self._ports.is_hidden(private, port) else (private, port)
        if networks.is_service(host) or (host, port) == ("127.0.0.1", self._settings.kubelet_port):
            return host, port
        return None


class _Tunnel(Pipe):
    """One CONNECT request, then the connection it asked for."""

    def __init__(self, egress: Egress, tasks: set[asyncio.Task[None]]) -> None:
        super().__init__()
        self._egress = egress
        self._tasks = tasks
        self._header: bytes | None = b""

    def data_received(self, data: bytes) -> None:
        if self._header is None:
            super().data_received(data)
            return
        self._header += data
        header, end, rest = self._header.partition(b"\r\n\r\n")
        if end:
            self._header = None
            if rest:
                super().data_received(rest)
            task = asyncio.get_running_loop().create_task(self._continue(header + end))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(self._header) > MAX_HEADER:
            self._refuse(b"400 Bad Request")

    async def _continue(self, header: bytes) -> None:
        match = _CONNECT.match(header)
        if match is None:
            self._refuse(b"400 Bad Request")
            return
        target = self._egress.target(match[1].decode(), int(match[2]))
        if target is None:
            _LOG.warning("egress refused target=%s:%s", match[1].decode(), match[2].decode())
            self._refuse(b"403 Forbidden")
            return
        try:
            peer = await connect(target)
        except OSError as error:
            _LOG.info("egress failed target=%s error=%r", target, error)
            self._refuse(b"503 Service Unavailable")
            return
        cast(asyncio.Transport, self.transport).write(b"HTTP/1.1 200 OK\r\n\r\n")
        self.join(peer)

    def _refuse(self, status: bytes) -> None:
        transport = cast(asyncio.Transport, self.transport)
        with contextlib.suppress(OSError):
            transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        transport.close()
