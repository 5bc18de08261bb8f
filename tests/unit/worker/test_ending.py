"""A worker that ends while it works: what still runs has nobody to tell, and makes no noise."""

import asyncio
import threading

import pytest

from traderx_gate.worker import worker

DEADLINE_S = 10.0


def test_work_that_outlives_its_worker_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that ends after the worker's loop was closed raises nothing in its thread."""
    started, released = threading.Event(), threading.Event()
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)

    def work() -> None:
        started.set()
        released.wait(DEADLINE_S)

    async def end_meanwhile() -> None:
        task = asyncio.create_task(worker._in_thread(work))
        await asyncio.to_thread(started.wait, DEADLINE_S)
        task.cancel()

    asyncio.run(end_meanwhile())
    (thread,) = (one for one in threading.enumerate() if one.name == "operation")
    released.set()
    thread.join(DEADLINE_S)
    assert (thread.is_alive(), raised) == (False, [])
