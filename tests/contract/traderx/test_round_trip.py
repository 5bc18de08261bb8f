"""The clients of the trade flow, and what one round trip proves, against the stand-ins."""

from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.contract.traderx import stack, stand_in_process
from tests.contract.traderx.stack import Stack
from tests.contract.traderx.stand_in_process import StandIn, switched
from traderx_gate import application
from traderx_gate.errors import UnreachableError
from traderx_gate.inspection import trade
from traderx_gate.traderx import Order, Positions, Side, Trading
from traderx_gate.traderx import round_trip as trips
from traderx_gate.traderx.feed import subscribed
from traderx_gate.traderx.round_trip import RoundTrip, perform
from traderx_gate.verdict import Observation
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 20.0
ACCOUNT = 10031
Judge = Callable[[RoundTrip], Iterable[Observation]]
JUDGES: tuple[Judge, ...] = (trade.settled_once, trade.position_moved, trade.told_once)


@pytest.fixture(scope="module")
def floor() -> Iterator[Stack]:
    """All services of the trade flow."""
    with stack.running(*stack.ALL) as running:
        yield running


def url(stand_in: StandIn, service: str) -> str:
    """The address of a service, as the clients take it."""
    return f"http://{stand_in.address}:{application.load().service(service).health.port}"


def round_trip(floor: Stack, side: Side = Side.BUY, quantity: int = 7) -> RoundTrip:
    """An order of a new account and its opposite."""
    return perform(
        trading=Trading(url(floor["trade-service"], "trade-service")),
        positions=Positions(url(floor["position-service"], "position-service")),
        feed_url=url(floor["trade-feed"], "trade-feed"),
        first=Order(account_id=floor.new_account(), security="IBM", side=side, quantity=quantity),
    )


def unmet(trip: RoundTrip) -> set[str]:
    """The claims that a round trip contradicts."""
    return {
        getattr(judge, "__name__", "") for judge in JUDGES if not all(o.met for o in judge(trip))
    }


@pytest.mark.parametrize("side", Side)
def test_good_round_trip(floor: Stack, side: Side) -> None:
    """An order and its opposite are accepted, settled once, move and restore the position, told."""
    trip = round_trip(floor, side)
    moved = side.sign * 7
    assert unmet(trip) == set()
    assert [(leg.accepted, leg.settled_s is not None, leg.position) for leg in trip.legs] == [
        (True, True, moved),
        (True, True, 0),
    ]
    assert [len(trip.trade_messages(leg)) for leg in trip.legs] == [1, 1]
    assert (trip.position_messages(), trip.position_sum) == ((moved, 0), 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders that are never settled are waited for no longer than tests have time."""
    monkeypatch.setattr(trips, "SETTLEMENT_DEADLINE_S", 1.5)


SETTLED, MOVED, TOLD = "settled_once", "position_moved", "told_once"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("service", "defect", "contradicted"),
    [
        ("trade-processor", "book-twice", {SETTLED, MOVED, TOLD}),
        ("trade-processor", "book-wrong-quantity", {SETTLED, MOVED, TOLD}),
        ("trade-processor", "ignore-orders", {SETTLED, MOVED, TOLD}),
        ("trade-processor", "never-settle", {SETTLED}),
        ("trade-processor", "position-unmoved", {MOVED, TOLD}),
        ("trade-processor", "position-reversed", {MOVED, TOLD}),
        ("trade-processor", "publish-nothing", {TOLD}),
        ("trade-feed", "lose-trades", {TOLD}),
        ("trade-feed", "duplicate-trades", {TOLD}),
        ("trade-feed", "duplicate-all", {SETTLED, MOVED, TOLD}),
        ("position-service", "wrong-positions", {MOVED, TOLD}),
        ("position-service", "trades-repeated", {SETTLED, TOLD}),
    ],
)
def test_defect_is_reported(
    floor: Stack, service: str, defect: str, contradicted: set[str]
) -> None:
    """Each defect of the trade flow contradicts the claims that it is about."""
    with switched(floor[service], defect):
        trip = round_trip(floor)
    assert contradicted <= unmet(trip), trip


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("defect", ["unavailable", "wrong-application"])
def test_refused_order_ends_the_trip(floor: Stack, defect: str) -> None:
    """An order that is not accepted is no reason for its opposite, and fails every claim."""
    with switched(floor["trade-service"], defect):
        trip = round_trip(floor)
    if defect == "unavailable":
        assert ([leg.accepted for leg in trip.legs], unmet(trip)) == (
            [False],
            {SETTLED, MOVED, TOLD},
        )
    else:
        assert unmet(trip) == {SETTLED, MOVED, TOLD}


def test_position_of_an_account_with_a_trade_without_side(floor: Stack) -> None:
    """A trade without a side, which TraderX books as a decrease, is counted as one."""
    account = floor.new_account()
    order = Order(account_id=account, security="IBM", side=Side.BUY, quantity=5)
    address = floor["trade-service"]
    body = {key: value for key, value in order.to_json().items() if key != "side"}
    assert Trading(url(address, "trade-service")).submit_raw(body).value == 200
    positions = Positions(url(floor["position-service"], "position-service"))
    until(
        polling(
            lambda: positions.trades(account).value or (),
            every_s=0.05,
            deadline=Deadline(DEADLINE_S),
        ),
        lambda trades: [trade.state for trade in trades] == ["Settled"],
        what="the order without a side to be settled",
    )
    trip = perform(
        trading=Trading(url(address, "trade-service")),
        positions=positions,
        feed_url=url(floor["trade-feed"], "trade-feed"),
        first=order,
    )
    assert (trip.position_before, trip.position_sum, unmet(trip)) == (-5, -5, set())


def test_subscription_is_confirmed(floor: Stack) -> None:
    """What is published after a subscription was confirmed arrives, of its own topics only."""
    topics = trips.topics_of(floor.new_account())
    with subscribed(
        url(floor["trade-feed"], "trade-feed"), *topics, deadline=Deadline(DEADLINE_S)
    ) as subscription:
        assert (subscription.is_confirmed(frozenset(topics)), subscription.messages()) == (True, ())
        assert not subscription.is_confirmed(frozenset({"/another"}))


def test_nobody_listens_at_the_feed() -> None:
    """A feed that is away is said to take no subscriber, and nothing is ordered."""
    nobody = f"http://{stand_in_process.own_address()}:18086"
    with (
        pytest.raises(UnreachableError, match=f"trade-feed {nobody} takes no subscriber"),
        subscribed(nobody, "/x", deadline=Deadline(DEADLINE_S)),
    ):
        raise AssertionError


def test_feed_is_another_application(floor: Stack) -> None:
    """A page where the feed belongs is said to take no subscriber."""
    address = url(floor["trade-feed"], "trade-feed")
    with (
        switched(floor["trade-feed"], "wrong-application"),
        pytest.raises(UnreachableError, match="takes no subscriber"),
        subscribed(address, "/x", deadline=Deadline(DEADLINE_S)),
    ):
        raise AssertionError


def test_clients_see_what_is_away() -> None:
    """Orders and reads of services that are away are seen, not raised."""
    nobody = f"http://{stand_in_process.own_address()}:18090"
    sent = Trading(nobody).submit_raw({})
    trades, ready = Positions(nobody).trades(), Positions(nobody).is_ready()
    assert (sent.value, trades.value, ready.value) == (None, None, None)
    assert {answer[:9] for answer in (sent.seen, trades.seen, ready.seen)} == {"no answer"}
