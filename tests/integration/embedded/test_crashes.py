"""Killed processes: the supervisor restarts them, and nothing is left after the next up or down."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from traderx_embedded import procfs
from traderx_gate.waiting import Deadline, polling, until

COMMAND_TIMEOUT_S = 100
RESTART_DEADLINE_S = 40.0
NAMES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "node",
    "confighub",
)


def embedded(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "traderx_embedded", *words],
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )


def status(state: Path) -> dict[str, Any]:
    return dict(json.loads(embedded("status", str(state), "--json").stdout))


def up(state: Path) -> dict[str, Any]:
    done = embedded("up", str(state))
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def assert_nothing_is_left(state: Path, ports: list[int]) -> None:
    assert procfs.marked(state) == ()
    assert not state.exists()
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def ports_of(state: Path) -> list[int]:
    return [int(port) for port in json.loads((state / "state.json").read_text())["ports"].values()]


@pytest.fixture
def state(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state directory of its own, down again whatever happens."""
    path = tmp_path / "state"
    with FileLock(tmp_path_factory.getbasetemp().parent / "crashes.lock"):
        yield path
        embedded("down", str(path))


def test_every_killed_process_is_running_again(state: Path) -> None:
    """After kill -9 of each process in turn, up finds or makes everything running again."""
    up(state)
    for name in NAMES:
        before = {p["name"]: p["pid"] for p in status(state)["processes"]}
        os.kill(before[name], signal.SIGKILL)
        until(
            polling(
                lambda: {p["name"]: p for p in status(state)["processes"]},
                every_s=0.2,
                deadline=Deadline(RESTART_DEADLINE_S),
            ),
            _runs_again(name, before[name]),
            what=f"{name} to be restarted",
        )
    assert up(state)["running"] is True
    ports = ports_of(state)
    assert embedded("down", str(state)).returncode == 0
    assert_nothing_is_left(state, ports)


def _runs_again(name: str, killed: int) -> Callable[[dict[str, Any]], bool]:
    def predicate(found: dict[str, Any]) -> bool:
        process = found.get(name, {})
        return bool(process.get("state") == "running" and process.get("pid") != killed)

    return predicate


@pytest.mark.parametrize("repair", ["up", "down"])
def test_killed_supervisor_leaves_nothing_behind(state: Path, repair: str) -> None:
    """After kill -9 of the supervisor, its orphans are stopped by the next up, or down."""
    up(state)
    ports = ports_of(state)
    supervisor = json.loads((state / "run" / "supervisor.json").read_text())
    orphans = {process["pid"] for process in supervisor["processes"]}
    os.kill(supervisor["pid"], signal.SIGKILL)
    if repair == "up":
        assert up(state)["running"] is True
        assert not orphans & set(procfs.marked(state))
    assert embedded("down", str(state)).returncode == 0
    assert_nothing_is_left(state, ports)


def test_up_twice_changes_nothing(state: Path) -> None:
    """A second up keeps every process; down twice is harmless too."""
    first, second = up(state), up(state)
    assert [p["pid"] for p in first["processes"]] == [p["pid"] for p in second["processes"]]
    assert [embedded("down", str(state)).returncode for _ in range(2)] == [0, 0]


def test_killed_up_is_repaired_by_the_next(state: Path) -> None:
    """An up that was killed half way leaves something that the next one can go on with."""
    with subprocess.Popen(
        [sys.executable, "-m", "traderx_embedded", "up", str(state)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        until(
            polling(
                (state / "state.json").exists,
                every_s=0.02,
                deadline=Deadline(RESTART_DEADLINE_S),
            ),
            bool,
            what="the first up to have begun",
        )
        child.kill()
    assert up(state)["running"] is True


def test_unreadable_state_is_refused_in_one_line(state: Path) -> None:
    """A corrupt state.json is named, with what to do, and exit code 2."""
    state.mkdir(mode=0o700)
    (state / "state.json").write_text("{")
    done = embedded("status", str(state))
    assert (done.returncode, done.stdout) == (2, "")
    assert "state.json: unreadable" in done.stderr
