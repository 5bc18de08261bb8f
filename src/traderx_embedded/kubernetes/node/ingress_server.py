"""The one port on which all Ingress objects are reached: finds a request's route and passes it on.

404 where no route leads, 503 where no endpoint is ready, 502 and 504 for endpoints that fail.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from traderx_embedded.kubernetes.node import ingress_upgrade
from traderx_embedded.kubernetes.node.datapath import CONNECT_DEADLINE_S, Target
from traderx_embedded.kubernetes.node.ingress import PathError
from traderx_embedded.kubernetes.node.ingress_controller import IngressController
from traderx_embedded.kubernetes.node.service_proxy import ServiceProxy
from traderx_embedded.kubernetes.node.settings import Settings
from traderx_embedded.kubernetes.node.status import HOST_IP

_LOG = logging.getLogger(__name__)

# What ingress-nginx waits for an endpoint that says nothing.
SILENCE_S = 60.0
CHUNK = 64 * 1024
# These are of one connection, not of the request (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset(
    {
        "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class IngressServer:
    """Serves 127.0.0.1 only."""

    def __init__(
        self, settings: Settings, controller: IngressController, proxy: ServiceProxy
    ) -> None:
        self._port = settings.ingress_port
        self._controller = controller
        self._proxy = proxy
        self._turn = 0

    async def start(self) -> web.AppRunner:
        """Listen, and return what has to be cleaned up at the end."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        app.cleanup_ctx.append(self._connected)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST_IP, self._port).start()
        return runner

    async def _connected(self, _app: web.Application) -> AsyncIterator[None]:
        # Each request on a connection of its own: one that is kept may close as it is used, and
        # the request would fail for no fault of the application.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_DEADLINE_S, sock_read=SILENCE_S
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_ADDED,
            trust_env=False,
        )
        yield
        await self._session.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path, mark, query = request.raw_path.partition("?")
        host = request.host.partition(":")[0]
        try:
            route = self._controller.table.find(host, path)
            if route is None:
                return _page(HTTPStatus.NOT_FOUND)
            asked = f"{route.target(path)}{mark}{query}"
        except PathError as error:
            _LOG.warning("ingress cannot route host=%s path=%s error=%s", host, path, error)
            return _page(HTTPStatus.INTERNAL_SERVER_ERROR)
        targets = self._proxy.targets(route.namespace, route.service, route.port)
        self._turn += 1
        for number in range(len(targets)):
            target = targets[(self._turn + number) % len(targets)]
            try:
                return await self._pass_on(request, target, asked)
            except (aiohttp.ClientConnectorError, ConnectionRefusedError) as error:
                _LOG.info("ingress: endpoint refuses target=%s error=%s", target, error)
        return _page(HTTPStatus.BAD_GATEWAY if targets else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _pass_on(
        self, request: web.Request, target: Target, asked: str
    ) -> web.StreamResponse:
        headers = _forwarded(request, self._port)
        if "upgrade" in request.headers.get("Connection", "").lower():
            headers["Connection"] = "upgrade"
            headers["Upgrade"] = request.headers.get("Upgrade", "")
            return await ingress_upgrade.carry(request, target, asked, headers)
        url = URL(f"http://{target[0]}:{target[1]}{asked}", encoded=True)
        body = request.content if request.can_read_body else None
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                return await _answer(request, answer)
        except aiohttp.ClientConnectorError:
            raise
        except aiohttp.ServerTimeoutError:
            return _page(HTTPStatus.GATEWAY_TIMEOUT)
        except aiohttp.ClientError as error:
            _LOG.info("ingress: endpoint failed target=%s error=%r", target, error)
            return _page(HTTPStatus.BAD_GATEWAY)


def _forwarded(request: web.Request, port: int) -> CIMultiDict[str]:
    """Return the headers for the endpoint, with those by which it learns who asked for what."""
    headers = _end_to_end(request.headers)
    headers["X-Real-IP"] = headers["X-Forwarded-For"] = request.remote or HOST_IP
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Port"] = str(port)
    headers["X-Forwarded-Proto"] = headers["X-Forwarded-Scheme"] = headers["X-Scheme"] = "http"
    return headers


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    given: CIMultiDict[str] = CIMultiDict(headers)
    named = {name.strip().lower() for name in given.get("Connection", "").split(",")}
    kept = [(key, value) for key, value in given.items() if key.lower() not in HOP_BY_HOP | named]
    return CIMultiDict(kept)


async def _answer(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(
        status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers)
    )
    try:
        await response.prepare(request)
        async for chunk in answer.content.iter_chunked(CHUNK):
            await response.write(chunk)
        await response.write_eof()
    except ConnectionResetError:
        return response  # the client went away
    except aiohttp.ClientError as error:
        # Too late for another status: an end in mid-answer is what the client has to see.
        _LOG.info("ingress: endpoint broke off url=%s error=%r", answer.url, error)
        if request.transport is not None:
            request.transport.abort()
    return response


def _page(status: HTTPStatus) -> web.Response:
    title = f"{status.value} {status.phrase}"
    text = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n"
        "<hr><center>ingress of the embedded cluster</center>\n</body>\n</html>\n"
    )
    return web.Response(status=status, text=text, content_type="text/html")
