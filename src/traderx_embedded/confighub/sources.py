"""MutationSources: for each resource of a unit, which change last wrote what.

Clients dereference the list, so it is one even where nothing can be told: of data that is no YAML,
has aliases, or is large.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from traderx_embedded.confighub.functions import scalars
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.merge import resources
from traderx_embedded.confighub.merge.resources import Resource
from traderx_embedded.confighub.merge.values import ABSENT, Path, differences

Source = dict[str, Any]

# Reading a document takes the store's one thread, about a second for each MiB.
_SIZE_LIMIT = 2**18
# Of a resource with more changed paths it is only said when it changed last.
_PATH_LIMIT = 100
_VALUE_LIMIT = 256


def after(
    sources: Sequence[Source], *, old: bytes, new: bytes, number: int, is_override: bool
) -> tuple[Source, ...]:
    """Return the sources of the new bytes.

    Args:
        sources: Those of the old bytes.
        old: The bytes before the change, empty for a new unit.
        new: The bytes after it.
        number: The number of the mutation that made the change.
        is_override: Whether a clone differs from its upstream by it: an upgrade keeps it then,
            which is what a predicate of false says.
    """
    if max(len(old), len(new)) > _SIZE_LIMIT:
        return ()
    try:
        before, now = resources.by_key(resources.read(old.decode()), resources.read(new.decode()))
    except (FunctionError, UnicodeDecodeError):
        return ()
    # each list of sources was made in the order of its resources
    known = dict(zip(before, sources, strict=True)) if len(before) == len(sources) else {}
    return tuple(
        _changed(known[key], before[key], resource, number=number, is_override=is_override)
        if key in known
        else _source(resource, _info("Add", number, is_override=is_override), {})
        for key, resource in now.items()
    )


def dotted(path: Path) -> str:
    """Return a path as ConfigHub writes it: segments joined by dots, dots in them as `~1`."""
    return ".".join(str(segment).replace("~", "~0").replace(".", "~1") for segment in path)


def description(resource: Resource) -> dict[str, str]:
    """Return what ConfigHub calls the information of a resource."""
    return {
        "ResourceName": f"{resource.namespace}/{resource.name}",
        "ResourceNameWithoutScope": resource.name,
        "ResourceType": resource.type,
        "ResourceCategory": "Resource",
    }


def written(value: Any) -> str:
    """Return a value as the `Value` of a mutation; empty where it is absent or long."""
    text = "" if value is ABSENT else scalars.flow(value)
    return text if len(text) <= _VALUE_LIMIT else ""


def kind_of(old: Any, new: Any) -> str:
    """Return the `MutationType` of a change from one value to another."""
    if old is ABSENT:
        return "Add"
    return "Delete" if new is ABSENT else "Update"


def _changed(
    source: Source, old: Resource, new: Resource, *, number: int, is_override: bool
) -> Source:
    paths: dict[str, Any] = dict(source["PathMutationMap"])
    for path, one, other in differences(old.value, new.value):
        name = dotted(path)
        below = [known for known in paths if known.startswith(f"{name}.")]
        for known in below:
            del paths[known]
        paths[name] = _info(kind_of(one, other), number, is_override=is_override) | {
            "Value": written(other)
        }
    if len(paths) > _PATH_LIMIT:
        return _source(new, _info("Replace", number, is_override=is_override), {})
    return _source(new, source["ResourceMutationInfo"], paths)


def _info(kind: str, number: int, *, is_override: bool) -> dict[str, Any]:
    return {"MutationType": kind, "Index": number, "Predicate": not is_override, "Value": ""}


def _source(resource: Resource, info: Mapping[str, Any], paths: Mapping[str, Any]) -> Source:
    described = description(resource)
    return {
        "Resource": described,
        "ResourceMutationInfo": info,
        "PathMutationMap": paths,
        "Aliases": {described["ResourceName"]: {}},
        "AliasesWithoutScopes": {described["ResourceNameWithoutScope"]: {}},
    }
