from collections.abc import Iterator

import pytest

from tests.contract.traderx import recorded_answer, stack
from tests.contract.traderx.feed_client import FeedClient, connected
from tests.contract.traderx.recorded_answer import Record
from tests.contract.traderx.stack import Stack
from tests.contract.traderx.stand_in_process import switched

ACCOUNT = 22214
PATIENCE_S = 1.0
"""How long a client waits for a service that hangs; the recorded one waited 5 s."""
RECORDS = {record.id: record for record in recorded_answer.records("trade-service")}
PLAIN = [
    pytest.param(record, id=name)
    for name, record in RECORDS.items()
    if not name.startswith(("outage.", "start."))
]


@pytest.fixture(scope="module")
def healthy() -> Iterator[Stack]:
    """A trade-service with all that it needs, which stays up."""
    with stack.running(*stack.ORDERS_TAKEN) as services:
        yield services


@pytest.fixture
def fragile() -> Iterator[Stack]:
    """A trade-service whose peers a test may take away."""
    with stack.running(*stack.ORDERS_TAKEN) as services:
        yield services


@pytest.fixture
def orders(healthy: Stack) -> Iterator[FeedClient]:
    """A client that hears every order."""
    with connected(healthy.address, "/trades") as client:
        yield client


def of(outage: str) -> list[Record]:
    """The records of one outage, in the order of the file."""
    found = [record for name, record in RECORDS.items() if name.startswith(f"{outage}.")]
    assert found, outage
    return found


def differences(records: list[Record], services: Stack, **how: float) -> list[str]:
    """Send records one after the other."""
    return [
        text
        for record in records
        for text in recorded_answer.difference(
            record, recorded_answer.send(record, services.address, **how)
        )
    ]


def heard(client: FeedClient, services: Stack) -> list[object]:
    """Return the orders that have come, once a last one of quantity 1000 has."""
    services.order({"accountId": ACCOUNT, "quantity": 1000})
    client.await_(lambda: any(p["quantity"] >= 1000 for p in client.payloads()))
    return [payload for payload in client.payloads() if payload["quantity"] < 1000]


@pytest.mark.parametrize("record", PLAIN)
def test_recorded(record: Record, healthy: Stack) -> None:
    """The stand-in of trade-service answers as the real one did."""
    assert differences([record], healthy) == []


def test_message(healthy: Stack, orders: FeedClient) -> None:
    """An accepted order goes to the feed once, without what it leaves out."""
    healthy.order({"accountId": ACCOUNT, "quantity": "7", "state": "New", "foo": 1})
    orders.await_(lambda: bool(orders.of("TradeOrder")))
    (message,) = orders.of("TradeOrder")
    payload = {
        "accountId": ACCOUNT,
        "security": "IBM",
        "side": "Buy",
        "quantity": 7,
        "state": "New",
    }
    assert (list(message["payload"].items()), message["topic"]) == (
        list(payload.items()),
        "/trades",
    )


def test_refused_is_not_published(healthy: Stack, orders: FeedClient) -> None:
    """What is refused never reaches the feed (I2)."""
    bad: list[dict[str, object]] = [
        {"accountId": 1},
        {"security": "BADTICKER"},
        {"side": "buy"},
        {"accountId": None},
    ]
    statuses = [healthy.order({"accountId": ACCOUNT, "quantity": 1, **f})[0] for f in bad]
    assert (statuses, heard(orders, healthy)) == ([404, 404, 400, 500], [])


def test_not_acceptable_is_not_published(healthy: Stack, orders: FeedClient) -> None:
    """An order whose answer nobody would read is not taken at all."""
    recorded_answer.send(RECORDS["trade.buy.accept-xml"], healthy.address)
    assert heard(orders, healthy) == []


def test_people_down(fragile: Stack) -> None:
    """Without people-service orders are taken."""
    assert differences(of("outage.people-down"), fragile) == []


def test_position_down(fragile: Stack) -> None:
    """Without position-service orders are taken."""
    fragile.accounts_until(65023)
    assert differences(of("outage.position-down"), fragile) == []


def test_reference_data_down(fragile: Stack) -> None:
    """Without reference-data nobody can say whether a ticker is known."""
    fragile["reference-data"].stop()
    assert differences(of("outage.refdata-down"), fragile) == []
    fragile.start("reference-data")
    assert differences(of("outage.refdata-back"), fragile) == []


def test_reference_data_hung(fragile: Stack) -> None:
    """While reference-data hangs, so does an order, and other routes answer."""
    with fragile.paused("reference-data"):
        found = differences(of("outage.refdata-hung"), fragile, timeout_s=PATIENCE_S)
    assert found == []


def test_account_service_down(fragile: Stack) -> None:
    """Without account-service a ticker can still be found unknown."""
    fragile["account-service"].stop()
    assert differences(of("outage.account-down"), fragile) == []
    fragile.start("account-service")
    assert differences(of("outage.account-back"), fragile) == []


def test_account_service_hung(fragile: Stack) -> None:
    """While account-service hangs, so does an order of a known ticker."""
    with fragile.paused("account-service"):
        found = differences(of("outage.account-hung"), fragile, timeout_s=PATIENCE_S)
    assert found == []


