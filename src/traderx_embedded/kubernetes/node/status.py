"""The status of a pod, as a kubelet writes it, made from what the node knows; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from traderx_embedded.kubernetes.node import clock
from traderx_embedded.kubernetes.node.container import Exit
from traderx_embedded.kubernetes.node.pod import Pod

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
    """All that a pod's status says.

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


def render(
    pod: Pod, snapshot: Snapshot, previous: Mapping[str, tuple[str, str]], moment: datetime
) -> dict[str, Any]:
    """Return the status; `previous` has each condition's last status and transition time."""
    phase = _phase(snapshot)
    conditions = [
        _condition(pod, fields, previous, moment) for fields in _conditions(pod, snapshot, phase)
    ]
    return {
        "phase": phase,
        "observedGeneration": pod.generation,
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        "podIP": snapshot.ip,
        "podIPs": [{"ip": snapshot.ip}],
        "startTime": snapshot.pod_started,
        "conditions": conditions,
        "containerStatuses": [_container(pod, snapshot)],
    }


def _phase(snapshot: Snapshot) -> str:
    if snapshot.final and isinstance(snapshot.state, Exit):
        return "Succeeded" if snapshot.state.code == 0 else "Failed"
    if isinstance(snapshot.state, Waiting) and snapshot.last is None:
        return "Pending"
    return "Running"


def _conditions(pod: Pod, snapshot: Snapshot, phase: str) -> list[dict[str, str]]:
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


def _container(pod: Pod, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "name": pod.container.name,
        "image": pod.container.image,
        "imageID": snapshot.image_id,
        "containerID": snapshot.container_id,
        "restartCount": snapshot.restarts,
        "started": snapshot.started,
        "ready": snapshot.ready,
        "state": _state(snapshot.state),
        "lastState": {} if snapshot.last is None else _state(snapshot.last),
        "resources": {
            key: dict(values)
            for key, values in (
                ("limits", pod.container.limits),
                ("requests", pod.container.requests),
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
