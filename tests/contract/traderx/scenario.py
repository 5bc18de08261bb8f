"""Recorded scenarios of the real feed: what three observers saw, and what was booked at the end."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.contract.traderx.feed_client import FeedClient, connected
from tests.contract.traderx.stack import POSITION_PORT, Stack
from tests.contract.traderx.stand_in_process import ask

Streams = Mapping[tuple[str, str], Sequence[str]]
"""Texts by type and topic: only within those the order is the feed's promise."""
_CHANGING = (
    (r'"(date|created|updated)":\d+', r'"\1":<epoch-ms>'),
    (r'"(updated|created)":"[^"]+"', r'"\1":"<date-iso>"'),
    (r'"from":"(?!System)[^"]+"', '"from":"<sid>"'),
    (r"New Joiner \S+ to", "New Joiner <sid> to"),
    (r'"[\w-]+ has left', '"<sid> has left'),
    (r'"id":"[0-9a-f-]{36}"', '"id":"<uuid>"'),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A recorded scenario, told of another account than the recorded one."""

    account: int
    steps: tuple[Mapping[str, Any], ...]
    observers: tuple[tuple[str, ...], ...]
    trades: str
    positions: str

    @classmethod
    def load(cls, name: str, *, account: int) -> Self:
        """Read a scenario."""
        (value,) = (s for s in recorded() if s["scenario"] == name)

        def told(text: str) -> str:
            return text.replace(str(value["account"]), str(account))

        return cls(
            account=account,
            steps=tuple(value["steps"]),
            observers=tuple(
                tuple(told(message["text"]) for message in observer["messages"])
                for observer in value["observers"]
            ),
            trades=told(value["trades_rest"]),
            positions=told(value["positions_rest"]),
        )

    def statuses(self) -> list[int]:
        """Return the recorded statuses of its orders."""
        return [step["http_status"] for step in self.steps if "http_status" in step]

    def bodies(self) -> list[Any]:
        """Return the recorded answers to its orders, as they are for this account."""
        recorded_account = re.compile(r'"accountId":650\d\d')
        texts = [step["body"] for step in self.steps if step.get("body")]
        told = (recorded_account.sub(f'"accountId":{self.account}', text) for text in texts)
        return [json.loads(_normal(text)) for text in told]

    def expected(self, observer: int, *, notices: bool = True) -> Streams:
        """Return what an observer saw, by type and topic."""
        return _streams(self.observers[observer], notices=notices)


def recorded() -> list[dict[str, Any]]:
    """Return all recorded scenarios."""
    text = Path(__file__).with_name("traderx-feed-recordings.json").read_text("utf-8")
    return list(json.loads(text))


@contextmanager
def observed(services: Stack, account: int) -> Iterator[list[FeedClient]]:
    """Give the three observers, connected in the recorded order."""
    topics = ("/*", f"/accounts/{account}/trades", f"/accounts/{account}/positions")
    with ExitStack() as stack:
        yield [stack.enter_context(connected(services.address, topic)) for topic in topics]


def seen(client: FeedClient, *, notices: bool = True) -> Streams:
    """Return what an observer of a test saw, by type and topic."""
    compact = (json.dumps(message, separators=(",", ":")) for message in client.messages)
    return _streams([_normal(text) for text in compact], notices=notices)


def await_as_many(clients: list[FeedClient], scenario: Scenario) -> None:
    """Return once every observer has as many messages as were recorded, and no more come."""
    for index, client in enumerate(clients):
        _await_sizes(client, _sizes(scenario.expected(index, notices=False)))
        client.flush(client)


def booked(services: Stack, account: int) -> tuple[str, str]:
    """Return trades and positions as position-service shows them."""
    pages = (
        ask(services.address, POSITION_PORT, "GET", f"/{kind}/{account}")[1]
        for kind in ("trades", "positions")
    )
    trades, positions = (_normal(page) for page in pages)
    return trades, positions


def normal(value: Any) -> Any:
    """Return an answer without what changes from time to time."""
    return json.loads(_normal(json.dumps(value, separators=(",", ":"))))


def _normal(text: str) -> str:
    for pattern, placeholder in _CHANGING:
        text = re.sub(pattern, placeholder, text)
    return text


def _streams(texts: Sequence[str], *, notices: bool) -> Streams:
    streams: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for text in texts:
        kind, topic = re.findall(r'"(?:type|topic)":"([^"]*)"', text)[:2]
        if notices or '"from":"System"' not in text:
            streams[kind, topic].append(text)
    return dict(streams)


def _sizes(streams: Streams) -> dict[tuple[str, str], int]:
    return {key: len(texts) for key, texts in streams.items()}


def _await_sizes(client: FeedClient, wanted: Mapping[tuple[str, str], int]) -> None:
    client.await_(lambda: _reaches(_sizes(seen(client, notices=False)), wanted))


def _reaches(found: Mapping[Any, int], wanted: Mapping[Any, int]) -> bool:
    return all(found.get(key, 0) >= number for key, number in wanted.items())
