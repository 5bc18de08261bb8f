"""Stand-in of trade-feed: publish and subscribe over Socket.IO, nothing kept, nothing confirmed."""

import logging
import os
import secrets
from collections import defaultdict
from typing import Any

from traderx_embedded.traderx import (
    feed_envelope,
    feed_site,
    http_server,
    program,
    socketio_packet,
)
from traderx_embedded.traderx.engine_server import EngineServer
from traderx_embedded.traderx.engine_session import Heartbeat, Session
from traderx_embedded.traderx.feed_switches import (
    IGNORE_SUBSCRIPTIONS,
    REPAIR_EMPTY_PUBLISH,
    REPAIR_LOST_ORDERS,
    REPAIR_UNSUBSCRIBE,
    SWITCHES,
    Delivery,
)
from traderx_embedded.traderx.socketio_packet import Packet, PacketError
from traderx_embedded.traderx.switches import Switches, defective

log = logging.getLogger(__name__)

EVERYTHING = feed_envelope.room(["/*"])
MISSPELT = "unusbscribe"


class Member:
    """A client of the default namespace and the rooms that it is in."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sid = secrets.token_urlsafe(15)
        self.rooms = {feed_envelope.room([self.sid])}


class TradeFeed:
    """Members, their rooms, and the messages between them."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._delivery = Delivery(switches)
        self._members: dict[Session, Member] = {}
        self._unheard: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    def received(self, session: Session, text: str) -> None:
        """Take a message of a client."""
        try:
            packet = socketio_packet.decode(text)
        except PacketError as error:
            session.close(f"parse error: {error}")
            return
        if packet.kind == socketio_packet.CONNECT:
            self._connect(session, packet)
        elif session not in self._members or packet.namespace != "/":
            session.close("a packet of no namespace")
        elif packet.kind == socketio_packet.DISCONNECT:
            del self._members[session]
        elif packet.kind == socketio_packet.EVENT:
            name, *arguments = packet.data
            self._handle(self._members[session], name, arguments)

    def closed(self, session: Session) -> None:
        """Forget the client; nobody is told."""
        self._members.pop(session, None)

    def _connect(self, session: Session, packet: Packet) -> None:
        kind, data = socketio_packet.CONNECT_ERROR, {"message": "Invalid namespace"}
        if packet.namespace == "/":
            member = self._members.setdefault(session, Member(session))
            log.info("New Connection from %s", member.sid)
            kind, data = socketio_packet.CONNECT, {"sid": member.sid}
        answer = Packet(kind=kind, namespace=packet.namespace, data=data)
        session.send(socketio_packet.encode(answer))

    def _handle(self, member: Member, name: str, arguments: list[Any]) -> None:
        if name == "publish":
            self._publish(member, arguments[0] if arguments else None)
        elif name == "subscribe":
            room = feed_envelope.room(arguments)
            if not self._switches.is_on(IGNORE_SUBSCRIPTIONS):
                member.rooms.add(room)
            text = f"New Joiner {member.sid} to topic {{topic}}"
            self._broadcast("System", feed_envelope.notice(arguments, text))
            for envelope in self._unheard.pop(room, []):
                _send(member, envelope)
        elif name == MISSPELT or (
            name == "unsubscribe" and self._switches.is_on(REPAIR_UNSUBSCRIBE)
        ):
            text = f"{member.sid} has left {{topic}}"
            self._broadcast("System", feed_envelope.notice(arguments, text))
            member.rooms.discard(feed_envelope.room(arguments))

    def _publish(self, member: Member, message: Any) -> None:
        try:
            self._broadcast(member.sid, message)
        except feed_envelope.UndefinedError as error:
            if self._switches.is_on(REPAIR_EMPTY_PUBLISH):
                log.warning("publish without a message from %s ignored", member.sid)
            else:
                program.crash(f"Uncaught TypeError: {error}")

    def _broadcast(self, sender: str, message: Any) -> None:
        envelope = feed_envelope.envelope(sender, message)
        log.info("Publish %s -> %s", envelope.get("topic"), envelope)
        room = feed_envelope.room([envelope["topic"]] if "topic" in envelope else [])
        for _ in range(self._delivery.copies(envelope)):
            for member in [m for m in self._members.values() if m.rooms & {room, EVERYTHING}]:
                _send(member, envelope)
        if self._is_unheard(room, envelope) and self._switches.is_on(REPAIR_LOST_ORDERS):
            self._unheard[room].append(envelope)

    def _is_unheard(self, room: str, envelope: dict[str, Any]) -> bool:
        heard = any(room in member.rooms for member in self._members.values())
        return envelope["type"] == "TradeOrder" and not heard


def _send(member: Member, envelope: dict[str, Any]) -> None:
    member.session.send(socketio_packet.event("publish", envelope))


def _heartbeat() -> Heartbeat:
    # Not known to the real feed: a test of a lost heartbeat cannot wait for three quarters of a
    # minute.
    return Heartbeat(
        interval_ms=int(os.environ.get("TRADERX_PING_INTERVAL_MS", "25000")),
        timeout_ms=int(os.environ.get("TRADERX_PING_TIMEOUT_MS", "20000")),
    )


async def _start(switches: Switches) -> tuple[program.Port, ...]:
    site = feed_site.Site(EngineServer(_heartbeat(), TradeFeed(switches)))
    handler = defective(site.handle, switches, failure=feed_site.failure)
    port = program.port_variable("TRADE_FEED_PORT", 18086)
    server = await http_server.listen(handler, host=program.bind_address(), port=port)
    return (program.Port(name="http", server=server),)


if __name__ == "__main__":
    program.run("trade-feed", _start, switches=Switches(SWITCHES))
