"""ConfigHub's path patterns, such as `spec.template.spec.containers.?name=web.image`.

Keys and indices with dots between; `~1` is a dot inside a key; `*` is every item or key;
`?key=value` and `?key:parameter=value` are the items whose key has that value.
"""

from collections.abc import Iterator

import yaml

from traderx_embedded.confighub.functions import nodes
from traderx_embedded.confighub.functions.document import Document
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.values import Path

_SEGMENT_LIMIT = 50


def parse(text: str) -> tuple[str, ...]:
    """Return the segments of a pattern.

    Raises:
        FunctionError: It is empty, too long, or has a form that is not known here.
    """
    segments = tuple(text.split("."))
    if len(segments) > _SEGMENT_LIMIT or "" in segments:
        raise FunctionError(
            f"path {text[:80]!r}: expected up to {_SEGMENT_LIMIT} segments with dots"
        )
    for segment in segments:
        odd = "#" in segment or segment.startswith(("|", "@", "*?", "*@"))
        if odd or (segment.startswith("?") and "=" not in segment):
            raise FunctionError(
                f"path {text[:80]!r}: {segment!r} is not known here; known are keys, indices, "
                "* and ?key=value"
            )
    return tuple(segment.replace("~1", ".") for segment in segments)


def matching(document: Document, pattern: tuple[str, ...], *, upsert: bool = False) -> list[Path]:
    """Return the paths that a pattern stands for.

    With `upsert`, keys that are missing at its end count as there: they are to be made.
    """
    if document.root is None:
        return []
    return list(_matching(document.root, pattern, (), upsert=upsert))


def _matching(
    node: yaml.Node, pattern: tuple[str, ...], path: Path, *, upsert: bool
) -> Iterator[Path]:
    if not pattern:
        yield path
        return
    head, *rest = pattern
    found = list(_steps(node, head))
    for segment, inner in found:
        yield from _matching(inner, tuple(rest), (*path, segment), upsert=upsert)
    can_be_made = isinstance(node, yaml.MappingNode) or nodes.plain(node) is None
    if not found and upsert and can_be_made and not any(map(_is_pattern, pattern)):
        yield (*path, *pattern)


def _is_pattern(segment: str) -> bool:
    return segment == "*" or segment.startswith("?")


def _steps(node: yaml.Node, segment: str) -> Iterator[tuple[str | int, yaml.Node]]:
    if segment == "*":
        yield from nodes.pairs(node)
        yield from enumerate(nodes.items(node))
    elif segment.startswith("?"):
        key, _, wanted = segment[1:].partition("=")
        key = key.partition(":")[0]
        for index, item in enumerate(nodes.items(node)):
            value = nodes.child(item, key) if isinstance(item, yaml.MappingNode) else None
            if isinstance(value, yaml.ScalarNode) and value.value == wanted:
                yield index, item
    elif isinstance(node, yaml.SequenceNode):
        if segment.isascii() and segment.isdigit() and len(segment) <= 9:
            inner = nodes.child(node, int(segment))
            if inner is not None:
                yield int(segment), inner
    else:
        inner = nodes.child(node, segment)
        if inner is not None:
            yield segment, inner
