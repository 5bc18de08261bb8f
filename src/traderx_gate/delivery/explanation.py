"""Why a service failed: its pods, what the cluster warned of, its last log lines."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import GateError, KubernetesError
from traderx_gate.kube import Pod

LOG_LINES = 8
EVENTS = 5


def explain(deployed: DeployedEnvironment, slug: str, error: GateError) -> str:
    """Return why a service failed: what was waited for, its events, its last log lines."""
    service = deployed.application.service(slug)
    lines = [f"{slug} failed: {error}"]
    try:
        waiting = [pod for pod in deployed.pods(service) if not pod.ready]
        lines += [f"  pod {pod}" for pod in waiting]
        lines += [f"  event {text}" for text in _events(deployed, service)]
        for pod in waiting[:1]:
            lines += [f"  log {pod.name}: {line}" for line in _log_lines(deployed, pod)]
    except GateError as unreadable:
        lines.append(f"  (pods, events and logs cannot be read: {unreadable})")
    return "\n".join(lines)


def _log_lines(deployed: DeployedEnvironment, pod: Pod) -> list[str]:
    try:
        text = deployed.kube.logs(pod.namespace, pod.name, lines=LOG_LINES)
    except KubernetesError as error:  # a container that never started has none
        return [f"none, {error}"]
    return text.splitlines()


def _events(deployed: DeployedEnvironment, service: Service) -> list[str]:
    """Return the newest warnings; those about pods that are gone are of an earlier deployment."""
    pods = {pod.name for pod in deployed.pods(service)}
    events = [
        event
        for event in deployed.kube.list("v1", "Event", namespace=deployed.spec.namespace)
        if event.get("type") == "Warning" and _is_about(event["involvedObject"], service, pods)
    ]
    events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    return [f"{e['reason']}: {e['message']} (x{e.get('count') or 1})" for e in events[-EVENTS:]]


def _is_about(involved: Mapping[str, str], service: Service, pods: AbstractSet[str]) -> bool:
    name = involved.get("name", "")
    return name in pods if involved.get("kind") == "Pod" else name.startswith(service.slug)
