"""The streams of workers: server-sent events, heartbeats, redelivery after a reconnect.

Lives on the event loop; every decision about operations is made in `operations`, on the store.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from traderx_embedded.confighub import operations, workers
from traderx_embedded.confighub.call import Errand, Reply
from traderx_embedded.confighub.entities import BridgeWorker
from traderx_embedded.confighub.errors import ApiError
from traderx_embedded.confighub.store import Store, Transaction

_log = logging.getLogger(__name__)
_MISSED_HEARTBEATS = 3


class _Stream:
    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.ended = False
        self.answered_at = time.monotonic()
        self.due: list[Errand] = []
        self.replies: dict[str, asyncio.Future[Reply]] = {}

    def end(self) -> None:
        self.ended = True
        self.wake.set()
        self.give_up("its stream ended before it answered")

    def give_up(self, why: str) -> None:
        for reply in self.replies.values():
            if not reply.done():
                reply.set_result(Reply(error=why))


class Streams:
    """The open stream of each worker; a second one of the same worker ends the first."""

    def __init__(self, store: Store, *, heartbeat_s: float, errand_timeout_s: float) -> None:
        self._store = store
        self._heartbeat_s = heartbeat_s
        self._errand_timeout_s = errand_timeout_s
        self._streams: dict[str, _Stream] = {}
        self._notes: set[asyncio.Task[None]] = set()
        store.on_work(self._wake)

    async def events(
        self, worker_id: str, info: dict[str, Any], client: str
    ) -> AsyncIterator[bytes]:
        """Register the worker, then yield its events until either side ends the stream.

        Raises:
            ApiError: The registration is refused.
        """
        stream = _Stream()
        # The old stream ends before the store takes back what it delivered: were it the other way
        # round, it could take an operation in between and carry it nowhere.
        previous = self._streams.get(worker_id)
        self._streams[worker_id] = stream
        if previous is not None:
            previous.end()
        try:
            await self._store.run(lambda tx: workers.register(tx, worker_id, info, client))
        except ApiError:
            stream.end()
            self._forget(worker_id, stream)
            raise
        _log.info("worker connected: worker=%s", worker_id)
        return self._pump(worker_id, stream)

    def answered(self, worker_id: str) -> None:
        """Note that a worker has sent something."""
        if worker_id in self._streams:
            self._streams[worker_id].answered_at = time.monotonic()

    async def run(self, errands: Sequence[Errand]) -> list[Reply]:
        """Have workers do something while a request waits; each gets its own deadline.

        An errand is not kept: where the stream or this server ends, nobody does it later.
        """
        return list(await asyncio.gather(*(self._run(errand) for errand in errands)))

    async def _run(self, errand: Errand) -> Reply:
        stream = self._streams.get(errand.worker_id)
        if stream is None or stream.ended:
            return Reply(error="it is not connected")
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        stream.replies[errand.id] = reply
        stream.due.append(errand)
        stream.wake.set()
        try:
            async with asyncio.timeout(self._errand_timeout_s):
                return await reply
        except TimeoutError:
            return Reply(error=f"it did not answer in {self._errand_timeout_s:g} s")
        finally:
            del stream.replies[errand.id]

    def replied(self, worker_id: str, errand_id: str, result: Mapping[str, Any]) -> bool:
        """Take a worker's report on an errand; false if nobody waits for it."""
        stream = self._streams.get(worker_id)
        reply = stream.replies.get(errand_id) if stream is not None else None
        if reply is None or reply.done():
            return False
        reply.set_result(Reply(result=result))
        return True

    def end_all(self) -> None:
        """End every stream, so that the server can stop."""
        for stream in self._streams.values():
            stream.end()

    async def settle(self) -> None:
        """Wait until the end of every stream is stored."""
        await asyncio.gather(*self._notes)

    def _wake(self, worker_id: str) -> None:
        if worker_id in self._streams:
            self._streams[worker_id].wake.set()

    async def _pump(self, worker_id: str, stream: _Stream) -> AsyncIterator[bytes]:
        try:
            stream.wake.set()
            while True:
                await self._next(worker_id, stream)
                if stream.ended:
                    return
                stream.wake.clear()
                for message in await self._store.run(lambda tx: _take(tx, worker_id, stream)):
                    yield _event(message)
                due, stream.due = stream.due, []
                for errand in due:
                    yield _event(errand.message)
                yield _event(_heartbeat())
        finally:
            stream.end()
            self._forget(worker_id, stream)

    def _forget(self, worker_id: str, stream: _Stream) -> None:
        if self._streams.get(worker_id) is not stream:
            return  # a newer one has taken over
        del self._streams[worker_id]
        _log.info("worker disconnected: worker=%s", worker_id)
        # a task of its own: a peer that goes away cancels the one that runs this
        note = asyncio.create_task(self._store.run(lambda tx: _gone(tx, worker_id)))
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    async def _next(self, worker_id: str, stream: _Stream) -> None:
        """Wait for work or for the next heartbeat."""
        try:
            async with asyncio.timeout(self._heartbeat_s):
                await stream.wake.wait()
        except TimeoutError:
            silent_s = time.monotonic() - stream.answered_at
            if silent_s > _MISSED_HEARTBEATS * self._heartbeat_s:
                await self._store.run(
                    lambda tx: workers.seen(tx, worker_id, condition="Unresponsive")
                )


def _take(tx: Transaction, worker_id: str, stream: _Stream) -> list[dict[str, Any]]:
    if stream.ended or tx.find(BridgeWorker, worker_id) is None:
        stream.ended = True
        return []
    messages = operations.take(tx, worker_id)
    if messages:
        workers.seen(tx, worker_id, condition="Ready", status="ActionSent")
    return messages


def _gone(tx: Transaction, worker_id: str) -> None:
    workers.seen(tx, worker_id, condition="Disconnected", status="Disconnected")


def _heartbeat() -> dict[str, Any]:
    payload = {"Timestamp": time.time_ns() // 1000}
    return {"Event": "WorkerEvent", "Data": {"Action": "Heartbeat", "Payload": payload}}


def _event(message: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(message, separators=(",", ":")).encode() + b"\n\n"
