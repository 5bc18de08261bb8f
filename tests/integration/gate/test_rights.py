"""Rights: those that are printed are enough, and each of them is needed."""

import functools
import json
import operator
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.gate.conftest import turn
from tests.integration.gate.gate_command import PROJECT, Gate, opened
from tests.run_cluster import RunCluster
from traderx_gate import rights
from traderx_gate.kube import Kube, ObjectRef
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 20.0
NAMES = "limited"
NAMESPACE = f"{NAMES}-dev"
ACCOUNT = {"namespace": "default", "name": "gate"}
SUBJECT = "ServiceAccount:default/gate"


def token_of(gate: Gate) -> str:
    """Make a service account, and return a token of it."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": dict(ACCOUNT)}
    gate.kube.apply(account, manager="test")
    answer = gate.api.request(
        "POST",
        "/api/v1/namespaces/default/serviceaccounts/gate/token",
        json={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )
    return str(answer.json()["status"]["token"])


def kubeconfig_with(token: str, source: Path, path: Path) -> Path:
    """Write a kubeconfig like another one, of another user."""
    config = yaml.safe_load(source.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def limited(cluster: RunCluster, tmp_path: Path) -> Iterator[Gate]:
    """A project in namespaces of its own, for a user who has just the rights that are printed."""
    with opened(cluster, tmp_path) as plain, turn(cluster):
        path = kubeconfig_with(token_of(plain), cluster.kubeconfig, tmp_path / "limited.yaml")
        hub = cluster.status["confighub"]
        environ = {
            **plain.environ,
            "TRADERX_PROJECT": "limited-traderx",
            "TRADERX_NAMESPACES": NAMES,
        }
        gate = replace(
            plain,
            environ=environ,
            options=(
                *("--kubeconfig", str(path)),
                *("--confighub", hub["url"], "--confighub-token-file", hub["token_file"]),
            ),
        )
        bodies = list(rights.manifests("limited-traderx", [NAMESPACE], SUBJECT))
        for body in bodies:
            plain.kube.apply(body, manager="administrator")
        until(
            polling(
                lambda: rights.missing(Kube.from_kubeconfig(path), [NAMESPACE]),
                every_s=0.05,
                deadline=Deadline(DEADLINE_S),
            ),
            lambda missing: not missing,
            what="the rights to be there",
        )
        yield gate
        cleared = replace(gate, options=()).run("uninstall", "--yes")
        for body in bodies:
            if body["kind"] not in {"Namespace", "RoleBinding"}:
                plain.kube.delete(ObjectRef.of(body))
        assert cleared.returncode == 0, cleared.stderr


def test_printed_rights_are_enough(limited: Gate) -> None:
    """Who has just the printed rights installs, deploys and validates; the verdict is PASS."""
    for words in (("install", "dev"), ("deploy", "dev"), ("validate", "dev")):
        done = limited.run(*words, *limited.options)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_right_is_asked_about(limited: Gate) -> None:
    """Without any one of the rights nothing is begun: one line names it, exit code 2."""
    kube = Kube.from_kubeconfig(Path(limited.options[1]))
    roles = [
        body
        for body in rights.manifests("limited-traderx", [NAMESPACE], SUBJECT)
        if body["kind"] == "ClusterRole"
    ]
    for role in roles:
        for number, rule in enumerate(role["rules"]):
            if rule["resources"] == ["*"]:
                continue  # it holds others: removed below
            for verb in rule["verbs"]:
                without = json.loads(json.dumps(dict(role)))
                without["rules"][number]["verbs"] = [v for v in rule["verbs"] if v != verb] or [
                    "deletecollection"
                ]
                limited.kube.apply(without, manager="administrator")
                expected = {(verb, resource) for resource in rule["resources"]}
                await_lacking(kube, functools.partial(operator.eq, expected))
        limited.kube.apply(role, manager="administrator")
    before = limited.runs()
    environment = json.loads(json.dumps(dict(roles[1])))
    environment["rules"] = environment["rules"][1:]
    limited.kube.apply(environment, manager="administrator")
    await_lacking(kube, bool)
    for words in (("install", "dev"), ("validate", "dev"), ("rights", "dev", "--check")):
        done = limited.run(*words, *limited.options)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert f"may not get everything in {NAMESPACE}" in done.stderr
    assert limited.runs() == before


def await_lacking(kube: Kube, is_right: Callable[[set[tuple[str, str]]], bool]) -> None:
    """Wait until these are the rights that are missing: the API server hears of it a bit later."""
    until(
        polling(
            lambda: {(r.verb, r.resource) for r in rights.missing(kube, [NAMESPACE])},
            every_s=0.05,
            deadline=Deadline(DEADLINE_S),
        ),
        is_right,
        what="the right that was taken to be missing, and no other",
    )


def test_what_is_printed_can_be_applied(gate: Gate) -> None:
    """`rights` prints objects that the API takes: two roles, the namespaces, and their bindings."""
    done = gate.run("rights", "dev", "prod", "--subject", "Group:release")
    bodies: list[dict[str, Any]] = list(yaml.safe_load_all(done.stdout))
    for body in bodies:
        if body["metadata"].get("namespace") != "traderx-prod":  # which is not there
            gate.kube.apply(body, dry_run=True)
    named = [(body["kind"], body["metadata"].get("namespace", "")) for body in bodies]
    assert named == [
        ("ClusterRole", ""),
        ("ClusterRole", ""),
        ("Namespace", ""),
        ("Namespace", ""),
        ("ClusterRoleBinding", ""),
        ("RoleBinding", "traderx-dev"),
        ("RoleBinding", "traderx-prod"),
    ]
    assert all(
        PROJECT in body["metadata"]["name"] or body["kind"] == "Namespace" for body in bodies
    )


@pytest.mark.parametrize("subject", ["gate", "User:", "ServiceAccount:gate", "Robot:x"])
def test_other_subjects_are_refused(gate: Gate, subject: str) -> None:
    """A subject that Kubernetes does not know is one line: exit code 2, and nothing is printed."""
    done = gate.run("rights", "--subject", subject)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
