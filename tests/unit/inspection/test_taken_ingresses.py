from traderx_gate.inspection import ingress

STATUS = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ports": [{"port": 8080}]}]}}
SPEC = {
    "rules": [
        {
            "host": "a.localhost",
            "http": {
                "paths": [
                    {"path": "/", "backend": {"service": {"name": "web-gui"}}},
                    {"path": "/x(/|$)(.*)", "backend": {"service": {"name": "trade-feed"}}},
                    {"path": "/file", "backend": {"resource": {"kind": "Bucket", "name": "b"}}},
                ]
            },
        }
    ]
}


def test_taken_routes_say_where_they_are_reached() -> None:
    """Of an Ingress that was taken, each Service is reached at its address, below its prefix."""
    address = {"url": "http://127.0.0.1:8080", "host": "a.localhost"}
    assert list(ingress.taken([{"spec": SPEC, "status": STATUS}])) == [
        ingress.Route(**address, prefix="", service="web-gui"),
        ingress.Route(**address, prefix="/x", service="trade-feed"),
    ]


def test_port_80_where_none_is_told() -> None:
    """An address without a port is reached at port 80, a name as well as a number."""
    status = {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}
    (first, _) = ingress.taken([{"spec": SPEC, "status": status}])
    assert first.url == "http://lb.example:80"


def test_nothing_is_reached_before_a_controller_took_it() -> None:
    """An Ingress without an address has no route that could be asked."""
    assert (
        list(ingress.taken([{"spec": SPEC, "status": {"loadBalancer": {}}}, {"spec": SPEC}])) == []
    )


def test_promised_routes_are_those_of_the_units() -> None:
    """What is asked is what the units promise, wherever the live objects lead to."""
    unit = {"kind": "Ingress", "metadata": {"name": "a"}, "spec": SPEC}
    elsewhere = {"rules": [{"http": {"paths": [{"path": "/", "backend": {"service": {}}}]}}]}
    live = {"metadata": {"name": "a"}, "spec": elsewhere, "status": STATUS}
    found = list(ingress.promised([unit, {"kind": "Namespace"}], [live]))
    assert [route.service for route in found] == ["web-gui", "trade-feed"]
    assert {route.url for route in found} == {"http://127.0.0.1:8080"}


def test_promised_route_that_no_controller_took_is_told() -> None:
    """A route of the units whose object is absent has no address, and is not passed over."""
    unit = {"kind": "Ingress", "metadata": {"name": "a"}, "spec": SPEC}
    assert [route.url for route in ingress.promised([unit], [])] == ["", ""]
