"""How long the commands take that people wait for."""

from collections.abc import Iterator
from pathlib import Path

from bench.measurement import Measurement, Target
from bench.throwaway import Throwaway
from traderx_gate import runs

UPS, DEPLOYS, VALIDATIONS, VERDICTS, GATES = 3, 2, 3, 5, 2


def starting(place: Throwaway) -> Iterator[Measurement]:
    """Measure `up`; leaves the cluster up."""
    values = []
    for number in range(UPS):
        if number:
            place.embedded("down", str(place.state))
        values.append(place.embedded("up", str(place.state)))
    yield Measurement(
        what="cluster up: API, node and ConfigHub ready",
        unit="s",
        values=tuple(values),
        target=Target(bound=8),
    )


def deploying(place: Throwaway) -> Iterator[Measurement]:
    """Measure install and deploy of dev, from nothing; leaves it deployed."""
    values = []
    for number in range(DEPLOYS):
        if number:
            place.embedded("down", str(place.state))
            place.embedded("up", str(place.state))
        place.gate("install", "dev")
        values.append(place.gate("deploy", "dev"))
    yield Measurement(what="deploy dev, every service healthy", unit="s", values=tuple(values))


def validating(place: Throwaway) -> Iterator[Measurement]:
    """Measure the full suite, and the verdict evaluated again from its evidence."""
    yield Measurement(
        what="full validate suite, -n 2",
        unit="s",
        values=tuple(place.gate("validate", "dev", "-n", "2") for _ in range(VALIDATIONS)),
        target=Target(bound=10),
    )
    newest = next(runs.past(Path(place.environ["TRADERX_GATE_REPORTS"])))
    yield Measurement(
        what="verdict evaluated again from evidence",
        unit="s",
        values=tuple(place.gate("verdict", newest.name) for _ in range(VERDICTS)),
        target=Target(bound=2),
    )


def whole_gate(place: Throwaway) -> Iterator[Measurement]:
    """Measure `make gate` with everything built: up, install, deploy, validate, report, down."""
    yield Measurement(
        what="make gate, warm",
        unit="s",
        values=tuple(place.time("bash", ".ci/gate") for _ in range(GATES)),
        target=Target(bound=60),
    )
