"""How a Spring Boot service of TraderX answers: routes, content negotiation, CORS, error pages.

account-service and position-service turn every exception of a controller into its text; what
never reaches a controller (unknown path, wrong method, unacceptable type) is Spring's own JSON.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from traderx_embedded.traderx import media
from traderx_embedded.traderx.http_server import Request, Response
from traderx_embedded.traderx.media import MediaType

log = logging.getLogger(__name__)

VARY = ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
JSON = "application/json"
WRITABLE = "application/json, application/*+json, application/yaml"
READABLE = "application/json, application/yaml, application/*+json"
CLOSE = ("Connection", "close")


class TextError(Exception):
    """An exception of a controller: its text is the body."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class StatusError(Exception):
    """An answer other than 200 that is Spring's own error page."""

    def __init__(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that reached its controller.

    Attributes:
        variable: The last part of the path, decoded, where the route has a variable.
    """

    request: Request
    variable: str


Controller = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A mapping of a controller: a prefix, which is all of the path if there is no variable.

    Attributes:
        declares_json: Whether the mapping says what it produces. If not, the controller runs also
            for a client that accepts no JSON, who then gets an error.
    """

    prefix: str
    has_variable: bool
    methods: Mapping[str, Controller]
    declares_json: bool = True

    def match(self, path: str) -> str | None:
        """Return the variable ("" without one), or None for another path."""
        if not path.startswith(self.prefix):
            return None
        rest = path.removeprefix(self.prefix)
        if not self.has_variable:
            return "" if rest == "" else None
        return unquote(rest) if rest and "/" not in rest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A document that is served as it is."""

    body: bytes
    headers: tuple[tuple[str, str], ...]


class Application:
    """Routes and pages of one service."""

    def __init__(
        self,
        routes: Iterable[Route],
        pages: Mapping[str, Page],
        *,
        broken_pages: frozenset[str] = frozenset(),
    ) -> None:
        self._routes = tuple(routes)
        self._pages = pages
        self._broken_pages = broken_pages

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        path = request.path
        if path == "/":
            return _redirect(request)
        if path == "/swagger-ui.html":
            return Response(status=302, headers=(("Location", "/swagger-ui/index.html"),))
        if path in self._pages and request.method in {"GET", "HEAD"}:
            page = self._pages[path]
            return Response(status=200, headers=page.headers, body=page.body)
        if path in self._broken_pages:
            return error_page(request, 500)
        for route in self._routes:
            variable = route.match(path)
            if variable is not None:
                return await self._dispatch(route, request, variable)
        return error_page(request, 404, VARY)

    async def _dispatch(self, route: Route, request: Request, variable: str) -> Response:
        if request.method == "OPTIONS":
            return _options(route, request)
        method = "GET" if request.method == "HEAD" else request.method
        if method not in route.methods:
            allow = ("Allow", ", ".join(sorted(route.methods)))
            return error_page(request, 405, allow)
        accepted = media.parse_accept(request.headers.get("accept"))
        if route.declares_json and not media.is_acceptable(accepted, JSON):
            return error_page(request, 406, ("Accept", JSON))
        origin = (ANY_ORIGIN,) if "origin" in request.headers else ()
        try:
            value = await route.methods[method](Call(request=request, variable=variable))
            if not media.is_acceptable(accepted, JSON):
                raise StatusError(406, "done, and not shown", ("Accept", WRITABLE))
        except StatusError as error:
            log.info("%s %s: %d, %s", request.method, request.path, error.status, error)
            return error_page(request, error.status, VARY, *origin, *error.headers)
        except TextError as error:
            return _text_page(error, accepted, *origin)
        headers = (VARY, *origin, ("Content-Type", JSON))
        return Response(status=200, headers=headers, body=compact(value), chunked=True)


def _text_page(
    error: TextError, accepted: tuple[MediaType, ...], *origin: tuple[str, str]
) -> Response:
    kind = ("Content-Type", media.text_type(accepted))
    # Tomcat ends the connection after 400 and 500, and keeps it after the other errors.
    close = (CLOSE,) if error.status in {400, 500} else ()
    headers = (VARY, *origin, kind, *close)
    return Response(status=error.status, headers=headers, body=str(error).encode())


def to_path_int(text: str, *, name: str) -> int:
    """Return a path variable as Spring converts it to `int`.

    Raises:
        TextError: 500, it is none.
    """
    stripped = "".join(text.split())
    if re.fullmatch(r"[+-]?\d+", stripped) and -(2**31) <= int(stripped) < 2**31:
        return int(stripped)
    raise TextError(
        500,
        f"Method parameter '{name}': Failed to convert value of type 'java.lang.String' to "
        f"required type 'int'; For input string: \"{stripped}\"",
    )


def error_page(request: Request, status: int, *headers: tuple[str, str]) -> Response:
    """Return what Spring's error controller sends: JSON, a page for browsers, or nothing."""
    error = HTTPStatus(status).phrase
    close = (CLOSE,) if status in {400, 500} else ()
    accepted = media.parse_accept(request.headers.get("accept"))
    names = [str(m) for m in accepted]
    if "text/html" in names and not (
        JSON in names and names.index(JSON) < names.index("text/html")
    ):
        page = _whitelabel(status, error)
        kind = (("Content-Type", "text/html;charset=UTF-8"), ("Content-Language", "en"))
        return Response(status=status, headers=(*headers, *kind, *close), body=page.encode())
    if not media.is_acceptable(accepted, JSON):
        return Response(status=status, headers=(*headers, *close))
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    body = {"timestamp": now, "status": status, "error": error, "path": request.path}
    return Response(
        status=status,
        headers=(*headers, ("Content-Type", JSON), *close),
        body=compact(body),
        chunked=True,
    )


def failure(request: Request) -> Response:
    """Return the answer of a service that fails altogether."""
    return error_page(request, 500, VARY)


def compact(value: object) -> bytes:
    """Return JSON as Jackson writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _redirect(request: Request) -> Response:
    location = ("Location", f"http://{request.headers.get('host', '')}/swagger-ui.html")
    return Response(status=302, headers=(location, ("Content-Language", "en")))


def _options(route: Route, request: Request) -> Response:
    wanted = request.headers.get("access-control-request-method")
    methods = [*route.methods, *(["HEAD"] if "GET" in route.methods else ())]
    if "origin" not in request.headers or wanted is None:
        allow = ("Allow", ",".join([*methods, "OPTIONS"]))
        return Response(status=200, headers=(allow, ("Accept-Patch", "")))
    if wanted not in methods:
        return Response(status=403, headers=(VARY,), body=b"Invalid CORS request", chunked=True)
    asked = request.headers.get("access-control-request-headers")
    return Response(
        status=200,
        headers=(
            VARY,
            ANY_ORIGIN,
            ("Access-Control-Allow-Methods", wanted),
            *((("Access-Control-Allow-Headers", asked),) if asked else ()),
            ("Access-Control-Max-Age", "1800"),
            ("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"),
        ),
    )


def _whitelabel(status: int, error: str) -> str:
    now = datetime.now(UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
    return (
        "<html><body><h1>Whitelabel Error Page</h1><p>This application has no explicit mapping for "
        f"/error, so you are seeing this as a fallback.</p><div id='created'>{now}</div><div>There "
        f"was an unexpected error (type={error}, status={status}).</div></body></html>"
    )
