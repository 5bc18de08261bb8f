"""Damages of what ConfigHub says."""

from tests.integration.gate.damages.damage import (
    APPLICATION,
    ASTRAY,
    CONFIGURED,
    DATABASE,
    ENDPOINTS,
    EVENTS,
    IMAGES,
    LAYOUT,
    LIVE,
    PEOPLE,
    POSITIONS,
    REVISIONS,
    ROLLOUT,
    ROUTES,
    SHARED_REVISIONS,
    TRADES,
    UNMANAGED,
    UPSTREAM,
    WORKER,
    Damage,
    of,
)
from tests.integration.gate.damages.hub import (
    applied_in_vain,
    changed_unit,
    deleted_unit,
    filter_gone,
    no_worker,
    patched_unit,
    queued_for_nobody,
    recreated_unit,
    unit_more_upstream,
)

OF_CONFIGHUB: tuple[Damage, ...] = (
    Damage(
        name="unit ahead of live",
        inflict=changed_unit(f"{POSITIONS}-service", "type: ClusterIP", "type: ClusterIP # same"),
        claims=of(POSITIONS, REVISIONS),
        says=f"unit {POSITIONS}-service",
    ),
    Damage(
        name="image changed in the unit, not applied",
        inflict=changed_unit(f"{POSITIONS}-deployment", ":v1.2.3", ":v1.2.2"),
        claims=of(POSITIONS, IMAGES, LIVE, CONFIGURED, REVISIONS),
        says=f"{POSITIONS}:v1.2.3",
    ),
    Damage(
        name="shared unit ahead of live",
        inflict=changed_unit("namespace", "kind: Namespace", "kind: Namespace # same"),
        claims=frozenset({SHARED_REVISIONS}),
        says="unit namespace",
    ),
    Damage(
        name="a filter deleted",
        inflict=filter_gone,
        claims=frozenset({LAYOUT}),
        says="absent",
    ),
    Damage(
        name="rollout stuck while the old pods are ready",
        inflict=applied_in_vain(f"{TRADES}-deployment", ":v1.2.3", ":v9.9.9"),
        claims=of(TRADES, IMAGES, ROLLOUT, REVISIONS, CONFIGURED, ASTRAY) | {EVENTS},
        says="1 updated",
    ),
    Damage(
        name="worker gone",
        inflict=no_worker,
        claims=frozenset({WORKER}),
        says="Disconnected",
    ),
    Damage(
        name="a unit that only the upstream has",
        inflict=unit_more_upstream,
        claims=frozenset({UPSTREAM}),
        says="there is no such unit here",
    ),
    Damage(
        name="live behind what was applied, for want of a worker",
        inflict=queued_for_nobody(f"{DATABASE}-service", "ClusterIP", "ClusterIP # same"),
        claims=of(DATABASE, REVISIONS) | {WORKER},
        says="Disconnected",
    ),
    Damage(
        name="unit deleted while its objects live",
        inflict=deleted_unit(f"{PEOPLE}-service"),
        claims=of(PEOPLE, LIVE, REVISIONS, APPLICATION, ROUTES, ENDPOINTS, IMAGES, CONFIGURED)
        | {UPSTREAM, UNMANAGED},
        says=f"could not be checked space tests-traderx-dev has no unit {PEOPLE}-service",
    ),
    Damage(
        name="unit made anew instead of cloned",
        inflict=recreated_unit(f"{PEOPLE}-service"),
        claims=of(PEOPLE, REVISIONS) | {UPSTREAM},
        says="is cloned from nothing",
    ),
    Damage(
        name="target of a unit cleared",
        inflict=patched_unit(f"{PEOPLE}-service", "TargetID"),
        claims=frozenset({WORKER}),
        says="no target",
    ),
)
