"""The whole chain on a real cluster: install, deploy, validate, and every way to lose a PASS."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.run_cluster import RunCluster
from traderx_gate.kube import Kube, ObjectRef

NAMESPACE = "traderx-dev"
COMMAND_TIMEOUT_S = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The command line, on the run's cluster, with reports and key of its own."""

    environ: dict[str, str]
    reports: Path
    kube: Kube

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `traderx-gate`."""
        return self._run(
            [sys.executable, "-c", "from traderx_gate.cli import main; main()", *words]
        )

    def pytest(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run plain pytest on the suite."""
        suite = "suites/validate_deployment"
        return self._run([sys.executable, "-m", "pytest", suite, "--environment", "dev", *words])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            env=self.environ,
        )

    def newest(self) -> Path:
        """Return the newest run's directory."""
        return max(self.reports.glob("2*"))


@pytest.fixture
def gate(deployed: Gate, cluster: RunCluster) -> Iterator[Gate]:
    """The deployed environment, for one test at a time: some damage it."""
    with FileLock(cluster.state.parent / "dev.lock"):
        yield deployed


@pytest.fixture(scope="session")
def deployed(cluster: RunCluster, tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """An environment that is installed and deployed."""
    folder = tmp_path_factory.mktemp("gate")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    found = Gate(
        environ={
            **kept,
            "TRADERX_GATE_STATE": str(cluster.state),
            "TRADERX_GATE_REPORTS": str(folder / "reports"),
            "TRADERX_GATE_KEY": str(folder / "key.pem"),
            "TRADERX_PROJECT": "tests-traderx",
        },
        reports=folder / "reports",
        kube=Kube.from_kubeconfig(cluster.kubeconfig),
    )
    with FileLock(cluster.state.parent / "dev.lock"):
        for words in (("install", "dev"), ("deploy", "dev")):
            done = found.run(*words)
            assert done.returncode == 0, done.stdout + done.stderr
    return found


@contextmanager
def replicas(gate: Gate, count: int) -> Iterator[None]:
    """Scale reference-data behind ConfigHub's back, and deploy it again afterwards."""
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "reference-data", "namespace": NAMESPACE},
        "spec": {"replicas": count},
    }
    gate.kube.apply(patch, manager="somebody")
    try:
        yield
    finally:
        done = gate.run("deploy", "dev")
        assert done.returncode == 0, done.stdout + done.stderr


def test_undamaged_environment_passes_everywhere(gate: Gate) -> None:
    """Command line, plain pytest and two workers give the same decision: PASS, exit code 0."""
    runs = [gate.run("validate", "dev"), gate.pytest(), gate.pytest("-n", "2")]
    assert [run.returncode for run in runs] == [0, 0, 0], [run.stdout for run in runs]
    decision = json.loads((gate.newest() / "decision.json").read_text())
    assert (decision["verdict"], decision["reasons"]) == ("PASS", [])


def test_reports_are_self_contained_and_begin_with_the_decision(gate: Gate) -> None:
    """The report needs no network, and pytest's report shows our decision first."""
    gate.run("validate", "dev")
    report = (gate.newest() / "report.html").read_text()
    assert "http://" not in report.replace("http://www.w3.org", "")
    assert report.index("<strong>PASS</strong>") < report.index("<h2>")
    assert "PASS: all" in (gate.newest() / "pytest.html").read_text()


def test_field_changed_by_hand_fails_with_its_author(gate: Gate) -> None:
    """A replica count changed behind ConfigHub is a FAIL that names path, values and author."""
    with replicas(gate, 3):
        done = gate.run("validate", "dev")
    assert done.returncode == 1
    assert "reference-data: spec.replicas" in done.stdout
    assert "seen: 3, changed by somebody" in done.stdout


def test_stray_object_fails(gate: Gate) -> None:
    """An object that no unit accounts for is a FAIL that names it."""
    stray = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "stray", "namespace": NAMESPACE},
    }
    gate.kube.apply(stray, manager="somebody")
    try:
        done = gate.run("validate", "dev")
    finally:
        gate.kube.delete(ObjectRef.of(stray))
    assert (done.returncode, "unmanaged ConfigMap traderx-dev/stray" in done.stdout) == (1, True)


@pytest.mark.parametrize("narrowed", [["-k", "images"], ["-k", "nosuch"], ["--collect-only"]])
def test_narrowed_run_is_inconclusive(gate: Gate, narrowed: list[str]) -> None:
    """A run that leaves claims out, or runs none, is INCONCLUSIVE: exit code 3."""
    done = gate.pytest(*narrowed)
    assert done.returncode == 3, done.stdout
    decision = json.loads((gate.newest() / "decision.json").read_text())
    assert decision["verdict"] == "INCONCLUSIVE"


def test_killed_run_stays_inconclusive(gate: Gate) -> None:
    """Evidence of a pytest that was killed is never closed."""
    command = [sys.executable, "-m", "pytest", "suites/validate_deployment"]
    before = set(gate.reports.glob("2*"))
    with subprocess.Popen(
        command, env=gate.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:  # the session has begun, so has its evidence
            if line.startswith("rootdir"):
                break
        child.send_signal(signal.SIGKILL)
    (run,) = set(gate.reports.glob("2*")) - before
    done = gate.run("verdict", run.name)
    assert done.returncode == 3
    assert "the run did not end cleanly" in done.stdout


@pytest.mark.parametrize("damage", ["edited", "truncated", "exchanged", "signature gone"])
def test_tampered_evidence_is_void(gate: Gate, damage: str) -> None:
    """Evidence that is not as it was signed is refused with exit code 3."""
    gate.run("validate", "dev")
    run = gate.newest()
    gate.run("validate", "dev")
    other = gate.newest()
    evidence = run / "evidence.json"
    match damage:
        case "edited":
            evidence.write_text(evidence.read_text().replace('"met": true', '"met": false', 1))
        case "truncated":
            evidence.write_bytes(evidence.read_bytes()[:700])
        case "exchanged":
            for name in ("evidence.json", "evidence.dsse.json"):
                (run / name).write_bytes((other / name).read_bytes())
        case "signature gone":
            (run / "evidence.dsse.json").unlink()
    done = gate.run("verdict", run.name)
    assert (done.returncode, done.stdout) == (3, ""), done.stdout
    assert "evidence" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["validate", "devv"], "unknown environment 'devv'; did you mean dev?"),
        (["deploy", "base"], "is cloned from, never deployed"),
        (["validate", "dev", "--kubeconfig", "/nosuch"], "kubeconfig /nosuch: No such file"),
        (["validate", "dev", "--confighub", "http://127.0.0.1:1"], "cannot be reached"),
        (["validate", "dev", "--confighub-token-file", "/dev/null"], "holds no token"),
        (["validate", "dev", "--project", "no such"], "project 'no such'"),
        (["validate", "dev", "--project", "other"], "has no space other-dev"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(gate: Gate, words: list[str], said: str) -> None:
    """Bad input is refused with exit code 2 in one line, and no run is begun."""
    before = set(gate.reports.glob("*"))
    done = gate.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert set(gate.reports.glob("*")) == before
