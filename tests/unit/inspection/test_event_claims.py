import datetime as dt
from typing import Any

import pytest

from traderx_gate.inspection import events

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
LONG_AGO = NOW - dt.timedelta(hours=1)
JUST_NOW = "2026-11-24T11:59:00Z"


def warning(**fields: Any) -> dict[str, Any]:
    """A warning about a pod that is there."""
    return {
        "metadata": {},
        "type": "Warning",
        "reason": "BackOff",
        "message": "back-off",
        "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": "shop"},
        "lastTimestamp": JUST_NOW,
        **fields,
    }


def told(
    event: dict[str, Any],
    ready: dt.datetime | None = LONG_AGO,
    other: dt.datetime | None = None,
    *,
    gone: bool = False,
) -> list[tuple[str, str, str]]:
    """Subject, expected and seen of what a warning led to; the last observation is the look."""
    pods = {"web-1": ready, "db-1": other}
    *found, look = events.warnings([event], pods=pods, now=NOW, is_gone=lambda _: gone)
    assert (look.met, look.seen, [o.met for o in found]) == (True, "1 read", [False] * len(found))
    return [(o.subject, o.expected, o.seen) for o in found]


SEEN = "BackOff: back-off at 2026-11-24 11:59:00+00:00"


@pytest.mark.parametrize(
    ("event", "subject", "seen"),
    [
        (warning(), "Pod web-1", SEEN),
        (warning(lastTimestamp=None, eventTime=JUST_NOW), "Pod web-1", SEEN),
        (
            warning(
                series={"lastObservedTime": JUST_NOW}, lastTimestamp=None, eventTime=str(LONG_AGO)
            ),
            "Pod web-1",
            SEEN,
        ),
        (warning(lastTimestamp=None, deprecatedLastTimestamp=JUST_NOW), "Pod web-1", SEEN),
        (
            warning(lastTimestamp=None, metadata={"creationTimestamp": JUST_NOW}),
            "Pod web-1",
            SEEN,
        ),
        (warning(message=None, note="back-off"), "Pod web-1", SEEN),
        (
            warning(involvedObject=None, regarding={"kind": "Pod", "name": "web-1"}),
            "Pod web-1",
            SEEN,
        ),
        (warning(involvedObject={"kind": "Service", "name": "gone"}), "Service gone", SEEN),
    ],
)
def test_warning_is_told(event: dict[str, Any], subject: str, seen: str) -> None:
    """A warning of the window is told with object, reason, message and time, in any form."""
    assert told(event) == [(subject, "no warning", seen)]


@pytest.mark.parametrize(
    ("event", "ready"),
    [
        (warning(type="Normal"), LONG_AGO),
        (warning(lastTimestamp="2026-11-24T11:50:00Z"), LONG_AGO),
        (warning(), dt.datetime(2026, 11, 24, 11, 59, tzinfo=dt.UTC)),
        (warning(lastTimestamp=None), LONG_AGO),
        (warning(involvedObject={"kind": "Pod", "name": "gone"}), LONG_AGO),
    ],
    ids=["no warning", "long ago", "before ready", "without time", "of a pod that is gone"],
)
def test_event_that_does_not_count(event: dict[str, Any], ready: dt.datetime) -> None:
    """What is no warning, old, part of the rollout, or of a pod that is gone, is not told."""
    assert told(event, ready) == []


def cluster_ip(message: str) -> dict[str, Any]:
    """A warning about the address of a Service that is there."""
    about = {"kind": "Service", "name": "web", "namespace": "shop"}
    return warning(reason="ClusterIPNotAllocated", message=message, involvedObject=about)


@pytest.mark.parametrize(
    ("message", "counts"),
    [
        ("Cluster IP [IPv4]: 10.0.1.1 is not allocated; repairing", False),
        (
            "the ClusterIP [IPv4]: 10.0.1.1 for Service a/b has a wrong reference; repairing",
            True,
        ),
    ],
)
def test_address_of_a_new_service_is_no_trouble(message: str, *, counts: bool) -> None:
    """That the API server allocates an address late is not told, that two had one is."""
    assert bool(told(cluster_ip(message))) == counts


LATER = dt.datetime(2026, 11, 24, 11, 59, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("ready", "counts"),
    [(None, True), (LONG_AGO, True), (LATER, False)],
    ids=["not ready", "ready before", "ready afterwards"],
)
def test_warning_about_a_pod_ends_with_its_own_rollout(
    ready: dt.datetime | None,
    counts: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Of a pod counts what was warned of since it is ready, whenever another became ready."""
    assert bool(told(warning(), ready, other=LATER)) is counts


def test_warning_about_anything_else_ends_with_the_last_rollout() -> None:
    """Of what is no pod counts what was warned of since the last pod is ready."""
    about = {"kind": "Service", "name": "web"}
    event = warning(involvedObject=about)
    assert (len(told(event, LONG_AGO)), told(event, LONG_AGO, other=LATER)) == (1, [])


def test_no_event_at_all() -> None:
    """Where nothing happened one observation says that it was looked for, and since when."""
    (look,) = events.warnings([], pods={}, now=NOW, is_gone=lambda _: False)
    assert (look.subject, look.expected, look.seen, look.met) == (
        "events since 2026-11-24 11:50:00+00:00",
        "could be read",
        "0 read",
        True,
    )


def test_nothing_counts_of_what_is_gone() -> None:
    """A warning about an object that was removed since, as a repair does, counts no more."""
    event = warning(involvedObject={"kind": "Service", "name": "web", "namespace": "shop"})
    assert told(event)
    assert told(event, gone=True) == []
