from typing import Any

import pytest

from traderx_embedded.kubernetes.node import pod

INIT = {"name": "a", "image": "x"}
TOKEN = {"name": "kube-api-access-x", "projected": {"sources": []}}


def refusals(container: dict[str, Any] | None = None, **spec: Any) -> str:
    metadata = {"uid": "1", "namespace": "ns", "name": "web", "creationTimestamp": "now"}
    containers = [{"name": "main", "image": "any", **(container or {})}]
    told = {"containers": containers, "volumes": [TOKEN], **spec}
    return "; ".join(pod.parse({"metadata": metadata, "spec": told}).refusals)


def mounting(*mounts: dict[str, Any]) -> dict[str, Any]:
    return {"container": {"volumeMounts": [{"name": "data", **mount} for mount in mounts]}}


def test_ordinary_pod_is_not_refused() -> None:
    """A pod with init containers and volumes of the known kinds, its token's included, can run."""
    kinds: list[dict[str, Any]] = [{"emptyDir": {}}, {"configMap": {}}, {"secret": {}}]
    volumes = [TOKEN, *({"name": f"v{number}", **kind} for number, kind in enumerate(kinds))]
    mounts = [{"name": TOKEN["name"], "mountPath": "/a/b"}, {"name": "v0", "mountPath": "/a"}]
    assert refusals({"volumeMounts": mounts}, volumes=volumes, initContainers=[INIT]) == ""


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]}, "2: a, b"),
        ({"initContainers": [{**INIT, "restartPolicy": "Always"}]}, "init container a: a restart"),
        ({"initContainers": [{**INIT, "lifecycle": {"postStart": {}}}]}, "postStart is not"),
        ({"volumes": [{"name": "data", "hostPath": {}}]}, '"data" is of a type .* hostPath'),
        (mounting({"mountPath": "/a", "subPath": "b"}), "subPath of a mount is not supported"),
        (mounting({"mountPath": "/a"}, {"mountPath": "/a/b"}), "mountPath /a is not supported"),
        (mounting({"mountPath": "/"}), "mountPath / is not supported"),
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
