"""Promotion in ConfigHub: what would change, the upgrade, and its undoing. Applies nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from traderx_gate.application import Application, EnvironmentSpec
from traderx_gate.confighub import ConfigHub, Revision, Unit
from traderx_gate.delivery import difference, heads
from traderx_gate.delivery.difference import PathChange
from traderx_gate.delivery.under_way import UnderWay
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import ConfigurationError, DeliveryError, RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a promotion does with one unit of the target.

    Attributes:
        unit: The target's, as it is before.
        wanted: Revision of the source's unit that it is upgraded to.
        changes: What the source changed since the last upgrade.
        conflicts: Those that meet a value of the target's own, which stays: told as that value,
            and the one that would have come.
        again: The target's last upgrade, where it was taken back since; None where it was not.
            ConfigHub takes what it has merged once for merged, so that comes back first.
    """

    unit: Unit
    wanted: int
    changes: tuple[PathChange, ...]
    conflicts: tuple[PathChange, ...]
    again: Revision | None

    @property
    def is_due(self) -> bool:
        """Whether anything is to be done with its head."""
        return self.again is not None or self.unit.upstream_revision != self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A promotion before it begins.

    Attributes:
        steps: One for each unit concerned, by slug.
    """

    source: str
    target: str
    steps: Mapping[str, Step]

    def under_way(self, run: str) -> UnderWay:
        """Return what is kept while it is carried out."""
        return UnderWay(
            run=run,
            source=self.source,
            before={slug: step.unit.head_revision for slug, step in self.steps.items()},
            wanted={slug: step.wanted for slug, step in self.steps.items()},
        )


def neighbours(application: Application, source: str, target: str) -> EnvironmentSpec:
    """Return the target of a promotion, which has to be the source's own downstream.

    Raises:
        ConfigurationError: It is not; names what the source is promoted to.
    """
    application.environment(source)
    spec = application.environment(target)
    if spec.upstream != source or not application.environment(source).upstream:
        then = application.downstream(source)
        allowed = (
            f"`traderx-gate promote {source} {then.name}`"
            if then is not None and application.environment(source).upstream
            else f"{source} is promoted nowhere"
        )
        raise ConfigurationError(f"{target} does not come after {source}: {allowed}")
    return spec


def plan(
    source: DeployedEnvironment,
    target: DeployedEnvironment,
    *,
    only: Collection[str] = (),
    under_way: UnderWay | None = None,
) -> Plan:
    """Return what a promotion would do; changes nothing.

    Args:
        source: What is promoted.
        target: Where to.
        only: Slugs of the services concerned; all units where there are none.
        under_way: The promotion that is gone on with.

    Raises:
        RefusedError: A unit of the target is no clone of the source's, was edited and is not live,
            or cannot be promoted as it is.
        ConfigurationError: A unit is malformed.
    """
    theirs, ours = source.units(), target.units()
    services = [source.application.service(slug) for slug in only]
    chosen = [slug for service in services for slug in service.units] if only else sorted(theirs)
    steps: dict[str, Step] = {}
    for slug in chosen:
        if slug not in ours or slug not in theirs:
            missing = target if slug not in ours else source
            raise RefusedError(
                f"space {missing.space.slug} has no unit {slug}; make it with "
                f"`traderx-gate install {missing.spec.name}`"
            )
        began = under_way if under_way is not None and slug in under_way.before else None
        steps[slug] = _step(source.confighub, theirs[slug], ours[slug], began=began)
    return Plan(source=source.spec.name, target=target.spec.name, steps=steps)


def _step(hub: ConfigHub, theirs: Unit, ours: Unit, *, began: UnderWay | None) -> Step:
    if ours.upstream_unit_id != theirs.id:
        raise RefusedError(f"unit {ours.slug} is no clone of the one that would be promoted to it")
    if began is not None:
        _require_no_edit_since(hub, ours, began)
    elif _has_an_edit(hub, ours):
        raise RefusedError(
            f"unit {ours.slug}: its revision {ours.head_revision} is not live there "
            f"({ours.live_revision} is): it would go along without proof; roll it back or deploy it"
        )
    since, wanted = ours.upstream_revision, theirs.head_revision
    if since > wanted:
        raise RefusedError(
            f"unit {ours.slug} was upgraded to a revision that is not there any more"
        )
    again = _upgrade_taken_back(hub, ours)
    taken = difference.changes(ours.data, again.data, source=ours.slug) if again else ()
    if since == wanted:
        return Step(unit=ours, wanted=wanted, changes=taken, conflicts=(), again=again)
    base = next(r.data for r in hub.revision_list(theirs) if r.number == since)
    own = again.data if again else ours.data
    return Step(
        unit=ours,
        wanted=wanted,
        changes=difference.one_after_another(
            taken, difference.changes(base, theirs.data, source=ours.slug)
        ),
        conflicts=difference.conflicts(base, theirs.data, own, source=ours.slug),
        again=again,
    )


def _require_no_edit_since(hub: ConfigHub, unit: Unit, began: UnderWay) -> None:
    """Refuse to go on where a head holds what was not the promotion's doing.

    Raises:
        RefusedError: Somebody, or a refresh, made a revision since; names it.
    """
    for revision in hub.revision_list(unit):
        ours = revision.source == "Upgrade" or (
            revision.source == "Restore" and began.run in revision.description
        )
        if revision.number > began.before[unit.slug] and not ours:
            by = f" by {revision.user}" if revision.user else ""
            raise RefusedError(
                f"unit {unit.slug}: its revision {revision.number} was made{by} since {began.run} "
                "began, and would go along without proof; only abort takes it back"
            )


def _has_an_edit(hub: ConfigHub, unit: Unit) -> bool:
    """Whether a head says something else than what is live; what was never live has none."""
    if not unit.live_revision or not unit.is_pending():
        return False
    live = heads.revisions_of(hub, {unit.slug: unit}, {unit.slug: unit.live_revision})
    return live[unit.slug].sha256 != unit.sha256


def _upgrade_taken_back(hub: ConfigHub, unit: Unit) -> Revision | None:
    """Return the last upgrade of a unit if its head is what it was restored to, else None.

    What counts is the bytes: an edit that was taken back by another one is none. An edit by hand
    that comes to the bytes of before takes nothing back: it may undo more than the upgrade.

    Raises:
        RefusedError: It was edited after that: neither the upgrade nor the edit may be lost.
    """
    history = hub.revision_list(unit)
    upgrade = next((r for r in reversed(history) if r.source == "Upgrade"), None)
    if upgrade is None:
        return None
    earlier = {r.sha256 for r in history if r.number < upgrade.number} - {upgrade.sha256}
    restored = {
        revision.sha256
        for revision in history
        if revision.number > upgrade.number and revision.source == "Restore"
    } & earlier
    head = history[-1]
    if not restored or head.sha256 == upgrade.sha256:
        return None
    if head.sha256 not in restored:
        raise RefusedError(
            f"unit {unit.slug}: its last upgrade was taken back, and it was edited since; make its "
            f"head what it should be by hand (`cub unit update {unit.slug}`), from revision "
            f"{upgrade.number}"
        )
    return upgrade


def require_unchanged(expected: Mapping[str, Unit], now: Mapping[str, Unit], where: str) -> None:
    """Make sure that nobody changed the units of an environment since they were looked at.

    Raises:
        DeliveryError: Somebody did; names the unit, then and now.
    """
    for slug, then in expected.items():
        seen = now.get(slug)
        if seen is None or (seen.head_revision, seen.sha256) != (then.head_revision, then.sha256):
            number = "gone" if seen is None else f"revision {seen.head_revision}"
            raise DeliveryError(
                f"unit {slug} of {where} was changed meanwhile: revision {then.head_revision} was "
                f"checked, now it is {number}"
            )


def upgrade(target: DeployedEnvironment, planned: Plan, *, why: str) -> dict[str, int]:
    """Upgrade the heads of the target's units; returns the number of each head, by slug.

    Raises:
        DeliveryError: An upgrade led to another revision of the upstream than was checked.
        ConfigHubError: ConfigHub cannot merge a unit.
    """
    hub = target.confighub
    new: dict[str, int] = {}
    for slug, step in planned.steps.items():
        unit = step.unit
        if step.again is not None:
            unit = hub.unit_restore(unit, step.again, change=why)
        if unit.upstream_revision != step.wanted:
            unit, _ = hub.unit_upgrade(unit)
            if unit.upstream_revision != step.wanted:
                raise DeliveryError(
                    f"unit {slug} of {planned.source} was changed meanwhile: revision "
                    f"{step.wanted} was checked, {unit.upstream_revision} came"
                )
        new[slug] = unit.head_revision
    return new


def take_back(
    target: DeployedEnvironment, before: Mapping[str, int], *, why: str
) -> dict[str, int]:
    """Make the target's heads what they were before a promotion; returns their numbers.

    Raises:
        RefusedError: A unit or revision is gone.
        DeliveryError: A head is not what it was.
    """
    hub, units = target.confighub, target.units()
    return heads.restore(hub, units, heads.revisions_of(hub, units, before), why=why)
