"""One pod, from its assignment to this node until it is gone from the API.

Its container is started, probed, started again with back-off, and stopped; `record.py` remembers,
`status.py` tells the API.
"""

import asyncio
import contextlib
import logging
import shutil
import time

from traderx_embedded import images
from traderx_embedded.kubernetes.node import clock, container_exec, probe, quantity, status
from traderx_embedded.kubernetes.node.api import ApiError
from traderx_embedded.kubernetes.node.back_off import BackOff
from traderx_embedded.kubernetes.node.container import ContainerRun, Exit, StartError
from traderx_embedded.kubernetes.node.environment import SourceError
from traderx_embedded.kubernetes.node.pod import Pod
from traderx_embedded.kubernetes.node.preparation import Prepared, prepare
from traderx_embedded.kubernetes.node.probe import Answer, HttpGet, Probe, TcpSocket
from traderx_embedded.kubernetes.node.prober import Callbacks, Prober
from traderx_embedded.kubernetes.node.record import recover
from traderx_embedded.kubernetes.node.status import Running, Waiting
from traderx_embedded.kubernetes.node.status_writer import StatusWriter
from traderx_embedded.kubernetes.node.surroundings import Surroundings

_LOG = logging.getLogger(__name__)

SOURCE_RETRY_S = 2.0
DELETE_RETRY_S = 1.0
MIN_GRACE_S = 1.0


