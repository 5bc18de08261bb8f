from collections.abc import Iterator

import pytest

from tests.contract.traderx import stack, stand_in_process
from tests.contract.traderx.stack import Stack
from tests.contract.traderx.stand_in_process import StandIn, switched
from traderx_gate import application
from traderx_gate.traderx import (
    Account,
    Accounts,
    Database,
    Direct,
    ReferenceData,
    Stock,
    identify,
)

SERVICES = application.load().slugs


@pytest.fixture(scope="module")
def stand_ins() -> Iterator[Stack]:
    """All nine services at one address."""
    with stack.running("people-service", *stack.ALL, "web-gui") as running:
        yield running


def url(stand_in: StandIn, service: str) -> str:
    """The address of a service, as the clients take it."""
    return f"http://{stand_in.address}:{application.load().service(service).health.port}"


@pytest.mark.parametrize("slug", SERVICES)
def test_right_application(stand_ins: Stack, slug: str) -> None:
    """The service itself is recognised."""
    service = application.load().service(slug)
    assert identify(Direct(url(stand_ins[slug], slug)), service).matches


@pytest.mark.parametrize("slug", SERVICES)
@pytest.mark.parametrize("switch", ["wrong-application", "unavailable"])
def test_wrong_application(stand_ins: Stack, slug: str, switch: str) -> None:
    """Neither a page with status 200 nor a failure is taken for the service."""
    service = application.load().service(slug)
    with switched(stand_ins[slug], switch):
        answer = identify(Direct(url(stand_ins[slug], slug)), service)
    assert (answer.matches, answer.seen[:3]) == (
        False,
        "200" if switch == "wrong-application" else "500",
    )


@pytest.mark.parametrize("slug", ["reference-data", "account-service", "position-service"])
@pytest.mark.parametrize(("switch", "seen"), [("empty-data", "200 []"), ("slow", "no answer: ")])
def test_right_application_without_use(stand_ins: Stack, slug: str, switch: str, seen: str) -> None:
    """A service that has lost its data, or answers too late, is not taken for in order."""
    service = application.load().service(slug)
    with switched(stand_ins[slug], switch):
        answer = identify(Direct(url(stand_ins[slug], slug)), service)
    assert (answer.matches, answer.seen[: len(seen)]) == (False, seen)


@pytest.mark.parametrize(("slug", "other"), [(a, b) for a in SERVICES for b in SERVICES if a != b])
def test_swapped_ports(stand_ins: Stack, slug: str, other: str) -> None:
    """Another service at a service's port (D4) is noticed."""
    service = application.load().service(slug)
    assert not identify(Direct(url(stand_ins[other], other)), service).matches


def test_nothing_listens() -> None:
    """A refused connection is an answer that does not match, and no exception."""
    service = application.load().service("account-service")
    answer = identify(Direct(f"http://{stand_in_process.own_address()}:18088"), service)
    assert (answer.matches, answer.seen.startswith("no answer")) == (False, True)


def test_reference_data(stand_ins: Stack) -> None:
    """reference-data has a health, 505 stocks, and says 404 to what is none."""
    client = ReferenceData(url(stand_ins["reference-data"], "reference-data"))
    stocks = client.stocks().value or ()
    assert client.health().value is True
    assert (len({stock.ticker for stock in stocks}), stocks[0].ticker) == (505, "MMM")
    assert client.stock("IBM").value == Stock(ticker="IBM", company_name="IBM")
    assert (client.stock("ibm").value, client.stock("ibm").seen[:3]) == (None, "404")


def test_accounts(stand_ins: Stack) -> None:
    """account-service has the seven seeded accounts, and says 404 to what is none."""
    client = Accounts(url(stand_ins["account-service"], "account-service"))
    assert len(client.list().value or ()) == 7
    assert client.get(22214).value == Account(id=22214, display_name="Test Account 20")
    assert (client.get(1).value, client.get(1).seen) == (None, "404 Account with id 1not found")


def test_database(stand_ins: Stack) -> None:
    """The database's console is told from another page, and from a failure."""
    client = Database(url(stand_ins["database"], "database"))
    seen = [client.console().value]
    for switch in ("wrong-application", "unavailable"):
        with switched(stand_ins["database"], switch):
            seen.append(client.console().value)
    assert seen == [True, False, None]


def test_page_instead_of_json(stand_ins: Stack) -> None:
    """A page where JSON belongs is seen, not raised."""
    with switched(stand_ins["account-service"], "wrong-application"):
        reading = Accounts(url(stand_ins["account-service"], "account-service")).list()
    assert (reading.value, reading.seen[:8]) == (None, "200 <!do")


def test_nobody_to_read_from() -> None:
    """A service that is away is seen, not raised."""
    reading = ReferenceData(f"http://{stand_in_process.own_address()}:18085").stocks()
    assert (reading.value, reading.seen[:9]) == (None, "no answer")
