"""Stopping and starting a worker where that does not go as it should; on a real ConfigHub."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import DEADLINE_S
from tests.contract.confighub.scripted_worker import completing
from traderx_gate.confighub import ConfigHub, Space, Worker
from traderx_gate.delivery import worker_control
from traderx_gate.delivery.installation import WORKER
from traderx_gate.delivery.worker_control import Control
from traderx_gate.errors import NotReachedError, RefusedError
from traderx_gate.waiting import Deadline, polling, until

SHORT_S = 0.3


class Nowhere:
    """A home in which nothing is ever run; takes note of what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __str__(self) -> str:
        """Return the place in words."""
        return "nowhere"

    def start(self, worker: Worker) -> None:
        """Take note."""
        worker_control.require_enabled(SPACE, worker)
        self.asked.append("start")

    def stop(self) -> None:
        """Take note."""
        self.asked.append("stop")

    def has_ended(self) -> bool:
        """Say that nothing is left."""
        return True


SPACE = Space(id="", slug="s", labels={"environment": "dev"})


class Stage:
    """A server, and a worker of which nothing runs."""

    def __init__(self, server: confighub_process.ConfigHubProcess, hub: ConfigHub) -> None:
        self.server = server
        self.hub = hub
        self.space = hub.space_create("s", labels={"environment": "dev"})
        self.worker = hub.worker_create(self.space, WORKER)
        self.home = Nowhere()
        self.said: list[str] = []

    def control(self, deadline_s: float = SHORT_S) -> Control:
        """Return the control of the worker."""
        return Control(
            confighub=self.hub,
            space=self.space,
            home=self.home,
            report=self.said.append,
            deadline_s=deadline_s,
        )

    def now(self) -> Worker:
        """Return the worker as ConfigHub has it."""
        return worker_control.find(self.hub, self.space)

    def identity(self) -> dict[str, str]:
        """Return what somebody else would connect with."""
        return {"BridgeWorkerID": self.worker.id, "Secret": self.worker.secret}


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Iterator[Stage]:
    with confighub_process.running(tmp_path, "--heartbeat-s", "0.1") as server:
        hub = ConfigHub.from_token_file(server.url, tmp_path / "confighub.token")
        yield Stage(server, hub)
        hub.close()


def test_restart_without_a_connection_fails(stage: Stage) -> None:
    """A worker that does not come after a restart fails it, with where to look."""
    with pytest.raises(NotReachedError, match="to connect, nowhere; `worker logs` may say more"):
        stage.control().restart(stage.worker)
    assert stage.home.asked == ["stop", "start"]
    assert stage.said == []


def test_connection_that_stays_is_no_restart(stage: Stage) -> None:
    """Somebody else's connection is not taken for the new one; ours is started all the same."""
    with completing(stage.server, stage.identity()):
        with pytest.raises(NotReachedError, match="to be gone: is another one running elsewhere"):
            stage.control().restart(stage.now())
        assert stage.home.asked == ["stop", "start"]


def test_disable_that_is_not_obeyed_fails(stage: Stage) -> None:
    """As long as a worker is connected it is not called disabled; the mark is there."""
    with completing(stage.server, stage.identity()):
        with pytest.raises(NotReachedError, match="to be gone"):
            stage.control().disable(stage.now())
        assert stage.said == []
    assert stage.now().annotations[worker_control.DISABLED]


def test_enable_keeps_the_manner_unless_told(stage: Stage) -> None:
    """Auto-apply is off at first, and stays as it was set until somebody sets it otherwise."""
    seen = []
    for by_itself in (None, True, None, False):
        with pytest.raises(NotReachedError, match="to connect"):
            stage.control().enable(stage.now(), by_itself=by_itself)
        seen.append(worker_control.applies_by_itself(stage.now()))
    assert seen == [False, True, True, False]
    assert stage.home.asked == ["start"] * 4


def test_manner_is_changed_by_a_restart(stage: Stage) -> None:
    """A connected worker is restarted for another manner of applying, and not without need."""

    def await_gone() -> None:
        until(
            polling(stage.now, every_s=0.05, deadline=Deadline(DEADLINE_S)),
            lambda worker: worker.condition == "Disconnected",
            what="the worker to be gone",
        )

    with completing(stage.server, stage.identity()):
        stage.control().enable(stage.now(), by_itself=None)
        stage.control().enable(stage.now(), by_itself=False)
        assert stage.home.asked == ["start", "start"]
        with pytest.raises(NotReachedError, match="to be gone"):
            stage.control().enable(stage.now(), by_itself=True)
    assert stage.home.asked[2:] == ["stop", "start"]
    await_gone()
    assert stage.said[1] == "s: auto-apply is off"


def test_space_without_a_worker(stage: Stage) -> None:
    """A space without a worker is refused, with the way to one."""
    stage.hub.worker_delete(stage.worker)
    with pytest.raises(RefusedError, match="has no worker; `traderx-gate install`"):
        worker_control.find(stage.hub, stage.space)
