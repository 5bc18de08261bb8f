"""Commands that look at an environment, one that applies it, and two runs at once."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.gate.gate_command import COMMAND, NAMESPACE, PROJECT, SUITE, Gate, ref
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 90.0
SERVICE = "web-gui"


def test_undamaged_environment_is_in_order(gate: Gate) -> None:
    """Nothing is wrong with an undamaged environment: 19 units in sync, 9 services healthy."""
    sync, health = gate.run("sync", "dev", "--json"), gate.run("health", "dev", "--json")
    rows, lines = json.loads(sync.stdout), json.loads(health.stdout)
    assert (sync.returncode, len(rows), {row["state"] for row in rows}) == (
        0,
        19,
        {"Applied", "Healthy"},
    )
    assert [line for line in lines if not line["healthy"]] == []
    assert (health.returncode, len(lines), len({line["service"] for line in lines})) == (0, 63, 9)


def test_damage_is_seen(gate: Gate) -> None:
    """A service of which no replica is left is Unready, its lines say so: exit code 1."""
    for replicas in (0, 1):
        gate.patch(ref("Deployment", SERVICE), {"spec": {"replicas": replicas}}, manager="test")
        if replicas:
            break
        until(
            polling(
                lambda: gate.kube.pods(NAMESPACE, labels=f"app={SERVICE}"),
                every_s=0.1,
                deadline=Deadline(DEADLINE_S),
            ),
            lambda pods: not pods,
            what="no pod to be left",
        )
        sync, health = (
            gate.run("sync", "dev", "--json"),
            gate.run("health", "dev", SERVICE, "--json"),
        )
        other = gate.run("health", "dev", "people-service")
        shown = gate.run("health", "dev", SERVICE)
    gate.deploy()
    states = {row["unit"]: row["state"] for row in json.loads(sync.stdout)}
    sick = {line["name"] for line in json.loads(health.stdout) if not line["healthy"]}
    assert (sync.returncode, states[f"{SERVICE}-deployment"]) == (1, "Unready")
    assert (health.returncode, {"replicas", "pods", "service", "answer"} <= sick) == (1, True)
    assert (other.returncode, other.stdout.splitlines()[-1]) == (0, "all healthy")
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (1, f"not healthy: {SERVICE}")


def test_pending_unit_is_applied(gate: Gate, tmp_path: Path) -> None:
    """A unit whose head is not live is Pending until apply; what apply said is in its log."""
    with gate.changed_unit("web-gui-service", ("kind: Service", "kind: Service # changed")):
        pending = gate.run("sync", "dev", "--json")
        applied = gate.run("apply", "dev", TRADERX_GATE_LOGS=str(tmp_path))
        after = gate.run("sync", "dev")
    gate.deploy()
    states = {row["unit"]: row["state"] for row in json.loads(pending.stdout)}
    assert (pending.returncode, states["web-gui-service"]) == (1, "Pending")
    assert (applied.returncode, after.returncode) == (0, 0), applied.stderr
    (log,) = tmp_path.glob("apply-dev-*.log")
    kept = [line.partition(" ")[2] for line in log.read_text().splitlines()]
    assert kept == ["traderx-gate apply dev", *applied.stdout.splitlines(), "done"]


@pytest.mark.parametrize(
    "words", [("health", "nosuch"), ("health", "dev", "nosuch"), ("sync", "x")]
)
def test_unknown_name_is_refused(gate: Gate, words: tuple[str, ...]) -> None:
    """An environment or service that there is none of is one line: exit code 2."""
    done = gate.run(*words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr


@pytest.mark.parametrize(
    ("first", "name"),
    [
        ((*COMMAND, "validate", "dev"), "traderx-gate validate dev"),
        ((sys.executable, "-m", "pytest", SUITE, "--environment", "dev"), f"pytest {SUITE}"),
    ],
    ids=["validate", "plain pytest"],
)
def test_second_run_is_refused(
    gate: Gate, tmp_path: Path, first: tuple[str, ...], name: str
) -> None:
    """While an environment is validated every other run on it is refused, and told which one."""
    environ = {**gate.environ, "TRADERX_GATE_REPORTS": str(tmp_path)}
    with subprocess.Popen(
        first, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        until(
            polling(
                lambda: list(tmp_path.glob("2*/evidence.dsse.json")),
                every_s=0.05,
                deadline=Deadline(DEADLINE_S),
            ),
            bool,
            what="the first run to begin",
        )
        child.send_signal(signal.SIGSTOP)  # it must not end before the others are refused
        before = gate.runs()
        refused = [gate.run("validate", "dev"), gate.pytest(), gate.run("apply", "dev")]
        child.send_signal(signal.SIGCONT)
        child.send_signal(signal.SIGINT)
        child.wait(DEADLINE_S)
    said = [done.stdout + done.stderr for done in refused]
    assert [done.returncode for done in refused] == [2, 2, 2], said
    assert all(f"dev of {PROJECT} is in use by `{name}" in text for text in said), said
    assert all(f"process {child.pid}" in text for text in said), said
    assert gate.runs() == before
