"""The pods of this node: a worker for each, started and told by the watch."""

import asyncio
import logging
import shutil
from collections.abc import Iterable

from traderx_embedded.kubernetes.node import pod as pods
from traderx_embedded.kubernetes.node.container import ContainerRun
from traderx_embedded.kubernetes.node.pod import Pod
from traderx_embedded.kubernetes.node.surroundings import Surroundings
from traderx_embedded.kubernetes.node.watching import Changed, Listed, Removed, watch
from traderx_embedded.kubernetes.node.worker import PodWorker

_LOG = logging.getLogger(__name__)


class Agent:
    """Runs what is assigned to this node."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def find(self, namespace: str, name: str) -> PodWorker | None:
        """Return the worker of the pod of this name."""
        for worker in self._workers.values():
            if (worker.pod.namespace, worker.pod.name) == (namespace, name):
                return worker
        return None

    def workers(self) -> Iterable[PodWorker]:
        """Return all workers."""
        return tuple(self._workers.values())

    def runs(self) -> Iterable[ContainerRun]:
        """Return what runs now."""
        found = (worker.active.record.run for worker in self._workers.values())
        return tuple(run for run in found if run is not None and run.is_running)

    async def run(self) -> None:
        """Follow the assignments until cancelled."""
        selector = f"fieldSelector=spec.nodeName%3D{self._around.settings.node_name}"
        async for change in watch(self._around.api, "/api/v1/pods", selector=selector):
            match change:
                case Listed(items=items):
                    self._listed([pods.parse(item) for item in items])
                case Changed(item=item):
                    self._changed(pods.parse(item))
                case Removed(item=item):
                    self._removed(item["metadata"]["uid"])

    async def stop(self, grace_s: float) -> None:
        """Stop every container; the pods stay in the API and are started by the next node."""
        for task in self._tasks.values():
            task.add_done_callback(_silence)
        await asyncio.gather(*(worker.stop_now(grace_s) for worker in self._workers.values()))
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    def _listed(self, found: list[Pod]) -> None:
        known = {pod.uid for pod in found}
        for uid in self._workers.keys() - known:
            self._removed(uid)
        self._forget_directories(known)
        # Pods that have an address already keep it: they come first.
        for pod in sorted(found, key=lambda pod: "podIP" not in pod.status):
            self._changed(pod)

    def _changed(self, pod: Pod) -> None:
        worker = self._workers.get(pod.uid)
        if worker is None:
            worker = PodWorker(pod, self._around)
            self._workers[pod.uid] = worker
            task = asyncio.create_task(worker.run(), name=f"pod {pod.title}")
            self._tasks[pod.uid] = task
            task.add_done_callback(lambda done: self._ended(pod, done))
        worker.update(pod)

    def _removed(self, uid: str) -> None:
        worker = self._workers.get(uid)
        if worker is not None:
            worker.remove()

    def _ended(self, pod: Pod, task: asyncio.Task[None]) -> None:
        self._workers.pop(pod.uid, None)
        self._tasks.pop(pod.uid, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("pod abandoned pod=%s", pod.title, exc_info=error)
            self._around.events.warning(pod, "FailedSync", f"error in the process node: {error!r}")

    def _forget_directories(self, known: set[str]) -> None:
        root = self._around.settings.pods
        for directory in root.iterdir() if root.exists() else ():
            if directory.name not in known:
                shutil.rmtree(directory)


def _silence(task: asyncio.Task[None]) -> None:
    """Take note of a worker's end at the end of the node; its errors were logged."""
    if not task.cancelled():
        task.exception()
