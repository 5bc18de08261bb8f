"""The pages around the feed: inspector, the client's script, Express' answer to all else."""

import html
from pathlib import Path
from urllib.parse import quote

from traderx_embedded.traderx import express
from traderx_embedded.traderx.engine_server import CORS, EngineServer
from traderx_embedded.traderx.http_server import Request, Response

DATA = Path(__file__).parent / "data"
SOCKET_PATH = "/socket.io/"
CLIENT_SCRIPT = "/socket.io/socket.io.js"
CLIENT_VERSION = '"4.8.4"'


class Site:
    """The pages around the feed."""

    def __init__(self, engine: EngineServer) -> None:
        self._engine = engine
        self._inspector = express.page(
            (DATA / "trade-feed-inspector.html").read_bytes(),
            content_type="text/html; charset=utf-8",
            headers=(
                ("Accept-Ranges", "bytes"),
                ("Cache-Control", "public, max-age=0"),
                ("Last-Modified", "Mon, 29 Sep 2025 00:00:00 GMT"),
            ),
        )

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        if request.path == CLIENT_SCRIPT:
            return express.unless_cached(request, _client_script())
        if request.path.startswith(SOCKET_PATH):
            return await self._engine.handle(request)
        if request.path == "/" and request.method in {"GET", "HEAD"}:
            return express.unless_cached(request, self._inspector)
        return _not_found(request)


def _client_script() -> Response:
    return Response(
        status=200,
        headers=(
            CORS,
            ("Cache-Control", "public, max-age=0"),
            ("Content-Type", "application/javascript; charset=utf-8"),
            ("ETag", CLIENT_VERSION),
            ("Connection", "keep-alive"),
        ),
        body=(DATA / "socket.io-4.8.4.js").read_bytes(),
        chunked=True,
    )


def _not_found(request: Request) -> Response:
    return _error_page(404, f"Cannot {request.method} {quote(request.path, safe='/%:@!$&+,;=*()')}")


def failure(_: Request) -> Response:
    """Return the answer of a feed that fails altogether."""
    return _error_page(500, "Internal Server Error")


def _error_page(status: int, text: str) -> Response:
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n'
        f"</head>\n<body>\n<pre>{html.escape(text)}</pre>\n</body>\n</html>\n"
    )
    headers = (
        express.POWERED,
        ("Content-Security-Policy", "default-src 'none'"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Type", "text/html; charset=utf-8"),
        express.KEEP_ALIVE,
    )
    return Response(status=status, headers=headers, body=page.encode())
