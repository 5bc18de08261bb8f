"""Routes of spaces, and of the server itself."""

import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

from traderx_embedded.confighub import links, listing, operations, rendering
from traderx_embedded.confighub.attributes import now
from traderx_embedded.confighub.call import Answer, Call, deleted
from traderx_embedded.confighub.entities import (
    BridgeWorker,
    ChangeSet,
    Entity,
    Filter,
    Invocation,
    Link,
    Resident,
    Set,
    Space,
    Tag,
    Target,
    Trigger,
    Unit,
    View,
    client_values,
    patched_values,
)
from traderx_embedded.confighub.errors import bad_request
from traderx_embedded.confighub.store import Transaction
from traderx_embedded.confighub.units import check_version

# those first that others are relied on by
RESIDENTS: tuple[type[Resident], ...] = (
    *(Link, Trigger, Unit, Target, BridgeWorker),
    *(View, ChangeSet, Invocation, Filter, Set, Tag),
)


def me(tx: Transaction, call: Call) -> Answer:
    """GET /me."""
    del call
    return Answer.of(rendering.user(tx))


def list_all(tx: Transaction, call: Call) -> Answer:
    """GET /space."""
    show = _shower(tx, call)
    return Answer.of([show(s) for s in listing.matching(tx, Space, call, tx.all(Space))])


def get_one(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}."""
    return Answer.of(_shower(tx, call)(listing.get(tx, Space, call.identifier("space"))))


def _shower(tx: Transaction, call: Call) -> Any:
    show = listing.shower(tx, call)
    if not call.flag("summary"):
        return show
    counts = _counts(tx)
    return lambda space: show(space) | _summary(space, counts)


def _counts(tx: Transaction) -> Counter[tuple[str, str]]:
    """Count once for all spaces, by space and name of the count."""
    counts: Counter[tuple[str, str]] = Counter()
    for unit in tx.all(Unit):
        upstream = tx.find(Unit, unit.upstream_unit_id) if unit.upstream_unit_id else None
        for name, holds in {
            "TotalUnitCount": True,
            "GatedUnitCount": bool(unit.apply_gates),
            "UnappliedUnitCount": unit.head_revision_num > unit.live_revision_num,
            "UnapprovedUnitCount": not unit.approved_by,
            "UpgradableUnitCount": upstream is not None
            and upstream.head_revision_num > unit.upstream_revision_num,
            "IncompleteApplyUnitCount": unit.last_applied_revision_num != unit.live_revision_num,
        }.items():
            counts[unit.space_id, name] += holds
    for worker in tx.all(BridgeWorker):
        counts[worker.space_id, "TotalBridgeWorkerCount"] += 1
    for target in tx.all(Target):
        counts[target.space_id, f"target {target.toolchain_type}"] += 1
    return counts


def _summary(space: Entity, counts: Counter[tuple[str, str]]) -> dict[str, Any]:
    mine = {name: count for (space_id, name), count in counts.items() if space_id == space.id}
    targets = {k.removeprefix("target "): v for k, v in mine.items() if k.startswith("target ")}
    plain = {name: count for name, count in mine.items() if not name.startswith("target ")}
    return {**plain, "TargetCountByToolchainType": targets, "TriggerCountByEventType": {}}


def create(tx: Transaction, call: Call) -> Answer:
    """POST /space."""
    values = client_values(Space, call.document())
    if "slug" not in values:
        raise bad_request("Space.Slug is required")
    existing = tx.by_slug(Space, "", values["slug"])
    if existing is not None and call.flag("allow_exists"):
        return Answer.of(rendering.bare(tx, existing))
    moment = now()
    space = Space(
        id=str(uuid.uuid4()),
        organization_id=tx.organization_id,
        created_at=moment,
        updated_at=moment,
        **values,
    )
    space = replace(space, display_name=space.display_name or space.slug)
    return Answer.of(rendering.bare(tx, tx.create(space)))


def put(tx: Transaction, call: Call) -> Answer:
    """PUT /space/{space}."""
    space = listing.get(tx, Space, call.identifier("space"))
    check_version(space, call.document())
    changed = tx.update(space.changed(client_values(Space, call.document())))
    return Answer.of(rendering.bare(tx, changed))


def patch(tx: Transaction, call: Call) -> Answer:
    """PATCH /space/{space}."""
    space = listing.get(tx, Space, call.identifier("space"))
    changed = tx.update(space.changed(patched_values(space, call.patch())))
    return Answer.of(rendering.bare(tx, changed))


def delete(tx: Transaction, call: Call) -> Answer:
    """DELETE /space/{space}; one that holds anything only with `recursive=true`."""
    space = listing.get(tx, Space, call.identifier("space"))
    residents = [
        resident
        for resident_type in RESIDENTS
        for resident in tx.all(resident_type)
        if resident.space_id == space.id
    ]
    if residents and not call.flag("recursive"):
        kinds = Counter(type(resident).__name__ for resident in residents)
        held = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        raise bad_request(
            f"space {space.slug!r} is not empty ({held}): delete these first, or say recursive=true"
        )
    _check_free(tx, space, residents)
    for resident in residents:
        tx.delete(resident)
    tx.delete(space)
    return Answer.of(deleted(f"space {space.slug} deleted"))


def _check_free(tx: Transaction, space: Space, residents: list[Resident]) -> None:
    busy = [r.slug for r in residents if isinstance(r, Unit) and operations.open_of(tx, r)]
    if busy:
        raise bad_request(f"space {space.slug!r}: operations in flight on {', '.join(busy)}")
    for link in links.leading_to(tx, [r.id for r in residents if isinstance(r, Unit)]):
        needed, needs = (listing.slug_of(tx, Unit, x) for x in (link.to_unit_id, link.from_unit_id))
        raise bad_request(
            f"space {space.slug!r}: {needed} is needed by {needs} of another space: delete link "
            f"{link.slug!r} there first"
        )
    workers = {r.id for r in residents if isinstance(r, BridgeWorker)}
    for target in tx.all(Target):
        if target.bridge_worker_id in workers and target.space_id != space.id:
            raise bad_request(
                f"space {space.slug!r}: target {target.slug!r} of another space uses its worker"
            )
