"""`worker status|logs|restart|disable|enable` on dev, whose worker is a process of ours."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gate.gate_command import (
    COMMAND,
    COMMAND_TIMEOUT_S,
    PROJECT,
    Gate,
    ref,
)
from tests.integration.gate.test_cluster_worker import INSIDE
from traderx_gate.application import load
from traderx_gate.confighub import Space, Unit, Worker
from traderx_gate.delivery import cluster_worker
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 30.0
SPACE = f"{PROJECT}-dev"
UNIT = "reference-data-service"
CHANGE = ("port: ", "port:  ")
"""Another text that means the same: what is live of it does not change."""
Json = dict[str, Any]


def space_of(gate: Gate) -> Space:
    """Return the space of dev."""
    space = gate.confighub.space_find(SPACE)
    assert space is not None
    return space


def worker_of(gate: Gate) -> Worker:
    """Return the worker of dev as ConfigHub has it."""
    (worker,) = gate.confighub.worker_list(space_of(gate))
    return worker


@pytest.fixture(name="dev")
def _dev(gate: Gate) -> Iterator[Gate]:
    """Dev, with its worker as it is by default before and after."""
    yield gate
    done = gate.run("worker", "enable", "dev", "--no-auto-apply")
    assert done.returncode == 0, done.stderr


def told(gate: Gate, code: int) -> Json:
    """Return what the status says, which has to end with a code."""
    done = gate.run("worker", "status", "dev", "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def must(gate: Gate, *words: str) -> str:
    """Run a worker command that has to end well."""
    done = gate.run("worker", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def changed(gate: Gate) -> Iterator[Unit]:
    """Give a unit another head; afterwards it is live as it was."""
    with gate.changed_unit(UNIT, CHANGE) as unit:
        yield unit
    must(gate, "enable", "dev")
    gate.deploy()


def await_live(gate: Gate, revision: int) -> None:
    """Wait until a revision of the unit is live."""
    until(
        polling(lambda: gate.unit(UNIT), every_s=0.1, deadline=Deadline(DEADLINE_S)),
        lambda unit: unit.live_revision == revision,
        what=f"revision {revision} of {UNIT} to be live",
    )


def test_status_of_a_connected_worker(dev: Gate) -> None:
    """Connected is exit code 0; the process that is named is the worker's, and writes the log."""
    found = told(dev, 0)
    assert (found["environment"], found["space"], found["connected"]) == ("dev", SPACE, True)
    assert (found["disabled_since"], found["auto_apply"], found["pending"]) == (None, False, [])
    assert found["targets"] == ["confighub-worker-traderx-embedded"]
    assert found["place"]["kind"] == "process"
    command = Path(f"/proc/{found['place']['pid']}/cmdline").read_bytes()
    assert b"traderx_gate.worker" in command
    text = dev.run("worker", "status", "dev").stdout
    assert "condition   Ready, seen " in text
    assert f"process {found['place']['pid']}" in text
    assert "auto-apply  off" in text


def test_status_without_a_worker(gate: Gate) -> None:
    """A worker that is not connected is exit code 1."""
    with gate.without_worker():
        found = told(gate, 1)
    assert (found["connected"], found["condition"]) == (False, "Disconnected")
    assert found["disabled_since"] is None


def test_restart_makes_a_newer_connection(dev: Gate) -> None:
    """After a restart another process is connected, by a connection that is newer."""
    path = f"/space/{space_of(dev).id}/bridge_worker/{worker_of(dev).id}/status"

    def connections() -> list[str]:
        statuses = dev.ask_confighub("GET", path)
        return [one["SeenAt"] for one in statuses if one["Status"] == "Connected"]

    before, process = connections(), told(dev, 0)["place"]["pid"]
    assert "the worker is connected, here" in must(dev, "restart", "dev")
    after = connections()
    assert len(after) == len(before) + 1
    assert max(after) > max(before)
    assert told(dev, 0)["place"]["pid"] != process


def test_restart_of_a_worker_that_hangs(dev: Gate) -> None:
    """A worker that does not even end when it is told to is replaced."""
    process = told(dev, 0)["place"]["pid"]
    os.kill(process, signal.SIGSTOP)
    must(dev, "restart", "dev")
    assert told(dev, 0)["place"]["pid"] != process


def test_restart_of_a_worker_that_is_gone(gate: Gate) -> None:
    """A worker that was taken away from here comes back."""
    with gate.without_worker():
        must(gate, "restart", "dev")
        assert told(gate, 0)["connected"]


