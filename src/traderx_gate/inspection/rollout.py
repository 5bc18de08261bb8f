"""A rollout: what runs is what the unit names, every replica of it, applied and live."""

from collections.abc import Iterable, Iterator, Mapping

from traderx_gate.confighub import Unit
from traderx_gate.kube import Deployment, Pod
from traderx_gate.verdict import Observation

COMPLETE = "desired = existing = updated = ready = available, at least 1"


def images(pods: Iterable[Pod], expected: Mapping[str, str]) -> Iterator[Observation]:
    """Tell of every container of every pod whether its image is the unit's.

    Args:
        pods: The live pods of a service.
        expected: The image that the units name, by container.
    """
    for pod in pods:
        for where, name, image in (
            *(("image", name, image) for name, image in pod.spec_images.items()),
            *(("running image", c.name, c.image) for c in pod.containers if c.state == "running"),
            *(("image", name, "no such container") for name in expected.keys() - pod.spec_images),
        ):
            yield Observation(
                subject=f"{where} of container {name} in pod {pod.name}",
                expected=expected.get(name, "no such container"),
                seen=image,
                met=image == expected.get(name),
                where=f"kubectl -n {pod.namespace} get pod {pod.name} -o yaml",
            )


def replicas(slug: str, deployment: Deployment | None, pods: Iterable[Pod]) -> Observation:
    """Tell whether every replica is there, of the newest generation, and ready."""
    met = deployment is not None and deployment.is_rolled_out() and deployment.desired > 0
    counts = str(deployment) if deployment else "no such deployment"
    listed = "; ".join(str(pod) for pod in pods) or "no pods"
    namespace = f"-n {deployment.namespace} " if deployment else ""
    return Observation(
        subject=f"deployment {slug}",
        expected=COMPLETE,
        seen=counts if met else f"{counts}; {listed}",
        met=met,
        where=f"kubectl {namespace}describe deployment {slug}",
    )


def revisions(units: Iterable[Unit]) -> Iterator[Observation]:
    """Tell of every unit whether its head is what was applied and what is live."""
    for unit in units:
        head = unit.head_revision
        yield Observation(
            subject=f"unit {unit.slug}",
            expected=f"head {head}, applied {head}, live {head}",
            seen=f"head {head}, applied {unit.applied_revision}, live {unit.live_revision}",
            met=head == unit.applied_revision == unit.live_revision and head > 0,
            where=f"cub unit get {unit.slug}",
        )
