"""A run in GitHub Actions: it is told of once, whoever ran it, and also when it was killed."""

import dataclasses
import json
import signal
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.integration.gate.gate_command import COMMAND, COMMAND_TIMEOUT_S, Gate, results_of
from traderx_gate.waiting import Deadline, polling, until

SHOWN = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What GitHub and its user have of a run.

    Attributes:
        gate: The command line, as in a step of a job.
        page: The job's page, as far as the run wrote it.
    """

    gate: Gate
    page: Path

    @property
    def run(self) -> Path:
        """The one run's directory."""
        (found,) = self.gate.reports.glob("2*-validate-*")
        return found

    def decision(self) -> dict[str, Any]:
        """Return the run's decision."""
        return dict(json.loads((self.run / "decision.json").read_text()))

    def counts(self) -> dict[str, int]:
        """Return what a reader of JUnit XML counts."""
        root = ET.parse(self.run / "junit.xml").getroot()  # noqa: S314 - written by us just now
        return {name: int(root.attrib[name]) for name in ("tests", "failures", "errors")}


@pytest.fixture
def told(gate: Gate, tmp_path: Path) -> Told:
    """The command line in a step of a job."""
    page, reports = tmp_path / "page.md", tmp_path / "reports"
    step = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(page),
        "TRADERX_GATE_REPORTS": str(reports),
    }
    return Told(
        gate=dataclasses.replace(gate, environ={**gate.environ, **step}, reports=reports), page=page
    )


def annotations(output: str) -> list[str]:
    """Return the lines that are commands to the runner."""
    return [line for line in output.splitlines() if line.startswith("::")]


def test_pass_is_told_once(told: Told) -> None:
    """`validate` adds one summary to the job's page, though pytest ran below; nothing is wrong."""
    done = told.gate.run("validate", "dev")
    assert (done.returncode, annotations(done.stdout)) == (0, []), done.stdout + done.stderr
    assert told.page.read_text() == (told.run / "summary.md").read_text()
    assert told.counts() == {"tests": told.decision()["required"], "failures": 0, "errors": 0}


def test_plain_pytest_tells_it_too(told: Told) -> None:
    """Plain pytest says it as well: here a run of one claim, so that others have no proof."""
    done = told.gate.pytest("-k", "test_is_connected")
    assert done.returncode == 3, done.stdout + done.stderr
    assert told.page.read_text() == (told.run / "summary.md").read_text()
    decision = told.decision()
    counts = told.counts()
    assert counts == {"tests": counts["tests"], "failures": 0, "errors": len(decision["reasons"])}
    assert counts["errors"] >= decision["required"] - 1
    said = annotations(done.stdout)
    assert len(said) == SHOWN
    assert f"{len(decision['reasons']) - SHOWN + 1} more" in said[-1]
    assert all(line.startswith("::warning file=suites/") for line in said[:-1])


def test_killed_run_is_told_when_it_is_asked_for(told: Told) -> None:
    """A killed run says nothing; `verdict` writes and says it, and no claim is green."""
    with subprocess.Popen(
        [*COMMAND, "validate", "dev"],
        env=told.gate.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        until(
            polling(
                lambda: results_of(told.gate.reports),
                every_s=0.01,
                deadline=Deadline(COMMAND_TIMEOUT_S),
            ),
            lambda count: count >= 0,
            what="the run to begin",
        )
        child.send_signal(signal.SIGKILL)
    assert not told.page.exists()
    done = told.gate.run("verdict")
    assert done.returncode == 3, done.stdout + done.stderr
    assert told.page.read_text() == (told.run / "summary.md").read_text()
    counts = told.counts()
    assert (counts["errors"], counts["failures"]) == (counts["tests"], 0)
    assert len(annotations(done.stdout)) == SHOWN
