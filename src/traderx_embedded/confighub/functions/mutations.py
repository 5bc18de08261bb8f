"""What functions changed, as ConfigHub tells it: per resource, path and kind of change."""

from collections.abc import Mapping, Sequence
from typing import Any

from traderx_embedded.confighub.functions import scalars
from traderx_embedded.confighub.functions.resource import Resource, Subject
from traderx_embedded.confighub.functions.values import Path, dotted, same

Changes = dict[Path, dict[str, Any]]


def changes(before: Any, after: Any, *, index: int, path: Path = ()) -> Changes:
    """Return the changed paths between two values; lists are compared by position.

    Args:
        before: The one value.
        after: The other.
        index: The number of the function that changed it.
        path: Where the values stand.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        steps: list[Any] = list({**before, **after})
        inside = (dict(before), dict(after))
    elif isinstance(before, list) and isinstance(after, list):
        steps = list(range(max(len(before), len(after))))
        inside = (dict(enumerate(before)), dict(enumerate(after)))
    elif same(before, after):
        return {}
    else:
        return {path: _info("Update", after, index)}
    found: Changes = {}
    for step in steps:
        inner = (*path, step)
        if step not in inside[0]:
            found[inner] = _info("Add", inside[1][step], index)
        elif step not in inside[1]:
            found[inner] = _info("Delete", None, index)
        else:
            found |= changes(inside[0][step], inside[1][step], index=index, path=inner)
    return found


def _info(kind: str, value: Any, index: int) -> dict[str, Any]:
    written = "" if kind in {"Delete", "None"} else scalars.flow(value)
    return {"MutationType": kind, "Index": index, "Predicate": True, "Value": written}


def snapshot(subject: Subject) -> list[Any]:
    """Return the values of a unit's resources, to be compared with later ones."""
    return [resource.document.value() for resource in subject.resources]


def told(resources: Sequence[Resource], found: Mapping[int, Changes]) -> list[dict[str, Any]]:
    """Return a ResourceMutationList, one entry per resource, those without a change included."""
    shown = []
    for position, resource in enumerate(resources):
        mine = found.get(position, {})
        last = max((info["Index"] for info in mine.values()), default=0)
        shown.append(
            {
                "Resource": resource.info(),
                "ResourceMutationInfo": _info("Update" if mine else "None", None, last)
                | {"Value": ""},
                "PathMutationMap": {dotted(path): info for path, info in mine.items()},
            }
        )
    return shown
