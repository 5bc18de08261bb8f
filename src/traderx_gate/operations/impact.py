"""Impact: what the users of an environment get, measured in a few seconds, before and after."""

import contextlib
import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from traderx_gate import traderx
from traderx_gate.application import Service
from traderx_gate.errors import GateError
from traderx_gate.settings import Settings
from traderx_gate.traderx import RESERVED_ACCOUNT, Order, Positions, Side, Trading
from traderx_gate.waiting import Deadline, polling

REQUESTS = 5
"""To each service, one after another."""
SETTLEMENT_S = 3.0
"""An idle TraderX settles within a second; whoever rolls back does not wait for more."""
POLL_S = 0.1
QUANTITY = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a service answered.

    Attributes:
        failed: How many of `sent` were not what the service's contract says.
        seen: The first of those, or of all.
    """

    service: str
    sent: int
    failed: int
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What became of an order and its opposite; none are sent where the policy forbids it."""

    sent: int
    accepted: int
    settled: int

    def __str__(self) -> str:
        """Return it in words."""
        if not self.sent:
            return "none sent"
        return f"{self.sent} sent, {self.accepted} accepted, {self.settled} settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """One measurement."""

    at: dt.datetime
    answers: tuple[Answers, ...]
    orders: Orders

    @property
    def error_rate(self) -> float:
        """The share of requests that failed, of all services; 1 where none was sent."""
        sent = sum(answer.sent for answer in self.answers)
        return sum(answer.failed for answer in self.answers) / sent if sent else 1.0

    def __str__(self) -> str:
        """Return the rate, the services that failed, and the orders."""
        failing = ", ".join(a.service for a in self.answers if a.failed)
        told = f"{self.error_rate:.0%} of requests failed"
        return f"{told}{f' ({failing})' if failing else ''}; orders: {self.orders}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "at": self.at.isoformat(),
            "error_rate": self.error_rate,
            "services": [
                {"service": a.service, "sent": a.sent, "failed": a.failed, "seen": a.seen}
                for a in self.answers
            ],
            "orders": {
                "sent": self.orders.sent,
                "accepted": self.orders.accepted,
                "settled": self.orders.settled,
            },
        }


def measure(settings: Settings, environment: str, *, orders: bool) -> Impact:
    """Ask every service a few times, all at once; send an order and its opposite if allowed."""
    services = settings.application().services
    at = dt.datetime.now(dt.UTC)
    with ThreadPoolExecutor(max_workers=len(services) + 1) as pool:
        ordering = pool.submit(_order, settings, environment) if orders else None
        answers = pool.map(lambda service: _ask(settings, environment, service), services)
        return Impact(
            at=at,
            answers=tuple(answers),
            orders=ordering.result() if ordering else Orders(sent=0, accepted=0, settled=0),
        )


def _ask(settings: Settings, environment: str, service: Service) -> Answers:
    with contextlib.closing(settings.connect(environment)) as deployed:
        try:
            ask = deployed.ask(service)
        except GateError as error:
            return Answers(service=service.slug, sent=1, failed=1, seen=str(error))
        found = [traderx.identify(ask, service) for _ in range(REQUESTS)]
    wrong = [answer for answer in found if not answer.matches]
    return Answers(
        service=service.slug, sent=len(found), failed=len(wrong), seen=(wrong or found)[0].seen
    )


def _order(settings: Settings, environment: str) -> Orders:
    with contextlib.closing(settings.connect(environment)) as deployed:
        service = deployed.application.service
        try:
            trading = Trading(deployed.url(service("trade-service")))
            positions = Positions(deployed.url(service("position-service")))
        except GateError:
            return Orders(sent=2, accepted=0, settled=0)
        known = {trade.id for trade in positions.trades(RESERVED_ACCOUNT).value or ()}
        accepted = sum(trading.submit(order).value == 200 for order in _pair())
        settled = 0
        if accepted:
            for settled in polling(
                lambda: _settled(positions, known), every_s=POLL_S, deadline=Deadline(SETTLEMENT_S)
            ):
                if settled >= accepted:
                    break
    return Orders(sent=2, accepted=accepted, settled=settled)


def _pair() -> Sequence[Order]:
    return [
        Order(account_id=RESERVED_ACCOUNT, security="IBM", side=side, quantity=QUANTITY)
        for side in (Side.BUY, Side.SELL)
    ]


def _settled(positions: Positions, known: set[str]) -> int:
    trades = positions.trades(RESERVED_ACCOUNT).value or ()
    return sum(trade.id not in known and trade.state == "Settled" for trade in trades)
