"""Packets of Socket.IO protocol 5, as texts; packets with binary attachments are not understood."""

import json
import re
from dataclasses import dataclass
from typing import Any

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = "01234"
_PACKET = re.compile(r"(?P<kind>[0-4])(?:(?P<namespace>/[^,]*),)?(?P<id>\d+)?", re.ASCII)
_RESERVED = {
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
}


class PacketError(Exception):
    """The text is no packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet; `data` is None where there is none."""

    kind: str
    namespace: str = "/"
    data: Any = None


def decode(text: str) -> Packet:
    """Read a packet.

    Raises:
        PacketError: It is none, or an event without a name that an application may use.
    """
    match = _PACKET.match(text)
    if match is None:
        raise PacketError(text[:80])
    rest = text[match.end() :]
    try:
        data = json.loads(rest, parse_float=_number) if rest else None
    except ValueError as error:
        raise PacketError(text[:80]) from error
    kind = match["kind"]
    if kind == EVENT and not _is_event(data):
        raise PacketError(text[:80])
    return Packet(kind=kind, namespace=match["namespace"] or "/", data=data)


def encode(packet: Packet) -> str:
    """Write a packet."""
    namespace = "" if packet.namespace == "/" else f"{packet.namespace},"
    data = "" if packet.data is None else _compact(packet.data)
    return f"{packet.kind}{namespace}{data}"


def event(name: str, *args: object) -> str:
    """Write an event of the default namespace."""
    return encode(Packet(kind=EVENT, data=[name, *args]))


def _is_event(data: Any) -> bool:
    if not isinstance(data, list) or not data:
        return False
    name = data[0]
    return isinstance(name, int | float) or (isinstance(name, str) and name not in _RESERVED)


def _number(text: str) -> int | float:
    # JavaScript has one kind of number and writes 1.0 as 1.
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
