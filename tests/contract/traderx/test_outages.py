import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.contract.traderx import recorded_answer, stand_in_process
from tests.contract.traderx.recorded_answer import Record
from tests.contract.traderx.stand_in_process import StandIn

PATIENCE_S = 1.0
"""How long a client waits for a peer that hangs; the recorded one waited 5 s."""
RECORDS = {r.id: r for r in recorded_answer.records("account-service")}
POOL_TIMEOUT_MS = "500"


def of(outage: str) -> list[Record]:
    """The records of one outage, in the order of the file."""
    found = [r for name, r in RECORDS.items() if name.startswith(f"outage.{outage}.")]
    assert found, outage
    return found


def differences(records: list[Record], address: str) -> list[str]:
    """Send records at the same time, as those of an outage all wait for the same time-out."""
    with ThreadPoolExecutor(len(records)) as pool:
        answers = list(pool.map(lambda r: recorded_answer.send(r, address), records))
    pairs = zip(records, answers, strict=True)
    return [text for r, a in pairs for text in recorded_answer.difference(r, a)]


def make_accounts(address: str, *, until: int) -> None:
    """Create accounts until there is one of this id."""
    record = RECORDS["account.post.new"]
    for _ in range(65000, until + 1):
        assert recorded_answer.send(record, address).status == 200


@pytest.fixture
def database() -> Iterator[StandIn]:
    """A database of the test's own."""
    address = stand_in_process.own_address()
    with stand_in_process.running("database", address) as stand_in:
        yield stand_in


@pytest.fixture
def accounts(database: StandIn) -> Iterator[StandIn]:
    """An account-service whose connection pool gives up early; no people-service."""
    address = database.address
    with stand_in_process.running(
        "account-service",
        address,
        DATABASE_TCP_HOST=address,
        PEOPLE_SERVICE_HOST=address,
        SPRING_DATASOURCE_HIKARI_CONNECTION_TIMEOUT=POOL_TIMEOUT_MS,
    ) as stand_in:
        yield stand_in


def test_people_down(accounts: StandIn) -> None:
    """Without people-service, adding a user fails and everything else works."""
    make_accounts(accounts.address, until=65021)
    assert differences(of("people-down"), accounts.address) == []


def test_people_back(accounts: StandIn) -> None:
    """Once people-service is back, users can be added again without a restart."""
    make_accounts(accounts.address, until=65021)
    down = RECORDS["outage.people-down.accountuser.post"]
    assert recorded_answer.send(down, accounts.address).status == 500
    with stand_in_process.running("people-service", accounts.address):
        assert differences(of("people-back"), accounts.address) == []


def test_people_hung(accounts: StandIn) -> None:
    """While people-service hangs, so does the request that asks it."""
    (record,) = of("people-hung")
    with stand_in_process.running("people-service", accounts.address) as people:
        people.process.send_signal(signal.SIGSTOP)
        answer = recorded_answer.send(record, accounts.address, timeout_s=PATIENCE_S)
    assert recorded_answer.difference(record, answer) == []


def test_database_down(database: StandIn, accounts: StandIn) -> None:
    """Without the database, requests fail after the pool's time-out; the API document stays."""
    assert recorded_answer.send(RECORDS["account.list"], accounts.address).status == 200
    database.stop()
    assert differences(of("db-down"), accounts.address) == []


def test_database_back(database: StandIn, accounts: StandIn) -> None:
    """A restarted database is found again without a restart, and has only its seed."""
    make_accounts(accounts.address, until=65024)
    database.stop()
    with stand_in_process.running("database", database.address):
        found = [differences([record], accounts.address) for record in of("db-back")]
    assert found == [[], [], []]


def test_database_hung(database: StandIn, accounts: StandIn) -> None:
    """While the database hangs, so do requests; they are answered once it goes on."""
    during, after = of("db-hung")
    with ExitStack() as stack:
        database.process.send_signal(signal.SIGSTOP)
        stack.callback(database.process.send_signal, signal.SIGCONT)
        silence = recorded_answer.send(during, accounts.address, timeout_s=PATIENCE_S)
    assert recorded_answer.difference(during, silence) == []
    assert differences([after], accounts.address) == []


def test_every_outage_is_replayed() -> None:
    """There is no recorded outage beside those of this module."""
    recorded = {name.split(".")[1] for name in RECORDS if name.startswith("outage.")}
    here = {"people-down", "people-back", "people-hung", "db-down", "db-back", "db-hung"}
    assert recorded == here
