"""A project in ConfigHub: workers connected, units with their upstream, filters and sets."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from traderx_gate.application.layout import Layout
from traderx_gate.confighub import Filter, Target, Unit, UnitSet, Worker
from traderx_gate.verdict import Observation

NO_SETS = "none: this ConfigHub knows no sets"
RECENT = dt.timedelta(seconds=30)
"""Three heartbeats (`reference/confighub.md` 5); ConfigHub itself gives a worker up after them."""


def workers_of_targets(
    used: Sequence[str],
    targets: Mapping[str, Target],
    workers: Mapping[str, Worker],
    *,
    now: dt.datetime,
) -> Iterator[Observation]:
    """Tell of every target that units use whether its worker is connected.

    Args:
        used: Identifiers of targets, empty for a unit that has none.
        targets: The targets of the space, by identifier.
        workers: The workers of the space, by identifier.
        now: Against which a worker's last sign of life is measured.
    """
    for target_id in used:
        target = targets.get(target_id)
        worker = workers.get(target.worker_id) if target else None
        met = worker is not None and worker.condition == "Ready" and _is_recent(worker, now)
        yield Observation(
            subject=f"worker of target {target.slug if target else target_id or 'none'}",
            expected=f"Ready, seen within {RECENT.total_seconds():.0f} s",
            seen=_state(worker, now) if worker else "no worker" if target else "no target",
            met=met,
            where="cub worker list; traderx-gate status",
        )


def _is_recent(worker: Worker, now: dt.datetime) -> bool:
    return worker.last_seen_at is not None and now - worker.last_seen_at <= RECENT


def _state(worker: Worker, now: dt.datetime) -> str:
    if worker.last_seen_at is None:
        return f"{worker.condition or 'unknown'}, never seen"
    age = (now - worker.last_seen_at).total_seconds()
    return f"{worker.condition or 'unknown'}, seen {age:.0f} s ago"


def upstreams(
    units: Mapping[str, Unit], above: Mapping[str, Unit], *, upstream: str
) -> Iterator[Observation]:
    """Tell of every unit, here or upstream, whether the two belong together.

    Args:
        units: The environment's units, by slug.
        above: The units of the upstream environment, by slug.
        upstream: The upstream environment's name.
    """
    for slug in sorted({*above, *units}):
        unit, source = units.get(slug), above.get(slug)
        if unit is None:
            wrong = "there is no such unit here"
        elif source is None:
            wrong = f"{upstream} has no such unit"
        elif unit.upstream_unit_id != source.id:
            wrong = f"is cloned from {unit.upstream_unit_id or 'nothing'}"
        else:
            wrong = ""
        expected = f"cloned from {slug} of {upstream}"
        yield Observation(
            subject=f"unit {slug}",
            expected=expected,
            seen=wrong or expected,
            met=not wrong,
            where=f"cub unit get {slug}",
        )


def filters(stored: Sequence[Filter], layout: Layout, *, project: str) -> Iterator[Observation]:
    """Tell of every filter of the layout whether it says what was installed."""
    by_slug = {item.slug: item.where for item in stored}
    for spec in layout.filters:
        seen = by_slug.get(spec.name, "absent")
        yield Observation(
            subject=f"filter {project}-filters/{spec.name}",
            expected=spec.of(project),
            seen=seen,
            met=seen == spec.of(project),
            where=f"cub filter get {spec.name} --space {project}-filters",
        )


def sets(
    stored: Sequence[UnitSet] | None, layout: Layout, *, project: str
) -> Iterator[Observation]:
    """Tell of every set of the layout whether it is there with its labels.

    Args:
        stored: The sets of the base; None of a server that knows no sets, where none is installed.
        layout: What is installed otherwise.
        project: The project's name.
    """
    if stored is None:
        for spec in layout.sets:
            yield Observation(
                subject=f"set {project}-base/{spec.name}",
                expected=NO_SETS,
                seen=NO_SETS,
                met=True,
            )
        return
    by_slug = {item.slug: item.labels for item in stored}
    for spec in layout.sets:
        labels = by_slug.get(spec.name)
        yield Observation(
            subject=f"set {project}-base/{spec.name}",
            expected=f"labels {dict(spec.labels)}",
            seen="absent" if labels is None else f"labels {dict(labels)}",
            met=labels == spec.labels,
            where=f"cub set get {spec.name} --space {project}-base",
        )
