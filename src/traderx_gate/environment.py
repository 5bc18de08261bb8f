"""A deployed environment as the suites see it: its units in ConfigHub beside its live objects."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from traderx_gate import rights
from traderx_gate.application import Application, EnvironmentSpec, Service
from traderx_gate.confighub import ConfigHub, Space, Unit
from traderx_gate.errors import (
    ConfigurationError,
    KubernetesError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from traderx_gate.kube import (
    Deployment,
    Kube,
    Manifest,
    ObjectRef,
    Pod,
    images_of,
    owners_of,
    parse_manifests,
    project_of,
)
from traderx_gate.kube.client import FIELD_MANAGER
from traderx_gate.kube.drift import FieldDrift, compare
from traderx_gate.reach import (
    Forwarded,
    Forwards,
    Proxy,
    Reach,
    probe,
    service_ref,
    target,
)
from traderx_gate.traderx import Ask, Direct, Nowhere
from traderx_gate.verdict import Environment, ServiceTimeline, UnitRevision

SYSTEM_OBJECTS = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})
"""What Kubernetes itself puts into every namespace."""
REVISION = "deployment.kubernetes.io/revision"
"""Which template of a Deployment a ReplicaSet is of."""
PASSING_KINDS = frozenset({"Event", "PodMetrics", "Lease"})
"""What comes and goes without anybody deploying it."""


class DeployedEnvironment:
    """One environment: reads ConfigHub and the cluster, changes neither.

    Every read is fresh, so that a claim is about the time at which it is checked.
    """

    def __init__(
        self,
        *,
        project: str,
        spec: EnvironmentSpec,
        application: Application,
        kube: Kube,
        confighub: ConfigHub,
        reach: Reach | None = None,
    ) -> None:
        self.project = project
        self.spec = spec
        self.application = application
        self.kube = kube
        self.confighub = confighub
        self._reach = reach
        self._forwards = Forwards(kube, spec.namespace)

    def close(self) -> None:
        """Let go of every local port that leads to the environment."""
        self._forwards.close()

    def reach(self) -> Reach | None:
        """Return the way to the services; None while none of them can be reached at all."""
        if self._reach is None:
            self._reach = probe(self.kube, self.spec.namespace)
        return self._reach

    @property
    def identity(self) -> Environment:
        """What evidence is bound to."""
        return Environment(
            project=self.project,
            name=self.spec.name,
            space=f"{self.project}-{self.spec.name}",
            namespace=self.spec.namespace,
        )

    @cached_property
    def space(self) -> Space:
        """The environment's space.

        Raises:
            ConfigurationError: There is none.
        """
        space = self.confighub.space_find(self.identity.space)
        if space is None:
            raise ConfigurationError(
                f"ConfigHub has no space {self.identity.space}; "
                f"make it with `traderx-gate install {self.spec.name}`"
            )
        return space

    def find_space(self, name: str) -> Space | None:
        """Return another space of the project, such as `base`; None if there is none."""
        return self.confighub.space_find(f"{self.project}-{name}")

    def units_in(self, name: str) -> Mapping[str, Unit]:
        """Return the units of another space of the project, by slug; none without the space."""
        space = self.find_space(name)
        return {unit.slug: unit for unit in self.confighub.unit_list(space)} if space else {}

    def units(self) -> Mapping[str, Unit]:
        """Return the units by slug."""
        return {unit.slug: unit for unit in self.confighub.unit_list(self.space)}

    def units_of(self, service: Service) -> tuple[Unit, ...]:
        """Return the units of a service; one that is missing raises.

        Raises:
            NotFoundError: The space lacks a unit that the service needs.
        """
        units = self.units()
        missing = [slug for slug in service.units if slug not in units]
        if missing:
            raise NotFoundError(f"space {self.space.slug} has no unit {missing[0]}", status=404)
        return tuple(units[slug] for slug in service.units)

    def shared_units(self) -> tuple[Unit, ...]:
        """Return the units that belong to no single service, such as the namespace."""
        owned = {slug for service in self.application.services for slug in service.units}
        return tuple(unit for slug, unit in self.units().items() if slug not in owned)

    def revisions(self) -> Mapping[str, UnitRevision]:
        """Return every unit's revisions and hash, as evidence is bound to them."""
        return {
            slug: UnitRevision(
                sha256=unit.sha256,
                head=unit.head_revision,
                applied=unit.applied_revision,
                live=unit.live_revision,
            )
            for slug, unit in self.units().items()
        }

    def manifests(self, unit: Unit) -> tuple[Manifest, ...]:
        """Return the objects that a unit describes."""
        return parse_manifests(unit.data.decode(errors="replace"), source=f"unit {unit.slug}")

    def well_formed_units(self) -> Mapping[str, Unit]:
        """Return the units by slug.

        Raises:
            ConfigurationError: One is malformed, or they are for another namespace; names it, and
                the line or key.
        """
        units = self.units()
        for unit in units.values():
            for manifest in self.manifests(unit):
                images_of(manifest, source=f"unit {unit.slug}")
                name = manifest["metadata"]["name"]
                if manifest["kind"] == "Namespace" and name != self.spec.namespace:
                    raise ConfigurationError(
                        f"{self.space.slug} is installed for namespace {name}, not "
                        f"{self.spec.namespace}; give --namespaces (or TRADERX_NAMESPACES) as "
                        "`install` was given it"
                    )
        return units

    def foreign_objects(self, units: Iterable[Unit]) -> tuple[str, ...]:
        """Return what units describe that would not carry the project's label, in words."""
        return tuple(
            f"unit {unit.slug}: {ObjectRef.of(manifest)}"
            for unit in units
            for manifest in self.manifests(unit)
            if project_of(manifest) != self.project
        )

    def deployment(self, service: Service) -> Deployment:
        """Return the live deployment of a service."""
        return self.kube.deployment(self.spec.namespace, service.slug)

    def find_deployment(self, service: Service) -> Deployment | None:
        """Return the live deployment of a service; None if there is none."""
        try:
            return self.deployment(service)
        except NotFoundError:
            return None

    def pods(self, service: Service) -> tuple[Pod, ...]:
        """Return the pods of a service that are not on their way out."""
        found = self.kube.pods(self.spec.namespace, labels=f"app={service.slug}")
        return tuple(pod for pod in found if not pod.deleting)

    def newest_pods(self, service: Service) -> tuple[Pod, ...]:
        """Return the pods made from what the units say now; none before that was applied."""
        for unit in self.units_of(service):
            for manifest in self.manifests(unit):
                if manifest["kind"] == "Deployment":
                    return self._pods_of(manifest)
        return ()

    def _pods_of(self, manifest: Manifest) -> tuple[Pod, ...]:
        live = self.kube.get(ObjectRef.of(manifest))
        applied = self.kube.apply(manifest, dry_run=True)
        generations = {
            live["metadata"]["generation"],
            applied["metadata"]["generation"],  # a greater one if the apply would change anything
            (live.get("status") or {}).get("observedGeneration"),
        }
        if len(generations) > 1:
            return ()
        number = live["metadata"]["annotations"][REVISION]
        sets = self.kube.list("apps/v1", "ReplicaSet", namespace=self.spec.namespace)
        names = {
            body["metadata"]["name"]
            for body in sets
            if body["metadata"].get("annotations", {}).get(REVISION) == number
            and any(o["uid"] == live["metadata"]["uid"] for o in owners_of(body))
        }
        pods = self.kube.list("v1", "Pod", namespace=self.spec.namespace)
        return tuple(
            Pod.from_json(body) for body in pods if any(o["name"] in names for o in owners_of(body))
        )

    def workers(self) -> str:
        """Return the workers of the space with their conditions, in words."""
        found = self.confighub.worker_list(self.space)
        return (
            ", ".join(f"{w.slug} is {w.condition or 'unknown'}" for w in found) or "there is none"
        )

    def unit_images(self, service: Service) -> Mapping[str, str]:
        """Return the image of each container that the service's units name."""
        return {
            name: image
            for unit in self.units_of(service)
            for manifest in self.manifests(unit)
            for name, image in images_of(manifest, source=f"unit {unit.slug}").items()
        }

    def drift(self, manifest: Manifest) -> tuple[FieldDrift, ...]:
        """Return where a live object differs from what its unit says.

        Raises:
            NotFoundError: The object does not exist.
        """
        live = self.kube.get(ObjectRef.of(manifest))
        return compare(live, self.kube.apply(manifest, dry_run=True), manager=FIELD_MANAGER)

    def url(self, service: Service) -> str:
        """Return the base URL at which a service's contract port is reached from here.

        Where addresses of Services cannot be reached it is one of this machine's, which leads to
        one of the ready pods.

        Raises:
            NotFoundError: The Service object is missing, or has no ready pod.
            RefusedError: No local port can be had.
        """
        port = service.health.port
        if self.reach() in {Reach.DIRECT, None}:
            found = target(self.kube, self.spec.namespace, service.slug, port)
            return f"http://{found.address}:{port}"
        return self._forwards.url(service.slug, port)

    def ask(self, service: Service) -> Ask:
        """Return the way to a service: its Service, or a pod where it has no Service.

        A way is always returned; where there is none, asking says why.
        """
        try:
            return self._way(service) if self._has_service(service) else self._pod(service)
        except (UnreachableError, KubernetesError, RefusedError) as error:
            return Nowhere(str(error))

    def _way(self, service: Service) -> Ask:
        port, reach = service.health.port, self.reach()
        if reach is Reach.PROXY:
            ref = service_ref(self.spec.namespace, service.slug)
            return Proxy(kube=self.kube, ref=ref, port=port)
        if reach is Reach.FORWARD:
            return Forwarded(forwards=self._forwards, service=service.slug, port=port)
        return Direct(self.url(service))

    def _pod(self, service: Service) -> Ask:
        pods = [pod for pod in self.pods(service) if pod.ready]
        if not pods:
            return Nowhere(f"{service.slug} has no Service, and no ready pod")
        return self.ask_pod(service, pods[0])

    def ask_pod(self, service: Service, pod: Pod) -> Ask:
        """Return the way to one pod of a service, ready or not."""
        ref = ObjectRef(api_version="v1", kind="Pod", namespace=pod.namespace, name=pod.name)
        return Proxy(kube=self.kube, ref=ref, port=service.health.port)

    def _has_service(self, service: Service) -> bool:
        return any(
            manifest["kind"] == "Service"
            for unit in self.units_of(service)
            for manifest in self.manifests(unit)
        )

    def objects(self) -> tuple[Manifest, ...]:
        """Return every object in the namespace that somebody put there."""
        found: list[Manifest] = []
        for api_version, kind in self.kube.kinds():
            if kind in PASSING_KINDS:
                continue
            found += self.kube.list(api_version, kind, namespace=self.spec.namespace)
        bindings = {("RoleBinding", name) for name in rights.binding_names(self.project)}
        expected = SYSTEM_OBJECTS | bindings
        return tuple(
            body for body in found if (body["kind"], body["metadata"]["name"]) not in expected
        )

    def is_gone(self, about: Mapping[str, Any]) -> bool:
        """Whether the object that an event refers to is there no more, or is another one now.

        What the event does not say enough of is taken to be there.
        """
        needed = ("apiVersion", "kind", "name", "uid")
        version, kind, name, uid = (str(about.get(key) or "") for key in needed)
        if not all((version, kind, name, uid)):
            return False
        namespace = str(about.get("namespace") or "")
        ref = ObjectRef(api_version=version, kind=kind, name=name, namespace=namespace)
        live = self.kube.find(ref)
        return live is None or live["metadata"]["uid"] != uid

    def is_managed(self, body: Manifest, managed: frozenset[tuple[str, str]]) -> bool:
        """Whether an object comes from a unit, or from an object that does.

        Args:
            body: The object.
            managed: (kind, name) of everything known to be managed so far.
        """
        metadata = body["metadata"]
        if (body["kind"], metadata["name"]) in managed:
            return True
        if body["kind"] == "Endpoints":  # made for a Service of the same name, without an owner
            return ("Service", metadata["name"]) in managed
        return any((owner["kind"], owner["name"]) in managed for owner in owners_of(body))

    def timeline(self) -> tuple[ServiceTimeline, ...]:
        """Return how the pods that run now came up."""
        pods = [(s, pod) for s in self.application.services for pod in self.pods(s)]
        if not pods:
            return ()
        origin = min(pod.created_at for _, pod in pods)
        return tuple(
            ServiceTimeline(
                service=service.slug,
                pod=pod.name,
                image=", ".join(pod.spec_images.values()),
                created_s=(pod.created_at - origin).total_seconds(),
                started_s=(pod.started_at - origin).total_seconds() if pod.started_at else None,
                ready_s=(pod.ready_at - origin).total_seconds() if pod.ready_at else None,
                restarts=pod.restarts,
            )
            for service, pod in pods
        )

    def provenance(self) -> str:
        """Return `containers` where every node runs them, else `stand-ins`.

        Raises:
            UnreachableError: The cluster has no node to tell.
        """
        nodes = self.kube.list("v1", "Node")
        if not nodes:
            raise UnreachableError("the cluster has no node")
        runtimes = {n["status"]["nodeInfo"]["containerRuntimeVersion"].split(":")[0] for n in nodes}
        return "containers" if runtimes <= {"containerd", "cri-o", "docker"} else "stand-ins"
