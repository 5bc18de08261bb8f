"""Paths into plain values, in a box of one, so that the whole may be replaced too."""

from typing import Any

from traderx_embedded.confighub.functions.errors import FunctionError

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """Return a path as ConfigHub writes it; a dot inside a key is `~1`."""
    return ".".join(str(segment).replace(".", "~1") for segment in path)


def same(one: Any, other: Any) -> bool:
    """Return whether two values are the same; one and true are equal in Python, not in YAML."""
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def at(boxed: Any, path: Path) -> Any:
    """Return what is at a path.

    Raises:
        FunctionError: Nothing is there.
    """
    value = boxed[0]
    try:
        for segment in path:
            value = value[segment]
    except (IndexError, KeyError, TypeError) as error:
        raise FunctionError("the path leads nowhere") from error
    return value


def put(boxed: Any, path: Path, value: Any) -> None:
    """Put a value at a path, with the mappings that lead there, as `Document.set` means it.

    Raises:
        FunctionError: Something else than a mapping is in the way.
    """
    if not path:
        boxed[0] = value
        return
    holder = boxed[0]
    for length, segment in enumerate(path):
        if holder is None:
            put(boxed, path[:length], holder := {})
        if isinstance(holder, list) and isinstance(segment, int) and segment < len(holder):
            pass
        elif not isinstance(holder, dict):
            raise FunctionError(f"there is no mapping to put {segment!r} into")
        if length == len(path) - 1:
            holder[segment] = value
        elif isinstance(holder, dict):
            holder = holder.setdefault(segment, {})
        else:
            holder = holder[segment]
