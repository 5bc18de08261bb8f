"""Drift: differing, removed and added fields, with who made them."""

import copy
from typing import Any

from traderx_gate.kube.drift import FieldDrift, compare

CONFIGHUB_FIELDS: dict[str, Any] = {
    "f:spec": {
        "f:replicas": {},
        "f:template": {
            "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:image": {}}}}
        },
    }
}
BASE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "resourceVersion": "1",
        "managedFields": [
            {"manager": "confighub", "time": "2026-01-01", "fieldsV1": CONFIGHUB_FIELDS},
            {
                "manager": "kube-controller-manager",
                "subresource": "status",
                "time": "2026-01-03",
                "fieldsV1": {"f:metadata": {"f:annotations": {"f:revision": {}}}},
            },
        ],
        "annotations": {"revision": "1"},
    },
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}},
    },
    "status": {"replicas": 2},
}


def changed_by(manager: str, fields: dict[str, Any]) -> dict[str, Any]:
    live = copy.deepcopy(BASE)
    live["metadata"]["managedFields"].append(
        {"manager": manager, "time": "2026-01-02", "fieldsV1": fields}
    )
    return live


def drift_of(live: dict[str, Any]) -> tuple[FieldDrift, ...]:
    return compare(live, BASE, manager="confighub")


def test_equal_object_has_no_drift() -> None:
    """What only the server and its controllers write is no drift."""
    live = copy.deepcopy(BASE)
    live["metadata"] |= {"resourceVersion": "7", "generation": 3}
    live["status"] = {"replicas": 1}
    assert drift_of(live) == ()


def test_overwritten_field_names_its_manager() -> None:
    """A field that somebody overwrote is drift by them."""
    live = changed_by("kubectl", {"f:spec": {"f:replicas": {}}})
    live["spec"]["replicas"] = 1
    assert drift_of(live) == (
        FieldDrift(path="spec.replicas", expected="2", seen="1", by="kubectl"),
    )


def test_overwritten_field_of_a_list_item_is_named_by_its_key() -> None:
    """A container is named in the path, not counted."""
    fields: dict[str, Any] = {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}
    live = changed_by("kubectl-set", {"f:spec": {"f:template": {"f:spec": fields}}})
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
    (found,) = drift_of(live)
    assert (found.path, found.by) == ("spec.template.spec.containers[web].image", "kubectl-set")


def test_removed_field_is_drift_of_whoever_wrote_last() -> None:
    """A field that is gone belongs to nobody; the last writer is named."""
    live = changed_by("kubectl-edit", {"f:metadata": {"f:labels": {}}})
    del live["spec"]["replicas"]
    assert drift_of(live) == (
        FieldDrift(path="spec.replicas", expected="2", seen="absent", by="kubectl-edit"),
    )


def test_added_field_is_drift_though_an_apply_would_keep_it() -> None:
    """A field that somebody added is drift, also though a dry-run apply shows no difference."""
    fields: dict[str, Any] = {"f:containers": {'k:{"name":"web"}': {"f:env": {}}}}
    live = changed_by("kubectl-edit", {"f:spec": {"f:template": {"f:spec": fields}}})
    live["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    found = compare(live, live, manager="confighub")
    assert found == (
        FieldDrift(
            path="spec.template.spec.containers[web].env",
            expected="absent",
            seen='[{"name": "A", "value": "1"}]',
            by="kubectl-edit",
        ),
    )


def test_shared_field_of_the_same_value_is_no_drift() -> None:
    """A field that another manager applied with the unit's own value is no drift."""
    assert drift_of(changed_by("kubectl", {"f:spec": {"f:replicas": {}}})) == ()


def test_owner_of_an_empty_parent_added_nothing() -> None:
    """A manager that once applied an empty `spec` has not added what the unit put there."""
    assert drift_of(changed_by("somebody", {"f:spec": {}})) == ()
