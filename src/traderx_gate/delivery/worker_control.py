"""An environment's worker under control: stopped, started, restarted, and what it is told to do.

ConfigHub knows no worker that is disabled, so it is stopped, and marked: whatever would start it
again refuses. What is queued meanwhile ConfigHub keeps, and delivers to the next one that connects.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from traderx_gate.confighub import ConfigHub, Space, Unit, Worker
from traderx_gate.delivery.installation import CONNECTED, WORKER
from traderx_gate.errors import RefusedError
from traderx_gate.waiting import Deadline, polling, until
from traderx_gate.worker import auto_apply

DISABLED = "traderx-gate/disabled"
"""Annotation of a worker that is not to run: since when."""
AUTO_APPLY = "traderx-gate/auto-apply"
"""Annotation of a worker that applies new heads by itself."""
DEADLINE_S = 60.0
POLL_S = 0.2

Report = Callable[[str], None]


class Home(Protocol):
    """Where a worker runs that we manage."""

    def __str__(self) -> str:
        """Return the place in words."""

    def start(self, worker: Worker) -> None:
        """Have it run, as its annotations say; one that runs so already goes on."""

    def stop(self) -> None:
        """Have it end; what is under way is done again by the next one."""

    def has_ended(self) -> bool:
        """Whether nothing of it is left that could still apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """What there is to say of an environment's worker.

    Attributes:
        place: Where it runs, as far as that can be seen from here; `kind` is process, cluster or
            elsewhere.
        pending: Units with an action that has not ended.
        held: Units whose head is not applied because apply gates are closed.
    """

    space: Space
    worker: Worker
    place: Mapping[str, Any]
    targets: tuple[str, ...]
    pending: tuple[Unit, ...]
    held: tuple[Unit, ...]

    @property
    def is_connected(self) -> bool:
        """Whether ConfigHub sees it."""
        return self.worker.condition == CONNECTED

    def to_json(self) -> dict[str, Any]:
        """Return the outside form."""
        seen = self.worker.last_seen_at
        return {
            "space": self.space.slug,
            "worker": self.worker.slug,
            "connected": self.is_connected,
            "condition": self.worker.condition,
            "last_seen_at": None if seen is None else seen.isoformat(),
            "disabled_since": self.worker.annotations.get(DISABLED),
            "auto_apply": applies_by_itself(self.worker),
            "place": {key: value for key, value in self.place.items() if key != "words"},
            "targets": list(self.targets),
            "pending": [
                {
                    "unit": u.slug,
                    "action": u.under_way,
                    "revision": _revision(u),
                    "status": u.status,
                }
                for u in self.pending
            ],
            "held": [
                {"unit": u.slug, "revision": u.head_revision, "apply_gates": sorted(u.apply_gates)}
                for u in self.held
            ],
        }

    def lines(self, *, now: dt.datetime) -> Iterator[tuple[str, str]]:
        """Yield the same for people, each line with its name."""
        seen = self.worker.last_seen_at
        ago = "never seen" if seen is None else f"seen {(now - seen).total_seconds():.0f} s ago"
        yield "worker", f"{self.worker.slug} of {self.space.slug}"
        yield "condition", f"{self.worker.condition or 'unknown'}, {ago}"
        if since := self.worker.annotations.get(DISABLED):
            yield "disabled", f"since {since}; nothing is applied until it is enabled"
        yield "runs", str(self.place["words"])
        yield "target", ", ".join(self.targets) or "none"
        yield "auto-apply", "on" if applies_by_itself(self.worker) else "off"
        told = [
            f"{u.under_way} {u.slug} revision {_revision(u)} ({u.status})" for u in self.pending
        ]
        yield "pending", "; ".join(told) or "nothing"
        for unit in self.held:
            gates = ", ".join(sorted(unit.apply_gates))
            yield "held back", f"{unit.slug} revision {unit.head_revision}, by apply gates {gates}"


def _revision(unit: Unit) -> int:
    return unit.applied_revision if unit.under_way == "Apply" else unit.head_revision


def applies_by_itself(worker: Worker) -> bool:
    """Whether it was told to apply new heads by itself."""
    return worker.annotations.get(AUTO_APPLY) == "true"


def keep_manner(hub: ConfigHub, worker: Worker, *, by_itself: bool) -> None:
    """Keep with a worker that it was told to apply new heads by itself, or was not."""
    hub.worker_annotate(worker, {AUTO_APPLY: "true" if by_itself else None})


def find(hub: ConfigHub, space: Space) -> Worker:
    """Return the worker of an environment.

    Raises:
        RefusedError: There is none.
    """
    for worker in hub.worker_list(space):
        if worker.slug == WORKER:
            return worker
    raise RefusedError(f"space {space.slug} has no worker; `traderx-gate install` makes it")


