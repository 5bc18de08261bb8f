"""A container's environment and command, from values, fields, config maps, secrets and services.

Pure: config maps and secrets are fetched by the caller, who learns from `references` which.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traderx_embedded.kubernetes.node import quantity
from traderx_embedded.kubernetes.node.pod import Container, Pod

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")
_KINDS = {
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
}


class SourceError(Exception):
    """The environment cannot be built now; the container waits with CreateContainerConfigError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A config map or secret that the container's environment needs."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the pod runs, for the downward API."""

    node_name: str
    pod_ip: str
    host_ip: str
    allocatable: Mapping[str, str]


Sources = Mapping[Reference, Mapping[str, str] | None]


def references(container: Container) -> frozenset[Reference]:
    """Return every config map and secret the environment is read from."""
    found = [
        (key, item[key])
        for item in container.spec.get("envFrom", ())
        for key in item
        if key in _KINDS
    ]
    found += [
        (key, value)
        for variable in container.spec.get("env", ())
        for key, value in variable.get("valueFrom", {}).items()
        if key in _KINDS
    ]
    return frozenset(Reference(kind=_KINDS[key], name=value["name"]) for key, value in found)


def build(
    pod: Pod, placement: Placement, links: Mapping[str, str], sources: Sources
) -> dict[str, str]:
    """Return the variables the pod asks for, and the service links below them.

    Raises:
        SourceError: A source is missing.
    """
    declared = dict(_from_sources(pod, sources))
    for variable in pod.container.spec.get("env", ()):
        value: str | None = variable.get("value", "")
        if value:
            value = expand(value, {**links, **declared})
        elif "valueFrom" in variable:
            value = _resolve(pod, placement, variable["valueFrom"], sources)
        if value is not None:
            declared[variable["name"]] = value
    return {**links, **declared}


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` where the name is known; `$$` stands for `$`."""

    def replacement(match: re.Match[str]) -> str:
        return "$" if match[1] is None else variables.get(match[1], match[0])

    return _REFERENCE.sub(replacement, text)


def argv(
    container: Container, entrypoint: Sequence[str], variables: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what to run: `command` replaces the image's entrypoint, `args` follow."""
    command = [expand(word, variables) for word in container.command] or list(entrypoint)
    return (*command, *(expand(word, variables) for word in container.args))


def _from_sources(pod: Pod, sources: Sources) -> Iterator[tuple[str, str]]:
    for item in pod.container.spec.get("envFrom", ()):
        for key in item.keys() & _KINDS.keys():
            data = _data(_KINDS[key], item[key], sources)
            for name, value in (data or {}).items():
                yield item.get("prefix", "") + name, value


def _data(kind: str, reference: Mapping[str, Any], sources: Sources) -> Mapping[str, str] | None:
    data = sources.get(Reference(kind=kind, name=reference["name"]))
    if data is None and not reference.get("optional"):
        raise SourceError(f'{kind.lower()} "{reference["name"]}" not found')
    return data


def _resolve(
    pod: Pod, placement: Placement, source: Mapping[str, Any], sources: Sources
) -> str | None:
    if "fieldRef" in source:
        return _field(pod, placement, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return _resource(pod.container, placement, source["resourceFieldRef"])
    for key in source.keys() & _KINDS.keys():
        reference = source[key]
        data = _data(_KINDS[key], reference, sources)
        if data is not None and reference["key"] in data:
            return data[reference["key"]]
        if not reference.get("optional"):
            raise SourceError(
                f"couldn't find key {reference['key']} in {_KINDS[key]} "
                f"{pod.namespace}/{reference['name']}"
            )
        return None
    raise SourceError(f"unsupported source of a variable: {', '.join(source)}")


def _field(pod: Pod, placement: Placement, path: str) -> str:
    fields = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": placement.node_name,
        "spec.serviceAccountName": pod.service_account,
        "status.podIP": placement.pod_ip,
        "status.podIPs": placement.pod_ip,
        "status.hostIP": placement.host_ip,
        "status.hostIPs": placement.host_ip,
    }
    if path in fields:
        return fields[path]
    match = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if match is None:
        raise SourceError(f"unsupported fieldPath: {path}")
    return (pod.labels if match[1] == "labels" else pod.annotations).get(match[2], "")


def _resource(container: Container, placement: Placement, reference: Mapping[str, Any]) -> str:
    which, _, resource = reference["resource"].partition(".")
    values = container.limits if which == "limits" else container.requests
    default = placement.allocatable.get(resource, "0") if which == "limits" else "0"
    return str(quantity.divide(values.get(resource, default), reference.get("divisor", "0")))
