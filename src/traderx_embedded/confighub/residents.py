"""Routes that all plain entities of a space share, such as targets, filters and triggers."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from traderx_embedded.confighub import listing, rendering, rules
from traderx_embedded.confighub.call import Answer, Call, deleted
from traderx_embedded.confighub.entities import (
    BridgeWorker,
    BridgeWorkerStatus,
    ChangeSet,
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
from traderx_embedded.confighub.errors import ApiError, bad_request
from traderx_embedded.confighub.store import Transaction
from traderx_embedded.confighub.units import check_version

AResident = TypeVar("AResident", bound=Resident)


@dataclass(frozen=True, slots=True)
class Routes(Generic[AResident]):
    """The routes of one entity type; `path` is its name in URLs."""

    path: str
    entity_type: type[AResident]

    def list_in_space(self, tx: Transaction, call: Call) -> Answer:
        """GET /space/{space}/<path>."""
        space = listing.get(tx, Space, call.identifier("space"))
        mine = [item for item in tx.all(self.entity_type) if item.space_id == space.id]
        return Answer.of(listing.extended_list(tx, self.entity_type, call, mine))

    def list_all(self, tx: Transaction, call: Call) -> Answer:
        """GET /<path>."""
        every = tx.all(self.entity_type)
        return Answer.of(listing.extended_list(tx, self.entity_type, call, every))

    def get_one(self, tx: Transaction, call: Call) -> Answer:
        """GET /space/{space}/<path>/{id}."""
        return Answer.of(listing.shower(tx, call)(self._named(tx, call)))

    def create(self, tx: Transaction, call: Call) -> Answer:
        """POST /space/{space}/<path>."""
        space = listing.get(tx, Space, call.identifier("space"))
        values = client_values(self.entity_type, call.document())
        return Answer.of(rendering.bare(tx, self._made(tx, call, space, values)))

    def put(self, tx: Transaction, call: Call) -> Answer:
        """PUT /space/{space}/<path>/{id}."""
        entity = self._named(tx, call)
        check_version(entity, call.document())
        values = client_values(self.entity_type, call.document())
        return Answer.of(rendering.bare(tx, self._changed(tx, entity, values)))

    def patch(self, tx: Transaction, call: Call) -> Answer:
        """PATCH /space/{space}/<path>/{id}."""
        entity = self._named(tx, call)
        changed = self._changed(tx, entity, patched_values(entity, call.patch()))
        return Answer.of(rendering.bare(tx, changed))

    def copy_many(self, tx: Transaction, call: Call) -> Answer:
        """POST /<path>: every match into every matching space, the patch put on each copy."""
        call.require("where", "where_space")
        spaces = listing.spaces(tx, call.query["where_space"])

        def copy(entity: AResident, space: Space, prefix: str) -> AResident:
            values = client_values(self.entity_type, entity.to_json())
            values |= patched_values(entity, call.patch())
            values |= {"slug": prefix + entity.slug, "display_name": ""}
            return self._made(tx, call, space, values)

        return self._items(
            tx,
            [
                functools.partial(copy, entity, space, prefix)
                for space in spaces
                for entity in self._matching(tx, call)
                for prefix in call.prefixes()
            ],
        )

    def patch_many(self, tx: Transaction, call: Call) -> Answer:
        """PATCH /<path>."""
        call.require("where")

        def patch(entity: AResident) -> AResident:
            return self._changed(tx, entity, patched_values(entity, call.patch()))

        chosen = self._matching(tx, call)
        return self._items(tx, [functools.partial(patch, entity) for entity in chosen])

    def delete_many(self, tx: Transaction, call: Call) -> Answer:
        """DELETE /<path>."""
        call.require("where")
        items: list[dict[str, Any]] = []
        for entity in self._matching(tx, call):
            try:
                with tx.part():
                    items.append(self._delete(tx, entity))
            except ApiError as error:
                items.append({"Message": error.message, "Error": error.item()})
        return Answer.of_items(items)

    def delete(self, tx: Transaction, call: Call) -> Answer:
        """DELETE /space/{space}/<path>/{id}; refused while something points to it."""
        return Answer.of(self._delete(tx, self._named(tx, call)))

    def _delete(self, tx: Transaction, entity: AResident) -> dict[str, Any]:
        users = [user.slug for user in rules.users_of(tx, entity)]
        if users:
            raise bad_request(
                f"{self.entity_type.__name__} {entity.slug!r} is used by {', '.join(users[:5])}"
            )
        tx.delete(entity)
        rules.after_write(tx, entity)
        return deleted(f"{self.entity_type.__name__} {entity.slug} deleted")

    def _made(self, tx: Transaction, call: Call, space: Space, values: dict[str, Any]) -> AResident:
        if "slug" not in values:
            raise bad_request(f"{self.entity_type.__name__}.Slug is required")
        existing = tx.by_slug(self.entity_type, space.id, values["slug"])
        if existing is not None and call.flag("allow_exists"):
            return existing
        return rules.new(tx, self.entity_type, space.id, values)

    def _matching(self, tx: Transaction, call: Call) -> list[AResident]:
        return listing.matching(tx, self.entity_type, call, tx.all(self.entity_type))

    def _items(self, tx: Transaction, works: list[Callable[[], AResident]]) -> Answer:
        """Do each and return the bulk answer; what is refused leaves nothing behind."""
        items: list[dict[str, Any]] = []
        for work in works:
            try:
                with tx.part():
                    shown = rendering.bare(tx, work())
                items.append({self.entity_type.__name__: shown, "Error": None})
            except ApiError as error:
                items.append({"Error": error.item()})
        return Answer.of_items(items)

    def _named(self, tx: Transaction, call: Call) -> AResident:
        return listing.get_resident(
            tx,
            self.entity_type,
            space_id=call.identifier("space"),
            identifier=call.identifier("id"),
        )

    def _changed(self, tx: Transaction, entity: AResident, values: dict[str, Any]) -> AResident:
        changed = entity.changed(values)
        return rules.kept(tx, changed, tx.update)


ALL: tuple[Routes[Any], ...] = (
    Routes("target", Target),
    Routes("bridge_worker", BridgeWorker),
    Routes("filter", Filter),
    Routes("set", Set),
    Routes("tag", Tag),
    Routes("link", Link),
    Routes("trigger", Trigger),
    Routes("change_set", ChangeSet),
    Routes("view", View),
    Routes("invocation", Invocation),
)


def worker_statuses(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/bridge_worker/{id}/status."""
    worker = listing.get_resident(
        tx, BridgeWorker, space_id=call.identifier("space"), identifier=call.identifier("id")
    )
    return Answer.of([status.to_json() for status in tx.history(BridgeWorkerStatus, worker.id)])


