"""`capabilities`: what the cluster can do, asked by itself."""

import json

from tests.integration.gate.gate_command import NAMESPACE, Gate
from traderx_gate.waiting import Deadline, polling, until

METRICS = "metrics.k8s.io/v1beta1"
DEADLINE_S = 30.0


def test_capabilities_are_told(gate: Gate) -> None:
    """The embedded cluster has an ingress, metrics and addresses that are reached, on one node."""
    until(
        polling(
            lambda: gate.kube.list(METRICS, "PodMetrics", namespace=NAMESPACE),
            every_s=0.1,
            deadline=Deadline(DEADLINE_S),
        ),
        bool,
        what="the first pod to be measured, seconds after it was deployed",
    )
    done = gate.run("capabilities", "dev", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "direct-addresses": True,
        "ingress": True,
        "metrics": True,
        "several-nodes": False,
    }


def test_network_policies_are_tried(gate: Gate) -> None:
    """The API takes a policy that our node does not enforce: tried, that is seen, and removed."""
    done = gate.run("capabilities", "dev", "--network-policy")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["network-policy", "no"]
    phases = {
        body["status"]["phase"]
        for body in gate.kube.list("v1", "Namespace")
        if body["metadata"]["name"].startswith("traderx-gate-probe-")
    }
    assert phases <= {"Terminating"}
