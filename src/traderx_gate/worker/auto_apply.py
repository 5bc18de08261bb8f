"""Auto-apply: queues an apply for every unit whose head was not applied yet.

ConfigHub applies nothing by itself (`reference/confighub.md` 4); the runbook promises that a change
is applied within 10 seconds. Off unless somebody starts it. An apply that failed is not queued
again: its head was applied, and what is wrong with it needs somebody, or another head. What an
apply gate holds back is not queued, and said. During a promotion nothing is: that has an order of
its own.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from traderx_gate.confighub import ConfigHub, Space, Unit
from traderx_gate.errors import ConfigHubError, UnreachableError

EVERY_S = 2.0
"""Leaves most of the runbook's 10 s to the worker."""
UNDER_WAY = "traderx-gate/promotion"
"""The annotation of a space into which a promotion is under way."""

log = logging.getLogger(__name__)


def due(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Return the units to apply, in the order of their label; closed gates keep one back."""
    return tuple(unit for unit in _waiting(units) if not unit.apply_gates)


def held(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Return the units that would be applied but for their closed apply gates, in that order."""
    return tuple(unit for unit in _waiting(units) if unit.apply_gates)


def _waiting(units: Iterable[Unit]) -> list[Unit]:
    waiting = [u for u in units if u.head_revision > u.applied_revision and u.target_id]
    return sorted(waiting, key=lambda unit: (unit.apply_order(), unit.slug))


@dataclass(slots=True, kw_only=True)
class AutoApply:
    """Watches the units of one space.

    Attributes:
        connect: Opens ConfigHub; called again after it could not be reached.
        space: Whose units.
        report: Takes a line for each unit that was queued, refused or is held back.
    """

    connect: Callable[[], ConfigHub]
    space: Space
    report: Callable[[str], None]
    _hub: ConfigHub | None = None
    _refused: dict[str, int] = field(default_factory=dict)
    _held: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    _waits: bool = False

    def run(self, stop: threading.Event, *, every_s: float = EVERY_S) -> None:
        """Queue what is due until told to stop; where ConfigHub is gone, wait for it."""
        try:
            while not stop.is_set():
                try:
                    self.step()
                except UnreachableError as error:
                    log.warning("auto-apply: %s; trying again", error)
                    self._close()
                stop.wait(every_s)
        finally:
            self._close()

    def step(self) -> tuple[Unit, ...]:
        """Queue what is due now; returns what was queued.

        Raises:
            UnreachableError: ConfigHub does not answer.
        """
        if self._hub is None:
            self._hub = self.connect()
        if self._is_promoted_to(self._hub):
            return ()
        units = self._hub.unit_list(self.space)
        self._say_held(held(units))
        return tuple(self._queued(self._hub, due(units)))

    def _is_promoted_to(self, hub: ConfigHub) -> bool:
        space = hub.space_find(self.space.slug)
        waits = space is not None and UNDER_WAY in space.annotations
        if waits != self._waits:
            begun = "a promotion is under way: nothing is applied by itself until it has ended"
            self.report(begun if waits else "the promotion has ended: heads are applied again")
        self._waits = waits
        return waits

    def _say_held(self, units: Sequence[Unit]) -> None:
        """Say of each head once which gates hold it back, and again where they change."""
        seen = {unit.id: (unit.head_revision, unit.apply_gates) for unit in units}
        for unit in units:
            if self._held.get(unit.id) != seen[unit.id]:
                gates = ", ".join(sorted(unit.apply_gates))
                self.report(
                    f"unit {unit.slug}: revision {unit.head_revision} not applied: "
                    f"held by apply gates {gates}"
                )
        self._held = seen

    def _queued(self, hub: ConfigHub, units: Iterable[Unit]) -> Iterator[Unit]:
        for unit in units:
            if self._refused.get(unit.id) == unit.head_revision:
                continue  # was told of
            try:
                operation = hub.unit_apply(unit)
            except ConfigHubError as error:
                self._refused[unit.id] = unit.head_revision
                self.report(f"unit {unit.slug}: not applied: {error}")
            else:
                self.report(f"unit {unit.slug}: revision {operation.revision} queued")
                yield unit

    def _close(self) -> None:
        if self._hub is not None:
            self._hub.close()
            self._hub = None
