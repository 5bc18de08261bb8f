from typing import Any

from traderx_embedded.kubernetes.node import pod
from traderx_embedded.kubernetes.node.record import ContainerRecord, recover

ENDED = {"startedAt": "2026-11-24T00:00:00Z", "finishedAt": "2026-11-24T00:00:01Z"}


def recovered(state: dict[str, Any]) -> ContainerRecord:
    """The record of an init container whose status is of an earlier node."""
    metadata = {"uid": "1", "namespace": "ns", "name": "web", "creationTimestamp": "now"}
    containers = [{"name": "main", "image": "any"}]
    spec = {"containers": containers, "initContainers": [{"name": "first", "image": "any"}]}
    status = {"name": "first", "restartCount": 1, "containerID": "process://1", "state": state}
    told = {"metadata": metadata, "spec": spec, "status": {"initContainerStatuses": [status]}}
    (seen,) = pod.parse(told).for_init()
    return recover(seen)


def test_completed_one_is_not_run_again() -> None:
    """An init container that completed has completed also for the next node."""
    record = recovered({"terminated": {"exitCode": 0, **ENDED}})
    assert record.snapshot().has_completed


def test_failed_one_is_run_again() -> None:
    """An init container that failed, or was lost with its node, has not completed."""
    failed = recovered({"terminated": {"exitCode": 1, **ENDED}})
    lost = recovered({"running": {"startedAt": "2026-11-24T00:00:00Z"}})
    assert [record.snapshot().has_completed for record in (failed, lost)] == [False, False]
    assert [record.final for record in (failed, lost)] == [False, False]
