"""Engine.IO 4 over HTTP: handshake, polling, upgrade, with the error answers of the real server."""

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from urllib.parse import parse_qsl

from wsproto.connection import ConnectionType

from traderx_embedded.traderx import websocket
from traderx_embedded.traderx.engine_session import (
    PING,
    PONG,
    PROBE,
    UPGRADE,
    Heartbeat,
    Listener,
    OverlapError,
    Session,
)
from traderx_embedded.traderx.http_server import Request, Response
from traderx_embedded.traderx.websocket import MAX_MESSAGE, WebSocket

CORS = ("Access-Control-Allow-Origin", "*")
KEEP_ALIVE = ("Connection", "keep-alive")
SEPARATOR = "\x1e"
UPGRADE_DEADLINE_S = 10.0
_UNKNOWN_TRANSPORT = (0, "Transport unknown")
_UNKNOWN_SESSION = (1, "Session ID unknown")
_BAD_METHOD = (2, "Bad handshake method")
_BAD_REQUEST = (3, "Bad request")
_BAD_VERSION = (5, "Unsupported protocol version")


class EngineServer:
    """All sessions of one server, and the listener above them."""

    def __init__(self, heartbeat: Heartbeat, listener: Listener) -> None:
        self._heartbeat = heartbeat
        self._listener = listener
        self._sessions: dict[str, Session] = {}

    async def handle(self, request: Request) -> Response:
        """Answer a request below the server's path."""
        if request.method == "OPTIONS":
            return _preflight(request)
        query = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True))
        if query.get("transport") not in {"polling", "websocket"}:
            return _refusal(_UNKNOWN_TRANSPORT)
        if "sid" not in query:
            return self._handshake(request, query)
        return await self._continue(request, query)

    def received(self, session: Session, text: str) -> None:
        """Pass a message on."""
        self._listener.received(session, text)

    def closed(self, session: Session) -> None:
        """Drop a session that has ended, and say so."""
        del self._sessions[session.sid]
        self._listener.closed(session)

    async def _continue(self, request: Request, query: Mapping[str, str]) -> Response:
        if query["sid"] not in self._sessions:
            return _refusal(_UNKNOWN_SESSION)
        session = self._sessions[query["sid"]]
        if websocket.is_wanted(request) and not session.is_upgrading:
            return websocket.accept(request, partial(self._upgrade, session))
        if query["transport"] == session.transport == "polling":
            return await _exchange(session, request)
        return _refusal(_BAD_REQUEST)

    def _handshake(self, request: Request, query: Mapping[str, str]) -> Response:
        if request.method != "GET":
            return _refusal(_BAD_METHOD)
        by_socket = query["transport"] == "websocket"
        if by_socket != websocket.is_wanted(request):
            return _refusal(_BAD_REQUEST)
        if query.get("EIO") != "4":
            return _refusal(_BAD_VERSION)
        session = Session(self._heartbeat, self)
        self._sessions[session.sid] = session
        if by_socket:
            return websocket.accept(request, partial(self._open, session))
        return _packets([session.greeting(upgrades=("websocket",))])

    async def _open(
        self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        socket = WebSocket(reader, writer, ConnectionType.SERVER)
        socket.send(session.greeting(upgrades=()))
        await session.serve(socket)

    async def _upgrade(
        self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        socket = WebSocket(reader, writer, ConnectionType.SERVER)
        try:
            async with asyncio.timeout(UPGRADE_DEADLINE_S):
                wanted = await socket.receive() == PING + PROBE
                if wanted:
                    socket.send(PONG + PROBE)
                    session.begin_upgrade()
                    wanted = await socket.receive() == UPGRADE
        except TimeoutError:
            wanted = False
        if wanted:
            await session.serve(socket)
        else:
            session.is_upgrading = False
            socket.close()


async def _exchange(session: Session, request: Request) -> Response:
    if request.method == "POST":
        return _post(session, request)
    if request.method != "GET":
        return _refusal(_BAD_REQUEST)
    try:
        return _packets(await session.poll())
    except OverlapError:
        return Response(status=400, headers=(CORS, KEEP_ALIVE))


def _post(session: Session, request: Request) -> Response:
    if len(request.body) > MAX_MESSAGE:
        session.close("transport error")
        return Response(status=413, headers=(CORS, ("Connection", "close")))
    for packet in request.body.decode("utf-8", "replace").split(SEPARATOR):
        session.receive(packet)
    return Response(
        status=200,
        headers=(CORS, ("Content-Type", "text/html"), ("cache-control", "no-store"), KEEP_ALIVE),
        body=b"ok",
    )


def _packets(packets: list[str]) -> Response:
    return Response(
        status=200,
        headers=(
            CORS,
            ("Content-Type", "text/plain; charset=UTF-8"),
            ("cache-control", "no-store"),
            KEEP_ALIVE,
        ),
        body=SEPARATOR.join(packets).encode(),
    )


def _refusal(error: tuple[int, str]) -> Response:
    code, message = error
    return Response(
        status=400,
        headers=(CORS, ("Content-Type", "application/json"), KEEP_ALIVE),
        body=json.dumps({"code": code, "message": message}, separators=(",", ":")).encode(),
        chunked=True,
    )


def _preflight(request: Request) -> Response:
    asked = request.headers.get("access-control-request-headers")
    return Response(
        status=204,
        headers=(
            CORS,
            ("Access-Control-Allow-Methods", "GET,POST"),
            ("Vary", "Access-Control-Request-Headers"),
            *((("Access-Control-Allow-Headers", asked),) if asked else ()),
            KEEP_ALIVE,
        ),
    )
