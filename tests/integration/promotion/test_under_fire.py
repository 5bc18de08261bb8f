"""What a promotion needs is killed under it: it ends, says so, and can be ended whole."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import run_cluster
from tests.integration.promotion.line import PROJECT, Done, Line
from tests.integration.promotion.test_promotion import IMAGE, change_dev
from tests.run_cluster import RunCluster
from traderx_embedded.state import State
from traderx_embedded.supervisor import read_status
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 60.0
FIRE = (
    ("confighub", "namespace: applied"),
    ("kube-apiserver", "namespace: applied"),
    (f"worker-{PROJECT}-staging", "namespace: applied"),
)
"""What is killed, as soon as promote says what."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunCluster]:
    """A cluster of which anything may be killed: the run's own is others' too."""
    try:
        yield RunCluster.up(tmp_path)
    finally:
        run_cluster.remove(tmp_path)


def process(cluster: RunCluster, name: str) -> int | None:
    """Return the number of a process of a cluster; None while it does not run."""
    status = read_status(State.at(cluster.state))
    assert status is not None
    (found,) = (one for one in status.processes if one.name == name)
    return found.pid if found.state == "running" else None


def kill(cluster: RunCluster, name: str) -> int:
    """Kill a process of a cluster; returns which one it was. The supervisor starts another."""
    number = process(cluster, name)
    assert number is not None
    os.kill(number, signal.SIGKILL)
    return number


def await_another(cluster: RunCluster, name: str, killed: int) -> None:
    """Wait until a process runs again, and all of the cluster is ready."""
    until(
        polling(lambda: process(cluster, name), every_s=0.1, deadline=Deadline(DEADLINE_S)),
        lambda number: number not in {None, killed},
        what=f"{name} to be started again",
    )
    RunCluster.up(cluster.state.parent)


def promoted_without(line: Line, cluster: RunCluster, name: str, said: str) -> Done:
    """Promote, kill a process as soon as it says something, and wait until another one runs."""
    killed: list[int] = []
    done = line.met_at(
        said, lambda _: killed.append(kill(cluster, name)), "promote", "dev", "staging"
    )
    await_another(cluster, name, killed[0])
    return done


@pytest.mark.timeout(600)
def test_promotion_is_ended_whole(own: RunCluster, tmp_path: Path) -> None:
    """Whatever is killed, at whatever step: staging has all of it afterwards, or nothing."""
    line = Line.opened(own, tmp_path / "line")
    line.folder.mkdir()
    for name, said in FIRE:
        line.make_good()
        version, before = change_dev(line), line.data("staging")
        done = promoted_without(line, own, name, said)
        if line.is_under_way("staging"):
            assert (done.returncode, "traderx-gate abort staging" in done.stderr) == (1, True)
            line.must("resume", "staging")
        elif done.returncode != 0:
            assert line.data("staging") == before
            line.must("promote", "dev", "staging")
        assert line.live_image("staging", "web-gui") == f"{IMAGE}:{version}"
        assert line.is_settled("staging")
