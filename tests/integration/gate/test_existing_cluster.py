"""`--cluster existing`: ConfigHub beside a cluster that is there; what is not ours stays."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.integration.gate.gate_command import (
    COMMAND,
    COMMAND_TIMEOUT_S,
    NAMESPACE,
    PROJECT,
    Gate,
    opened,
    ref,
)
from tests.run_cluster import RunCluster
from traderx_gate import traderx
from traderx_gate.application import load
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.kube import PROJECT_LABEL, ObjectRef, project_of
from traderx_gate.reach import Reach, probe
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 60.0
OTHER = "other-traderx"
CONTEXT = "traderx-embedded"


def run(
    environ: dict[str, str], *words: str, typed: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command without a terminal."""
    return subprocess.run(
        [*COMMAND, *words],
        env=environ,
        input=typed or "",
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )


@pytest.fixture
def beside(cluster: RunCluster, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What commands are told that work on a state of their own, beside the run's cluster."""
    with opened(cluster, tmp_path) as gate:
        environ = {
            **gate.environ,
            "TRADERX_GATE_STATE": str(tmp_path / "state"),
            "TRADERX_PROJECT": OTHER,
            "TRADERX_NAMESPACES": "beside",
        }
        yield environ
        done = run(environ, "down", "--leave-objects")
        assert done.returncode == 0, done.stderr


def up(
    environ: dict[str, str], kubeconfig: Path, *words: str
) -> "subprocess.CompletedProcess[str]":
    """Bring ConfigHub up beside a cluster."""
    return run(environ, "up", "--cluster", "existing", "--kubeconfig", str(kubeconfig), *words)


def test_up_starts_confighub_alone(cluster: RunCluster, beside: dict[str, str]) -> None:
    """Beside an existing cluster ConfigHub is all that is started; again it changes nothing."""
    first = up(beside, cluster.kubeconfig, "--context", CONTEXT)
    status = json.loads(run(beside, "status", "--json").stdout)
    second = up(beside, cluster.kubeconfig, "--context", CONTEXT)
    again = json.loads(run(beside, "status", "--json").stdout)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert [process["name"] for process in status["processes"]] == ["confighub"]
    assert status["processes"][0]["pid"] == again["processes"][0]["pid"]
    assert (status["cluster"], status["context"]) == ("existing", CONTEXT)
    assert (status["kubeconfig"], status["control"]) == (str(cluster.kubeconfig), None)
    embedded = run(beside, "up")
    assert (embedded.returncode, "is up here" in embedded.stderr) == (2, True)


def test_context_is_named(cluster: RunCluster, beside: dict[str, str], tmp_path: Path) -> None:
    """A context that nobody named, one that is not there, or one that is dead starts nothing."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    dead = tmp_path / "dead.yaml"
    dead.write_text(yaml.safe_dump(config))
    refused = [
        up(beside, cluster.kubeconfig),
        up(beside, cluster.kubeconfig, "--context", "nosuch"),
        up(beside, tmp_path / "nosuch.yaml"),
        up(beside, dead, "--context", CONTEXT),
        run(beside, "up", "--context", CONTEXT),
    ]
    assert [done.returncode for done in refused] == [2] * len(refused)
    assert [len(done.stderr.splitlines()) for done in refused] == [1] * len(refused)
    assert f"the current context is {CONTEXT}; name it with --context" in refused[0].stderr
    assert not Path(beside["TRADERX_GATE_STATE"]).exists()


def test_down_forgets_nothing_that_is_deployed(
    cluster: RunCluster, beside: dict[str, str], gate: Gate
) -> None:
    """While objects are deployed in somebody's cluster, down refuses and names the ways out."""
    assert up(beside, cluster.kubeconfig, "--context", CONTEXT).returncode == 0
    assert run(beside, "install", "dev").returncode == 0
    run({**beside, "DEPLOYMENT_TIMEOUT": "3"}, "apply", "dev")  # as far as it comes
    refused = run(beside, "down")
    removed = run(beside, "uninstall", "--yes")
    ended = run(beside, "down")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert f"objects of {OTHER}-dev are in context {CONTEXT}" in refused.stderr
    assert (removed.returncode, ended.returncode) == (0, 0), removed.stderr + ended.stderr
    until(
        polling(
            lambda: [ns["metadata"]["name"] for ns in gate.kube.list("v1", "Namespace")],
            every_s=0.1,
            deadline=Deadline(DEADLINE_S),
        ),
        lambda names: "beside-dev" not in names and NAMESPACE in names,
        what="its namespace to be gone",
    )


def test_another_project_is_left_alone(gate: Gate) -> None:
    """A project that would deploy into another one's namespace is refused, and changes nothing."""
    other = replace(gate, environ={**gate.environ, "TRADERX_PROJECT": OTHER})
    assert other.run("install", "dev").returncode == 0
    before = gate.kube.get(ref("Namespace", NAMESPACE))["metadata"]["resourceVersion"]
    refused = other.run("deploy", "dev")
    after = gate.kube.get(ref("Namespace", NAMESPACE))["metadata"]["resourceVersion"]
    removed = other.run("uninstall", "--yes")
    assert refused.returncode == 1
    assert (
        f"Namespace {NAMESPACE} exists already and belongs to project {PROJECT}" in refused.stderr
    )
    assert (before, removed.returncode) == (after, 0), removed.stderr
    assert gate.run("validate", "dev").returncode == 0


def test_object_without_the_label_is_not_changed(gate: Gate) -> None:
    """An object of the same name that lacks the project's label is neither changed nor removed."""
    foreign = ObjectRef(api_version="v1", kind="Namespace", name="foreign-dev")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": foreign.name}}
    gate.kube.apply(body, manager="somebody")
    environ = {**gate.environ, "TRADERX_PROJECT": OTHER, "TRADERX_NAMESPACES": "foreign"}
    other = replace(gate, environ=environ)
    assert other.run("install", "dev").returncode == 0
    refused = other.run("deploy", "dev")
    removed = other.run("uninstall", "--yes")
    left = gate.kube.get(foreign)
    gate.kube.delete(foreign)
    assert refused.returncode == 1
    assert "Namespace foreign-dev exists already and lacks the label" in refused.stderr
    assert removed.returncode == 0, removed.stderr
    assert (project_of(left), left["status"]["phase"]) == ("", "Active")


def test_unit_without_the_label_is_refused(gate: Gate) -> None:
    """A unit whose objects would not carry the project's label is not applied: exit code 2."""
    with gate.changed_unit("web-gui-service", (f"{PROJECT_LABEL}: {PROJECT}", "mine: x")):
        refused = gate.run("deploy", "dev")
    gate.deploy()
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert f"unit web-gui-service: Service {NAMESPACE}/web-gui does not carry" in refused.stderr


def test_other_namespaces_than_installed_are_refused(gate: Gate) -> None:
    """Other namespaces than install was given are refused: exit code 2, and nothing is done."""
    for command in ("deploy", "validate"):
        refused = gate.run(command, "dev", TRADERX_NAMESPACES="elsewhere")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert f"is installed for namespace {NAMESPACE}, not elsewhere-dev" in refused.stderr


@pytest.mark.parametrize("reach", Reach, ids=lambda reach: reach.value)
def test_services_are_reached(gate: Gate, reach: Reach) -> None:
    """Directly, by the service proxy and by port-forward, every service answers as itself."""
    application = load()
    environment = DeployedEnvironment(
        project=PROJECT,
        spec=application.environment("dev"),
        application=application,
        kube=gate.kube,
        confighub=gate.confighub,
        reach=reach,
    )
    try:
        for service in application.services:
            answer = traderx.identify(environment.ask(service), service)
            assert answer.matches, (service.slug, answer.seen)
        positions = traderx.Positions(environment.url(application.service("position-service")))
        assert positions.trades(10031).value is not None
    finally:
        environment.close()
    assert probe(gate.kube, NAMESPACE) is Reach.DIRECT


def test_claims_hold_whatever_the_way(gate: Gate) -> None:
    """Trades and feed through forwarded ports prove the same as over the network."""
    done = gate.run("validate", "dev", "--reach", "port-forward")
    decision = gate.decision()
    assert done.returncode == 0, done.stdout + done.stderr
    assert decision["verdict"] == "PASS"
