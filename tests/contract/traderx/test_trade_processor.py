from collections.abc import Iterator

import pytest

from tests.contract.traderx import recorded_answer, sql_statement, stack
from tests.contract.traderx.recorded_answer import Record
from tests.contract.traderx.stack import PROCESSOR_PORT, Stack

ACCOUNT = 44044
BOOKING = ("database", "trade-feed", "trade-processor")
ORDERED = (*BOOKING, "position-service")
RECORDS = {record.id: record for record in recorded_answer.records("trade-processor")}
READS = {record.id: record for record in recorded_answer.records("position-service")}
PLAIN = [
    pytest.param(record, id=name)
    for name, record in RECORDS.items()
    if not record.is_ordered and not name.startswith(("outage.", "start."))
]


@pytest.fixture(scope="module")
def untouched() -> Iterator[Stack]:
    """A trade-processor that gets no order."""
    with stack.running(*BOOKING) as services:
        yield services


@pytest.fixture
def fragile() -> Iterator[Stack]:
    """A trade-processor whose peers a test may take away."""
    with stack.running(*BOOKING) as services:
        yield services


def of(outage: str) -> list[Record]:
    """The records of one outage, in the order of the file."""
    found = [record for name, record in RECORDS.items() if name.startswith(f"{outage}.")]
    assert found, outage
    return found


def differences(records: list[Record], services: Stack) -> list[str]:
    """Send records one after the other."""
    return [
        text
        for record in records
        for text in recorded_answer.difference(
            record, recorded_answer.send(record, services.address)
        )
    ]


@pytest.mark.parametrize("record", PLAIN)
def test_recorded(record: Record, untouched: Stack) -> None:
    """The stand-in of trade-processor answers what is no order as the real one did."""
    assert differences([record], untouched) == []


def test_recorded_orders() -> None:
    """Direct orders in the recorded order have the recorded answers, and leave the rows."""
    orders = [record for record in RECORDS.values() if record.is_ordered]
    before = {"accountId": 11413, "quantity": 2147483647}  # an order to trade-service, in the file
    with stack.running(*ORDERED) as services:
        assert services.order(before, port=PROCESSOR_PORT)[0] == 200
        found = differences(orders, services)
        found += differences(
            [record for name, record in READS.items() if ".after-direct." in name], services
        )
    assert found == []


def test_orders_of_the_outages(fragile: Stack) -> None:
    """Without the feed a direct order is booked, and also when it is back."""
    fragile["trade-feed"].stop()
    fragile.await_log("trade-processor", "publisher: socket disconnected", times=2)
    assert differences(of("outage.feed-down"), fragile) == []
    fragile.start("trade-feed")
    assert differences(of("outage.feed-back"), fragile) == []


def test_database_down(fragile: Stack) -> None:
    """Without the database an order fails after the pool's time-out; the description stays."""
    fragile["database"].stop()
    assert differences(of("outage.db-down"), fragile) == []


def test_database_back(fragile: Stack) -> None:
    """A restarted database has its narrow columns again, until trade-processor restarts."""
    fragile["database"].stop()
    fragile.start("database")
    assert differences(of("outage.db-back"), fragile) == []
    fragile.start("trade-processor")
    assert differences([RECORDS["order.security16"]], fragile) == []


def test_starts_without_feed() -> None:
    """It starts without the feed and books direct orders."""
    with stack.running("database", "trade-processor") as services:
        assert differences(of("start.nofeed"), services) == []


def test_every_outage_is_replayed() -> None:
    """There is no recorded outage beside those of this module."""
    recorded = {name.split(".")[1] for name in RECORDS if name.startswith(("outage.", "start."))}
    assert recorded == {"feed-down", "feed-back", "db-down", "db-back", "nofeed"}


@pytest.mark.parametrize(
    ("fields", "rows"),
    [
        ({"security": None, "quantity": 1}, [[None, "New", 1]]),
        ({"accountId": None, "quantity": 2}, [["IBM", "New", 2]]),
        ({"quantity": 0}, []),
        ({"quantity": None}, []),
        ({"accountId": 1, "quantity": 1}, []),
    ],
)
def test_steps_are_no_transaction(
    fields: dict[str, object], rows: list[list[object]], fragile: Stack
) -> None:
    """An order that fails after its first step leaves a trade in state New for ever."""
    assert fragile.order({"accountId": ACCOUNT, **fields}, port=PROCESSOR_PORT)[0] == 500
    sql = "select Security,State,Quantity from Trades where ID not like 'TRADE-%'"
    assert sql_statement.run(fragile.address, sql) == rows
