"""The data path: a TCP listener whose connections continue to a process behind it.

Written as asyncio protocols, transport to transport, with flow control by pause and resume.
A connection that cannot continue is reset, as by a host where nothing listens.
"""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from typing import cast

_LOG = logging.getLogger(__name__)

CONNECT_DEADLINE_S = 10.0
_NO_LINGER = struct.pack("ii", 1, 0)

Target = tuple[str, int]


class Pipe(asyncio.Protocol):
    """One side of a relayed connection; what arrives here is written to the `peer`."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: Pipe | None = None
        self._early: list[bytes] = []
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Pass data on."""
        if self.peer is None or self.peer.transport is None:
            self._early.append(data)
        else:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the end of this direction on; the other one stays open until it ends as well."""
        self._ended = True
        if self.peer is None or self.peer.transport is None:
            return True
        if self.peer._ended:  # noqa: SLF001 - of the same class
            self.peer.transport.close()
            return False
        if self.peer.transport.can_write_eof():
            self.peer.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side in the same way: closed after all is written, or reset."""
        peer, self.peer = self.peer, None
        if peer is None or peer.transport is None:
            return
        peer.peer = None
        if exc is None:
            peer.transport.close()
        else:
            reset(peer.transport)

    def pause_writing(self) -> None:
        """The reader on this side is slow: read no more from the other."""
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """The reader on this side has caught up."""
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def join(self, peer: "Pipe") -> None:
        """Connect the two sides, and pass on what came in before."""
        self.peer, peer.peer = peer, self
        for pipe in (self, peer):
            for data in pipe._early:  # noqa: SLF001 - of the same class
                pipe.data_received(data)
            pipe._early.clear()  # noqa: SLF001
        if self._ended and peer._ended:  # noqa: SLF001
            for pipe in (self, peer):
                if pipe.transport is not None:
                    pipe.transport.close()
        elif self._ended:
            self.eof_received()
        elif peer._ended:  # noqa: SLF001
            peer.eof_received()


def reset(transport: asyncio.Transport) -> None:
    """Close with a reset, not with an orderly end."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0 and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


async def connect(target: Target) -> Pipe:
    """Open a connection to a process.

    Raises:
        OSError: Nothing accepts it.
    """
    async with asyncio.timeout(CONNECT_DEADLINE_S):
        _, pipe = await asyncio.get_running_loop().create_connection(Pipe, *target)
    return pipe


def why_not_connected(port: int, error: OSError) -> str:
    """Say as a kubelet does why a pod's port cannot be connected to."""
    reason = os.strerror(error.errno).lower() if error.errno else "timed out"
    return f"dial tcp4 127.0.0.1:{port}: connect: {reason}"


class _Accepted(Pipe):
    """A connection from outside, continued to the target that `choose` names."""

    def __init__(self, choose: Callable[[], Target | None], tasks: set[asyncio.Task[None]]) -> None:
        super().__init__()
        self._choose = choose
        self._tasks = tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        cast(asyncio.Transport, transport).pause_reading()
        task = asyncio.get_running_loop().create_task(self._continue())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _continue(self) -> None:
        transport = cast(asyncio.Transport, self.transport)
        target = self._choose()
        try:
            if target is None:
                raise ConnectionRefusedError
            peer = await connect(target)
        except OSError as error:  # time-outs included
            _LOG.info("connection not continued target=%s error=%r", target, error)
            reset(transport)
            return
        if transport.is_closing():
            if peer.transport is not None:
                peer.transport.close()
            return
        self.join(peer)
        transport.resume_reading()


class Listener:
    """Accepts on one address and port until closed; connections made before live on."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server

    @classmethod
    async def open(cls, address: str, port: int, choose: Callable[[], Target | None]) -> "Listener":
        """Listen; `choose` names the target of each connection.

        Raises:
            OSError: The address cannot be bound.
        """
        tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.get_running_loop().create_server(
            lambda: _Accepted(choose, tasks), address, port, backlog=512
        )
        return cls(server)

    def close(self) -> None:
        """Refuse connections from now on."""
        self._server.close()
