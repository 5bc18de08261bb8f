"""The three-way merge of plain values, by path.

What one side alone changed is taken from that side. What both changed to different values stays as
it is here and is told as a clash. Nothing in this module knows of YAML or of text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from traderx_embedded.confighub.merge import items

Path = tuple[str | int, ...]


class Absence(Enum):
    """The one value that says there is none, which null does not."""

    ABSENT = "absent"


ABSENT: Final = Absence.ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A path that upstream and the unit both changed, to different values; each may be absent."""

    path: Path
    base: Any
    theirs: Any
    ours: Any


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge underway; `clashes` grows as it goes."""

    clashes: list[Clash]

    def value(self, base: Any, theirs: Any, ours: Any, path: Path = ()) -> Any:
        """Return the merged value at a path, ABSENT where there is to be none."""
        if same(theirs, base) or same(theirs, ours):
            return ours
        if same(ours, base):
            return theirs
        if isinstance(theirs, dict) and isinstance(ours, dict):
            return self._mapping(base if isinstance(base, dict) else {}, theirs, ours, path)
        if isinstance(theirs, list) and isinstance(ours, list):
            merged = self._list(base if isinstance(base, list) else [], theirs, ours, path)
            if merged is not None:
                return merged
        return self._clash(base, theirs, ours, path)

    def _clash(self, base: Any, theirs: Any, ours: Any, path: Path) -> Any:
        self.clashes.append(Clash(path=path, base=base, theirs=theirs, ours=ours))
        return ours

    def _mapping(
        self,
        base: Mapping[str, Any],
        theirs: Mapping[str, Any],
        ours: Mapping[str, Any],
        path: Path,
    ) -> dict[str, Any]:
        merged = {
            key: self.value(
                base.get(key, ABSENT), theirs.get(key, ABSENT), ours.get(key, ABSENT), (*path, key)
            )
            for key in dict.fromkeys((*ours, *theirs))
        }
        return {key: value for key, value in merged.items() if value is not ABSENT}

    def _list(
        self, base: list[Any], theirs: list[Any], ours: list[Any], path: Path
    ) -> list[Any] | None:
        """Return the merged list; None if it cannot be told which items are the same ones."""
        matched = items.match(base, theirs, ours, same=same)
        if matched is None:
            return None
        merged = []
        for item in matched:
            one, its, mine = (
                side[at] if at is not None else ABSENT
                for side, at in ((base, item.base), (theirs, item.theirs), (ours, item.ours))
            )
            here = (*path, item.ours if item.ours is not None else item.theirs or 0)
            if item.is_renamed and not same(mine, one):
                # our change was meant for the item that bore the old name
                value = self._clash(one, its, mine, here)
            else:
                value = self.value(one, its, mine, here)
            if value is not ABSENT:
                merged.append(value)
        return merged


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and of the same types: 1 is neither true nor 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Yield each path at which two values differ, with both; lists are compared by position."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            one, other = (side[index] if index < len(side) else ABSENT for side in (old, new))
            yield from differences(one, other, (*path, index))
    elif not same(old, new):
        yield path, old, new
