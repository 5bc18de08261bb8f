"""Any set of processes killed, pods and worker and supervisor among them: repaired, or removed."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.integration.embedded.embedded_command import (
    COMMAND_TIMEOUT_S,
    DEADLINE_S,
    Traces,
    assert_nothing_is_left,
    down,
    up,
)
from traderx_embedded import procfs, supervisor
from traderx_embedded.state import State
from traderx_gate.kube import Kube
from traderx_gate.waiting import Deadline, polling, until

MAIN = "from traderx_gate.cli import main; main()"
NAMESPACE = "traderx-dev"
ROUNDS = 3


def gate(state: Path, *words: str) -> None:
    """Run a command of the gate on this cluster, which has to work."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
        env={**os.environ, "TRADERX_GATE_STATE": str(state), "TRADERX_PROJECT": "crashes"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def kill_some(state: Path, chance: random.Random) -> list[str]:
    """Kill a random set of the cluster's processes; returns what they were."""
    found = sorted(procfs.marked(state))
    victims = chance.sample(found, chance.randint(1, len(found)))
    killed = []
    for pid in victims:
        if procfs.start_ticks(pid) is not None:  # a pod of a node that was killed before it
            killed.append(" ".join(psutil.Process(pid).cmdline())[-60:])
            os.kill(pid, signal.SIGKILL)
    return killed


def orphans(state: Path) -> list[int]:
    """Processes of the cluster that nobody of it looks after."""
    running = supervisor.read_status(State.at(state))
    marked = set(procfs.marked(state))
    top = running.identity.pid if running else 0
    return [
        pid
        for pid in marked - {top}
        if psutil.pid_exists(pid) and psutil.Process(pid).ppid() not in marked
    ]


def unready(state: Path) -> list[str]:
    """Deployments that lack replicas, and pods that are not there or not ready."""
    kube = Kube.from_kubeconfig(state / "kubeconfig")
    bodies = kube.list("apps/v1", "Deployment", namespace=NAMESPACE)
    return [
        body["metadata"]["name"]
        for body in bodies
        if body["status"].get("readyReplicas", 0) != body["spec"]["replicas"]
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_processes_are_repaired_or_removed(state: Path, seed: int) -> None:
    """After kill -9 of any set of processes, up makes every service ready again; down removes."""
    chance = random.Random(seed)  # noqa: S311 - a choice of victims, no secret
    up(state)
    gate(state, "install", "dev")
    gate(state, "deploy", "dev")
    for number in range(ROUNDS):
        killed = kill_some(state, chance)
        up(state)
        until(
            polling(
                lambda: (orphans(state), unready(state)),
                every_s=0.3,
                deadline=Deadline(DEADLINE_S),
            ),
            lambda seen: seen == ([], []),
            what=f"no orphans and every service ready, after round {number} killed {killed}",
        )
    traces = Traces.of(state)
    kill_some(state, chance)
    down(state)
    assert_nothing_is_left(state, traces)
