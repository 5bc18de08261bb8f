"""Kubernetes objects as values: references, manifests, and what we read of deployments and pods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import yaml

from traderx_gate.errors import ConfigurationError

Manifest = Mapping[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectRef:
    """The identity of one object; `namespace` is empty for cluster-wide ones."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the reference of a manifest that `parse_manifests` accepted."""
        metadata = manifest["metadata"]
        return cls(
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            name=metadata["name"],
            namespace=metadata.get("namespace", ""),
        )

    def __str__(self) -> str:
        """Return `Deployment traderx-dev/trade-service`."""
        return f"{self.kind} {self.namespace}/{self.name}".replace(" /", " ")


def parse_manifests(text: str, *, source: str) -> tuple[Manifest, ...]:
    """Parse the documents of a unit.

    Raises:
        ConfigurationError: Not YAML, or an object without `apiVersion`, `kind` or a name; names
            `source` and the line or key.
    """
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigurationError(f"{source}{where}: {problem}") from error
    if not documents:
        raise ConfigurationError(f"{source}: holds no object")
    for number, document in enumerate(documents, start=1):
        for key in ("apiVersion", "kind"):
            if not isinstance(document, dict) or not isinstance(document.get(key), str):
                raise ConfigurationError(f"{source}, document {number}: {key} is missing")
        metadata = document.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            raise ConfigurationError(f"{source}, document {number}: metadata.name is missing")
    return tuple(documents)


def images_of(manifest: Manifest, *, source: str) -> Mapping[str, str]:
    """Return the image of each container of a Deployment; of any other kind there is none.

    Raises:
        ConfigurationError: It has no container, or one without name or image; names the key.
    """
    if manifest["kind"] != "Deployment":
        return {}
    found: object = manifest
    for key in ("spec", "template", "spec", "containers"):
        found = found.get(key) if isinstance(found, Mapping) else None
    if not isinstance(found, list) or not found:
        raise ConfigurationError(f"{source}: spec.template.spec.containers is missing")
    images = {}
    for number, container in enumerate(found):
        name, image = (
            container.get(key) if isinstance(container, Mapping) else None
            for key in ("name", "image")
        )
        if not isinstance(name, str) or not isinstance(image, str):
            raise ConfigurationError(
                f"{source}: spec.template.spec.containers[{number}] needs a name and an image"
            )
        images[name] = image
    return images


def owners_of(body: Manifest) -> Sequence[Mapping[str, Any]]:
    """Return the references to what owns an object."""
    found: Sequence[Mapping[str, Any]] = body["metadata"].get("ownerReferences") or ()
    return found


def parse_time(text: str | None) -> datetime | None:
    """Parse a Kubernetes timestamp; None stays None."""
    return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a rollout is judged by. Counts that the API leaves out are 0, as it means them."""

    namespace: str
    name: str
    generation: int
    observed_generation: int
    desired: int
    replicas: int
    updated: int
    available: int
    ready: int
    stuck: str
    """The message of a Progressing condition that is False, else empty."""

    @classmethod
    def from_json(cls, body: Manifest) -> Self:
        """Read an apps/v1 Deployment."""
        status = body.get("status") or {}
        stuck = [
            condition.get("message", condition.get("reason", "not progressing"))
            for condition in status.get("conditions") or ()
            if condition["type"] == "Progressing" and condition["status"] == "False"
        ]
        return cls(
            namespace=body["metadata"]["namespace"],
            name=body["metadata"]["name"],
            generation=body["metadata"]["generation"],
            observed_generation=status.get("observedGeneration", 0),
            desired=body["spec"].get("replicas", 1),
            replicas=status.get("replicas", 0),
            updated=status.get("updatedReplicas", 0),
            available=status.get("availableReplicas", 0),
            ready=status.get("readyReplicas", 0),
            stuck=stuck[0] if stuck else "",
        )

    def is_rolled_out(self) -> bool:
        """Whether every replica is of the newest generation, ready and available."""
        return (
            self.observed_generation >= self.generation
            and self.desired == self.replicas == self.updated == self.available == self.ready
            and not self.stuck
        )

    def __str__(self) -> str:
        """Return the counts that a rollout is judged by."""
        seen = "" if self.observed_generation >= self.generation else ", newest spec not yet seen"
        stuck = f", stuck: {self.stuck}" if self.stuck else ""
        return (
            f"{self.desired} desired, {self.replicas} existing, {self.updated} updated, "
            f"{self.ready} ready, {self.available} available{seen}{stuck}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """The state of one container: `running`, `waiting` or `terminated`, with the reason."""

    name: str
    image: str
    state: str
    reason: str
    message: str
    restarts: int
    last_exit: str
    """How it ended last time: `OOMKilled (137)`; empty if it never ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What we read of a pod; times are None until they happened."""

    namespace: str
    name: str
    app: str
    """The label `app`, which is the service's slug; empty without one."""
    phase: str
    ip: str
    ready: bool
    deleting: bool
    spec_images: Mapping[str, str]
    containers: tuple[ContainerState, ...]
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    ready_at: datetime | None

    @classmethod
    def from_json(cls, body: Manifest) -> Self:
        """Read a v1 Pod."""
        metadata, status = body["metadata"], body.get("status") or {}
        conditions = {c["type"]: c for c in status.get("conditions") or ()}

        def since(kind: str) -> datetime | None:
            condition = conditions.get(kind)
            if condition is None or condition["status"] != "True":
                return None
            return parse_time(condition.get("lastTransitionTime"))

        created = parse_time(metadata["creationTimestamp"])
        assert created is not None  # noqa: S101  # the API server sets it on every stored object
        statuses = status.get("containerStatuses") or ()
        running = [s["state"]["running"] for s in statuses if "running" in (s.get("state") or {})]
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            app=(metadata.get("labels") or {}).get("app", ""),
            phase=status.get("phase", "Pending"),
            ip=status.get("podIP", ""),
            ready=conditions.get("Ready", {}).get("status") == "True",
            deleting="deletionTimestamp" in metadata,
            spec_images={c["name"]: c["image"] for c in body["spec"]["containers"]},
            containers=tuple(_container(s) for s in statuses),
            created_at=created,
            scheduled_at=since("PodScheduled"),
            started_at=parse_time(running[0].get("startedAt")) if running else None,
            ready_at=since("Ready"),
        )

    @property
    def restarts(self) -> int:
        """Restarts of all containers together."""
        return sum(container.restarts for container in self.containers)

    def __str__(self) -> str:
        """Return name, phase and what keeps the pod from being ready."""
        if self.ready:
            return f"{self.name} ready"
        causes = [
            f"{c.reason or c.state}" + (f" after {c.last_exit}" if c.last_exit else "")
            for c in self.containers
        ]
        return f"{self.name} {self.phase}, not ready" + (
            f" ({', '.join(causes)})" if causes else ""
        )


def _container(status: Mapping[str, Any]) -> ContainerState:
    state = status.get("state") or {}
    name = next(iter(state), "waiting")
    detail = state.get(name) or {}
    last = (status.get("lastState") or {}).get("terminated") or {}
    ended = f"{last.get('reason', 'Error')} ({last.get('exitCode')})" if last else ""
    return ContainerState(
        name=status["name"],
        image=status.get("image", ""),
        state=name,
        reason=detail.get("reason", ""),
        message=detail.get("message", ""),
        restarts=status.get("restartCount", 0),
        last_exit=ended,
    )
