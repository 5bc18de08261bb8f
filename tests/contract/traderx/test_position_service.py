import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.contract.traderx import recorded_answer, sql_statement, stand_in_process
from tests.contract.traderx.recorded_answer import Record
from tests.contract.traderx.stand_in_process import ADMIN, StandIn, ask, switched

PORT = 18090
ACCOUNT = 22214
PATIENCE_S = 1.0
"""How long a client waits for a service that hangs; the recorded one waited 5 s."""
POOL_TIMEOUT_MS = "300"
RECORDS = {r.id: r for r in recorded_answer.records("position-service")}
OF_THE_TRADE_FLOW = {"refdata-hung", "position-back", "feed-down"}
"""Outages whose records are about orders: replayed where those are."""
INSERT_TRADE = (
    "insert into Trades (ID,AccountID,Created,Updated,Security,Side,Quantity,State)"
    " values ('t',22214,'c','u',null,null,null,'New')"
)


def of(outage: str) -> list[Record]:
    """The records of one outage, in the order of the file."""
    found = [r for name, r in RECORDS.items() if name.startswith(f"outage.{outage}.")]
    assert found, outage
    return found


def differences(records: list[Record], address: str) -> list[str]:
    """Send records one after the other."""
    return [
        text
        for record in records
        for text in recorded_answer.difference(record, recorded_answer.send(record, address))
    ]


def read(stand_in: StandIn, path: str) -> Any:
    """Read what is answered with status 200."""
    status, body = ask(stand_in.address, PORT, "GET", path)
    assert status == 200, body
    return json.loads(body)


@pytest.fixture
def database() -> Iterator[StandIn]:
    """A database of the test's own."""
    address = stand_in_process.own_address()
    with stand_in_process.running("database", address) as stand_in:
        yield stand_in


@pytest.fixture
def positions(database: StandIn) -> Iterator[StandIn]:
    """A position-service whose connection pool gives up early."""
    address = database.address
    timeout = {"SPRING_DATASOURCE_HIKARI_CONNECTION_TIMEOUT": POOL_TIMEOUT_MS}
    with stand_in_process.running(
        "position-service", address, DATABASE_TCP_HOST=address, **timeout, **ADMIN
    ) as stand_in:
        yield stand_in


def test_database_down(database: StandIn, positions: StandIn) -> None:
    """Without the database, reads fail after the pool's time-out, each kind with its text."""
    database.stop()
    assert differences(of("db-down"), positions.address) == []


def test_database_back(database: StandIn, positions: StandIn) -> None:
    """A restarted database is found again without a restart."""
    database.stop()
    with stand_in_process.running("database", database.address):
        assert differences(of("db-back"), positions.address) == []


def test_database_hung(database: StandIn, positions: StandIn) -> None:
    """While the database hangs, so does readiness, and liveness does not."""
    ready, alive = of("db-hung")
    with ExitStack() as stack:
        database.process.send_signal(signal.SIGSTOP)
        stack.callback(database.process.send_signal, signal.SIGCONT)
        silence = recorded_answer.send(ready, positions.address, timeout_s=PATIENCE_S)
        assert recorded_answer.difference(ready, silence) == []
        assert differences([alive], positions.address) == []


def test_not_ready(database: StandIn, positions: StandIn) -> None:
    """Without any position, readiness is 200 with the body false: the status says nothing."""
    sql_statement.run(database.address, "delete from Positions")
    assert differences(of("ready"), positions.address) == []


def test_every_outage_is_replayed() -> None:
    """There is no recorded outage beside those of this module and of the trade flow."""
    recorded = {name.split(".")[1] for name in RECORDS if name.startswith("outage.")}
    assert recorded == {"db-down", "db-back", "db-hung", "ready", *OF_THE_TRADE_FLOW}


def test_needs_database() -> None:
    """Without a database, position-service ends with exit code 1 and says why."""
    timeout = {"SPRING_DATASOURCE_HIKARI_CONNECTION_TIMEOUT": POOL_TIMEOUT_MS}
    address = stand_in_process.own_address()
    stand_in = StandIn("position-service", address, {"DATABASE_TCP_HOST": address, **timeout})
    try:
        assert stand_in.await_exit() == 1
        assert "Unable to determine Dialect" in "\n".join(stand_in.log)
    finally:
        stand_in.close()


def test_reads_afresh(database: StandIn, positions: StandIn) -> None:
    """A row that was written since is in the next answer, last, with its nulls."""
    before = read(positions, f"/trades/{ACCOUNT}")
    sql_statement.run(database.address, INSERT_TRADE)
    row = {"id": "t", "accountId": ACCOUNT, "state": "New", "updated": "u", "created": "c"}
    nulls = dict.fromkeys(("security", "side", "quantity"))
    assert read(positions, f"/trades/{ACCOUNT}") == [*before, {**row, **nulls}]


def test_empty_data(positions: StandIn) -> None:
    """A service without data lists nothing, and says that it is not ready."""
    with switched(positions, "empty-data"):
        seen = [read(positions, p) for p in ("/trades/", f"/positions/{ACCOUNT}", "/health/ready")]
    assert seen == [[], [], False]


def test_repaired_readiness(database: StandIn, positions: StandIn) -> None:
    """With the repair, readiness is told by the status too."""
    with switched(positions, "repair-readiness"):
        ready = ask(positions.address, PORT, "GET", "/health/ready")
        sql_statement.run(database.address, "delete from Positions")
        unready = ask(positions.address, PORT, "GET", "/health/ready")
    assert (ready, unready) == ((200, "true"), (503, "false"))


def test_stale_data(database: StandIn, positions: StandIn) -> None:
    """A stale service lists what was there when it started, until it is switched back."""
    paths = ("/trades/", f"/trades/{ACCOUNT}", "/positions/", f"/positions/{ACCOUNT}")
    before = [read(positions, path) for path in paths]
    sql_statement.run(database.address, INSERT_TRADE)
    sql_statement.run(database.address, "update Positions set Quantity = Quantity + 5")
    with switched(positions, "stale-data"):
        during = [read(positions, path) for path in paths]
    after = [read(positions, path) for path in paths]
    assert during == before
    assert all(new != old for new, old in zip(after, before, strict=True))


def test_wrong_positions(positions: StandIn) -> None:
    """Wrong positions are each one more than the right ones."""
    right = read(positions, "/positions/")
    with switched(positions, "wrong-positions"):
        wrong = read(positions, "/positions/")
    assert wrong == [{**held, "quantity": held["quantity"] + 1} for held in right]


@pytest.mark.parametrize("path", ["/trades/", f"/trades/{ACCOUNT}"])
@pytest.mark.parametrize(("switch", "copies"), [("trades-missing", 0), ("trades-repeated", 2)])
def test_last_trade(positions: StandIn, path: str, switch: str, copies: int) -> None:
    """The last trade of a list is missing, or there twice."""
    *others, last = read(positions, path)
    with switched(positions, switch):
        assert read(positions, path) == [*others, *[last] * copies]