def test_database_down(fragile: Stack) -> None:
    """Without the database, which it does not use, an order fails with account-service."""
    fragile["database"].stop()
    assert differences(of("outage.db-down"), fragile) == []
    fragile.start("database")
    assert differences(of("outage.db-back"), fragile) == []


def test_database_hung(fragile: Stack) -> None:
    """While the database hangs, so does an order."""
    assert fragile.order({"accountId": ACCOUNT, "quantity": 1})[0] == 200
    with fragile.paused("database"):
        found = differences(of("outage.db-hung"), fragile, timeout_s=PATIENCE_S)
    assert found == []


def test_feed_down(fragile: Stack) -> None:
    """Without the feed an order is refused after all checks; the connection comes back alone."""
    fragile["trade-feed"].stop()
    fragile.await_log("trade-service", "socket disconnected")
    assert differences(of("outage.feed-down"), fragile) == []
    fragile.start("trade-feed")
    fragile.await_log("trade-service", "socket connected", times=2)
    assert differences(of("outage.feed-back"), fragile) == []


def test_feed_crashed(fragile: Stack) -> None:
    """An empty publish event, which kills the feed, stops trading."""
    with connected(fragile.address) as client:
        client.emit("publish")
        assert fragile["trade-feed"].await_exit() == 1
    fragile.await_log("trade-service", "socket disconnected")
    assert differences(of("outage.feed-crashed"), fragile) == []


@pytest.mark.parametrize(
    ("start", "names"),
    [
        ("alone", ("trade-service",)),
        ("nofeed", ("database", "reference-data", "account-service", "trade-service")),
    ],
)
def test_starts_without(start: str, names: tuple[str, ...]) -> None:
    """It starts with nothing else up, and refuses orders."""
    with stack.running(*names) as services:
        assert differences(of(f"start.{start}"), services) == []


def test_every_outage_is_replayed() -> None:
    """There is no recorded outage beside those of this module."""
    recorded = {name.split(".")[1] for name in RECORDS if name.startswith(("outage.", "start."))}
    assert recorded == {
        *("people-down", "position-down", "refdata-down", "refdata-back", "refdata-hung"),
        *("account-down", "account-back", "account-hung", "db-down", "db-back", "db-hung"),
        *("feed-down", "feed-back", "feed-crashed", "alone", "nofeed"),
    }


def test_hung_feed_is_noticed() -> None:
    """A feed that is silent for longer than its pings allow is taken to be down."""
    pings = {"TRADERX_PING_INTERVAL_MS": "100", "TRADERX_PING_TIMEOUT_MS": "100"}
    with stack.running(*stack.ORDERS_TAKEN, **pings) as services:
        with services.paused("trade-feed"):
            services.await_log("trade-service", "ping timeout")
            status = services.order({"accountId": ACCOUNT, "quantity": 1})[0]
        assert status == 500


def test_orders_reach_a_feed_that_was_paused(fragile: Stack) -> None:
    """Orders accepted during a short pause of the feed are delivered after it."""
    with connected(fragile.address, "/trades") as client:
        with fragile.paused("trade-feed"):
            statuses = [fragile.order({"accountId": ACCOUNT, "quantity": n})[0] for n in (1, 2, 3)]
        client.await_(lambda: len(client.payloads()) == 3)
        assert statuses == [200] * 3


@pytest.mark.parametrize(
    ("switch", "fields", "expected"),
    [
        ("accept-unknown", {"security": "BADTICKER"}, (200, [1])),
        ("accept-unknown", {"accountId": 1}, (200, [1])),
        ("publish-nothing", {}, (200, [])),
        ("publish-twice", {}, (200, [1, 1])),
        ("publish-wrong-quantity", {}, (200, [2])),
        ("repair-validation", {"quantity": 0}, (400, [])),
        ("repair-validation", {"quantity": None}, (400, [])),
        ("repair-validation", {"side": None}, (400, [])),
        ("repair-validation", {}, (200, [1])),
        ("repair-tickers", {"security": "IBM/"}, (404, [])),
        ("repair-tickers", {"security": "IBM?x=1"}, (404, [])),
        ("repair-tickers", {"security": " "}, (404, [])),
        ("repair-tickers", {"security": "BRK.B"}, (200, [1])),
    ],
)
def test_switches(
    switch: str,
    fields: dict[str, object],
    expected: tuple[int, list[int]],
    healthy: Stack,
    orders: FeedClient,
) -> None:
    """Defects and repairs change what is accepted, and what reaches the feed."""
    with switched(healthy["trade-service"], switch):
        answer, _ = healthy.order({"accountId": ACCOUNT, "quantity": 1, **fields})
    seen = [p["quantity"] for p in heard(orders, healthy) if isinstance(p, dict)]
    assert (answer, seen) == expected


def test_repair_hanging(fragile: Stack) -> None:
    """Repaired, an order does not hang with its peer."""
    with switched(fragile["trade-service"], "repair-hanging"), fragile.paused("reference-data"):
        assert fragile.order({"accountId": ACCOUNT, "quantity": 1})[0] == 500
