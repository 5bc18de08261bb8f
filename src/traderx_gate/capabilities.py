"""What a cluster can do, found by trying; a claim that needs what it cannot do has no proof."""

from collections.abc import Mapping

from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import KubernetesError, NotFoundError
from traderx_gate.inspection import ingress, nodes
from traderx_gate.reach import Reach

DIRECT_ADDRESSES = "direct-addresses"
INGRESS = "ingress"
METRICS = "metrics"
SEVERAL_NODES = "several-nodes"
NETWORK_POLICY = "network-policy"
KNOWN = frozenset({DIRECT_ADDRESSES, INGRESS, METRICS, SEVERAL_NODES})


def probe(environment: DeployedEnvironment) -> Mapping[str, bool]:
    """Return each capability, and whether the cluster has it; changes nothing.

    Whether network policies are enforced cannot be seen without trying one: that is asked for by
    itself (`operations.network_policy_probe`), and unknown here.

    Raises:
        UnreachableError, KubernetesError: The API does not answer, or refuses.
    """
    return {
        DIRECT_ADDRESSES: environment.reach() is Reach.DIRECT,
        INGRESS: _ingress(environment),
        METRICS: _metrics(environment),
        SEVERAL_NODES: len(nodes.taking(environment.kube.list("v1", "Node"))) > 1,
    }


def _ingress(environment: DeployedEnvironment) -> bool:
    """Whether a controller takes Ingress objects: it has taken ours, or declares a class."""
    kube, api = environment.kube, "networking.k8s.io/v1"
    ours = kube.list(api, "Ingress", namespace=environment.spec.namespace)
    return any(ingress.taken(ours)) or bool(kube.list(api, "IngressClass"))


def _metrics(environment: DeployedEnvironment) -> bool:
    """Whether anybody measures pods: the API may be there with nobody behind it."""
    namespace = environment.spec.namespace
    try:
        return bool(
            environment.kube.list("metrics.k8s.io/v1beta1", "PodMetrics", namespace=namespace)
        )
    except NotFoundError:
        return False
    except KubernetesError as error:
        if error.status in {500, 503}:  # the API server asks who serves them, in vain
            return False
        raise
