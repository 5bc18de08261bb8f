"""Killed processes: the supervisor restarts them, and nothing is left after the next up or down."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.embedded.embedded_command import (
    ARGV,
    DEADLINE_S,
    Traces,
    assert_nothing_is_left,
    down,
    embedded,
    pids,
    status,
    up,
)
from traderx_embedded import procfs
from traderx_gate.waiting import Deadline, polling, until

NAMES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "node",
    "confighub",
)


def test_every_killed_process_is_running_again(state: Path) -> None:
    """After kill -9 of each process in turn, up finds or makes everything running again."""
    up(state)
    for name in NAMES:
        before = pids(status(state))
        os.kill(before[name], signal.SIGKILL)
        until(
            polling(
                lambda: {p["name"]: p for p in status(state)["processes"]},
                every_s=0.2,
                deadline=Deadline(DEADLINE_S),
            ),
            _runs_again(name, before[name]),
            what=f"{name} to be restarted",
        )
    up(state)
    traces = Traces.of(state)
    down(state)
    assert_nothing_is_left(state, traces)


def _runs_again(name: str, killed: int) -> Callable[[dict[str, Any]], bool]:
    def predicate(found: dict[str, Any]) -> bool:
        process = found.get(name, {})
        return bool(process.get("state") == "running" and process.get("pid") != killed)

    return predicate


@pytest.mark.parametrize("repair", ["up", "down"])
def test_killed_supervisor_leaves_nothing_behind(state: Path, repair: str) -> None:
    """After kill -9 of the supervisor, its orphans are stopped by the next up, or down."""
    up(state)
    traces = Traces.of(state)
    supervisor = json.loads((state / "run" / "supervisor.json").read_text())
    orphans = {process["pid"] for process in supervisor["processes"]}
    os.kill(supervisor["pid"], signal.SIGKILL)
    if repair == "up":
        up(state)
        assert not orphans & set(procfs.marked(state))
    down(state)
    assert_nothing_is_left(state, traces)


def test_up_twice_changes_nothing(state: Path) -> None:
    """A second up keeps every process; down twice is harmless too."""
    first, second = up(state), up(state)
    assert pids(first) == pids(second)
    assert [embedded("down", str(state)).returncode for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("repair", ["up", "down"])
def test_killed_up_is_repaired_by_the_next(state: Path, seed: int, repair: str) -> None:
    """An up that was killed at any instant is completed by the next up, or removed by down."""
    delay_s = random.Random(seed).uniform(0.2, 4)  # noqa: S311 - instants, no secrets
    with subprocess.Popen(
        [*ARGV, "up", str(state)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        _await_end(child, delay_s)
        child.kill()
    if repair == "up":
        up(state)
        assert len(procfs.marked(state)) == len(NAMES) + 1
    down(state)
    assert not state.exists()
    assert procfs.marked(state) == ()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("repair", ["up", "down"])
def test_killed_down_is_repaired_by_the_next(state: Path, seed: int, repair: str) -> None:
    """A down that was killed at any instant is completed by the next, or a new up starts afresh."""
    up(state)
    traces = Traces.of(state)
    delay_s = random.Random(seed).uniform(0.1, 1.5)  # noqa: S311
    with subprocess.Popen(
        [*ARGV, "down", str(state)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        _await_end(child, delay_s)
        child.kill()
    if repair == "up":
        up(state)
    down(state)
    assert_nothing_is_left(state, traces)


KILLED_IN_ITS_FIRST_WRITE = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
database.execute("CREATE TABLE entity (id)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_killed_writers_leave_is_removed(state: Path) -> None:
    """Half-written files go with down: the journal of a new database, and a file not yet whole."""
    state.mkdir(mode=0o700)
    argv = [sys.executable, "-c", KILLED_IN_ITS_FIRST_WRITE, str(state / "confighub.db")]
    assert subprocess.run(argv, check=False, timeout=DEADLINE_S).returncode == -signal.SIGKILL
    assert (state / "confighub.db-journal").exists()
    (state / ".hosts.json.new17").write_text("{")
    down(state)
    assert not state.exists()


def test_up_after_a_half_removed_cluster_starts_afresh(state: Path) -> None:
    """Where a killed down took state.json only, up uses none of the old data and certificates."""
    up(state)
    authority = (state / "pki" / "ca.crt").read_bytes()
    down(state, "--keep-data")
    (state / "state.json").unlink()
    up(state)
    assert (state / "pki" / "ca.crt").read_bytes() != authority


def _await_end(child: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    """Wait for the child's end, at most until the instant at which it is to be killed."""
    procfs.await_end(child.pid, timeout_s)


def test_unreadable_state_is_refused_in_one_line(state: Path) -> None:
    """A corrupt state.json is named, with what to do, and exit code 2."""
    state.mkdir(mode=0o700)
    (state / "state.json").write_text("{")
    done = embedded("status", str(state))
    assert (done.returncode, done.stdout) == (2, "")
    assert "state.json: unreadable" in done.stderr
