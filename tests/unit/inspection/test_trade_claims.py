import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from traderx_gate.inspection import trade
from traderx_gate.traderx import Order, Position, Reading, Side, Trade
from traderx_gate.traderx.feed import Message
from traderx_gate.traderx.round_trip import Leg, RoundTrip
from traderx_gate.verdict import Observation

BUY = Order(account_id=10031, security="IBM", side=Side.BUY, quantity=7)
SELL = dataclasses.replace(BUY, side=Side.SELL)


def booked(order: Order, identifier: str, state: str = "Settled") -> Trade:
    """The trade of an order."""
    return Trade(
        id=identifier,
        account_id=order.account_id,
        security=order.security,
        side=order.side.value,
        quantity=order.quantity,
        state=state,
    )


def told_trade(order: Order, identifier: str) -> Message:
    """What the feed says of a trade."""
    payload = {**order.to_json(), "id": identifier, "state": "Settled"}
    return Message(topic="t", type="Trade", sender="x", payload=payload, at=0)


def told_position(quantity: int) -> Message:
    """What the feed says of a position."""
    payload = {"accountId": 10031, "security": "IBM", "quantity": quantity}
    return Message(topic="p", type="Position", sender="x", payload=payload, at=0)


FIRST = Leg(
    order=BUY, answer="200 {}", accepted=True, trades=(booked(BUY, "a"),), position=17, settled_s=1
)
SECOND = dataclasses.replace(FIRST, order=SELL, trades=(booked(SELL, "b"),), position=10)
HEARD = (told_trade(BUY, "a"), told_position(17), told_trade(SELL, "b"), told_position(10))
GOOD = RoundTrip(legs=(FIRST, SECOND), position_before=10, position_sum=10, messages=HEARD)


def leg(**changes: Any) -> RoundTrip:
    """A round trip whose first leg went otherwise."""
    return dataclasses.replace(GOOD, legs=(dataclasses.replace(FIRST, **changes), SECOND))


def last_leg(**changes: Any) -> RoundTrip:
    """A round trip whose second leg went otherwise."""
    return dataclasses.replace(GOOD, legs=(FIRST, dataclasses.replace(SECOND, **changes)))


def trip(**changes: Any) -> RoundTrip:
    """A round trip that went otherwise."""
    return dataclasses.replace(GOOD, **changes)


def unmet(found: Iterable[Observation]) -> list[tuple[str, str, str]]:
    """Subject, expected and seen of what is not met."""
    return [(o.subject, o.expected, o.seen) for o in found if not o.met]


@pytest.mark.parametrize(
    ("judge", "count"),
    [
        (trade.accepted, 2),
        (trade.settled_once, 4),
        (trade.position_moved, 5),
        (trade.told_once, 5),
    ],
)
def test_good_trip(judge: Callable[[RoundTrip], Iterable[Observation]], count: int) -> None:
    """A round trip that went well meets every claim; what is expected is what is seen."""
    found = list(judge(GOOD))
    assert (len(found), unmet(found)) == (count, [])


@pytest.mark.parametrize(
    "judge", [trade.accepted, trade.settled_once, trade.position_moved, trade.told_once]
)
def test_refused_order(judge: Callable[[RoundTrip], Iterable[Observation]]) -> None:
    """An order that was refused fails every claim, with the answer that came."""
    refused = leg(accepted=False, answer="503 busy")
    told = ("order Buy 7 IBM for 10031", "200, the order echoed", "503 busy")
    assert told in unmet(judge(refused))


@pytest.mark.parametrize(
    ("trades", "seen"),
    [
        ((), "1 lost, 0 duplicate, states none"),
        ((booked(BUY, "a", "New"),), "0 lost, 0 duplicate, states New"),
        ((booked(BUY, "a"), booked(BUY, "c")), "0 lost, 1 duplicate, states Settled, Settled"),
    ],
)
def test_not_settled_once(trades: tuple[Trade, ...], seen: str) -> None:
    """An order that was lost, booked twice or never settled is told with how often and as what."""
    told = ("trade of order Buy 7 IBM for 10031", "booked once, Settled", seen)
    assert unmet(trade.settled_once(leg(trades=trades))) == [told]


