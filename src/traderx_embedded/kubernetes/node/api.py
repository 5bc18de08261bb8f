"""The node's client of the Kubernetes API: requests with a deadline, and their errors.

Watching is in `watching.py`. Errors of the HTTP library do not leave this module.
"""

import json
import ssl
from types import TracebackType
from typing import Any, Self

import aiohttp

from traderx_embedded.kubernetes.node.settings import Settings

REQUEST_DEADLINE_S = 15.0

Json = dict[str, Any]


class ApiError(Exception):
    """The API server refused, or could not be reached (`status` 0)."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_final(self) -> bool:
        """Whether the same request would be refused again."""
        return 400 <= self.status < 500 and self.status not in {408, 409, 429}


class Api:
    """A connection to one API server, as the node's client certificate."""

    def __init__(self, settings: Settings) -> None:
        context = ssl.create_default_context(cafile=str(settings.pki / "ca.crt"))
        context.load_cert_chain(settings.pki / "node.crt", settings.pki / "node.key")
        self._session = aiohttp.ClientSession(
            base_url=f"https://127.0.0.1:{settings.apiserver_port}",
            connector=aiohttp.TCPConnector(limit=64, ssl=context),
            timeout=aiohttp.ClientTimeout(total=REQUEST_DEADLINE_S),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Use until the end of the block."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session below, for streams."""
        return self._session

    async def get(self, path: str) -> Json:
        """Read one object or list."""
        return await self._request("GET", path)

    async def create(self, path: str, body: Json) -> Json:
        """Create an object."""
        return await self._request("POST", path, body)

    async def replace(self, path: str, body: Json) -> Json:
        """Replace an object at its resource version."""
        return await self._request("PUT", path, body)

    async def delete(self, path: str, body: Json) -> Json:
        """Delete an object."""
        return await self._request("DELETE", path, body)

    async def patch(self, path: str, body: Json) -> Json:
        """Patch an object strategically (lists merge by their keys)."""
        return await self._request(
            "PATCH", path, body, content_type="application/strategic-merge-patch+json"
        )

    async def _request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        content_type: str = "application/json",
    ) -> Json:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        try:
            async with self._session.request(method, path, data=data, headers=headers) as response:
                text = await response.text()
                if response.status >= 400:
                    raise ApiError(
                        f"{method} {path}: {response.status}: {_reason(text)}",
                        status=response.status,
                    )
                document: Json = json.loads(text)
                return document
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiError(f"{method} {path}: no answer: {error!r}", status=0) from error


def _reason(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200]
