"""Pods as the node sees them, parsed once from the API's JSON; and what this node cannot run.

The environment's sources are parsed in `environment.py`, probes in `probe.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from traderx_embedded.kubernetes.node.probe import Probe
from traderx_embedded.kubernetes.node.volume import Volume, mounts, parse_volumes
from traderx_embedded.kubernetes.node.volume import refusals as volume_refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of a pod.

    Attributes:
        is_init: Whether it has to end before the pod's main container is started.
        mounts: The name of the volume at each path.
        spec: The rest of the container's JSON, read by `environment.py`.
    """

    name: str
    is_init: bool
    image: str
    pull_policy: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    working_dir: str
    ports: Mapping[str, int]
    startup: Probe | None
    readiness: Probe | None
    liveness: Probe | None
    limits: Mapping[str, str]
    requests: Mapping[str, str]
    pre_stop: Mapping[str, Any] | None
    mounts: Mapping[str, str]
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One version of a pod object, seen from one of its containers.

    Attributes:
        container: The main container, unless this was made by `for_init`.
        init_containers: Those that run before it, in their order.
        deletion_grace_s: Set once the pod is being deleted.
        status: The status in the API, which outlives the node's own memory.
        refusals: What the pod asks for and this node cannot do.
    """

    uid: str
    namespace: str
    name: str
    generation: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    created: str
    deletion_grace_s: float | None
    grace_s: float
    restart_policy: str
    service_links: bool
    service_account: str
    hostname: str
    container: Container
    init_containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]
    status: Mapping[str, Any]
    refusals: tuple[str, ...]

    @property
    def path(self) -> str:
        """The pod's path in the API."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    @property
    def title(self) -> str:
        """The pod as a kubelet writes it in messages."""
        return f"{self.name}_{self.namespace}({self.uid})"

    def for_init(self) -> "Iterator[Pod]":
        """Yield the pod as each of its init containers sees it."""
        return (replace(self, container=container) for container in self.init_containers)

    def logs(self, pods: Path) -> Path:
        """Return the folder of the container's logs; `pods` has the folders of all pods."""
        name = self.container.name
        return pods / self.uid / "init" / name if self.container.is_init else pods / self.uid

    @property
    def is_terminal(self) -> bool:
        """Whether the pod has ended for good."""
        return self.status.get("phase") in {"Succeeded", "Failed"}


def parse(document: Mapping[str, Any]) -> Pod:
    """Parse a pod object of the API."""
    metadata, spec = document["metadata"], document["spec"]
    deleting = "deletionTimestamp" in metadata
    return Pod(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=metadata.get("generation", 1),
        labels=metadata.get("labels", {}),
        annotations=metadata.get("annotations", {}),
        created=metadata["creationTimestamp"],
        deletion_grace_s=metadata.get("deletionGracePeriodSeconds", 0) if deleting else None,
        grace_s=spec.get("terminationGracePeriodSeconds", 30),
        restart_policy=spec.get("restartPolicy", "Always"),
        service_links=spec.get("enableServiceLinks", True),
        service_account=spec.get("serviceAccountName", ""),
        hostname=spec.get("hostname", metadata["name"]),
        container=_container(spec["containers"][0]),
        init_containers=tuple(
            _container(container, is_init=True) for container in spec.get("initContainers") or ()
        ),
        volumes=parse_volumes(spec),
        status=document.get("status", {}),
        refusals=tuple(_refusals(spec)),
    )


def _container(spec: Mapping[str, Any], *, is_init: bool = False) -> Container:
    ports = {
        port["name"]: port["containerPort"] for port in spec.get("ports", ()) if "name" in port
    }
    resources = spec.get("resources", {})
    return Container(
        name=spec["name"],
        is_init=is_init,
        image=spec["image"],
        pull_policy=spec.get("imagePullPolicy", "IfNotPresent"),
        command=tuple(spec.get("command", ())),
        args=tuple(spec.get("args", ())),
        working_dir=spec.get("workingDir", ""),
        ports=ports,
        startup=_probe(spec, "startupProbe", ports),
        readiness=_probe(spec, "readinessProbe", ports),
        liveness=_probe(spec, "livenessProbe", ports),
        limits=resources.get("limits", {}),
        requests=resources.get("requests", {}),
        pre_stop=spec.get("lifecycle", {}).get("preStop"),
        mounts=mounts(spec),
        spec=spec,
    )


def _probe(spec: Mapping[str, Any], key: str, ports: Mapping[str, int]) -> Probe | None:
    return Probe.from_json(spec[key], ports) if key in spec else None


def _refusals(spec: Mapping[str, Any]) -> list[str]:
    refusals = []
    if len(spec["containers"]) > 1:
        names = ", ".join(container["name"] for container in spec["containers"])
        refusals.append(f"one container a pod, this one has {len(spec['containers'])}: {names}")
    refusals += [
        f"{key} is not supported"
        for key in ("readinessGates", "hostNetwork", "hostPID", "hostIPC")
        if spec.get(key)
    ]
    inits: Sequence[Mapping[str, Any]] = spec.get("initContainers") or ()
    refusals += [
        f"init container {container['name']}: a restartPolicy of its own is not supported"
        for container in inits
        if "restartPolicy" in container
    ]
    refusals += volume_refusals(spec)
    for container in (*inits, spec["containers"][0]):
        refusals += _refusals_of(container)
    return refusals


def _refusals_of(container: Mapping[str, Any]) -> list[str]:
    refusals = [
        f"{key} is not of a supported kind (httpGet, tcpSocket, exec)"
        for key in ("startupProbe", "readinessProbe", "livenessProbe")
        if key in container and not container[key].keys() & {"httpGet", "tcpSocket", "exec"}
    ]
    lifecycle = container.get("lifecycle", {})
    if "postStart" in lifecycle:
        refusals.append("lifecycle.postStart is not supported")
    if "preStop" in lifecycle and not lifecycle["preStop"].keys() & {"exec", "sleep"}:
        refusals.append("lifecycle.preStop is not of a supported kind (exec, sleep)")
    return refusals
