"""A session of Engine.IO 4 on the server: packets, heartbeat, polls, the change to WebSocket."""

import asyncio
import json
import logging
import secrets
from dataclasses import dataclass
from typing import Protocol

from traderx_embedded.traderx.websocket import MAX_MESSAGE, WebSocket

log = logging.getLogger(__name__)

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
PROBE = "probe"


class OverlapError(Exception):
    """Two polls of one session at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """How often the server asks whether a client lives, and how long it waits for the answer."""

    interval_ms: int = 25_000
    timeout_ms: int = 20_000


class Listener(Protocol):
    """What stands above the sessions."""

    def received(self, session: "Session", text: str) -> None:
        """A message came."""

    def closed(self, session: "Session") -> None:
        """The session has ended."""


class Session:
    """One client, on whichever transport it has."""

    def __init__(self, heartbeat: Heartbeat, listener: Listener) -> None:
        self.sid = secrets.token_urlsafe(15)
        self.is_upgrading = False
        self._heartbeat = heartbeat
        self._listener = listener
        self._socket: WebSocket | None = None
        self._waiting: list[str] = []
        self._poll: asyncio.Future[None] | None = None
        self._closed = False
        self._timer: asyncio.TimerHandle
        self._await_ping()

    @property
    def transport(self) -> str:
        """The name of the transport in use."""
        return "polling" if self._socket is None else "websocket"

    def greeting(self, *, upgrades: tuple[str, ...]) -> str:
        """Return the packet that opens the session."""
        value = {
            "sid": self.sid,
            "upgrades": upgrades,
            "pingInterval": self._heartbeat.interval_ms,
            "pingTimeout": self._heartbeat.timeout_ms,
            "maxPayload": MAX_MESSAGE,
        }
        return OPEN + json.dumps(value, separators=(",", ":"))

    def send(self, text: str) -> None:
        """Send a message; it waits for a poll if there is no WebSocket."""
        self._put(MESSAGE + text)

    def receive(self, packet: str) -> None:
        """Take a packet of the client."""
        if self._closed:
            return
        kind, text = packet[:1], packet[1:]
        if kind == MESSAGE:
            self._listener.received(self, text)
        elif kind == PONG:
            self._timer.cancel()
            self._await_ping()
        elif kind != NOOP:
            self.close("transport close" if kind == CLOSE else f"packet {packet[:20]!r}")

    async def poll(self) -> list[str]:
        """Return the packets that wait, once there are any.

        Raises:
            OverlapError: The client waits already.
        """
        if self._poll is not None:
            self.close("overlap from client")
            raise OverlapError
        if not self._waiting and not self.is_upgrading and not self._closed:
            self._poll = asyncio.get_running_loop().create_future()
            try:
                await self._poll
            finally:
                self._poll = None
        packets, self._waiting = self._waiting, []
        return packets or [CLOSE if self._closed else NOOP]

    def begin_upgrade(self) -> None:
        """Let no poll wait any more, so that the client can leave polling."""
        self.is_upgrading = True
        self._release()

    async def serve(self, socket: WebSocket) -> None:
        """Use a WebSocket from now on, until it ends."""
        self._socket = socket
        self.is_upgrading = False
        for waiting in self._waiting:
            socket.send(waiting)
        self._waiting.clear()
        if self._closed:
            socket.close()
        while (packet := await socket.receive()) is not None:
            self.receive(packet)
        self.close("transport close")

    def close(self, reason: str) -> None:
        """End the session."""
        if self._closed:
            return
        self._closed = True
        log.info("session %s closed: %s", self.sid, reason)
        self._timer.cancel()
        self._release()
        if self._socket is not None:
            self._socket.close()
        self._listener.closed(self)

    def _put(self, packet: str) -> None:
        if self._closed:
            return
        if self._socket is not None:
            self._socket.send(packet)
        else:
            self._waiting.append(packet)
            self._release()

    def _release(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def _await_ping(self) -> None:
        delay = self._heartbeat.interval_ms / 1000
        self._timer = asyncio.get_running_loop().call_later(delay, self._ping)

    def _ping(self) -> None:
        self._put(PING)
        delay = self._heartbeat.timeout_ms / 1000
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay, self.close, "ping timeout")
