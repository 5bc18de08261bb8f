import pytest

from traderx_gate.inspection import singletons
from traderx_gate.kube import Deployment


def deployment(desired: int) -> Deployment:
    """A deployment of so many replicas."""
    return Deployment(
        namespace="shop",
        name="database",
        generation=1,
        observed_generation=1,
        desired=desired,
        replicas=desired,
        updated=desired,
        available=desired,
        ready=desired,
        stuck="",
    )


@pytest.mark.parametrize(
    ("desired", "pods", "met"),
    [(1, 1, True), (2, 2, False), (1, 2, False), (2, 1, False), (1, 0, False), (0, 0, False)],
)
def test_single(desired: int, pods: int, met: bool) -> None:  # noqa: FBT001
    """Only one replica with one pod is single; a pod on its way out counts."""
    found = singletons.single("database", deployment(desired), [{}] * pods)
    assert (found.subject, found.expected, found.seen, found.met) == (
        "database",
        "1 replica desired, 1 pod",
        f"{desired} replica desired, {pods} pod",
        met,
    )


def test_no_deployment() -> None:
    """A pod without its deployment is none that anybody wants."""
    found = singletons.single("database", None, [{}])
    assert (found.met, found.seen) == (False, "0 replica desired, 1 pod")
