"""What the node remembers of a pod's container, from run to run, and from one node to the next.

The API keeps a pod's status when the node dies: a new node goes on from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from traderx_embedded.kubernetes.node import clock
from traderx_embedded.kubernetes.node.container import ContainerRun, Exit
from traderx_embedded.kubernetes.node.pod import Pod
from traderx_embedded.kubernetes.node.prober import Prober
from traderx_embedded.kubernetes.node.status import Running, Snapshot, State, Waiting


@dataclass(slots=True, kw_only=True)
class ContainerRecord:
    """The container's history and present."""

    state: State
    last: Exit | None = None
    restarts: int = 0
    ip: str = ""
    container_id: str = ""
    image_id: str = ""
    pod_started: str = ""
    final: bool = False
    has_run: bool = False
    run: ContainerRun | None = None
    prober: Prober | None = None

    def snapshot(self) -> Snapshot:
        """Return what the status shall say now."""
        probed = self.prober if isinstance(self.state, Running) else None
        return Snapshot(
            ip=self.ip,
            state=self.state,
            last=self.last,
            restarts=self.restarts,
            started=probed is not None and probed.started,
            ready=probed is not None and probed.ready,
            container_id=self.container_id,
            image_id=self.image_id,
            pod_started=self.pod_started,
            final=self.final,
        )


def recover(pod: Pod) -> ContainerRecord:
    """Return the record of the pod's container, which this node process has not seen before."""
    reason = "PodInitializing" if pod.init_containers else "ContainerCreating"
    record = ContainerRecord(
        state=Waiting(reason=reason),
        ip=pod.status.get("podIP", ""),
        pod_started=pod.status.get("startTime") or clock.seconds(clock.now()),
    )
    status = _status(pod)
    if status is None:
        return record
    record.restarts = status.get("restartCount", 0)
    record.container_id = status.get("containerID", "")
    record.image_id = status.get("imageID", "")
    record.has_run = bool(record.container_id)
    state = status.get("state") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
    if "running" in state:
        record.last = _lost(state["running"], record.container_id)
    elif ended:
        record.last = _exit(ended)
    completed = pod.container.is_init and record.last is not None and record.last.code == 0
    if (pod.is_terminal or completed) and record.last is not None:
        record.state, record.final = record.last, True
    return record


def _status(pod: Pod) -> Mapping[str, Any] | None:
    if pod.container.is_init:
        statuses = pod.status.get("initContainerStatuses") or ()
        return next((s for s in statuses if s["name"] == pod.container.name), None)
    statuses = pod.status.get("containerStatuses") or (None,)
    found: Mapping[str, Any] | None = statuses[0]
    return found


def _lost(running: Mapping[str, Any], container_id: str) -> Exit:
    """Return how a run ended that nobody watched: its node was killed."""
    return Exit(
        code=255,
        reason="Unknown",
        started=clock.parse(running["startedAt"]),
        finished=clock.now(),
        container_id=container_id,
    )


def _exit(terminated: Mapping[str, Any]) -> Exit:
    now = clock.seconds(clock.now())
    return Exit(
        code=terminated["exitCode"],
        reason=terminated.get("reason", ""),
        message=terminated.get("message", ""),
        started=clock.parse(terminated.get("startedAt") or now),
        finished=clock.parse(terminated.get("finishedAt") or now),
        container_id=terminated.get("containerID", ""),
    )