def link_many(tx: Transaction, call: Call) -> Answer:
    """POST /link: from every match of `where_from` to every match of `where_to`.

    Both are looked for in the spaces of `where_space`; the latter in those of `where_to_space`
    where it is given, else in the space of the link.
    """
    call.require("where_space", "where_from", "where_to")
    starts, ends = (listing.compiled(call.query[n], Unit) for n in ("where_from", "where_to"))
    to_spaces = call.query.get("where_to_space")
    elsewhere = None if to_spaces is None else {s.id for s in listing.spaces(tx, to_spaces)}
    items: list[dict[str, Any]] = []
    for space in listing.spaces(tx, call.query["where_space"]):
        wanted = {space.id} if elsewhere is None else elsewhere
        goals = [u for u in tx.all(Unit) if u.space_id in wanted and ends(u, tx.find)]
        for start in tx.all(Unit):
            if start.space_id == space.id and starts(start, tx.find):
                items += [_linked(tx, call, start, goal) for goal in goals if goal.id != start.id]
    return Answer.of_items(items)


def _linked(tx: Transaction, call: Call, start: Unit, goal: Unit) -> dict[str, Any]:
    values = client_values(Link, call.patch()) | {
        "slug": f"{start.slug[:63]}-{goal.slug[:63]}",
        "from_unit_id": start.id,
        "to_unit_id": goal.id,
        "to_space_id": goal.space_id,
    }
    existing = tx.by_slug(Link, start.space_id, values["slug"])
    try:
        if existing is not None and call.flag("allow_exists"):
            link = existing
        else:
            with tx.part():
                link = rules.new(tx, Link, start.space_id, values)
    except ApiError as error:
        return {"Error": error.item()}
    return {"Link": rendering.bare(tx, link), "Error": None}
