"""Runs that are killed: their evidence is no PASS, they leave no process, the next run passes."""

import os
import random
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from tests.integration.gate.gate_command import COMMAND, SUITE, Gate, results_of
from traderx_gate.waiting import Deadline, polling, until

SEED = 20261124
MARK = "TRADERX_TEST_MARK"
DEADLINE_S = 90.0

FORMS = {
    "validate": (*COMMAND, "validate", "dev"),
    "plain pytest": (sys.executable, "-m", "pytest", SUITE, "--environment", "dev"),
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
INSTANTS = {
    (form, number): random.Random(f"{SEED} {form} {number}").randint(0, 80)  # noqa: S311
    for form in FORMS
    for number in SIGNALS
}
"""How many claims have a result when the signal comes; 0 is: the run has just begun."""


def marked(mark: str) -> list[str]:
    """Return the processes that descend from a marked one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:  # it ended while it was looked at, or is not ours
            continue
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_killed_run_is_no_proof(
    gate: Gate, tmp_path: Path, form: str, number: signal.Signals
) -> None:
    """A run that is killed is no PASS and leaves no process, whatever signal comes whenever."""
    mark = uuid.uuid4().hex
    environ = {**gate.environ, MARK: mark, "TRADERX_GATE_REPORTS": str(tmp_path)}
    with subprocess.Popen(
        FORMS[form], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        until(
            polling(lambda: results_of(tmp_path), every_s=0.01, deadline=Deadline(DEADLINE_S)),
            lambda count: count >= INSTANTS[form, number],
            what=f"{INSTANTS[form, number]} results",
        )
        child.send_signal(number)
        assert child.wait(DEADLINE_S) != 0
    until(
        polling(lambda: marked(mark), every_s=0.1, deadline=Deadline(DEADLINE_S)),
        lambda left: not left,
        what="every process of the run to be gone",
    )
    done = gate.run("verdict", TRADERX_GATE_REPORTS=str(tmp_path))
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stdout.startswith("INCONCLUSIVE")


def test_run_after_a_killed_one_passes(gate: Gate, tmp_path: Path) -> None:
    """What a killed run leaves, its lock included, does not keep the next one from its PASS."""
    environ = {**gate.environ, "TRADERX_GATE_REPORTS": str(tmp_path)}
    with subprocess.Popen(
        FORMS["validate"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        until(
            polling(lambda: results_of(tmp_path), every_s=0.01, deadline=Deadline(DEADLINE_S)),
            lambda count: count >= 0,
            what="the run to begin",
        )
        os.kill(child.pid, signal.SIGKILL)
    done = gate.run("validate", "dev", TRADERX_GATE_REPORTS=str(tmp_path))
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stdout + done.stderr
