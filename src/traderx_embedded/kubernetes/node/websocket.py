"""Port-forward for clients that speak WebSocket to the API server, which passes it on unchanged.

Each port has two channels, data and error; the first byte of a message names the channel.
"""

import asyncio
import struct

from aiohttp import WSMsgType, web

from traderx_embedded.kubernetes.node import datapath

PROTOCOL = "v4.channel.k8s.io"
CHUNK = 32 * 1024


async def forward(request: web.Request, address: str) -> web.WebSocketResponse:
    """Serve the connections to the ports that the query names."""
    ports = [
        int(port) for item in request.query.getall("ports", []) for port in item.split(",")
    ] or [int(port) for port in request.query.getall("port", [])]
    socket = web.WebSocketResponse(protocols=(PROTOCOL,))
    await socket.prepare(request)
    writers: dict[int, asyncio.StreamWriter] = {}
    copies = []
    for index, port in enumerate(ports):
        for channel in (2 * index, 2 * index + 1):
            await socket.send_bytes(struct.pack("<BH", channel, port))
        try:
            async with asyncio.timeout(datapath.CONNECT_DEADLINE_S):
                reader, writers[2 * index] = await asyncio.open_connection(address, port)
        except OSError as error:
            text = datapath.why_not_connected(port, error)
            await socket.send_bytes(bytes([2 * index + 1]) + text.encode())
            continue
        copies.append(asyncio.create_task(_down(socket, 2 * index, reader)))
    try:
        await _up(socket, writers, copies)
    finally:
        for task in copies:
            task.cancel()
        for writer in writers.values():
            writer.close()
    return socket


async def _up(
    socket: web.WebSocketResponse,
    writers: dict[int, asyncio.StreamWriter],
    copies: list[asyncio.Task[None]],
) -> None:
    receiving = asyncio.create_task(_receive(socket, writers))
    # The protocol cannot end one direction: the end of all connections is the end of the socket.
    ending = asyncio.create_task(asyncio.wait(copies)) if copies else receiving
    await asyncio.wait({receiving, ending}, return_when=asyncio.FIRST_COMPLETED)
    receiving.cancel()
    ending.cancel()
    await asyncio.wait({receiving, ending})
    await socket.close()


async def _receive(socket: web.WebSocketResponse, writers: dict[int, asyncio.StreamWriter]) -> None:
    async for message in socket:
        if message.type is WSMsgType.BINARY and message.data[:1]:
            writer = writers.get(message.data[0])
            if writer is not None:
                writer.write(message.data[1:])
                await writer.drain()


async def _down(socket: web.WebSocketResponse, channel: int, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(CHUNK):
        await socket.send_bytes(bytes([channel]) + data)
