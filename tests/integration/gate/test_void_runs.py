"""Runs that come to their end and prove nothing, for what happened meanwhile."""

import json
import subprocess
from pathlib import Path

from tests.integration.gate.gate_command import COMMAND, COMMAND_TIMEOUT_S, Gate, results_of
from traderx_gate.waiting import Deadline, polling, until


def test_unit_changed_meanwhile_voids_the_run(gate: Gate, tmp_path: Path) -> None:
    """Evidence of a run during which a unit changed is no proof, and says which unit."""
    with subprocess.Popen(
        [*COMMAND, "validate", "dev"],
        env={**gate.environ, "TRADERX_GATE_REPORTS": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        until(
            polling(
                lambda: results_of(tmp_path), every_s=0.01, deadline=Deadline(COMMAND_TIMEOUT_S)
            ),
            lambda count: count > 0,
            what="the first result",
        )
        with gate.changed_unit("web-gui-service", ("kind: Service", "kind: Service # same")):
            code = child.wait(COMMAND_TIMEOUT_S)
    gate.deploy()
    assert code in {1, 3}  # whether the claim about revisions came before the change or after it
    (decision,) = tmp_path.glob("2*/decision.json")
    reasons = json.loads(decision.read_text())["reasons"]
    (void,) = [r for r in reasons if r["text"] == "units changed while the checks ran"]
    assert void["seen"].startswith("web-gui-service: head ")


def test_disk_full_meanwhile_is_no_proof(gate: Gate, tmp_path: Path) -> None:
    """A run that could begin its evidence and not close it is INCONCLUSIVE, in words."""
    small = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000)); "
    done = subprocess.run(
        [*COMMAND[:2], small + COMMAND[2], "validate", "dev"],
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
        env={**gate.environ, "TRADERX_GATE_REPORTS": str(tmp_path)},
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    again = gate.run("verdict", TRADERX_GATE_REPORTS=str(tmp_path))
    assert again.returncode == 3, again.stdout + again.stderr
