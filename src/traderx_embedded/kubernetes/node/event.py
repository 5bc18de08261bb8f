"""Events about pods and the node; equal ones are counted on one object, as client-go does."""

import asyncio
import itertools
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from traderx_embedded.kubernetes.node import clock
from traderx_embedded.kubernetes.node.api import Api, ApiError
from traderx_embedded.kubernetes.node.pod import Pod

_LOG = logging.getLogger(__name__)

# The API keeps events for an hour; counts of older ones start anew.
FORGET_S = 3000.0
ATTEMPTS = 5
RETRY_S = 1.0


@dataclass(slots=True, kw_only=True)
class _Series:
    """All equal events so far."""

    body: dict[str, Any]
    first: datetime
    last: datetime
    last_s: float
    count: int = 0
    written: int = 0


class Recorder:
    """Queues events and writes them, in order, beside the work that they tell of."""

    def __init__(self, api: Api, node_name: str) -> None:
        self._api = api
        self._node_name = node_name
        self._series: dict[tuple[str, ...], _Series] = {}
        self._queue: asyncio.Queue[_Series] = asyncio.Queue()
        self._numbers = itertools.count(time.time_ns())

    def normal(self, pod: Pod, reason: str, message: str) -> None:
        """Record what goes as it should."""
        self._record(pod, "Normal", reason, message)

    def warning(self, pod: Pod, reason: str, message: str) -> None:
        """Record what does not."""
        self._record(pod, "Warning", reason, message)

    async def run(self) -> None:
        """Write events until cancelled."""
        while True:
            series = await self._queue.get()
            for attempt in range(ATTEMPTS):
                try:
                    await self._write(series)
                    break
                except ApiError as error:
                    if error.is_final or attempt == ATTEMPTS - 1:
                        # 403 is what a namespace says that is going away.
                        level = logging.DEBUG if error.status == 403 else logging.WARNING
                        _LOG.log(level, "event not recorded error=%s", error)
                        series.count = series.written
                        break
                    await asyncio.sleep(RETRY_S)

    def _record(self, pod: Pod, kind: str, reason: str, message: str) -> None:
        moment, now_s = clock.now(), time.monotonic()
        key = (pod.uid, pod.container.name, kind, reason, message)
        series = self._series.get(key)
        if series is None or now_s - series.last_s > FORGET_S:
            self._forget(now_s)
            body = self._body(pod, kind, reason, message)
            series = _Series(body=body, first=moment, last=moment, last_s=now_s)
            self._series[key] = series
        waiting = series.written < series.count
        series.count += 1
        series.last, series.last_s = moment, now_s
        if not waiting:  # otherwise the write that is already queued carries this one too
            self._queue.put_nowait(series)

    def _forget(self, now_s: float) -> None:
        old = [key for key, series in self._series.items() if now_s - series.last_s > FORGET_S]
        for key in old:
            del self._series[key]

    async def _write(self, series: _Series) -> None:
        namespace = series.body["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/events"
        count, last = series.count, clock.seconds(series.last)
        if series.written:
            name = series.body["metadata"]["name"]
            try:
                await self._api.patch(f"{path}/{name}", {"count": count, "lastTimestamp": last})
            except ApiError as error:
                if error.status != 404:
                    raise
                series.written = 0
        if not series.written:
            first = {"firstTimestamp": clock.seconds(series.first)}
            await self._api.create(
                path, {**series.body, **first, "count": count, "lastTimestamp": last}
            )
        series.written = count
        if series.count > count:
            self._queue.put_nowait(series)

    def _body(self, pod: Pod, kind: str, reason: str, message: str) -> dict[str, Any]:
        section = "initContainers" if pod.container.is_init else "containers"
        return {
            "metadata": {
                "name": f"{pod.name}.{next(self._numbers):x}",
                "namespace": pod.namespace,
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": pod.namespace,
                "name": pod.name,
                "uid": pod.uid,
                "fieldPath": f"spec.{section}{{{pod.container.name}}}",
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "kubelet", "host": self._node_name},
            "reportingComponent": "kubelet",
            "reportingInstance": self._node_name,
        }
