"""Where a run took place is said with what could not be proven there."""

from traderx_gate.verdict import Cluster


def test_cluster_says_what_it_lacks() -> None:
    """Readers of a report see which capabilities a cluster lacks, if any."""
    able = Cluster(kind="kind", context="c", version="v1.37.0", capabilities={"ingress": True})
    lacking = {"several-nodes": False, "metrics": True, "ingress": False}
    poor = Cluster(kind="existing", context="c", version="v1.34.4", capabilities=lacking)
    assert str(able) == "kind, Kubernetes v1.37.0"
    assert str(poor) == "existing, Kubernetes v1.34.4, without ingress, several-nodes"
