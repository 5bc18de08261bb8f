"""Auto-apply: heads are applied by themselves where somebody said so, each of them once."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.confighub.confighub_process import base64_of, ok, unit_path, until
from tests.integration.worker import workshop as workshops
from tests.integration.worker.workshop import WorkerProcess, Workshop
from traderx_gate.confighub import ConfigHub, Operation, Space, Unit
from traderx_gate.errors import UnreachableError
from traderx_gate.worker.auto_apply import UNDER_WAY, AutoApply, due

SPACE = Space(id="s", slug="dev", labels={})
UNIT = Unit(
    id="u",
    space_id="s",
    slug="web",
    labels={},
    data=b"",
    version=1,
    head_revision=2,
    applied_revision=1,
    live_revision=1,
    target_id="t",
    upstream_unit_id="",
    upstream_revision=0,
    live_state=b"",
)


@pytest.fixture(name="workshop")
def _workshop(tmp_path: Path, kubeconfig: Path) -> Iterator[Workshop]:
    with workshops.opened(tmp_path, kubeconfig) as workshop:
        yield workshop


@pytest.fixture(name="eager")
def _eager(tmp_path: Path, workshop: Workshop) -> Iterator[WorkerProcess]:
    workshop.environment["CONFIGHUB_AUTO_APPLY"] = "true"
    with workshops.working(tmp_path, workshop) as process:
        yield process


@pytest.mark.parametrize(
    "unit",
    [
        replace(UNIT, applied_revision=2),
        replace(UNIT, target_id=""),
        replace(UNIT, apply_gates=frozenset({"t/is-approved"})),
    ],
    ids=["applied already, well or not", "without a target", "gate closed"],
)
def test_what_is_not_due(unit: Unit) -> None:
    """A head that was applied, a unit without a target or behind a closed gate stays as it is."""
    assert due([unit, UNIT]) == (UNIT,)


class Hub(ConfigHub):
    """A ConfigHub of which the units and the space are a test's to decide."""

    def __init__(self) -> None:
        super().__init__("http://nowhere", "")
        self.units: list[Unit] = []
        self.annotations: dict[str, str] = {}
        self.applied: list[str] = []

    def space_find(self, slug: str) -> Space | None:
        """Return the space, annotated."""
        return replace(SPACE, slug=slug, annotations=dict(self.annotations))

    def unit_list(self, space: Space) -> tuple[Unit, ...]:
        """Return the units."""
        del space
        return tuple(self.units)

    def unit_apply(self, unit: Unit) -> Operation:
        """Take note of an apply."""
        self.applied.append(unit.slug)
        return Operation(id="o", unit_id=unit.id, action="Apply", revision=unit.head_revision)


def test_held_unit_is_said_once() -> None:
    """A unit behind a closed gate is not applied; each head is told of once, with its gates."""
    hub, said = Hub(), list[str]()
    watching = AutoApply(connect=lambda: hub, space=SPACE, report=said.append)
    gated = replace(UNIT, apply_gates=frozenset({"t/is-approved"}))
    for unit in (gated, gated, replace(gated, head_revision=3)):
        hub.units = [unit]
        assert watching.step() == ()
    told = "unit web: revision {} not applied: held by apply gates t/is-approved"
    assert said == [told.format(2), told.format(3)]
    assert hub.applied == []
    hub.units = [replace(UNIT, head_revision=3)]
    assert [unit.slug for unit in watching.step()] == ["web"]


def test_promotion_applies_in_its_own_order() -> None:
    """While a promotion into the space is under way nothing is applied by itself; it is said."""
    hub, said = Hub(), list[str]()
    watching = AutoApply(connect=lambda: hub, space=SPACE, report=said.append)
    hub.units, hub.annotations = [UNIT], {UNDER_WAY: "{}"}
    assert watching.step() == watching.step() == ()
    hub.annotations = {}
    assert [unit.slug for unit in watching.step()] == ["web"]
    assert [line.split(":")[0] for line in said] == [
        "a promotion is under way",
        "the promotion has ended",
        "unit web",
    ]


def test_order_is_the_labels() -> None:
    """What is due is queued in the order of the label, what has none last, then by name."""
    named = [("b", "2"), ("z", "0"), ("a", "2"), ("0", "no number"), ("c", "10")]
    units = [replace(UNIT, slug=slug, labels={"order": order}) for slug, order in named]
    assert [unit.slug for unit in due(units)] == ["z", "a", "b", "c", "0"]


@pytest.mark.cluster
def test_every_head_is_applied(workshop: Workshop, eager: WorkerProcess) -> None:
    """A unit that is made, and each change of it, is live without anybody's apply."""
    del eager
    unit = workshop.unit("u", workshop.config_map("a"))
    until(lambda: workshop.live("ConfigMap", "a"), what="the first head to be live")
    body = {**workshop.read(unit)["Unit"], "Data": base64_of(workshop.config_map("a", "other"))}
    ok(workshop.client.put(unit_path(unit), json=body))

    def value() -> bool:
        live = workshop.live("ConfigMap", "a")
        return live is not None and live["data"] == {"k": "other"}

    until(value, what="the second head to be live")


@pytest.mark.cluster
def test_failed_apply_is_not_repeated(workshop: Workshop, eager: WorkerProcess) -> None:
    """A head that cannot be applied is applied once, and does not hold up others."""
    del eager
    bad = workshop.unit("bad", "apiVersion: nowhere/v1\nkind: Nothing\nmetadata: {name: x}\n")
    until(
        lambda: workshop.read(bad)["Unit"].get("LastAppliedRevisionNum"), what="the bad one's turn"
    )
    workshop.unit("good", workshop.config_map("good"))
    until(lambda: workshop.live("ConfigMap", "good"), what="the other to be live")
    workshop.unit("later", workshop.config_map("later"))
    until(lambda: workshop.live("ConfigMap", "later"), what="a third to be live")
    path = f"{unit_path(bad)}/unit_event"
    operations = {event["QueuedOperationID"] for event in ok(workshop.client.get(path))}
    assert len(operations) == 1


@pytest.mark.cluster
def test_off_unless_asked_for(tmp_path: Path, workshop: Workshop) -> None:
    """A worker that nobody told to applies nothing by itself."""
    with workshops.working(tmp_path, workshop):
        unit = workshop.unit("u", workshop.config_map("a"))
        workshop.act(workshop.unit("other", workshop.config_map("b")))
        assert workshop.read(unit)["Unit"].get("LastAppliedRevisionNum", 0) == 0


def test_absent_confighub_is_awaited() -> None:
    """A ConfigHub that is away for a while is opened again, and what is due then is queued."""
    opened: list[str] = []

    def connect() -> ConfigHub:
        opened.append("tried")
        if len(opened) < 3:
            raise UnreachableError("away")
        stop.set()
        raise UnreachableError("and away again")

    stop = threading.Event()
    AutoApply(connect=connect, space=SPACE, report=print).run(stop, every_s=0.01)
    assert len(opened) == 3
