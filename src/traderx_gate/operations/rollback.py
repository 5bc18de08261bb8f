"""Rollback: an environment, or one service of it, back to what was live and verified there."""

import datetime as dt
import enum
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traderx_gate import runs
from traderx_gate.application import Service
from traderx_gate.confighub import Revision, Unit
from traderx_gate.delivery import (
    approval,
    blue_green_preflight,
    break_glass,
    heads,
    under_way,
)
from traderx_gate.delivery.break_glass import BreakGlass
from traderx_gate.delivery.deployment import Deploy
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import ConfigurationError, RefusedError
from traderx_gate.operations.impact import Impact
from traderx_gate.verdict import Decision, UnitRevision

KIND = "validate"
"""The evidence that a state has to have passed to be rolled back to."""
MOST_STATES = 100
"""So many proven states are looked through; each is read and its signature checked."""
Say = Callable[[str], None]
Measure = Callable[[], Impact]
Validate = Callable[[], Decision]


class Trust(enum.Enum):
    """Why a state is thought to be good."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What an environment is rolled back to.

    Attributes:
        revisions: The revision of each unit concerned, by slug; restored byte for byte.
        run: The run that proved it; empty where none did.
    """

    trust: Trust
    revisions: Mapping[str, Revision]
    run: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"what {self.run} proved" if self.run else "what nobody verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """A rollback that was carried out.

    Attributes:
        service: The one concerned; empty for all of the environment.
        before: Each concerned unit's head before, by slug.
        after: The same now; both with the number of the revision whose data it has.
        took_s: Until everything concerned was healthy; the verdict comes after that.
        impact_before: What users got before, and after.
        decision: The verdict about the environment as it is now.
    """

    environment: str
    service: str
    reason: str
    goal: Goal
    before: Mapping[str, int]
    after: Mapping[str, int]
    began_at: dt.datetime
    took_s: float
    impact_before: Impact
    impact_after: Impact
    decision: Decision

    def to_json(self) -> dict[str, Any]:
        """Return `rollback.json`."""
        return {
            "schema": "traderx-gate/rollback",
            "version": 1,
            "environment": self.environment,
            "service": self.service,
            "reason": self.reason,
            "to": {"trust": self.goal.trust.value, "run": self.goal.run},
            "units": {
                slug: {
                    "from": self.before[slug],
                    "to": self.goal.revisions[slug].number,
                    "head": self.after[slug],
                    "sha256": self.goal.revisions[slug].sha256,
                }
                for slug in self.after
            },
            "began_at": self.began_at.isoformat(),
            "took_s": self.took_s,
            "impact": {
                "before": self.impact_before.to_json(),
                "after": self.impact_after.to_json(),
            },
            "verdict": self.decision.verdict.value,
            "run": self.decision.run,
        }


def choose(
    deployed: DeployedEnvironment,
    *,
    reports: Path,
    service: Service | None,
    to: str | None,
    used: BreakGlass | None,
) -> Goal:
    """Return what to roll back to; changes nothing.

    Without `to`, the state that passed before what is desired now.

    Args:
        deployed: The environment.
        reports: Where its runs lie.
        service: The one concerned; None for all units.
        to: A revision number of the service's first unit, or the name of a run that passed.
        used: Break-glass, which a state that nobody verified needs.

    Raises:
        RefusedError: Nothing verified is there, or a unit or revision is gone.
        ConfigurationError: `to` is neither.
    """
    blue_green_preflight.require_none(deployed)
    units = deployed.units()
    slugs = sorted(units) if service is None else list(service.units)
    for slug in slugs:
        if slug not in units:
            raise RefusedError(f"there is no unit {slug} any more; restore it from a backup first")
    if to is not None and to.isdecimal():
        return _numbered(deployed, units, service, int(to), reports=reports, used=used)
    states = [
        _State(run=state.run, units={s: state.units[s] for s in slugs if s in state.units})
        for state in itertools.islice(
            runs.proven(reports, deployed.identity, kind=KIND), MOST_STATES
        )
    ]
    what = service.slug if service else deployed.spec.name
    state = _named_state(states, to) if to is not None else _state(states, units, slugs)
    if state is not None:
        found = _revisions(deployed, units, state.units)
        return Goal(trust=Trust.VERIFIED, revisions=found, run=state.run)
    name = deployed.spec.name
    ways = (
        f"`traderx-gate history {name}` shows what there was, `traderx-gate rollback {name} "
        "SERVICE --to N --unverified --reason TEXT` takes a revision without proof"
    )
    if to is not None:
        raise ConfigurationError(f"--to {to}: no revision number, and no run that passed in {name}")
    if states:
        raise RefusedError(
            f"{what} is what was verified, and nothing that was verified before it is on record "
            f"here; {ways}"
        )
    raise RefusedError(f"nothing was ever verified in {name}, as far as {reports} goes; {ways}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What a run proved of the units concerned."""

    run: str
    units: Mapping[str, UnitRevision]

    def hashes(self) -> dict[str, str]:
        return {slug: unit.sha256 for slug, unit in self.units.items()}

    def is_desired(self, units: Mapping[str, Unit]) -> bool:
        return all(units[slug].sha256 == then.sha256 for slug, then in self.units.items())


