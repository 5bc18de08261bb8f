"""How long a changed unit waits until it is live, where nobody applies it."""

import statistics
import time
from collections.abc import Iterator

from bench.measurement import Measurement, Target
from bench.throwaway import BenchError, Throwaway
from traderx_gate.confighub import ConfigHub, Unit
from traderx_gate.waiting import Deadline, polling, until

CHANGES = 20
SLUG = "people-service-service"
TIMEOUT_S = 60.0
TWENTIETHS = 20


def waiting(place: Throwaway) -> Iterator[Measurement]:
    """Measure changes of a unit of dev, which is deployed; a comment changes nothing live."""
    hub = place.confighub()
    space = hub.space_find("bench-dev")
    if space is None:
        raise BenchError("dev is not installed")
    (unit,) = [unit for unit in hub.unit_list(space) if unit.slug == SLUG]
    with place.running("worker", "auto-apply", "dev"):
        values = tuple(_change(hub, unit, number) for number in range(CHANGES))
    yield Measurement(
        what="auto-apply: changed until live", unit="s", values=values, target=Target(bound=10)
    )
    yield Measurement(
        what="auto-apply: changed until live, p95",
        unit="s",
        values=(statistics.quantiles(values, n=TWENTIETHS)[-1],),
        target=Target(bound=10),
    )


def _change(hub: ConfigHub, unit: Unit, number: int) -> float:
    data = unit.data + f"# {number}\n".encode()
    head = hub.unit_update(hub.unit_get(unit), data, change=f"change {number}").head_revision
    started = time.perf_counter()
    until(
        polling(lambda: hub.unit_get(unit), every_s=0.05, deadline=Deadline(TIMEOUT_S)),
        lambda seen: seen.live_revision == head,
        what=f"revision {head} of {SLUG} to be live",
    )
    return time.perf_counter() - started
