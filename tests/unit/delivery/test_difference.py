"""Differences of units, by path, and where a promotion would meet overrides."""

import copy
from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from traderx_gate.delivery import difference
from traderx_gate.errors import ConfigurationError

WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "traderx-dev"},
    "spec": {
        "replicas": 1,
        "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}},
    },
}


def unit(*, replicas: int = 1, image: str = "web:1", namespace: str = "traderx-dev") -> bytes:
    body = copy.deepcopy(WEB)
    body["metadata"]["namespace"] = namespace
    body["spec"]["replicas"] = replicas
    body["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return yaml.safe_dump(body).encode()


def test_values_are_told_by_path() -> None:
    """A value that differs is told by its object, its path, and both values."""
    (change,) = difference.changes(unit(), unit(image="web:2"), source="u")
    path = "Deployment web: spec.template.spec.containers[web].image"
    assert str(change) == f"{path}: web:1 -> web:2"


def test_added_and_removed_are_told() -> None:
    """What is there on one side alone is absent on the other."""
    without = copy.deepcopy(WEB)
    del without["spec"]["replicas"]
    (change,) = difference.changes(yaml.safe_dump(without).encode(), unit(), source="u")
    assert (change.old, change.new) == (difference.ABSENT, "1")


def test_override_meets_a_change() -> None:
    """A change of the source at a value that the target has its own of is a conflict."""
    ours = unit(replicas=3, namespace="traderx-staging")
    (conflict,) = difference.conflicts(unit(), unit(replicas=2), ours, source="u")
    assert (conflict.path, conflict.old, conflict.new) == (
        "Deployment web: spec.replicas",
        "3",
        "2",
    )


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (unit(image="web:2"), unit(replicas=3)),
        (unit(replicas=3), unit(replicas=3)),
        (unit(), unit(replicas=3)),
    ],
    ids=["elsewhere", "the same", "no change"],
)
def test_other_overrides_are_no_conflict(theirs: bytes, ours: bytes) -> None:
    """An override at another path, of the same value, or without a change meets nothing."""
    assert difference.conflicts(unit(), theirs, ours, source="u") == ()


@given(st.integers(0, 3), st.integers(0, 3), st.sampled_from(["web:1", "web:2"]))
def test_no_difference_is_no_change(one: int, two: int, image: str) -> None:
    """Two states have a change exactly where they differ; backwards it is the opposite."""
    old, new = unit(replicas=one, image=image), unit(replicas=two, image=image)
    there = difference.changes(old, new, source="u")
    back = difference.changes(new, old, source="u")
    assert bool(there) == (one != two)
    assert [(c.path, c.new, c.old) for c in there] == [(c.path, c.old, c.new) for c in back]


@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
def test_changes_add_up(one: int, two: int, three: int) -> None:
    """Two changes after one another come to the change from the first state to the last."""
    states = [unit(replicas=number) for number in (one, two, three)]
    steps = [difference.changes(a, b, source="u") for a, b in pairwise(states)]
    whole = difference.changes(states[0], states[-1], source="u")
    assert difference.one_after_another(*steps) == whole


def test_namespace_is_the_same_object_everywhere() -> None:
    """Namespaces of two environments are compared, though their names differ."""
    dev = b"apiVersion: v1\nkind: Namespace\nmetadata: {name: traderx-dev, labels: {a: x}}\n"
    staging = dev.replace(b"traderx-dev", b"traderx-staging").replace(b"a: x", b"a: y")
    paths = [c.path for c in difference.changes(dev, staging, source="u")]
    assert paths == ["Namespace: metadata.name", "Namespace: metadata.labels.a"]


def test_what_is_no_unit_is_refused() -> None:
    """Data that holds no objects is refused with the unit's name."""
    with pytest.raises(ConfigurationError, match="web-deployment"):
        difference.changes(b"[1, 2", unit(), source="web-deployment")
