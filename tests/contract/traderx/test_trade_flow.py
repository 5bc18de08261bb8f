from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.contract.traderx import recorded_answer, sql_statement, stack
from tests.contract.traderx.feed_client import connected
from tests.contract.traderx.recorded_answer import Record
from tests.contract.traderx.stack import PROCESSOR_PORT, Stack
from tests.contract.traderx.stand_in_process import switched

LAST = 10031
"""An account of the last order: all before it are settled when it is."""
SHORT_PINGS = {"TRADERX_PING_INTERVAL_MS": "200", "TRADERX_PING_TIMEOUT_MS": "200"}
READS = {record.id: record for record in recorded_answer.records("position-service")}


@pytest.fixture(scope="module")
def healthy() -> Iterator[Stack]:
    """All services of the trade flow, which stay up."""
    with stack.running(*stack.ALL) as services:
        yield services


@pytest.fixture
def fragile() -> Iterator[Stack]:
    """All services of the trade flow, of which a test may take some away."""
    with stack.running(*stack.ALL) as services:
        yield services


@pytest.fixture
def impatient() -> Iterator[Stack]:
    """The same with a feed that soon drops who does not answer its pings."""
    with stack.running(*stack.ALL, **SHORT_PINGS) as services:
        yield services


def differences(records: list[Record], services: Stack) -> list[str]:
    """Send records one after the other."""
    return [
        text
        for record in records
        for text in recorded_answer.difference(
            record, recorded_answer.send(record, services.address)
        )
    ]


def await_settled(services: Stack) -> None:
    """Return once all orders that the feed has carried so far are settled or lost."""
    with connected(services.address, f"/accounts/{LAST}/positions") as client:
        assert services.order({"accountId": LAST, "quantity": 1})[0] == 200
        client.await_(lambda: bool(client.of("Position")))


def booked(services: Stack, account: int) -> list[tuple[str, int]]:
    """Return state and quantity of an account's trades."""
    return [(trade["state"], trade["quantity"]) for trade in services.trades(account)]


def position(services: Stack, account: int) -> list[int]:
    """Return the quantities that an account holds, from the database itself."""
    sql = "select Quantity from Positions where AccountID=?"
    return [row[0] for row in sql_statement.run(services.address, sql, account)]


def buy(services: Stack, account: int, *quantities: int) -> None:
    """Order IBM one after the other; all are accepted."""
    for quantity in quantities:
        assert services.order({"accountId": account, "quantity": quantity})[0] == 200


def test_rows_after_all_orders(fragile: Stack) -> None:
    """All recorded orders, in their order, leave the recorded trades and positions."""
    orders = [r for r in recorded_answer.records("trade-service") if r.id.startswith("trade.")]
    reads = [record for name, record in READS.items() if ".after-orders." in name]
    assert differences(orders, fragile) == []
    await_settled(fragile)
    assert (len(reads), differences(reads, fragile)) == (4, [])


def test_booked_without_position_service(fragile: Stack) -> None:
    """Orders are booked while position-service is away, and shown when it is back (I15)."""
    fragile.accounts_until(65023)
    fragile["position-service"].stop()
    buy(fragile, 65023, 3)
    await_settled(fragile)
    fragile.start("position-service")
    assert differences([READS["outage.position-back.trades"]], fragile) == []


