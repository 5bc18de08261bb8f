"""Counted deliveries: which time meets a target, and which outcomes of a kill are wrong."""

import base64

import pytest

from bench.deliveries import Spread
from bench.kills import NOTHING_UNDER_WAY, SIGKILLED, Killed, misled
from bench.measurement import Target
from bench.rollbacks import judged
from bench.standing import Data, Standing, Way, in_another, strays
from bench.throwaway import Ended
from traderx_gate.confighub import Unit

OLD: Data = {"web": b"1", "feed": b"1"}
NEW: Data = {"web": b"2", "feed": b"1"}
HALF: Data = {"web": b"3", "feed": b"1"}
RECORD = {"traderx-gate/promotion": "{}"}


def standing(data: Data, **what: object) -> Standing:
    """An environment in which all has ended, but for what is said of it."""
    return Standing(**{"data": data, "under_way": {}, "pending": (), "strays": (), **what})  # type: ignore[arg-type]


def ended(code: int, said: str = "") -> Ended:
    return Ended(code=code, seconds=1.0, said=said)


def killed(found: Standing, code: int = SIGKILLED) -> Killed:
    return Killed(ended=ended(code), standing=found, before=OLD, promoted=NEW)


def test_95th_percentile_of_59() -> None:
    """Of 59 times the 95th percentile is the 57th; that all are below says so surely."""
    times = Spread(what="", values=range(59, 0, -1), target=Target(bound=57))
    assert (times.p50, times.p95, times.is_met, times.is_met_surely) == (30, 57, True, False)
    assert Spread(what="", values=range(59), target=Target(bound=58)).is_met_surely
    assert not Spread(what="", values=range(58), target=Target(bound=58)).is_met_surely
    assert not Spread(what="", values=range(59)).is_met_surely


def test_way_back_forgets_what_was_taken_back() -> None:
    """A rollback lands before what is there, however often it went back and forth."""
    way = Way([OLD])
    assert way.before(OLD) is None
    for data in (NEW, OLD, NEW, HALF, NEW):
        way.prove(data)
    assert way.states == [OLD, NEW]
    assert (way.before(NEW), way.before(HALF)) == (OLD, NEW)


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (standing(NEW), ""),
        (standing(HALF), "other data than wanted: web"),
        (standing({"web": b"2"}), "other data than wanted: feed"),
        (standing(NEW, under_way=RECORD), "a promotion is under way"),
        (standing(NEW, pending=("web: head 5, live 4",)), "web: head 5, live 4"),
        (standing(NEW, strays=("web: another image",)), "web: another image"),
    ],
)
def test_standing_is_compared_with_what_is_wanted(found: Standing, fault: str) -> None:
    """Each thing that is not as it has to be is told, and nothing else."""
    told = found.faults(NEW)
    assert [text.startswith(fault) for text in told] == ([True] if fault else [])


@pytest.mark.parametrize(
    ("found", "code", "is_right"),
    [
        (standing(OLD), SIGKILLED, True),  # before its first effect
        (standing(NEW), SIGKILLED, True),  # after its last one
        (standing(HALF, under_way=RECORD), SIGKILLED, True),
        (standing(HALF), SIGKILLED, False),
        (standing(NEW), 0, True),
        (standing(OLD), 0, False),
        (standing(OLD), 2, False),
    ],
)
def test_what_a_kill_may_leave(found: Standing, code: int, is_right: bool) -> None:  # noqa: FBT001
    """Without a record of a promotion under way it is all of the old version, or all of the new."""
    assert (not killed(found, code).faults()) == is_right


def test_recovery_is_wanted_where_there_is_a_record() -> None:
    """With a record `abort` goes back and `resume` on; without one both are refused."""
    half = killed(standing(HALF, under_way=RECORD))
    assert (half.wanted("abort"), half.wanted("resume")) == (OLD, NEW)
    assert [bool(misled(half, ended(code))) for code in (0, 1, 2)] == [False, True, True]
    nothing = killed(standing(NEW))
    assert (nothing.wanted("abort"), nothing.wanted("resume")) == (NEW, NEW)
    refusals = (ended(2, NOTHING_UNDER_WAY), ended(2, "no cluster"), ended(0, NOTHING_UNDER_WAY))
    assert [bool(misled(nothing, refusal)) for refusal in refusals] == [False, True, True]


def test_rollback_has_to_pass_where_it_lands() -> None:
    """A rollback is right with exit code 0, a PASS, and the data that was wanted."""
    proven = {"verdict": "PASS"}
    assert not judged(ended(0), proven, standing(OLD), OLD)
    assert judged(ended(1), proven, standing(OLD), OLD) == ["exit code 1"]
    assert judged(ended(0), {}, standing(OLD), OLD) == ["verdict None"]
    assert judged(ended(0), proven, standing(OLD), NEW) == ["other data than wanted: web"]


def test_data_in_another_environment() -> None:
    """Data of one environment is compared with another's by its namespace alone."""
    data = {"web": b"namespace: traderx-dev\nname: dev"}
    assert in_another(data, source="dev", target="staging") == {
        "web": b"namespace: traderx-staging\nname: dev"
    }


@pytest.mark.parametrize(
    ("image", "memory", "strange"),
    [("web:2", "65Mi", False), ("web:1", "65Mi", True), ("web:2", "64Mi", True)],
)
def test_live_deployment_agrees_with_its_unit(image: str, memory: str, strange: bool) -> None:  # noqa: FBT001
    """Another image, or another request, in the live Deployment is told."""

    def deployment(image: str, memory: str) -> dict[str, object]:
        container = {"name": "web", "image": image, "resources": {"requests": {"memory": memory}}}
        return {"spec": {"template": {"spec": {"containers": [container]}}}}

    data = base64.b64encode(str(deployment("web:2", "65Mi")).encode()).decode()
    unit = Unit.from_json({"UnitID": "u", "SpaceID": "s", "Slug": "web-deployment", "Data": data})
    assert bool(strays(unit, deployment(image, memory))) == strange
