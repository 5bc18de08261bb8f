"""Functions that get and set any value by its path, and that list resources."""

from collections.abc import Callable
from typing import Any

from traderx_embedded.confighub.functions import nodes, paths
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.parameter import Parameter
from traderx_embedded.confighub.functions.resource import Resource, Subject
from traderx_embedded.confighub.functions.signature import Function
from traderx_embedded.confighub.functions.values import dotted

TYPE = Parameter(
    name="resource-type",
    description="Type of the resources, apiVersion/kind; * is any",
    example="apps/v1/Deployment",
)
_PATH = Parameter(
    name="path",
    description="Path of the value: keys, indices, * and ?key=value with dots between",
    example="spec.template.spec.containers.?name=web.image",
)
_KINDS: dict[str, type] = {"string": str, "int": int, "bool": bool}


def of_type(subject: Subject, resource_type: str) -> list[Resource]:
    """Return the resources of a type; `*` is any."""
    return [item for item in subject.resources if resource_type in {"*", item.type}]


def _getter(kind: type) -> Callable[[Subject, str, str], Any]:
    def get(subject: Subject, resource_type: str, path: str) -> list[dict[str, Any]]:
        pattern = paths.parse(path)
        return [
            resource.attribute(found, value)
            for resource in of_type(subject, resource_type)
            for found in paths.matching(resource.document, pattern)
            if type(value := resource.document.value(found)) is kind
        ]

    return get


def _setter(kind: str) -> Callable[[Subject, str, str, Any], None]:
    def set_(subject: Subject, resource_type: str, path: str, value: Any) -> None:
        pattern = paths.parse(path)
        for resource in of_type(subject, resource_type):
            for found in paths.matching(resource.document, pattern, upsert=True):
                seen = resource.document.value(found)
                if isinstance(seen, dict | list) and seen:
                    raise FunctionError(f"{resource.name}: {dotted(found)} is no {kind}")
                resource.document.set(found, value)

    return set_


def _path_functions(kind: str) -> tuple[Function, Function]:
    return (
        Function(
            name=f"get-{kind}-path",
            description=f"Get the values at a path that are of type {kind}",
            parameters=(TYPE, _PATH),
            run=_getter(_KINDS[kind]),
            output=("path", "AttributeValueList"),
        ),
        Function(
            name=f"set-{kind}-path",
            description=f"Set the values at a path to a value of type {kind}",
            parameters=(
                TYPE,
                _PATH,
                Parameter(name="attribute-value", description="The value", data_type=kind),
            ),
            run=_setter(kind),
            mutating=True,
        ),
    )


def _get_resources(subject: Subject) -> list[dict[str, Any]]:
    return [item.info() | {"ResourceBody": item.document.text} for item in subject.resources]


def _get_resources_of_type(subject: Subject, resource_type: str) -> list[dict[str, Any]]:
    return [item.info() for item in of_type(subject, resource_type)]


def scalars(resource: Resource) -> list[tuple[Any, Any]]:
    """Return the paths and values of all scalars of a resource."""
    root = resource.document.root
    found: list[tuple[Any, Any]] = []
    todo: list[tuple[Any, Any]] = [((), root)]
    while todo:
        path, node = todo.pop(0)
        inner = [*nodes.pairs(node), *enumerate(nodes.items(node))]
        todo += [((*path, segment), child) for segment, child in inner]
        if not inner:
            found.append((path, nodes.plain(node)))
    return found


FUNCTIONS = (
    *_path_functions("string"),
    *_path_functions("int"),
    *_path_functions("bool"),
    Function(
        name="get-resources",
        description="Get the names, types and bodies of all resources",
        run=_get_resources,
        output=("resource", "ResourceList"),
    ),
    Function(
        name="get-resources-of-type",
        description="Get the names of the resources of a type",
        parameters=(TYPE,),
        run=_get_resources_of_type,
        output=("resource-name", "ResourceInfoList"),
    ),
)