def test_booked_without_feed(fragile: Stack) -> None:
    """A direct order is booked without the feed, and position-service shows it."""
    fragile["trade-feed"].stop()
    order = {"accountId": 44044, "security": "AAPL", "quantity": 1}
    assert fragile.order(order, port=PROCESSOR_PORT)[0] == 200
    assert differences([READS["outage.feed-down.trades.44044"]], fragile) == []
    assert position(fragile, 44044) == [1]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "TradeOrder", "payload": {"quantity": 1, "unknown": 1}},
        {"type": "TradeOrder", "payload": {"quantity": 1, "side": "buy"}},
        {"type": "TradeOrder", "payload": {"quantity": "x"}},
        {"type": "TradeOrder", "payload": "no object"},
        {"type": "TradeOrder"},
        {"type": "tradeorder", "payload": {"quantity": 1}},
        {"payload": {"quantity": 1}},
    ],
)
def test_dropped_by_processor(message: dict[str, object], healthy: Stack) -> None:
    """What is no order on the feed is dropped, and the next order is booked."""
    account = healthy.new_account()
    payload = message.get("payload")
    if isinstance(payload, dict):
        message = {**message, "payload": {"accountId": account, "security": "IBM", **payload}}
    with connected(healthy.address) as client:
        client.emit("publish", {"topic": "/trades", **message})
        client.flush(client)
    buy(healthy, account, 2)
    await_settled(healthy)
    assert booked(healthy, account) == [("Settled", 2)]


def test_coerced_by_processor(healthy: Stack) -> None:
    """An order on the feed may have its quantity as a text, and any ticker."""
    account = healthy.new_account()
    payload = {"accountId": account, "security": "NOSUCH", "side": "Buy", "quantity": "8"}
    with connected(healthy.address) as client:
        client.publish("/trades", payload, type="TradeOrder")
        client.flush(client)
    await_settled(healthy)
    assert (booked(healthy, account), position(healthy, account)) == ([("Settled", 8)], [8])


PROCESSOR_DEFECTS = {
    "book-twice": ([("Settled", 5)] * 2, [10], [5, 10]),
    "book-wrong-quantity": ([("Settled", 6)], [6], [6]),
    "ignore-orders": ([], [], []),
    "never-settle": ([("New", 5)], [5], [5]),
    "position-unmoved": ([("Settled", 5)], [], [5]),
    "position-reversed": ([("Settled", 5)], [-5], [-5]),
    "publish-nothing": ([("Settled", 5)], [5], []),
}


@pytest.mark.parametrize("switch", PROCESSOR_DEFECTS)
def test_processor_defects(switch: str, healthy: Stack) -> None:
    """A defective trade-processor books, moves or says something else than was ordered."""
    account = healthy.new_account()
    with connected(healthy.address, f"/accounts/{account}/positions") as client:
        with switched(healthy["trade-processor"], switch):
            buy(healthy, account, 5)
            await_handled(healthy, account, 5)
        await_settled(healthy)
        client.flush(client)
        told = [payload["quantity"] for payload in client.payloads()]
    found = (booked(healthy, account), position(healthy, account), told)
    assert found == PROCESSOR_DEFECTS[switch]


def await_handled(services: Stack, account: int, quantity: int) -> None:
    """Return once trade-processor has done with an order of the feed."""
    order = f"'accountId': {account}, 'security': 'IBM', 'side': 'Buy', 'quantity': {quantity}"
    services.await_log("trade-processor", f"trade order handled: {{{order}")


def restart_feed(services: Stack) -> None:
    """Restart the feed, and return once the services are connected to it again."""
    services["trade-feed"].stop()
    services.await_log("trade-service", "socket disconnected")
    services.start("trade-feed")
    services.await_log("trade-service", "socket connected", times=2)
    services.await_log("trade-processor", "socket connected", times=6)


def test_repair_resubscribe(fragile: Stack) -> None:
    """Repaired, settlement goes on after a restart of the feed (I12)."""
    with switched(fragile["trade-processor"], "repair-resubscribe"):
        restart_feed(fragile)
        await_settled(fragile)
        buy(fragile, 22214, 5)
        await_settled(fragile)
    assert ("Settled", 5) in booked(fragile, 22214)


def test_repair_lost_orders(fragile: Stack) -> None:
    """Repaired, orders that come while trade-processor is away are settled later (I13)."""
    account = fragile.new_account()
    with switched(fragile["trade-feed"], "repair-lost-orders"):
        fragile["trade-processor"].stop()
        fragile.await_log("trade-feed", "closed: transport close", times=3)
        buy(fragile, account, 5, 6)
        fragile.start("trade-processor")
        await_settled(fragile)
    assert booked(fragile, account) == [("Settled", 5), ("Settled", 6)]


