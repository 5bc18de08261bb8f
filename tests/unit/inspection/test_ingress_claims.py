from typing import Any

import pytest

from traderx_gate.inspection import ingress

Json = dict[str, Any]


def routed(port: Json, *, backend: str = "web", **path: str) -> Json:
    """An Ingress of one path."""
    leads = {"backend": {"service": {"name": backend, "port": port}}, **path}
    return {
        "metadata": {"name": "front", "namespace": "shop"},
        "spec": {"rules": [{"host": "shop.local", "http": {"paths": [leads]}}]},
    }


def slice_of(owner: str = "web", **endpoint: Any) -> Json:
    """An EndpointSlice of one endpoint."""
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": owner}},
        "endpoints": [{"addresses": ["10.0.0.1"], **endpoint}],
    }


SERVICE: Json = {
    "metadata": {"name": "web"},
    "spec": {"ports": [{"port": 80, "name": "http"}, {"port": 81}]},
}
NOT_READY = slice_of(conditions={"ready": False})


@pytest.mark.parametrize("port", [{"number": 80}, {"name": "http"}, {"number": 81}])
@pytest.mark.parametrize("conditions", [{"ready": True}, {"ready": None}, None])
def test_route_leads_to_ready_pods(port: Json, conditions: Json | None) -> None:
    """A route to a port of a Service with a ready pod is right, by the port's number or name."""
    slices = [NOT_READY, slice_of(conditions=conditions)]
    (found,) = ingress.routes([routed(port, path="/")], [SERVICE], slices)
    said = f"web:{next(iter(port.values()))}, with ready pods"
    assert (found.subject, found.expected, found.seen, found.met) == (
        "Ingress front, shop.local/",
        said,
        said,
        True,
    )


@pytest.mark.parametrize(
    ("body", "slices", "seen"),
    [
        (routed({"number": 80}, backend="gone"), [slice_of("gone")], "there is no Service gone"),
        (routed({"number": 82}), [slice_of()], "Service web has no port 82"),
        (routed({"name": "https"}), [slice_of()], "Service web has no port https"),
        (routed({"number": 80}), [], "Service web has no ready pod"),
        (routed({"number": 80}), [NOT_READY], "Service web has no ready pod"),
        (routed({"number": 80}), [slice_of("other")], "Service web has no ready pod"),
    ],
)
def test_route_leads_nowhere(body: Json, slices: list[Json], seen: str) -> None:
    """A route to no Service, no port of it, or no ready pod is told with what is missing."""
    (found,) = ingress.routes([body], [SERVICE], slices)
    assert (found.subject, found.seen, found.met) == ("Ingress front, shop.local/", seen, False)


def test_route_that_leads_to_no_service() -> None:
    """A route to something that is no Service is told, and does not hide the other routes."""
    body = routed({"number": 80}, path="/api")
    leads = {"path": "/files", "backend": {"resource": {"kind": "Bucket", "name": "files"}}}
    body["spec"]["rules"][0]["http"]["paths"].insert(0, leads)
    first, second = ingress.routes([body], [SERVICE], [slice_of()])
    assert (first.subject, first.expected, first.seen, first.met) == (
        "Ingress front, shop.local/files",
        "a Service, with ready pods",
        "leads to Bucket files, which is no Service",
        False,
    )
    assert (second.subject, second.met) == ("Ingress front, shop.local/api", True)


def test_every_path_of_every_ingress() -> None:
    """Each path is told of, those of a rule without host for all hosts."""
    body = routed({"number": 80}, path="/a")
    rule = body["spec"]["rules"][0]
    rule["http"]["paths"] *= 2
    other = {"metadata": body["metadata"], "spec": {"rules": [{"http": rule["http"]}]}}
    empty = {"metadata": body["metadata"], "spec": {"rules": [{"host": "x"}]}}
    found = ingress.routes([body, other, empty], [SERVICE], [slice_of()])
    assert [o.subject for o in found] == ["Ingress front, shop.local/a"] * 2 + [
        "Ingress front, */a"
    ] * 2