AFTERWARDS = "position in IBM afterwards"
SUM = "10, as before, and the sum of its trades"


@pytest.mark.parametrize(
    ("went", "told"),
    [
        (
            leg(position=16),
            [
                (
                    "position in IBM after Buy 7 IBM for 10031",
                    "17 (10 before)",
                    "16 (10 before)",
                )
            ],
        ),
        (
            last_leg(position=None),
            [
                (
                    "position in IBM after Sell 7 IBM for 10031",
                    "10 (17 before)",
                    "None (17 before)",
                ),
                (AFTERWARDS, SUM, "None, sum of its trades 10"),
            ],
        ),
        (trip(position_sum=11), [(AFTERWARDS, SUM, "10, sum of its trades 11")]),
    ],
)
def test_position_not_moved(went: RoundTrip, told: list[tuple[str, str, str]]) -> None:
    """A position that did not move by the quantity, or not back, is told with where it was."""
    assert unmet(trade.position_moved(went)) == told


MESSAGES = ("messages about the trade of Buy 7 IBM for 10031", "one, of the booked trade")
POSITIONS = ("messages about the position in IBM", "[17, 10], the last as position-service has it")


@pytest.mark.parametrize(
    ("went", "told"),
    [
        (trip(messages=HEARD[1:]), [(*MESSAGES, "1 lost, 0 duplicate, booked as a")]),
        (
            trip(messages=(HEARD[0], *HEARD)),
            [(*MESSAGES, "0 lost, 1 duplicate, booked as a")],
        ),
        (
            trip(messages=(told_trade(BUY, "z"), *HEARD[1:])),
            [(*MESSAGES, "0 lost, 0 duplicate, booked as a")],
        ),
        (leg(trades=()), [(*MESSAGES, "0 lost, 0 duplicate, booked as nothing")]),
        (
            trip(messages=HEARD[:-1]),
            [(*POSITIONS, "[17], position-service has 10")],
        ),
        (
            trip(messages=(*HEARD, told_position(10))),
            [(*POSITIONS, "[17, 10, 10], position-service has 10")],
        ),
        (last_leg(position=11), [(*POSITIONS, "[17, 10], position-service has 11")]),
    ],
    ids=["lost", "twice", "other id", "not booked", "lost position", "twice position", "disagree"],
)
def test_not_told_once(went: RoundTrip, told: list[tuple[str, str, str]]) -> None:
    """A message that is lost, comes twice or tells of another trade or position is told."""
    assert unmet(trade.told_once(went)) == told


def test_other_messages_are_no_matter() -> None:
    """Malformed messages and those about other orders are not counted."""
    other = dataclasses.replace(BUY, quantity=8)
    noise = Message(topic="t", type="Trade", sender="x", payload={"security": "IBM"}, at=0)
    heard = (*HEARD, noise, told_trade(other, "c"), dataclasses.replace(noise, type="Position"))
    assert unmet(trade.told_once(trip(messages=heard))) == []


ZERO = trade.INVALID_QUANTITY[0]


@pytest.mark.parametrize(
    ("answer", "seen", "met"),
    [
        (Reading(value=400, seen="400 bad"), "400", True),
        (Reading(value=200, seen="200 {}"), "200 {}", False),
        (Reading(value=None, seen="no answer: x"), "no answer: x", False),
    ],
)
def test_refused(answer: Reading[int], seen: str, met: bool) -> None:  # noqa: FBT001
    """An order is refused by its documented status, and nothing else."""
    found = trade.refused(ZERO, answer)
    assert (found.subject, found.expected, found.seen, found.met) == (
        "order with quantity 0",
        "400",
        seen,
        met,
    )


