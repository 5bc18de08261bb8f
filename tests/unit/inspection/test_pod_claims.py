import copy
import datetime as dt
from typing import Any

import pytest

from traderx_gate.inspection import pods

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
AS_IN_UNIT = ("pod web-1", "as in the unit", "as in the unit", True)
FIT = "running, ready, of the newest revision"


def pod() -> dict[str, Any]:
    """A pod as it should be."""
    return {
        "metadata": {
            "name": "web-1",
            "namespace": "shop",
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-new"}],
        },
        "spec": {
            "serviceAccountName": "default",
            "nodeName": "node-1",
            "containers": [
                {
                    "name": "web",
                    "image": "web:1",
                    "env": [{"name": "PORT", "value": "80"}],
                    "resources": {"limits": {"memory": "1Gi"}},
                    "volumeMounts": [{"name": "token", "mountPath": "/token"}],
                }
            ],
        },
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True"},
            ],
            "containerStatuses": [
                {"name": "web", "restartCount": 0, "state": {"running": {}}, "lastState": {}}
            ],
        },
    }


def template() -> dict[str, Any]:
    """What its unit makes of it."""
    spec = {key: value for key, value in pod()["spec"].items() if key != "nodeName"}
    del spec["containers"][0]["volumeMounts"]
    return {"metadata": {}, "spec": spec}


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """A pod with another value at a place."""
    body = place = pod()
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return body


def compared(body: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Subject, expected, seen and met of a pod's comparison with its template."""
    found = pods.configuration(body, template(), namespace="shop")
    return [(o.subject, o.expected, o.seen, o.met) for o in found]


def test_pod_as_in_its_unit() -> None:
    """A pod as its unit has it is one met observation; what admission adds is none."""
    assert compared(pod()) == [AS_IN_UNIT]


CONTAINER = ("spec", "containers", 0)


@pytest.mark.parametrize(
    ("body", "place", "expected", "seen"),
    [
        (
            changed(*CONTAINER, "image", to="web:2"),
            "containers[web].image",
            '"web:1"',
            '"web:2"',
        ),
        (
            changed(*CONTAINER, "env", 0, "value", to="81"),
            "containers[web].env[PORT]",
            '{"name": "PORT", "value": "80"}',
            '{"name": "PORT", "value": "81"}',
        ),
        (
            changed(*CONTAINER, "env", to=[]),
            "containers[web].env[PORT]",
            '{"name": "PORT", "value": "80"}',
            "absent",
        ),
        (
            changed(*CONTAINER, "command", to=["sh"]),
            "containers[web].command",
            "absent",
            '["sh"]',
        ),
        (
            changed(*CONTAINER, "resources", "limits", "memory", to="2Gi"),
            "containers[web].resources.limits.memory",
            '"1Gi"',
            '"2Gi"',
        ),
        (
            changed("spec", "serviceAccountName", to="root"),
            "serviceAccountName",
            '"default"',
            '"root"',
        ),
        (changed("spec", "hostNetwork", to=True), "hostNetwork", "null", "true"),
        (
            changed("spec", "initContainers", to=[{"name": "first", "image": "x"}]),
            "initContainers[first].image",
            "absent",
            '"x"',
        ),
        (changed("metadata", "namespace", to="other"), "metadata.namespace", '"shop"', '"other"'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pod_that_differs(body: dict[str, Any], place: str, expected: str, seen: str) -> None:
    """What somebody changed of a pod is told by its place, with both values."""
    differences = [one for one in compared(body) if not one[0].endswith(".name")]
    assert differences == [(f"pod web-1: {place}", expected, seen, False)]


DELETED = ("metadata", "deletionTimestamp")
STATUS = ("status", "containerStatuses", 0)


@pytest.mark.parametrize(
    ("body", "seen", "met"),
    [
        (pod(), FIT, True),
        (changed("status", "phase", to="Pending"), "is Pending", False),
        (changed("status", "conditions", 1, "status", to="False"), "is not ready", False),
        (changed("status", to={}), "is Pending, is not ready", False),
        (
            changed(*STATUS, "state", to={"waiting": {"reason": "CrashLoopBackOff"}}),
            "web waits: CrashLoopBackOff",
            False,
        ),
        (
            changed(*STATUS, "state", to={"waiting": {"message": "?"}}),
            "web waits: no reason given",
            False,
        ),
        (
            changed("metadata", "ownerReferences", 0, "name", to="web-old"),
            "is of an older revision",
            False,
        ),
        (changed("metadata", "ownerReferences", to=None), "is of an older revision", False),
        (changed(*DELETED, to="2026-11-24T12:00:00Z"), "on its way out", True),
        (changed(*DELETED, to="2026-11-24T11:59:59Z"), "should have been gone 1 s ago", False),
    ],
)
def test_pod_astray(body: dict[str, Any], seen: str, met: bool) -> None:  # noqa: FBT001
    """A pod that does not run, is not ready, old, or does not go, is told with what it is."""
    found = pods.astray(body, newest=["web-new"], now=NOW)
    assert (found.subject, found.expected, found.seen, found.met) == ("pod web-1", FIT, seen, met)


def restarted(count: int, finished: str | None) -> dict[str, Any]:
    """A pod whose container ended before, at a time that may be unknown."""
    ended = {"reason": "Error", "exitCode": 1, "finishedAt": finished}
    body = changed(*STATUS, "restartCount", to=count)
    body["status"]["containerStatuses"][0]["lastState"] = {"terminated": ended} if finished else {}
    return copy.deepcopy(body)


@pytest.mark.parametrize(
    ("body", "seen", "met"),
    [
        (pod(), "0 restarts", True),
        (
            restarted(2, "2026-11-24T11:49:59Z"),
            "2 restarts, last Error (1) at 2026-11-24 11:49:59+00:00",
            True,
        ),
        (
            restarted(2, "2026-11-24T11:50:00Z"),
            "2 restarts, last Error (1) at 2026-11-24 11:50:00+00:00",
            False,
        ),
        (restarted(1, None), "1 restarts", False),
    ],
    ids=["none", "long ago", "lately", "at an unknown time"],
)
def test_restarts(body: dict[str, Any], seen: str, met: bool) -> None:  # noqa: FBT001
    """A restart of the last ten minutes, or of an unknown time, is told with how it ended."""
    (found,) = pods.restarts(body, now=NOW)
    assert (found.subject, found.expected, found.seen, found.met) == (
        "container web of pod web-1",
        "no restart within 10 min",
        seen,
        met,
    )


def test_every_container_is_looked_at() -> None:
    """A restart of the second container is not hidden by the first."""
    body = pod()
    second = {"name": "aside", "restartCount": 1, "state": {"running": {}}}
    body["status"]["containerStatuses"].append(second)
    assert [o.met for o in pods.restarts(body, now=NOW)] == [True, False]
