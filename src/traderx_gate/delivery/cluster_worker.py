"""The worker inside the cluster: the objects that run it, made, waited for and removed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import yaml

from traderx_gate import application, rights
from traderx_gate.application import EnvironmentSpec
from traderx_gate.checkout import TOOL_VERSION
from traderx_gate.confighub import ConfigHub, Space, Worker
from traderx_gate.delivery import worker_control
from traderx_gate.delivery.installation import CONNECTED, WORKER, worker_condition
from traderx_gate.errors import RefusedError
from traderx_gate.kube import PROJECT_LABEL, Kube, Manifest, ObjectRef, Pod, project_of, require_own
from traderx_gate.waiting import Deadline, polling, until

IMAGE = f"traderx-gate/worker:v{TOOL_VERSION}"
MANAGER = "traderx-gate"
SWITCH = "traderx-gate-worker"
"""Field manager of what starts and stops a worker: it owns that alone."""
COMPONENT_LABEL = "app.kubernetes.io/component"
"""Tells the namespace of the workers from those of the environments."""
CONNECT_DEADLINE_S = 120.0
"""For the image to be pulled, the pod to start and the worker to connect."""
REMOVAL_DEADLINE_S = 120.0
GONE_DEADLINE_S = 30.0
POLL_S = 0.5
AUTO_APPLY = "CONFIGHUB_AUTO_APPLY"
"""The variable of the worker's environment."""
HTTP_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterWorker:
    """One environment's worker, as it is inside the cluster.

    Attributes:
        url: ConfigHub's address as pods reach it; the port is the one that takes workers.
        image: Of the worker, as nodes pull it.
        namespace: Where it lies; shared by the environments of a project.
        auto_apply: Whether it applies heads by itself.
    """

    project: str
    spec: EnvironmentSpec
    worker: Worker
    url: str
    image: str
    namespace: str
    auto_apply: bool = False

    def manifests(self, *, include_secret: bool) -> tuple[Manifest, ...]:
        """Return the objects in the order in which they are applied, rights first.

        Args:
            include_secret: With the worker's secret in clear text; otherwise without its Secret.
        """
        account = f"ServiceAccount:{self.namespace}/{WORKER}"
        bound = rights.manifests(
            self.project, [self.spec.namespace], account, suffix=rights.OF_WORKER
        )
        own = [self._filled(body) for body in _template()]
        kept = [body for body in own if include_secret or body["kind"] != "Secret"]
        return (kept[0], *bound, *kept[1:])

    def _filled(self, body: dict[str, Any]) -> Manifest:
        metadata, kind = body["metadata"], body["kind"]
        metadata["labels"] = {PROJECT_LABEL: self.project, COMPONENT_LABEL: WORKER}
        if kind == "Namespace":
            metadata["name"] = self.namespace
            return body
        metadata["namespace"] = self.namespace
        if kind == "ServiceAccount":
            return body
        metadata["name"] = self.name
        if kind == "Secret":
            body["stringData"] = self._environment()
            return body
        labels = {"app": self.name, PROJECT_LABEL: self.project}
        body["spec"]["selector"]["matchLabels"] = {"app": self.name}
        body["spec"]["template"]["metadata"]["labels"] = labels
        (container,) = body["spec"]["template"]["spec"]["containers"]
        container["image"] = self.image
        container["envFrom"][0]["secretRef"]["name"] = self.name
        return body

    @property
    def name(self) -> str:
        """The name of its Deployment and Secret."""
        return f"{WORKER}-{self.spec.name}"

    def _environment(self) -> dict[str, str]:
        parts = urlsplit(self.url)
        return {
            "CONFIGHUB_URL": self.url,
            "CONFIGHUB_WORKER_PORT": str(parts.port or HTTP_PORTS[parts.scheme]),
            "CONFIGHUB_WORKER_ID": self.worker.id,
            "CONFIGHUB_WORKER_SECRET": self.worker.secret,
            AUTO_APPLY: str(self.auto_apply).lower(),
        }

    def require_own(self, kube: Kube) -> None:
        """Refuse to change what somebody else made; nothing is changed.

        Raises:
            RefusedError: An object of one of the names is not this project's.
        """
        for body in self.manifests(include_secret=True):
            live = kube.find(ObjectRef.of(body))
            if live is not None:
                require_own(body, live)

    def apply(self, kube: Kube) -> None:
        """Make the objects, or bring them up to date."""
        for body in self.manifests(include_secret=True):
            kube.apply(body, manager=MANAGER)

    def withdraw(self, kube: Kube) -> None:
        """End its pod; what it needs besides stays for another try, until `remove`."""
        name = ObjectRef(
            api_version="apps/v1", kind="Deployment", namespace=self.namespace, name=self.name
        )
        if kube.find(name) is not None:
            kube.delete(name)

    def await_connected(self, kube: Kube, hub: ConfigHub, space: Space) -> None:
        """Wait until its pod runs and ConfigHub says that the worker is there.

        Raises:
            NotReachedError: It does not come; says what its pods say.
        """
        until(
            polling(
                lambda: (
                    kube.deployment(self.namespace, self.name).is_rolled_out(),
                    worker_condition(hub, space),
                ),
                every_s=POLL_S,
                deadline=Deadline(CONNECT_DEADLINE_S),
            ),
            lambda seen: seen == (True, CONNECTED),
            what=f"worker {WORKER} of {space.slug} to connect from {self.namespace}/{self.name}",
            describe=lambda seen: (
                f"condition {seen[1] or 'unknown'}, {', '.join(self._pods(kube)) or 'no pod'}; "
                f"ConfigHub at {self.url}; kubectl -n {self.namespace} logs deployment/{self.name}"
            ),
        )

    def _pods(self, kube: Kube) -> Iterator[str]:
        for pod in kube.pods(self.namespace, labels=f"app={self.name}"):
            reasons = ", ".join(c.reason for c in pod.containers if c.reason)
            yield f"pod {pod.name} {reasons or pod.phase}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InCluster:
    """A worker that `apply` put into the cluster, to be started and stopped."""

    kube: Kube
    namespace: str
    name: str

    @classmethod
    def find(cls, kube: Kube, project: str, environment: str) -> "InCluster | None":
        """Return the worker of an environment that is in the cluster; None if none is."""
        name = f"{WORKER}-{environment}"
        selector = f"{PROJECT_LABEL}={project},{COMPONENT_LABEL}={WORKER}"
        for body in kube.list("v1", "Namespace", labels=selector):
            found = cls(kube=kube, namespace=body["metadata"]["name"], name=name)
            if kube.find(found._ref("apps/v1", "Deployment")) is not None:
                return found
        return None

    def __str__(self) -> str:
        """Return where it runs."""
        return f"in the cluster as {self.namespace}/{self.name}"

    def start(self, worker: Worker) -> None:
        """Have one pod of it run, as the worker's annotations say."""
        by_itself = str(worker_control.applies_by_itself(worker)).lower()
        self._set("v1", "Secret", {"stringData": {AUTO_APPLY: by_itself}})
        self._set("apps/v1", "Deployment", {"spec": {"replicas": 1}})

    def stop(self) -> None:
        """Have none of it run."""
        self._set("apps/v1", "Deployment", {"spec": {"replicas": 0}})

    def has_ended(self) -> bool:
        """Whether it has no pod."""
        return not self.pods()

    def pods(self) -> tuple[Pod, ...]:
        """Return its pods."""
        return self.kube.pods(self.namespace, labels=f"app={self.name}")

    def _ref(self, api_version: str, kind: str) -> ObjectRef:
        return ObjectRef(
            api_version=api_version, kind=kind, namespace=self.namespace, name=self.name
        )

    def _set(self, api_version: str, kind: str, body: dict[str, Any]) -> None:
        metadata = {"name": self.name, "namespace": self.namespace}
        manifest = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
        self.kube.apply(manifest, manager=SWITCH)


