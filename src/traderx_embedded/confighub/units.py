"""Routes of units: create, clone, replace, patch, delete, one and many, and their histories."""

import functools
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from traderx_embedded.confighub import links, listing, operations, rendering, revisions
from traderx_embedded.confighub.attributes import now, parse_uuid
from traderx_embedded.confighub.call import Answer, Call, deleted
from traderx_embedded.confighub.entities import (
    Entity,
    Link,
    Mutation,
    Revision,
    Set,
    Space,
    Target,
    Unit,
    UnitEvent,
    client_values,
    patched_values,
)
from traderx_embedded.confighub.errors import ApiError, bad_request, conflict
from traderx_embedded.confighub.merge import Conflict
from traderx_embedded.confighub.store import Transaction

# a unit as a write left it, and what its upgrade could not take
Written = tuple[Unit, tuple[Conflict, ...]]

_TOOLCHAIN = re.compile(r"[A-Za-z0-9]+/[A-Za-z0-9]+")


def unit_of(tx: Transaction, call: Call) -> Unit:
    """Return the unit that the path names.

    Raises:
        ApiError: There is none.
    """
    return listing.get_resident(
        tx, Unit, space_id=call.identifier("space"), identifier=call.identifier("unit")
    )


def in_space(tx: Transaction, space_id: str) -> list[Unit]:
    """Return the units of a space, oldest first."""
    return [unit for unit in tx.all(Unit) if unit.space_id == space_id]


