"""Stand-ins that run for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.contract.traderx import stand_in_process
from tests.contract.traderx.stand_in_process import StandIn


@pytest.fixture(scope="module")
def reference_data() -> Iterator[StandIn]:
    """A running reference-data."""
    address = stand_in_process.own_address()
    with stand_in_process.running("reference-data", address) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def database() -> Iterator[StandIn]:
    """A running database."""
    address = stand_in_process.own_address()
    with stand_in_process.running("database", address) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def untouched_accounts(database: StandIn) -> Iterator[StandIn]:
    """An account-service that nobody writes to."""
    address = database.address
    with stand_in_process.running(
        "account-service", address, DATABASE_TCP_HOST=address
    ) as stand_in:
        yield stand_in


@pytest.fixture
def fresh_accounts() -> Iterator[StandIn]:
    """An account-service on a database of its own, with the people it asks."""
    address = stand_in_process.own_address()
    with (
        stand_in_process.running("database", address),
        stand_in_process.running("people-service", address),
        stand_in_process.running(
            "account-service", address, DATABASE_TCP_HOST=address, PEOPLE_SERVICE_HOST=address
        ) as stand_in,
    ):
        yield stand_in


@pytest.fixture(scope="module")
def untouched_positions(database: StandIn) -> Iterator[StandIn]:
    """A position-service whose database nobody writes to."""
    address = database.address
    with stand_in_process.running(
        "position-service", address, DATABASE_TCP_HOST=address
    ) as stand_in:
        yield stand_in
