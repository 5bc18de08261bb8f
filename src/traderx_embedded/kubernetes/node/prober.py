"""When probes are asked and what follows: started, ready, or to be killed.

One prober lives as long as one run of a container. A kubelet's numbers: the startup probe gates the
other two; a result counts once it was seen threshold times in a row; the first attempt falls into
the first period after the initial delay. A kubelet's ticker puts that attempt anywhere in the
period, this node puts it where the program begins to listen.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from traderx_embedded.kubernetes.node.pod import Container
from traderx_embedded.kubernetes.node.probe import Answer, Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What a prober needs of its surroundings.

    Attributes:
        ask: Makes one attempt.
        listening: Returns once the process listens on the port.
        unhealthy: Told of every failed attempt: the probe's kind and the output.
        changed: Told when `started` or `ready` changed.
        kill: Told that the container has to be restarted: the probe's kind, and the probe.
    """

    ask: Callable[[Probe], Awaitable[Answer]]
    listening: Callable[[int], Awaitable[None]]
    unhealthy: Callable[[str, str], None]
    changed: Callable[[], None]
    kill: Callable[[str, Probe], None]


class Prober:
    """The probes of one run of a container."""

    def __init__(self, container: Container, callbacks: Callbacks) -> None:
        self._container = container
        self._callbacks = callbacks
        self._begun = asyncio.get_running_loop().time()
        self.started = container.startup is None
        self.ready = container.startup is None and container.readiness is None

    async def run(self) -> None:
        """Probe until cancelled, or until there is nothing more to ask."""
        container = self._container
        if container.startup is not None:
            await self._follow("Startup", container.startup, self._on_startup)
            if not self.started:
                return
        async with asyncio.TaskGroup() as group:
            if container.readiness is not None:
                group.create_task(
                    self._follow("Readiness", container.readiness, self._on_readiness)
                )
            if container.liveness is not None:
                group.create_task(self._follow("Liveness", container.liveness, self._on_liveness))

    def _on_startup(self, probe: Probe, *, success: bool) -> bool:
        if success:
            self.started = True
            self.ready = self._container.readiness is None
            self._callbacks.changed()
        else:
            self._callbacks.kill("startup", probe)
        return False

    def _on_readiness(self, _probe: Probe, *, success: bool) -> bool:
        if success is not self.ready:
            self.ready = success
            self._callbacks.changed()
        return True

    def _on_liveness(self, probe: Probe, *, success: bool) -> bool:
        if not success:
            self._callbacks.kill("liveness", probe)
        return success

    async def _follow(self, kind: str, probe: Probe, decide: Callable[..., bool]) -> None:
        """Ask every period; hand each result that reached its threshold to `decide`."""
        await self._first_moment(probe)
        loop = asyncio.get_running_loop()
        due = loop.time()
        last, run = None, 0
        while True:
            answer = await self._callbacks.ask(probe)
            if not answer.success:
                self._callbacks.unhealthy(kind, answer.output)
            run = run + 1 if answer.success is last else 1
            last = answer.success
            threshold = probe.success_threshold if last else probe.failure_threshold
            if run >= threshold and not decide(probe, success=last):
                return
            # Like a ticker: moments that passed during a slow attempt are dropped.
            due = max(due + probe.period_s, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _first_moment(self, probe: Probe) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._begun + probe.initial_delay_s - loop.time()))
        if probe.port:
            try:
                async with asyncio.timeout(probe.period_s):
                    await self._callbacks.listening(probe.port)
            except TimeoutError:
                return
