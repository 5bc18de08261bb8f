"""Choosing entities and showing them: where, filter, contains; include, select, summary.

Extended answers wrap an entity under its type's name and add what `include` asks for.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from traderx_embedded.confighub import predicate, rendering
from traderx_embedded.confighub.attributes import attributes_of, parse_uuid
from traderx_embedded.confighub.call import Call
from traderx_embedded.confighub.data_filter import ANY, DataFilter
from traderx_embedded.confighub.entities import Entity, Filter, Named, Resident, Space, Unit
from traderx_embedded.confighub.errors import bad_request, not_found
from traderx_embedded.confighub.store import Transaction
from traderx_embedded.confighub.where import WhereError

AnEntity = TypeVar("AnEntity", bound=Entity)
AResident = TypeVar("AResident", bound=Resident)


def get(tx: Transaction, entity_type: type[AnEntity], identifier: str) -> AnEntity:
    """Return the entity of this identifier.

    Raises:
        ApiError: There is none.
    """
    found = tx.find(entity_type, identifier)
    if found is None:
        raise not_found(f"{entity_type.__name__} {identifier} does not exist")
    return found


def get_resident(
    tx: Transaction, entity_type: type[AResident], *, space_id: str, identifier: str
) -> AResident:
    """Return an entity of a space.

    Raises:
        ApiError: There is none, or it lives in another space.
    """
    found = tx.find(entity_type, identifier)
    if found is None or found.space_id != space_id:
        raise not_found(f"{entity_type.__name__} {identifier} does not exist in space {space_id}")
    return found


def matching(
    tx: Transaction, entity_type: type[AnEntity], call: Call, candidates: Iterable[AnEntity]
) -> list[AnEntity]:
    """Return the candidates that the call lets through.

    By `where`, `filter` and `contains`; units by `where_data` and `resource_type` too.

    Raises:
        ApiError: The expression is malformed or the filter does not fit.
    """
    stored = _stored_filter(tx, entity_type, call)
    tests = [
        compiled(text, entity_type)
        for text in (call.query.get("where"), _stored_where(stored))
        if text
    ]
    found = [item for item in candidates if all(test(item, tx.find) for test in tests)]
    contains = call.query.get("contains")
    if contains:
        found = [item for item in found if _contains(item, contains)]
    for wanted in _data_filters(entity_type, call, stored):
        found = [item for item in found if _says(tx, item, wanted)]
    return found


def spaces(tx: Transaction, where: str) -> list[Space]:
    """Return the spaces that a where lets through.

    Raises:
        ApiError: It is malformed.
    """
    in_scope = compiled(where, Space)
    return [space for space in tx.all(Space) if in_scope(space, tx.find)]


def compiled(text: str, entity_type: type[Entity]) -> predicate.Predicate:
    """Return the predicate of a where text.

    Raises:
        ApiError: It is malformed.
    """
    try:
        return predicate.bind(text, entity_type)
    except WhereError as error:
        raise bad_request(str(error)) from error


def _stored_filter(tx: Transaction, entity_type: type[Entity], call: Call) -> Filter | None:
    identifier = parse_uuid(call.query.get("filter"), where="filter")
    if identifier is None:
        return None
    stored = get(tx, Filter, identifier)
    if stored.from_ != entity_type.__name__:
        raise bad_request(
            f"filter {stored.slug!r} is for {stored.from_}, not for {entity_type.__name__}"
        )
    return stored


def _stored_where(stored: Filter | None) -> str:
    if stored is None:
        return ""
    scope = f"SpaceID = '{stored.from_space_id}'" if stored.from_space_id else ""
    return " AND ".join(part for part in (stored.where, scope) if part)


def _data_filters(entity_type: type[Entity], call: Call, stored: Filter | None) -> list[DataFilter]:
    given = [(call.query.get("resource_type", ""), call.query.get("where_data", ""))]
    if stored is not None:
        given.append((stored.resource_type, stored.where_data))
    filters = [
        DataFilter(resource_type=kind or ANY, expression=expression)
        for kind, expression in given
        if kind or expression
    ]
    if filters and entity_type is not Unit:
        raise bad_request(f"where_data and resource_type choose units, not {entity_type.__name__}")
    for wanted in filters:
        wanted.check()
    return filters


def _says(tx: Transaction, item: Entity, wanted: DataFilter) -> bool:
    return isinstance(item, Unit) and wanted.matches(
        item, lambda: tx.data(item.id, item.head_revision_num)
    )


def _contains(entity: Entity, text: str) -> bool:
    for declared in attributes_of(type(entity)).values():
        if not declared.filterable or declared.internal:
            continue
        value = getattr(entity, declared.field)
        if isinstance(value, str) and text in value:
            return True
        if isinstance(value, dict) and any(text in f"{key}={item}" for key, item in value.items()):
            return True
    return False


def extended_list(
    tx: Transaction, entity_type: type[AnEntity], call: Call, candidates: Iterable[AnEntity]
) -> list[dict[str, Any]]:
    """Return the extended form of all matching entities.

    Raises:
        ApiError: A parameter is malformed.
    """
    show = shower(tx, call)
    return [show(entity) for entity in matching(tx, entity_type, call, candidates)]


def shower(tx: Transaction, call: Call) -> Callable[[Entity], dict[str, Any]]:
    """Return the function that shows entities as the call asks for them."""
    include = call.names("include") or frozenset()
    select = call.names("select")
    return lambda entity: rendering.extended(tx, entity, include=include, select=select)


def slug_of(tx: Transaction, entity_type: type[Named], identifier: str | None) -> str:
    """Return an entity's slug for a message; its identifier when it is gone."""
    found = tx.find(entity_type, identifier) if identifier else None
    return found.slug if found is not None else str(identifier)
