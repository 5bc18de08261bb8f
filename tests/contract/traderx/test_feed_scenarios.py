from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.contract.traderx import recorded_answer, scenario, stack
from tests.contract.traderx.feed_client import FeedClient, connected
from tests.contract.traderx.scenario import Scenario
from tests.contract.traderx.stack import PROCESSOR_PORT, Stack

SEEDED = 22214
SHORT_PINGS = {
    "TRADERX_PING_INTERVAL_MS": "300",
    "TRADERX_PING_TIMEOUT_MS": "300",
    # Longer than a booking takes, as in the recording.
    "TRADERX_RECONNECT_DELAY_MS": "1000",
}
REPLAYED = {
    "one order",
    "ten orders",
    "ten orders at once",
    "bad orders",
    "order posted to trade-processor",
    "late joiner and unsubscribe",
    "feed restart",
    "processor restart",
    "two processors",
    "trade-processor paused 3 s",
    "trade-feed paused 3 s",
    "trade-processor paused 60 s",
    "trade-feed paused 60 s",
    "order on a seeded position",
}


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
    """The same with a feed that drops silent clients after half a second."""
    with stack.running(*stack.ALL, **SHORT_PINGS) as services:
        yield services


def buy(services: Stack, account: int, *quantities: int) -> list[int]:
    """Order IBM one after the other and return the statuses."""
    orders = ({"accountId": account, "quantity": quantity} for quantity in quantities)
    return [services.order(order)[0] for order in orders]


def await_trades(client: FeedClient, number: int) -> None:
    """Return once so many Trade messages have come."""
    client.await_(lambda: len(client.of("Trade")) == number)


def quantities_booked(services: Stack, account: int) -> list[int]:
    """Return the quantities of an account's settled trades."""
    return [trade["quantity"] for trade in services.trades(account) if trade["state"] == "Settled"]


def assert_as_recorded(
    told: Scenario, clients: list[FeedClient], services: Stack, *, notices: bool = True
) -> None:
    """Observers and database show what was recorded."""
    scenario.await_as_many(clients, told)
    observers = [scenario.seen(client, notices=notices) for client in clients]
    assert observers == [told.expected(i, notices=notices) for i in range(len(clients))]
    assert scenario.booked(services, told.account) == (told.trades, told.positions)


def test_every_scenario_is_replayed() -> None:
    """There is no recorded scenario beside those of this module."""
    assert {s["scenario"] for s in scenario.recorded()} == REPLAYED


def test_one_order(healthy: Stack) -> None:
    """One order is a TradeOrder, one settled Trade and one Position on the feed."""
    told = Scenario.load("one order", account=healthy.new_account())
    with scenario.observed(healthy, told.account) as clients:
        answer = healthy.order({"accountId": told.account, "quantity": 100})
        assert answer == (200, told.bodies()[0])
        assert_as_recorded(told, clients, healthy)


def test_ten_orders(healthy: Stack) -> None:
    """Ten orders keep their order, and positions are running totals."""
    told = Scenario.load("ten orders", account=healthy.new_account())
    with scenario.observed(healthy, told.account) as clients:
        answers = [healthy.order(body)[1] for body in told.bodies()]
        assert answers == told.bodies()
        assert_as_recorded(told, clients, healthy)


def test_ten_orders_at_once(healthy: Stack) -> None:
    """Ten orders at once are each booked once."""
    told = Scenario.load("ten orders at once", account=healthy.new_account())
    with scenario.observed(healthy, told.account) as clients:
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(lambda n: buy(healthy, told.account, n), range(1, 11)))
        scenario.await_as_many(clients, told)
        booked = quantities_booked(healthy, told.account)
        assert sorted(booked) == list(range(1, 11))
        assert scenario.booked(healthy, told.account)[1] == told.positions
        assert scenario.seen(clients[0]).keys() == told.expected(0).keys()


def test_bad_orders(healthy: Stack) -> None:
    """Of bad orders some are refused, some are lost, and one is booked without a side (I6)."""
    told = Scenario.load("bad orders", account=healthy.new_account())
    order: dict[str, Any] = {"accountId": told.account, "security": "IBM", "side": "Buy"}
    changes: list[dict[str, Any]] = [
        {"security": "BADTICKER", "quantity": 1},
        {"quantity": 0},
        {"quantity": -5},
        {"quantity": None},
        {"side": None, "quantity": 3},
        {"side": "buy", "quantity": 1},
        {"accountId": 1, "quantity": 1},
        {"quantity": 2, "id": "MY-ID", "state": "New", "foo": "bar"},
    ]
    with scenario.observed(healthy, told.account) as clients:
        answers = [healthy.order({**order, **change}) for change in changes]
        assert [status for status, _ in answers] == told.statuses()
        shown = [body for status, body in answers if status == 200]
        assert shown == [body for body in told.bodies() if "timestamp" not in body]
        assert_as_recorded(told, clients, healthy)


