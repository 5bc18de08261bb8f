from itertools import chain

import pytest

from tests.contract.traderx import recorded_answer
from tests.contract.traderx.recorded_answer import Record
from tests.contract.traderx.stand_in_process import StandIn

NOT_REPLAYED = {
    "refdata.api": "only the hash of a third party's page was recorded, not the page",
}
OUTAGES = "outage."
RECORDS = {name: recorded_answer.records(name) for name in recorded_answer.PORTS}


def independent(service: str) -> list[object]:
    """The records of a service that need neither an outage nor the records before them."""
    return [
        pytest.param(record, id=record.id)
        for record in RECORDS[service]
        if not record.is_ordered
        and not record.id.startswith(OUTAGES)
        and record.id not in NOT_REPLAYED
    ]


@pytest.mark.parametrize("record", independent("reference-data"))
def test_reference_data(record: Record, reference_data: StandIn) -> None:
    """The stand-in of reference-data answers as the real one did."""
    answer = recorded_answer.send(record, reference_data.address)
    assert recorded_answer.difference(record, answer) == []


@pytest.mark.parametrize("record", independent("database"))
def test_database_console(record: Record, database: StandIn) -> None:
    """The stand-in of the database shows the console that the real one did."""
    answer = recorded_answer.send(record, database.address)
    assert recorded_answer.difference(record, answer) == []


@pytest.mark.parametrize("record", independent("account-service"))
def test_account_service(record: Record, untouched_accounts: StandIn) -> None:
    """The stand-in of account-service answers reads and refusals as the real one did."""
    answer = recorded_answer.send(record, untouched_accounts.address)
    assert recorded_answer.difference(record, answer) == []


def test_account_service_in_file_order(fresh_accounts: StandIn) -> None:
    """Writes in the recorded order have the recorded answers, ids and lists included."""
    ordered = [record for record in RECORDS["account-service"] if record.is_ordered]
    differences = [
        recorded_answer.difference(record, recorded_answer.send(record, fresh_accounts.address))
        for record in ordered
    ]
    assert list(chain.from_iterable(differences)) == []


@pytest.mark.parametrize("record", independent("position-service"))
def test_position_service(record: Record, untouched_positions: StandIn) -> None:
    """The stand-in of position-service answers as the real one did."""
    answer = recorded_answer.send(record, untouched_positions.address)
    assert recorded_answer.difference(record, answer) == []


@pytest.mark.parametrize("name", NOT_REPLAYED)
def test_not_replayed_differs(name: str, reference_data: StandIn) -> None:
    """A record is left out only as long as the stand-in answers it differently."""
    record = next(record for record in RECORDS["reference-data"] if record.id == name)
    answer = recorded_answer.send(record, reference_data.address)
    assert recorded_answer.difference(record, answer) != []
