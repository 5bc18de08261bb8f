"""The whole chain on a real cluster: install, deploy, validate, report."""

import pytest

from tests.integration.gate.gate_command import Gate


def test_undamaged_environment_passes_everywhere(gate: Gate) -> None:
    """Command line, plain pytest and two workers give the same decision: PASS, exit code 0."""
    runs = [gate.run("validate", "dev"), gate.pytest(), gate.pytest("-n", "2")]
    assert [run.returncode for run in runs] == [0, 0, 0], [run.stdout for run in runs]
    decision = gate.decision()
    assert (decision["verdict"], decision["reasons"]) == ("PASS", [])


def test_reports_are_self_contained_and_begin_with_the_decision(gate: Gate) -> None:
    """The report needs no network, and pytest's report shows our decision first."""
    gate.run("validate", "dev")
    report = (gate.newest() / "report.html").read_text()
    assert "http://" not in report.replace("http://www.w3.org", "")
    assert report.index("<strong>PASS</strong>") < report.index("<h2>")
    assert "PASS: all" in (gate.newest() / "pytest.html").read_text()


@pytest.mark.parametrize("narrowed", [["-k", "images"], ["-k", "nosuch"], ["--collect-only"]])
def test_narrowed_run_is_inconclusive(gate: Gate, narrowed: list[str]) -> None:
    """A run that leaves claims out, or runs none, is INCONCLUSIVE: exit code 3."""
    done = gate.pytest(*narrowed)
    assert done.returncode == 3, done.stdout
    assert gate.decision()["verdict"] == "INCONCLUSIVE"
