"""Upgrade as a three-way merge by path: what upstream changed, without what was changed here.

Pure: texts in, a text and the conflicts out. `units` and `revisions` store what comes of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from traderx_embedded.confighub.functions.document import Document
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.merge import edits, lines, resources
from traderx_embedded.confighub.merge.resources import Key, Resource
from traderx_embedded.confighub.merge.values import ABSENT, Clash, Merge, Path, same

__all__ = ["Conflict", "Merged", "UnmergeableError", "merge"]

_NAMESPACE: Path = ("metadata", "namespace")


class UnmergeableError(Exception):
    """Texts that cannot be merged by path, such as what is no YAML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A path that both sides changed to different values; the unit's own stays.

    Attributes:
        resource: The resource that it lies in, as the unit has it, or else as upstream has it.
        clash: The path in it and the values.
    """

    resource: Resource
    clash: Clash


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What came of a merge."""

    data: bytes
    conflicts: tuple[Conflict, ...] = ()


def merge(*, base: bytes, theirs: bytes, ours: bytes) -> Merged:
    """Return our text with what upstream changed between `base` and `theirs`.

    Raises:
        UnmergeableError: Both sides changed, and one of the texts is not YAML that can be edited.
    """
    if theirs in {base, ours}:
        return Merged(data=ours)
    if ours == base:
        return Merged(data=theirs)
    try:
        texts = [text.decode() for text in (base, theirs, ours)]
        read = [resources.read(text) for text in texts]
        keyed = resources.by_key(*read)
        values, conflicts = _values(*keyed)
        text = lines.merged(*texts)
        if text is None or not _says(text, values, read):
            text = _edited(read[2], keyed[2], keyed[1], values)
            if not _says(text, values, read):
                raise UnmergeableError("the merged text would not say what it should")
    except (FunctionError, UnicodeDecodeError) as error:
        raise UnmergeableError(str(error)) from error
    return Merged(data=text.encode(), conflicts=conflicts)


def _values(
    base: Mapping[Key, Resource], theirs: Mapping[Key, Resource], ours: Mapping[Key, Resource]
) -> tuple[dict[Key, Any], tuple[Conflict, ...]]:
    moved = {
        base[key].namespace: ours[key].namespace for key in base if key in ours and key in theirs
    }
    values: dict[Key, Any] = {}
    conflicts: list[Conflict] = []
    for key in dict.fromkeys((*ours, *theirs)):
        merging = Merge([])
        one, its, mine = (side.get(key) for side in (base, theirs, ours))
        if one is None and mine is None and its is not None:
            value = _moved(its, moved).value
        elif one is not None and its is None and mine is not None:
            # that a clone lives in a namespace of its own is no change that a removal would lose
            gone = _moved(one, {one.namespace: mine.namespace}).value
            value = merging.value(gone, ABSENT, mine.value)
        else:
            value = merging.value(_value(one), _value(its), _value(mine))
        holder = mine or its
        if holder is not None:
            conflicts += [Conflict(resource=holder, clash=clash) for clash in merging.clashes]
        if value is not ABSENT:
            values[key] = value
    return values, tuple(conflicts)


def _value(resource: Resource | None) -> Any:
    return ABSENT if resource is None else resource.value


def _moved(resource: Resource, namespaces: Mapping[str, str]) -> Resource:
    """Return a resource that is new here in the namespace that the others of its own went to."""
    namespace = namespaces.get(resource.namespace)
    if not resource.namespace or not namespace or namespace == resource.namespace:
        return resource
    document = Document(resource.text)
    document.set(_NAMESPACE, namespace)
    return Resource(text=document.text, value=document.value())


def _edited(
    read: list[Resource],
    ours: Mapping[Key, Resource],
    theirs: Mapping[Key, Resource],
    values: Mapping[Key, Any],
) -> str:
    keys = {id(resource): key for key, resource in ours.items()}
    parts: list[str] = []
    for resource in read:
        key = keys.get(id(resource))
        if key is None:
            parts.append(resource.text)
        elif key in values:
            parts.append(edits.rewritten(resource.text, values[key]))
    for key in values:
        if key not in ours:
            text = edits.rewritten(theirs[key].text, values[key])
            parts.append(_appendable("".join(parts), text))
    return "".join(parts)


def _appendable(before: str, text: str) -> str:
    if not before.strip():
        return text
    line_end = "" if before.endswith(("\n", "\r")) else "\n"
    return line_end + (text if text.startswith("---") else f"---\n{text}")


def _says(text: str, values: Mapping[Key, Any], read: list[list[Resource]]) -> bool:
    """Return whether a text holds exactly the resources of these keys with these values."""
    try:
        *_, found = resources.by_key(*read, resources.read(text))
    except FunctionError:
        return False
    return found.keys() == values.keys() and all(same(found[k].value, values[k]) for k in values)
