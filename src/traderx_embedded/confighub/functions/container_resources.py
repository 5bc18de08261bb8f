"""The function that sets requests and limits of containers."""

import operator
from collections.abc import Callable
from typing import Any

from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.images import CONTAINER
from traderx_embedded.confighub.functions.parameter import Parameter
from traderx_embedded.confighub.functions.quantity import Quantity
from traderx_embedded.confighub.functions.resource import Resource, Subject
from traderx_embedded.confighub.functions.signature import Function
from traderx_embedded.confighub.functions.values import Path

# when a value that is there stays, compared with the wanted one
_STAYS: dict[str, Callable[[Quantity, Quantity], bool]] = {
    "all": lambda _seen, _wanted: False,
    "cap": lambda seen, wanted: operator.le(seen.amount, wanted.amount),
    "floor": lambda seen, wanted: operator.ge(seen.amount, wanted.amount),
}


def _set_resources(subject: Subject, container: str, operation: str, *amounts: Any) -> None:
    cpu, memory, factor = amounts
    wanted = {
        name: Quantity.parse(text) for name, text in (("cpu", cpu), ("memory", memory)) if text
    }
    for resource in subject.resources:
        for path in list(resource.containers(container)):
            for name, quantity in wanted.items():
                requests: Path = (*path, "resources", "requests", name)
                _set(resource, requests, quantity, operation=operation)
                if factor:
                    limits: Path = (*path, "resources", "limits", name)
                    _set(resource, limits, quantity.times(factor), operation=operation)
            if not factor:
                resource.document.delete((*path, "resources", "limits"))


def _set(resource: Resource, path: Path, wanted: Quantity, *, operation: str) -> None:
    seen = resource.document.value(path)
    if seen is not None:
        try:
            there = Quantity.parse(str(seen))
        except FunctionError as error:
            if operation != "all":
                raise FunctionError(
                    f"{resource.name}: {'.'.join(map(str, path))}: {error}"
                ) from error
        else:
            if there.amount == wanted.amount or _STAYS[operation](there, wanted):
                return
    resource.document.set(path, str(wanted))


FUNCTIONS = (
    Function(
        name="set-container-resources",
        description="Set requests and limits of a container",
        parameters=(
            CONTAINER,
            Parameter(
                name="operation",
                description="all sets them; cap lowers what is more; floor raises what is less",
                data_type="enum",
                choices=tuple(_STAYS),
                example="all",
            ),
            Parameter(name="cpu", description="Request of CPU; empty: left alone", example="500m"),
            Parameter(
                name="memory", description="Request of memory; empty: left alone", example="256Mi"
            ),
            Parameter(
                name="limit-factor",
                description="Limits are the requests times this; 0 takes the limits away",
                data_type="int",
                minimum=0,
                maximum=10,
                example="2",
            ),
        ),
        run=_set_resources,
        mutating=True,
    ),
)
