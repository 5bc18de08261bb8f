"""Functions on replicas and on the environment of containers."""

from collections.abc import Iterator
from typing import Any

from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.images import CONTAINER
from traderx_embedded.confighub.functions.parameter import Parameter
from traderx_embedded.confighub.functions.resource import Resource, Subject
from traderx_embedded.confighub.functions.signature import Function
from traderx_embedded.confighub.functions.values import Path

_REPLICATED = frozenset({"apps/v1/Deployment", "apps/v1/ReplicaSet", "apps/v1/StatefulSet"})
_REPLICAS: Path = ("spec", "replicas")
_NAME = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_VARIABLE = Parameter(
    name="env-var",
    description="Name of the environment variable",
    regexp=f"^{_NAME}$",
    example="DATABASE_URL",
)


def _replicated(subject: Subject) -> Iterator[tuple[Resource, int]]:
    for resource in subject.resources:
        if resource.type in _REPLICATED:
            replicas = resource.document.value(_REPLICAS)
            if replicas is not None:
                yield resource, replicas


def _set_replicas(subject: Subject, replicas: int) -> None:
    for resource, _ in _replicated(subject):
        resource.document.set(_REPLICAS, replicas)


def _get_replicas(subject: Subject) -> list[dict[str, Any]]:
    return [resource.attribute(_REPLICAS, n, "replicas") for resource, n in _replicated(subject)]


def _set_env(subject: Subject, container: str, *pairs: str) -> None:
    wanted = dict(pair.partition("=")[::2] for pair in pairs)
    for resource in subject.resources:
        for path in list(resource.containers(container)):
            for name, value in wanted.items():
                _set_variable(resource, path, name, value)


def _set_variable(resource: Resource, container: Path, name: str, value: str) -> None:
    document = resource.document
    at = next(_variables(resource, container, name), None)
    if not value:
        if at is not None:
            document.delete(at)
    elif at is None:
        document.append((*container, "env"), {"name": name, "value": value})
    elif document.node((*at, "valueFrom")) is not None:
        raise FunctionError(f"{resource.name}: {name} has a valueFrom, so it cannot have a value")
    else:
        document.set((*at, "value"), value)


def _variables(resource: Resource, container: Path, name: str) -> Iterator[Path]:
    env = resource.document.value((*container, "env"))
    for index, variable in enumerate(env if isinstance(env, list) else []):
        if isinstance(variable, dict) and variable.get("name") == name:
            yield (*container, "env", index)


def _valued(subject: Subject, container: str, name: str) -> Iterator[tuple[Resource, Path]]:
    for resource in subject.resources:
        for path in list(resource.containers(container)):
            for variable in _variables(resource, path, name):
                if resource.document.node((*variable, "value")) is not None:
                    yield resource, (*variable, "value")


def _set_env_var(subject: Subject, container: str, name: str, value: str) -> None:
    for resource, path in list(_valued(subject, container, name)):
        resource.document.set(path, value)


def _get_env_var(subject: Subject, container: str, name: str) -> list[dict[str, Any]]:
    return [
        resource.attribute(path, resource.document.value(path), "env-value")
        for resource, path in _valued(subject, container, name)
    ]


FUNCTIONS = (
    Function(
        name="set-replicas",
        description="Set the replicas of workloads that state some",
        parameters=(
            Parameter(
                name="replicas",
                description="Number of replicas",
                data_type="int",
                minimum=0,
                example="3",
            ),
        ),
        run=_set_replicas,
        mutating=True,
    ),
    Function(
        name="get-replicas",
        description="Get the replicas of workloads",
        run=_get_replicas,
        output=("replicas", "AttributeValueList"),
    ),
    Function(
        name="set-env",
        description="Set environment variables of a container; one without a value is taken away",
        parameters=(
            CONTAINER,
            Parameter(
                name="env-key-value",
                description="key=value; may be repeated",
                regexp=f"^{_NAME}=(?s:.*)$",
                example="DATABASE_URL=jdbc:h2:tcp://database:18082/traderx",
            ),
        ),
        run=_set_env,
        mutating=True,
        repeated=True,
    ),
    Function(
        name="set-env-var",
        description="Set the value of an environment variable that a container has",
        parameters=(
            CONTAINER,
            _VARIABLE,
            Parameter(name="env-value", description="Its value", example="18082"),
        ),
        run=_set_env_var,
        mutating=True,
    ),
    Function(
        name="get-env-var",
        description="Get the value of an environment variable of a container",
        parameters=(CONTAINER, _VARIABLE),
        run=_get_env_var,
        output=("env-value", "AttributeValueList"),
    ),
)
