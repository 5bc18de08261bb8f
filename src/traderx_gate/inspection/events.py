"""Events: nothing warned of since the environment has been ready."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from traderx_gate.kube import Manifest, parse_time
from traderx_gate.verdict import Observation

WINDOW = dt.timedelta(minutes=10)
"""How far back warnings count."""
REPAIRED = "is not allocated; repairing"
"""The API server says that of a Service whose ClusterIP its informer has not seen allocated yet,
and allocates it (`repairip.go`, Kubernetes 1.37): seen of Services a second old. That they have
their addresses is claimed by `endpoints.lead_to_the_ready_pods`."""


def warnings(
    events: Iterable[Manifest],
    *,
    pods: Mapping[str, dt.datetime | None],
    now: dt.datetime,
    is_gone: Callable[[Mapping[str, Any]], bool],
) -> Iterator[Observation]:
    """Yield one observation for every warning that counts, and one for the look itself.

    What was warned of before a pod was ready belongs to its rollout; of a pod that is not ready
    everything counts, of what is gone, as after a repair, nothing.

    Args:
        events: The events of the namespace.
        pods: Since when each of its pods is ready, None for one that is not, by name.
        now: The end of the window.
        is_gone: Whether an object that is no pod, as an event refers to it, is there no more; asked
            only of those whose warning would count.
    """
    earliest = now - WINDOW
    # a pod that was not ready for a moment must not hide what others were warned of
    all_ready = max((at for at in pods.values() if at is not None), default=earliest)
    read = 0
    for event in events:
        read += 1
        at = _last(event)
        if event.get("type") != "Warning" or at is None or _is_repaired(event):
            continue
        about = event.get("involvedObject") or event.get("regarding") or {}
        start: dt.datetime | None = all_ready
        if about.get("kind") == "Pod":
            if about.get("name") not in pods:
                continue
            start = pods[about["name"]]
        if at <= max(start or earliest, earliest):
            continue
        if about.get("kind") != "Pod" and is_gone(about):
            continue
        yield Observation(
            subject=f"{about.get('kind')} {about.get('name')}",
            expected="no warning",
            seen=f"{event.get('reason')}: {event.get('message') or event.get('note')} at {at}",
            met=False,
            where=f"kubectl -n {about.get('namespace')} get events --field-selector type=Warning",
        )
    yield Observation(
        subject=f"events since {earliest}",
        expected="could be read",
        seen=f"{read} read",
        met=True,
    )


def _is_repaired(event: Manifest) -> bool:
    told = str(event.get("message") or event.get("note") or "")
    return event.get("reason") == "ClusterIPNotAllocated" and told.endswith(REPAIRED)


def _last(event: Manifest) -> dt.datetime | None:
    """Return when an event was seen last; its three forms keep that in three places."""
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("deprecatedLastTimestamp"),
        event["metadata"].get("creationTimestamp"),
    )
    return parse_time(next((time for time in times if time), None))
