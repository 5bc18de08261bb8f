"""A round trip: an order and its opposite, and everything that TraderX made of the two.

No identifier of an order survives in its trade, so that trades are told apart by account, security
and quantity, and by not having been there before. Afterwards the position is what it was.
"""

from dataclasses import dataclass

from traderx_gate.traderx.feed import Message, Subscription, subscribed
from traderx_gate.traderx.trading import Order, Position, Positions, Side, Trade, Trading
from traderx_gate.waiting import Deadline, polling

SETTLEMENT_DEADLINE_S = 20.0
"""An order of an idle TraderX is settled by then (`reference/traderx.md` 7, I1)."""
QUIET_S = 0.4
"""After the last message, for a second booking of the same order to show itself."""
POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One order of a round trip and what came of it.

    Attributes:
        answer: Status and body of trade-service's answer, in words.
        accepted: Whether it was 200.
        trades: The new trades of account, security and quantity; one is right.
        position: The position after it; None if there is none, or no answer.
        settled_s: From the order to its trade being seen as settled; None if it never was.
    """

    order: Order
    answer: str
    accepted: bool
    trades: tuple[Trade, ...]
    position: int | None
    settled_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """An order, its opposite, and what was published meanwhile.

    Attributes:
        position_before: The position before the first order; 0 where there was none.
        position_sum: The sum of all settled trades of the account in the security, afterwards.
        messages: What the feed carried on the account's two topics about this security.
    """

    legs: tuple[Leg, ...]
    position_before: int
    position_sum: int
    messages: tuple[Message, ...]

    @property
    def position_after(self) -> int | None:
        """The position after the last order."""
        return self.legs[-1].position

    def trade_messages(self, leg: Leg) -> tuple[Message, ...]:
        """Return the messages about the trades of a leg's kind."""
        return tuple(
            m for m in self.messages if m.type == "Trade" and _trade_of(m, leg.order) is not None
        )

    def position_messages(self) -> tuple[int, ...]:
        """Return the positions that the feed told, in order of arrival."""
        told = (_position_of(m) for m in self.messages if m.type == "Position")
        return tuple(position.quantity for position in told if position is not None)


def topics_of(account_id: int) -> tuple[str, str]:
    """Return the topics on which the feed tells of an account."""
    return f"/accounts/{account_id}/trades", f"/accounts/{account_id}/positions"


def perform(*, trading: Trading, positions: Positions, feed_url: str, first: Order) -> RoundTrip:
    """Send an order, wait for its effect, send its opposite, wait again.

    The second order is sent whatever became of the first one, as long as that was accepted: an
    order may be booked late.

    Raises:
        UnreachableError: The feed takes no subscriber; nothing was ordered.
    """
    opposite = Side.SELL if first.side is Side.BUY else Side.BUY
    second = Order(
        account_id=first.account_id,
        security=first.security,
        side=opposite,
        quantity=first.quantity,
    )
    deadline = Deadline(SETTLEMENT_DEADLINE_S)
    with subscribed(feed_url, *topics_of(first.account_id), deadline=deadline) as subscription:
        before = _position(positions, first)
        legs = [_leg(trading, positions, subscription, first, SETTLEMENT_DEADLINE_S)]
        if legs[0].accepted:
            patience_s = QUIET_S if legs[0].settled_s is None else SETTLEMENT_DEADLINE_S
            legs.append(_leg(trading, positions, subscription, second, patience_s))
        heard = subscription.await_quiet(QUIET_S, Deadline(SETTLEMENT_DEADLINE_S))
    trades = positions.trades(first.account_id).value or ()
    return RoundTrip(
        legs=tuple(legs),
        position_before=before or 0,
        position_sum=_sum(trades, first.security),
        messages=tuple(m for m in heard if _is_about(m, first.security)),
    )


def _leg(
    trading: Trading,
    positions: Positions,
    subscription: Subscription,
    order: Order,
    patience_s: float,
) -> Leg:
    known = {trade.id for trade in positions.trades(order.account_id).value or ()}
    answer = trading.submit(order)
    deadline = Deadline(patience_s)
    accepted = answer.value == 200
    settled_s = None
    if accepted:
        for trades in polling(
            lambda: _new_trades(positions, order, known), every_s=POLL_S, deadline=deadline
        ):
            if any(trade.state == "Settled" for trade in trades):
                settled_s = patience_s - deadline.remaining()
                break
        subscription.await_quiet(QUIET_S, Deadline(SETTLEMENT_DEADLINE_S))
    return Leg(
        order=order,
        answer=answer.seen,
        accepted=accepted,
        trades=_new_trades(positions, order, known),
        position=_position(positions, order),
        settled_s=settled_s,
    )


def _new_trades(positions: Positions, order: Order, known: set[str]) -> tuple[Trade, ...]:
    found = positions.trades(order.account_id).value or ()
    return tuple(trade for trade in found if trade.id not in known and trade.is_of(order))


def _position(positions: Positions, order: Order) -> int | None:
    found = positions.positions(order.account_id).value or ()
    return next((p.quantity for p in found if p.security == order.security), None)


def _sum(trades: tuple[Trade, ...], security: str) -> int:
    # stock TraderX books an order without a side as a decrease
    return sum(
        trade.quantity if trade.side == Side.BUY.value else -trade.quantity
        for trade in trades
        if trade.security == security and trade.state == "Settled" and trade.quantity is not None
    )


def _is_about(message: Message, security: str) -> bool:
    return isinstance(message.payload, dict) and message.payload.get("security") == security


def _trade_of(message: Message, order: Order) -> Trade | None:
    try:
        trade = Trade.from_json(message.payload)
    except (KeyError, TypeError):
        return None
    return trade if trade.is_of(order) else None


def _position_of(message: Message) -> Position | None:
    try:
        return Position.from_json(message.payload)
    except (KeyError, TypeError):
        return None
