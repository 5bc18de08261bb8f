"""Events: nothing warned of since the environment has been ready."""

import datetime as dt
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from traderx_gate.kube import Manifest, parse_time
from traderx_gate.verdict import Observation

WINDOW = dt.timedelta(minutes=10)
"""How far back warnings count."""


def warnings(
    events: Iterable[Manifest],
    *,
    pods: AbstractSet[str],
    since: dt.datetime,
    now: dt.datetime,
) -> Iterator[Observation]:
    """Yield one observation for every warning since then, and one for the look itself.

    A pod that is gone, as after a repair, is warned of no longer.

    Args:
        events: The events of the namespace.
        pods: The names of its pods.
        since: When the last pod became ready; what was warned of before belongs to the rollout.
        now: The end of the window.
    """
    start = max(since, now - WINDOW)
    read = 0
    for event in events:
        read += 1
        at = _last(event)
        if event.get("type") != "Warning" or at is None or at <= start:
            continue
        about = event.get("involvedObject") or event.get("regarding") or {}
        if about.get("kind") == "Pod" and about.get("name") not in pods:
            continue
        yield Observation(
            subject=f"{about.get('kind')} {about.get('name')}",
            expected="no warning",
            seen=f"{event.get('reason')}: {event.get('message') or event.get('note')} at {at}",
            met=False,
            where=f"kubectl -n {about.get('namespace')} get events --field-selector type=Warning",
        )
    yield Observation(
        subject=f"events since {start}",
        expected="could be read",
        seen=f"{read} read",
        met=True,
    )


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
