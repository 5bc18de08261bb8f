import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from traderx_embedded.kubernetes.node.datapath import Listener, Target
from traderx_embedded.kubernetes.node.listening import TABLE, listening_sockets

ADDRESS = "127.199.7.8"


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def complete(trial: Callable[[], Coroutine[None, None, Any]]) -> Any:
    """Run a trial until all that it opened is closed again, on both sides of the data path."""

    async def watched() -> Any:
        before = open_files()
        try:
            return await trial()
        finally:
            async with asyncio.timeout(10):
                while open_files() > before:  # noqa: ASYNC110 - no event tells of closed sockets
                    await asyncio.sleep(0.01)

    return asyncio.run(watched())


def free_port(address: str = ADDRESS) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


async def relayed(target: Target) -> tuple[Listener, int]:
    port = free_port()
    return await Listener.open(ADDRESS, port, lambda: target), port


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def test_bytes_arrive_as_sent_both_ways() -> None:
    """Ten megabytes through the data path and back are unchanged, to the end of the stream."""

    async def trial() -> tuple[bytes, bytes]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        listener, port = await relayed(server.sockets[0].getsockname())
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        sent = os.urandom(10_000_000)
        writer.write(sent)
        writer.write_eof()
        received = await reader.read(-1)
        writer.close()
        listener.close()
        server.close()
        return sent, received

    sent, received = complete(trial)
    assert received == sent


def test_refused_behind_is_reset_in_front() -> None:
    """A connection that nothing accepts behind the data path is reset, not ended in order."""

    async def trial() -> None:
        listener, port = await relayed(("127.0.0.1", free_port("127.0.0.1")))
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        try:
            await reader.read(1)
        finally:
            writer.close()
            listener.close()

    with pytest.raises(ConnectionResetError):
        complete(trial)


def test_slow_reader_slows_the_sender() -> None:
    """What a reader does not take is not kept in the node: the sender has to wait."""

    async def trial() -> int:
        accepted, ended = asyncio.Event(), asyncio.Event()

        async def never_read(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set()
            await ended.wait()
            writer.transport.abort()

        server = await asyncio.start_server(never_read, "127.0.0.1", 0, limit=1024)
        listener, port = await relayed(server.sockets[0].getsockname())
        with socket.create_connection((ADDRESS, port)) as sender:
            sender.settimeout(0)
            await accepted.wait()
            sent = await fill(sender)
        ended.set()
        listener.close()
        server.close()
        return sent

    assert complete(trial) < 40_000_000


async def fill(sender: socket.socket) -> int:
    """Send until nothing was taken for a while, or far more than any buffer holds."""
    loop = asyncio.get_running_loop()
    sent = 0
    while sent < 100_000_000:
        try:
            async with asyncio.timeout(0.5):
                await loop.sock_sendall(sender, bytes(1_000_000))
        except TimeoutError:
            return sent
        sent += 1_000_000
    return sent


def test_closed_listener_refuses() -> None:
    """A closed listener refuses connections at once; those made before live on."""

    async def trial() -> bytes:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        listener, port = await relayed(server.sockets[0].getsockname())
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        writer.write(b"before")
        await reader.readexactly(6)
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(ADDRESS, port)
        writer.write(b"after")
        answer = await reader.readexactly(5)
        writer.close()
        server.close()
        return answer

    assert complete(trial) == b"after"


def test_open_ports_are_seen() -> None:
    """A listening socket is found by its address and port, a connected one is not."""
    with socket.create_server((ADDRESS, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((ADDRESS, port)) as client:
            found = listening_sockets(TABLE, "127.199")[ADDRESS]
            assert port in found
            assert client.getsockname()[1] not in found
    assert port not in listening_sockets(TABLE, "127.199").get(ADDRESS, frozenset())


def test_other_networks_are_left_out(tmp_path: Path) -> None:
    """Sockets on addresses outside the network are not reported."""
    table = tmp_path / "tcp"
    table.write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue\n"
        "   0: 0807C77F:1F90 00000000:0000 0A 00000000:00000000 00:00000000\n"
        "   1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000\n"
        "   2: 0807C77F:1F92 0100007F:0001 01 00000000:00000000 00:00000000\n"
    )
    assert listening_sockets(table, "127.199") == {"127.199.7.8": frozenset({8080})}
