"""Keeps one container of a pod: started, probed, started again with back-off, and stopped.

`record.py` remembers, `worker.py` has the pod as a whole.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from traderx_embedded import images
from traderx_embedded.kubernetes.node import clock, container_exec, probe, quantity
from traderx_embedded.kubernetes.node.back_off import BackOff
from traderx_embedded.kubernetes.node.container import ContainerRun, Exit, StartError
from traderx_embedded.kubernetes.node.environment import SourceError
from traderx_embedded.kubernetes.node.mounting import MountError
from traderx_embedded.kubernetes.node.pod import Pod
from traderx_embedded.kubernetes.node.preparation import Prepared, prepare
from traderx_embedded.kubernetes.node.probe import Answer, HttpGet, Probe, TcpSocket
from traderx_embedded.kubernetes.node.prober import Callbacks, Prober
from traderx_embedded.kubernetes.node.pulling import Puller
from traderx_embedded.kubernetes.node.record import recover
from traderx_embedded.kubernetes.node.status import Running, Waiting
from traderx_embedded.kubernetes.node.surroundings import Surroundings

_LOG = logging.getLogger(__name__)

SOURCE_RETRY_S = 2.0
MIN_GRACE_S = 1.0


class Keeper:
    """One container.

    Args:
        pod: The pod, seen from the container.
        around: The node.
        publish: Tells the API how the pod is.
        settled: Returns once the API knows.
    """

    def __init__(
        self,
        pod: Pod,
        around: Surroundings,
        *,
        publish: Callable[[], None],
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        self.record = recover(pod)
        self.admin_port = 0
        self._pod = pod
        self._around = around
        self._publish = publish
        self._back_off = BackOff(base_s=around.settings.back_off_base_s)
        self._puller = Puller(pod, around, wait_as=self._wait_as, settled=settled)
        self._stopping: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The container's name."""
        return self._pod.container.name

    @property
    def logs(self) -> Path:
        """The folder of the container's logs."""
        return self._pod.logs(self._around.settings.pods)

    @property
    def is_running(self) -> bool:
        """Whether a process of it runs."""
        return self.record.run is not None and self.record.run.is_running

    def update(self, pod: Pod) -> None:
        """Take note of a new version of the pod, seen from the container."""
        self._puller.update(pod)
        self._pod = pod

    # Running.

    async def keep(self) -> None:
        """Run the container until it has ended for good."""
        record = self.record
        if record.final:
            return
        if record.has_run and not self._restarts(record.last, forced=False):
            record.state = record.last or record.state
            record.final = True
            self._publish()
            return
        record.restarts += 1 if record.has_run else 0
        self._publish()
        while True:
            ended, forced = await self._run_once()
            record.state = ended
            record.final = not self._restarts(ended, forced=forced)
            self._publish()
            if record.final:
                return
            await self._wait_before_restart(ended)
            record.last = ended
            record.restarts += 1

    def _restarts(self, ended: Exit | None, *, forced: bool) -> bool:
        policy = self._pod.restart_policy
        failed = forced or ended is None or ended.code != 0
        if self._pod.container.is_init:
            return failed and policy != "Never"
        return policy == "Always" or (policy == "OnFailure" and failed)

    async def _wait_before_restart(self, ended: Exit) -> None:
        pod = self._pod
        delay_s = self._back_off.ended(at_s=time.monotonic())
        if delay_s:
            message = f"back-off {_go_duration(delay_s)} restarting failed container={self.name}"
            self.record.last = ended
            self.record.state = Waiting(
                reason="CrashLoopBackOff", message=f"{message} pod={pod.title}"
            )
            self._publish()
            self._around.events.warning(
                pod,
                "BackOff",
                f"Back-off restarting failed container {self.name} in pod {pod.title}",
            )
            await asyncio.sleep(delay_s)
        self._back_off.next(now_s=time.monotonic())

    async def _run_once(self) -> tuple[Exit, bool]:
        """Start the container and return how it ended, and whether a probe had it killed."""
        image = await self._puller.pull()
        self.record.image_id = image.digest
        prepared = await self._prepare(image)
        events, pod = self._around.events, self._pod
        self.admin_port = prepared.admin_port
        try:
            run = await ContainerRun.start(prepared.launch)
        except StartError as error:
            events.normal(pod, "Created", "Container created")
            events.warning(pod, "Failed", f"Error: {error}")
            return self._not_started(error), False
        self.record.run = run
        self.record.has_run = True
        self.record.container_id = run.id
        self.record.state = Running(started=run.started)
        events.normal(pod, "Created", "Container created")
        events.normal(pod, "Started", "Container started")
        return await self._attend(run, prepared)

    def _not_started(self, error: StartError) -> Exit:
        moment = clock.now()
        return Exit(
            code=128,
            reason="StartError",
            message=str(error),
            started=moment,
            finished=moment,
            container_id=self.record.container_id,
        )

    async def _attend(self, run: ContainerRun, prepared: Prepared) -> tuple[Exit, bool]:
        around, record = self._around, self.record
        hidden = frozenset({prepared.admin_port} - {0})
        around.ports.add(record.ip, self._pod.uid, hidden=hidden)
        if "memory" in self._pod.container.limits:
            around.memory.add(run, int(quantity.parse(self._pod.container.limits["memory"])))
        self._stopping = None
        record.prober = Prober(self._pod.container, self._callbacks(run))
        probing = asyncio.create_task(record.prober.run())
        self._publish()
        try:
            ended = await run.wait()
        finally:
            probing.cancel()
        self.forget(run)
        if probing.done() and not probing.cancelled() and probing.exception() is not None:
            _LOG.error("prober failed pod=%s", self._pod.title, exc_info=probing.exception())
        return ended, self._stopping is not None

    def forget(self, run: ContainerRun) -> None:
        """The run has ended: nothing of it is watched or reached any more."""
        self._around.memory.remove(run)
        self._around.ports.remove(self.record.ip, self._pod.uid)

    # Before the start.

    async def _prepare(self, image: images.Image) -> Prepared:
        around, record = self._around, self.record
        while True:
            try:
                return await prepare(
                    self._pod, image, around, ip=record.ip, restart=record.restarts
                )
            except MountError as error:
                around.events.warning(self._pod, "FailedMount", str(error))
            except SourceError as error:
                around.events.warning(self._pod, "Failed", f"Error: {error}")
                self._wait_as("CreateContainerConfigError", str(error))
            await asyncio.sleep(SOURCE_RETRY_S)

    def _wait_as(self, reason: str, message: str) -> None:
        if isinstance(self.record.state, Exit):
            self.record.last = self.record.state
        self.record.state = Waiting(reason=reason, message=message)
        self._publish()

    # Probes.

    def _callbacks(self, run: ContainerRun) -> Callbacks:
        async def ask(asked: Probe) -> Answer:
            return await self._ask(run, asked)

        async def listening(port: int) -> None:
            await self._around.ports.listening(self.record.ip, port)

        def unhealthy(kind: str, output: str) -> None:
            self._around.events.warning(self._pod, "Unhealthy", f"{kind} probe failed: {output}")

        def kill(kind: str, failed: Probe) -> None:
            message = f"Container {self.name} failed {kind} probe, will be restarted"
            self._around.events.normal(self._pod, "Killing", message)
            grace_s = self._pod.grace_s if failed.grace_s is None else failed.grace_s
            self._stopping = asyncio.create_task(self.stop(run, grace_s))

        return Callbacks(
            ask=ask, listening=listening, unhealthy=unhealthy, changed=self._publish, kill=kill
        )

    async def _ask(self, run: ContainerRun, asked: Probe) -> Answer:
        address = self._around.settings.networks.private_of(self.record.ip)
        match asked.action:
            case HttpGet() as action:
                return await probe.ask_http(
                    action, address=address, shown=self.record.ip, timeout_s=asked.timeout_s
                )
            case TcpSocket() as action:
                return await probe.ask_tcp(
                    action, address=address, shown=self.record.ip, timeout_s=asked.timeout_s
                )
            case action:
                return await container_exec.ask(run, action.command, timeout_s=asked.timeout_s)

    # The end.

    async def stop(self, run: ContainerRun, grace_s: float) -> None:
        """Run the hook, then stop the run within the grace that is left."""
        begun = time.monotonic()
        hook = self._pod.container.pre_stop
        if hook is not None and grace_s > 0:
            failure = await container_exec.run_hook(run, hook, timeout_s=grace_s)
            if failure:
                self._around.events.warning(
                    self._pod, "FailedPreStopHook", f"PreStopHook failed: {failure}"
                )
        left_s = grace_s - (time.monotonic() - begun)
        await run.stop(max(left_s, MIN_GRACE_S if grace_s else 0.0))


def _go_duration(seconds_: float) -> str:
    """Write a duration as Go does: `10s`, `2m40s`, `5m0s`."""
    if seconds_ < 60:
        return f"{seconds_:g}s"
    return f"{int(seconds_ // 60)}m{seconds_ % 60:g}s"
