"""Starting under difficulties: two at a time, a taken port, a full disk, a terminal that closes."""

import json
import os
import pty
import resource
import shutil
import signal
import socket
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from tests.integration.embedded.embedded_command import (
    ARGV,
    COMMAND_TIMEOUT_S,
    DEADLINE_S,
    Traces,
    assert_nothing_is_left,
    down,
    pids,
    status,
    up,
)
from traderx_embedded import cluster, procfs
from traderx_embedded.errors import RefusedError
from traderx_embedded.kubernetes import programs
from traderx_embedded.state import State
from traderx_gate.waiting import Deadline, polling, until


def test_two_at_a_time_start_one_cluster(state: Path) -> None:
    """Two `up`s at the same time both succeed, and speak of the same processes."""
    children = [
        subprocess.Popen(
            [*ARGV, "up", str(state)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for _ in range(2)
    ]
    said = [child.communicate(timeout=COMMAND_TIMEOUT_S)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert pids(json.loads(said[0])) == pids(json.loads(said[1]))


def test_taken_port_is_replaced(state: Path) -> None:
    """When another program took a port meanwhile, up uses another one, and clients are told."""
    up(state)
    before = json.loads((state / "state.json").read_text())["ports"]
    down(state, "--keep-data")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before["apiserver"]))
        other.listen()
        up(state)
    after = json.loads((state / "state.json").read_text())["ports"]
    assert {name for name in before if before[name] != after[name]} == {"apiserver"}
    assert f"https://127.0.0.1:{after['apiserver']}" in (state / "kubeconfig").read_text()


def test_write_that_fails_leaves_nothing(state: Path) -> None:
    """When a file cannot be written, up names it in one line, takes all back, and works later."""
    done = subprocess.run(
        [*ARGV, "up", str(state)],
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300)),
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert f"not started: {state}/state.json: File too large" in done.stderr
    assert not state.exists()
    up(state)


def test_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too little room for a cluster, up is refused before it makes anything."""
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's is
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 40, 1 << 40, 12 << 20))
    monkeypatch.setattr(programs, "find", lambda: tmp_path)
    with pytest.raises(RefusedError, match=r"state: 12 MiB are free on its disk, .* needs 256"):
        cluster.up(State.at(tmp_path / "state"))
    assert list(tmp_path.iterdir()) == []


def test_cluster_survives_its_terminal(state: Path) -> None:
    """A cluster that was started at a terminal runs on when that terminal is closed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(ARGV[0], [*ARGV, "up", str(state)])  # noqa: S606 - the child of a fork
    until(
        polling(
            lambda: state.joinpath("kubeconfig").exists() and status(state)["running"],
            every_s=0.2,
            deadline=Deadline(DEADLINE_S),
        ),
        bool,
        what="the cluster to run",
    )
    before = pids(status(state))
    os.close(terminal)
    os.waitpid(pid, 0)
    assert pids(up(state)) == before


def test_watching_ends_with_ctrl_c(state: Path) -> None:
    """Ctrl-C ends `status --watch` quietly; the cluster runs on, and goes down cleanly."""
    up(state)
    traces = Traces.of(state)
    with subprocess.Popen(
        [*ARGV, "status", str(state), "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("kubeconfig")
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, err) == (130, "")
    assert status(state)["running"] is True
    down(state)
    assert_nothing_is_left(state, traces)
    assert procfs.marked(state) == ()