class PodWorker:
    """Runs one pod."""

    def __init__(self, pod: Pod, around: Surroundings) -> None:
        self.pod = pod
        self.record = recover(pod)
        self.admin_port = 0
        self._around = around
        self._back_off = BackOff(base_s=around.settings.back_off_base_s)
        self._writer = StatusWriter(around.api, pod)
        self._conditions = {
            condition["type"]: (condition["status"], condition.get("lastTransitionTime") or "")
            for condition in pod.status.get("conditions") or ()
        }
        self._deletion = asyncio.Event()
        self._image_changed = asyncio.Event()
        self._grace_s = pod.grace_s
        self._removed = False
        self._living: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    # What the agent tells.

    def update(self, pod: Pod) -> None:
        """Take note of a new version of the pod."""
        if pod.container.image != self.pod.container.image:
            self._image_changed.set()
        self.pod = pod
        if pod.deletion_grace_s is not None:
            self._delete(pod.deletion_grace_s)

    def remove(self) -> None:
        """The pod is gone from the API, by force: nothing is left to report."""
        self._removed = True
        self._delete(min(self._grace_s, MIN_GRACE_S))

    def _delete(self, grace_s: float) -> None:
        self._grace_s = min(self._grace_s, grace_s) if self._deletion.is_set() else grace_s
        self._deletion.set()

    async def run(self) -> None:
        """Run the pod until it is gone from the API."""
        around, record = self._around, self.record
        if not record.final and not around.addresses.reserve(record.ip, self.pod.uid):
            record.ip = around.addresses.allocate(self.pod.uid)
        try:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(self._writer.run())
                self._living = group.create_task(self._live())
                await self._deletion.wait()
                await self._cease()
                await self._finish()
                writing.cancel()
        finally:
            self._leave()

    def _leave(self) -> None:
        if self.record.run is not None:
            self.record.run.kill()
            self._ended(self.record.run)
        self._around.addresses.release(self.record.ip, self.pod.uid)
        if self._deletion.is_set():
            shutil.rmtree(self._around.settings.pods / self.pod.uid, ignore_errors=True)

    # Running.

    async def _live(self) -> None:
        record, pod = self.record, self.pod
        if record.final:
            return
        if pod.refusals:
            self._refuse()
            return
        if record.has_run and not self._restarts(record.last, forced=False):
            record.state = record.last or record.state
            record.final = True
            self.publish()
            return
        record.restarts += 1 if record.has_run else 0
        self.publish()
        while True:
            ended, forced = await self._run_once()
            record.state = ended
            record.final = not self._restarts(ended, forced=forced)
            self.publish()
            if record.final:
                self._around.addresses.release(record.ip, pod.uid)
                return
            await self._wait_before_restart(ended)
            record.last = ended
            record.restarts += 1

    def _restarts(self, ended: Exit | None, *, forced: bool) -> bool:
        policy = self.pod.restart_policy
        failed = forced or ended is None or ended.code != 0
        return policy == "Always" or (policy == "OnFailure" and failed)

    def _refuse(self) -> None:
        message = "the process node cannot run this pod: " + "; ".join(self.pod.refusals)
        self.record.state = Waiting(reason="CreateContainerConfigError", message=message)
        self._around.events.warning(self.pod, "Failed", f"Error: {message}")
        self.publish()

    async def _wait_before_restart(self, ended: Exit) -> None:
        pod = self.pod
        now_s = time.monotonic()
        delay_s = self._back_off.ended(at_s=now_s)
        if delay_s:
            name = pod.container.name
            message = f"back-off {_go_duration(delay_s)} restarting failed container={name}"
            self.record.last = ended
            self.record.state = Waiting(
                reason="CrashLoopBackOff", message=f"{message} pod={pod.title}"
            )
            self.publish()
            self._around.events.warning(
                pod,
                "BackOff",
                f"Back-off restarting failed container {name} in pod {pod.title}",
            )
            await asyncio.sleep(delay_s)
        self._back_off.next(now_s=time.monotonic())

    async def _run_once(self) -> tuple[Exit, bool]:
        """Start the container and return how it ended, and whether a probe had it killed."""
        prepared = await self._prepare(await self._pull())
        events, pod = self._around.events, self.pod
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
        around.ports.add(record.ip, self.pod.uid, hidden=hidden)
        if "memory" in self.pod.container.limits:
            around.memory.add(run, int(quantity.parse(self.pod.container.limits["memory"])))
        self._stopping = None
        record.prober = Prober(self.pod.container, self._callbacks(run))
        probing = asyncio.create_task(record.prober.run())
        self.publish()
        try:
            ended = await run.wait()
        finally:
            probing.cancel()
        self._ended(run)
        if probing.done() and not probing.cancelled() and probing.exception() is not None:
            _LOG.error("prober failed pod=%s", self.pod.title, exc_info=probing.exception())
        return ended, self._stopping is not None

    def _ended(self, run: ContainerRun) -> None:
        self._around.memory.remove(run)
        self._around.ports.remove(self.record.ip, self.pod.uid)

    # Before the start.

    async def _pull(self) -> images.Image:
        delay = BackOff(base_s=self._around.settings.back_off_base_s)
        while True:
            name = self.pod.container.image
            try:
                image = images.find(name)
            except images.UnknownImageError:
                await self._pull_failed(name, delay)
                continue
            message = f'Container image "{name}" already present on machine'
            self._around.events.normal(
                self.pod, "Pulled", f"{message} and can be accessed by the pod"
            )
            self.record.image_id = image.digest
            return image

    async def _pull_failed(self, name: str, delay: BackOff) -> None:
        self._image_changed.clear()
        if self.pod.container.pull_policy == "Never":
            await self._pull_not_tried(name)
            return
        events, pod = self._around.events, self.pod
        events.normal(pod, "Pulling", f'Pulling image "{name}"')
        message = (
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{name}": '
            f'failed to resolve reference "{name}": {name}: not found'
        )
        events.warning(pod, "Failed", f'Failed to pull image "{name}": {message}')
        events.warning(pod, "Failed", "Error: ErrImagePull")
        self._wait_state("ErrImagePull", message)
        # Seen by whoever watches, before the back-off takes its place.
        await self._writer.settled()
        delay.next(now_s=time.monotonic())
        backing_off = f'Back-off pulling image "{name}"'
        events.normal(pod, "BackOff", backing_off)
        events.warning(pod, "Failed", "Error: ImagePullBackOff")
        self._wait_state("ImagePullBackOff", f"{backing_off}: ErrImagePull: {message}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay.delay_s):
                await self._image_changed.wait()

    async def _pull_not_tried(self, name: str) -> None:
        message = f'Container image "{name}" is not present with pull policy of Never'
        self._around.events.warning(self.pod, "ErrImageNeverPull", message)
        self._wait_state("ErrImageNeverPull", message)
        await self._image_changed.wait()

    async def _prepare(self, image: images.Image) -> Prepared:
        around, record = self._around, self.record
        while True:
            try:
                return await prepare(self.pod, image, around, ip=record.ip, restart=record.restarts)
            except SourceError as error:
                around.events.warning(self.pod, "Failed", f"Error: {error}")
                await self._wait_as("CreateContainerConfigError", str(error), SOURCE_RETRY_S)

    def _wait_state(self, reason: str, message: str) -> None:
        if isinstance(self.record.state, Exit):
            self.record.last = self.record.state
        self.record.state = Waiting(reason=reason, message=message)
        self.publish()

    async def _wait_as(self, reason: str, message: str, delay_s: float) -> None:
        self._wait_state(reason, message)
        await asyncio.sleep(delay_s)

    # Probes.

    def _callbacks(self, run: ContainerRun) -> Callbacks:
        async def ask(asked: Probe) -> Answer:
            return await self._ask(run, asked)

        async def listening(port: int) -> None:
            await self._around.ports.listening(self.record.ip, port)

        def unhealthy(kind: str, output: str) -> None:
            self._around.events.warning(self.pod, "Unhealthy", f"{kind} probe failed: {output}")

        def kill(kind: str, failed: Probe) -> None:
            name = self.pod.container.name
            message = f"Container {name} failed {kind} probe, will be restarted"
            self._around.events.normal(self.pod, "Killing", message)
            grace_s = self.pod.grace_s if failed.grace_s is None else failed.grace_s
            self._stopping = asyncio.create_task(self._stop(run, grace_s))

        return Callbacks(
            ask=ask, listening=listening, unhealthy=unhealthy, changed=self.publish, kill=kill
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

    async def _stop(self, run: ContainerRun, grace_s: float) -> None:
        begun = time.monotonic()
        hook = self.pod.container.pre_stop
        if hook is not None and grace_s > 0:
            failure = await container_exec.run_hook(run, hook, timeout_s=grace_s)
            if failure:
                self._around.events.warning(
                    self.pod, "FailedPreStopHook", f"PreStopHook failed: {failure}"
                )
        left_s = grace_s - (time.monotonic() - begun)
        await run.stop(max(left_s, MIN_GRACE_S if grace_s else 0.0))

    async def stop_now(self, grace_s: float) -> None:
        """The node ends: stop the container; its pod stays in the API."""
        await self._cease()
        if self.record.run is not None:
            await self.record.run.stop(grace_s)

    async def _cease(self) -> None:
        """Start the container no more; one that runs goes on."""
        if self._living is not None:
            self._living.cancel()
            await asyncio.wait({self._living})

    async def _finish(self) -> None:
        """Stop the container of a deleted pod, tell how it ended, remove the pod."""
        run = self.record.run
        if run is not None and run.is_running:
            name = self.pod.container.name
            self._around.events.normal(self.pod, "Killing", f"Stopping container {name}")
            await self._stop_within_grace(run)
        if run is not None and isinstance(self.record.state, Running):
            self.record.state = await run.wait()
            self._ended(run)
        if self._removed:
            return
        if isinstance(self.record.state, Exit):
            self.record.final = True
            self.publish()
            await self._writer.settled()
        await self._delete_object()

    async def _stop_within_grace(self, run: ContainerRun) -> None:
        """Stop; a later deletion with a shorter grace shortens this one."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        stopping = asyncio.create_task(self._stop(run, max(self._grace_s, MIN_GRACE_S)))
        while not stopping.done():
            if loop.time() > begun + max(self._grace_s, MIN_GRACE_S):
                run.kill()
            await asyncio.wait({stopping}, timeout=0.2)
        await stopping

    async def _delete_object(self) -> None:
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.pod.uid}}
        while True:
            try:
                await self._around.api.delete(self.pod.path, body)
            except ApiError as error:
                if error.status in {404, 409}:
                    return
                _LOG.warning("pod not removed pod=%s error=%s", self.pod.title, error)
                await asyncio.sleep(DELETE_RETRY_S)
            else:
                return

    def publish(self) -> None:
        """Tell the API how the pod is."""
        rendered = status.render(self.pod, self.record.snapshot(), self._conditions, clock.now())
        self._conditions = {
            condition["type"]: (condition["status"], condition["lastTransitionTime"])
            for condition in rendered["conditions"]
        }
        self._writer.publish(rendered)


def _go_duration(seconds_: float) -> str:
    """Write a duration as Go does: `10s`, `2m40s`, `5m0s`."""
    if seconds_ < 60:
        return f"{seconds_:g}s"
    return f"{int(seconds_ // 60)}m{seconds_ % 60:g}s"
