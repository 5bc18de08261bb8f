"""trade-service, where orders go in, and position-service, where their effect is read."""

import enum
from dataclasses import dataclass
from typing import Any, Self

import requests

from traderx_gate.traderx.clients import EXCERPT, TIMEOUT_S, Reading, _each, _number, _read, _text
from traderx_gate.waiting import Deadline, polling

POLL_S = 0.1
RESERVED_ACCOUNT = 10031
"""`Internal Trading Book`: seeded without trades and positions; what we order is ordered for it."""


class Side(enum.Enum):
    """The side of an order."""

    BUY = "Buy"
    SELL = "Sell"

    @property
    def sign(self) -> int:
        """What a trade of this side does to the position."""
        return 1 if self is Side.BUY else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as trade-service takes it."""

    account_id: int
    security: str
    side: Side
    quantity: int

    def to_json(self) -> dict[str, Any]:
        """Return the body of POST /trade/."""
        return {
            "accountId": self.account_id,
            "security": self.security,
            "side": self.side.value,
            "quantity": self.quantity,
        }

    def __str__(self) -> str:
        """Return `Buy 7 IBM for 10031`."""
        return f"{self.side.value} {self.quantity} {self.security} for {self.account_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A booked trade. Its side and quantity may be missing: nothing at TraderX forbids that."""

    id: str
    account_id: int
    security: str
    side: str | None
    quantity: int | None
    state: str

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read position-service's form, which is also the feed's."""
        return cls(
            id=_text(value["id"]),
            account_id=_number(value["accountId"]),
            security=_text(value["security"]),
            side=value.get("side"),
            quantity=value.get("quantity"),
            state=_text(value["state"]),
        )

    def is_of(self, order: Order) -> bool:
        """Whether it could be the trade of an order; trades do not name theirs."""
        return (self.account_id, self.security, self.side, self.quantity) == (
            order.account_id,
            order.security,
            order.side.value,
            order.quantity,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How much of a security an account has; negative when short."""

    account_id: int
    security: str
    quantity: int

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read position-service's form, which is also the feed's."""
        return cls(
            account_id=_number(value["accountId"]),
            security=_text(value["security"]),
            quantity=_number(value["quantity"]),
        )


class Positions:
    """position-service, at port 18090. Its collections end with a slash, an account's do not."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def is_ready(self) -> Reading[bool]:
        """Read whether it finds any position; the status is 200 also where it finds none."""
        return _read(f"{self._base_url}/health/ready", lambda body: body.json() is True)

    def trades(self, account_id: int | None = None) -> Reading[tuple[Trade, ...]]:
        """Read the trades of an account, or of all."""
        return _read(
            f"{self._base_url}/trades/{'' if account_id is None else account_id}",
            lambda body: _each(body.json(), Trade.from_json),
        )

    def positions(self, account_id: int | None = None) -> Reading[tuple[Position, ...]]:
        """Read the positions of an account, or of all."""
        return _read(
            f"{self._base_url}/positions/{'' if account_id is None else account_id}",
            lambda body: _each(body.json(), Position.from_json),
        )

    def consistent(
        self, deadline: Deadline
    ) -> tuple[Reading[tuple[Trade, ...]], Reading[tuple[Position, ...]]]:
        """Read all trades and positions while none moved, or as they are when time is over.

        A position is stored after its trade and before the trade is settled: where all trades are
        settled and the same before and after, the positions read between belong to them.
        """
        for trades, positions, again in polling(
            lambda: (self.trades(), self.positions(), self.trades()),
            every_s=POLL_S,
            deadline=deadline,
        ):
            read = (trades, positions)
            settled = all(trade.state == "Settled" for trade in trades.value or ())
            if trades.value == again.value and settled:
                break
        return read


class Trading:
    """trade-service, at port 18092. Orders are not repeatable: each POST is another trade."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def submit(self, order: Order) -> Reading[int]:
        """Send an order; the value is the status of the answer."""
        return self.submit_raw(order.to_json())

    def submit_raw(self, body: Any) -> Reading[int]:
        """Send any body as an order; the value is the status of the answer."""
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy between us and what we judge
                response = session.post(f"{self._base_url}/trade/", json=body, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            return Reading(value=None, seen=f"no answer: {error}"[:300])
        seen = f"{response.status_code} {' '.join(response.text[:EXCERPT].split())}"
        return Reading(value=response.status_code, seen=seen)