def test_direct_orders(healthy: Stack) -> None:
    """A direct order needs no TradeOrder, and is booked also where the answer is 406."""
    told = Scenario.load("order posted to trade-processor", account=healthy.new_account())
    order = {"accountId": told.account, "security": "IBM", "side": "Buy", "quantity": 10}
    changes: list[dict[str, Any]] = [
        {},
        {"security": "NOSUCH"},
        {"quantity": 0},
        {"security": None},
        {"quantity": 5},
    ]
    with scenario.observed(healthy, told.account) as clients:
        answers = [healthy.order({**order, **c}, port=PROCESSOR_PORT) for c in changes[:4]]
        accept = {"Accept": "application/xml"}
        answers.append(healthy.order({**order, **changes[4]}, port=PROCESSOR_PORT, headers=accept))
        assert [status for status, _ in answers] == told.statuses()
        assert [scenario.normal(body) for _, body in answers[:2]] == told.bodies()[:2]
        assert_as_recorded(told, clients, healthy)


def test_late_joiner(healthy: Stack) -> None:
    """A late joiner hears nothing old, and goes only by the misspelt word."""
    told = Scenario.load("late joiner and unsubscribe", account=healthy.new_account())
    topic = f"/accounts/{told.account}/trades"
    with scenario.observed(healthy, told.account) as clients:
        buy(healthy, told.account, 1)
        await_trades(clients[1], 1)
        with connected(healthy.address, topic) as late:
            counts = [len(late.of("Trade"))]
            for word, number in (("unsubscribe", 2), ("unusbscribe", 3)):
                late.emit(word, topic)
                late.flush(late)
                buy(healthy, told.account, number)
                await_trades(clients[1], number)
                late.flush(late)
                counts.append(len(late.of("Trade")))
            assert_as_recorded(told, clients, healthy)
    assert counts == [0, 1, 1]


def test_seeded_position(healthy: Stack) -> None:
    """The position of the seed keeps its date, which the feed then carries as a number."""
    told = Scenario.load("order on a seeded position", account=SEEDED)
    with scenario.observed(healthy, SEEDED) as clients:
        buy(healthy, SEEDED, 10)
        scenario.await_as_many(clients, told)
        assert [scenario.seen(client).keys() for client in clients] == [
            told.expected(index).keys() for index in range(3)
        ]
        (position,) = clients[2].of("Position")
    assert (list(position["payload"]), position["payload"]["quantity"]) == (
        ["accountId", "security", "quantity", "updated"],
        -90,
    )


def test_feed_restart(fragile: Stack) -> None:
    """After a restart of the feed orders are accepted and never settle (I12)."""
    told = Scenario.load("feed restart", account=fragile.new_account())
    with scenario.observed(fragile, told.account) as clients:
        statuses = buy(fragile, told.account, 1)
        clients[2].await_(lambda: bool(clients[2].of("Position")))
        fragile["trade-feed"].stop()
        fragile.await_log("trade-service", "socket disconnected")
        statuses += buy(fragile, told.account, 2, 3)
        fragile.start("trade-feed")
        fragile.await_log("trade-service", "socket connected", times=2)
        fragile.await_log("trade-processor", "subscriber: socket connected", times=2)
        for client in clients:
            client.await_back()
        statuses += buy(fragile, told.account, 4, 5)
        clients[0].await_(lambda: len(clients[0].of("TradeOrder")) == 3)
        lost = quantities_booked(fragile, told.account)
        fragile.start("trade-processor")
        statuses += buy(fragile, told.account, 6)
        assert (statuses, lost) == ([200, 500, 500, 200, 200, 200], [1])
        assert_as_recorded(told, clients, fragile, notices=False)


def test_processor_restart(fragile: Stack) -> None:
    """Orders that come while trade-processor is away are lost, though accepted (I13)."""
    told = Scenario.load("processor restart", account=fragile.new_account())
    with scenario.observed(fragile, told.account) as clients:
        statuses = buy(fragile, told.account, 1)
        clients[2].await_(lambda: bool(clients[2].of("Position")))
        fragile["trade-processor"].stop()
        statuses += buy(fragile, told.account, 2, 3, *range(100, 113))
        fragile.start("trade-processor")
        clients[0].await_(lambda: any(m["topic"] == "/trades" for m in clients[0].of("message")))
        statuses += buy(fragile, told.account, 113, 114)
        assert statuses == [200] * 18
        assert_as_recorded(told, clients, fragile)


