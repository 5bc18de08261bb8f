from typing import Any

import pytest

from traderx_gate.worker import readiness

Json = dict[str, Any]


def _object(kind: str, *, spec: Json, status: Json) -> Json:
    metadata = {"name": "a", "namespace": "n", "generation": 2}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def _deployment(**status: int) -> Json:
    whole = {
        "observedGeneration": 2,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }
    return _object("Deployment", spec={"replicas": 2}, status={**whole, **status})


def _stateful_set(**status: int) -> Json:
    whole = {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}
    return _object("StatefulSet", spec={}, status={**whole, **status})


def _daemon_set(**status: int) -> Json:
    whole = {
        "observedGeneration": 2,
        "desiredNumberScheduled": 3,
        "numberReady": 3,
        "updatedNumberScheduled": 3,
    }
    return _object("DaemonSet", spec={}, status={**whole, **status})


def _job(status: str) -> Json:
    return _object("Job", spec={}, status={"conditions": [{"type": "Complete", "status": status}]})


READY = {
    "deployment": _deployment(),
    "stateful-set": _stateful_set(),
    "daemon-set": _daemon_set(),
    "job": _job("True"),
    "namespace": _object("Namespace", spec={}, status={"phase": "Active"}),
    "config-map": _object("ConfigMap", spec={}, status={}),
}


@pytest.mark.parametrize("live", READY.values(), ids=READY.keys())
def test_ready_object_lacks_nothing(live: Json) -> None:
    """An object that has what its kind asks for lacks nothing."""
    assert readiness.missing(live) == ""


NOT_READY = {
    "deployment-unseen": _deployment(observedGeneration=1),
    "deployment-surplus": _deployment(replicas=3),
    "deployment-old": _deployment(updatedReplicas=1),
    "deployment-unready": _deployment(readyReplicas=1),
    "deployment-unavailable": _deployment(availableReplicas=0),
    "deployment-fresh": _object("Deployment", spec={"replicas": 1}, status={}),
    "stateful-set-unseen": _stateful_set(observedGeneration=1),
    "stateful-set-unready": _stateful_set(readyReplicas=0),
    "stateful-set-old": _stateful_set(updatedReplicas=0),
    "daemon-set-unseen": _daemon_set(observedGeneration=1),
    "daemon-set-unready": _daemon_set(numberReady=2),
    "daemon-set-old": _daemon_set(updatedNumberScheduled=2),
    "job-running": _job("False"),
    "job-fresh": _object("Job", spec={}, status={}),
    "namespace-terminating": _object("Namespace", spec={}, status={"phase": "Terminating"}),
}


@pytest.mark.parametrize("live", NOT_READY.values(), ids=NOT_READY.keys())
def test_unready_object_is_named(live: Json) -> None:
    """An object that lacks something is named with what it lacks."""
    assert readiness.missing(live).startswith(f"{live['kind']} n/a: ")
