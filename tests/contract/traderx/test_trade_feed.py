import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import websocket

from tests.contract.traderx import recorded_answer, stand_in_process
from tests.contract.traderx.feed_client import FeedClient, connected
from tests.contract.traderx.recorded_answer import Record
from tests.contract.traderx.stand_in_process import ADMIN, StandIn, ask, switched

PORT = 18086
TOPIC = "/accounts/22214/trades"
OWN_PAGE = {"feed.root", "feed.root.origin", "feed.head"}
"""Records of the inspector page: ours is another page than the real one's."""
RECORDS = recorded_answer.records("trade-feed")
TRANSPORTS = {
    "websocket": ["websocket"],
    "polling": ["polling"],
    "polling, then websocket": ["polling", "websocket"],
}
SHORT_PINGS = {"TRADERX_PING_INTERVAL_MS": "100", "TRADERX_PING_TIMEOUT_MS": "100"}
PINGS_SEEN = 5


@pytest.fixture(scope="module")
def feed() -> Iterator[StandIn]:
    """A running feed."""
    with stand_in_process.running(
        "trade-feed", stand_in_process.own_address(), **ADMIN
    ) as stand_in:
        yield stand_in


@pytest.fixture
def doomed_feed() -> Iterator[StandIn]:
    """A feed that a test may kill."""
    with stand_in_process.running(
        "trade-feed", stand_in_process.own_address(), **ADMIN
    ) as stand_in:
        yield stand_in


@pytest.fixture
def publisher(feed: StandIn) -> Iterator[FeedClient]:
    """A client that only publishes."""
    with connected(feed.address) as client:
        yield client


@pytest.fixture
def subscriber(feed: StandIn) -> Iterator[FeedClient]:
    """A client that listens to one topic."""
    with connected(feed.address, TOPIC) as client:
        yield client


@pytest.mark.parametrize(
    "record", [pytest.param(r, id=r.id) for r in RECORDS if r.id not in OWN_PAGE]
)
def test_recorded(record: Record, feed: StandIn) -> None:
    """The stand-in of trade-feed answers over plain HTTP as the real one did."""
    answer = recorded_answer.send(record, feed.address)
    assert recorded_answer.difference(record, answer) == []


@pytest.mark.parametrize("record", [pytest.param(r, id=r.id) for r in RECORDS if r.id in OWN_PAGE])
def test_inspector(record: Record, feed: StandIn) -> None:
    """The inspector page comes with the recorded headers; only the page itself is another one."""
    answer = recorded_answer.send(record, feed.address)
    found = recorded_answer.difference(record, answer)
    assert [text for text in found if "content-length" not in text and "SHA-256" not in text] == []


@pytest.mark.parametrize("name", OWN_PAGE)
def test_inspector_is_another(name: str, feed: StandIn) -> None:
    """The exception for the inspector page is there only as long as it is needed."""
    record = next(r for r in RECORDS if r.id == name)
    assert recorded_answer.difference(record, recorded_answer.send(record, feed.address)) != []


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
def test_envelope(transports: list[str], feed: StandIn) -> None:
    """Over every transport a message comes in the recorded envelope, other fields left out."""
    with connected(feed.address, TOPIC, transports=transports) as client:
        client.publish(TOPIC, {"quantity": 1}, type="Trade", date=1, **{"from": "me"})
        client.await_(lambda: bool(client.of("Trade")))
        (message,) = client.of("Trade")
        date = message.pop("date")
        assert (client.transport, list(message), message, date > 1) == (
            transports[-1],
            ["type", "from", "topic", "payload"],
            {"type": "Trade", "from": client.sid, "topic": TOPIC, "payload": {"quantity": 1}},
            True,
        )


def test_notice_of_joining(subscriber: FeedClient) -> None:
    """Who joins a topic hears a notice of it from the feed itself."""
    (notice,) = subscriber.messages
    notice.pop("date")
    text = f"New Joiner {subscriber.sid} to topic {TOPIC}"
    assert notice == {
        "type": "message",
        "from": "System",
        "topic": TOPIC,
        "payload": {"message": text},
    }


