"""Trades and positions as position-service reads them from the database; it writes nothing."""

from dataclasses import dataclass
from typing import Any

from traderx_embedded.traderx.hibernate import Repository

# The columns are in the order of the fields below.
_TRADES = "select ID,AccountID,Security,Side,State,Quantity,Updated,Created from Trades"
_POSITIONS = "select AccountID,Security,Quantity,Updated from Positions"
# H2 returns rows as they were inserted, also by an index on the account; SQLite would sort them.
_AS_INSERTED = "order by rowid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A trade; what trade-processor took without checking may be null."""

    id: str
    account_id: int | None
    security: str | None
    side: str | None
    state: str
    quantity: int | None
    updated: str | None
    created: str | None

    def as_json(self) -> dict[str, Any]:
        """Return what goes over the wire."""
        return {
            "id": self.id,
            "accountId": self.account_id,
            "security": self.security,
            "side": self.side,
            "state": self.state,
            "quantity": self.quantity,
            "updated": self.updated,
            "created": self.created,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What an account holds of a security; `updated` is known of seeded rows only."""

    account_id: int | None
    security: str | None
    quantity: int
    updated: str | None

    def as_json(self) -> dict[str, Any]:
        """Return what goes over the wire."""
        return {
            "accountId": self.account_id,
            "security": self.security,
            "quantity": self.quantity,
            "updated": self.updated,
        }


class PositionStore:
    """What the repositories of position-service do."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def trades(self) -> list[Trade]:
        """Return all trades."""
        return _trades(await self._repository.execute(f"{_TRADES} {_AS_INSERTED}"))

    async def trades_of(self, account_id: int) -> list[Trade]:
        """Return an account's trades; none for an unknown account."""
        sql = f"{_TRADES} where AccountID=? {_AS_INSERTED}"
        return _trades(await self._repository.query(sql, account_id))

    async def positions(self) -> list[Position]:
        """Return all positions."""
        return _positions(await self._repository.execute(f"{_POSITIONS} {_AS_INSERTED}"))

    async def positions_of(self, account_id: int) -> list[Position]:
        """Return an account's positions; none for an unknown account."""
        sql = f"{_POSITIONS} where AccountID=? {_AS_INSERTED}"
        return _positions(await self._repository.query(sql, account_id))


def _trades(rows: list[list[Any]]) -> list[Trade]:
    return [Trade(**dict(zip(Trade.__slots__, row, strict=True))) for row in rows]


def _positions(rows: list[list[Any]]) -> list[Position]:
    return [Position(**dict(zip(Position.__slots__, row, strict=True))) for row in rows]
