from typing import Any

import pytest

from traderx_embedded.kubernetes.node import pod

TOKEN = {"name": "kube-api-access-x", "projected": {"sources": []}}


def refusals(container: dict[str, Any] | None = None, **spec: Any) -> str:
    metadata = {"uid": "1", "namespace": "ns", "name": "web", "creationTimestamp": "now"}
    containers = [{"name": "main", "image": "any", **(container or {})}]
    told = {"containers": containers, "volumes": [TOKEN], **spec}
    return "; ".join(pod.parse({"metadata": metadata, "spec": told}).refusals)


def test_ordinary_pod_is_not_refused() -> None:
    """A pod of one container with the token volume of its account can be run."""
    assert refusals() == ""


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]}, "2: a, b"),
        ({"initContainers": [{"name": "a", "image": "x"}]}, "initContainers is not supported"),
        ({"volumes": [{"name": "data", "emptyDir": {}}]}, '"data" is of a type .* emptyDir'),
        ({"hostNetwork": True}, "hostNetwork is not supported"),
        ({"container": {"readinessProbe": {"grpc": {"port": 1}}}}, "readinessProbe is not of a"),
        ({"container": {"lifecycle": {"postStart": {}}}}, "postStart is not supported"),
        ({"container": {"lifecycle": {"preStop": {"httpGet": {}}}}}, "preStop is not of a"),
    ],
)
def test_refusal_says_what(spec: dict[str, Any], said: str) -> None:
    """What the node cannot do is refused in words that name it."""
    with pytest.raises(AssertionError, match=said):
        assert refusals(**spec) == ""
