"""The HTTP side: routes, authentication, bodies, and errors in ConfigHub's shape.

Each route is a function over a transaction and a parsed call; everything of HTTP stays in here.
"""

import asyncio
import hmac
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from traderx_embedded.confighub import (
    approval,
    invoking,
    june_2026,
    residents,
    spaces,
    units,
    workers,
)
from traderx_embedded.confighub.call import Answer, Call, Delegated
from traderx_embedded.confighub.errors import ApiError, bad_request, not_found, unauthorized
from traderx_embedded.confighub.store import Store, Transaction
from traderx_embedded.confighub.stream import Streams

_log = logging.getLogger(__name__)
# 64 MiB of unit data, as base64, and the rest of the unit
BODY_LIMIT = 96 * 2**20
# Beyond this, a body is parsed off the event loop, which would stand still meanwhile.
_LARGE_BODY = 2**20

Handler = Callable[[Transaction, Call], Answer | Delegated]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the routes work with."""

    store: Store
    streams: Streams
    token: str
    port: int
    speaks_2026: bool = False

    def __repr__(self) -> str:
        """Keep the token out of logs."""
        return f"Services(port={self.port}, token='***')"


def application(services: Services) -> Starlette:
    """Return the ASGI application."""
    app = Starlette(
        routes=[*_open_routes(services), *_worker_routes(services), *_api_routes(services)],
        exception_handlers={HTTPException: _routing_error},
    )
    # a redirect for a trailing slash would lose the method of a POST with some clients
    app.router.redirect_slashes = False
    return app


def _api_routes(services: Services) -> list[Route]:
    space, unit = "/space/{space}", "/space/{space}/unit/{unit}"
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/me", spaces.me),
        ("GET", "/function", invoking.signatures),
        ("POST", "/function/invoke", invoking.invoke_anywhere),
        ("GET", f"{space}/function", invoking.signatures),
        ("POST", f"{space}/function/invoke", invoking.invoke_in_space),
        ("GET", "/space", spaces.list_all),
        ("POST", "/space", spaces.create),
        ("GET", space, spaces.get_one),
        ("PUT", space, spaces.put),
        ("PATCH", space, spaces.patch),
        ("DELETE", space, spaces.delete),
        ("POST", "/_space", spaces.create_many),
        ("PATCH", "/_space", spaces.patch_many),
        ("DELETE", "/_space", spaces.delete_many),
        ("GET", f"{space}/unit", units.list_in_space),
        ("POST", f"{space}/unit", units.create),
        ("GET", unit, units.get_one),
        ("PUT", unit, units.put),
        ("PATCH", unit, units.patch),
        ("DELETE", unit, units.delete),
        ("POST", f"{unit}/apply", units.apply),
        ("POST", f"{unit}/destroy", units.destroy),
        ("POST", f"{unit}/refresh", units.refresh),
        ("POST", f"{unit}/approve", approval.approve),
        ("GET", f"{unit}/data", units.data),
        ("GET", f"{unit}/live-state", units.live_state),
        ("GET", f"{unit}/live_state", units.live_state),
        ("GET", f"{unit}/unit_event", units.list_events),
        ("GET", f"{unit}/revision", units.list_revisions),
        ("GET", f"{unit}/mutation", units.list_mutations),
        ("GET", f"{unit}/mutation/{{mutation}}", units.get_mutation),
        ("GET", f"{unit}/revision/{{revision}}", units.get_revision),
        ("GET", f"{unit}/revision/{{revision}}/data", units.revision_data),
        ("GET", "/unit", units.list_all),
        ("POST", "/unit", units.clone_many),
        ("PATCH", "/unit", units.patch_many),
        ("DELETE", "/unit", units.delete_many),
        ("POST", "/unit/apply", units.apply_many),
        ("POST", "/unit/destroy", units.destroy_many),
        ("POST", "/unit/refresh", units.refresh_many),
        ("POST", "/unit/approve", approval.approve_many),
        ("GET", f"{space}/bridge_worker/{{id}}/status", residents.worker_statuses),
        ("GET", f"{space}/bridge_worker/{{id}}/function", invoking.worker_signatures),
        ("POST", "/link", residents.link_many),
    ]
    for plain in residents.ALL:
        every, one = f"{space}/{plain.path}", f"{space}/{plain.path}/{{id}}"
        table += [
            ("GET", every, plain.list_in_space),
            ("POST", every, plain.create),
            ("GET", one, plain.get_one),
            ("PUT", one, plain.put),
            ("PATCH", one, plain.patch),
            ("DELETE", one, plain.delete),
            ("GET", f"/{plain.path}", plain.list_all),
            ("POST", f"/{plain.path}", plain.copy_many),
            ("PATCH", f"/{plain.path}", plain.patch_many),
            ("DELETE", f"/{plain.path}", plain.delete_many),
        ]
    return [
        Route(f"/api{path}", _endpoint(_authenticated(services, handler)), methods=[method])
        for method, path, handler in table
        if not services.speaks_2026 or june_2026.has_route(path)
    ]


def _open_routes(services: Services) -> list[Route]:
    version = {"Version": june_2026.VERSION} if services.speaks_2026 else {}

    async def info(request: Request) -> Response:
        del request
        return _response(
            Answer.of({"Build": "traderx-embedded", "WorkerPort": str(services.port), **version}),
        )

    async def login(request: Request) -> Response:
        call = await _call(request)
        return _response(
            await services.store.run(lambda tx: workers.login(tx, call, services.token))
        )

    # `cub` and workers ask for the info before they have a token
    return [
        Route("/api/info", _endpoint(info), methods=["GET"]),
        Route("/auth/worker", _endpoint(login), methods=["POST"]),
    ]


def _worker_routes(services: Services) -> list[Route]:
    store, streams = services.store, services.streams

    async def worker_id(request: Request) -> str:
        identifier = (await _call(request)).identifier("worker")
        secret = _bearer(request)
        await store.run(lambda tx: workers.authenticate(tx, identifier, secret))
        return identifier

    async def me(request: Request) -> Response:
        identifier, secret = (await _call(request)).identifier("worker"), _bearer(request)
        return _response(
            await store.run(lambda tx: workers.me(tx, workers.authenticate(tx, identifier, secret)))
        )

    async def stream(request: Request) -> Response:
        identifier = await worker_id(request)
        call = await _call(request)
        events = await streams.events(identifier, call.document(), call.client)
        return StreamingResponse(
            events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
        )

    async def action_result(request: Request) -> Response:
        identifier = await worker_id(request)
        call = await _call(request)
        streams.answered(identifier)
        if (errand := workers.errand_of(call)) is not None:
            if not streams.replied(identifier, errand, call.document()):
                raise not_found(f"nobody waits for the answer to {errand} of this worker")
            return _response(await store.run(lambda tx: workers.errand_done(tx, identifier, call)))
        return _response(await store.run(lambda tx: workers.report(tx, identifier, call)))

    root = "/api/bridge_worker/{worker}"
    return [
        Route(f"{root}/me", _endpoint(me), methods=["GET"]),
        Route(f"{root}/stream", _endpoint(stream), methods=["POST"]),
        Route(f"{root}/action_result", _endpoint(action_result), methods=["POST"]),
    ]


def _authenticated(services: Services, handler: Handler) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        token = _bearer(request)
        known = hmac.compare_digest(token.encode(errors="replace"), services.token.encode())
        if not known:  # before the body of a stranger is kept
            await services.store.run(lambda tx: _require_session(tx, token, services.token))
        call = await _call(request)
        given = await services.store.run(lambda tx: spoken(tx, handler(tx, call)))
        if isinstance(given, Delegated):
            finish, replies = given.finish, await services.streams.run(given.errands)
            given = await services.store.run(lambda tx: spoken(tx, finish(tx, replies)))
        return _response(cast("Answer", given))

    def spoken(tx: Transaction, given: Answer | Delegated) -> Answer | Delegated:
        if isinstance(given, Delegated) or not services.speaks_2026:
            return given
        return june_2026.answer(tx, given)

    return endpoint


def _require_session(tx: Transaction, token: str, key: str) -> None:
    if not workers.is_session(tx, token, key):
        raise unauthorized("the token is not one of this server")


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthorized("no bearer token in the Authorization header")
    return token.strip()


def _endpoint(work: Endpoint) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        request_id = str(uuid.uuid4())
        try:
            response = await work(request)
        except ApiError as error:
            response = _error(error)
        except Exception as error:  # noqa: BLE001 - the last line: logged, and told as ConfigHub would
            _log.exception("request failed: %s %s", request.method, request.url.path)
            told = f"internal error ({type(error).__name__}); see the server's log"
            response = _error(ApiError(500, told))
        await _drain(request)
        response.headers["X-Request-Id"] = request_id
        return response

    return endpoint


async def _routing_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    await _drain(request)
    response = _error(ApiError(status, f"{request.method} {request.url.path}: no such route"))
    response.headers["X-Request-Id"] = str(uuid.uuid4())
    return response


async def _drain(request: Request) -> None:
    """Read what is left of the body, keeping nothing.

    hypercorn 0.18 loses the whole HTTP/2 connection when data arrives for a request that has its
    answer already, and with it every other request on that connection.
    """
    if not hasattr(request.state, "read"):
        request.state.read = True
        async for _ in request.stream():
            pass


def _error(error: ApiError) -> Response:
    return Response(
        json.dumps(error.response()), status_code=error.status, media_type="application/json"
    )


def _response(answer: Answer) -> Response:
    return Response(answer.content, status_code=answer.status, media_type=answer.content_type)


async def _call(request: Request) -> Call:
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in query:
            raise bad_request(f"parameter {name} is given twice")
        query[name] = value
    return Call(
        path=dict(request.path_params),
        query=query,
        body=await _body(request),
        user_agent=request.headers.get("user-agent", ""),
        client=request.client.host if request.client is not None else "",
    )


async def _body(request: Request) -> Any:
    if request.method == "GET":
        return None
    if hasattr(request.state, "body"):
        return request.state.body
    parts, size = [], 0
    request.state.read = True
    async for part in request.stream():
        size += len(part)
        if size <= BODY_LIMIT:
            parts.append(part)
    if size > BODY_LIMIT:
        raise ApiError(400, f"the body has {size} bytes; at most {BODY_LIMIT} are read")
    content = b"".join(parts)
    parsed = _parse(content) if size < _LARGE_BODY else await asyncio.to_thread(_parse, content)
    request.state.body = parsed
    return parsed


def _parse(content: bytes) -> Any:
    if not content.strip():
        return None
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
