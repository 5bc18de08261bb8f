import threading
from graphlib import CycleError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traderx_gate.delivery import schedule

DEADLINE_S = 10
NAMES = "abcdef"
# each name may need only names before it: no circle
GRAPHS = st.fixed_dictionaries(
    {
        name: st.lists(st.sampled_from(NAMES[:place]), unique=True, max_size=3).map(tuple)
        if place
        else st.just(())
        for place, name in enumerate(NAMES)
    }
)


class FailedWorkError(Exception):
    """What a piece of work in these tests fails with."""


@given(GRAPHS, st.sets(st.sampled_from(NAMES)))
def test_work_is_done_after_what_it_needs(
    needs: dict[str, tuple[str, ...]], failing: set[str]
) -> None:
    """Whatever fails, nothing is started before all that it needs is done, and all is accounted."""
    done: list[str] = []

    def work(name: str) -> str:
        assert set(needs[name]) <= set(done)
        if name in failing:
            raise FailedWorkError
        done.append(name)
        return name.upper()

    outcome = schedule.in_order(needs, work)
    assert {type(error) for error in outcome.failed.values()} <= {FailedWorkError}
    assert {*outcome.done, *outcome.failed, *outcome.not_done} == set(NAMES)
    assert len(outcome.done) + len(outcome.failed) + len(outcome.not_done) == len(NAMES)
    assert outcome.done == {name: name.upper() for name in done}
    assert bool(outcome.failed) == bool(outcome.not_done or outcome.failed)


def test_independent_work_runs_at_the_same_time() -> None:
    """Two pieces that do not need each other can wait for each other."""
    both = threading.Barrier(2)
    outcome = schedule.in_order({"a": (), "b": ()}, lambda _: both.wait(DEADLINE_S) >= 0)
    assert outcome.done == {"a": True, "b": True}


def test_dependant_does_not_wait_for_others() -> None:
    """A piece starts as soon as what it needs is done, while an unrelated one still runs."""
    dependant_started = threading.Event()

    def work(name: str) -> bool:
        if name == "dependant":
            dependant_started.set()
        return name != "slow" or dependant_started.wait(DEADLINE_S)

    needs = {"fast": (), "slow": (), "dependant": ("fast",)}
    assert schedule.in_order(needs, work).done["slow"] is True


def test_nothing_is_started_after_a_failure() -> None:
    """After a failure what was not started yet is left, in dependency order, and named."""

    def work(name: str) -> None:
        if name == "a":
            raise FailedWorkError

    outcome = schedule.in_order({"c": ("b",), "b": ("a",), "a": ()}, work)
    assert (list(outcome.failed), outcome.not_done) == (["a"], ("b", "c"))


def test_circle_is_refused() -> None:
    """Pieces that need each other are refused before anything is started."""
    started: list[str] = []
    with pytest.raises(CycleError):
        schedule.in_order({"a": ("b",), "b": ("a",)}, started.append)
    assert started == []


def test_failure_stops_unrelated_work_too() -> None:
    """After a failure nothing more is started, also where it would not need what failed."""
    failing = threading.Event()

    def work(name: str) -> bool:
        if name == "bad":
            failing.set()
            raise FailedWorkError
        return failing.wait(DEADLINE_S)

    outcome = schedule.in_order({"bad": (), "good": (), "after": ("good",)}, work)
    assert (list(outcome.done), outcome.not_done) == (["good"], ("after",))