def test_every_subscriber(feed: StandIn, publisher: FeedClient) -> None:
    """A message goes to all subscribers of its topic and to nobody else, the publisher included."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(connected(feed.address, topic))
            for topic in (TOPIC, TOPIC, "/*", "/accounts/1/trades")
        ]
        publisher.publish(TOPIC, "hello")
        for client in (*clients, publisher):
            client.flush(publisher)
        seen = [client.payloads() for client in (*clients, publisher)]
    assert seen == [["hello"], ["hello"], ["hello"], [], []]


def test_one_copy(feed: StandIn, publisher: FeedClient) -> None:
    """Who listens to a topic and to everything gets one copy."""
    with connected(feed.address, TOPIC, "/*") as client:
        publisher.publish(TOPIC, "hello")
        client.flush(publisher)
        assert client.payloads() == ["hello"]


def test_no_replay(feed: StandIn, publisher: FeedClient) -> None:
    """Who joins late hears nothing of what was before."""
    publisher.publish(TOPIC, "early")
    with connected(feed.address, TOPIC) as client:
        client.flush(publisher)
        assert client.payloads() == []


def test_correct_spelling_is_ignored(publisher: FeedClient, subscriber: FeedClient) -> None:
    """Correctly spelt, unsubscribe has no effect."""
    subscriber.emit("unsubscribe", TOPIC)
    subscriber.flush(subscriber)
    publisher.publish(TOPIC, "after")
    subscriber.flush(publisher)
    assert subscriber.payloads() == ["after"]


def test_misspelt_is_understood(publisher: FeedClient, subscriber: FeedClient) -> None:
    """Misspelt, it ends the subscription, and the leaver still hears of its own leaving."""
    subscriber.emit("unusbscribe", TOPIC)
    subscriber.flush(subscriber)
    publisher.publish(TOPIC, "after")
    subscriber.flush(publisher)
    texts = [m["payload"]["message"] for m in subscriber.messages]
    assert texts[1:] == [f"{subscriber.sid} has left {TOPIC}"]


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ({"payload": 1}, {"type": "message", "payload": 1}),
        ({"topic": None}, {"type": "message", "topic": None}),
        ({"type": "", "topic": 5}, {"type": "message", "topic": 5}),
        ("no object", {"type": "message"}),
        ({"type": {"a": 1.0}}, {"type": {"a": 1}}),
    ],
)
def test_odd_messages(
    message: object, fields: dict[str, object], feed: StandIn, publisher: FeedClient
) -> None:
    """What is no proper message is passed on with what it has, to those who hear everything."""
    with connected(feed.address, "/*") as client:
        publisher.emit("publish", message)
        client.flush(publisher)
        (envelope,) = [m for m in client.messages if m["from"] == publisher.sid]
    kept = {name: value for name, value in envelope.items() if name not in {"from", "date"}}
    assert json.dumps(kept) == json.dumps(fields)  # as text, where 1 is not 1.0


def test_own_id_is_a_topic(publisher: FeedClient, subscriber: FeedClient) -> None:
    """A message on a client's own id reaches it, as every Socket.IO client is in that room."""
    publisher.publish(subscriber.sid, "you")
    subscriber.flush(publisher)
    assert subscriber.payloads() == ["you"]


def test_order_is_kept(publisher: FeedClient, subscriber: FeedClient) -> None:
    """All of many messages come, in their order."""
    for number in range(500):
        publisher.publish(TOPIC, number)
    subscriber.flush(publisher)
    assert subscriber.payloads() == list(range(500))


@pytest.mark.parametrize("arguments", [(), (None,)])
def test_empty_publish_kills(arguments: tuple[object, ...], doomed_feed: StandIn) -> None:
    """A publish event without a message ends the feed with exit code 1."""
    with connected(doomed_feed.address) as client:
        client.emit("publish", *arguments)
        assert doomed_feed.await_exit() == 1


def test_restart_forgets_rooms(doomed_feed: StandIn) -> None:
    """After a restart clients are back by themselves, and hear only what they ask for again."""
    address = doomed_feed.address
    with connected(address, TOPIC) as client:
        client.topics = ()
        doomed_feed.stop()
        with (
            stand_in_process.running("trade-feed", address),
            connected(address) as publisher,
        ):
            client.await_(lambda: client.connections == 2)
            publisher.publish(TOPIC, "after")
            client.flush(publisher)
            assert client.payloads() == []


@contextmanager
def opened(address: str) -> Iterator[websocket.WebSocket]:
    """A raw WebSocket whose Socket.IO connection is not made yet."""
    url = f"ws://{address}:{PORT}/socket.io/?EIO=4&transport=websocket"
    raw: websocket.WebSocket = websocket.create_connection(url, timeout=20)
    try:
        assert json.loads(raw.recv()[1:])["upgrades"] == []
        yield raw
    finally:
        raw.shutdown()  # type: ignore[no-untyped-call]


def until_closed(raw: websocket.WebSocket) -> list[str]:
    """Return what comes until the other side closes."""
    texts = []
    while text := raw.recv():
        texts.append(str(text))
    return texts


def test_silent_client_is_dropped() -> None:
    """Who does not answer a ping is dropped."""
    address = stand_in_process.own_address()
    with (
        stand_in_process.running("trade-feed", address, **SHORT_PINGS),
        opened(address) as raw,
    ):
        assert until_closed(raw) == ["2"]


def test_answering_client_stays() -> None:
    """Who answers every ping stays."""
    address = stand_in_process.own_address()
    with (
        stand_in_process.running("trade-feed", address, **SHORT_PINGS),
        opened(address) as raw,
    ):
        for _ in range(PINGS_SEEN):
            assert raw.recv() == "2"
            raw.send("3")


@pytest.mark.parametrize(
    "packet",
    ["4x", "42", '42["connect"]', '42["publish",{}]', '42["publish",', "2", "7", '451-["publish"]'],
)
def test_nonsense_is_refused(packet: str, feed: StandIn) -> None:
    """What is no packet, or comes before the connection to a namespace, closes the socket."""
    with opened(feed.address) as raw:
        raw.send(packet)
        assert until_closed(raw) == []


