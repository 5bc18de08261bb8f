"""Nodes: ready and without pressure; cordons are stated."""

from traderx_gate.kube import Manifest
from traderx_gate.verdict import Observation

EXPECTED = "Ready, without pressure"


def fitness(node: Manifest) -> Observation:
    """Tell whether a node can carry what runs on it."""
    conditions = {c["type"]: c for c in (node.get("status") or {}).get("conditions") or ()}
    ready = conditions.get("Ready", {}).get("status") == "True"
    pressures = sorted(
        kind for kind, c in conditions.items() if kind != "Ready" and c["status"] != "False"
    )
    problems = ([] if ready else ["not Ready"]) + pressures
    cordoned = "; cordoned: no new pod is placed there" if _is_cordoned(node) else ""
    return Observation(
        subject=f"node {node['metadata']['name']}",
        expected=EXPECTED,
        seen=(", ".join(problems) or EXPECTED) + cordoned,
        met=not problems,
        where=f"kubectl describe node {node['metadata']['name']}",
    )


def taking(nodes: tuple[Manifest, ...]) -> tuple[str, ...]:
    """Return the names of the nodes that take new pods."""
    return tuple(node["metadata"]["name"] for node in nodes if not _is_cordoned(node))


def schedulable(nodes: tuple[Manifest, ...]) -> Observation:
    """Tell whether at least one node takes new pods."""
    free = taking(nodes)
    return Observation(
        subject="nodes that take new pods",
        expected="at least one",
        seen=", ".join(free) or "none: all are cordoned",
        met=bool(free),
        where="kubectl get nodes",
    )


def _is_cordoned(node: Manifest) -> bool:
    return bool(node["spec"].get("unschedulable"))
