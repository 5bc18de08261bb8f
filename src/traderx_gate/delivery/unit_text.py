"""Edits of a unit's text: one value is written anew, every other byte stays as it is. Pure.

Comments, quotes and indentation survive, so that the same edit back gives the bytes of before.
"""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from traderx_gate.errors import ConfigurationError

Step = str | int
Path = Sequence[Step]


def with_value(data: bytes, kind: str, path: Path, value: str, *, source: str) -> bytes:
    """Return a unit's data with another text at a path of its one object of a kind.

    Args:
        data: The unit's data.
        kind: Such as `Service`.
        path: Keys of mappings and positions in lists, such as `("spec", "selector", "app")`.
        value: The new text, which needs no quotes that the old one did not.
        source: What it is, for messages.

    Raises:
        ConfigurationError: There is not exactly one such object, no text at the path, or it cannot
            be written without changing anything else.
    """
    place = f"{source}: {'.'.join(map(str, path))} of its {kind}"
    try:
        text = data.decode()
        roots = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{source}: {' '.join(str(error).split())}") from error
    found = [root for root in roots if _is(root, kind)]
    if len(found) != 1:
        raise ConfigurationError(f"{source}: holds {len(found)} objects of kind {kind}, not 1")
    node = _at(found[0], path)
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigurationError(f"{place} is no text")
    if node.value == value:
        return data
    start, end = node.start_mark.index, node.end_mark.index
    written = text[start:end]
    if written.count(node.value) != 1:
        raise ConfigurationError(f"{place} is not written as it reads: {written}")
    edited = text[:start] + written.replace(node.value, value) + text[end:]
    if _objects(edited) != _changed(text, kind, path, value):
        raise ConfigurationError(f"{place} cannot be changed to {value!r} alone")
    return edited.encode()


def _is(root: yaml.Node | None, kind: str) -> bool:
    node = _at(root, ("kind",))
    return isinstance(node, yaml.ScalarNode) and node.value == kind


def _at(node: yaml.Node | None, path: Path) -> yaml.Node | None:
    for step in path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step] if step < len(node.value) else None
        else:
            return None
    return node


def _objects(text: str) -> list[Any]:
    """Return the objects, each value a copy of its own: what shares an anchor is one in YAML."""
    try:
        found = list(yaml.safe_load_all(text))
    except yaml.YAMLError:
        return []
    return list(json.loads(json.dumps(found, default=str)))


def _changed(text: str, kind: str, path: Path, value: str) -> list[Any]:
    """Return the objects as they have to be afterwards."""
    objects = _objects(text)
    for body in (one for one in objects if isinstance(one, dict) and one.get("kind") == kind):
        *way, last = path
        for step in way:
            body = body[step]  # noqa: PLW2901 - one step deeper
        body[last] = value
    return objects