def test_two_processors(fragile: Stack) -> None:
    """Two processors book every order twice (I4)."""
    told = Scenario.load("two processors", account=fragile.new_account())
    # A position that both would create at once is another matter: one of them is refused.
    fragile.order({"accountId": told.account, "quantity": 4}, port=PROCESSOR_PORT)
    with fragile.second("trade-processor", TRADE_PROCESSOR_SERVICE_PORT="18191"):
        with scenario.observed(fragile, told.account) as clients:
            assert buy(fragile, told.account, 5, 6, 7, 8) == [200] * 4
            await_trades(clients[1], 8)
            clients[2].await_(lambda: len(clients[2].of("Position")) == 8)
        booked = quantities_booked(fragile, told.account)
    assert sorted(booked) == [4, 5, 5, 6, 6, 7, 7, 8, 8]


@pytest.mark.parametrize("name", ["trade-processor", "trade-feed"])
def test_short_pause(name: str, healthy: Stack) -> None:
    """A short pause of the feed or of trade-processor loses nothing."""
    told = Scenario.load(f"{name} paused 3 s", account=healthy.new_account())
    with scenario.observed(healthy, told.account) as clients:
        with healthy.paused(name):
            assert buy(healthy, told.account, 1, 2, 3) == [200] * 3
        assert_as_recorded(told, clients, healthy)


def test_long_pause_of_processor(impatient: Stack) -> None:
    """After a long pause trade-processor has lost its subscription for good."""
    told = Scenario.load("trade-processor paused 60 s", account=impatient.new_account())
    with scenario.observed(impatient, told.account) as clients:
        buy(impatient, told.account, 1)
        clients[2].await_(lambda: bool(clients[2].of("Position")))
        with impatient.paused("trade-processor"):
            buy(impatient, told.account, 2)
            impatient.await_log("trade-feed", "closed: ping timeout", times=3)
            buy(impatient, told.account, 3, 4)
        impatient.await_log("trade-processor", "subscriber: socket connected", times=2)
        buy(impatient, told.account, 5)
        clients[0].await_(lambda: len(clients[0].of("TradeOrder")) == 5)
        assert quantities_booked(impatient, told.account) == [1, 2]
        assert_as_recorded(told, clients, impatient)


def test_long_pause_of_feed(impatient: Stack) -> None:
    """A long pause of the feed is noticed late, and settlement is lost for good."""
    told = Scenario.load("trade-feed paused 60 s", account=impatient.new_account())
    with scenario.observed(impatient, told.account) as clients, ExitStack() as pause:
        # In the recording the feed was stopped before it had passed on the first settlement.
        with impatient.paused("trade-processor"):
            statuses = buy(impatient, told.account, 1)
            clients[0].await_(lambda: bool(clients[0].of("TradeOrder")))
            pause.enter_context(impatient.paused("trade-feed"))
        with pause:
            statuses += buy(impatient, told.account, 2, 3)
            impatient.await_log("trade-service", "ping timeout")
            impatient.await_log("trade-processor", "ping timeout", times=3)
            for client in clients:
                client.await_disconnected()
            statuses += buy(impatient, told.account, 4)
        impatient.await_log("trade-service", "socket connected", times=2)
        impatient.await_log("trade-processor", "subscriber: socket connected", times=2)
        for client in clients:
            client.await_back()
        statuses += buy(impatient, told.account, 5)
        assert statuses == told.statuses()
        assert_as_recorded(told, clients, impatient, notices=False)


def test_abandoned_order_is_booked(fragile: Stack) -> None:
    """An order whose client gave up while reference-data hung is booked once that goes on (I2)."""
    orders = {record.id: record for record in recorded_answer.records("trade-service")}
    reads = {record.id: record for record in recorded_answer.records("position-service")}
    fragile.accounts_until(65022)
    with connected(fragile.address, "/accounts/65022/positions") as client:
        with fragile.paused("reference-data"):
            answer = recorded_answer.send(
                orders["outage.refdata-hung.valid"], fragile.address, timeout_s=0.5
            )
            assert answer.status is None
        client.await_(lambda: bool(client.of("Position")))
    read = reads["outage.refdata-hung.after-cont"]
    assert recorded_answer.difference(read, recorded_answer.send(read, fragile.address)) == []
