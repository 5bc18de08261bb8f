"""Drift: differing, removed and added fields, with who made them."""

import copy
import json
from typing import Any

import pytest

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


@pytest.mark.parametrize(("alias", "drifts"), [("mine", False), ("default", True)])
def test_old_name_of_a_field_is_drift_only_with_another_value(alias: str, *, drifts: bool) -> None:
    """Who once set serviceAccount owns it for good; it says what serviceAccountName says."""
    live = changed_by(
        "kubectl-set", {"f:spec": {"f:template": {"f:spec": {"f:serviceAccount": {}}}}}
    )
    live["spec"]["template"]["spec"] |= {"serviceAccountName": "mine", "serviceAccount": alias}
    live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:template"]["f:spec"] |= {
        "f:serviceAccountName": {}
    }
    assert bool(compare(live, live, manager="confighub")) is drifts


def test_owner_of_an_empty_parent_added_nothing() -> None:
    """A manager that once applied an empty `spec` has not added what the unit put there."""
    assert drift_of(changed_by("somebody", {"f:spec": {}})) == ()


PORTS: dict[str, Any] = {
    "f:spec": {
        "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}}},
    }
}
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "web",
        "finalizers": ["ours"],
        "managedFields": [
            {
                "manager": "confighub",
                "time": "2026-01-01",
                "fieldsV1": {**PORTS, "f:metadata": {"f:finalizers": {'v:"ours"': {}}}},
            }
        ],
    },
    "spec": {
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        "externalIPs": ["10.0.0.1", "10.0.0.2"],
    },
}


def service_changed_by(*entries: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    live = copy.deepcopy(SERVICE)
    live["metadata"]["managedFields"] += [
        {"manager": manager, "time": time, "fieldsV1": fields} for manager, time, fields in entries
    ]
    return live


def test_member_added_to_a_set_is_drift() -> None:
    """A member that somebody added to a set of scalars is drift; the unit's own member is none."""
    fields: dict[str, Any] = {"f:metadata": {"f:finalizers": {'v:"ours"': {}, 'v:"theirs"': {}}}}
    live = service_changed_by(("kubectl-edit", "2026-01-02", fields))
    live["metadata"]["finalizers"] = ["ours", "theirs"]
    assert compare(live, live, manager="confighub") == (
        FieldDrift(
            path="metadata.finalizers[1]", expected="absent", seen='"theirs"', by="kubectl-edit"
        ),
    )


def test_member_that_is_gone_again_is_no_drift() -> None:
    """A set's member that a manager once owned and that is not there any more is no drift."""
    fields: dict[str, Any] = {"f:metadata": {"f:finalizers": {'v:"theirs"': {}}}}
    live = service_changed_by(("kubectl-edit", "2026-01-02", fields))
    assert compare(live, live, manager="confighub") == ()


def test_field_added_to_a_port_is_drift() -> None:
    """A field added to a port, which the API names by its number, is drift by the port's name."""
    fields: dict[str, Any] = {
        "f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:appProtocol": {}}}}
    }
    live = service_changed_by(("kubectl-edit", "2026-01-02", fields))
    live["spec"]["ports"][0]["appProtocol"] = "h2c"
    (found,) = compare(live, live, manager="confighub")
    assert (found.path, found.by) == ("spec.ports[http].appProtocol", "kubectl-edit")


def test_field_overwritten_in_a_port_names_its_manager() -> None:
    """Of two managers, the one that owns the port's field changed it, not who wrote last."""
    port: dict[str, Any] = {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:targetPort": {}}}}
    live = service_changed_by(
        ("kubectl-edit", "2026-01-02", {"f:spec": port}),
        ("kubectl-label", "2026-01-03", {"f:metadata": {"f:labels": {}}}),
    )
    live["spec"]["ports"][0]["targetPort"] = 9090
    (found,) = compare(live, SERVICE, manager="confighub")
    assert (found.path, found.by) == ("spec.ports[http].targetPort", "kubectl-edit")


@pytest.mark.parametrize(
    "other", [{"a": 1}, "10.0.0.1", 7, None], ids=["mapping", "text", "number", "null"]
)
def test_list_that_became_something_else_is_one_drift(other: object) -> None:
    """A list in whose place something else is, or the reverse, is one difference as a whole."""
    changed = copy.deepcopy(SERVICE)
    changed["spec"]["externalIPs"] = other
    for live, applied in ((changed, SERVICE), (SERVICE, changed)):
        (found,) = compare(live, applied, manager="confighub")
        assert (found.path, found.expected, found.seen) == (
            "spec.externalIPs",
            json.dumps(applied["spec"]["externalIPs"]),
            json.dumps(live["spec"]["externalIPs"]),
        )


def test_mapping_that_became_something_else_is_one_drift() -> None:
    """A mapping in whose place a scalar is, or the reverse, is one difference as a whole."""
    changed = {**copy.deepcopy(SERVICE), "spec": "gone"}
    for live, applied in ((changed, SERVICE), (SERVICE, changed)):
        (found,) = compare(live, applied, manager="confighub")
        assert (found.path, found.seen) == ("spec", json.dumps(live["spec"], sort_keys=True))


def test_order_of_scalars_counts() -> None:
    """A list of scalars in another order differs in every place; a shorter one in what it lacks."""
    swapped, shorter = copy.deepcopy(SERVICE), copy.deepcopy(SERVICE)
    swapped["spec"]["externalIPs"].reverse()
    del shorter["spec"]["externalIPs"][1]
    paths = [[f.path for f in compare(x, SERVICE, manager="confighub")] for x in (swapped, shorter)]
    assert paths == [["spec.externalIPs[0]", "spec.externalIPs[1]"], ["spec.externalIPs[1]"]]


def test_items_of_the_same_name_are_counted() -> None:
    """Items that their names do not tell apart are named by their places, so none is lost."""
    twins, one = copy.deepcopy(SERVICE), copy.deepcopy(SERVICE)
    port = {"name": "http", "port": 80, "targetPort": 8080}
    twins["spec"]["ports"] = [port, {**port, "targetPort": 9090}]
    one["spec"]["ports"] = [port, port]
    (found,) = compare(twins, one, manager="confighub")
    assert found.path == "spec.ports[1].targetPort"
