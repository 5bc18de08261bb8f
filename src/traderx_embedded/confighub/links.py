"""What links mean: the unit at their start needs values of the one at their end.

So the end is applied first, no chain of links leads back to its start, and a unit that others need
is not deleted. Values are not carried along links.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence

from traderx_embedded.confighub import listing
from traderx_embedded.confighub.attributes import now
from traderx_embedded.confighub.entities import Link, Unit
from traderx_embedded.confighub.errors import ApiError, bad_request
from traderx_embedded.confighub.store import Transaction


def check(tx: Transaction, link: Link) -> None:
    """Refuse a link that leads nowhere or closes a circle; a link may lead to another space.

    Raises:
        ApiError: An end does not exist, or the end needs the start already.
    """
    start = listing.get_resident(
        tx, Unit, space_id=link.space_id, identifier=str(link.from_unit_id)
    )
    end = listing.get_resident(
        tx, Unit, space_id=link.to_space_id or link.space_id, identifier=str(link.to_unit_id)
    )
    way = _way(needs(tx, without=link.id), end.id, start.id)
    if way is not None:
        circle = " -> ".join(_named(tx, start, identifier) for identifier in (start.id, *way))
        raise bad_request(f"link {link.slug!r} would close a circle: {circle}")


def needs(tx: Transaction, *, without: str = "") -> Mapping[str, Sequence[str]]:
    """Return for each unit that needs others which these are, by identifier."""
    found: dict[str, list[str]] = {}
    for link in tx.all(Link):
        if link.id != without:
            found.setdefault(str(link.from_unit_id), []).append(str(link.to_unit_id))
    return found


def ordered(units: Iterable[Unit], needs: Mapping[str, Sequence[str]]) -> list[Unit]:
    """Return units so that each comes after those that it needs, also by way of others."""
    chosen = {unit.id: unit for unit in units}
    done: dict[str, None] = {}
    for start in chosen:
        way = {start: iter(needs.get(start, ()))}
        while way:
            here = next(reversed(way))
            need = next(way[here], None)
            if need is None:
                done[here] = None
                del way[here]
            elif need not in done and need not in way:
                way[need] = iter(needs.get(need, ()))
    return [chosen[identifier] for identifier in done if identifier in chosen]


def leading_to(tx: Transaction, unit_ids: Iterable[str]) -> list[Link]:
    """Return the links that lead to any of some units from outside of them."""
    inside = set(unit_ids)
    return [
        link
        for link in tx.all(Link)
        if link.to_unit_id in inside and link.from_unit_id not in inside
    ]


def copied(
    tx: Transaction, clones: Mapping[str, Unit], name: Callable[[str], str]
) -> dict[str, list[Link | ApiError]]:
    """Copy the links between some units to their clones.

    Args:
        tx: The transaction.
        clones: The clones by the identifiers of what they are clones of, all in one space.
        name: What a copy is called.

    Returns:
        The copies, or why there is none, by the identifier of the clone that they start from.
    """
    made: dict[str, list[Link | ApiError]] = {}
    for link in tx.all(Link):
        start, end = clones.get(str(link.from_unit_id)), clones.get(str(link.to_unit_id))
        if start is None or end is None or tx.by_slug(Link, start.space_id, name(link.slug)):
            continue
        moment = now()
        copy = Link(
            id=str(uuid.uuid4()),
            organization_id=link.organization_id,
            created_at=moment,
            updated_at=moment,
            space_id=start.space_id,
            slug=name(link.slug),
            display_name=name(link.slug),
            labels=link.labels,
            annotations=link.annotations,
            from_unit_id=start.id,
            to_unit_id=end.id,
            to_space_id=end.space_id,
        )
        mine = made.setdefault(start.id, [])
        try:
            check(tx, copy)
            mine.append(tx.create(copy))
        except ApiError as error:
            mine.append(error)
    return made


def _way(needs: Mapping[str, Sequence[str]], start: str, end: str) -> list[str] | None:
    """Return the identifiers on a way along links from one unit to another, both included."""
    came_from: dict[str, str] = {start: ""}
    todo = [start]
    while todo:
        here = todo.pop()
        if here == end:
            way = [here]
            while came_from[way[0]]:
                way.insert(0, came_from[way[0]])
            return way
        for need in needs.get(here, ()):
            if need not in came_from:
                came_from[need] = here
                todo.append(need)
    return None


def _named(tx: Transaction, near: Unit, identifier: str) -> str:
    unit = listing.get(tx, Unit, identifier)
    if unit.space_id == near.space_id:
        return unit.slug
    return f"{unit.slug} ({unit.space_id})"