def test_disabled_worker_applies_what_was_queued_when_it_is_enabled(dev: Gate) -> None:
    """What is queued while it is disabled stays queued, is shown, and is applied afterwards."""
    with changed(dev) as unit:
        assert "disabled" in must(dev, "disable", "dev")
        dev.confighub.unit_apply(unit)
        found = told(dev, 1)
        assert found["disabled_since"]
        (pending,) = found["pending"]
        assert pending["unit"] == UNIT
        assert (pending["action"], pending["revision"]) == ("Apply", unit.head_revision)
        assert dev.unit(UNIT).live_revision < unit.head_revision
        text = dev.run("worker", "status", "dev").stdout
        assert f"pending     Apply {UNIT} revision {unit.head_revision}" in text
        must(dev, "enable", "dev")
        await_live(dev, unit.head_revision)
        assert told(dev, 0)["pending"] == []


REFUSED = {
    "restart": (2, ("worker", "restart", "dev")),
    "deploy": (2, ("deploy", "dev")),
    "rollback": (
        2,
        (
            *("rollback", "dev", "reference-data", "--to", "1"),
            *("--unverified", "--reason", "a test's"),
        ),
    ),
    "install": (1, ("install", "dev")),
    "worker-install": (2, ("worker", "install", "dev", "--reachable-at", "http://hub.example")),
}


def test_nothing_starts_a_disabled_worker(dev: Gate) -> None:
    """Whatever would start a disabled worker, or wait for it, says that it is disabled instead."""
    must(dev, "disable", "dev")
    must(dev, "disable", "dev")  # a second time is no error
    since = worker_of(dev).annotations["traderx-gate/disabled"]
    for name, (code, words) in REFUSED.items():
        done = dev.run(*words)
        assert done.returncode == code, (name, done.stdout, done.stderr)
        assert f"disabled since {since}" in done.stderr, name
        assert "traderx-gate worker enable dev" in done.stderr, name
    found = told(dev, 1)
    assert (found["place"]["pid"], found["disabled_since"]) == (None, since)
    must(dev, "enable", "dev")
    assert told(dev, 0)["disabled_since"] is None


def test_last_lines_of_the_log(dev: Gate) -> None:
    """As many of the last lines are shown as were asked for; also of a worker that is disabled."""
    must(dev, "restart", "dev")
    shown = must(dev, "logs", "dev", "--lines", "1").splitlines()
    assert len(shown) == 1
    assert "serving: worker=confighub-worker" in shown[0]
    must(dev, "disable", "dev")
    assert len(must(dev, "logs", "dev", "--lines", "3").splitlines()) == 3


