"""The order that trade-service takes and trade-processor books."""

from dataclasses import dataclass
from typing import Any, Self

from traderx_embedded.traderx import jackson, spring
from traderx_embedded.traderx.http_server import Request
from traderx_embedded.traderx.spring import StatusError

SIDES = ("Buy", "Sell")
FIELDS = {"id", "state", "security", "quantity", "accountId", "side"}
INTEGER = "java.lang.Integer"


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOrder:
    """An order; everything that a client leaves out is None."""

    id: str | None
    state: str | None
    security: str | None
    quantity: int | None
    account_id: int | None
    side: str | None

    @classmethod
    def from_request(cls, request: Request) -> Self:
        """Read the body of a request.

        Raises:
            StatusError: 415 or 400.
        """
        try:
            fields = jackson.read_bean(
                request.headers.get("content-type"),
                request.body,
                bean="TradeOrder",
                signature="TradeOrder",
            )
            return cls.from_bean(fields)
        except jackson.UnsupportedTypeError as error:
            raise StatusError(415, str(error), ("Accept", spring.READABLE)) from error
        except jackson.BindingError as error:
            raise StatusError(400, str(error)) from error

    @classmethod
    def from_bean(cls, fields: dict[str, Any]) -> Self:
        """Read the fields with Jackson's coercions.

        Raises:
            jackson.BindingError: One of them is no value of its type.
        """
        get = fields.get
        return cls(
            id=jackson.to_string(get("id")),
            state=jackson.to_string(get("state")),
            security=jackson.to_string(get("security")),
            quantity=jackson.to_int(get("quantity"), INTEGER),
            account_id=jackson.to_int(get("accountId"), INTEGER),
            side=jackson.to_enum(get("side"), SIDES, "TradeSide"),
        )

    def as_json(self) -> dict[str, Any]:
        """Return what goes over HTTP: nulls are shown."""
        return {
            "id": self.id,
            "state": self.state,
            "security": self.security,
            "quantity": self.quantity,
            "accountId": self.account_id,
            "side": self.side,
        }

    def as_message(self) -> dict[str, Any]:
        """Return what goes over the feed: nulls are left out, and the order is a hash map's."""
        fields = self.as_json()
        names = ("accountId", "security", "side", "quantity", "id", "state")
        return {name: fields[name] for name in names if fields[name] is not None}