def require_enabled(space: Space, worker: Worker) -> None:
    """Refuse what would start a worker, or wait for it, that somebody has disabled.

    Raises:
        RefusedError: It is disabled; says since when, and what to do.
    """
    if since := worker.annotations.get(DISABLED):
        environment = space.labels.get("environment", "ENV")
        raise RefusedError(
            f"the worker of {space.slug} is disabled since {since}: nothing is applied until "
            f"`traderx-gate worker enable {environment}`"
        )


def require_all_enabled(hub: ConfigHub, space: Space) -> None:
    """Refuse what waits for a worker of a space, where it was disabled.

    Raises:
        RefusedError: One is; says since when, and what to do.
    """
    for worker in hub.worker_list(space):
        require_enabled(space, worker)


def status(
    hub: ConfigHub, space: Space, worker: Worker, *, place: Mapping[str, Any]
) -> WorkerStatus:
    """Return what ConfigHub says of a worker, beside the place where it runs."""
    units = hub.unit_list(space)
    targets = [target.slug for target in hub.target_list(space) if target.worker_id == worker.id]
    return WorkerStatus(
        space=space,
        worker=worker,
        place=place,
        targets=tuple(sorted(targets)),
        pending=tuple(unit for unit in units if unit.under_way),
        held=auto_apply.held(units),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What is done with the worker of one environment.

    Attributes:
        deadline_s: For all waits of one action together.
    """

    confighub: ConfigHub
    space: Space
    home: Home
    report: Report
    deadline_s: float = DEADLINE_S

    def restart(self, worker: Worker) -> None:
        """Stop it and start it, and wait until the new one is connected.

        It is started again whatever happens: an environment without a worker is stuck.

        Raises:
            RefusedError: It is disabled.
            NotReachedError: The old one stays connected, or the new one does not come in time.
        """
        require_enabled(self.space, worker)
        deadline = Deadline(self.deadline_s)
        with self._started_again(worker):
            self._stop(deadline)
        self._await_connected(deadline)

    def disable(self, worker: Worker) -> None:
        """Mark it, stop it, and wait until it is gone: nothing is applied from then on.

        Raises:
            NotReachedError: It stays connected; the mark stays as well.
        """
        if DISABLED not in worker.annotations:
            since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            self.confighub.worker_annotate(worker, {DISABLED: since})
        self._stop(Deadline(self.deadline_s))
        self.report(f"{self.space.slug}: the worker is disabled; what is queued now stays queued")

    def enable(self, worker: Worker, *, by_itself: bool | None) -> None:
        """Let it run again, and wait until it is connected.

        Args:
            worker: As ConfigHub has it now.
            by_itself: Whether it is to apply new heads by itself; None leaves that as it is.

        Raises:
            NotReachedError: It does not connect in time.
        """
        deadline = Deadline(self.deadline_s)
        wanted: dict[str, str | None] = {DISABLED: None}
        if by_itself is not None:
            wanted[AUTO_APPLY] = "true" if by_itself else None
        changed = by_itself is not None and by_itself != applies_by_itself(worker)
        enabled = self.confighub.worker_annotate(worker, wanted)
        if changed and worker.condition == CONNECTED:  # it reads that when it starts
            with self._started_again(enabled):
                self._stop(deadline)
        else:
            self.home.start(enabled)
        self._await_connected(deadline)
        on = applies_by_itself(enabled)
        self.report(f"{self.space.slug}: auto-apply is {'on' if on else 'off'}")

    @contextlib.contextmanager
    def _started_again(self, worker: Worker) -> Iterator[None]:
        try:
            yield
        finally:
            self.home.start(worker)

    def _stop(self, deadline: Deadline) -> None:
        self.home.stop()
        self._await(
            lambda condition: condition != CONNECTED and self.home.has_ended(),
            f"the worker of {self.space.slug}, which was stopped {self.home}, to be gone: "
            "is another one running elsewhere?",
            deadline,
        )

    def _await_connected(self, deadline: Deadline) -> None:
        self._await(
            lambda condition: condition == CONNECTED,
            f"the worker of {self.space.slug} to connect, {self.home}; `worker logs` may say more",
            deadline,
        )
        self.report(f"{self.space.slug}: the worker is connected, {self.home}")

    def _await(self, condition: Callable[[str], bool], what: str, deadline: Deadline) -> None:
        until(
            polling(
                lambda: find(self.confighub, self.space).condition,
                every_s=POLL_S,
                deadline=deadline,
            ),
            condition,
            what=what,
        )
