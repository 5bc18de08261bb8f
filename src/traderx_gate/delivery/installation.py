"""Installation: the project's spaces, base units, an environment's clones, worker and target."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from traderx_gate.application import Application, EnvironmentSpec, unit_data
from traderx_gate.application.catalogue import unit_slugs
from traderx_gate.application.layout import Layout
from traderx_gate.confighub import ConfigHub, Space, Target, Unit, Worker
from traderx_gate.delivery import approval
from traderx_gate.errors import DeliveryError
from traderx_gate.kube import PROJECT_LABEL, UNNAMED, parse_manifests
from traderx_gate.waiting import Deadline, polling, until

WORKER = "confighub-worker"
CONNECTED = "Ready"
FILTERS = "filters"
"""The space in which a project's filters lie is `<project>-filters`."""
WORKER_DEADLINE_S = 30.0
POLL_S = 0.1

_FIRST = (
    "amber",
    "brisk",
    "calm",
    "dapper",
    "eager",
    "gentle",
    "lively",
    "mellow",
    "nimble",
    "quiet",
)
_SECOND = (
    "badger",
    "falcon",
    "heron",
    "lynx",
    "marten",
    "otter",
    "plover",
    "raven",
    "stoat",
    "wren",
)

StartWorker = Callable[[Space, Worker], None]
"""Starts the worker's process, or sees that it runs; a worker needs its identity and secret."""
Report = Callable[[str], None]


def new_project() -> str:
    """Return a name that is not taken by chance: `mellow-otter-traderx`."""
    return f"{secrets.choice(_FIRST)}-{secrets.choice(_SECOND)}-traderx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Makes what is missing of a project in ConfigHub; what is there stays as it is."""

    confighub: ConfigHub
    application: Application
    layout: Layout
    project: str
    report: Report

    def base(self) -> Space:
        """Make the filters, the sets, and the base space with its units."""
        for slug in unit_slugs(self.application):  # all of them are good before the first effect
            parse_manifests(unit_data(slug).decode(), source=f"units/base/{slug}.yaml")
        self._filters()
        space = self._space("base", {"environment": "base"})
        self._sets(space)
        present = {unit.slug for unit in self.confighub.unit_list(space)}
        missing = [slug for slug in unit_slugs(self.application) if slug not in present]
        for slug in missing:
            data = _named(unit_data(slug), self.project)
            self.confighub.unit_create(space, slug, data, labels=self._labels(slug))
        self.report(f"{space.slug}: {len(present) + len(missing)} units, {len(missing)} made")
        return space

    def environment(self, spec: EnvironmentSpec, start_worker: StartWorker) -> Space:
        """Make an environment: clones of its upstream in its own namespace, a worker, a target.

        Raises:
            DeliveryError: The upstream is not installed, or the worker does not connect.
        """
        upstream = self.confighub.space_find(f"{self.project}-{spec.upstream}")
        if upstream is None:
            raise DeliveryError(
                f"{spec.name} is cloned from {spec.upstream}, which is not installed"
            )
        space, worker = self.worker(spec)
        target = self._target(space, worker, start_worker)
        there = self.application.environment(spec.upstream)
        present = {unit.slug: unit for unit in self.confighub.unit_list(space)}
        made = 0
        for source in self.confighub.unit_list(upstream):
            unit = present.get(source.slug)
            if unit is None:
                labels = {**source.labels, "environment": spec.name, "targetable": "true"}
                unit = self.confighub.unit_clone(source, space, labels=labels)
                made += 1
            unit = self._with_namespace(unit, there.namespace, spec.namespace)
            if unit.target_id != target.id:
                self.confighub.unit_set_target(unit, target)
        if spec.needs_approval:
            approval.install(self.confighub, space)
        self.report(
            f"{space.slug}: {len(present) + made} units, {made} cloned from {spec.upstream}"
            + (", held back until approved" if spec.needs_approval else "")
        )
        return space

    def worker(self, spec: EnvironmentSpec) -> tuple[Space, Worker]:
        """Make an environment's space and worker in ConfigHub, so that the worker can be started.

        Returns:
            Both, the worker with its identity and secret.
        """
        space = self._space(spec.name, {"environment": spec.name})
        workers = {worker.slug: worker for worker in self.confighub.worker_list(space)}
        return space, workers.get(WORKER) or self.confighub.worker_create(space, WORKER)

    def _space(self, name: str, labels: dict[str, str]) -> Space:
        slug = f"{self.project}-{name}"
        found = self.confighub.space_find(slug)
        return found or self.confighub.space_create(
            slug, labels={"project": self.project, **labels}
        )

    def _filters(self) -> None:
        space = self._space(FILTERS, {"type": FILTERS})
        present = {item.slug for item in self.confighub.filter_list(space)}
        missing = [spec for spec in self.layout.filters if spec.name not in present]
        for spec in missing:
            self.confighub.filter_create(space, spec.name, where=spec.of(self.project))
        self.report(f"{space.slug}: {len(self.layout.filters)} filters, {len(missing)} made")

    def _sets(self, base: Space) -> None:
        if not self.confighub.generation.has_sets:
            self.report(f"{base.slug}: no sets: this ConfigHub knows none, filters do for them")
            return
        present = {item.slug for item in self.confighub.set_list(base)}
        missing = [spec for spec in self.layout.sets if spec.name not in present]
        for spec in missing:
            self.confighub.set_create(base, spec.name, labels=spec.labels)
        self.report(f"{base.slug}: {len(self.layout.sets)} sets, {len(missing)} made")

    def _labels(self, slug: str) -> dict[str, str]:
        for service in self.application.services:
            if slug in service.units:
                labels = {"service": service.slug, "layer": service.layer}
                return {**labels, "order": str(service.order), "project": self.project}
        order = "9" if slug in self.application.final_units else "0"
        return {"type": "infra", "order": order, "project": self.project}

    def _with_namespace(self, unit: Unit, old: str, new: str) -> Unit:
        """Move a fresh clone into the environment's namespace (D13), by text: bytes stay stable."""
        # as a word: the project's own name may hold it
        word = rb"(?<![a-z0-9-])" + re.escape(old.encode()) + rb"(?![a-z0-9-])"
        data = re.sub(word, new.encode(), unit.data)
        if data == unit.data:
            return unit
        return self.confighub.unit_update(unit, data, change=f"namespace {new}")

    def _target(self, space: Space, worker: Worker, start_worker: StartWorker) -> Target:
        start_worker(space, worker)
        found = until(
            polling(
                lambda: (
                    worker_condition(self.confighub, space),
                    self.confighub.target_list(space),
                ),
                every_s=POLL_S,
                deadline=Deadline(WORKER_DEADLINE_S),
            ),
            lambda seen: seen[0] == CONNECTED and any(t.worker_id == worker.id for t in seen[1]),
            what=f"worker {WORKER} of {space.slug} to connect and name its target",
            describe=lambda seen: f"condition {seen[0] or 'unknown'}, {len(seen[1])} targets",
        )
        return next(target for target in found[1] if target.worker_id == worker.id)


def worker_condition(hub: ConfigHub, space: Space) -> str:
    """Return what ConfigHub says of the worker of a space; empty where there is none."""
    return {worker.slug: worker.condition for worker in hub.worker_list(space)}.get(WORKER, "")


def _named(data: bytes, project: str) -> bytes:
    """Return a unit whose objects carry the project's label."""
    return data.replace(
        f"{PROJECT_LABEL}: {UNNAMED}".encode(), f"{PROJECT_LABEL}: {project}".encode()
    )
