"""Routes of spaces, and of the server itself."""

import functools
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from traderx_embedded.confighub import links, listing, operations, rendering
from traderx_embedded.confighub.attributes import now
from traderx_embedded.confighub.call import Answer, Call, deleted
from traderx_embedded.confighub.entities import (
    BridgeWorker,
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
from traderx_embedded.confighub.summary import Summaries
from traderx_embedded.confighub.units import check_version

# those first that others are relied on by
RESIDENTS: tuple[type[Resident], ...] = (
    *(Link, Trigger, Unit, Target, BridgeWorker),
    *(View, ChangeSet, Invocation, Filter, Set, Tag),
)


def me(tx: Transaction, call: Call) -> Answer:
    """GET /me."""
    del call
    return Answer.of(rendering.member(tx))


def list_all(tx: Transaction, call: Call) -> Answer:
    """GET /space."""
    show = _shower(tx, call)
    return Answer.of([show(s) for s in listing.matching(tx, Space, call, tx.all(Space))])


def get_one(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}."""
    return Answer.of(_shower(tx, call)(listing.get(tx, Space, call.identifier("space"))))


def _shower(tx: Transaction, call: Call) -> Callable[[Space], dict[str, Any]]:
    show = listing.shower(tx, call)
    if not call.flag("summary"):
        return show
    summaries = Summaries(tx)
    return lambda space: show(space) | summaries.of(space)


def create(tx: Transaction, call: Call) -> Answer:
    """POST /space."""
    values = client_values(Space, call.document())
    return Answer.of(rendering.bare(tx, _made(tx, call, values)))


def create_many(tx: Transaction, call: Call) -> Answer:
    """POST /_space: for each match and each prefix an empty space like it, the patch put on it."""
    call.require("where", "name_prefixes")

    def make(like: Space, prefix: str) -> Space:
        values = client_values(Space, like.to_json()) | patched_values(like, call.patch())
        return _made(tx, call, values | {"slug": prefix + like.slug, "display_name": ""})

    likes = listing.matching(tx, Space, call, tx.all(Space))
    works = [functools.partial(make, like, prefix) for like in likes for prefix in call.prefixes()]
    return _items(tx, works)


def _made(tx: Transaction, call: Call, values: dict[str, Any]) -> Space:
    if "slug" not in values:
        raise bad_request("Space.Slug is required")
    existing = tx.by_slug(Space, "", values["slug"])
    if existing is not None and call.flag("allow_exists"):
        return existing
    moment = now()
    space = Space(
        id=str(uuid.uuid4()),
        organization_id=tx.organization_id,
        created_at=moment,
        updated_at=moment,
        **values,
    )
    return tx.create(replace(space, display_name=space.display_name or space.slug))


def _items(tx: Transaction, works: Sequence[Callable[[], Space]]) -> Answer:
    items: list[dict[str, Any]] = []
    for work in works:
        try:
            with tx.part():
                items.append({"Space": rendering.bare(tx, work()), "Error": None})
        except ApiError as error:
            items.append({"Error": error.item()})
    return Answer.of_items(items)


def put(tx: Transaction, call: Call) -> Answer:
    """PUT /space/{space}."""
    space = listing.get(tx, Space, call.identifier("space"))
    check_version(space, call.document())
    changed = tx.update(space.changed(client_values(Space, call.document())))
    return Answer.of(rendering.bare(tx, changed))


def patch(tx: Transaction, call: Call) -> Answer:
    """PATCH /space/{space}."""
    space = listing.get(tx, Space, call.identifier("space"))
    return Answer.of(rendering.bare(tx, _patched(tx, space, call)))


def patch_many(tx: Transaction, call: Call) -> Answer:
    """PATCH /_space."""
    call.require("where")
    chosen = listing.matching(tx, Space, call, tx.all(Space))
    return _items(tx, [functools.partial(_patched, tx, space, call) for space in chosen])


def _patched(tx: Transaction, space: Space, call: Call) -> Space:
    return tx.update(space.changed(patched_values(space, call.patch())))


def delete(tx: Transaction, call: Call) -> Answer:
    """DELETE /space/{space}; one that holds anything only with `recursive=true`."""
    return Answer.of(_delete(tx, listing.get(tx, Space, call.identifier("space")), call))


def delete_many(tx: Transaction, call: Call) -> Answer:
    """DELETE /_space."""
    call.require("where")
    items: list[dict[str, Any]] = []
    for space in listing.matching(tx, Space, call, tx.all(Space)):
        try:
            with tx.part():
                items.append(_delete(tx, space, call))
        except ApiError as error:
            items.append({"Message": error.message, "Error": error.item()})
    return Answer.of_items(items)


def _delete(tx: Transaction, space: Space, call: Call) -> dict[str, Any]:
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
    return deleted(f"space {space.slug} deleted")


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
