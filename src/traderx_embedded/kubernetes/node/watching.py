"""List and watch: a collection of objects, kept up to date through every restart of the API server.

Resumes at the last resource version (bookmarks move it on), lists again when that is too old.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from traderx_embedded.kubernetes.node.api import Api, ApiError

_LOG = logging.getLogger(__name__)

WATCH_SECONDS = 300
# Bookmarks come about once a minute: silence for longer means that the server hangs.
SILENCE_S = 120.0
RETRY_BASE_S = 0.1
RETRY_MAX_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The whole collection, as it was at one moment: what is not in it is gone."""

    items: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One object was added or modified."""

    item: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """One object is gone; `item` is its last state."""

    item: dict[str, Any]


class _ExpiredError(Exception):
    """The watch cannot be resumed; list again."""


async def watch(
    api: Api, path: str, *, selector: str = ""
) -> AsyncIterator[Listed | Changed | Removed]:
    """Yield the collection, then each change of it, for ever."""
    version = ""
    delay_s = RETRY_BASE_S
    while True:
        try:
            if not version:
                document = await api.get(f"{path}?{selector}")
                version = document["metadata"]["resourceVersion"]
                yield Listed(items=tuple(document["items"]))
            async for kind, item in _stream(api, path, selector, version):
                version = item["metadata"]["resourceVersion"]
                delay_s = RETRY_BASE_S
                if kind in {"ADDED", "MODIFIED"}:
                    yield Changed(item=item)
                elif kind == "DELETED":
                    yield Removed(item=item)
        except _ExpiredError as error:
            _LOG.info("watch expired path=%s reason=%s", path, error)
            version = ""
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            _LOG.warning("watch interrupted path=%s retry_s=%.1f error=%s", path, delay_s, error)
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RETRY_MAX_S)


async def _stream(
    api: Api, path: str, selector: str, version: str
) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    query = (
        f"{path}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}"
        f"&resourceVersion={version}&{selector}"
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_S)
    async with api.session.get(query, timeout=timeout) as response:
        if response.status != 200:
            text = (await response.text())[:200]
            if response.status in {400, 410, 504}:
                raise _ExpiredError(text)
            raise ApiError(f"GET {path}: {response.status}: {text}", status=response.status)
        # Objects can be larger than any line limit of the library: split here.
        rest = b""
        async for chunk in response.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _ExpiredError(str(event["object"].get("message")))
                yield event["type"], event["object"]
