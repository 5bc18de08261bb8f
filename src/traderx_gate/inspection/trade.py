"""The trade flow: what one round trip proves of settlement, position and feed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from traderx_gate.traderx import Position, Reading, Side, Trade
from traderx_gate.traderx.round_trip import RoundTrip
from traderx_gate.verdict import Observation

WHERE = "kubectl logs deployment/trade-processor; kubectl logs deployment/trade-feed"


def accepted(trip: RoundTrip) -> Iterator[Observation]:
    """Tell of each order whether trade-service took it."""
    for leg in trip.legs:
        yield Observation(
            subject=f"order {leg.order}",
            expected="200, the order echoed",
            seen="200, the order echoed" if leg.accepted else leg.answer,
            met=leg.accepted,
            where="kubectl logs deployment/trade-service",
        )


def settled_once(trip: RoundTrip) -> Iterator[Observation]:
    """Tell of each order how often it was booked, and as what."""
    yield from accepted(trip)
    for leg in trip.legs:
        states = sorted(trade.state for trade in leg.trades)
        lost, doubled = max(0, 1 - len(states)), max(0, len(states) - 1)
        yield Observation(
            subject=f"trade of order {leg.order}",
            expected="booked once, Settled",
            seen="booked once, Settled"
            if states == ["Settled"]
            else f"{lost} lost, {doubled} duplicate, states {', '.join(states) or 'none'}",
            met=states == ["Settled"],
            where=WHERE,
        )


def position_moved(trip: RoundTrip) -> Iterator[Observation]:
    """Tell of each order what it did to the position, which in the end is what it was."""
    yield from accepted(trip)
    before = trip.position_before
    for leg in trip.legs:
        expected = before + leg.order.side.sign * leg.order.quantity
        yield Observation(
            subject=f"position in {leg.order.security} after {leg.order}",
            expected=f"{expected} ({before} before)",
            seen=f"{leg.position} ({before} before)",
            met=leg.position == expected,
            where=WHERE,
        )
        before = expected
    yield Observation(
        subject=f"position in {trip.legs[0].order.security} afterwards",
        expected=f"{trip.position_before}, as before, and the sum of its trades",
        seen=f"{trip.position_after}, sum of its trades {trip.position_sum}",
        met=trip.position_after == trip.position_before == trip.position_sum,
        where=WHERE,
    )


def told_once(trip: RoundTrip) -> Iterator[Observation]:
    """Tell of each order how often the feed told of its trade, and of which positions."""
    yield from accepted(trip)
    for leg in trip.legs:
        told = trip.trade_messages(leg)
        ids = sorted(trade.id for trade in leg.trades)
        right = len(told) == 1 and [m.payload["id"] for m in told] == ids
        lost, doubled = max(0, 1 - len(told)), max(0, len(told) - 1)
        yield Observation(
            subject=f"messages about the trade of {leg.order}",
            expected="one, of the booked trade",
            seen="one, of the booked trade"
            if right
            else f"{lost} lost, {doubled} duplicate, booked as {', '.join(ids) or 'nothing'}",
            met=right,
            where=WHERE,
        )
    running = [trip.position_before]
    for leg in trip.legs:
        running.append(running[-1] + leg.order.side.sign * leg.order.quantity)
    seen = list(trip.position_messages())
    yield Observation(
        subject=f"messages about the position in {trip.legs[0].order.security}",
        expected=f"{running[1:]}, the last as position-service has it",
        seen=f"{seen}, position-service has {trip.position_after}",
        met=seen == running[1:] and seen[-1:] == [trip.position_after],
        where=WHERE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BadOrder:
    """An order that has to be refused.

    Attributes:
        because: What is wrong with it.
        status: The documented answer.
        values: What is not as in a good order; the account is the reserved one unless given here.
    """

    because: str
    status: int
    values: Mapping[str, object]

    def body(self, account_id: int) -> Mapping[str, object]:
        """Return the body to send."""
        good = {"accountId": account_id, "security": "IBM", "side": "Buy", "quantity": 1}
        return {**good, **self.values}


UNKNOWN = (
    BadOrder(because="unknown security", status=404, values={"security": "NOSUCH"}),
    BadOrder(because="unknown account", status=404, values={"accountId": 1}),
    BadOrder(because="unknown side", status=400, values={"side": "Hold"}),
)
"""I9, and the documented refusals of `reference/traderx.md` 2."""
INVALID_QUANTITY = (
    BadOrder(because="quantity 0", status=400, values={"quantity": 0}),
    BadOrder(because="quantity below 0", status=400, values={"quantity": -1}),
)
"""I6. Stock TraderX answers 200 and loses them; an order without a side, which it books, is not
sent to an environment that somebody uses."""


def refused(bad: BadOrder, answer: Reading[int]) -> Observation:
    """Tell whether an order was refused as documented."""
    met = answer.value == bad.status
    return Observation(
        subject=f"order with {bad.because}",
        expected=f"{bad.status}",
        seen=f"{bad.status}" if met else answer.seen,
        met=met,
        where="kubectl logs deployment/trade-service",
    )


def nothing_booked(
    before: Reading[tuple[Trade, ...]],
    after: Reading[tuple[Trade, ...]],
    orders: Sequence[BadOrder],
) -> Observation:
    """Tell whether orders that were refused left a trade."""
    known = {trade.id for trade in before.value or ()}
    sent = {(bad.body(0)["security"], bad.body(0)["quantity"]) for bad in orders}
    new = [
        trade
        for trade in after.value or ()
        if trade.id not in known and (trade.security, trade.quantity) in sent
    ]
    readable = before.value is not None and after.value is not None
    return Observation(
        subject="trades of refused orders",
        expected="none",
        seen=f"{len(new)}" if new else ("none" if readable else after.seen),
        met=readable and not new,
        where=WHERE,
    )


def positions_equal_trades(
    trades: Reading[tuple[Trade, ...]], positions: Reading[tuple[Position, ...]]
) -> Iterator[Observation]:
    """Tell of every account and security whether the position is the sum of its settled trades."""
    if trades.value is None or positions.value is None:
        seen = trades.seen if trades.value is None else positions.seen
        yield Observation(
            subject="trades and positions of all accounts",
            expected="readable",
            seen=seen,
            met=False,
        )
        return
    sums: dict[tuple[int, str], int] = {}
    for trade in trades.value:
        if trade.state != "Settled" or trade.quantity is None:
            continue
        # stock TraderX books an order without a side as a decrease
        sign = 1 if trade.side == Side.BUY.value else -1
        key = (trade.account_id, trade.security)
        sums[key] = sums.get(key, 0) + sign * trade.quantity
    held = {(p.account_id, p.security): p.quantity for p in positions.value}
    for key in sorted({*sums, *held}):
        yield Observation(
            subject=f"position of account {key[0]} in {key[1]}",
            expected=f"{sums.get(key, 0)}, as its trades sum up",
            seen=f"{held.get(key, 'none')}",
            met=held.get(key) == sums.get(key, 0),
            where=WHERE,
        )
    yield Observation(
        subject="trades that are not settled",
        expected="none",
        seen=", ".join(f"{t.id} is {t.state}" for t in trades.value if t.state != "Settled")
        or "none",
        met=all(t.state == "Settled" for t in trades.value),
        where=WHERE,
    )
