"""Writes a pod's status: the newest one, as soon as it changed, through any outage of the API."""

import asyncio
import logging
from typing import Any

from traderx_embedded.kubernetes.node.api import Api, ApiError
from traderx_embedded.kubernetes.node.pod import Pod

_LOG = logging.getLogger(__name__)

RETRY_BASE_S = 0.1
RETRY_MAX_S = 2.0


class StatusWriter:
    """One pod's status on its way to the API; states that nobody could have seen are skipped."""

    def __init__(self, api: Api, pod: Pod) -> None:
        self._api = api
        self._pod = pod
        self._wanted: dict[str, Any] = {}
        self._gone = False
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()

    def publish(self, status: dict[str, Any]) -> None:
        """Write this status soon."""
        if not self._gone and status != self._wanted:
            self._wanted = status
            self._settled.clear()
            self._changed.set()

    async def settled(self) -> None:
        """Return once the newest status is written, or the pod is gone."""
        await self._settled.wait()

    async def run(self) -> None:
        """Write until cancelled, or until the pod is gone from the API."""
        delay_s = RETRY_BASE_S
        while True:
            await self._changed.wait()
            self._changed.clear()
            status = self._wanted
            try:
                await self._api.patch(
                    f"{self._pod.path}/status",
                    {"metadata": {"uid": self._pod.uid}, "status": status},
                )
            except ApiError as error:
                # Gone, or replaced by another pod of the same name.
                if error.status == 404 or (error.status == 409 and "UID" in str(error)):
                    self._gone = True
                    self._settled.set()
                    return
                _LOG.warning("status not written pod=%s error=%s", self._pod.title, error)
                self._changed.set()
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_MAX_S)
                continue
            delay_s = RETRY_BASE_S
            if status is self._wanted:
                self._settled.set()
