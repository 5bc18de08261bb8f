"""Questions of one service to another over HTTP, as the real ones ask them: without time limit."""

import asyncio
import os
from dataclasses import dataclass

import h11

from traderx_embedded.traderx import program

_CHUNK = 64 * 1024


class PeerAwayError(Exception):
    """The other service is not there, or ends the connection instead of answering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the other service answered."""

    status: int
    content_type: str
    body: bytes


class Peer:
    """Another service, by its base address."""

    def __init__(self, url: str) -> None:
        self._authority, _, path = url.removeprefix("http://").partition("/")
        self._prefix = f"/{path}".rstrip("/")
        self._host, _, port = self._authority.partition(":")
        self._port = int(port or 80)

    @classmethod
    def from_environment(cls, *, url: str, host: str, port: int) -> "Peer":
        """Read the variable of the whole address, or that of the host; its port is fixed.

        Raises:
            StartError: The address is none.
        """
        name = os.environ.get(host, "localhost")
        value = os.environ.get(url, f"http://{name}:{port}")
        try:
            return cls(value)
        except ValueError as error:
            raise program.StartError(f"{url}={value!r} is no address: {error}") from error

    async def get(self, target: str) -> Reply:
        """Ask; waits as long as the answer takes.

        Raises:
            PeerAwayError: No answer will come.
        """
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            raise PeerAwayError(f"{self._authority}: {error}") from error
        try:
            return await self._exchange(reader, writer, f"{self._prefix}{target}")
        except (ConnectionError, h11.RemoteProtocolError) as error:
            raise PeerAwayError(f"{self._authority}: {error}") from error
        finally:
            writer.close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str
    ) -> Reply:
        connection = h11.Connection(h11.CLIENT)
        headers = [
            ("Host", self._authority),
            ("Accept", "application/json, application/*+json"),
            ("Connection", "close"),
        ]
        request = h11.Request(method="GET", target=target, headers=headers)
        writer.write(connection.send(request) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        status, content_type, body = 0, "", b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Response):
                status = event.status_code
                content_type = dict(event.headers).get(b"content-type", b"").decode("latin-1")
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return Reply(status=status, content_type=content_type, body=body)
