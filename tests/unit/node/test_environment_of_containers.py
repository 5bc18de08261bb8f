import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traderx_embedded.kubernetes.node import environment, pod, quantity
from traderx_embedded.kubernetes.node.environment import Placement, Reference, SourceError

PLACEMENT = Placement(
    node_name="embedded",
    pod_ip="10.244.0.2",
    host_ip="127.0.0.1",
    allocatable={"cpu": "2", "memory": "1Gi"},
)


def parsed(**container: object) -> pod.Pod:
    metadata = {"uid": "1", "namespace": "ns", "name": "web", "creationTimestamp": "now"}
    spec = {"containers": [{"name": "main", "image": "any", **container}]}
    return pod.parse({"metadata": metadata, "spec": spec})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$(A)$(A)", "11"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(NONE)", "$(NONE)"),
        ("$(A", "$(A"),
        ("$A", "$A"),
        ("$()", "$()"),
        ("100$", "100$"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    """References are expanded as Kubernetes does, and everything else is left as it is."""
    assert environment.expand(text, {"A": "1"}) == expected


@settings(deadline=None)
@given(st.text(alphabet="ab$()A"))
def test_doubled_dollars_are_literal(text: str) -> None:
    """A text whose dollars are all doubled comes out as it was."""
    assert environment.expand(text.replace("$", "$$"), {"A": "1"}) == text


def test_limit_defaults_to_the_node() -> None:
    """A limit that is not set is what the node can give."""
    reference = {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}
    told = parsed(env=[{"name": "MEMORY", "valueFrom": reference}])
    assert environment.build(told, PLACEMENT, {}, {}) == {"MEMORY": "1024"}


def test_missing_key_is_named() -> None:
    """A key that a config map does not have is an error that names both."""
    reference = {"configMapKeyRef": {"name": "settings", "key": "absent"}}
    told = parsed(env=[{"name": "A", "valueFrom": reference}])
    sources = {Reference(kind="ConfigMap", name="settings"): {"present": "1"}}
    with pytest.raises(SourceError, match="couldn't find key absent in ConfigMap ns/settings"):
        environment.build(told, PLACEMENT, {}, sources)


def test_every_reference_is_fetched() -> None:
    """All config maps and secrets of a container are known before it starts."""
    told = parsed(
        env=[
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "a"}}},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "two", "key": "a"}}},
        ],
        envFrom=[{"configMapRef": {"name": "three"}}, {"secretRef": {"name": "four"}}],
    )
    assert environment.references(told.container) == {
        Reference(kind="Secret", name="one"),
        Reference(kind="ConfigMap", name="two"),
        Reference(kind="ConfigMap", name="three"),
        Reference(kind="Secret", name="four"),
    }


@pytest.mark.parametrize(
    ("text", "divisor", "expected"),
    [
        ("64Mi", "1Mi", 64),
        ("500m", "1", 1),
        ("500m", "1m", 500),
        ("1k", "0", 1000),
        ("2", "1m", 2000),
    ],
)
def test_quantities_are_divided_and_rounded_up(text: str, divisor: str, expected: int) -> None:
    """The downward API divides a quantity and rounds up."""
    assert quantity.divide(text, divisor) == expected
