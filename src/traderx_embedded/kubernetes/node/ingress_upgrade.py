"""Requests to upgrade a connection (WebSocket): passed on, then both ways byte by byte."""

import asyncio
import re
from collections.abc import Mapping

from aiohttp import web

from traderx_embedded.kubernetes.node import streams
from traderx_embedded.kubernetes.node.datapath import CONNECT_DEADLINE_S, Target

ANSWER_DEADLINE_S = 60.0
MAX_HEAD = 64 * 1024
CHUNK = 64 * 1024
_CONNECTION = re.compile(rb"\r\n(?:connection|keep-alive):[^\r]*", re.IGNORECASE)


async def carry(
    request: web.Request, target: Target, asked: str, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Pass the request on, and the connection with it.

    Raises:
        ConnectionRefusedError: The endpoint cannot be connected to.
    """
    try:
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            reader, writer = await asyncio.open_connection(*target, limit=MAX_HEAD)
    except OSError as error:  # time-outs included
        raise ConnectionRefusedError(str(error)) from error
    try:
        lines = [f"{request.method} {asked} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return web.Response(status=504)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return web.Response(status=502)
        upgraded = head.split(b" ", 2)[1] == b"101"
        if not upgraded:
            # Whatever follows cannot be told apart from this answer: it is the last one here.
            head = _CONNECTION.sub(b"", head[:-4]) + b"\r\nConnection: close\r\n\r\n"
        client_reader, client_writer = streams.take_over(request)
        client_writer.write(head)
        await _carry_both(reader, client_writer, client_reader, writer)
    finally:
        writer.close()
    return streams.handed_over(request)


async def _carry_both(
    reader: asyncio.StreamReader,
    client_writer: asyncio.StreamWriter,
    client_reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    tasks = {
        asyncio.create_task(_copy(reader, client_writer)),
        asyncio.create_task(_copy(client_reader, writer)),
    }
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        client_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return  # one side went away, which ends the other as well
