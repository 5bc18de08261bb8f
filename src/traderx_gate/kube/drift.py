"""Drift: where a live object differs from what its unit says, and who made the difference. Pure.

Two questions are asked of the API server's answer to a dry-run apply. Which fields would the apply
change? Those somebody overwrote or removed. Which fields of the spec belong to a manager that is
neither ConfigHub nor a controller? Those somebody added; an apply would leave them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traderx_gate.kube.objects import Manifest

Step = str
ABSENT = "absent"
SERVER_SET = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}
)
MERGE_KEYS = ("name", "containerPort", "port", "ip", "type")
OLD_NAMES = {"serviceAccount": "serviceAccountName"}
"""Fields that the API server keeps equal to another one, and leaves to whoever set them once."""
CONTROLLERS = frozenset({"kube-controller-manager", "kube-scheduler", "kube-apiserver"})


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FieldDrift:
    """One field that differs.

    Attributes:
        path: `spec.template.spec.containers[web].image`.
        expected: What the unit makes of it, as JSON, or `absent`.
        seen: What is live, as JSON, or `absent`.
        by: The field manager that owns it now; of a removed field, who wrote last.
    """

    path: str
    expected: str
    seen: str
    by: str


def compare(live: Manifest, applied: Manifest, *, manager: str) -> tuple[FieldDrift, ...]:
    """Return the drift of a live object, given the answer to a dry-run apply of its unit.

    Args:
        live: The object as it is.
        applied: What it would become.
        manager: The field manager that the unit is applied with.
    """
    found = {
        path: FieldDrift(
            path=_text(path),
            expected=_json(expected),
            seen=_json(seen),
            by=_owner(live, path, manager),
        )
        for path, expected, seen in _differences(_spec(applied), _spec(live), ())
    }
    for path, by in _foreign_fields(live, manager):
        if not any(path[: len(known)] == known or known[: len(path)] == path for known in found):
            value = _value(live, path)
            found[path] = FieldDrift(path=_text(path), expected=ABSENT, seen=_json(value), by=by)
    return tuple(sorted(found.values()))


def _spec(body: Manifest) -> Manifest:
    """Return the object without what only the server writes."""
    metadata = {k: v for k, v in body["metadata"].items() if k not in SERVER_SET}
    return {**{k: v for k, v in body.items() if k != "status"}, "metadata": metadata}


_MISSING = object()


def _differences(
    expected: Any, seen: Any, path: tuple[Step, ...]
) -> Iterator[tuple[tuple[Step, ...], Any, Any]]:
    if isinstance(expected, Mapping) and isinstance(seen, Mapping):
        for key in sorted({*expected, *seen}):
            yield from _differences(
                expected.get(key, _MISSING), seen.get(key, _MISSING), (*path, key)
            )
    elif isinstance(expected, list) and isinstance(seen, list):
        left, right = _by_key(expected), _by_key(seen)
        for key in sorted({*left, *right}):
            yield from _differences(left.get(key, _MISSING), right.get(key, _MISSING), (*path, key))
    elif expected != seen:
        yield path, expected, seen


def _by_key(items: Sequence[Any]) -> Mapping[str, Any]:
    """Name list items as the API's merge keys do, else by position."""
    for key in MERGE_KEYS:
        if items and all(isinstance(item, Mapping) and key in item for item in items):
            named = {f"[{item[key]}]": item for item in items}
            if len(named) == len(items):
                return named
    return {f"[{position}]": item for position, item in enumerate(items)}


def _foreign_fields(live: Manifest, manager: str) -> Iterator[tuple[tuple[Step, ...], str]]:
    ours = {
        path
        for entry in _entries(live)
        if entry["manager"] == manager
        for path in _owned(live, entry)
    }
    for entry in _entries(live):
        name = entry["manager"]
        if name == manager or name in CONTROLLERS or entry.get("subresource") == "status":
            continue
        for path in _owned(live, entry):
            known = any(mine[: len(path)] == path for mine in ours)  # also a part of what is ours
            value = _value(live, path)
            if not known and path[:1] != ("status",) and value not in (_MISSING, _new(live, path)):
                yield path, name


def _new(live: Manifest, path: tuple[Step, ...]) -> Any:
    """Return the value of the field that a field is only the old name of."""
    named = OLD_NAMES.get(path[-1])
    return _value(live, (*path[:-1], named)) if named else _MISSING


def _entries(live: Manifest) -> Sequence[Mapping[str, Any]]:
    return live["metadata"].get("managedFields") or ()


def _owned(live: Manifest, entry: Mapping[str, Any]) -> Iterator[tuple[Step, ...]]:
    """Yield the fields of a manager, list items named as everywhere here."""
    for path in _leaves(entry.get("fieldsV1") or {}, ()):
        yield _named(live, path)


def _named(body: Any, path: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return a path of managed fields with the names that `_by_key` gives to list items.

    The API names a port by its number and a member of a set by its value.
    """
    steps = []
    for step in path:
        name = step
        if isinstance(body, list):
            name, body = _item(body, step)
        else:
            body = body.get(step, _MISSING) if isinstance(body, Mapping) else _MISSING
        steps.append(name)
    return tuple(steps)


def _item(items: Sequence[Any], step: Step) -> tuple[Step, Any]:
    by_name = _by_key(items)
    if step in by_name:
        return step, by_name[step]
    for name, item in by_name.items():
        values = [item.get(key) for key in MERGE_KEYS] if isinstance(item, Mapping) else [item]
        if step in [f"[{value}]" for value in values if value is not None]:
            return name, item
    return step, _MISSING


def _leaves(fields: Mapping[str, Any], path: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    children = {key: value for key, value in fields.items() if key != "."}
    if not children and path:
        yield path
    for key, value in children.items():
        kind, _, rest = key.partition(":")
        if kind == "f":
            yield from _leaves(value, (*path, rest))
        elif kind == "k":
            merge_key = json.loads(rest)
            name = merge_key.get("name", next(iter(merge_key.values())))
            yield from _leaves(value, (*path, f"[{name}]"))
        else:  # `v:` a member of a set of scalars
            yield (*path, f"[{json.loads(rest)}]")


def _value(body: Any, path: tuple[Step, ...]) -> Any:
    for step in path:
        if isinstance(body, list):
            body = _by_key(body).get(step, _MISSING)
        elif isinstance(body, Mapping):
            body = body.get(step, _MISSING)
        else:
            return _MISSING
    return body


def _owner(live: Manifest, path: tuple[Step, ...], manager: str) -> str:
    owners = [
        entry
        for entry in _entries(live)
        if entry["manager"] != manager
        and any(
            leaf[: len(path)] == path or path[: len(leaf)] == leaf for leaf in _owned(live, entry)
        )
    ]
    others = [
        entry
        for entry in _entries(live)
        if entry["manager"] != manager and entry.get("subresource") != "status"
    ]
    candidates = owners or others
    if not candidates:
        return "unknown"
    return str(max(candidates, key=lambda entry: entry.get("time", ""))["manager"])


def _text(path: tuple[Step, ...]) -> str:
    return ".".join(path).replace(".[", "[")


def _json(value: Any) -> str:
    return ABSENT if value is _MISSING else json.dumps(value, sort_keys=True)
