"""Trade: an order is accepted, settled, booked and told of, once; bad ones are refused.

Every claim trades a security of its own on the reserved account, and leaves it flat.
"""

import pytest

from fixtures.evidence import Observe
from fixtures.trading import Floor
from traderx_gate.inspection import trade
from traderx_gate.traderx import Side

SETTLED, MOVED, TOLD = "MSFT", "AAPL", "AMZN"


@pytest.mark.writes
def test_is_settled_exactly_once(floor: Floor, observe: Observe) -> None:
    """An accepted order ends as exactly one settled trade: none is lost, none booked twice."""
    trip = floor.round_trip(floor.order(SETTLED, Side.BUY))
    assert observe(trade.settled_once(trip)) == ()


@pytest.mark.writes
def test_moves_the_position_by_its_quantity(floor: Floor, observe: Observe) -> None:
    """An order moves the position by exactly its quantity, and its opposite moves it back."""
    trip = floor.round_trip(floor.order(MOVED, Side.SELL))
    assert observe(trade.position_moved(trip)) == ()


@pytest.mark.writes
def test_is_told_once_on_the_feed(floor: Floor, observe: Observe) -> None:
    """The feed tells of every trade once, and of the positions that position-service has."""
    trip = floor.round_trip(floor.order(TOLD, Side.BUY))
    assert observe(trade.told_once(trip)) == ()


def test_positions_equal_their_trades(floor: Floor, observe: Observe) -> None:
    """The position of every account in every security is the sum of its settled trades."""
    trades, positions = floor.books()
    assert observe(trade.positions_equal_trades(trades, positions)) == ()


@pytest.mark.writes
def test_unknown_is_refused(floor: Floor, observe: Observe) -> None:
    """Orders for an unknown security or account, or of no known side, are refused as documented."""
    assert observe(floor.refusals(trade.UNKNOWN)) == ()


@pytest.mark.writes
def test_invalid_quantity_is_refused(floor: Floor, observe: Observe) -> None:
    """Orders for nothing, or for less, are refused and not accepted only to be lost."""
    assert observe(floor.refusals(trade.INVALID_QUANTITY)) == ()
