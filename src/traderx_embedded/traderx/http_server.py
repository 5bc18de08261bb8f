"""A small HTTP/1.1 server that sends exactly the headers it is told to.

The stand-ins have to be told apart from the real services by nothing, and have to start fast: an
HTTP framework adds headers of its own and takes longer to import than a service may take to start.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus

log = logging.getLogger(__name__)

MAX_HEAD = 64 * 1024
MAX_BODY = 10 * 1024 * 1024


class MalformedRequestError(Exception):
    """The bytes are no HTTP/1.x request that this server understands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came over the wire.

    Attributes:
        target: Path and query, not decoded and not normalised.
        headers: By lower-case name; repeated ones are joined by commas.
    """

    method: str
    target: str
    version: str = "HTTP/1.1"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


Takeover = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer; nothing but `Date` and the framing is added to its headers.

    Attributes:
        chunked: Framed by chunks instead of a Content-Length.
        takeover: Serves the connection after this answer, which switches protocols.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    chunked: bool = False
    takeover: Takeover | None = None

    def with_headers(self, *headers: tuple[str, str]) -> "Response":
        """Return the same answer with more headers."""
        return replace(self, headers=(*self.headers, *headers))

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this answer."""
        return ("Connection", "close") in self.headers


Handler = Callable[[Request], Awaitable[Response]]


async def listen(handler: Handler, *, host: str, port: int) -> asyncio.Server:
    """Serve a handler; port 0 takes a free one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve(handler, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away: no answer can reach it
        finally:
            writer.close()

    return await asyncio.start_server(serve, host, port, limit=MAX_HEAD, backlog=1024)


async def _serve(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        try:
            request = await _read(reader, writer)
        except MalformedRequestError as error:
            log.warning("malformed request: %s", error)
            refusal = Response(status=400, headers=(("Connection", "close"),))
            writer.write(_encode(refusal, method="GET"))
            await writer.drain()
            return
        if request is None:
            return
        try:
            response = await handler(request)
        except Exception:
            log.exception("%s %s failed", request.method, request.target)
            response = Response(status=500, headers=(("Connection", "close"),))
        writer.write(_encode(response, method=request.method))
        await writer.drain()
        if response.takeover is not None:
            await response.takeover(reader, writer)
            return
        if response.closes or not _is_kept_alive(request):
            return


def _is_kept_alive(request: Request) -> bool:
    wish = request.headers.get("connection", "").lower()
    return "close" not in wish and (request.version == "HTTP/1.1" or "keep-alive" in wish)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        raise MalformedRequestError(f"head above {MAX_HEAD} bytes") from error
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise MalformedRequestError(f"request line {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise MalformedRequestError(f"header {line[:80]!r}")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(reader, headers)
    return Request(method=words[0], target=words[1], version=words[2], headers=headers, body=body)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        return await _read_chunks(reader)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise MalformedRequestError(f"Content-Length {length!r}")
    return await reader.readexactly(int(length))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = (await reader.readuntil(b"\r\n")).partition(b";")[0].strip()
        try:
            length = int(size, 16)
        except ValueError as error:
            raise MalformedRequestError(f"chunk size {size!r}") from error
        if length == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailers are read and not used
            return body
        if len(body) + length > MAX_BODY:
            raise MalformedRequestError(f"body above {MAX_BODY} bytes")
        body += await reader.readexactly(length)
        await reader.readexactly(2)


def _encode(response: Response, *, method: str) -> bytes:
    headers = [*response.headers, ("Date", formatdate(usegmt=True))]
    body = response.body
    if response.status == 101:
        headers = [*response.headers]
    elif response.chunked:
        # Tomcat names no framing in an answer to HEAD whose length it has not computed.
        if method != "HEAD":
            headers.append(("Transfer-Encoding", "chunked"))
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    elif response.status not in {204, 304}:
        headers.append(("Content-Length", str(len(body))))
    elif response.status == 204:
        headers.append(("Content-Length", "0"))  # Express' cors does so, though it must not
    phrase = HTTPStatus(response.status).phrase
    head = [f"HTTP/1.1 {response.status} {phrase}", *(f"{n}: {v}" for n, v in headers), "", ""]
    if method == "HEAD" or response.status in {204, 304}:
        body = b""
    return "\r\n".join(head).encode("latin-1") + body
