"""How an ASP.NET Core service answers: routes without regard to case, problem+json, CORS.

No answer of the real people-service was recorded: this is what the framework documents.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from traderx_embedded.traderx.http_server import Request, Response

SERVER = ("Server", "Kestrel")
ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json; charset=utf-8"
RFC = "https://tools.ietf.org/html/rfc9110#section-15.5."

Query = Mapping[str, str | None]
"""By lower-case name; None for a value that is empty."""
Action = Callable[[Query], Response]


class Application:
    """The GET routes of one service."""

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = {path.lower(): action for path, action in actions.items()}

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        if "origin" not in request.headers:
            return self._route(request)
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return _preflight(request)
        return self._route(request).with_headers(ANY_ORIGIN)

    def _route(self, request: Request) -> Response:
        action = self._actions.get(request.path.lower().removesuffix("/"))
        if action is None:
            return Response(status=404, headers=(SERVER,))
        if request.method != "GET":
            return Response(status=405, headers=(SERVER, ("Allow", "GET")))
        return action(_query(request))


def answer(value: object) -> Response:
    """Return a JSON answer of an action."""
    return _json(200, value, JSON)


def nothing() -> Response:
    """Return the answer of an action that has nothing to say but that all is well."""
    return Response(status=200, headers=(SERVER,))


def not_found() -> Response:
    """Return the answer of an action that found nothing."""
    problem = {"type": f"{RFC}5", "title": "Not Found", "status": 404, "traceId": _trace()}
    return _json(404, problem, PROBLEM)


def invalid(errors: Mapping[str, list[str]]) -> Response:
    """Return the answer to a request that failed validation, with its errors by field."""
    title = "One or more validation errors occurred."
    problem = {"type": f"{RFC}1", "title": title, "status": 400, "errors": errors}
    return _json(400, {**problem, "traceId": _trace()}, PROBLEM)


def failure(_: Request) -> Response:
    """Return the answer of a service that fails altogether."""
    return Response(status=500, headers=(SERVER,))


def _json(status: int, value: object, content_type: str) -> Response:
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    headers = (SERVER, ("Content-Type", content_type))
    return Response(status=status, headers=headers, body=body, chunked=True)


def _preflight(request: Request) -> Response:
    wanted = request.headers["access-control-request-method"]
    asked = request.headers.get("access-control-request-headers")
    headers = (("Access-Control-Allow-Headers", asked),) if asked else ()
    methods = ("Access-Control-Allow-Methods", wanted)
    return Response(status=204, headers=(SERVER, *headers, methods, ANY_ORIGIN))


def _query(request: Request) -> Query:
    found: dict[str, str | None] = {}
    pairs = parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
    for name, value in pairs:
        found.setdefault(name.lower(), value or None)  # of repeated names, the first counts
    return found


def _trace() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
