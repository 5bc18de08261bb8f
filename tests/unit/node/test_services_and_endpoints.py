import pytest

from traderx_embedded.kubernetes.node import service
from traderx_embedded.kubernetes.node.addresses import AddressPool, Networks
from traderx_embedded.kubernetes.node.service import Endpoint

NETWORKS = Networks(pod="10.244", service="127.96", private="127.200")


def endpoint(**conditions: bool) -> Endpoint:
    item = {"addresses": ["10.244.0.2"], "conditions": conditions}
    metadata = {"namespace": "ns", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}
    return service.parse_slice({"metadata": metadata, "endpoints": [item]}).endpoints[0]


READY = endpoint(ready=True, serving=True, terminating=False)
UNREADY = endpoint(ready=False, serving=False, terminating=False)
ENDING = endpoint(ready=False, serving=True, terminating=True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([READY, UNREADY, ENDING], [READY], id="ready-only"),
        pytest.param([UNREADY, ENDING], [ENDING], id="else-those-that-end"),
        pytest.param([UNREADY], [], id="never-unready"),
    ],
)
def test_who_gets_traffic(given: list[Endpoint], expected: list[Endpoint]) -> None:
    """Traffic goes to ready endpoints; with none, to those that still serve while they end."""
    assert service.usable(given) == expected


def test_unknown_readiness_counts_as_ready() -> None:
    """An endpoint without conditions is ready, as the API says it is to be read."""
    assert endpoint().ready


def test_each_port_is_linked() -> None:
    """A service with several ports is linked by the first, by name, and by number."""
    ports = [{"name": "tcp", "port": 18082}, {"name": "web-console", "port": 18084}]
    spec = {"clusterIP": "127.96.0.9", "ports": ports}
    told = service.parse_service({"metadata": {"namespace": "ns", "name": "the-db"}, "spec": spec})
    assert service.link_variables(told) == {
        "THE_DB_SERVICE_HOST": "127.96.0.9",
        "THE_DB_SERVICE_PORT": "18082",
        "THE_DB_SERVICE_PORT_TCP": "18082",
        "THE_DB_SERVICE_PORT_WEB_CONSOLE": "18084",
        "THE_DB_PORT": "tcp://127.96.0.9:18082",
        "THE_DB_PORT_18082_TCP": "tcp://127.96.0.9:18082",
        "THE_DB_PORT_18082_TCP_PROTO": "tcp",
        "THE_DB_PORT_18082_TCP_PORT": "18082",
        "THE_DB_PORT_18082_TCP_ADDR": "127.96.0.9",
        "THE_DB_PORT_18084_TCP": "tcp://127.96.0.9:18084",
        "THE_DB_PORT_18084_TCP_PROTO": "tcp",
        "THE_DB_PORT_18084_TCP_PORT": "18084",
        "THE_DB_PORT_18084_TCP_ADDR": "127.96.0.9",
    }


def test_one_pod_has_three_addresses() -> None:
    """A shown address, where the node accepts for it, and where the process binds, differ."""
    assert NETWORKS.reach("10.244.3.4") == "127.244.3.4"
    assert NETWORKS.private_of("10.244.3.4") == "127.200.3.4"


def test_addresses_are_handed_out_once() -> None:
    """No two pods have one address, and a freed one is not taken by the next pod."""
    pool = AddressPool(NETWORKS)
    found = [pool.allocate(str(number)) for number in range(600)]
    pool.release(found[-1], "599")
    assert len({*found, pool.allocate("next")}) == 601


def test_reserved_address_stays_with_its_pod() -> None:
    """An address that a pod had before belongs to it, and to no other."""
    pool = AddressPool(NETWORKS)
    assert pool.reserve("10.244.0.2", "old")
    assert not pool.reserve("10.244.0.2", "thief")
    assert pool.allocate("new") != "10.244.0.2"
    assert not pool.reserve("10.9.0.2", "stranger")
