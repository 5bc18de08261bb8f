"""What the plain entities of a space must be to be kept, and who else relies on one."""

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from traderx_embedded.confighub import links, listing, triggers
from traderx_embedded.confighub.arguments import parse_arguments
from traderx_embedded.confighub.attributes import now
from traderx_embedded.confighub.data_filter import DataFilter
from traderx_embedded.confighub.entities import (
    BridgeWorker,
    ChangeSet,
    Entity,
    Filter,
    Invocation,
    Link,
    QueuedOperation,
    Resident,
    Set,
    Space,
    Tag,
    Target,
    Trigger,
    Unit,
    View,
)
from traderx_embedded.confighub.errors import bad_request
from traderx_embedded.confighub.functions import catalogue
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.store import Transaction

AResident = TypeVar("AResident", bound=Resident)
_SECRET_LIFETIME_S = 90 * 24 * 3600
_FILTERABLE: tuple[type[Entity], ...] = (
    *(Space, Unit, Target, BridgeWorker, Filter, Set, Tag, Link, Trigger),
    *(ChangeSet, View, Invocation),
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
    return kept(tx, entity, tx.create)


def kept(tx: Transaction, entity: AResident, write: Callable[[AResident], AResident]) -> AResident:
    """Store an entity as `write` does, after all that it must be and with all that follows.

    Raises:
        ApiError: Something is missing, points nowhere, or the slug is taken.
    """
    _check(tx, entity)
    written = write(_as_kept(entity))
    after_write(tx, written)
    return written


def _as_kept(entity: AResident) -> AResident:
    if isinstance(entity, Trigger):
        return cast("AResident", triggers.checked(entity))
    if isinstance(entity, Link) and entity.to_space_id is None:
        return cast("AResident", replace(entity, to_space_id=entity.space_id))
    return entity


def after_write(tx: Transaction, entity: Resident) -> None:
    """Do what the change or the deletion of an entity means for others."""
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
        links.check(tx, entity)
    elif isinstance(entity, ChangeSet):
        _check_change_set(tx, entity)
    elif isinstance(entity, View):
        _check_view(tx, entity)
    elif isinstance(entity, Invocation):
        _check_invocation(entity)


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
    filterable = {kind.__name__: kind for kind in _FILTERABLE}
    if filter_.from_ not in filterable:
        raise bad_request(f"Filter.From {filter_.from_!r}: expected one of {', '.join(filterable)}")
    if filter_.from_space_id is not None:
        listing.get(tx, Space, filter_.from_space_id)
    if filter_.where:
        listing.compiled(filter_.where, filterable[filter_.from_])
    DataFilter(expression=filter_.where_data).check()
    if (filter_.where_data or filter_.resource_type) and filter_.from_ != "Unit":
        raise bad_request("Filter.WhereData and ResourceType choose units: From has to be Unit")


def _check_change_set(tx: Transaction, change_set: ChangeSet) -> None:
    if change_set.filter_id is not None:
        listing.get(tx, Filter, change_set.filter_id)
    for tag_id in (change_set.start_tag_id, change_set.end_tag_id):
        if tag_id is not None:
            listing.get(tx, Tag, tag_id)


def _check_view(tx: Transaction, view: View) -> None:
    listing.get(tx, Filter, str(view.filter_id))
    if view.order_by_direction not in {"", "ASC", "DESC"}:
        raise bad_request(f"View.OrderByDirection {view.order_by_direction!r}: ASC or DESC")
    columns: Any = view.columns
    if columns is not None and not (
        isinstance(columns, list | tuple)
        and all(isinstance(c, dict) and isinstance(c.get("Name"), str) for c in columns)
    ):
        raise bad_request('View.Columns: expected a list such as [{"Name": "Unit.Slug"}]')


def _check_invocation(kept_call: Invocation) -> None:
    function = catalogue.find(kept_call.toolchain_type, kept_call.function_name)
    if function is None:
        raise bad_request(
            f"Invocation.FunctionName: there is no function {kept_call.function_name!r} "
            f"for {kept_call.toolchain_type}"
        )
    try:
        function.bind(parse_arguments(kept_call.arguments, where="Invocation.Arguments"))
    except FunctionError as error:
        raise bad_request(f"Invocation.Arguments: {error}") from error


def users_of(tx: Transaction, entity: Resident) -> Iterable[Resident]:
    """Return what would point nowhere without an entity."""
    if isinstance(entity, Target):
        in_flight = {o.unit_id for o in tx.all(QueuedOperation) if o.target_id == entity.id}
        return [u for u in tx.all(Unit) if u.target_id == entity.id or u.id in in_flight]
    if isinstance(entity, BridgeWorker):
        return [target for target in tx.all(Target) if target.bridge_worker_id == entity.id]
    if isinstance(entity, Set):
        return [unit for unit in tx.all(Unit) if unit.set_id == entity.id]
    if isinstance(entity, Filter):
        holders: list[View | ChangeSet] = [*tx.all(View), *tx.all(ChangeSet)]
        return [holder for holder in holders if holder.filter_id == entity.id]
    if isinstance(entity, Tag):
        return [c for c in tx.all(ChangeSet) if entity.id in {c.start_tag_id, c.end_tag_id}]
    return []