def await_gone(hub: ConfigHub, space: Space) -> None:
    """Wait until a worker that was stopped is not taken for the next one.

    Raises:
        NotReachedError: It stays connected.
    """
    until(
        polling(
            lambda: worker_condition(hub, space), every_s=POLL_S, deadline=Deadline(GONE_DEADLINE_S)
        ),
        lambda seen: seen != CONNECTED,
        what=f"the worker of {space.slug} that was stopped to be gone",
    )


def default_namespace(project: str) -> str:
    """Return where a project's workers lie: `cub` says `confighub`, which two would share."""
    return f"confighub-{project}"


def require_reachable(url: str) -> None:
    """Refuse an address that means this machine to everybody.

    Raises:
        RefusedError: Pods cannot reach ConfigHub at it.
    """
    parts = urlsplit(url)
    if parts.scheme not in HTTP_PORTS or not parts.hostname:
        raise RefusedError(f"{url!r} is no http(s):// address")
    if parts.hostname == "localhost" or parts.hostname.startswith("127."):
        raise RefusedError(
            f"pods cannot reach ConfigHub at {url}: give the address they reach it at with "
            "--reachable-at, or leave the worker here (`traderx-gate install`)"
        )


def remove(kube: Kube, project: str, report: Callable[[str], None]) -> None:
    """Remove what `apply` made for a project, wherever it is this project's.

    Raises:
        NotReachedError: The namespace does not end in time.
    """
    selector = f"{PROJECT_LABEL}={project},{COMPONENT_LABEL}={WORKER}"
    spaces = [
        ObjectRef(api_version="v1", kind="Namespace", name=body["metadata"]["name"])
        for body in kube.list("v1", "Namespace", labels=selector)
    ]
    if not spaces:
        return
    account = f"ServiceAccount:{spaces[0].name}/{WORKER}"
    bound = rights.manifests(project, [], account, suffix=rights.OF_WORKER)
    for ref in (*spaces, *(ObjectRef.of(body) for body in bound)):
        body = kube.find(ref)
        if body is not None and project_of(body) == project:
            kube.delete(ref)
    until(
        polling(
            lambda: [ref for ref in spaces if kube.find(ref) is not None],
            every_s=POLL_S,
            deadline=Deadline(REMOVAL_DEADLINE_S),
        ),
        lambda left: not left,
        what="the namespaces of the workers to end",
        describe=lambda left: ", ".join(map(str, left)),
    )
    report(f"{', '.join(ref.name for ref in spaces)}: the workers in the cluster removed")


def _template() -> list[dict[str, Any]]:
    text = files(application).joinpath("worker", "worker.yaml").read_text()
    return list(yaml.safe_load_all(text))
