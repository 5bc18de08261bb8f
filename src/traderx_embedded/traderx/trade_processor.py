"""Stand-in of trade-processor: books the orders of the feed, one after the other, and says so."""

import logging
from typing import Any

from traderx_embedded.traderx import http_server, jackson, program, spring, springdoc
from traderx_embedded.traderx.booking import (
    WIDENED,
    Booking,
    Bookkeeper,
    NoQuantityError,
    position_message,
    trade_message,
)
from traderx_embedded.traderx.event_thread import EventThread
from traderx_embedded.traderx.feed_socket import FeedSocket
from traderx_embedded.traderx.hibernate import Repository
from traderx_embedded.traderx.processor_switches import (
    BOOK_TWICE,
    IGNORE_ORDERS,
    PUBLISH_NOTHING,
    REPAIR_BUSY_PINGS,
    REPAIR_RESUBSCRIBE,
    SWITCHES,
)
from traderx_embedded.traderx.spring import Call, Route, StatusError, TextError
from traderx_embedded.traderx.switches import Switches, defective
from traderx_embedded.traderx.trade_order import FIELDS, TradeOrder

log = logging.getLogger(__name__)

PUBLISHED_PORT = 18091
TOPIC = "/trades"


class TradeService:
    """Books orders and publishes what became of them."""

    def __init__(
        self, bookkeeper: Bookkeeper, trades: FeedSocket, positions: FeedSocket, switches: Switches
    ) -> None:
        self._bookkeeper = bookkeeper
        self._trades = trades
        self._positions = positions
        self._switches = switches

    async def process(self, order: TradeOrder) -> Booking:
        """Book an order.

        Raises:
            TextError: The database refused it.
            NoQuantityError: It has no quantity.
        """
        if self._switches.is_on(BOOK_TWICE):
            self._publish(await self._bookkeeper.book(order))
        booking = await self._bookkeeper.book(order)
        self._publish(booking)
        return booking

    def _publish(self, booking: Booking) -> None:
        if self._switches.is_on(PUBLISH_NOTHING):
            return
        account = f"/accounts/{booking.trade.account_id}"
        for socket, kind, topic, payload in (
            (self._trades, "Trade", f"{account}/trades", trade_message(booking.trade)),
            (
                self._positions,
                "Position",
                f"{account}/positions",
                position_message(booking.position),
            ),
        ):
            if not socket.is_connected:
                log.error("cannot send on topic %s - not connected", topic)
                return
            socket.emit("publish", {"topic": topic, "type": kind, "payload": payload})


class TradeFeedHandler:
    """Takes the orders of the feed; whatever is wrong with one is logged and forgotten."""

    def __init__(self, service: TradeService, thread: EventThread, switches: Switches) -> None:
        self._service = service
        self._switches = switches
        self._was_connected = False
        self.socket = FeedSocket(
            "subscriber",
            thread,
            on_connect=self._on_connect,
            on_message=self._on_message,
            answers_pings_at_once=lambda: switches.is_on(REPAIR_BUSY_PINGS),
        )

    def _on_connect(self) -> None:
        # The real one subscribes once in its life, and hears nothing after a reconnection.
        if not self._was_connected or self._switches.is_on(REPAIR_RESUBSCRIBE):
            self.socket.emit("subscribe", TOPIC)
        self._was_connected = True

    async def _on_message(self, envelope: Any) -> None:
        if envelope.get("type") != "TradeOrder":
            return
        payload = envelope.get("payload")
        try:
            order = _order(payload)
            if not self._switches.is_on(IGNORE_ORDERS):
                await self._service.process(order)
        except (jackson.BindingError, NoQuantityError, TextError) as error:
            log.error("error handling incoming trade order %s: %s", payload, error)  # noqa: TRY400
        else:
            log.info("trade order handled: %s", payload)


class TradeServiceController:
    """The route `/tradeservice/order`."""

    def __init__(self, service: TradeService) -> None:
        self._service = service

    async def process(self, call: Call) -> dict[str, Any]:
        """Book an order that does not come from the feed."""
        order = TradeOrder.from_request(call.request)
        try:
            return (await self._service.process(order)).as_json()
        except (NoQuantityError, TextError) as error:
            raise StatusError(500, str(error)) from error


def _order(payload: Any) -> TradeOrder:
    if not isinstance(payload, dict) or not payload.keys() <= FIELDS:
        raise jackson.BindingError(f"unrecognized fields in {payload}")
    return TradeOrder.from_bean(payload)


async def _start(switches: Switches) -> tuple[program.Port, ...]:
    port = program.port_variable("TRADE_PROCESSOR_SERVICE_PORT", PUBLISHED_PORT)
    repository = await Repository.open()
    try:
        for statement in WIDENED:
            await repository.execute(statement)
    except TextError as error:
        raise program.StartError(str(error)) from error
    thread = EventThread()

    def at_once() -> bool:
        return switches.is_on(REPAIR_BUSY_PINGS)

    trades = FeedSocket("trade publisher", thread, answers_pings_at_once=at_once)
    positions = FeedSocket("position publisher", thread, answers_pings_at_once=at_once)
    service = TradeService(Bookkeeper(repository, switches), trades, positions, switches)
    subscriber = TradeFeedHandler(service, thread, switches).socket
    for socket in (trades, positions, subscriber):
        await socket.await_first_attempt()
    controller = TradeServiceController(service)
    route = Route(
        prefix="/tradeservice/order",
        has_variable=False,
        methods={"POST": controller.process},
        declares_json=False,
    )
    pages = springdoc.pages("trade-processor", published_port=PUBLISHED_PORT, port=port)
    application = spring.Application([route], pages)
    handler = defective(application.handle, switches, failure=spring.failure)
    server = await http_server.listen(handler, host=program.bind_address(), port=port)
    return (program.Port(name="http", server=server),)


if __name__ == "__main__":
    program.run("trade-processor", _start, switches=Switches(SWITCHES))
