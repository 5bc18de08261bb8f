"""YAML as a tree of places in a text, and the plain values behind them.

libyaml reads; what is read keeps the marks of where it stands, so that an edit can be a cut in the
text. Aliases are refused: an edit behind one would change what the unit says elsewhere.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from traderx_embedded.confighub.functions.errors import FunctionError

# Beyond these a function would hold up every other request.
SIZE_LIMIT = 2 * 2**20
_DEPTH_LIMIT = 100

_CONSTRUCT = yaml.constructor.SafeConstructor()
_READERS: Mapping[str, Callable[[yaml.ScalarNode], Any]] = {
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": _CONSTRUCT.construct_yaml_bool,
    "tag:yaml.org,2002:int": _CONSTRUCT.construct_yaml_int,
    "tag:yaml.org,2002:float": _CONSTRUCT.construct_yaml_float,
}


def documents(text: str) -> list[str]:
    """Return the text of each document; put together again, they are the text.

    Raises:
        FunctionError: It is not YAML, uses aliases, or is larger or deeper than is worked on.
    """
    if len(text) > SIZE_LIMIT:
        raise FunctionError(f"{len(text)} characters; functions work on at most {SIZE_LIMIT}")
    if text.startswith("\ufeff"):  # libyaml does not count it, so every mark would be off by one
        raise FunctionError("functions do not work on data with a byte order mark")
    starts = [0]
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                starts.append(_mark(event).index)
            elif isinstance(event, yaml.AliasEvent):
                line = _mark(event).line + 1
                raise FunctionError(f"line {line}: functions do not work on data with aliases")
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > _DEPTH_LIMIT:
                    raise FunctionError(f"nested deeper than {_DEPTH_LIMIT} levels")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FunctionError(f"not YAML: {' '.join(str(error).split())[:300]}") from error
    # what stands before the first document belongs to it
    bounds = [0, *starts[2:], len(text)]
    return [text[start:end] for start, end in itertools.pairwise(bounds)]


def _mark(event: yaml.Event) -> yaml.Mark:
    assert event.start_mark is not None  # noqa: S101 - only events made by hand have none
    return event.start_mark  # type: ignore[return-value]


def compose(text: str) -> yaml.Node | None:
    """Return the tree of one document; None if it is empty.

    Raises:
        FunctionError: A key appears twice, or is no scalar.
    """
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise FunctionError(f"not YAML: {' '.join(str(error).split())[:300]}") from error
    if root is not None:
        _check_keys(root)
    return root


def _check_keys(node: yaml.Node) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise FunctionError(f"line {key.start_mark.line + 1}: the key is no scalar")
            if key.value in seen:
                raise FunctionError(
                    f"line {key.start_mark.line + 1}: key {key.value!r} appears twice"
                )
            seen.add(key.value)
            _check_keys(value)


def pairs(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the keys and values of a mapping; of anything else, nothing."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key.value, value


def items(node: yaml.Node | None) -> list[yaml.Node]:
    """Return the items of a sequence; of anything else, none."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def child(node: yaml.Node, segment: str | int) -> yaml.Node | None:
    """Return the value under a key, or the item at an index; None if there is none."""
    if isinstance(segment, str):
        return next((value for key, value in pairs(node) if key == segment), None)
    found = items(node)
    return found[segment] if segment < len(found) else None


def plain(node: yaml.Node | None) -> Any:
    """Return the value of a node as JSON would hold it."""
    if isinstance(node, yaml.MappingNode):
        return {key: plain(value) for key, value in pairs(node)}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    return _scalar(node) if isinstance(node, yaml.ScalarNode) else None


def _scalar(node: yaml.ScalarNode) -> Any:
    read = _READERS.get(node.tag)
    if read is None:
        return node.value
    try:
        value = read(node)
    except (ValueError, KeyError, OverflowError):  # a number only by its looks
        return node.value
    return node.value if isinstance(value, float) and not math.isfinite(value) else value


def end_of(node: yaml.Node) -> int:
    """Return the index behind the last character of a node.

    The marks of block collections end where the next token begins, comments in between included.
    """
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return end_of(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
