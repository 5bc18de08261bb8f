"""The status of a pod, as a kubelet writes it, made from what the node knows; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from traderx_embedded.kubernetes.node import clock
from traderx_embedded.kubernetes.node.container import Exit
from traderx_embedded.kubernetes.node.pod import Container, Pod

HOST_IP = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The container is not running, and will be tried (again)."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The container runs."""

    started: datetime


State = Waiting | Running | Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that a pod's status says of one container.

    Attributes:
        final: The container will not be started again.
    """

    ip: str
    state: State
    last: Exit | None
    restarts: int
    started: bool
    ready: bool
    container_id: str
    image_id: str
    pod_started: str
    final: bool = False

    @property
    def has_completed(self) -> bool:
        """Whether the container has ended as an init container has to."""
        return self.final and isinstance(self.state, Exit) and self.state.code == 0


def render(
    pod: Pod,
    snapshot: Snapshot,
    previous: Mapping[str, tuple[str, str]],
    moment: datetime,
    inits: Sequence[Snapshot] = (),
) -> dict[str, Any]:
    """Return the status.

    Args:
        pod: The pod, seen from its main container.
        snapshot: The main container.
        previous: Each condition's last status and transition time.
        moment: Now.
        inits: The init containers, in their order.
    """
    phase = _phase(snapshot, inits)
    conditions = [
        _condition(pod, fields, previous, moment)
        for fields in _conditions(pod, snapshot, phase, inits)
    ]
    initial = [
        _container(container, state, started=False, ready=state.has_completed)
        for container, state in zip(pod.init_containers, inits, strict=True)
    ]
    return {
        **({"initContainerStatuses": initial} if initial else {}),
        "phase": phase,
        "observedGeneration": pod.generation,
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        "podIP": snapshot.ip,
        "podIPs": [{"ip": snapshot.ip}],
        "startTime": snapshot.pod_started,
        "conditions": conditions,
        "containerStatuses": [
            _container(pod.container, snapshot, started=snapshot.started, ready=snapshot.ready)
        ],
    }


def _phase(snapshot: Snapshot, inits: Sequence[Snapshot]) -> str:
    if any(init.final and not init.has_completed for init in inits):
        return "Failed"
    if not all(init.has_completed for init in inits):
        return "Pending"
    if snapshot.final and isinstance(snapshot.state, Exit):
        return "Succeeded" if snapshot.state.code == 0 else "Failed"
    if isinstance(snapshot.state, Waiting) and snapshot.last is None:
        return "Pending"
    return "Running"


def _conditions(
    pod: Pod, snapshot: Snapshot, phase: str, inits: Sequence[Snapshot]
) -> list[dict[str, str]]:
    reason, message = "", ""
    if phase == "Succeeded":
        reason = "PodCompleted"
    elif phase == "Failed":
        reason = "PodFailed"
    elif not snapshot.ready:
        reason = "ContainersNotReady"
        message = f"containers with unready status: [{pod.container.name}]"
    ready = {"status": "False" if reason else "True", "reason": reason, "message": message}
    has_sandbox = "False" if phase in {"Succeeded", "Failed"} else "True"
    initialized = {"status": "True", "reason": reason if phase == "Succeeded" else ""}
    incomplete = [
        container.name
        for container, init in zip(pod.init_containers, inits, strict=True)
        if not init.has_completed
    ]
    if incomplete:
        initialized = {
            "status": "False",
            "reason": "ContainersNotInitialized",
            "message": f"containers with incomplete status: [{' '.join(incomplete)}]",
        }
    return [
        {"type": "PodReadyToStartContainers", "status": has_sandbox},
        {"type": "Initialized", **initialized},
        {"type": "Ready", **ready},
        {"type": "ContainersReady", **ready},
        {"type": "PodScheduled", "status": "True"},
    ]


def _condition(
    pod: Pod,
    fields: Mapping[str, str],
    previous: Mapping[str, tuple[str, str]],
    moment: datetime,
) -> dict[str, Any]:
    status, since = previous.get(fields["type"], ("", ""))
    return {
        "reason": None,
        "message": None,
        **{key: value or None for key, value in fields.items()},
        "observedGeneration": pod.generation,
        "lastProbeTime": None,
        "lastTransitionTime": since if status == fields["status"] else clock.seconds(moment),
    }


def _container(
    container: Container, snapshot: Snapshot, *, started: bool, ready: bool
) -> dict[str, Any]:
    return {
        "name": container.name,
        "image": container.image,
        "imageID": snapshot.image_id,
        "containerID": snapshot.container_id,
        "restartCount": snapshot.restarts,
        "started": started,
        "ready": ready,
        "state": _state(snapshot.state),
        "lastState": {} if snapshot.last is None else _state(snapshot.last),
        "resources": {
            key: dict(values)
            for key, values in (
                ("limits", container.limits),
                ("requests", container.requests),
            )
            if values
        },
    }


def _state(state: State) -> dict[str, Any]:
    match state:
        case Waiting():
            return {"waiting": _without_empty({"reason": state.reason, "message": state.message})}
        case Running():
            return {"running": {"startedAt": clock.seconds(state.started)}}
        case Exit():
            return {"terminated": {"exitCode": state.code} | _without_empty(_exit(state))}


def _exit(state: Exit) -> dict[str, str]:
    return {
        "reason": state.reason,
        "message": state.message,
        "startedAt": clock.seconds(state.started),
        "finishedAt": clock.seconds(state.finished),
        "containerID": state.container_id,
    }


def _without_empty(fields: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in fields.items() if value}
