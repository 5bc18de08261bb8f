from typing import Any

from traderx_embedded.kubernetes.node import clock, pod, status
from traderx_embedded.kubernetes.node.container import Exit
from traderx_embedded.kubernetes.node.record import recover
from traderx_embedded.kubernetes.node.status import Running, Waiting

MOMENT = clock.parse("2026-11-24T00:00:00Z")


def parsed(status_: dict[str, Any]) -> pod.Pod:
    metadata = {"uid": "1", "namespace": "ns", "name": "web", "creationTimestamp": "now"}
    spec = {"containers": [{"name": "main", "image": "any"}]}
    return pod.parse({"metadata": metadata, "spec": spec, "status": status_})


def exited(code: int) -> Exit:
    return Exit(
        code=code, reason="Error", started=MOMENT, finished=MOMENT, container_id="process://1"
    )


def rendered(**changes: Any) -> dict[str, Any]:
    record = recover(parsed({}))
    for name, value in changes.items():
        setattr(record, name, value)
    return status.render(parsed({}), record.snapshot(), {}, MOMENT)


def test_new_pod_has_no_history() -> None:
    """A pod without a status starts from the beginning."""
    record = recover(parsed({}))
    assert (record.restarts, record.last, record.has_run) == (0, None, False)


def test_running_container_of_a_dead_node_is_lost() -> None:
    """A container that ran when its node died has ended in a way that nobody saw."""
    running = {"running": {"startedAt": "2026-11-24T00:00:00Z"}}
    container = {"restartCount": 2, "containerID": "process://1", "state": running}
    record = recover(parsed({"podIP": "10.244.0.9", "containerStatuses": [container]}))
    assert record.last is not None
    assert (record.last.code, record.last.reason) == (255, "Unknown")
    assert (record.restarts, record.ip, record.has_run) == (2, "10.244.0.9", True)


def test_ended_pod_stays_as_it_ended() -> None:
    """A pod that has ended for good keeps its exit code and is not started again."""
    ended = {"terminated": {"exitCode": 3, "startedAt": "2026-11-24T00:00:00Z"}}
    container = {"restartCount": 0, "containerID": "process://1", "state": ended}
    record = recover(parsed({"phase": "Failed", "containerStatuses": [container]}))
    assert record.final
    assert record.state == record.last
    assert isinstance(record.state, Exit)
    assert record.state.code == 3


def test_phase_follows_the_container() -> None:
    """A pod's phase is what its container's state and history say."""
    assert rendered(state=Waiting(reason="ContainerCreating"))["phase"] == "Pending"
    assert rendered(state=Waiting(reason="CrashLoopBackOff"), last=exited(1))["phase"] == "Running"
    assert rendered(state=Running(started=MOMENT))["phase"] == "Running"
    assert rendered(state=exited(0), final=True)["phase"] == "Succeeded"
    assert rendered(state=exited(1), final=True)["phase"] == "Failed"


def test_kept_condition_keeps_its_time() -> None:
    """A condition whose status is as before keeps its transition time, another gets the new one."""
    long_ago = ("True", "2020-01-01T00:00:00Z")
    before = {"Initialized": long_ago, "Ready": long_ago}
    record = recover(parsed({}))
    conditions = status.render(parsed({}), record.snapshot(), before, MOMENT)["conditions"]
    times = {item["type"]: item["lastTransitionTime"] for item in conditions}
    assert times["Initialized"] == "2020-01-01T00:00:00Z"
    assert times["Ready"] == "2026-11-24T00:00:00Z"
