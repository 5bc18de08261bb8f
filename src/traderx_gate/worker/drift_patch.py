"""A unit's data as the cluster has it: what changed there, written into what somebody wrote. Pure.

Only what differs between the state that was applied and the live one is taken over, so defaults
that the cluster adds stay out, and a newer head keeps its own changes. Lists are compared by
position, as ConfigHub does (`reference/confighub.md` 6). Every other byte stays: a changed value is
cut into the text. A document into which that cannot be done is written anew, without its comments.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from traderx_gate.errors import ConfigurationError
from traderx_gate.kube import Manifest, ObjectRef

Named = Callable[[Manifest], ObjectRef]
"""Says which live object a document describes."""


class _ImpossibleError(Exception):
    """A change that cannot be cut into the text."""


class _AbsentType:
    """What a mapping has not; None is a value."""


_ABSENT = _AbsentType()


@dataclass(frozen=True, slots=True)
class _Cut:
    start: int
    end: int
    text: str


def patched(
    data: bytes,
    named: Named,
    *,
    before: Mapping[ObjectRef, Manifest],
    after: Mapping[ObjectRef, Manifest],
) -> bytes:
    """Return a unit's data with what changed in the cluster.

    Args:
        data: UTF-8, of objects that can be parsed.
        named: Of each of the unit's documents.
        before: The objects as they were applied, as far as that is known.
        after: The objects as they are. What is gone stays in the data: to apply brings it back.

    Raises:
        ConfigurationError: The text cannot be changed so that it says that and nothing else.
    """
    text = data.decode()
    wanted, cuts = [], []
    for root, document in zip(
        yaml.compose_all(text, Loader=yaml.SafeLoader),
        list(yaml.safe_load_all(text)),
        strict=True,
    ):
        new = document
        if document is not None:
            ref = named(document)
            if ref in after:
                new = _merged(document, before.get(ref, _ABSENT), after[ref])
        wanted.append(new)
        if new != document:
            cuts += _document_cuts(text, root, document, new)
    edited = _with(text, cuts)
    if list(yaml.safe_load_all(edited)) != wanted:
        raise ConfigurationError("what changed in the cluster cannot be written into the unit")
    return edited.encode()


def _merged(ours: Any, before: Any, after: Any) -> Any:
    """Return a value of ours with what changed from `before` to `after`."""
    if before == after:
        return ours
    if isinstance(ours, dict) and isinstance(after, dict):
        if isinstance(before, dict):
            return _merged_mapping(ours, before, after)
        if before is _ABSENT:  # nothing is known of what was: what we name is compared
            return {
                key: _merged(value, _ABSENT, after[key]) if key in after else value
                for key, value in ours.items()
            }
    if isinstance(ours, list) and isinstance(after, list):
        old = ours if before is _ABSENT else before
        if isinstance(old, list) and len(ours) == len(old):
            return _merged_list(ours, before, after)
    return after


def _merged_mapping(
    ours: dict[Any, Any], before: dict[Any, Any], after: dict[Any, Any]
) -> dict[Any, Any]:
    merged = {}
    for key, value in ours.items():
        if key in after:
            merged[key] = _merged(value, before.get(key, _ABSENT), after[key])
        elif key not in before:
            merged[key] = value
    added = {
        key: value
        for key, value in after.items()
        if key not in ours and before.get(key, _ABSENT) != value
    }
    return merged | added


def _merged_list(ours: list[Any], before: Any, after: list[Any]) -> list[Any]:
    kept = [
        _merged(ours[at], _ABSENT if before is _ABSENT else before[at], after[at])
        for at in range(min(len(ours), len(after)))
    ]
    return kept + after[len(ours) :]


def _document_cuts(text: str, root: yaml.Node, old: Any, new: Any) -> list[_Cut]:
    try:
        cuts = list(_cuts(text, root, old, new))
        start, end = root.start_mark.index, root.end_mark.index
        moved = [_Cut(cut.start - start, cut.end - start, cut.text) for cut in cuts]
        indent = " " * root.start_mark.column
        if yaml.safe_load(indent + _with(text[start:end], moved)) == new:
            return cuts
    except (_ImpossibleError, yaml.YAMLError):
        pass
    anew = yaml.safe_dump(new, sort_keys=False, allow_unicode=True)
    if yaml.safe_load(anew) != new:  # the library writes a line break such as NEL as it is
        anew = yaml.safe_dump(new, sort_keys=False)
    behind_dashes = "\n" if root.start_mark.column else ""
    return [_Cut(root.start_mark.index, root.end_mark.index, behind_dashes + anew)]


def _cuts(text: str, node: yaml.Node, old: Any, new: Any) -> Iterator[_Cut]:
    if old == new:
        return
    if isinstance(node, yaml.MappingNode) and isinstance(old, dict) and isinstance(new, dict):
        yield from _mapping_cuts(text, node, old, new)
    elif isinstance(node, yaml.SequenceNode) and isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            raise _ImpossibleError
        for child, before, after in zip(node.value, old, new, strict=True):
            yield from _cuts(text, child, before, after)
    elif isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">"):
        yield _Cut(node.start_mark.index, node.end_mark.index, _flow(new))
    else:
        raise _ImpossibleError


def _mapping_cuts(
    text: str, node: yaml.MappingNode, old: dict[Any, Any], new: dict[Any, Any]
) -> Iterator[_Cut]:
    if old.keys() - new.keys() or not node.value:
        raise _ImpossibleError
    first = node.value[0][0].start_mark
    rest = ", " if node.flow_style else "\n" + " " * first.column
    for key in (key for key in new if key not in old):
        added = f"{_flow(key)}: {_flow(new[key])}{rest}"
        yield _Cut(first.index, first.index, added)
    values = {key.value: value for key, value in node.value}
    for key, value in old.items():
        if value != new[key]:
            if key not in values:  # a key that is no text, or merged in from an anchor
                raise _ImpossibleError
            yield from _cuts(text, values[key], value, new[key])


def _flow(value: Any) -> str:
    """Return a value on one line: JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)


def _with(text: str, cuts: list[_Cut]) -> str:
    for cut in sorted(cuts, key=lambda cut: cut.start, reverse=True):
        text = text[: cut.start] + cut.text + text[cut.end :]
    return text
