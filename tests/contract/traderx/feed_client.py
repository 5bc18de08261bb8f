"""Clients of the feed, made of python-socketio, which shares no code with the stand-ins."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import engineio
import requests
import socketio
import websocket

PORT = 18086
DEADLINE_S = 20.0
RECONNECT_S = 0.05
MARK = "/mark/"
"""Topics by which a client learns that what was sent before has come; no part of what it saw."""


class _OrderedEngine(engineio.Client):  # type: ignore[misc]
    """Handles messages where they are read; the library gives each a thread, in no order."""

    def _trigger_event(self, event: str, *args: Any, **_: Any) -> Any:
        return super()._trigger_event(event, *args, run_async=False)


class _OrderedClient(socketio.Client):  # type: ignore[misc]
    def _engineio_client_class(self) -> type[engineio.Client]:
        return _OrderedEngine


class FeedClient:
    """A client that keeps what it receives and subscribes to its topics at every connection."""

    def __init__(self, address: str, topics: Sequence[str], transports: Sequence[str]) -> None:
        self.topics = topics
        self.messages: list[dict[str, Any]] = []
        self.connections = 0
        self.disconnections = 0
        self._marks: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._http = requests.Session()
        self._sockets: list[websocket.WebSocket] = []
        self._client = _OrderedClient(
            http_session=self._http,
            reconnection_delay=RECONNECT_S,
            reconnection_delay_max=RECONNECT_S,
            websocket_extra_options={"class_": self._new_socket},
        )
        self._client.on("connect", self._on_connect)
        self._client.on("disconnect", self._on_disconnect)
        self._client.on("publish", self._on_publish)
        self._client.connect(f"http://{address}:{PORT}", transports=list(transports))

    @property
    def sid(self) -> str:
        """The id by which the feed knows it."""
        return str(self._client.get_sid())

    @property
    def transport(self) -> str:
        """The transport in use."""
        return str(self._client.transport())

    def emit(self, event: str, *args: object) -> None:
        """Send an event."""
        self._client.emit(event, args)

    def publish(self, topic: str, payload: object, **fields: object) -> None:
        """Send a publish event as the services do."""
        self.emit("publish", {"topic": topic, "payload": payload, **fields})

    def hears(self, topic: str) -> bool:
        """Whether the feed has said that this connection is in a topic."""
        text = f"New Joiner {self.sid} to topic {topic}"
        return any(m.get("payload") == {"message": text} for m in (*self.messages, *self._marks))

    def of(self, message_type: str) -> list[dict[str, Any]]:
        """Return what came of one type."""
        return [message for message in self.messages if message["type"] == message_type]

    def payloads(self) -> list[Any]:
        """Return the payloads of what came and is no notice of the feed."""
        return [message["payload"] for message in self.messages if message["from"] != "System"]

    def await_(self, is_met: Callable[[], bool]) -> None:
        """Return once something is true of what came."""
        with self._changed:
            assert self._changed.wait_for(is_met, DEADLINE_S), self.messages

    def await_back(self) -> None:
        """Return once it has connected a second time and hears its topics again."""
        self.await_(lambda: self.connections == 2 and all(map(self.hears, self.topics)))

    def await_disconnected(self) -> None:
        """Return once the connection is known to be lost."""
        self.await_(lambda: self.disconnections > 0)

    def flush(self, publisher: "FeedClient") -> None:
        """Return once all that the publisher has sent so far has come, or never will."""
        topic = f"{MARK}{self.sid}"
        if not self.hears(topic):
            self.emit("subscribe", topic)
            self.await_(lambda: self.hears(topic))
        number = len(self._marks)
        publisher.publish(topic, number)
        self.await_(lambda: any(mark["payload"] == number for mark in self._marks))

    def close(self) -> None:
        """Leave; the library leaves sockets open that the other side has closed."""
        self._client.disconnect()
        # a connection that was lost is tried again for ever, beside all later tests
        self._client.shutdown()
        self._http.close()
        for socket in self._sockets:
            socket.shutdown()  # type: ignore[no-untyped-call]

    def _new_socket(self, **options: Any) -> websocket.WebSocket:
        """Keep every socket, also those of attempts that failed."""
        socket = websocket.WebSocket(**options)
        self._sockets.append(socket)
        return socket

    def _on_connect(self) -> None:
        with self._changed:
            self.connections += 1
            self._changed.notify_all()
        for topic in self.topics:
            self._client.emit("subscribe", topic)

    def _on_disconnect(self) -> None:
        with self._changed:
            self.disconnections += 1
            self._changed.notify_all()

    def _on_publish(self, message: dict[str, Any]) -> None:
        with self._changed:
            is_mark = str(message.get("topic")).startswith(MARK)
            (self._marks if is_mark else self.messages).append(message)
            self._changed.notify_all()


@contextmanager
def connected(
    address: str, *topics: str, transports: Sequence[str] = ("websocket",)
) -> Iterator[FeedClient]:
    """Give a client that hears its topics already."""
    client = FeedClient(address, topics, transports)
    try:
        client.await_(lambda: all(client.hears(topic) for topic in topics))
        yield client
    finally:
        client.close()