def test_overload(impatient: Stack) -> None:
    """A backlog that leaves the feed's pings unanswered ends settlement for good."""
    account = impatient.new_account()
    with switched(impatient["trade-processor"], "settle-slowly"):
        buy(impatient, account, 1, 2)
        impatient.await_log("trade-feed", "closed: ping timeout", times=3)
        await_handled(impatient, account, 2)
    impatient.await_log("trade-processor", "subscriber: socket connected", times=2)
    with connected(impatient.address, "/trades") as client:
        buy(impatient, account, 3)
        client.await_(lambda: bool(client.of("TradeOrder")))
    impatient.order({"accountId": LAST, "quantity": 1}, port=PROCESSOR_PORT)
    assert booked(impatient, account) == [("Settled", 1), ("Settled", 2)]


def test_repair_busy_pings(impatient: Stack) -> None:
    """Repaired, a backlog is worked off and settlement goes on."""
    account = impatient.new_account()
    processor = impatient["trade-processor"]
    with switched(processor, "repair-busy-pings"):
        with switched(processor, "settle-slowly"):
            buy(impatient, account, 1, 2)
            await_handled(impatient, account, 1)
        buy(impatient, account, 3)
        await_settled(impatient)
    assert booked(impatient, account) == [("Settled", 1), ("Settled", 2), ("Settled", 3)]


@pytest.mark.parametrize("fields", [{"security": None}, {"accountId": None}])
def test_repair_atomic(fields: dict[str, object], healthy: Stack) -> None:
    """Repaired, an order that fails leaves nothing behind (I5)."""
    count = "select count(*) from Trades"
    before = sql_statement.run(healthy.address, count)
    order = {"accountId": 22214, "quantity": 1, **fields}
    with switched(healthy["trade-processor"], "repair-atomic"):
        assert healthy.order(order, port=PROCESSOR_PORT)[0] == 500
    assert sql_statement.run(healthy.address, count) == before


def test_repaired_processor_books(healthy: Stack) -> None:
    """With all repairs on, orders are booked as ever."""
    account = healthy.new_account()
    with ExitStack() as repairs:
        for name in ("atomic", "duplicates", "busy-pings", "resubscribe"):
            repairs.enter_context(switched(healthy["trade-processor"], f"repair-{name}"))
        repairs.enter_context(switched(healthy["trade-service"], "repair-order-ids"))
        buy(healthy, account, 5, 6)
        await_settled(healthy)
    found = (booked(healthy, account), position(healthy, account))
    assert found == ([("Settled", 5), ("Settled", 6)], [11])


def test_repaired_processors_book_once(fragile: Stack) -> None:
    """Repaired, two trade-processors book every order once, and positions add up (I3, I4)."""
    account = fragile.new_account()
    port = {"TRADE_PROCESSOR_SERVICE_PORT": "18191"}
    with fragile.second("trade-processor", **port) as second, ExitStack() as repairs:
        repairs.enter_context(switched(fragile["trade-service"], "repair-order-ids"))
        for processor in (fragile["trade-processor"], second):
            for name in ("repair-atomic", "repair-duplicates"):
                repairs.enter_context(switched(processor, name))
        with connected(fragile.address, f"/accounts/{account}/positions") as client:
            buy(fragile, account, 1, 2, 3, 4)
            client.await_(lambda: len(client.of("Position")) == 4)
        await_settled(fragile)
    found = (sorted(booked(fragile, account)), position(fragile, account))
    assert found == ([("Settled", n) for n in (1, 2, 3, 4)], [10])


def test_losing_feed_is_seen(healthy: Stack) -> None:
    """A feed that loses settlements, with right bookings, is seen by who compares the two."""
    account = healthy.new_account()
    with (
        connected(healthy.address, f"/accounts/{account}/trades") as client,
        switched(healthy["trade-feed"], "lose-trades"),
    ):
        buy(healthy, account, 5)
        await_settled(healthy)
        client.flush(client)
        assert (client.payloads(), booked(healthy, account)) == ([], [("Settled", 5)])
