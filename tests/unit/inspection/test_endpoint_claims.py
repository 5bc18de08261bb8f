from typing import Any

import pytest

from traderx_gate.inspection import endpoints

Json = dict[str, Any]


def pod(name: str, ip: str, *, ready: str = "True", **metadata: Any) -> Json:
    """A pod of the application."""
    return {
        "metadata": {"name": name, "labels": {"app": "web"}, **metadata},
        "spec": {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 80}]}]},
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
    }


def service(target: int | str = 80, **port: Any) -> Json:
    """The Service of the application."""
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "selector": {"app": "web"},
            "ports": [{"port": 8080, "targetPort": target, **port}],
        },
    }


def slice_of(*addresses: str, port: int = 80, owner: str = "web", **endpoint: Any) -> Json:
    """An EndpointSlice, of the Service unless it says otherwise."""
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": owner}},
        "ports": [{"name": "", "port": port}],
        "endpoints": [{"addresses": [one], **endpoint} for one in addresses],
    }


PODS = [pod("web-1", "10.0.0.1"), pod("web-2", "10.0.0.2")]
BOTH = "10.0.0.1:80, 10.0.0.2:80"


def judged(body: Json, slices: list[Json], pods: list[Json]) -> list[tuple[str, str, str, bool]]:
    """Subject, expected, seen and met of a Service."""
    found = endpoints.of_service(body, slices, pods)
    return [(o.subject, o.expected, o.seen, o.met) for o in found]


@pytest.mark.parametrize(
    ("body", "slices"),
    [
        (service(), [slice_of("10.0.0.1", "10.0.0.2")]),
        (service("http"), [slice_of("10.0.0.1", "10.0.0.2")]),
        (service(), [slice_of("10.0.0.1"), slice_of("10.0.0.2", conditions={"ready": None})]),
        (service(), [slice_of("10.0.0.1", "10.0.0.2"), slice_of("10.9.9.9", owner="other")]),
        (
            service(),
            [slice_of("10.0.0.1", "10.0.0.2"), slice_of("10.0.0.3", conditions={"ready": False})],
        ),
    ],
    ids=["by number", "by name", "two slices", "of another Service too", "one not ready"],
)
def test_service_leads_to_the_ready_pods(body: Json, slices: list[Json]) -> None:
    """A Service that leads to exactly the ready pods is right, however its slices are cut."""
    said = f"the ready pods {BOTH}"
    assert judged(body, slices, PODS) == [("Service web, port 8080", said, said, True)]


@pytest.mark.parametrize(
    ("body", "slices", "pods", "expected", "seen"),
    [
        (service(), [slice_of("10.0.0.1")], PODS, BOTH, "10.0.0.1:80"),
        (
            service(),
            [slice_of("10.0.0.1", "10.0.0.2", "10.0.0.9")],
            PODS,
            BOTH,
            f"{BOTH}, 10.0.0.9:80",
        ),
        (
            service(),
            [slice_of("10.0.0.1", "10.0.0.2", port=81)],
            PODS,
            BOTH,
            "10.0.0.1:81, 10.0.0.2:81",
        ),
        (service(), [slice_of("10.0.0.1", "10.0.0.2", owner="other")], PODS, BOTH, "none"),
        (service(name="http"), [slice_of("10.0.0.1", "10.0.0.2")], PODS, BOTH, "none"),
        (
            service(),
            [slice_of("10.0.0.1", "10.0.0.2", conditions={"ready": False})],
            PODS,
            BOTH,
            "none",
        ),
        (service(), [], [], "none", "the ready pods none"),
        (service(), [slice_of("10.0.0.1")], [pod("a", "10.0.0.1", ready="False")], "none", None),
        (
            service(),
            [slice_of("10.0.0.1")],
            [pod("a", "10.0.0.1", deletionTimestamp="2026-11-24T12:00:00Z")],
            "none",
            None,
        ),
        (service(), [slice_of("10.0.0.1")], [pod("a", "")], "none", None),
        (
            service("grpc"),
            [slice_of("10.0.0.1")],
            [pod("a", "10.0.0.1")],
            "10.0.0.1:<no port named grpc>",
            None,
        ),
    ],
    ids=[
        "lacks one",
        "one too many",
        "other port",
        "of another Service",
        "port of another name",
        "none ready",
        "no pod at all",
        "pod not ready",
        "pod on its way out",
        "pod without address",
        "no such port",
    ],
)
def test_service_leads_astray(
    body: Json, slices: list[Json], pods: list[Json], expected: str, seen: str | None
) -> None:
    """A Service that leads elsewhere is told with where it does and where it should."""
    assert judged(body, slices, pods) == [
        ("Service web, port 8080", f"the ready pods {expected}", seen or "10.0.0.1:80", False)
    ]


def test_target_is_the_port_itself_where_none_is_given() -> None:
    """Without a target port a Service leads to the port of its own number."""
    body = service()
    body["spec"]["ports"] = [{"port": 80}]
    assert [met for *_, met in judged(body, [slice_of("10.0.0.1", "10.0.0.2")], PODS)] == [True]


def test_services_that_select_pods() -> None:
    """A Service selects pods that carry all of its labels; one without selector selects none."""
    named = [
        {"metadata": {"name": name}, "spec": {"selector": selector}}
        for name, selector in (
            ("z-right", {"app": "web"}),
            ("a-right", {"app": "web"}),
            ("more", {"app": "web", "tier": "front"}),
            ("other", {"app": "other"}),
            ("none", None),
        )
    ]
    assert endpoints.selecting(named, PODS) == ["a-right", "z-right"]
