"""Differences between two states of a unit, by path; and where a promotion would meet overrides."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from traderx_gate.kube import ObjectRef, parse_manifests

ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange:
    """One value that differs.

    Attributes:
        path: Object and path in it, `Deployment web: spec.replicas`.
        old: What it was, in words.
        new: What it becomes.
    """

    path: str
    old: str
    new: str

    def __str__(self) -> str:
        """Return `path: old -> new`."""
        return f"{self.path}: {self.old} -> {self.new}"


def changes(old: bytes, new: bytes, *, source: str) -> tuple[PathChange, ...]:
    """Return what differs between two states, in the order of the paths.

    Objects are matched by kind and name, whatever their namespace; items of lists by their name,
    where they have one, else by their place.

    Raises:
        ConfigurationError: One of them holds no Kubernetes objects; names `source`.
    """
    before, after = _values(old, source), _values(new, source)
    paths = list(dict.fromkeys([*before, *after]))
    return tuple(
        PathChange(path=path, old=before.get(path, ABSENT), new=after.get(path, ABSENT))
        for path in paths
        if before.get(path, ABSENT) != after.get(path, ABSENT)
    )


def one_after_another(
    first: Iterable[PathChange], second: Iterable[PathChange]
) -> tuple[PathChange, ...]:
    """Return what two changes come to; a value that ends as it began has not changed."""
    found: dict[str, PathChange] = {change.path: change for change in first}
    for change in second:
        before = found.get(change.path, change)
        found[change.path] = PathChange(path=change.path, old=before.old, new=change.new)
    return tuple(change for change in found.values() if change.old != change.new)


def conflicts(base: bytes, theirs: bytes, ours: bytes, *, source: str) -> tuple[PathChange, ...]:
    """Return the changes from `base` to `theirs` that meet a value of our own, which stays.

    Each is told as our value, and the one that would have come.

    Raises:
        ConfigurationError: One of them holds no Kubernetes objects; names `source`.
    """
    own = _values(ours, source)
    overridden = {change.path for change in changes(base, ours, source=source)}
    return tuple(
        PathChange(path=change.path, old=own.get(change.path, ABSENT), new=change.new)
        for change in changes(base, theirs, source=source)
        if change.path in overridden and own.get(change.path, ABSENT) != change.new
    )


def _values(data: bytes, source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for manifest in parse_manifests(data.decode(errors="replace"), source=source):
        ref = ObjectRef.of(manifest)
        # a namespace is another one in every environment, and still the same object
        name = "" if ref.kind == "Namespace" else f" {ref.name}"
        for path, value in _leaves(manifest):
            found[f"{ref.kind}{name}: {path}"] = value
    return found


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            name = item.get("name") if isinstance(item, Mapping) else None
            yield from _leaves(item, f"{path}[{number if name is None else name}]")
    else:
        yield path, str(value)
