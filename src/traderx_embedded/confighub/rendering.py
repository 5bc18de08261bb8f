"""Entities as answers show them, with their bytes and the related entities that were asked for."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from traderx_embedded.confighub import sources
from traderx_embedded.confighub.attributes import attributes_of
from traderx_embedded.confighub.entities import (
    RELATIONS,
    BridgeWorker,
    Entity,
    Mutation,
    Revision,
    Unit,
)
from traderx_embedded.confighub.merge import Conflict
from traderx_embedded.confighub.store import Transaction

_ALWAYS = frozenset({"Slug", "OrganizationID", "SpaceID", "EntityType"})
_REVISION_NUMBERS = {
    "HeadRevisionNum": ("HeadRevision", "head_revision_num"),
    "LiveRevisionNum": ("LiveRevision", "live_revision_num"),
    "LastAppliedRevisionNum": ("LastAppliedRevision", "last_applied_revision_num"),
}


def bare(
    tx: Transaction, entity: Entity, *, select: frozenset[str] | None = None
) -> dict[str, Any]:
    """Return the entity alone; identifiers and the slug come whatever `select` says."""
    shown = entity.to_json()
    for name, read in _bytes_of(tx, entity).items():
        if select is None or name in select:
            shown[name] = base64.b64encode(read()).decode()
    if select is None:
        return shown
    wanted = select | _ALWAYS | {f"{type(entity).__name__}ID"}
    return {name: value for name, value in shown.items() if name in wanted}


def _bytes_of(tx: Transaction, entity: Entity) -> Mapping[str, Callable[[], bytes]]:
    if isinstance(entity, Unit):
        return {
            "Data": lambda: tx.data(entity.id, entity.head_revision_num),
            "LiveState": lambda: tx.live_state(entity.id),
        }
    if isinstance(entity, Revision):
        return {"Data": lambda: tx.data(entity.unit_id, entity.revision_num)}
    return {}


def extended(
    tx: Transaction, entity: Entity, *, include: frozenset[str], select: frozenset[str] | None
) -> dict[str, Any]:
    """Return the entity under its type's name, with what `include` names beside it."""
    shown: dict[str, Any] = {type(entity).__name__: bare(tx, entity, select=select)}
    if isinstance(entity, Unit):
        shown["UnitStatus"] = unit_status(entity)
        shown |= _unit_extras(tx, entity, include)
    for name, (holder, related_type) in RELATIONS[type(entity)].items():
        if holder not in include:
            continue
        identifier = getattr(entity, attributes_of(type(entity))[holder].field)
        related = tx.find(related_type, identifier) if identifier else None
        if related is not None:
            shown[name] = _related(tx, name, related, select)
    if isinstance(entity, Revision) and "UserID" in include:
        shown["User"] = user(tx)
    if isinstance(entity, Unit) and "ApprovedBy" in include:
        shown["ApprovedBy"] = [user(tx) for _ in entity.approved_by]
    if "OrganizationID" in include:
        shown["Organization"] = organization(tx)
    return shown


def _related(
    tx: Transaction, name: str, entity: Entity, select: frozenset[str] | None
) -> dict[str, Any]:
    # Without `select` the related entity comes whole but for its bytes: a list of clones must not
    # carry every upstream document along. A related worker never shows its secret.
    if select is None:
        shown = entity.to_json()
        if isinstance(entity, BridgeWorker):
            del shown["Secret"]
        return shown
    prefix = f"{name}."
    wanted = {item.removeprefix(prefix) for item in select if item.startswith(prefix)} - {"Secret"}
    return bare(tx, entity, select=frozenset(wanted))


def _unit_extras(tx: Transaction, unit: Unit, include: frozenset[str]) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    event = tx.latest_event(unit.id) if "UnitEventID" in include else None
    if event is not None:
        extras["LatestUnitEvent"] = event.to_json()
    for asked, (name, field) in _REVISION_NUMBERS.items():
        number = getattr(unit, field)
        if asked in include and number:
            revision = tx.revision(unit.id, number)
            if revision is not None:
                extras[name] = revision.to_json()
    if "HeadMutationNum" in include and unit.head_mutation_num:
        extras["HeadMutation"] = [*tx.history(Mutation, unit.id)][-1].to_json()
    return extras


def conflict(unit: Unit, conflict: Conflict) -> dict[str, Any]:
    """Return a conflict of an upgrade: `Source` is what upstream changed, `Target` what stays."""
    clash = conflict.clash
    return {
        "UnitID": unit.id,
        "Path": sources.dotted(clash.path),
        "Reason": "changed upstream and here; the value of this unit stays",
        "Resource": sources.description(conflict.resource),
        "Source": {
            "MutationType": sources.kind_of(clash.base, clash.theirs),
            "Value": sources.written(clash.theirs),
            "Predicate": True,
        },
        "Target": {
            "MutationType": sources.kind_of(clash.base, clash.ours),
            "Value": sources.written(clash.ours),
            "Predicate": False,
        },
    }


def unit_status(unit: Unit) -> dict[str, Any]:
    """Return `UnitStatus`: what the last action came to.

    `Status` is `Ready` or `Error` once an action ended; the names before that are ours, because
    ConfigHub publishes none.
    """
    ended = {"Completed": "Ready" if unit.live_revision_num else "None", "Failed": "Error"}
    return {
        "Action": unit.action,
        "ActionResult": unit.action_result,
        "ActionStartedAt": unit.last_action_at,
        "ActionTerminatedAt": unit.action_terminated_at,
        "Drift": unit.drift,
        "Status": ended.get(unit.action_status, unit.action_status),
    }


def organization(tx: Transaction) -> dict[str, Any]:
    """Return the one organization of this server."""
    return {
        "OrganizationID": tx.organization_id,
        "Slug": "embedded",
        "DisplayName": "Embedded",
        "ExternalID": "embedded",
        "EntityType": "Organization",
    }


def user(tx: Transaction) -> dict[str, Any]:
    """Return the one user of this server."""
    return {
        "UserID": tx.user_id,
        "Username": "admin@embedded",
        "ExternalID": "embedded",
        "DisplayName": "Embedded administrator",
        "Slug": "admin",
    }


def member(tx: Transaction) -> dict[str, Any]:
    """Return the one user as a member of the one organization."""
    organization = {"OrganizationID": tx.organization_id, "ExternalOrganizationID": "embedded"}
    return user(tx) | organization
