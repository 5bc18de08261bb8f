"""How an Express application with Nest answers: ETags, CORS, error bodies."""

import base64
import hashlib
import json

from traderx_embedded.traderx.http_server import Request, Response

POWERED = ("X-Powered-By", "Express")
CORS = ("Access-Control-Allow-Origin", "*")
KEEP_ALIVE = ("Connection", "keep-alive")
JSON = "application/json; charset=utf-8"


class HttpError(Exception):
    """An answer other than 200, with Nest's body."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.response = answer(
            {"message": message, "error": error, "statusCode": status}, status=status
        )


def answer(
    value: object, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    """Return a JSON answer of a Nest controller."""
    return page(_compact(value), content_type=JSON, status=status, headers=(CORS, *headers))


def page(
    body: bytes, *, content_type: str, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    """Return a body as Express sends it."""
    tag = base64.b64encode(hashlib.sha1(body).digest())[:27].decode()  # noqa: S324 - an ETag
    etag = f'W/"{len(body):x}-{tag}"'
    return Response(
        status=status,
        headers=(POWERED, *headers, ("Content-Type", content_type), ("ETag", etag), KEEP_ALIVE),
        body=body,
    )


def preflight() -> Response:
    """Return the answer of the cors middleware to any OPTIONS request."""
    methods = ("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
    vary = ("Vary", "Access-Control-Request-Headers")
    return Response(status=204, headers=(POWERED, CORS, methods, vary, KEEP_ALIVE))


def not_found(request: Request) -> HttpError:
    """Return the error of a route that does not exist."""
    return HttpError(404, "Not Found", f"Cannot {request.method} {request.target}")


def unless_cached(request: Request, response: Response) -> Response:
    """Return 304 instead of a body that the client has already."""
    headers = dict(response.headers)
    wanted = request.headers.get("if-none-match", "")
    fresh = wanted == "*" or headers.get("ETag") in [tag.strip() for tag in wanted.split(",")]
    if response.status != 200 or request.method not in {"GET", "HEAD"} or not fresh:
        return response
    kept = tuple(item for item in response.headers if item[0] != "Content-Type")
    return Response(status=304, headers=kept)


def parse_body(request: Request) -> None:
    """Refuse a JSON body that body-parser cannot read; none of the routes uses it.

    Raises:
        HttpError: 400 with V8's text.
    """
    if not request.headers.get("content-type", "").startswith("application/json"):
        return
    text = request.body.decode("utf-8", "replace")
    if not text:
        return
    if text.lstrip()[:1] not in {"{", "["}:
        bad = text.lstrip()[:1]
        raise HttpError(
            400, "Bad Request", f"Unexpected token '{bad}', \"{text}\" is not valid JSON"
        )
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise HttpError(400, "Bad Request", _v8(error)) from error


def _v8(error: json.JSONDecodeError) -> str:
    # Seen of the real service is the first text only; the others are V8's for the same mistakes.
    if error.msg.startswith("Expecting property name"):
        wanted = (
            "property name or '}'"
            if error.doc[: error.pos].rstrip()[-1:] == "{"
            else ("double-quoted property name")
        )
        return f"Expected {wanted} in JSON at position {error.pos}"
    if error.pos >= len(error.doc):
        return "Unexpected end of JSON input"
    return f"Unexpected token '{error.doc[error.pos]}' in JSON at position {error.pos}"


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
