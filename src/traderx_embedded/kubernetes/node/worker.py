"""One pod, from its assignment to this node until it is gone from the API.

Its init containers run one after the other, then its main container: each has its `Keeper`.
`status.py` tells the API.
"""

import asyncio
import logging
import shutil

from traderx_embedded.kubernetes.node import clock, status
from traderx_embedded.kubernetes.node.api import ApiError
from traderx_embedded.kubernetes.node.container import ContainerRun, Exit
from traderx_embedded.kubernetes.node.keeper import MIN_GRACE_S, Keeper
from traderx_embedded.kubernetes.node.pod import Pod
from traderx_embedded.kubernetes.node.record import ContainerRecord
from traderx_embedded.kubernetes.node.status import Running, Waiting
from traderx_embedded.kubernetes.node.status_writer import StatusWriter
from traderx_embedded.kubernetes.node.surroundings import Surroundings

_LOG = logging.getLogger(__name__)

DELETE_RETRY_S = 1.0


class PodWorker:
    """Runs one pod."""

    def __init__(self, pod: Pod, around: Surroundings) -> None:
        self.pod = pod
        self._around = around
        self._writer = StatusWriter(around.api, pod)
        self._main, *self._inits = (
            Keeper(seen, around, publish=self.publish, settled=self._writer.settled)
            for seen in (pod, *pod.for_init())
        )
        self._conditions = {
            condition["type"]: (condition["status"], condition.get("lastTransitionTime") or "")
            for condition in pod.status.get("conditions") or ()
        }
        self._deletion = asyncio.Event()
        self._grace_s = pod.grace_s
        self._removed = False
        self._living: asyncio.Task[None] | None = None

    @property
    def record(self) -> ContainerRecord:
        """The main container's record."""
        return self._main.record

    @property
    def admin_port(self) -> int:
        """Where the main container's program takes switches; 0 if it takes none."""
        return self._main.admin_port

    def keeper(self, container: str) -> Keeper | None:
        """Return who keeps the container of this name."""
        found = (keeper for keeper in (self._main, *self._inits) if keeper.name == container)
        return next(found, None)

    # What the agent tells.

    def update(self, pod: Pod) -> None:
        """Take note of a new version of the pod."""
        self.pod = pod
        keepers = (self._main, *self._inits)
        for keeper, seen in zip(keepers, (pod, *pod.for_init()), strict=True):
            keeper.update(seen)
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
        for keeper in self._inits:
            keeper.record.ip = record.ip
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
        keeper = self.active
        if keeper.record.run is not None:
            keeper.record.run.kill()
            keeper.forget(keeper.record.run)
        self._around.addresses.release(self.record.ip, self.pod.uid)
        if self._deletion.is_set():
            shutil.rmtree(self._around.settings.pods / self.pod.uid, ignore_errors=True)

    # Running.

    async def _live(self) -> None:
        if self.pod.is_terminal:
            return
        if self.pod.refusals:
            self._refuse()
            return
        for keeper in (*self._inits, self._main):
            await keeper.keep()
            if keeper is not self._main and not keeper.record.snapshot().has_completed:
                break
        self._around.addresses.release(self.record.ip, self.pod.uid)

    def _refuse(self) -> None:
        message = "the process node cannot run this pod: " + "; ".join(self.pod.refusals)
        self.record.state = Waiting(reason="CreateContainerConfigError", message=message)
        self._around.events.warning(self.pod, "Failed", f"Error: {message}")
        self.publish()

    # The end.

    @property
    def active(self) -> Keeper:
        """Who keeps the container that runs now, else the main one."""
        return next((keeper for keeper in self._inits if keeper.is_running), self._main)

    async def stop_now(self, grace_s: float) -> None:
        """The node ends: stop the container; its pod stays in the API."""
        await self._cease()
        run = self.active.record.run
        if run is not None:
            await run.stop(grace_s)

    async def _cease(self) -> None:
        """Start the container no more; one that runs goes on."""
        if self._living is not None:
            self._living.cancel()
            await asyncio.wait({self._living})

    async def _finish(self) -> None:
        """Stop the container of a deleted pod, tell how it ended, remove the pod."""
        keeper = self.active
        run = keeper.record.run
        if run is not None and run.is_running:
            self._around.events.normal(self.pod, "Killing", f"Stopping container {keeper.name}")
            await self._stop_within_grace(keeper, run)
        if run is not None and isinstance(keeper.record.state, Running):
            keeper.record.state = await run.wait()
            keeper.forget(run)
        if self._removed:
            return
        if isinstance(keeper.record.state, Exit):
            keeper.record.final = True
            self.publish()
            await self._writer.settled()
        await self._delete_object()

    async def _stop_within_grace(self, keeper: Keeper, run: ContainerRun) -> None:
        """Stop; a later deletion with a shorter grace shortens this one."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        stopping = asyncio.create_task(keeper.stop(run, max(self._grace_s, MIN_GRACE_S)))
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
        rendered = status.render(
            self.pod,
            self.record.snapshot(),
            self._conditions,
            clock.now(),
            [keeper.record.snapshot() for keeper in self._inits],
        )
        self._conditions = {
            condition["type"]: (condition["status"], condition["lastTransitionTime"])
            for condition in rendered["conditions"]
        }
        self._writer.publish(rendered)
