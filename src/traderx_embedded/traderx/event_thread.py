"""The one thread that all sockets of the real services' Socket.IO client share.

What comes in, what goes out and every answer to a ping waits for its turn behind the rest. So a
handler that takes long delays the messages of its own process, and at last the feed, whose pings
stay unanswered, ends the connection: this is how the real trade-processor loses orders for good
under overload.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

Task = Callable[[], Awaitable[None]]


class EventThread:
    """Runs tasks one after the other; one that fails is logged."""

    def __init__(self) -> None:
        self._tasks: asyncio.Queue[Task] = asyncio.Queue()
        self._running = asyncio.create_task(self._run())

    def post(self, task: Task) -> None:
        """Put a task behind all others."""
        self._tasks.put_nowait(task)

    async def _run(self) -> None:
        while True:
            task = await self._tasks.get()
            try:
                await task()
            except Exception:
                log.exception("threw exception while handling incoming message")