def test_body_of_a_bad_order() -> None:
    """A bad order is a good one but for what is wrong with it."""
    good = {"accountId": 10031, "security": "IBM", "side": "Buy", "quantity": 1}
    assert [bad.body(10031) for bad in trade.UNKNOWN] == [
        {**good, "security": "NOSUCH"},
        {**good, "accountId": 1},
        {**good, "side": "Hold"},
    ]


def read(*trades: Trade) -> Reading[tuple[Trade, ...]]:
    """A reading of trades."""
    return Reading(value=trades, seen="200")


NONE: Reading[tuple[Trade, ...]] = Reading(value=None, seen="503")
OLD = booked(dataclasses.replace(BUY, quantity=0), "old")
NEW = dataclasses.replace(OLD, id="new")


@pytest.mark.parametrize(
    ("before", "after", "seen", "met"),
    [
        (read(OLD), read(OLD), "none", True),
        (read(OLD), read(OLD, booked(BUY, "other")), "none", True),
        (read(OLD), read(OLD, NEW), "1", False),
        (read(OLD), NONE, "503", False),
        (NONE, read(OLD), "1", False),
        (NONE, read(), "200", False),
    ],
)
def test_nothing_booked(
    before: Reading[tuple[Trade, ...]],
    after: Reading[tuple[Trade, ...]],
    seen: str,
    met: bool,  # noqa: FBT001
) -> None:
    """A new trade of a refused order is told; trades that could not be read prove nothing."""
    found = trade.nothing_booked(before, after, [ZERO])
    assert (found.subject, found.expected, found.seen, found.met) == (
        "trades of refused orders",
        "none",
        seen,
        met,
    )


def held(quantity: int, security: str = "IBM") -> Position:
    """A position of the reserved account."""
    return Position(account_id=10031, security=security, quantity=quantity)


POSITION = "position of account 10031 in IBM"
BOOKS = (booked(BUY, "a"), booked(dataclasses.replace(SELL, quantity=3), "b"))
NO_SIDE = dataclasses.replace(BOOKS[0], id="c", side=None, quantity=1)
NO_QUANTITY = dataclasses.replace(BOOKS[0], id="d", quantity=None)


@pytest.mark.parametrize(
    ("trades", "positions", "told"),
    [
        (BOOKS, (held(4),), []),
        ((*BOOKS, NO_SIDE, NO_QUANTITY), (held(3),), []),
        (BOOKS, (held(5),), [(POSITION, "4, as its trades sum up", "5")]),
        (BOOKS, (), [(POSITION, "4, as its trades sum up", "none")]),
        ((), (held(4),), [(POSITION, "0, as its trades sum up", "4")]),
        (
            (*BOOKS, booked(BUY, "e", "New")),
            (held(4),),
            [("trades that are not settled", "none", "e is New")],
        ),
    ],
    ids=["right", "lacking fields", "other", "no position", "no trades", "not settled"],
)
def test_positions_equal_trades(
    trades: tuple[Trade, ...],
    positions: tuple[Position, ...],
    told: list[tuple[str, str, str]],
) -> None:
    """A position that is not the sum of its settled trades is told, as are unsettled trades."""
    found = trade.positions_equal_trades(read(*trades), Reading(value=positions, seen="200"))
    assert unmet(found) == told


@pytest.mark.parametrize("lacks", ["trades", "positions"])
def test_books_that_cannot_be_read(lacks: str) -> None:
    """Books of which one half could not be read prove nothing."""
    no_positions: Reading[tuple[Position, ...]] = Reading(value=None, seen="503")
    half = (
        trade.positions_equal_trades(NONE, Reading(value=(), seen="200"))
        if lacks == "trades"
        else trade.positions_equal_trades(read(), no_positions)
    )
    assert unmet(half) == [("trades and positions of all accounts", "readable", "503")]
