"""Singletons: what breaks when it is there twice is there once."""

from collections.abc import Sequence

from traderx_gate.kube import Deployment, Manifest
from traderx_gate.verdict import Observation


def single(slug: str, deployment: Deployment | None, pods: Sequence[Manifest]) -> Observation:
    """Tell whether one replica is wanted and one pod exists, those on their way out included."""
    desired = deployment.desired if deployment else 0
    namespace = deployment.namespace if deployment else "<none>"
    return Observation(
        subject=slug,
        expected="1 replica desired, 1 pod",
        seen=f"{desired} replica desired, {len(pods)} pod",
        met=desired == len(pods) == 1,
        where=f"kubectl -n {namespace} get pods -l app={slug}",
    )
