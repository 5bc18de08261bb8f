"""Routes that all plain entities of a space share, such as targets, filters and triggers."""

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from traderx_embedded.confighub import listing, rendering, triggers
from traderx_embedded.confighub.attributes import now
from traderx_embedded.confighub.call import Answer, Call, deleted
from traderx_embedded.confighub.entities import (
    BridgeWorker,
    BridgeWorkerStatus,
    Filter,
    Link,
    QueuedOperation,
    Resident,
    Set,
    Space,
    Tag,
    Target,
    Trigger,
    Unit,
    client_values,
    patched_values,
)
from traderx_embedded.confighub.errors import ApiError, bad_request
from traderx_embedded.confighub.store import Transaction
from traderx_embedded.confighub.units import check_version

AResident = TypeVar("AResident", bound=Resident)
_SECRET_LIFETIME_S = 90 * 24 * 3600


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
        if "slug" not in values:
            raise bad_request(f"{self.entity_type.__name__}.Slug is required")
        existing = tx.by_slug(self.entity_type, space.id, values["slug"])
        if existing is not None and call.flag("allow_exists"):
            return Answer.of(rendering.bare(tx, existing))
        return Answer.of(rendering.bare(tx, new(tx, self.entity_type, space.id, values)))

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

    def patch_many(self, tx: Transaction, call: Call) -> Answer:
        """PATCH /<path>."""
        if not call.query.get("where"):
            raise bad_request("where is required for this call")
        name = self.entity_type.__name__
        items: list[dict[str, Any]] = []
        for entity in listing.matching(tx, self.entity_type, call, tx.all(self.entity_type)):
            try:
                changed = self._changed(tx, entity, patched_values(entity, call.patch()))
                items.append({name: rendering.bare(tx, changed), "Error": None})
            except ApiError as error:
                items.append({"Error": error.item()})
        return Answer.of_items(items)

    def delete(self, tx: Transaction, call: Call) -> Answer:
        """DELETE /space/{space}/<path>/{id}; refused while something points to it."""
        entity = self._named(tx, call)
        users = [user.slug for user in _users_of(tx, entity)]
        if users:
            raise bad_request(
                f"{self.entity_type.__name__} {entity.slug!r} is used by {', '.join(users[:5])}"
            )
        tx.delete(entity)
        _after_write(tx, entity)
        return Answer.of(deleted(f"{self.entity_type.__name__} {entity.slug} deleted"))

    def _named(self, tx: Transaction, call: Call) -> AResident:
        return listing.get_resident(
            tx,
            self.entity_type,
            space_id=call.identifier("space"),
            identifier=call.identifier("id"),
        )

    def _changed(self, tx: Transaction, entity: AResident, values: dict[str, Any]) -> AResident:
        changed = entity.changed(values)
        _check(tx, changed)
        changed = tx.update(_as_kept(changed))
        _after_write(tx, changed)
        return changed


ALL: tuple[Routes[Any], ...] = (
    Routes("target", Target),
    Routes("bridge_worker", BridgeWorker),
    Routes("filter", Filter),
    Routes("set", Set),
    Routes("tag", Tag),
    Routes("link", Link),
    Routes("trigger", Trigger),
)


def new(
    tx: Transaction, entity_type: type[AResident], space_id: str, values: Mapping[str, Any]
) -> AResident:
    """Store a new entity of a space.

    Raises:
        ApiError: Something is missing, points nowhere, or the slug is taken.
    """
    moment = now()
    entity = entity_type(
        id=str(uuid.uuid4()),
        organization_id=tx.organization_id,
        space_id=space_id,
        created_at=moment,
        updated_at=moment,
        **values,
    )
    entity = replace(entity, display_name=entity.display_name or entity.slug)
    if isinstance(entity, BridgeWorker):
        entity = replace(entity, secret=_worker_secret(), user_id=tx.user_id)
    _check(tx, entity)
    entity = tx.create(_as_kept(entity))
    _after_write(tx, entity)
    return entity


def _as_kept(entity: AResident) -> AResident:
    if isinstance(entity, Trigger):
        return cast("AResident", triggers.checked(entity))
    return entity


def _after_write(tx: Transaction, entity: Resident) -> None:
    if isinstance(entity, Trigger):
        triggers.reevaluate(tx, entity.space_id)


def _worker_secret() -> str:
    # the documented form: 4 random bytes, the time of expiry, and their HMAC
    head = secrets.token_bytes(4) + int(time.time() + _SECRET_LIFETIME_S).to_bytes(8, "big")
    signature = hmac.new(secrets.token_bytes(32), head, hashlib.sha256).digest()
    return "ch_" + base64.b32encode(head + signature).decode().rstrip("=").lower()


def _check(tx: Transaction, entity: Resident) -> None:
    for field in entity.required:
        if not getattr(entity, field):
            name = field.strip("_").title().replace("_", "").replace("Id", "ID")
            raise bad_request(f"{type(entity).__name__}.{name} is required")
    if isinstance(entity, Target):
        _check_target(tx, entity)
    elif isinstance(entity, Filter):
        _check_filter(tx, entity)
    elif isinstance(entity, Link):
        _check_link(tx, entity)


def _check_target(tx: Transaction, target: Target) -> None:
    if target.bridge_worker_id is not None:
        listing.get(tx, BridgeWorker, target.bridge_worker_id)
    try:
        parameters = json.loads(target.parameters or "{}")
    except (ValueError, RecursionError) as error:
        raise bad_request(f"Target.Parameters is not JSON: {error}") from error
    if not isinstance(parameters, dict):
        raise bad_request("Target.Parameters: expected a JSON object inside a string")


def _check_filter(tx: Transaction, filter_: Filter) -> None:
    filterable = {
        kind.__name__: kind for kind in (Space, Unit, *(route.entity_type for route in ALL))
    }
    if filter_.from_ not in filterable:
        raise bad_request(f"Filter.From {filter_.from_!r}: expected one of {', '.join(filterable)}")
    if filter_.from_space_id is not None:
        listing.get(tx, Space, filter_.from_space_id)
    if filter_.where:
        listing.compiled(filter_.where, filterable[filter_.from_])


def _check_link(tx: Transaction, link: Link) -> None:
    listing.get_resident(tx, Unit, space_id=link.space_id, identifier=str(link.from_unit_id))
    to_space = link.to_space_id or link.space_id
    listing.get_resident(tx, Unit, space_id=to_space, identifier=str(link.to_unit_id))
    if link.from_unit_id == link.to_unit_id:
        raise bad_request(f"link {link.slug!r}: a unit cannot need itself")


def _users_of(tx: Transaction, entity: Resident) -> Iterable[Resident]:
    if isinstance(entity, Target):
        in_flight = {o.unit_id for o in tx.all(QueuedOperation) if o.target_id == entity.id}
        return [u for u in tx.all(Unit) if u.target_id == entity.id or u.id in in_flight]
    if isinstance(entity, BridgeWorker):
        return [target for target in tx.all(Target) if target.bridge_worker_id == entity.id]
    if isinstance(entity, Set):
        return [unit for unit in tx.all(Unit) if unit.set_id == entity.id]
    return []


def worker_statuses(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/bridge_worker/{id}/status."""
    worker = listing.get_resident(
        tx, BridgeWorker, space_id=call.identifier("space"), identifier=call.identifier("id")
    )
    return Answer.of([status.to_json() for status in tx.history(BridgeWorkerStatus, worker.id)])
