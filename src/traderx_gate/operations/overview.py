"""What ConfigHub says of units: the state of a service in one word, and the tree of spaces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from traderx_gate.application import Application
from traderx_gate.confighub import ConfigHub, Unit
from traderx_gate.environment import DeployedEnvironment

IN_SYNC = frozenset({"Applied", "Healthy"})
"""The states of which the runbook says that all services show one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRow:
    """One unit beside what is live of it.

    Attributes:
        state: `Healthy` where all replicas are ready, `Applied` where there is nothing to be ready,
            else what is the matter.
    """

    service: str
    unit: str
    head: int
    applied: int
    live: int
    state: str

    @property
    def is_in_sync(self) -> bool:
        """Whether the head is live, and ready where it can be."""
        return self.state in IN_SYNC


def sync(environment: DeployedEnvironment) -> Iterator[SyncRow]:
    """Yield a row for every unit of an environment, service by service."""
    owners = {slug: s.slug for s in environment.application.services for slug in s.units}
    rolled_out = {
        service.slug: workload.is_rolled_out() and workload.desired > 0
        for service in environment.application.services
        if (workload := environment.find_deployment(service)) is not None
    }
    units = environment.units().values()
    for unit in sorted(units, key=lambda unit: (owners.get(unit.slug, ""), unit.slug)):
        owner = owners.get(unit.slug, "")
        yield SyncRow(
            service=owner,
            unit=unit.slug,
            head=unit.head_revision,
            applied=unit.applied_revision,
            live=unit.live_revision,
            state=_state(environment, unit, rolled_out.get(owner)),
        )


def _state(
    environment: DeployedEnvironment,
    unit: Unit,
    is_rolled_out: bool | None,  # noqa: FBT001
) -> str:
    if not unit.applied_revision:
        return "NotApplied"
    if unit.head_revision != unit.applied_revision:
        return "Pending"
    if unit.live_revision != unit.applied_revision:
        return "Progressing"
    if all(manifest["kind"] != "Deployment" for manifest in environment.manifests(unit)):
        return "Applied"
    return {True: "Healthy", False: "Unready", None: "Missing"}[is_rolled_out]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A space of a project with its units, and the spaces that are cloned from it."""

    space: str
    units: tuple[Unit, ...]
    below: tuple["Branch", ...]


def tree(confighub: ConfigHub, application: Application, project: str) -> Branch | None:
    """Return the project's spaces as they are cloned from each other; None without its base."""
    names: Sequence[str] = [spec.name for spec in application.environments if not spec.upstream]
    branches = [
        branch for name in names if (branch := _branch(confighub, application, project, name))
    ]
    return branches[0] if branches else None


def _branch(
    confighub: ConfigHub, application: Application, project: str, name: str
) -> Branch | None:
    space = confighub.space_find(f"{project}-{name}")
    if space is None:
        return None
    below = [spec.name for spec in application.environments if spec.upstream == name]
    found = [_branch(confighub, application, project, one) for one in below]
    return Branch(
        space=space.slug,
        units=confighub.unit_list(space),
        below=tuple(branch for branch in found if branch is not None),
    )
