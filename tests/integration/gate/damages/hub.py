"""What can be done in ConfigHub."""

import datetime as dt
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.integration.gate.damages.damage import DEADLINE_S, Inflict
from tests.integration.gate.damages.objects import until_warned
from tests.integration.gate.gate_command import PROJECT, Gate
from traderx_gate.waiting import Deadline, polling, until


def changed_unit(slug: str, old: str, new: str) -> Inflict:
    """Change a unit and apply nothing."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        with gate.changed_unit(slug, (old, new)):
            yield

    return inflict


def applied_in_vain(slug: str, old: str, new: str) -> Inflict:
    """Apply a unit that never gets ready."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        began = dt.datetime.now(dt.UTC)
        with gate.changed_unit(slug, (old, new)) as unit, gate.impatient_worker("1s"):
            operation = gate.confighub.unit_apply(unit)
            until(
                polling(
                    lambda: gate.confighub.unit_event_list(unit, operation=operation),
                    every_s=0.05,
                    deadline=Deadline(DEADLINE_S),
                ),
                lambda events: bool(events) and events[-1].status == "Failed",
                what="the apply to fail",
            )
            until_warned(gate, slug.removesuffix("-deployment"), began)
            yield

    return inflict


def queued_for_nobody(slug: str, old: str, new: str) -> Inflict:
    """Apply a unit while no worker is there."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        with gate.changed_unit(slug, (old, new)) as unit, gate.without_worker():
            gate.confighub.unit_apply(unit)
            yield

    return inflict


def no_worker(gate: Gate) -> AbstractContextManager[None]:
    """End the worker."""
    return gate.without_worker()


@contextmanager
def unit_more_upstream(gate: Gate) -> Iterator[None]:
    """Have a unit in base that dev lacks."""
    space = gate.confighub.space_find(f"{PROJECT}-base")
    assert space is not None
    data = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: newer\n"
    unit = gate.confighub.unit_create(space, "newer", data, labels={})
    try:
        yield
    finally:
        gate.ask_confighub("DELETE", f"/space/{space.id}/unit/{unit.id}")


@contextmanager
def filter_gone(gate: Gate) -> Iterator[None]:
    """Delete one of the project's filters; installing brings it back."""
    space = gate.confighub.space_find(f"{PROJECT}-filters")
    assert space is not None
    first = gate.confighub.filter_list(space)[0]
    gate.ask_confighub("DELETE", f"/space/{space.id}/filter/{first.id}")
    yield
    done = gate.run("install", "dev")
    assert done.returncode == 0, done.stdout + done.stderr


def patched_unit(slug: str, field: str) -> Inflict:
    """Clear a field of a unit; it is as before afterwards."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        unit = gate.unit(slug)
        path = f"/space/{unit.space_id}/unit/{unit.id}"
        before = gate.ask_confighub("GET", path)["Unit"][field]
        headers = {"Content-Type": "application/merge-patch+json"}
        gate.ask_confighub("PATCH", path, json={field: None}, headers=headers)
        after = gate.ask_confighub("GET", path)["Unit"].get(field)
        assert after is None, f"{field} of {slug} is {after} still: no client may clear it"
        try:
            yield
        finally:
            gate.ask_confighub("PATCH", path, json={field: before}, headers=headers)

    return inflict


def recreated_unit(slug: str) -> Inflict:
    """Make a unit anew with the same data, as somebody who restores a file does; no clone."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        before, space = gate.unit(slug), gate.confighub.space_find(f"{PROJECT}-dev")
        assert space is not None
        gate.confighub.unit_delete(before)
        made = gate.confighub.unit_create(space, slug, before.data, labels=before.labels)
        targets = {target.id: target for target in gate.confighub.target_list(space)}
        gate.confighub.unit_set_target(made, targets[before.target_id])
        yield
        gate.confighub.unit_delete(gate.unit(slug))
        done = gate.run("install", "dev")
        assert done.returncode == 0, done.stdout + done.stderr

    return inflict


def deleted_unit(slug: str) -> Inflict:
    """Delete a unit whose objects live on; installing brings it back."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        unit = gate.unit(slug)
        gate.ask_confighub("DELETE", f"/space/{unit.space_id}/unit/{unit.id}")
        yield
        done = gate.run("install", "dev")
        assert done.returncode == 0, done.stdout + done.stderr

    return inflict
