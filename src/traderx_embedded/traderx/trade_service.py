"""Stand-in of trade-service: checks an order, hands it to the feed, and keeps nothing."""

import uuid
from dataclasses import replace
from typing import Any

from traderx_embedded.traderx import http_server, program, spring, springdoc
from traderx_embedded.traderx.event_thread import EventThread
from traderx_embedded.traderx.feed_socket import FeedSocket
from traderx_embedded.traderx.peer import Peer
from traderx_embedded.traderx.spring import Call, Route, StatusError
from traderx_embedded.traderx.switches import (
    SLOW,
    UNAVAILABLE,
    WRONG_APPLICATION,
    Effect,
    Switch,
    Switches,
    defective,
)
from traderx_embedded.traderx.trade_checks import SWITCHES as CHECKS
from traderx_embedded.traderx.trade_checks import Checks
from traderx_embedded.traderx.trade_order import TradeOrder

PUBLISHED_PORT = 18092
TOPIC = "/trades"
PUBLISH_NOTHING = Switch(
    name="publish-nothing", meaning="orders are accepted and not handed to the feed"
)
PUBLISH_TWICE = Switch(name="publish-twice", meaning="orders are handed to the feed twice")
PUBLISH_WRONG_QUANTITY = Switch(
    name="publish-wrong-quantity", meaning="the feed gets one more than was ordered"
)
REPAIR_ORDER_IDS = Switch(
    name="repair-order-ids",
    meaning="every order gets an id of its own, by which trade-processor can know it again",
    effect=Effect.REPAIR,
)
REPAIR_VALIDATION = Switch(
    name="repair-validation",
    meaning="an order without side or without a positive quantity is refused with 400",
    effect=Effect.REPAIR,
)
SWITCHES = (
    UNAVAILABLE,
    WRONG_APPLICATION,
    SLOW,
    *CHECKS,
    PUBLISH_NOTHING,
    PUBLISH_TWICE,
    PUBLISH_WRONG_QUANTITY,
    REPAIR_ORDER_IDS,
    REPAIR_VALIDATION,
)


class TradeOrderController:
    """The route `/trade/`."""

    def __init__(self, checks: Checks, publisher: FeedSocket, switches: Switches) -> None:
        self._checks = checks
        self._publisher = publisher
        self._switches = switches

    async def create(self, call: Call) -> dict[str, Any]:
        """Take an order: 200 says that it was handed to the feed, not that it will be booked."""
        order = TradeOrder.from_request(call.request)
        if self._switches.is_on(REPAIR_VALIDATION):
            _validate(order)
        await self._checks.check(order.security, order.account_id)
        if not self._publisher.is_connected:
            raise StatusError(500, f"Cannot send {order} on topic {TOPIC} - not connected")
        self._publish(order)
        return order.as_json()

    def _publish(self, order: TradeOrder) -> None:
        on = self._switches.is_on
        if on(PUBLISH_NOTHING):
            return
        if on(PUBLISH_WRONG_QUANTITY):
            order = replace(order, quantity=(order.quantity or 0) + 1)
        if on(REPAIR_ORDER_IDS):
            order = replace(order, id=str(uuid.uuid4()))
        message = {"topic": TOPIC, "type": "TradeOrder", "payload": order.as_message()}
        for _ in range(2 if on(PUBLISH_TWICE) else 1):
            self._publisher.emit("publish", message)


def _validate(order: TradeOrder) -> None:
    if order.side is None or order.quantity is None or order.quantity <= 0:
        raise StatusError(400, f"side and a positive quantity are needed: {order}")


async def _start(switches: Switches) -> tuple[program.Port, ...]:
    port = program.port_variable("TRADING_SERVICE_PORT", PUBLISHED_PORT)
    checks = Checks(
        Peer.from_environment(
            url="REFERENCE_DATA_SERVICE_URL", host="REFERENCE_DATA_HOST", port=18085
        ),
        Peer.from_environment(url="ACCOUNT_SERVICE_URL", host="ACCOUNT_SERVICE_HOST", port=18088),
        switches,
    )
    publisher = FeedSocket("publisher", EventThread())
    # Where the feed is up, the real one is connected before it opens its port.
    await publisher.await_first_attempt()
    controller = TradeOrderController(checks, publisher, switches)
    route = Route(prefix="/trade/", has_variable=False, methods={"POST": controller.create})
    pages = springdoc.pages(
        "trade-service", published_port=PUBLISHED_PORT, port=port, formats=("json",)
    )
    # The library that would write YAML is excluded from this service.
    application = spring.Application([route], pages, broken_pages=frozenset({"/v3/api-docs.yaml"}))
    handler = defective(application.handle, switches, failure=spring.failure)
    server = await http_server.listen(handler, host=program.bind_address(), port=port)
    return (program.Port(name="http", server=server),)


if __name__ == "__main__":
    program.run("trade-service", _start, switches=Switches(SWITCHES))
