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


def told(event: dict[str, Any], since: dt.datetime = LONG_AGO) -> list[tuple[str, str, str]]:
    """Subject, expected and seen of what a warning led to; the last observation is the look."""
    *found, look = events.warnings([event], pods=frozenset({"web-1"}), since=since, now=NOW)
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
    ("event", "since"),
    [
        (warning(type="Normal"), LONG_AGO),
        (warning(lastTimestamp="2026-11-24T11:50:00Z"), LONG_AGO),
        (warning(), dt.datetime(2026, 11, 24, 11, 59, tzinfo=dt.UTC)),
        (warning(lastTimestamp=None), LONG_AGO),
        (warning(involvedObject={"kind": "Pod", "name": "gone"}), LONG_AGO),
    ],
    ids=["no warning", "long ago", "before ready", "without time", "of a pod that is gone"],
)
def test_event_that_does_not_count(event: dict[str, Any], since: dt.datetime) -> None:
    """What is no warning, old, part of the rollout, or of a pod that is gone, is not told."""
    assert told(event, since) == []


def test_no_event_at_all() -> None:
    """Where nothing happened one observation says that it was looked for, and since when."""
    (look,) = events.warnings([], pods=frozenset(), since=LONG_AGO, now=NOW)
    assert (look.subject, look.expected, look.seen, look.met) == (
        "events since 2026-11-24 11:50:00+00:00",
        "could be read",
        "0 read",
        True,
    )
