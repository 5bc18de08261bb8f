"""WebSocket over an asyncio connection, for either side; the frames are wsproto's."""

import asyncio
import base64
import logging
import secrets
from collections import deque

from wsproto import events
from wsproto.connection import Connection, ConnectionType
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from traderx_embedded.traderx.http_server import Request, Response, Takeover

log = logging.getLogger(__name__)

MAX_MESSAGE = 1_000_000
_CHUNK = 64 * 1024


class ConnectFailedError(Exception):
    """No WebSocket could be opened; the text says why."""


class WebSocket:
    """One open WebSocket that carries texts."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, role: ConnectionType
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = Connection(role)
        self._texts: deque[str] = deque()
        self._begun = ""
        self._ended = False

    async def receive(self) -> str | None:
        """Return the next text, or None at the end, however the other side ended it."""
        while not self._texts and not self._ended:
            try:
                data = await self._reader.read(_CHUNK)
            except ConnectionError:
                data = b""
            if data:
                self._take(data)
            else:
                self._ended = True
        return self._texts.popleft() if self._texts else None

    def send(self, text: str) -> None:
        """Send a text; after the end it goes nowhere, as on any dead connection."""
        self._write(events.TextMessage(data=text))

    def close(self) -> None:
        """Say goodbye and close the connection."""
        self._write(events.CloseConnection(code=1000))
        self._ended = True
        self._writer.close()

    def _write(self, event: events.Event) -> None:
        if self._ended or self._writer.is_closing():
            return
        try:
            self._writer.write(self._frames.send(event))
        except LocalProtocolError:
            self._ended = True  # the closing handshake is under way already

    def _take(self, data: bytes) -> None:
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                self._handle(event)
        except RemoteProtocolError as error:
            log.warning("WebSocket given up: %s", error)
            self.close()

    def _handle(self, event: events.Event) -> None:
        if isinstance(event, events.TextMessage):
            self._begun += event.data
            if len(self._begun) > MAX_MESSAGE:
                raise RemoteProtocolError(f"a message above {MAX_MESSAGE} characters")
            if event.message_finished:
                self._texts.append(self._begun)
                self._begun = ""
        elif isinstance(event, events.BytesMessage):
            raise RemoteProtocolError("a binary message")
        elif isinstance(event, events.Ping):
            self._write(event.response())
        elif isinstance(event, events.CloseConnection):
            self._write(event.response())
            self._ended = True


def is_wanted(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket"


def accept(request: Request, takeover: Takeover) -> Response:
    """Return the answer that switches to WebSocket."""
    key = request.headers.get("sec-websocket-key", "").encode()
    headers = (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", generate_accept_token(key).decode()),
    )
    return Response(status=101, headers=headers, takeover=takeover)


async def connect(host: str, port: int, target: str) -> WebSocket:
    """Open a WebSocket as a client; the caller limits the time.

    Raises:
        ConnectFailedError: Nobody answers there, or answers something else.
    """
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        raise ConnectFailedError(str(error)) from error
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    head = (
        f"GET {target} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    try:
        writer.write("\r\n".join([*head, "", ""]).encode())
        await writer.drain()
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except BaseException as error:
        writer.close()
        if isinstance(error, OSError | asyncio.IncompleteReadError | asyncio.LimitOverrunError):
            raise ConnectFailedError(f"no answer to the handshake: {error}") from error
        raise
    if " 101 " not in answer.partition("\r\n")[0]:
        writer.close()
        raise ConnectFailedError(f"handshake answered {answer.partition(chr(13))[0]!r}")
    return WebSocket(reader, writer, ConnectionType.CLIENT)
