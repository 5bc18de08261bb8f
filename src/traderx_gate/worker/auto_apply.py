"""Auto-apply: queues an apply for every unit whose head was not applied yet.

ConfigHub applies nothing by itself (`reference/confighub.md` 4); the runbook promises that a change
is applied within 10 seconds. Off unless somebody starts it. An apply that failed is not queued
again: its head was applied, and what is wrong with it needs somebody, or another head.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from traderx_gate.confighub import ConfigHub, Space, Unit
from traderx_gate.errors import ConfigHubError, UnreachableError

EVERY_S = 2.0
"""Leaves most of the runbook's 10 s to the worker."""

log = logging.getLogger(__name__)


def due(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Return the units to apply, in the order of their label; closed gates keep one back."""
    waiting = [
        unit
        for unit in units
        if unit.head_revision > unit.applied_revision and unit.target_id and not unit.apply_gates
    ]
    return tuple(sorted(waiting, key=lambda unit: (unit.apply_order(), unit.slug)))


@dataclass(slots=True, kw_only=True)
class AutoApply:
    """Watches the units of one space.

    Attributes:
        connect: Opens ConfigHub; called again after it could not be reached.
        space: Whose units.
        report: Takes a line for each unit that was queued or refused.
    """

    connect: Callable[[], ConfigHub]
    space: Space
    report: Callable[[str], None]
    _hub: ConfigHub | None = None
    _refused: dict[str, int] = field(default_factory=dict)

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
        return tuple(self._queued(self._hub, due(self._hub.unit_list(self.space))))

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
