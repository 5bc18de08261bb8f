"""The doctor beside a real cluster and ConfigHub."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run_cluster import RunCluster
from traderx_gate.kube import Kube, Manifest, ObjectRef
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 60
MAIN = "from traderx_gate.cli import main; main()"
NAMESPACE = "doctor-test"


def doctor(cluster: RunCluster, *words: str) -> tuple[int, dict[str, dict[str, str]]]:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "doctor", "--json", *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env={
            **os.environ,
            "TRADERX_GATE_STATE": str(cluster.state),
            "TRADERX_PROJECT": "doctor-test",
        },
    )
    assert done.stderr == ""
    return done.returncode, {f["check"]: f for f in json.loads(done.stdout)}


@pytest.mark.cluster
def test_running_cluster_has_no_problem(cluster: RunCluster) -> None:
    """Beside a cluster that is up, API, rights and ConfigHub's token are found good; exit 0."""
    code, found = doctor(cluster)
    levels = {check: found[check]["level"] for check in ("kubernetes", "rights", "ConfigHub")}
    assert (code, set(levels.values())) == (0, {"ok"})
    assert found["kubernetes"]["seen"].startswith("v1.37.2 answers; ")


@pytest.mark.cluster
def test_wrong_token_is_a_problem(cluster: RunCluster, tmp_path: Path) -> None:
    """A ConfigHub that answers but does not accept the token is a problem; the cluster is not."""
    (tmp_path / "token").write_text("wrong")
    code, found = doctor(cluster, f"--confighub-token-file={tmp_path / 'token'}")
    assert (code, found["ConfigHub"]["level"], found["kubernetes"]["level"]) == (1, "problem", "ok")
    assert "does not accept the token (401" in found["ConfigHub"]["seen"]


def token_of_nobody(kube: Kube) -> str:
    """Make a service account that may do nothing; returns its token."""
    metadata = {"name": "nobody", "namespace": NAMESPACE}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    secret: Manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {**metadata, "annotations": {"kubernetes.io/service-account.name": "nobody"}},
    }
    kube.apply(secret)
    filled = until(
        polling(lambda: kube.get(ObjectRef.of(secret)), every_s=0.1, deadline=Deadline(DEADLINE_S)),
        lambda body: "token" in body.get("data", {}),
        what="the token of the service account",
    )
    return base64.b64decode(filled["data"]["token"]).decode()


@pytest.mark.cluster
def test_missing_rights_are_named(cluster: RunCluster, tmp_path: Path) -> None:
    """A user who may not patch deployments is told so, by verb, resource and namespace."""
    body = json.loads(cluster.kubeconfig.read_text())
    body["users"][0]["user"] = {"token": token_of_nobody(Kube.from_kubeconfig(cluster.kubeconfig))}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(body))
    code, found = doctor(cluster, f"--kubeconfig={path}")
    assert code == 1
    assert "patch deployments.apps in traderx-dev" in found["rights"]["seen"]
