"""A connection of a service to trade-feed, kept up as the real services' client keeps it up.

It is WebSocket from the start, where the real client begins with polling.
"""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from traderx_embedded.traderx import program, socketio_packet, websocket
from traderx_embedded.traderx.engine_session import MESSAGE, OPEN, PING, PONG
from traderx_embedded.traderx.event_thread import EventThread
from traderx_embedded.traderx.socketio_packet import Packet
from traderx_embedded.traderx.websocket import ConnectFailedError, WebSocket

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 20.0
FIRST_ATTEMPT_S = 2.0
"""So long a service waits at its start for a feed that neither answers nor refuses."""
GRACE_S = 0.05
MAX_BACKOFF = 5
TARGET = "/socket.io/?EIO=4&transport=websocket"

OnMessage = Callable[[Any], Awaitable[None]]


class FeedSocket:
    """One socket; it connects again for ever.

    Args:
        name: For the log.
        thread: Where its messages are handled.
        on_connect: Called at every connection.
        on_message: Called with the envelope of every message.
        answers_pings_at_once: Whether a ping need not wait for its turn; asked at every ping.
    """

    def __init__(
        self,
        name: str,
        thread: EventThread,
        *,
        on_connect: Callable[[], None] = lambda: None,
        on_message: OnMessage | None = None,
        answers_pings_at_once: Callable[[], bool] = lambda: False,
    ) -> None:
        self._name = name
        self._thread = thread
        self._on_connect = on_connect
        self._on_message = on_message
        self._answers_pings_at_once = answers_pings_at_once
        self._address = _address()
        self._delay_s = int(os.environ.get("TRADERX_RECONNECT_DELAY_MS", "1000")) / 1000
        self._socket: WebSocket | None = None
        self._tried = asyncio.Event()
        self._running = asyncio.create_task(self._run())

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._socket is not None

    async def await_first_attempt(self) -> None:
        """Return once the first connection stands or has failed."""
        try:
            async with asyncio.timeout(FIRST_ATTEMPT_S):
                await self._tried.wait()
        except TimeoutError:
            log.info("%s: no answer from %s:%d yet", self._name, *self._address)

    def emit(self, event: str, *args: object) -> None:
        """Send an event when its turn comes; without a connection it is lost."""
        self._thread.post(partial(self._emit, MESSAGE + socketio_packet.event(event, *args)))

    async def _emit(self, packet: str) -> None:
        if self._socket is None:
            log.warning("%s: not connected, message lost", self._name)
        else:
            self._socket.send(packet)

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    socket, silence_s = await self._connect()
            except (TimeoutError, ConnectFailedError) as error:
                log.info("%s: connection error: %s", self._name, error)
            else:
                attempt = 0
                log.info("%s: socket connected", self._name)
                await self._listen(socket, silence_s)
                log.info("%s: socket disconnected", self._name)
            self._tried.set()
            await asyncio.sleep(self._delay_s * min(2**attempt, MAX_BACKOFF))
            attempt += 1

    async def _connect(self) -> tuple[WebSocket, float]:
        socket = await websocket.connect(*self._address, TARGET)
        try:
            opening = await _expect(socket, OPEN)
            socket.send(MESSAGE + socketio_packet.CONNECT)
            await _expect(socket, MESSAGE + socketio_packet.CONNECT)
        except BaseException:
            socket.close()
            raise
        value = json.loads(opening)
        return socket, (value["pingInterval"] + value["pingTimeout"]) / 1000

    async def _listen(self, socket: WebSocket, silence_s: float) -> None:
        self._socket = socket
        self._tried.set()
        self._on_connect()
        try:
            while True:
                packet = await _receive(socket, silence_s)
                if packet is None:
                    return
                if packet == PING and self._answers_pings_at_once():
                    socket.send(PONG)
                else:
                    self._thread.post(partial(self._handle, socket, packet))
        except TimeoutError:
            log.info("%s: ping timeout", self._name)
        finally:
            self._socket = None
            socket.close()

    async def _handle(self, socket: WebSocket, packet: str) -> None:
        if packet == PING:
            socket.send(PONG)
        elif packet.startswith(MESSAGE):
            await self._receive(socketio_packet.decode(packet[1:]))

    async def _receive(self, packet: Packet) -> None:
        is_message = packet.kind == socketio_packet.EVENT and packet.data[0] == "publish"
        if is_message and self._on_message is not None:
            await self._on_message(packet.data[1])


def _address() -> tuple[str, int]:
    host = os.environ.get("TRADE_FEED_HOST", "localhost")
    url = os.environ.get("TRADE_FEED_ADDRESS", f"http://{host}:18086")
    parts = urlsplit(url)
    try:
        port = parts.port or 80
    except ValueError as error:
        raise program.StartError(f"TRADE_FEED_ADDRESS={url!r} is no URL: {error}") from error
    return parts.hostname or "localhost", port


async def _receive(socket: WebSocket, silence_s: float) -> str | None:
    try:
        async with asyncio.timeout(silence_s):
            return await socket.receive()
    except TimeoutError:
        # A process that was stopped finds at once that its time is up and what came meanwhile; what
        # came is handled first, as the real one was seen to do.
        async with asyncio.timeout(GRACE_S):
            return await socket.receive()


async def _expect(socket: WebSocket, start: str) -> str:
    packet = await socket.receive()
    if packet is None or not packet.startswith(start):
        raise ConnectFailedError(f"instead of {start!r} came {packet!r}")
    try:
        json.loads(packet[len(start) :])
    except ValueError as error:
        raise ConnectFailedError(f"no JSON in {packet!r}") from error
    return packet[len(start) :]
