"""Booking of orders: a trade and a position, saved in three steps that are no transaction."""

import asyncio
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from traderx_embedded.traderx.hibernate import Repository
from traderx_embedded.traderx.position_store import Position, Trade
from traderx_embedded.traderx.processor_switches import (
    BOOK_WRONG_QUANTITY,
    NEVER_SETTLE,
    POSITION_REVERSED,
    POSITION_UNMOVED,
    REPAIR_ATOMIC,
    REPAIR_DUPLICATES,
    SETTLE_SLOWLY,
)
from traderx_embedded.traderx.switches import SLOW_S, Switches
from traderx_embedded.traderx.trade_order import TradeOrder

WIDENED = (
    "alter table Positions alter column Security set data type varchar(50)",
    "alter table Trades alter column ID set data type varchar(100)",
    "alter table Trades alter column Security set data type varchar(50)",
    "alter table Trades alter column Side set data type enum ('Buy','Sell')",
)
"""What Hibernate makes of the tables at every start of trade-processor."""
_FIND_POSITION = (
    "select AccountID,Security,Quantity,Updated from Positions where AccountID=? and Security=?"
)
_INSERT_POSITION = "insert into Positions (AccountID,Security,Quantity,Updated) values (?,?,?,?)"
_UPDATE_POSITION = "update Positions set Quantity=? where AccountID=? and Security=?"
_ADD_TO_POSITION = (
    f"{_INSERT_POSITION} on conflict (AccountID,Security)"
    " do update set Quantity=Quantity+excluded.Quantity returning Quantity"
)
_INSERT_TRADE = (
    "insert into Trades (ID,AccountID,Security,Side,State,Quantity,Updated,Created)"
    " values (?,?,?,?,?,?,?,?)"
)
_UPDATE_TRADE = "update Trades set State=?,Updated=? where ID=?"


class NoQuantityError(Exception):
    """An order without a quantity: the real one computes with null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What became of an order."""

    trade: Trade
    position: Position

    def as_json(self) -> dict[str, Any]:
        """Return what goes over HTTP."""
        return {"trade": self.trade.as_json(), "position": self.position.as_json()}


class Bookkeeper:
    """Books one order after the other."""

    def __init__(self, repository: Repository, switches: Switches) -> None:
        self._repository = repository
        self._is_on = switches.is_on

    async def book(self, order: TradeOrder) -> Booking:
        """Book an order at once, whatever its ticker.

        Raises:
            TextError: The database refused one of the steps; those before it stay.
            NoQuantityError: It has none.
        """
        if self._is_on(SETTLE_SLOWLY):
            await asyncio.sleep(SLOW_S)
        position = await self._position(order)
        if order.quantity is None:
            raise NoQuantityError(f"no quantity: {order}")
        trade = self._new_trade(order, order.quantity)
        change = self._change(order, trade)
        if self._is_on(REPAIR_ATOMIC):
            return await self._book_at_once(trade, position, change)
        moved = replace(position, quantity=_to_int32(position.quantity + change))
        await self._insert(trade)
        if not self._is_on(POSITION_UNMOVED):
            await self._save(moved)
        if self._is_on(NEVER_SETTLE):
            return Booking(trade=trade, position=moved)
        settled = replace(trade, state="Settled", updated=_now())
        await self._repository.execute(_UPDATE_TRADE, settled.state, settled.updated, trade.id)
        return Booking(trade=settled, position=moved)

    async def _position(self, order: TradeOrder) -> Position:
        key = (order.account_id, order.security)
        rows = await self._repository.query(_FIND_POSITION, *key)
        account, security, quantity, updated = rows[0] if rows else (*key, 0, None)
        return Position(account_id=account, security=security, quantity=quantity, updated=updated)

    def _new_trade(self, order: TradeOrder, quantity: int) -> Trade:
        keeps_id = self._is_on(REPAIR_DUPLICATES) and order.id
        now = _now()
        return Trade(
            id=order.id if keeps_id and order.id else str(uuid.uuid4()),
            account_id=order.account_id,
            security=order.security,
            side=order.side,
            state="New",
            quantity=quantity + 1 if self._is_on(BOOK_WRONG_QUANTITY) else quantity,
            updated=now,
            created=now,
        )

    def _change(self, order: TradeOrder, trade: Trade) -> int:
        # All that is no Buy decreases, also an order without a side.
        sign = 1 if order.side == "Buy" else -1
        return sign * (trade.quantity or 0) * (-1 if self._is_on(POSITION_REVERSED) else 1)

    async def _insert(self, trade: Trade) -> None:
        await self._repository.execute(_INSERT_TRADE, *_row(trade))

    async def _save(self, position: Position) -> None:
        key = (position.account_id, position.security)
        if await self._repository.query(_FIND_POSITION, *key):
            await self._repository.execute(_UPDATE_POSITION, position.quantity, *key)
        else:
            row = (*key, position.quantity, position.updated)
            await self._repository.execute(_INSERT_POSITION, *row)

    async def _book_at_once(self, trade: Trade, position: Position, change: int) -> Booking:
        settled = replace(trade, state="Settled")
        row = (position.account_id, position.security, change, position.updated)
        total = await self._repository.transaction(
            (_INSERT_TRADE, _row(settled)), (_ADD_TO_POSITION, row)
        )
        return Booking(trade=settled, position=replace(position, quantity=total[0][0]))


def trade_message(trade: Trade) -> dict[str, Any]:
    """Return a trade as the feed carries it: dates as numbers, nulls left out, a map's order."""
    names = ("accountId", "security", "side", "quantity", "created", "id", "state", "updated")
    return _message(trade.as_json(), names)


def position_message(position: Position) -> dict[str, Any]:
    """Return a position as the feed carries it."""
    return _message(position.as_json(), ("accountId", "security", "quantity", "updated"))


def _message(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    shown = {name: fields[name] for name in names if fields[name] is not None}
    for name in shown.keys() & {"created", "updated"}:
        shown[name] = round(datetime.fromisoformat(shown[name]).timestamp() * 1000)
    return shown


def _row(trade: Trade) -> tuple[Any, ...]:
    return (
        trade.id,
        trade.account_id,
        trade.security,
        trade.side,
        trade.state,
        trade.quantity,
        trade.updated,
        trade.created,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _to_int32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31
