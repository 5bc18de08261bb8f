"""Which items of three lists are the same one.

ConfigHub compares lists by position. Alone, that would put a local override on another item as soon
as upstream inserts or removes one above it; so items are known by their name where they have one.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

Identity = int | tuple[Hashable]
Same = Callable[[Any, Any], bool]

# What names an item in the lists of Kubernetes; the first that all items have, each its own.
_NAMES = ("name", "containerPort", "port", "mountPath", "host", "path", "key", "ip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item and its index in each of the three lists, None where it is missing.

    `is_renamed` if upstream alone gave it another name.
    """

    base: int | None
    theirs: int | None
    ours: int | None
    is_renamed: bool = False


def match(
    base: Sequence[Any], theirs: Sequence[Any], ours: Sequence[Any], *, same: Same
) -> list[Item] | None:
    """Return the items of all three lists in the order of the merged one.

    Items are paired by name, renamed ones by position; without names by position alone, and then
    None is returned if a side is longer or shorter otherwise than at its end, for then a position
    does not say which item it is.
    """
    name = _common_name(base, theirs, ours)
    if name is None:
        if not all(_keeps_positions(base, side, same) for side in (theirs, ours)):
            return None
        their_ids, our_ids = list[Identity](range(len(theirs))), list[Identity](range(len(ours)))
    else:
        names = [item[name] for item in base]
        their_ids, our_ids = (
            _identities(names, [item[name] for item in side]) for side in (theirs, ours)
        )
    base_ids: list[Identity] = list(range(len(base)))
    # the order is upstream's as long as nothing was added, removed or moved here
    order = _woven(their_ids, our_ids) if our_ids == base_ids else _woven(our_ids, their_ids)
    in_theirs, in_ours = _places(their_ids), _places(our_ids)
    return [
        Item(
            base=identity if isinstance(identity, int) and identity < len(base) else None,
            theirs=(at := in_theirs.get(identity)),
            ours=(mine := in_ours.get(identity)),
            is_renamed=name is not None
            and at is not None
            and mine is not None
            and isinstance(identity, int)
            and theirs[at][name] != base[identity][name] == ours[mine][name],
        )
        for identity in order
    ]


def _common_name(*sides: Sequence[Any]) -> str | None:
    every = [item for side in sides for item in side]
    if not every or not all(isinstance(item, dict) for item in every):
        return None
    for name in _NAMES:
        if all(isinstance(item.get(name), str | int) for item in every) and all(
            len({item[name] for item in side}) == len(side) for side in sides
        ):
            return name
    return None


def _keeps_positions(base: Sequence[Any], side: Sequence[Any], same: Same) -> bool:
    return len(side) == len(base) or all(map(same, base, side))


def _identities(base: Sequence[Hashable], side: Sequence[Hashable]) -> list[Identity]:
    """Return for each name the index in the base that it is, or a name of its own."""
    known, present = {name: index for index, name in enumerate(base)}, set(side)
    found: list[Identity] = []
    for position, name in enumerate(side):
        if name in known:
            found.append(known[name])
        elif position < len(base) and base[position] not in present:
            found.append(position)  # under another name
        else:
            found.append((name,))
    return found


def _woven(first: Sequence[Identity], second: Sequence[Identity]) -> list[Identity]:
    """Return the first order with what only the second has, each after its neighbour there."""
    known = set(first)
    followers: dict[Identity | None, list[Identity]] = {}
    neighbour: Identity | None = None
    for identity in second:
        if identity in known:
            neighbour = identity
        else:
            followers.setdefault(neighbour, []).append(identity)
    woven = followers.get(None, [])
    for identity in first:
        woven += [identity, *followers.get(identity, [])]
    return woven


def _places(identities: Sequence[Identity]) -> dict[Identity, int]:
    return {identity: place for place, identity in enumerate(identities)}
