import socket
from pathlib import Path

import pytest

from tests.contract.traderx import recorded_answer, sql_statement, stand_in_process
from tests.contract.traderx.stand_in_process import ADMIN, StandIn, switch

PORTS = {
    "database": (18082, 18083, 18084),
    "reference-data": (18085,),
    "trade-feed": (18086,),
    "trade-service": (18092,),
}
TERMINATED = 143


def refused(name: str, **variables: str) -> tuple[int, str]:
    """Start a stand-in that cannot start; return its exit code and its log."""
    stand_in = StandIn(name, stand_in_process.own_address(), variables)
    try:
        return stand_in.await_exit(), "\n".join(stand_in.log)
    finally:
        stand_in.close()


@pytest.mark.parametrize("name", PORTS)
def test_published_ports(name: str) -> None:
    """A service opens its published ports, and ends as a container does at SIGTERM."""
    with stand_in_process.running(name, stand_in_process.own_address()) as stand_in:
        for port in PORTS[name]:
            socket.create_connection((stand_in.address, port), timeout=5).close()
        assert stand_in.stop() == TERMINATED


def test_account_service_needs_password(database: StandIn) -> None:
    """A database that refuses the user ends account-service, and its log has no password."""
    code, log = refused(
        "account-service", DATABASE_TCP_HOST=database.address, DATABASE_DBPASS="not-the-one"
    )
    assert (code, "Wrong user name" in log, "not-the-one" in log) == (1, True, False)


@pytest.mark.parametrize("name", ["account-service", "position-service", "trade-processor"])
def test_needs_database(name: str) -> None:
    """Without a database, whoever keeps data in it ends with exit code 1 and says why."""
    timeout = {"SPRING_DATASOURCE_HIKARI_CONNECTION_TIMEOUT": "300"}
    code, log = refused(name, DATABASE_TCP_HOST="127.0.0.1", **timeout)
    assert (code, "Unable to determine Dialect" in log) == (1, True)


def test_account_service_fails_on_service_links() -> None:
    """The port variable that service links set (D24) keeps account-service from starting."""
    code, log = refused("account-service", ACCOUNT_SERVICE_PORT="tcp://127.96.0.7:18088")
    assert (code, "ACCOUNT_SERVICE_PORT" in log) == (1, True)


def test_version_is_logged_only() -> None:
    """The version that an image has is in the log, for nothing else shows it."""
    address = stand_in_process.own_address()
    with stand_in_process.running("reference-data", address, TRADERX_VERSION="v1.2.2") as stand_in:
        assert "starting reference-data v1.2.2" in stand_in.log[0]


def test_restart_forgets() -> None:
    """A restarted database has its seed and nothing else (I11)."""
    address = stand_in_process.own_address()
    create, read = (
        next(r for r in recorded_answer.records("account-service") if r.id == name)
        for name in ("account.post.new", "account.list")
    )
    with stand_in_process.running("database", address) as database:
        with stand_in_process.running(
            "account-service", address, DATABASE_TCP_HOST=address
        ) as accounts:
            assert recorded_answer.send(create, accounts.address).status == 200
        database.stop()
    with (
        stand_in_process.running("database", address),
        stand_in_process.running("account-service", address, DATABASE_TCP_HOST=address),
    ):
        assert recorded_answer.difference(read, recorded_answer.send(read, address)) == []


def test_repair_reset(tmp_path: Path) -> None:
    """Repaired, the database has its data after a kill, and the switch is on with them (I11)."""
    address = stand_in_process.own_address()
    how = {**ADMIN, "TRADERX_DATA_DIR": str(tmp_path / "data")}
    count = "select count(*) from Accounts"
    with stand_in_process.running("database", address, **how) as database:
        switch(database, "repair-reset", on=True)
        sql_statement.run(address, "insert into Accounts (ID,DisplayName) values (1,'kept')")
        database.process.kill()
        database.await_exit()
    with stand_in_process.running("database", address, **how) as database:
        kept = sql_statement.run(address, count)
        switch(database, "repair-reset", on=False)
        after = sql_statement.run(address, count)
    with stand_in_process.running("database", address, **how):
        forgotten = sql_statement.run(address, count)
    assert (kept, after, forgotten) == ([[8]], [[8]], [[7]])
