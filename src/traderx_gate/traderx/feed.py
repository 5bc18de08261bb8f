"""trade-feed as a subscriber sees it: what is published on a topic, in order of arrival."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from traderx_gate.errors import UnreachableError
from traderx_gate.waiting import Deadline

CONNECT_TIMEOUT_S = 5
SYSTEM = "System"
"""Who the notices of the feed itself are from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as the feed delivers it.

    Attributes:
        type: `Trade`, `Position`, `TradeOrder` and so on.
        sender: A socket's id, or `System`.
        at: When it arrived, seconds of the monotonic clock.
    """

    topic: str
    type: str
    sender: str
    payload: Any
    at: float


@dataclass(slots=True, kw_only=True)
class Subscription:
    """What arrived since the subscription was confirmed."""

    _messages: list[Message] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def take(self, body: Any) -> None:
        """Keep a message; anything that is not in the feed's form is kept as it is."""
        body = body if isinstance(body, dict) else {"payload": body}
        message = Message(
            topic=str(body.get("topic", "")),
            type=str(body.get("type", "")),
            sender=str(body.get("from", "")),
            payload=body.get("payload"),
            at=time.monotonic(),
        )
        with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()

    def messages(self) -> tuple[Message, ...]:
        """Return what was published, without the feed's own notices."""
        with self._arrived:
            return tuple(m for m in self._messages if m.sender != SYSTEM)

    def is_confirmed(self, topics: frozenset[str]) -> bool:
        """Whether the feed has noticed the subscription to each topic."""
        return topics <= {m.topic for m in self._messages if m.sender == SYSTEM}

    def await_confirmation(self, topics: frozenset[str], deadline: Deadline) -> bool:
        """Wait until the feed has noticed the subscription; false if it did not in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self.is_confirmed(topics), deadline.remaining())

    def await_quiet(self, seconds: float, deadline: Deadline) -> tuple[Message, ...]:
        """Return what was published, once nothing has arrived for a while or time is over."""
        with self._arrived:
            known = -1
            while known != len(self._messages) and not deadline.is_over():
                known = len(self._messages)
                self._arrived.wait_for(
                    lambda known=known: len(self._messages) != known,  # type: ignore[misc]
                    min(seconds, deadline.remaining()),
                )
        return self.messages()


@contextmanager
def subscribed(base_url: str, *topics: str, deadline: Deadline) -> Iterator[Subscription]:
    """Listen to topics; the feed has confirmed each of them before this goes on.

    Raises:
        UnreachableError: The feed does not answer, or confirms no subscription.
    """
    subscription = Subscription()
    # polling would lose messages: the client gives up on answers of more than 16 packets
    # here, because it takes a fifth of a second that who asks no feed can do without
    import socketio  # noqa: PLC0415

    client = socketio.Client(reconnection=False, handle_sigint=False)
    client.on("publish", subscription.take)
    client.on("connect", lambda: [client.emit("subscribe", topic) for topic in topics])
    try:
        client.connect(base_url, transports=["websocket"], wait_timeout=CONNECT_TIMEOUT_S)
    except socketio.exceptions.ConnectionError as error:
        raise UnreachableError(f"trade-feed {base_url} takes no subscriber: {error}") from error
    try:
        if not subscription.await_confirmation(frozenset(topics), deadline):
            raise UnreachableError(
                f"trade-feed {base_url} did not confirm a subscription to {', '.join(topics)}"
            )
        yield subscription
    finally:
        client.disconnect()
