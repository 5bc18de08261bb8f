"""Switches of position-service: what it reads is right, what it says of that is not."""

from dataclasses import replace

from traderx_embedded.traderx.position_store import Position, PositionStore, Trade
from traderx_embedded.traderx.switches import COMMON, EMPTY_DATA, Effect, Switch, Switches

STALE_DATA = Switch(name="stale-data", meaning="lists are as they were at the service's start")
WRONG_POSITIONS = Switch(name="wrong-positions", meaning="every quantity of a position is 1 more")
TRADES_MISSING = Switch(name="trades-missing", meaning="every list of trades lacks its last one")
TRADES_REPEATED = Switch(name="trades-repeated", meaning="every list has its last trade twice")
REPAIR_READINESS = Switch(
    name="repair-readiness",
    meaning="the status of /health/ready is 503 while its body is false",
    effect=Effect.REPAIR,
)
SWITCHES = (
    *COMMON,
    STALE_DATA,
    WRONG_POSITIONS,
    TRADES_MISSING,
    TRADES_REPEATED,
    REPAIR_READINESS,
)


class DefectiveStore:
    """A store that is right as long as no switch is on."""

    def __init__(
        self,
        store: PositionStore,
        switches: Switches,
        *,
        first_trades: list[Trade],
        first_positions: list[Position],
    ) -> None:
        self._store = store
        self._switches = switches
        self._first_trades = first_trades
        self._first_positions = first_positions

    @classmethod
    async def open(cls, store: PositionStore, switches: Switches) -> "DefectiveStore":
        """Keep what is there now, to be shown later as stale data."""
        return cls(
            store,
            switches,
            first_trades=await store.trades(),
            first_positions=await store.positions(),
        )

    async def trades(self) -> list[Trade]:
        """Return all trades, or what the switches make of them."""
        trades = await self._store.trades()
        return self._told(self._first_trades if self._switches.is_on(STALE_DATA) else trades)

    async def trades_of(self, account_id: int) -> list[Trade]:
        """Return an account's trades, or what the switches make of them."""
        trades = await self._store.trades_of(account_id)
        first = [trade for trade in self._first_trades if trade.account_id == account_id]
        return self._told(first if self._switches.is_on(STALE_DATA) else trades)

    async def positions(self) -> list[Position]:
        """Return all positions, or what the switches make of them."""
        positions = await self._store.positions()
        stale = self._switches.is_on(STALE_DATA)
        return self._shown(self._first_positions if stale else positions)

    async def positions_of(self, account_id: int) -> list[Position]:
        """Return an account's positions, or what the switches make of them."""
        positions = await self._store.positions_of(account_id)
        first = [held for held in self._first_positions if held.account_id == account_id]
        return self._shown(first if self._switches.is_on(STALE_DATA) else positions)

    def _told(self, trades: list[Trade]) -> list[Trade]:
        if self._switches.is_on(EMPTY_DATA):
            return []
        if self._switches.is_on(TRADES_MISSING):
            return trades[:-1]
        if self._switches.is_on(TRADES_REPEATED):
            return [*trades, *trades[-1:]]
        return trades

    def _shown(self, positions: list[Position]) -> list[Position]:
        if self._switches.is_on(EMPTY_DATA):
            return []
        if self._switches.is_on(WRONG_POSITIONS):
            return [replace(held, quantity=held.quantity + 1) for held in positions]
        return positions
