"""`worker install`: the worker inside the cluster, its rights, and what is left of it."""

import base64
import datetime as dt
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.integration.gate.conftest import turn
from tests.integration.gate.gate_command import COMMAND, COMMAND_TIMEOUT_S, Gate, opened, ref
from tests.run_cluster import RunCluster
from traderx_gate import rights
from traderx_gate.application import load
from traderx_gate.confighub import Worker
from traderx_gate.delivery import cluster_worker
from traderx_gate.delivery.cluster_worker import ClusterWorker
from traderx_gate.delivery.installation import worker_condition
from traderx_gate.errors import NotFoundError, RefusedError
from traderx_gate.kube import PROJECT_LABEL, Kube, ObjectRef
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 20.0
PROJECT = "inside-traderx"
NAMESPACE = f"confighub-{PROJECT}"
URL = "http://hub.example:9090"
SECRET = "ch_of-the-worker"
SPEC = replace(load().environment("dev"), namespace="inside-dev")
WORKER = Worker(
    id="00000000-0000-4000-8000-000000000001",
    space_id="00000000-0000-4000-8000-000000000002",
    slug="confighub-worker",
    condition="Disconnected",
    last_seen_at=dt.datetime.now(dt.UTC),
    secret=SECRET,
)
INSIDE = ClusterWorker(
    project=PROJECT,
    spec=SPEC,
    worker=WORKER,
    url=URL,
    image="nowhere.example/worker:v1",
    namespace=NAMESPACE,
)
"""Its pod never runs: what is asked here is what lies around it."""


@pytest.fixture
def kube(cluster: RunCluster, tmp_path: Path) -> Iterator[Kube]:
    """The cluster, in which nothing is left of the project."""
    with opened(cluster, tmp_path) as gate, turn(cluster):
        yield gate.kube
        cluster_worker.remove(gate.kube, PROJECT, print)
        gate.kube.delete(ref("Namespace", SPEC.namespace))
        until(
            polling(lambda: gate.kube.list("v1", "Namespace"), every_s=0.1, deadline=Deadline(60)),
            lambda seen: {SPEC.namespace, NAMESPACE}.isdisjoint(
                b["metadata"]["name"] for b in seen
            ),
            what="the namespaces to be gone",
        )


def as_its_account(cluster: RunCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kube:
    """Return the cluster as the worker's pod would see it."""
    with opened(cluster, tmp_path / "as") as gate:
        answer = gate.api.request(
            "POST",
            f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/confighub-worker/token",
            json={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )
    config = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    server = urlsplit(config["server"])
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(server.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    (tmp_path / "token").write_text(answer.json()["status"]["token"])
    authority = base64.b64decode(config["certificate-authority-data"])
    (tmp_path / "ca.crt").write_bytes(authority)
    return Kube.in_cluster(tmp_path)


def test_worker_may_what_it_needs_and_no_more(
    kube: Kube, cluster: RunCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service account has the printed rights in its environment, and none elsewhere."""
    INSIDE.apply(kube)
    inside = as_its_account(cluster, tmp_path, monkeypatch)
    until(
        polling(
            lambda: rights.missing(inside, [SPEC.namespace]),
            every_s=0.05,
            deadline=Deadline(DEADLINE_S),
        ),
        lambda missing: not missing,
        what="the rights to be there",
    )
    assert not inside.may("get", "secrets", namespace=NAMESPACE)
    assert not inside.may("patch", "deployments", group="apps", namespace="default")


@pytest.mark.parametrize("namespace", [NAMESPACE, "inside-workers"])
def test_nothing_is_left_of_it(kube: Kube, namespace: str) -> None:
    """What was made for the worker is removed, wherever it lies; a second time is no error."""
    replace(INSIDE, namespace=namespace).apply(kube)
    cluster_worker.remove(kube, PROJECT, print)
    cluster_worker.remove(kube, PROJECT, print)
    kinds = {(b["apiVersion"], b["kind"]) for b in INSIDE.manifests(include_secret=True)}
    left = [
        ObjectRef.of({"apiVersion": version, "kind": kind, **body})
        for version, kind in kinds
        for body in kube.list(version, kind, labels=f"{PROJECT_LABEL}={PROJECT}")
    ]
    # these go with the environment, which `uninstall` removes
    assert {ref for ref in left if SPEC.namespace not in (ref.name, ref.namespace)} == set()


def test_somebody_elses_namespace_stays(kube: Kube) -> None:
    """A namespace of the same name that is not the project's is neither used nor removed."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPEC.namespace}}
    kube.apply(own, manager="somebody")
    kube.apply(namespace, manager="somebody")
    with pytest.raises(RefusedError, match=f"Namespace {NAMESPACE} exists already"):
        INSIDE.require_own(kube)
    cluster_worker.remove(kube, PROJECT, print)
    assert kube.get(ObjectRef.of(namespace))["status"]["phase"] == "Active"
    kube.delete(ObjectRef.of(namespace))


def test_secret_is_printed_on_demand_only(gate: Gate) -> None:
    """`--export` prints objects that can be applied, with the secret if that is asked for."""
    words = ("worker", "install", "dev", "--reachable-at", URL, "--export")
    plain, whole = gate.run(*words), gate.run(*words, "--include-secret")
    assert (plain.returncode, whole.returncode) == (0, 0), plain.stderr + whole.stderr
    secrets = [b for b in yaml.safe_load_all(whole.stdout) if b["kind"] == "Secret"]
    (found,) = [body["stringData"]["CONFIGHUB_WORKER_SECRET"] for body in secrets]
    assert found
    assert found not in plain.stdout
    with pytest.raises(NotFoundError):
        gate.kube.get(ref("Namespace", "confighub-tests-traderx"))


def test_interrupted_worker_comes_back(gate: Gate) -> None:
    """Ctrl-C while the worker in the cluster does not connect: it runs here again, alone."""
    words = ("worker", "install", "dev", "--reachable-at", URL)
    process = subprocess.Popen(
        [*COMMAND, *words],
        env=dict(gate.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert any("waiting until it connects" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
    assert process.returncode == 130, said
    assert "runs here again" in said
    place = cluster_worker.default_namespace("tests-traderx")
    deployments = gate.kube.list("apps/v1", "Deployment", namespace=place)
    assert deployments == ()
    space = gate.confighub.space_find("tests-traderx-dev")
    assert space is not None
    until(
        polling(
            lambda: worker_condition(gate.confighub, space),
            every_s=0.1,
            deadline=Deadline(DEADLINE_S),
        ),
        lambda seen: seen == "Ready",
        what="the worker to be here again",
    )
    cluster_worker.remove(gate.kube, "tests-traderx", print)


def test_namespace_that_is_none_is_refused(gate: Gate) -> None:
    """A name that no namespace can have is refused before anything is made."""
    done = gate.run("worker", "install", "dev", "--reachable-at", URL, "--namespace", "Bad_Name")
    assert done.returncode == 2
    assert "namespace 'Bad_Name'" in done.stderr


def test_address_of_this_machine_is_refused(gate: Gate) -> None:
    """Pods cannot reach 127.0.0.1 of this machine: refused, and the worker here goes on."""
    done = gate.run("worker", "install", "dev")
    assert done.returncode == 2
    assert "--reachable-at" in done.stderr
    space = gate.confighub.space_find("tests-traderx-dev")
    assert space is not None
    assert worker_condition(gate.confighub, space) == "Ready"