def test_log_is_followed(dev: Gate) -> None:
    """What the worker writes from now on is shown as it comes; Ctrl-C ends that in order."""
    follower = subprocess.Popen(
        [*COMMAND, "worker", "logs", "dev", "--follow", "--lines", "1"],
        env=dict(dev.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    follower.stdout.readline()
    must(dev, "restart", "dev")
    assert any("serving: worker=" in line for line in follower.stdout)
    follower.send_signal(signal.SIGINT)
    _, said = follower.communicate(timeout=COMMAND_TIMEOUT_S)
    assert (follower.returncode, said) == (0, "")


def test_new_head_is_applied_by_itself_where_asked_for(dev: Gate) -> None:
    """With --auto-apply a new head is live without anybody's apply, also after a restart."""
    assert "auto-apply is on" in must(dev, "enable", "dev", "--auto-apply")
    assert told(dev, 0)["auto_apply"]
    with changed(dev) as unit:
        await_live(dev, unit.head_revision)
        must(dev, "restart", "dev")
        again = dev.confighub.unit_update(dev.unit(UNIT), unit.data + b"# 2\n", change="a test's")
        await_live(dev, again.head_revision)
        must(dev, "enable", "dev", "--no-auto-apply")
    assert not told(dev, 0)["auto_apply"]


def test_closed_gate_holds_back_and_is_said(dev: Gate) -> None:
    """A unit with a closed apply gate is not applied by itself; log and status say so."""
    must(dev, "enable", "dev", "--auto-apply")
    trigger = dev.confighub.trigger_create(
        space_of(dev), "held", "is-approved", {"num-approvers": 1}
    )
    try:
        with changed(dev) as unit:
            until(
                polling(
                    lambda: must(dev, "logs", "dev", "--lines", "200"),
                    every_s=0.5,
                    deadline=Deadline(DEADLINE_S),
                ),
                lambda text: (
                    f"unit {UNIT}: revision {unit.head_revision} not applied: held by" in text
                ),
                what="the worker to say what it holds back",
            )
            assert dev.unit(UNIT).live_revision < unit.head_revision
            held = {one["unit"]: one for one in told(dev, 0)["held"]}
            assert held[UNIT]["apply_gates"] == ["held/is-approved"]
            dev.confighub.trigger_delete(trigger)
            await_live(dev, unit.head_revision)
    finally:
        if trigger.id in {one.id for one in dev.confighub.trigger_list(space_of(dev))}:
            dev.confighub.trigger_delete(trigger)


def test_worker_of_nothing_installed(gate: Gate) -> None:
    """A project that is not installed has no worker: one line, exit code 2."""
    done = gate.run("worker", "status", "dev", "--project", "nobodys-traderx")
    assert done.returncode == 2
    assert "has no space nobodys-traderx-dev" in done.stderr
    assert done.stderr.count("\n") == 1


def test_worker_that_others_run_is_left_alone(gate: Gate) -> None:
    """A worker that was started elsewhere is shown, and neither stopped nor started from here."""
    worker = worker_of(gate)
    identity = {
        "CONFIGHUB_URL": gate.confighub.url,
        "CONFIGHUB_WORKER_PORT": gate.confighub.url.rsplit(":", 1)[1],
        "CONFIGHUB_WORKER_ID": worker.id,
        "CONFIGHUB_WORKER_SECRET": worker.secret,
        "KUBECONFIG": gate.status["kubeconfig"],
    }
    with gate.without_worker():
        theirs = subprocess.Popen(
            [COMMAND[0], "-m", "traderx_gate.worker"],
            env={**gate.environ, **identity},
            stderr=subprocess.DEVNULL,
        )
        try:
            gate._await_worker("Ready")
            assert told(gate, 0)["place"] == {"kind": "elsewhere"}
            for command in ("restart", "disable", "enable", "logs"):
                done = gate.run("worker", command, "dev")
                assert done.returncode == 2, done.stdout + done.stderr
                assert "do that where it runs" in done.stderr
            assert theirs.poll() is None
        finally:
            theirs.terminate()
            theirs.wait(DEADLINE_S)
        gate._await_worker("Disconnected")


def test_worker_in_the_cluster(gate: Gate) -> None:
    """The worker of a Deployment is shown with its pods, and stopped by having none of them."""
    place = cluster_worker.default_namespace(PROJECT)
    inside = replace(
        INSIDE,
        project=PROJECT,
        spec=load().environment("dev"),
        worker=worker_of(gate),
        namespace=place,
    )
    deployment = replace(ref("Deployment", inside.name), namespace=place)

    def pods() -> list[str]:
        return [pod.name for pod in gate.kube.pods(place, labels=f"app={inside.name}")]

    with gate.without_worker():
        inside.apply(gate.kube)
        try:
            until(polling(pods, every_s=0.1, deadline=Deadline(DEADLINE_S)), bool, what="its pod")
            found = told(gate, 1)["place"]
            assert (found["kind"], found["namespace"]) == ("cluster", place)
            assert [pod["name"] for pod in found["pods"]] == pods()
            must(gate, "disable", "dev")
            assert pods() == []
            assert gate.kube.get(deployment)["spec"]["replicas"] == 0
            done = gate.run("worker", "logs", "dev")
            assert (done.returncode, "has no pod" in done.stderr) == (2, True)
        finally:
            cluster_worker.remove(gate.kube, PROJECT, print)
            gate.confighub.worker_annotate(worker_of(gate), {"traderx-gate/disabled": None})


def test_started_in_the_cluster_as_it_was_told(gate: Gate) -> None:
    """Started again it has one pod, its secret, and the manner in which it is to apply."""
    place = "confighub-switched"
    inside = replace(INSIDE, namespace=place)
    inside.apply(gate.kube)
    try:
        home = cluster_worker.InCluster.find(gate.kube, inside.project, "dev")
        assert home is not None
        home.stop()
        annotated = replace(inside.worker, annotations={"traderx-gate/auto-apply": "true"})
        home.start(annotated)
        deployment = replace(ref("Deployment", inside.name), namespace=place)
        secret = replace(ref("Secret", inside.name), namespace=place)
        assert gate.kube.get(deployment)["spec"]["replicas"] == 1
        data = gate.kube.get(secret)["data"]
        assert data["CONFIGHUB_AUTO_APPLY"] == "dHJ1ZQ=="
        assert len(data) == len(inside._environment())
    finally:
        cluster_worker.remove(gate.kube, inside.project, print)
        gate.kube.delete(ref("Namespace", inside.spec.namespace))
