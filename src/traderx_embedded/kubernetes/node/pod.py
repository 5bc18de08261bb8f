"""Pods as the node sees them, parsed once from the API's JSON; and what this node cannot run.

The environment's sources are parsed in `environment.py`, probes in `probe.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from traderx_embedded.kubernetes.node.probe import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The one container of a pod.

    Attributes:
        spec: The rest of the container's JSON, read by `environment.py`.
    """

    name: str
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
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One version of a pod object.

    Attributes:
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
        status=document.get("status", {}),
        refusals=tuple(_refusals(spec)),
    )


def _container(spec: Mapping[str, Any]) -> Container:
    ports = {
        port["name"]: port["containerPort"] for port in spec.get("ports", ()) if "name" in port
    }
    resources = spec.get("resources", {})
    return Container(
        name=spec["name"],
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
        for key in ("initContainers", "readinessGates", "hostNetwork", "hostPID", "hostIPC")
        if spec.get(key)
    ]
    refusals += [
        f'volume "{volume["name"]}" is of a type that is not supported: '
        + ", ".join(sorted(volume.keys() - {"name"}))
        for volume in spec.get("volumes") or ()
        if not _is_token(volume)
    ]
    container = spec["containers"][0]
    refusals += [
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


def _is_token(volume: Mapping[str, Any]) -> bool:
    """Whether this is the service account volume that admission adds to every pod; ignored."""
    return volume["name"].startswith("kube-api-access-") and "projected" in volume
