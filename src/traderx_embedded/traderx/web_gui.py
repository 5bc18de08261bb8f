"""Stand-in of web-gui: a single-page application as nginx serves it.

Every path that is no file, `/health` included, is answered 200 with the page.
"""

import base64
import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote

from traderx_embedded.traderx import http_server, program
from traderx_embedded.traderx.http_server import Request, Response
from traderx_embedded.traderx.switches import (
    SLOW,
    UNAVAILABLE,
    WRONG_APPLICATION,
    Switch,
    Switches,
    defective,
)

FOLDER = Path(__file__).parent / "data" / "web-gui"
PUBLISHED_PORT = 18093
SERVER = ("Server", "nginx/1.29.1")
TYPES = {".html": "text/html", ".js": "application/javascript", ".css": "text/css"}
BUILT = formatdate(1759104000, usegmt=True)
PAGE = "/index.html"
SCRIPT = "main.js"

SCRIPT_MISSING = Switch(
    name="script-missing",
    meaning="the page's script is not there: its path, too, is answered with the page",
)
BLANK_PAGE = Switch(name="blank-page", meaning="the page is there, without the application in it")
SWITCHES = (UNAVAILABLE, WRONG_APPLICATION, SLOW, SCRIPT_MISSING, BLANK_PAGE)
OTHER_PAGE = (
    b"<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n</html>\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The files by path; the page names the others by the hash of what is in them."""

    files: Mapping[str, bytes]
    script: str

    @classmethod
    def build(cls) -> "Site":
        """Give the files their names, as the compiler of the real page does."""
        page = (FOLDER / "index.html").read_text("utf-8")
        files, names = {}, {}
        for name in (SCRIPT, "polyfills.js", "styles.css"):
            body = (FOLDER / name).read_bytes()
            stem, dot, suffix = name.partition(".")
            names[name] = f"{stem}-{_hash(body)}{dot}{suffix}"
            files[f"/{names[name]}"] = body
            page = page.replace(f"{{{name}}}", names[name])
        return cls(files={**files, PAGE: page.encode()}, script=f"/{names[SCRIPT]}")


class WebGui:
    """Files and the fallback to the page."""

    def __init__(self, site: Site, switches: Switches) -> None:
        self._site = site
        self._switches = switches

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        path = unquote(request.path)
        if not path.startswith("/") or _leaves_root(path):
            return _error(400, "Bad Request")
        if request.method not in {"GET", "HEAD"}:
            return _error(405, "Not Allowed")
        path = posixpath.normpath(path).replace("//", "/")
        if path not in self._site.files or self._is_missing(path):
            path = PAGE
        body = self._site.files[path]
        if path == PAGE and self._switches.is_on(BLANK_PAGE):
            body = body.replace(b"<app-root></app-root>", b"")
        return _unless_cached(request, _file(path, body))

    def _is_missing(self, path: str) -> bool:
        return path == self._site.script and self._switches.is_on(SCRIPT_MISSING)


def _file(path: str, body: bytes) -> Response:
    headers = (
        SERVER,
        ("Content-Type", TYPES[posixpath.splitext(path)[1]]),
        ("Last-Modified", BUILT),
        ("ETag", f'"{_hash(body).lower()}-{len(body):x}"'),
    )
    return Response(status=200, headers=headers, body=body)


def _unless_cached(request: Request, response: Response) -> Response:
    headers = dict(response.headers)
    tags = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] not in tags and "*" not in tags:
        return response
    kept = tuple(item for item in response.headers if item[0] != "Content-Type")
    return Response(status=304, headers=kept)


def _leaves_root(path: str) -> bool:
    depth = 0
    for part in path.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return False


def _error(status: int, phrase: str) -> Response:
    page = (
        f"<html>\r\n<head><title>{status} {phrase}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {phrase}</h1></center>\r\n<hr><center>{SERVER[1]}</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    headers = (SERVER, ("Content-Type", "text/html"))
    return Response(status=status, headers=headers, body=page.encode())


def _failure(_: Request) -> Response:
    return _error(500, "Internal Server Error")


def _hash(body: bytes) -> str:
    return base64.b32encode(hashlib.sha256(body).digest())[:8].decode()


async def _start(switches: Switches) -> tuple[program.Port, ...]:
    application = WebGui(Site.build(), switches)
    handler = defective(application.handle, switches, failure=_failure, other_page=OTHER_PAGE)
    port = program.port_variable("WEB_SERVICE_PORT", PUBLISHED_PORT)
    server = await http_server.listen(handler, host=program.bind_address(), port=port)
    return (program.Port(name="http", server=server),)


if __name__ == "__main__":
    program.run("web-gui", _start, switches=Switches(SWITCHES))
