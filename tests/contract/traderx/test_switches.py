import json
from collections.abc import Callable, Iterator

import pytest

from tests.contract.traderx import stand_in_process
from tests.contract.traderx.stand_in_process import ADMIN, StandIn, ask, switched

PATIENCE_S = 0.5
"""Less than a slow service takes, and enough for any other."""
LISTS = {"reference-data": (18085, "/stocks"), "account-service": (18088, "/account/")}
COMMON = {"unavailable", "wrong-application", "empty-data", "slow"}


@pytest.fixture(scope="module")
def stand_ins() -> Iterator[dict[str, StandIn]]:
    """All three services, with admin ports."""
    address = stand_in_process.own_address()
    with (
        stand_in_process.running("database", address, **ADMIN) as database,
        stand_in_process.running("reference-data", address, **ADMIN) as reference_data,
        stand_in_process.running(
            "account-service", address, DATABASE_TCP_HOST=address, **ADMIN
        ) as accounts,
    ):
        yield {
            "database": database,
            "reference-data": reference_data,
            "account-service": accounts,
        }


@pytest.fixture(params=["reference-data", "account-service"])
def listed(
    request: pytest.FixtureRequest, stand_ins: dict[str, StandIn]
) -> tuple[StandIn, Callable[[], tuple[int, str]]]:
    """A service, and how to get its list."""
    stand_in = stand_ins[request.param]
    port, path = LISTS[request.param]
    return stand_in, lambda: ask(stand_in.address, port, "GET", path)


def test_all_off_at_start(stand_ins: dict[str, StandIn]) -> None:
    """Every service declares the common switches, all off."""
    found = {
        name: json.loads(ask(s.address, s.port("admin"), "GET", "/switches")[1])
        for name, s in stand_ins.items()
    }
    own = {"database": {"repair-reset"}}
    assert found == {
        name: dict.fromkeys(COMMON | own.get(name, set()), False) for name in stand_ins
    }


def test_unavailable(listed: tuple[StandIn, Callable[[], tuple[int, str]]]) -> None:
    """An unavailable service answers 500, until it is switched back."""
    stand_in, get = listed
    with switched(stand_in, "unavailable"):
        during = get()[0]
    assert (during, get()[0]) == (500, 200)


def test_empty_data(listed: tuple[StandIn, Callable[[], tuple[int, str]]]) -> None:
    """A service without data answers 200 and an empty list."""
    stand_in, get = listed
    with switched(stand_in, "empty-data"):
        assert get() == (200, "[]")


def test_wrong_application(listed: tuple[StandIn, Callable[[], tuple[int, str]]]) -> None:
    """A wrong application answers 200 with the web page, also where JSON is expected."""
    stand_in, get = listed
    with switched(stand_in, "wrong-application"):
        status, body = get()
    assert (status, "<app-root>" in body) == (200, True)


@pytest.mark.parametrize("name", LISTS)
def test_slow(stand_ins: dict[str, StandIn], name: str) -> None:
    """A slow service says nothing in the time a client has patience for."""
    stand_in, (port, path) = stand_ins[name], LISTS[name]
    with switched(stand_in, "slow"), pytest.raises(TimeoutError):
        ask(stand_in.address, port, "GET", path, timeout_s=PATIENCE_S)


@pytest.mark.parametrize(
    ("switch", "console"),
    [
        ("unavailable", (500, False)),
        ("wrong-application", (200, False)),
        ("empty-data", (200, True)),
    ],
)
def test_database_console(
    stand_ins: dict[str, StandIn], switch: str, console: tuple[int, bool]
) -> None:
    """The database's console fails, or is another page, with the switches for it."""
    database = stand_ins["database"]
    with switched(database, switch):
        status, body = ask(database.address, 18084, "GET", "/")
    assert (status, "H2 Console" in body) == console


@pytest.mark.parametrize(("switch", "answer"), [("unavailable", 500), ("empty-data", 404)])
def test_database_data(stand_ins: dict[str, StandIn], switch: str, answer: int) -> None:
    """What the database is made to lack, account-service cannot tell."""
    with switched(stand_ins["database"], switch):
        status = ask(stand_ins["account-service"].address, 18088, "GET", "/account/22214")[0]
    assert status == answer


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/switches/nosuch", "true", 404),
        ("PUT", "/switches/slow", "yes", 400),
        ("POST", "/switches/slow", "true", 405),
    ],
)
def test_refused(
    stand_ins: dict[str, StandIn], method: str, path: str, body: str, status: int
) -> None:
    """The admin port refuses what is no switch, no value, or no PUT."""
    stand_in = stand_ins["reference-data"]
    assert ask(stand_in.address, stand_in.port("admin"), method, path, body)[0] == status


def test_no_admin_port_unasked(reference_data: StandIn) -> None:
    """Without its variable there is no admin port."""
    assert not [line for line in reference_data.log if "port=admin" in line]
