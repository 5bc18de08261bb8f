"""Revisions: what is desired is what was applied and what is live."""

from collections.abc import Iterable, Iterator

from fixtures.evidence import Observe
from traderx_gate.application import Service
from traderx_gate.confighub import Unit
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.verdict import Observation


def test_head_is_applied_and_live(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """Of every unit of a service, the head revision is the one applied and live."""
    assert observe(_compared(environment.units_of(service))) == ()


def test_shared_head_is_applied_and_live(
    environment: DeployedEnvironment, observe: Observe
) -> None:
    """Of every unit that belongs to no single service, the head revision is applied and live."""
    assert observe(_compared(environment.shared_units())) == ()


def _compared(units: Iterable[Unit]) -> Iterator[Observation]:
    for unit in units:
        head = unit.head_revision
        yield Observation(
            subject=f"unit {unit.slug}",
            expected=f"head {head}, applied {head}, live {head}",
            seen=f"head {head}, applied {unit.applied_revision}, live {unit.live_revision}",
            met=head == unit.applied_revision == unit.live_revision and head > 0,
            where=f"cub unit get {unit.slug}",
        )
