import datetime as dt
from typing import Any

import pytest

from traderx_gate.application.layout import load_layout
from traderx_gate.confighub import Filter, Target, Unit, UnitSet, Worker
from traderx_gate.inspection import project

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
TARGET = Target(id="t", space_id="s", slug="kube", worker_id="w")
LAYOUT = load_layout()


def worker(condition: str = "Ready", age_s: float | None = 30) -> Worker:
    """A worker that was seen so long ago."""
    seen = None if age_s is None else NOW - dt.timedelta(seconds=age_s)
    return Worker(
        id="w", space_id="s", slug="w", condition=condition, last_seen_at=seen, secret="x"
    )


@pytest.mark.parametrize(
    ("used", "workers", "subject", "seen", "met"),
    [
        ("t", {"w": worker()}, "kube", "Ready, seen 30 s ago", True),
        ("t", {"w": worker(age_s=31)}, "kube", "Ready, seen 31 s ago", False),
        ("t", {"w": worker(age_s=None)}, "kube", "Ready, never seen", False),
        ("t", {"w": worker("Disconnected")}, "kube", "Disconnected, seen 30 s ago", False),
        ("t", {"w": worker("")}, "kube", "unknown, seen 30 s ago", False),
        ("t", {}, "kube", "no worker", False),
        ("gone", {"w": worker()}, "gone", "no target", False),
        ("", {"w": worker()}, "none", "no target", False),
    ],
)
def test_workers(
    used: str,
    workers: dict[str, Worker],
    subject: str,
    seen: str,
    met: bool,  # noqa: FBT001
) -> None:
    """A target whose worker is not connected, or was not seen lately, is told with its state."""
    (found,) = project.workers_of_targets([used], {"t": TARGET}, workers, now=NOW)
    assert (found.subject, found.expected, found.seen, found.met) == (
        f"worker of target {subject}",
        "Ready, seen within 30 s",
        seen,
        met,
    )


def unit(identifier: str, upstream: str = "") -> Unit:
    """A unit that is cloned from another one."""
    body: dict[str, Any] = {"UnitID": identifier, "SpaceID": "s", "Slug": "web"}
    return Unit.from_json({**body, "UpstreamUnitID": upstream})


ABOVE = {"web": unit("above")}


@pytest.mark.parametrize(
    ("units", "above", "seen"),
    [
        ({"web": unit("here", "above")}, ABOVE, ""),
        ({}, ABOVE, "there is no such unit here"),
        ({"web": unit("here", "above")}, {}, "base has no such unit"),
        ({"web": unit("here", "other")}, ABOVE, "is cloned from other"),
        ({"web": unit("here")}, ABOVE, "is cloned from nothing"),
    ],
)
def test_upstreams(units: dict[str, Unit], above: dict[str, Unit], seen: str) -> None:
    """A unit belongs to the unit of its name upstream; one that lacks on either side is told."""
    (found,) = project.upstreams(units, above, upstream="base")
    expected = "cloned from web of base"
    assert (found.subject, found.expected, found.seen, found.met) == (
        "unit web",
        expected,
        seen or expected,
        not seen,
    )


def stored_filters() -> dict[str, str]:
    """What installation stores of the filters."""
    return {spec.name: spec.of("shop") for spec in LAYOUT.filters}


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({}, None),
        ({"data": "Labels.layer = 'x'"}, "Labels.layer = 'x'"),
        ({"data": None}, "absent"),
    ],
    ids=["right", "changed", "absent"],
)
def test_filters(changes: dict[str, str | None], seen: str | None) -> None:
    """Seven filters say what was installed; one that was changed or removed is told."""
    stored = [
        Filter(id=slug, space_id="s", slug=slug, where=where)
        for slug, where in {**stored_filters(), **changes}.items()
        if where is not None
    ]
    found = list(project.filters(stored, LAYOUT, project="shop"))
    wrong = [(o.subject, o.expected, o.seen) for o in found if not o.met]
    right = "Labels.layer = 'data'"
    assert len(found) == 7
    assert wrong == ([("filter shop-filters/data", right, seen)] if seen else [])
    assert all(o.expected == o.seen for o in found if o.met)


SETS = {spec.name: dict(spec.labels) for spec in LAYOUT.sets}
RIGHT = "labels {'tier': 'data', 'layer': 'data'}"


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({}, None),
        ({"data-services": {"tier": "data"}}, "labels {'tier': 'data'}"),
        ({"data-services": {}}, "labels {}"),
        ({"data-services": None}, "absent"),
    ],
    ids=["right", "lacks a label", "lacks all labels", "absent"],
)
def test_sets(changes: dict[str, dict[str, str] | None], seen: str | None) -> None:
    """Both sets are there with their labels; one that was changed or removed is told."""
    stored = [
        UnitSet(id=slug, space_id="s", slug=slug, labels=labels)
        for slug, labels in {**SETS, **changes}.items()
        if labels is not None
    ]
    found = list(project.sets(stored, LAYOUT, project="shop"))
    wrong = [(o.subject, o.expected, o.seen) for o in found if not o.met]
    assert (len(found), wrong) == (
        2,
        [("set shop-base/data-services", RIGHT, seen)] if seen else [],
    )
