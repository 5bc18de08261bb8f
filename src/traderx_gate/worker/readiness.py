"""Whether an applied object is ready: a pure function of it. Most kinds only have to exist."""

from collections.abc import Callable, Mapping

from traderx_gate.kube import Deployment, Manifest, ObjectRef


def is_awaited(kind: str) -> bool:
    """Whether objects of a kind become ready some time after they were applied."""
    return kind in _RULES


def missing(live: Manifest) -> str:
    """Return what an object lacks to be ready, empty if nothing."""
    rule = _RULES.get(live["kind"])
    lacking = rule(live) if rule else ""
    return f"{ObjectRef.of(live)}: {lacking}" if lacking else ""


def _deployment(live: Manifest) -> str:
    deployment = Deployment.from_json(live)
    return "" if deployment.is_rolled_out() else str(deployment)


def _stateful_set(live: Manifest) -> str:
    status = live.get("status") or {}
    desired = live["spec"].get("replicas", 1)
    counts = [status.get(name, 0) for name in ("replicas", "readyReplicas", "updatedReplicas")]
    return _settled(live, desired, counts)


def _daemon_set(live: Manifest) -> str:
    status = live.get("status") or {}
    desired = status.get("desiredNumberScheduled", 0)
    return _settled(
        live, desired, [status.get(name, 0) for name in ("numberReady", "updatedNumberScheduled")]
    )


def _settled(live: Manifest, desired: int, counts: list[int]) -> str:
    observed = (live.get("status") or {}).get("observedGeneration", 0)
    if observed < live["metadata"]["generation"]:
        return "newest spec not yet seen"
    if any(count != desired for count in counts):
        return f"{desired} desired, {min(counts)} ready and updated"
    return ""


def _job(live: Manifest) -> str:
    conditions = (live.get("status") or {}).get("conditions") or ()
    done = any(item["type"] == "Complete" and item["status"] == "True" for item in conditions)
    return "" if done else "not complete"


def _namespace(live: Manifest) -> str:
    phase = (live.get("status") or {}).get("phase", "unknown")
    return "" if phase == "Active" else f"phase {phase}"


_RULES: Mapping[str, Callable[[Manifest], str]] = {
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Job": _job,
    "Namespace": _namespace,
    "StatefulSet": _stateful_set,
}
