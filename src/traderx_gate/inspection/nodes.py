"""Nodes: ready and without pressure; what keeps new pods off them is stated."""

from traderx_gate.kube import Manifest
from traderx_gate.verdict import Observation

EXPECTED = "Ready, without pressure"
CLOSING = frozenset({"NoSchedule", "NoExecute"})
"""Effects of taints that keep pods off which do not tolerate them: no unit of ours does."""


def fitness(node: Manifest) -> Observation:
    """Tell whether a node can carry what runs on it."""
    conditions = {c["type"]: c for c in (node.get("status") or {}).get("conditions") or ()}
    ready = conditions.get("Ready", {}).get("status") == "True"
    pressures = sorted(
        kind for kind, c in conditions.items() if kind != "Ready" and c["status"] != "False"
    )
    problems = ([] if ready else ["not Ready"]) + pressures
    closed = _closed_by(node)
    closing = f"; {closed}: no new pod is placed there" if closed else ""
    return Observation(
        subject=f"node {node['metadata']['name']}",
        expected=EXPECTED,
        seen=(", ".join(problems) or EXPECTED) + closing,
        met=not problems,
        where=f"kubectl describe node {node['metadata']['name']}",
    )


def taking(nodes: tuple[Manifest, ...]) -> tuple[str, ...]:
    """Return the names of the nodes that take new pods."""
    return tuple(node["metadata"]["name"] for node in nodes if not _closed_by(node))


def schedulable(nodes: tuple[Manifest, ...]) -> Observation:
    """Tell whether at least one node takes new pods."""
    free = taking(nodes)
    closed = ", ".join(f"{node['metadata']['name']} {_closed_by(node)}" for node in nodes)
    return Observation(
        subject="nodes that take new pods",
        expected="at least one",
        seen=", ".join(free) or f"none: {closed or 'there is no node'}",
        met=bool(free),
        where="kubectl get nodes",
    )


def _closed_by(node: Manifest) -> str:
    """Return what keeps new pods off a node; empty for nothing."""
    taints = [
        f"tainted {taint['key']}:{taint['effect']}"
        for taint in node["spec"].get("taints") or ()
        # a cordon is told once: the node controller adds this taint to it
        if taint["effect"] in CLOSING and taint["key"] != "node.kubernetes.io/unschedulable"
    ]
    return " and ".join(["cordoned"] * bool(node["spec"].get("unschedulable")) + taints)