def test_only_one_namespace(feed: StandIn) -> None:
    """Another namespace than the default one is refused, and the socket stays open."""
    with opened(feed.address) as raw:
        raw.send("40/admin,")
        assert raw.recv() == '44/admin,{"message":"Invalid namespace"}'
        raw.send("40")
        assert str(raw.recv()).startswith('40{"sid":"')


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("POST", "EIO=4&transport=polling", 2),
        ("GET", "EIO=4&transport=websocket", 3),
        ("PUT", "EIO=4&transport=polling&sid={sid}", 3),
        ("GET", "EIO=4&transport=websocket&sid={sid}", 3),
    ],
)
def test_refusals(method: str, query: str, code: int, feed: StandIn) -> None:
    """A request that fits no state of its session is refused in the server's own way."""
    path = "/socket.io/?EIO=4&transport=polling"
    session = json.loads(ask(feed.address, PORT, "GET", path)[1][1:])["sid"]
    status, body = ask(feed.address, PORT, method, f"/socket.io/?{query.format(sid=session)}")
    assert (status, json.loads(body)["code"]) == (400, code)


def test_lose_some(doomed_feed: StandIn) -> None:
    """A feed that loses messages loses every third."""
    with (
        switched(doomed_feed, "lose-some"),
        connected(doomed_feed.address, TOPIC) as client,
    ):
        for number in range(1, 8):
            client.publish(TOPIC, number)
        client.await_(lambda: 7 in client.payloads())
        assert client.payloads() == [1, 2, 4, 5, 7]


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        ("lose-trades", [("Position", 2)]),
        ("duplicate-all", [("Trade", 1), ("Trade", 1), ("Position", 2), ("Position", 2)]),
        ("duplicate-trades", [("Trade", 1), ("Trade", 1), ("Position", 2)]),
    ],
)
def test_defects(
    switch: str,
    expected: list[tuple[str, int]],
    feed: StandIn,
    publisher: FeedClient,
    subscriber: FeedClient,
) -> None:
    """A feed can be made to lose or to repeat messages, of one kind or of all."""
    with switched(feed, switch):
        publisher.publish(TOPIC, 1, type="Trade")
        publisher.publish(TOPIC, 2, type="Position")
        subscriber.flush(publisher)
    seen = [(m["type"], m["payload"]) for m in subscriber.messages if m["from"] != "System"]
    assert seen == expected


def test_ignored_subscription(feed: StandIn, publisher: FeedClient) -> None:
    """A feed can be made to announce a subscription and deliver nothing."""
    with connected(feed.address, "/*") as witness, connected(feed.address) as client:
        with switched(feed, "ignore-subscriptions"):
            client.emit("subscribe", TOPIC)
            witness.await_(lambda: any(m.get("topic") == TOPIC for m in witness.messages))
        publisher.publish(TOPIC, 1)
        client.flush(publisher)
        witness.flush(publisher)
        assert (client.payloads(), witness.payloads()) == ([], [1])


def test_repair_empty_publish(feed: StandIn, subscriber: FeedClient) -> None:
    """Repaired, the feed survives a publish event without a message."""
    with switched(feed, "repair-empty-publish"):
        subscriber.emit("publish")
        subscriber.flush(subscriber)
    assert feed.process.poll() is None


def test_repair_unsubscribe(feed: StandIn, publisher: FeedClient, subscriber: FeedClient) -> None:
    """Repaired, the feed understands the correct spelling."""
    with switched(feed, "repair-unsubscribe"):
        subscriber.emit("unsubscribe", TOPIC)
        subscriber.flush(subscriber)
    publisher.publish(TOPIC, "after")
    subscriber.flush(publisher)
    assert subscriber.payloads() == []


def test_repair_lost_orders(feed: StandIn, publisher: FeedClient) -> None:
    """Repaired, the feed keeps orders that nobody hears for the next who subscribes, once."""
    topic = "/trades/kept"
    with switched(feed, "repair-lost-orders"):
        publisher.publish(topic, 1, type="TradeOrder")
        publisher.publish(topic, 2, type="Trade")
        publisher.flush(publisher)
        with connected(feed.address, topic) as first, connected(feed.address, topic) as second:
            first.flush(publisher)
            second.flush(publisher)
            publisher.publish(topic, 3, type="TradeOrder")
            publisher.flush(publisher)
            with connected(feed.address, topic) as third:
                third.flush(publisher)
                assert (first.payloads(), second.payloads(), third.payloads()) == ([1, 3], [3], [])


def test_switch_says_what_it_is(feed: StandIn) -> None:
    """The admin port says of a switch whether it is a defect or a repair."""
    admin = feed.port("admin")
    said = [
        json.loads(ask(feed.address, admin, "GET", f"/switches/{name}")[1])["effect"]
        for name in ("lose-some", "repair-lost-orders")
    ]
    assert said == ["defect", "repair"]
