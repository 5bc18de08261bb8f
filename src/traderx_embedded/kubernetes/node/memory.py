"""Memory limits: a container that holds more than its limit is killed, as by the kernel."""

import asyncio

from traderx_embedded.kubernetes.node import processes
from traderx_embedded.kubernetes.node.container import ContainerRun

PERIOD_S = 0.1


class MemoryWatch:
    """Compares the memory of every limited container with its limit."""

    def __init__(self) -> None:
        self._limits: dict[ContainerRun, int] = {}
        self._some = asyncio.Event()

    def add(self, run: ContainerRun, limit_bytes: int) -> None:
        """Watch this run."""
        self._limits[run] = limit_bytes
        self._some.set()

    def remove(self, run: ContainerRun) -> None:
        """Stop watching it."""
        self._limits.pop(run, None)
        if not self._limits:
            self._some.clear()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._some.wait()
            # One pass over all processes of the machine, off the loop.
            sessions = await asyncio.to_thread(processes.sessions)
            for run, limit in tuple(self._limits.items()):
                if processes.anonymous_bytes(sessions.get(run.pid, [])) > limit:
                    run.exceed_memory()
            await asyncio.sleep(PERIOD_S)
