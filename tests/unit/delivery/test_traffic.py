"""Traffic that is watched: every answer is judged, and every pod has to stay as it is."""

import datetime as dt
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from traderx_gate.application import load
from traderx_gate.delivery.health_stream import HealthStream
from traderx_gate.delivery.traffic import Endpoints, disturbance
from traderx_gate.kube import ContainerState, Pod
from traderx_gate.traderx import Reply

PAGE = load().service("web-gui")
DEADLINE_S = 20.0
CONTAINER = ContainerState(
    name="c", image="i", state="running", reason="", message="", restarts=1, last_exit=""
)
POD = Pod(
    namespace="n",
    name="p",
    app="web-gui-green",
    phase="Running",
    ip="10.244.0.1",
    ready=True,
    deleting=False,
    spec_images={},
    containers=(CONTAINER,),
    created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    scheduled_at=None,
    started_at=None,
    ready_at=None,
)


@pytest.mark.parametrize(
    ("pods", "says"),
    [
        ((POD,), None),
        ((POD, replace(POD, name="further", ready=False)), None),
        ((), "pod p is gone"),
        ((replace(POD, name="q"),), "pod p is gone"),
        ((replace(POD, containers=(replace(CONTAINER, restarts=2),)),), "pod p was restarted"),
        ((replace(POD, ready=False),), "pod p Running, not ready (running)"),
    ],
)
def test_disturbance_of_pods_is_named(pods: tuple[Pod, ...], says: str | None) -> None:
    """A pod that is lost, restarted or not ready any more is named; a further one is none."""
    assert disturbance({"p": 1}, pods) == says


def test_no_pod_is_a_disturbance() -> None:
    """Where there was nothing to watch, nothing was proven."""
    assert disturbance({}, ()) == "there is no pod"


@pytest.mark.parametrize(
    ("led_to", "wanted", "right"),
    [("ab", "ab", True), ("a", "ab", False), ("abc", "ab", False), ("", "", False)],
)
def test_endpoints_are_right_when_they_are_the_ready_pods(
    led_to: str, wanted: str, *, right: bool
) -> None:
    """Neither one of the other colour, nor one that lacks, nor nothing at all is right."""
    seen = Endpoints(led_to=frozenset(led_to), wanted=frozenset(wanted))
    assert seen.are_right() is right


@dataclass
class Scripted:
    """A way that gives these answers, then the last one for ever.

    Attributes:
        through: Set when all of them were given.
    """

    replies: list[Reply]
    through: threading.Event = field(default_factory=threading.Event)

    def __call__(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Return the next one."""
        del method, path, headers
        if len(self.replies) > 1:
            return self.replies.pop(0)
        self.through.set()
        return self.replies[0]


GOOD = Reply(status=200, body="<app-root></app-root>")


def test_stream_counts_every_answer_and_keeps_the_first_wrong_one() -> None:
    """One wrong answer among right ones is a deviation for good, whoever waits is woken."""
    way = Scripted([GOOD, Reply(status=503, body="first"), Reply(status=500, body="second"), GOOD])
    with HealthStream(way, PAGE) as stream:
        assert stream.wake.wait(DEADLINE_S)
        assert way.through.wait(DEADLINE_S)
    assert stream.answers >= 4
    assert stream.wrong == 2
    said = stream.deviation()
    assert said is not None
    assert "answer 2 through Service web-gui" in said
    assert "503 first" in said


def test_stream_of_right_answers_has_no_deviation() -> None:
    """As long as all are right there is nothing to say, also when it was left."""
    way = Scripted([GOOD, GOOD])
    with HealthStream(way, PAGE) as stream:
        assert way.through.wait(DEADLINE_S)
        assert stream.deviation() is None
    assert (stream.wrong, stream.deviation()) == (0, None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_stream_that_ended_is_a_deviation() -> None:
    """A stream that asks no more proves nothing, and says so."""

    def broken(method: str, path: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        raise AssertionError(method, path, headers)

    with HealthStream(broken, PAGE) as stream:
        assert stream.wake.wait(DEADLINE_S)
        assert stream.deviation() == "nobody asks web-gui any more: the stream has ended"