def _named_state(states: Sequence[_State], run: str) -> _State | None:
    return next((state for state in states if state.run == run), None)


def _state(
    states: Sequence[_State], units: Mapping[str, Unit], slugs: Iterable[str]
) -> _State | None:
    """Return the state to go back to; `states` are the newest first.

    What is desired and was proven, and hangs half way, is gone on with. Else it is the one before
    what is desired, where what was come back to is not counted twice: rolling back again goes on
    to older states. Where what is desired was not proven since, it is the newest.
    """
    if any(units[slug].is_pending() for slug in slugs):
        for state in states:
            if state.is_desired(units):
                return state
    way = _way_here(states)
    desired = [number for number, state in enumerate(way) if state.is_desired(units)]
    before = way[: desired[0]] if desired else way
    return before[-1] if before else None


def _way_here(states: Sequence[_State]) -> list[_State]:
    """Return the states that lead to the newest one, the oldest first, each by its latest run.

    Coming back to a state takes away what came after it, as undoing does.
    """
    way: list[_State] = []
    for state in reversed(states):
        hashes = state.hashes()
        known = [earlier.hashes() for earlier in way]
        if hashes in known:
            del way[known.index(hashes) :]
        way.append(state)
    return way


def _revisions(
    deployed: DeployedEnvironment, units: Mapping[str, Unit], known: Mapping[str, UnitRevision]
) -> dict[str, Revision]:
    numbers = {slug: then.live for slug, then in known.items()}
    found = heads.revisions_of(deployed.confighub, units, numbers)
    for slug, revision in found.items():
        if revision.sha256 != known[slug].sha256:
            raise RefusedError(
                f"unit {slug}: ConfigHub's revision {revision.number} is not what was verified "
                f"(SHA-256 {revision.sha256[:12]}, verified {known[slug].sha256[:12]})"
            )
    return found


def _numbered(
    deployed: DeployedEnvironment,
    units: Mapping[str, Unit],
    service: Service | None,
    number: int,
    *,
    reports: Path,
    used: BreakGlass | None,
) -> Goal:
    if service is None:
        raise ConfigurationError(
            f"--to {number} is the revision of one unit: name the service, or a run that passed"
        )
    slug = service.units[0]
    found = heads.revisions_of(deployed.confighub, units, {slug: number})
    for state in runs.proven(reports, deployed.identity, kind=KIND):
        if slug in state.units and state.units[slug].sha256 == found[slug].sha256:
            known = {unit: state.units[unit] for unit in service.units if unit in state.units}
            revisions = _revisions(deployed, units, known)
            return Goal(trust=Trust.VERIFIED, revisions=revisions, run=state.run)
    if used is None:
        raise RefusedError(
            f"revision {number} of {slug} was never verified in {deployed.spec.name}; to take it "
            "all the same: --unverified --reason TEXT"
        )
    return Goal(trust=Trust.UNVERIFIED, revisions=found, run="")


def carry_out(
    deployed: DeployedEnvironment,
    goal: Goal,
    *,
    service: Service | None,
    reason: str,
    used: BreakGlass | None,
    say: Say,
    measure: Measure,
    deploy: Deploy,
    validate: Validate,
) -> Rollback:
    """Restore the heads, apply them in order, and judge the environment.

    Raises:
        DeliveryError: A head or a service did not get there; says which.
    """
    hub, space, name = deployed.confighub, deployed.space, deployed.spec.name
    units = deployed.units()
    impact_before = measure()
    say(f"{name}: before: {impact_before}")
    began_at = dt.datetime.now(dt.UTC)
    if used is not None and goal.trust is Trust.UNVERIFIED:
        break_glass.record(hub, space, used)
    after = heads.restore(hub, units, goal.revisions, why=f"rollback: {reason}")
    say(f"{name}: {len(after)} units are again {goal}")
    approval.approve(deployed, pinned=after)
    deploy(after)
    record = under_way.find(hub, space)
    if record is not None and record.before.keys() <= after.keys():  # else some hang half way still
        under_way.clear(hub, space)
    took_s = round((dt.datetime.now(dt.UTC) - began_at).total_seconds(), 1)
    say(f"{name}: rolled back in {took_s:.1f} s")
    decision = validate()
    impact_after = measure()
    say(f"{name}: after: {impact_after}")
    return Rollback(
        environment=name,
        service=service.slug if service else "",
        reason=reason,
        goal=goal,
        before={slug: units[slug].head_revision for slug in after},
        after=after,
        began_at=began_at,
        took_s=took_s,
        impact_before=impact_before,
        impact_after=impact_after,
        decision=decision,
    )
