import asyncio
import selectors
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from traderx_embedded.kubernetes.node import pod as pods
from traderx_embedded.kubernetes.node.probe import Answer, Probe
from traderx_embedded.kubernetes.node.prober import Callbacks, Prober


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer: schedules are exact, and take no time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Return the time that has passed in the trial."""
        return self.now_s


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        self._loop.now_s += timeout or 0.0
        return super().select(0)


@dataclass(slots=True, kw_only=True)
class Trial:
    """A container whose answers follow a plan, and what its prober did."""

    answer: Callable[[str, float], bool] = lambda _path, _now: True
    takes_s: float = 0.0
    opens_s: float = 0.0
    asked: list[tuple[str, float]] = field(default_factory=list)
    changes: list[tuple[float, bool, bool]] = field(default_factory=list)
    killed: list[tuple[float, str]] = field(default_factory=list)

    def run(self, until_s: float, **probes: dict[str, Any]) -> "Trial":
        """Probe for this long."""
        spec: dict[str, Any] = {"name": "main", "image": "any"}
        for name, numbers in probes.items():
            spec[f"{name}Probe"] = {"httpGet": {"path": f"/{name}", "port": 80}, **numbers}
        with asyncio.Runner(loop_factory=VirtualTime) as runner:
            runner.run(self._probe(pods._container(spec), until_s))
        return self

    async def _probe(self, container: pods.Container, until_s: float) -> None:
        loop = asyncio.get_running_loop()
        prober: Prober

        async def ask(asked: Probe) -> Answer:
            path = asked.action.path  # type: ignore[union-attr]
            self.asked.append((path, loop.time()))
            success = self.answer(path, loop.time())
            await asyncio.sleep(self.takes_s)
            return Answer(success=success)

        async def listening(_port: int) -> None:
            await asyncio.sleep(max(0.0, self.opens_s - loop.time()))

        def changed() -> None:
            self.changes.append((loop.time(), prober.started, prober.ready))

        callbacks = Callbacks(
            ask=ask,
            listening=listening,
            unhealthy=lambda _kind, _output: None,
            changed=changed,
            kill=lambda kind, _probe: self.killed.append((loop.time(), kind)),
        )
        prober = Prober(container, callbacks)
        task = asyncio.create_task(prober.run())
        await asyncio.wait({task}, timeout=until_s)
        task.cancel()

    def times(self, path: str) -> list[float]:
        """Return when this path was asked."""
        return [moment for asked, moment in self.asked if asked == path]


def test_asked_every_period_after_the_initial_delay() -> None:
    """A probe is asked first after its initial delay, then once every period."""
    trial = Trial().run(20, readiness={"initialDelaySeconds": 4, "periodSeconds": 5})
    assert trial.times("/readiness") == [4, 9, 14, 19]


def test_defaults_are_those_of_kubernetes() -> None:
    """Without numbers a probe is asked every 10 seconds, and three failures count."""
    trial = Trial(answer=lambda _path, _now: False).run(60, liveness={})
    assert trial.times("/liveness") == [0, 10, 20]
    assert trial.killed == [(20, "liveness")]


def test_first_attempt_when_the_port_opens() -> None:
    """The first attempt waits for the port to open, for one period at most."""
    opens = Trial(opens_s=1.5).run(5, readiness={"periodSeconds": 2})
    never = Trial(opens_s=99).run(5, readiness={"periodSeconds": 2})
    assert (opens.times("/readiness")[0], never.times("/readiness")[0]) == (1.5, 2)


@pytest.mark.parametrize("threshold", [1, 2, 5])
def test_failures_in_a_row(threshold: int) -> None:
    """A liveness probe kills at the moment of the failure that reaches the threshold."""
    trial = Trial(answer=lambda _path, now: now < 3)
    trial.run(30, liveness={"periodSeconds": 1, "failureThreshold": threshold})
    assert trial.killed == [(3 + threshold - 1, "liveness")]


def test_one_success_starts_the_count_anew() -> None:
    """Failures that do not follow each other without a break never add up."""
    trial = Trial(answer=lambda _path, now: now % 3 == 0)
    trial.run(30, liveness={"periodSeconds": 1, "failureThreshold": 3})
    assert trial.killed == []


def test_successes_in_a_row() -> None:
    """A pod is ready at the success that reaches the threshold, again after each outage."""
    trial = Trial(answer=lambda _path, now: now != 5)
    trial.run(9, readiness={"periodSeconds": 1, "successThreshold": 3, "failureThreshold": 1})
    assert trial.changes == [(2, True, True), (5, True, False), (8, True, True)]


def test_startup_gates() -> None:
    """The other probes are asked from the moment at which the startup probe succeeds."""
    trial = Trial(answer=lambda path, now: path != "/startup" or now >= 6)
    numbers = {"periodSeconds": 2, "failureThreshold": 30}
    trial.run(8, startup=numbers, readiness=numbers, liveness=numbers)
    assert trial.times("/startup") == [0, 2, 4, 6]
    assert min(trial.times("/readiness")) == min(trial.times("/liveness")) == 6


def test_startup_gives_up() -> None:
    """A startup probe kills at its threshold, and nothing is asked after that."""
    trial = Trial(answer=lambda _path, _now: False)
    numbers = {"periodSeconds": 2, "failureThreshold": 4}
    trial.run(60, startup=numbers, readiness={}, liveness={})
    assert trial.killed == [(6, "startup")]
    assert {path for path, _ in trial.asked} == {"/startup"}


def test_initial_delay_counts_from_the_start_of_the_container() -> None:
    """An initial delay that passed while the container was starting is not waited for again."""
    trial = Trial(answer=lambda path, now: path != "/startup" or now >= 10)
    startup = {"periodSeconds": 1, "failureThreshold": 60}
    trial.run(12, startup=startup, liveness={"initialDelaySeconds": 8})
    assert trial.times("/liveness") == [10]


def test_ready_without_a_readiness_probe_once_started() -> None:
    """Without a readiness probe a container is ready when it has started."""
    trial = Trial(answer=lambda _path, now: now >= 3).run(
        9, startup={"periodSeconds": 1, "failureThreshold": 9}
    )
    assert trial.changes == [(3, True, True)]


def test_slow_answers_do_not_pile_up() -> None:
    """An attempt that takes longer than the period is followed by the next one, not by two."""
    trial = Trial(takes_s=2.5).run(8, readiness={"periodSeconds": 1, "timeoutSeconds": 5})
    assert trial.times("/readiness") == [0, 2.5, 5, 7.5]