def list_in_space(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit."""
    space = listing.get(tx, Space, call.identifier("space"))
    return Answer.of(listing.extended_list(tx, Unit, call, in_space(tx, space.id)))


def list_all(tx: Transaction, call: Call) -> Answer:
    """GET /unit."""
    return Answer.of(listing.extended_list(tx, Unit, call, tx.all(Unit)))


def get_one(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit/{unit}."""
    return Answer.of(listing.shower(tx, call)(unit_of(tx, call)))


def create(tx: Transaction, call: Call) -> Answer:
    """POST /space/{space}/unit; with `upstream_*`, a clone of that unit."""
    space = listing.get(tx, Space, call.identifier("space"))
    body = call.document()
    values = client_values(Unit, body)
    if "slug" not in values:
        raise bad_request("Unit.Slug is required")
    existing = tx.by_slug(Unit, space.id, values["slug"])
    if existing is not None and call.flag("allow_exists"):
        return Answer.of(rendering.bare(tx, existing))
    if "upstream_unit_id" in call.query:
        return Answer.of(rendering.bare(tx, _clone(tx, _upstream(tx, call), space, values, call)))
    unit = _new(tx, space, values)
    data = revisions.parse_data(body.get("Data") or "", toolchain_type=unit.toolchain_type)
    change = revisions.Change(
        data=data,
        source="Create",
        description=unit.last_change_description,
        user_agent=call.user_agent,
    )
    return Answer.of(rendering.bare(tx, _store_new(tx, unit, change)))


def _new(tx: Transaction, space: Space, values: dict[str, Any]) -> Unit:
    moment = now()
    unit = Unit(
        id=str(uuid.uuid4()),
        organization_id=tx.organization_id,
        space_id=space.id,
        created_at=moment,
        updated_at=moment,
        **values,
    )
    unit = replace(unit, display_name=unit.display_name or unit.slug)
    _check(tx, unit)
    return unit


def _store_new(tx: Transaction, unit: Unit, change: revisions.Change) -> Unit:
    unit = tx.create(unit)
    return tx.update(revisions.put_head(tx, unit, change, first=True))


def _check(tx: Transaction, unit: Unit) -> None:
    if not _TOOLCHAIN.fullmatch(unit.toolchain_type):
        raise bad_request(
            f"Unit.ToolchainType {unit.toolchain_type!r}: expected one such as Kubernetes/YAML"
        )
    if unit.target_id is not None:
        target = listing.get_resident(tx, Target, space_id=unit.space_id, identifier=unit.target_id)
        if target.toolchain_type != unit.toolchain_type:
            raise bad_request(
                f"target {target.slug!r} takes {target.toolchain_type}, "
                f"unit {unit.slug!r} is {unit.toolchain_type}"
            )
    if unit.set_id is not None:
        listing.get_resident(tx, Set, space_id=unit.space_id, identifier=unit.set_id)


def _upstream(tx: Transaction, call: Call) -> Unit:
    space_id = parse_uuid(call.query.get("upstream_space_id"), where="upstream_space_id")
    unit_id = parse_uuid(call.query["upstream_unit_id"], where="upstream_unit_id")
    if space_id is None or unit_id is None:
        raise bad_request("a clone needs both upstream_space_id and upstream_unit_id")
    return listing.get_resident(tx, Unit, space_id=space_id, identifier=unit_id)


def _clone(
    tx: Transaction, upstream: Unit, space: Space, values: dict[str, Any], call: Call
) -> Unit:
    inherited = {
        "slug": upstream.slug,
        "toolchain_type": upstream.toolchain_type,
        "labels": upstream.labels,
        "annotations": upstream.annotations,
    }
    given = {name: value for name, value in values.items() if value not in (None, "", {})}
    unit = replace(
        _new(tx, space, inherited | given),
        upstream_organization_id=upstream.organization_id,
        upstream_space_id=upstream.space_id,
        upstream_unit_id=upstream.id,
        upstream_revision_num=upstream.head_revision_num,
    )
    number = upstream.head_revision_num
    change = revisions.Change(
        data=tx.data(upstream.id, number),
        source="Clone",
        description=f"clone of {upstream.slug}, revision {number}",
        user_agent=call.user_agent,
    )
    return _store_new(tx, unit, change)


def clone_many(tx: Transaction, call: Call) -> Answer:
    """POST /unit: every matching unit into every matching space, the patch put on each clone."""
    call.require("where", "where_space")
    patch = call.patch()
    sources = listing.matching(tx, Unit, call, tx.all(Unit))
    items: list[dict[str, Any]] = []
    for space in listing.spaces(tx, call.query["where_space"]):
        for prefix in call.prefixes():
            items += _clone_set(tx, sources, _Clones(space=space, prefix=prefix, patch=patch), call)
    return Answer.of_items(items)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clones:
    """Clones that belong together: where they go, what is put before their names and on them."""

    space: Space
    prefix: str
    patch: Mapping[str, Any]


def _clone_set(
    tx: Transaction, sources: Iterable[Unit], clones: _Clones, call: Call
) -> list[dict[str, Any]]:
    """Clone units into one space, with the links among them; return the items of the answer."""
    made: dict[str, Unit] = {}

    def clone(source: Unit) -> Written:
        slug = clones.prefix + source.slug
        unit = tx.by_slug(Unit, clones.space.id, slug)
        if unit is None or not call.flag("allow_exists"):
            # the target belongs to the space of the source, so a clone starts without
            values = patched_values(replace(source, target_id=None), clones.patch)
            unit = _clone(tx, source, clones.space, {**values, "slug": slug}, call)
        made[source.id] = unit
        return unit, ()

    items = [_item(tx, functools.partial(clone, source)) for source in sources]
    copies = links.copied(tx, made, lambda slug: clones.prefix + slug)
    for item in items:
        for copy in copies.get(item.get("Unit", {}).get("UnitID"), ()):
            if isinstance(copy, ApiError):
                item["Links"].append({"Error": copy.item()})
            else:
                item["Links"].append({"Link": rendering.bare(tx, copy), "Error": None})
    return items


def _item(tx: Transaction, work: Callable[[], Written]) -> dict[str, Any]:
    """Return one item of a bulk answer; an item that is refused leaves nothing behind."""
    try:
        with tx.part():
            unit, conflicts = work()
    except ApiError as error:
        return {"Error": error.item()}
    told = [rendering.conflict(unit, conflict) for conflict in conflicts]
    return {"Unit": rendering.bare(tx, unit), "Links": [], "Conflicts": told, "Error": None}


def _answer(tx: Transaction, written: Written) -> Answer:
    """Return the unit, with the conflicts of its upgrade in a field that older clients skip."""
    unit, conflicts = written
    told = [rendering.conflict(unit, conflict) for conflict in conflicts]
    return Answer.of(rendering.bare(tx, unit) | ({"Conflicts": told} if told else {}))


def put(tx: Transaction, call: Call) -> Answer:
    """PUT /space/{space}/unit/{unit}: the whole unit as read before, refused if it has moved on."""
    unit = unit_of(tx, call)
    body = call.document()
    check_version(unit, body)
    return _answer(tx, _write(tx, unit, client_values(Unit, body), body, call))


def check_version(entity: Entity, body: dict[str, Any]) -> None:
    """Refuse a replacement of an entity that changed since the client read it.

    Raises:
        ApiError: The version differs, or is missing.
    """
    if body.get("Version") != entity.version:
        raise conflict(
            f"{type(entity).__name__} is at version {entity.version}, the request was made from "
            f"version {body.get('Version')}: read it again and repeat the change"
        )


def patch(tx: Transaction, call: Call) -> Answer:
    """PATCH /space/{space}/unit/{unit}."""
    return _answer(tx, _patch(tx, unit_of(tx, call), call))


def patch_many(tx: Transaction, call: Call) -> Answer:
    """PATCH /unit."""
    call.require("where")
    chosen = listing.matching(tx, Unit, call, tx.all(Unit))
    return Answer.of_items(
        [_item(tx, functools.partial(_patch, tx, unit, call)) for unit in chosen]
    )


def _patch(tx: Transaction, unit: Unit, call: Call) -> Written:
    return _write(tx, unit, patched_values(unit, call.patch()), call.patch(), call)


def _write(
    tx: Transaction, unit: Unit, values: dict[str, Any], body: dict[str, Any], call: Call
) -> Written:
    conflicts: tuple[Conflict, ...] = ()
    changed = unit.changed(values)
    _check(tx, changed)
    sources = {"restore", "revision_id", "upgrade"} & set(call.query)
    if len(sources) > 1:
        raise bad_request(f"{' and '.join(sorted(sources))} exclude each other")
    if "restore" in sources or "revision_id" in sources:
        changed = revisions.restored(tx, changed, call)
    elif call.flag("upgrade"):
        changed, conflicts = revisions.upgraded(tx, changed, call)
    elif body.get("Data") is not None:
        change = revisions.Change(
            data=revisions.parse_data(body["Data"], toolchain_type=changed.toolchain_type),
            source="Update",
            description=changed.last_change_description,
            user_agent=call.user_agent,
        )
        changed = revisions.put_head(tx, changed, change)
    return tx.update(changed), conflicts


def delete(tx: Transaction, call: Call) -> Answer:
    """DELETE /space/{space}/unit/{unit}."""
    return Answer.of(_delete(tx, unit_of(tx, call)))


def delete_many(tx: Transaction, call: Call) -> Answer:
    """DELETE /unit, what needs others first."""
    call.require("where")
    items = []
    chosen = listing.matching(tx, Unit, call, tx.all(Unit))
    for unit in reversed(links.ordered(chosen, links.needs(tx))):
        try:
            with tx.part():
                items.append(_delete(tx, unit))
        except ApiError as error:
            items.append({"Message": error.message, "Error": error.item()})
    return Answer.of_items(items)


def _delete(tx: Transaction, unit: Unit) -> dict[str, Any]:
    if operations.open_of(tx, unit):
        raise bad_request(f"unit {unit.slug!r} has an operation in flight: wait for its end")
    needed_by = [listing.slug_of(tx, Unit, x.from_unit_id) for x in links.leading_to(tx, [unit.id])]
    if needed_by:
        raise bad_request(
            f"unit {unit.slug!r} is needed by {', '.join(needed_by[:5])}: delete the links first"
        )
    for link in tx.all(Link):
        if link.from_unit_id == unit.id:
            tx.delete(link)
    tx.delete(unit)
    return deleted(f"unit {unit.slug} deleted")


def apply(tx: Transaction, call: Call) -> Answer:
    """POST /space/{space}/unit/{unit}/apply."""
    return Answer.of(operations.queue(tx, unit_of(tx, call), "Apply").to_json())


def destroy(tx: Transaction, call: Call) -> Answer:
    """POST /space/{space}/unit/{unit}/destroy."""
    return Answer.of(operations.queue(tx, unit_of(tx, call), "Destroy").to_json())


def refresh(tx: Transaction, call: Call) -> Answer:
    """POST /space/{space}/unit/{unit}/refresh."""
    return Answer.of(operations.queue(tx, unit_of(tx, call), "Refresh").to_json())


def apply_many(tx: Transaction, call: Call) -> Answer:
    """POST /unit/apply, what others need first."""
    return _act_on_many(tx, call, "Apply")


def destroy_many(tx: Transaction, call: Call) -> Answer:
    """POST /unit/destroy, what others need last."""
    return _act_on_many(tx, call, "Destroy")


def refresh_many(tx: Transaction, call: Call) -> Answer:
    """POST /unit/refresh."""
    return _act_on_many(tx, call, "Refresh")


def _act_on_many(tx: Transaction, call: Call, action: str) -> Answer:
    """Queue an action on every match; a dry run lists only the units that would refuse it.

    Clients of that time wait for every operation in the answer, so a dry run must not show any.
    """
    call.require("where")
    dry_run = call.flag("dry_run")
    items: list[dict[str, Any]] = []
    chosen = links.ordered(listing.matching(tx, Unit, call, tx.all(Unit)), links.needs(tx))
    for unit in reversed(chosen) if action == "Destroy" else chosen:
        try:
            if dry_run:
                operations.check(tx, unit, action)
            else:
                queued = operations.queue(tx, unit, action)
                items.append({"Action": queued.to_json(), "Error": None})
        except ApiError as error:
            items.append({"Error": error.item()})
    return Answer.of_items(items)


def list_events(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit/{unit}/unit_event; bare events, oldest first."""
    events = list(tx.history(UnitEvent, unit_of(tx, call).id))
    return Answer.of([event.to_json() for event in listing.matching(tx, UnitEvent, call, events)])


def list_revisions(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit/{unit}/revision."""
    history = list(tx.history(Revision, unit_of(tx, call).id))
    return Answer.of(listing.extended_list(tx, Revision, call, history))


def list_mutations(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit/{unit}/mutation."""
    history = list(tx.history(Mutation, unit_of(tx, call).id))
    return Answer.of(listing.extended_list(tx, Mutation, call, history))


def get_mutation(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit/{unit}/mutation/{mutation}."""
    unit = unit_of(tx, call)
    mutation = listing.get(tx, Mutation, call.identifier("mutation"))
    if mutation.unit_id != unit.id:
        raise ApiError(404, f"mutation {mutation.id} is not one of unit {unit.slug!r}")
    return Answer.of(listing.shower(tx, call)(mutation))


def _revision_of(tx: Transaction, call: Call) -> Revision:
    unit = unit_of(tx, call)
    revision = listing.get(tx, Revision, call.identifier("revision"))
    if revision.unit_id != unit.id:
        raise ApiError(404, f"revision {revision.id} is not one of unit {unit.slug!r}")
    return revision


def get_revision(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit/{unit}/revision/{revision}."""
    return Answer.of(listing.shower(tx, call)(_revision_of(tx, call)))


def revision_data(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit/{unit}/revision/{revision}/data."""
    revision = _revision_of(tx, call)
    return _raw(tx.data(revision.unit_id, revision.revision_num))


def data(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit/{unit}/data."""
    unit = unit_of(tx, call)
    return _raw(tx.data(unit.id, unit.head_revision_num))


def live_state(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/unit/{unit}/live-state."""
    return _raw(tx.live_state(unit_of(tx, call).id))


def _raw(content: bytes) -> Answer:
    return Answer(content=content, content_type="application/octet-stream")
