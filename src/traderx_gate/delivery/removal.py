"""Removal of a project: what installation and deployment made of it, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from traderx_gate.application import Application, EnvironmentSpec
from traderx_gate.confighub import ConfigHub, Operation, Space, Unit
from traderx_gate.delivery import worker_control
from traderx_gate.delivery.installation import FILTERS, Report
from traderx_gate.errors import DeliveryError
from traderx_gate.waiting import Deadline, polling, until

POLL_S = 0.1
DESTROY_DEADLINE_S = 120.0
"""For all objects of an environment to end, graces included."""

FIRST = frozenset({"namespace"})
"""Applied before, and removed after, everything that lies in it."""

StopWorker = Callable[[Space], object]
"""Ends a worker's process, where we run it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Takes a project out of the cluster and out of ConfigHub; what is gone already is no error.

    Only spaces of the project's names that carry its label are touched.
    """

    confighub: ConfigHub
    application: Application
    project: str
    report: Report

    def everything(self, stop_worker: StopWorker) -> None:
        """Remove the environments, what was cloned last first, then the base and the filters.

        Raises:
            RefusedError: A worker is disabled; nothing was removed.
            DeliveryError: A space is not this project's, or the worker does not remove the objects
                of an environment; what comes after that is left as it is.
        """
        names = [spec.name for spec in _downstream_first(self.application.environments)]
        spaces = [space for name in [*names, FILTERS] if (space := self._find(name))]
        for space in spaces:
            worker_control.require_all_enabled(self.confighub, space)
        for space in spaces:
            self._objects(space)
            stop_worker(space)
            self._contents(space)
            self.confighub.space_delete(space)
            self.report(f"{space.slug}: removed")
        if not spaces:
            self.report(f"{self.project}: nothing is installed")

    def _find(self, name: str) -> Space | None:
        space = self.confighub.space_find(f"{self.project}-{name}")
        if space is not None and space.labels.get("project") != self.project:
            raise DeliveryError(
                f"space {space.slug} lacks the label project={self.project}: it was not made by "
                "install, and is left as it is; nothing was removed"
            )
        return space

    def _objects(self, space: Space) -> None:
        """Have the worker remove what is live, what was applied last first."""
        live = [unit for unit in self.confighub.unit_list(space) if unit.live_state]
        deadline = Deadline(DESTROY_DEADLINE_S)
        order = sorted(live, key=lambda unit: -_order(unit))
        groups: dict[int, list[Unit]] = {}
        for unit in order:
            groups.setdefault(_order(unit), []).append(unit)
        for units in groups.values():
            queued = [(unit, self.confighub.unit_destroy(unit)) for unit in units]
            for unit, operation in queued:
                self._await_destroyed(space, unit, operation, deadline)
        if live:
            self.report(f"{space.slug}: objects of {len(live)} units removed from the cluster")

    def _await_destroyed(
        self, space: Space, unit: Unit, operation: Operation, deadline: Deadline
    ) -> None:
        ended = until(
            polling(
                lambda: self.confighub.unit_event_list(unit, operation=operation),
                every_s=POLL_S,
                deadline=deadline,
            ),
            lambda events: bool(events) and events[-1].is_terminal(),
            what=f"the worker of {space.slug} to remove the objects of unit {unit.slug}",
            describe=lambda events: str(events[-1].message) if events else "no worker has taken it",
        )[-1]
        if ended.status != "Completed":
            raise DeliveryError(
                f"unit {unit.slug} of {space.slug}: {ended.result}: {ended.message}; "
                "nothing more was removed"
            )

    def _contents(self, space: Space) -> None:
        hub = self.confighub
        for unit in hub.unit_list(space):
            hub.unit_delete(unit)
        for target in hub.target_list(space):
            hub.target_delete(target)
        for worker in hub.worker_list(space):
            hub.worker_delete(worker)
        for item in hub.set_list(space):
            hub.set_delete(item)
        for trigger in hub.trigger_list(space):
            hub.trigger_delete(trigger)
        for stored in hub.filter_list(space):
            hub.filter_delete(stored)


def _downstream_first(specs: Sequence[EnvironmentSpec]) -> list[EnvironmentSpec]:
    """Return the environments so that each comes before the one it was cloned from."""
    upstream = {spec.name: spec.upstream for spec in specs}

    def depth(name: str) -> int:
        return 1 + depth(upstream[name]) if upstream[name] else 0

    return sorted(specs, key=lambda spec: -depth(spec.name))


def _order(unit: Unit) -> int:
    """Return when a unit is applied; what carries no order comes last, as the runbook has it."""
    return -1 if unit.slug in FIRST else unit.apply_order()
