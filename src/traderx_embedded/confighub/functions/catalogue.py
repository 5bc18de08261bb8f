"""All functions that this server runs, by toolchain and name."""

from collections.abc import Mapping

from traderx_embedded.confighub.functions import (
    attributes,
    container_resources,
    images,
    validation,
    workloads,
    yq,
)
from traderx_embedded.confighub.functions.signature import Function

KUBERNETES = "Kubernetes/YAML"

_FUNCTIONS = (
    *images.FUNCTIONS,
    *workloads.FUNCTIONS,
    *container_resources.FUNCTIONS,
    *attributes.FUNCTIONS,
    *validation.FUNCTIONS,
    *yq.FUNCTIONS,
)

BY_TOOLCHAIN: Mapping[str, Mapping[str, Function]] = {
    KUBERNETES: {function.name: function for function in _FUNCTIONS},
}


def find(toolchain_type: str, name: str) -> Function | None:
    """Return the function of a name; None if this server has none for the toolchain."""
    return BY_TOOLCHAIN.get(toolchain_type, {}).get(name)
