import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.contract.confighub.confighub_process import (
    DEADLINE_S,
    Json,
    base64_of,
    ok,
    text_of,
    unit_path,
    until,
)
from tests.integration.worker import workshop as workshops
from tests.integration.worker.workshop import WorkerProcess, Workshop
from traderx_gate.kube import ObjectRef

pytestmark = pytest.mark.cluster


@pytest.fixture(name="workshop")
def _workshop(tmp_path: Path, kubeconfig: Path) -> Iterator[Workshop]:
    with workshops.opened(tmp_path, kubeconfig) as workshop:
        yield workshop


@pytest.fixture(name="worker")
def _worker(tmp_path: Path, workshop: Workshop) -> Iterator[WorkerProcess]:
    with workshops.working(tmp_path, workshop) as process:
        yield process


@pytest.mark.usefixtures("worker")
def test_applies_what_the_unit_says(workshop: Workshop) -> None:
    """An applied unit is in the cluster, owned by ConfigHub's field manager, and live."""
    unit = workshop.unit("u", workshop.config_map("a"))
    assert workshop.act(unit)["Result"] == "ApplyCompleted"
    live = workshop.live("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"k": "v"}
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["confighub"]
    assert workshop.read(unit)["Unit"]["LiveRevisionNum"] == 1


@pytest.mark.usefixtures("worker")
def test_live_state_is_the_cleaned_object(workshop: Workshop) -> None:
    """Live state is the live object without what only the server sets."""
    unit = workshop.unit("u", workshop.config_map("a"))
    workshop.act(unit)
    state = yaml.safe_load(base64.b64decode(workshop.read(unit)["Unit"]["LiveState"]))
    assert state == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": workshop.namespace},
        "data": {"k": "v"},
    }


@pytest.mark.usefixtures("worker")
def test_namespaces_come_first(workshop: Workshop) -> None:
    """A unit may have its namespace behind what lives in it."""
    name = f"{workshop.namespace}-own"
    document = workshop.config_map("a").replace(workshop.namespace, name)
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
    unit = workshop.unit("u", f"{document}---\n{namespace}")
    try:
        assert workshop.act(unit)["Result"] == "ApplyCompleted"
    finally:
        workshop.kube.delete(ObjectRef(api_version="v1", kind="Namespace", name=name))


@pytest.mark.usefixtures("worker")
def test_waits_until_ready(workshop: Workshop) -> None:
    """An apply completes only when the deployment is rolled out, and tells what it waits for."""
    operation = workshop.queue(workshop.unit("u", workshop.deployment("web")))
    end = workshop.await_end(operation)
    assert end["Result"] == "ApplyCompleted", end
    assert workshop.kube.deployment(workshop.namespace, "web").is_rolled_out()
    messages = [event["Message"] for event in workshop.events(operation)]
    assert any(m.startswith(f"Waiting for Deployment {workshop.namespace}/web") for m in messages)


@pytest.mark.usefixtures("worker")
def test_stuck_unit_holds_up_no_other(workshop: Workshop) -> None:
    """While one unit never becomes ready others are applied; at its time-out it fails by name."""
    workshop.set_wait("6s")
    stuck = workshop.queue(workshop.unit("a", workshop.deployment("web", image="no/such:image")))
    until(
        lambda: any("Waiting" in event["Message"] for event in workshop.events(stuck)),
        what="the stuck unit to be waited for",
    )
    assert workshop.act(workshop.unit("b", workshop.config_map("b")))["Result"] == "ApplyCompleted"
    assert all("TerminatedAt" not in event for event in workshop.events(stuck))
    end = workshop.await_end(stuck)
    assert end["Result"] == "ApplyWaitFailed"
    assert f"Deployment {workshop.namespace}/web: 1 desired" in end["Message"]


def _stuck(workshop: Workshop) -> tuple[Json, Json]:
    """Apply a unit that is not ready in time; returns it and the operation."""
    workshop.set_wait("1s")
    unit = workshop.unit("a", workshop.deployment("web", image="no/such:image"))
    operation = workshop.queue(unit)
    assert workshop.await_end(operation)["Result"] == "ApplyWaitFailed"
    return unit, operation


def _mend(workshop: Workshop) -> None:
    """Have somebody else give the stuck deployment an image that is there."""
    manifest = yaml.safe_load(workshop.deployment("web"))
    workshop.kube.apply(manifest, manager="somebody")


def test_late_unit_is_live_after_all(tmp_path: Path, workshop: Workshop) -> None:
    """What becomes ready after its wait failed is looked at again, and is live then."""
    workshop.environment["CONFIGHUB_WAIT_AGAIN_S"] = "0.2"
    with workshops.working(tmp_path, workshop):
        unit, operation = _stuck(workshop)
        assert workshop.read(unit)["Unit"].get("LiveRevisionNum", 0) == 0
        _mend(workshop)
        until(
            lambda: workshop.read(unit)["Unit"].get("LiveRevisionNum", 0) == 1,
            what="the late unit to be live",
        )
        assert workshop.events(operation)[-1]["Result"] == "ApplyCompleted"


def test_late_unit_is_forgotten_for_what_comes_next(tmp_path: Path, workshop: Workshop) -> None:
    """Once something else is done with a unit, its earlier apply is not told of any more."""
    workshop.environment["CONFIGHUB_WAIT_AGAIN_S"] = "0.5"
    with workshops.working(tmp_path, workshop) as process:
        unit, operation = _stuck(workshop)
        assert workshop.act(unit, "destroy")["Result"] == "DestroyCompleted"
        _mend(workshop)
        until(
            lambda: workshop.kube.deployment(workshop.namespace, "web").is_rolled_out(),
            what="the deployment to be ready",
        )
        # the look would have come by the time that another unit has waited as long in vain
        workshop.set_wait("4s")
        other = workshop.unit("b", workshop.deployment("other", image="no/such:image"))
        assert workshop.act(other)["Result"] == "ApplyWaitFailed"
        assert workshop.events(operation)[-1]["Result"] == "ApplyWaitFailed"
        assert "late:" not in process.log()


@pytest.mark.usefixtures("worker")
def test_unit_is_applied_in_order(workshop: Workshop) -> None:
    """Two revisions queued for one unit are applied one after the other; the later one stays."""
    unit = workshop.unit("u", workshop.config_map("a", "one"))
    first = workshop.queue(unit)
    second_data = {"Data": base64_of(workshop.config_map("a", "two"))}
    ok(workshop.client.patch(unit_path(unit), json=second_data))
    second = workshop.queue(unit)
    ends = [workshop.await_end(operation) for operation in (first, second)]
    assert [end["RevisionNum"] for end in ends] == [1, 2]
    begun = next(e for e in workshop.events(second) if e["Status"] == "Progressing")
    assert ends[0]["TerminatedAt"] < begun["CreatedAt"]
    live = workshop.live("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"k": "two"}


@pytest.mark.usefixtures("worker")
def test_wait_gives_way_to_what_comes_next(workshop: Workshop) -> None:
    """An apply that waits for what cannot become ready is canceled by the next one of its unit."""
    unit = workshop.unit("u", workshop.deployment("web", image="no/such:image"))
    stuck = workshop.queue(unit)
    until(
        lambda: any("Waiting for" in event["Message"] for event in workshop.events(stuck)),
        what="the worker to wait for the stuck unit",
    )
    ok(workshop.client.patch(unit_path(unit), json={"Data": base64_of(workshop.deployment("web"))}))
    good = workshop.await_end(workshop.queue(unit))
    ended = workshop.await_end(stuck)
    assert (ended["Status"], ended["Result"]) == ("Canceled", "None")
    assert (good["Result"], good["RevisionNum"]) == ("ApplyCompleted", 2)
    assert ended["TerminatedAt"] < good["TerminatedAt"]


REFUSED = {
    "unknown-group": (
        "apiVersion: nowhere/v1\nkind: Nothing\nmetadata: {name: a}\n",
        "the cluster knows no nowhere/v1 Nothing",
    ),
    "unknown-kind": ("apiVersion: v1\nkind: Nonsense\nmetadata: {name: a}\n", "Nonsense"),
    "invalid-name": ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A_}\n", "metadata.name"),
    "no-name": ("apiVersion: v1\nkind: ConfigMap\n", "metadata.name is missing"),
    "no-object": ("{}\n", "apiVersion is missing"),
    "list": ("- a\n", "apiVersion is missing"),
    "wrong-type": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\ndata: 7\n",
        "data",
    ),
}


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("document", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_refusal_reaches_the_unit(workshop: Workshop, document: str, told: str) -> None:
    """What the cluster refuses fails the apply with a message that names it."""
    unit = workshop.unit("u", document)
    end = workshop.act(unit)
    assert (end["Status"], end["Result"]) == ("Failed", "ApplyFailed")
    assert told in end["Message"]
    assert workshop.read(unit)["Unit"]["LiveRevisionNum"] == 0


@pytest.mark.usefixtures("worker")
def test_wrong_context_is_refused(workshop: Workshop) -> None:
    """A target for another context than the worker's is not applied."""
    target = workshop.await_target()
    path = f"/space/{workshop.space}/target/{target['TargetID']}"
    ok(workshop.client.patch(path, json={"Parameters": '{"KubeContext": "prod"}'}))
    unit = workshop.unit("u", workshop.config_map("a"))
    assert "the target is for context prod" in workshop.act(unit)["Message"]
    assert workshop.live("ConfigMap", "a") is None


@pytest.mark.usefixtures("worker")
def test_refresh_takes_drift_into_the_unit(workshop: Workshop) -> None:
    """A refresh finds none after an apply; what somebody changed since is a new head, once."""
    unit = workshop.unit("u", "# ours\n" + workshop.config_map("a"))
    workshop.act(unit)
    assert workshop.act(unit, "refresh")["Result"] == "RefreshAndNoDrift"
    workshop.kube.apply(yaml.safe_load(workshop.config_map("a", "changed")), manager="somebody")
    end = workshop.act(unit, "refresh")
    assert end["Result"] == "RefreshAndDrifted"
    assert end["Message"] == f"Drift found: ConfigMap {workshop.namespace}/a"
    found = workshop.read(unit)
    assert found["UnitStatus"]["Drift"] == "Drifted"
    wanted = "# ours\n" + workshop.config_map("a").replace("k: v", 'k: "changed"')
    assert text_of(found["Unit"]) == wanted
    assert (found["Unit"]["HeadRevisionNum"], found["Unit"]["LiveRevisionNum"]) == (2, 1)
    state = yaml.safe_load(base64.b64decode(found["Unit"]["LiveState"]))
    assert state["data"] == {"k": "changed"}
    assert workshop.act(unit, "refresh")["Result"] == "RefreshAndNoDrift"
    assert workshop.act(unit)["Result"] == "ApplyCompleted"
    assert workshop.read(unit)["Unit"]["LiveRevisionNum"] == 2


@pytest.mark.usefixtures("worker")
def test_refresh_takes_a_scale_and_no_default(workshop: Workshop) -> None:
    """Of a deployment that somebody scaled, the number alone is another in the unit."""
    data = workshop.deployment("web")
    unit = workshop.unit("u", data)
    workshop.act(unit)
    scaled = yaml.safe_load(data)
    scaled["spec"]["replicas"] = 0
    workshop.kube.apply(scaled, manager="somebody")
    assert workshop.act(unit, "refresh")["Result"] == "RefreshAndDrifted"
    wanted = data.replace("replicas: 1", "replicas: 0")
    assert text_of(workshop.read(unit)["Unit"]) == wanted


@pytest.mark.usefixtures("worker")
def test_refresh_misses_what_is_gone(workshop: Workshop) -> None:
    """An object that was deleted is drift each time, and stays in the unit until that changes."""
    unit = workshop.unit("u", workshop.config_map("a"))
    workshop.act(unit)
    workshop.kube.delete(workshop.ref("ConfigMap", "a"))
    for _ in range(2):
        assert workshop.act(unit, "refresh")["Result"] == "RefreshAndDrifted"
    assert workshop.read(unit)["Unit"]["HeadRevisionNum"] == 1


@pytest.mark.usefixtures("worker")
def test_destroy_removes_the_objects(workshop: Workshop) -> None:
    """A destroyed unit is gone from the cluster; destroying it again succeeds as well."""
    unit = workshop.unit("u", workshop.config_map("a"))
    workshop.act(unit)
    for _ in range(2):
        assert workshop.act(unit, "destroy")["Result"] == "DestroyCompleted"
        assert workshop.live("ConfigMap", "a") is None
    assert workshop.read(unit)["Unit"]["LiveRevisionNum"] == 0


def test_killed_worker_finishes_later(workshop: Workshop, worker: WorkerProcess) -> None:
    """An apply that was under way when the worker was killed is completed by the next one."""
    operation = workshop.queue(workshop.unit("u", workshop.deployment("web")))
    until(lambda: workshop.events(operation), what="the operation to be with the worker")
    worker.kill()
    worker.start()
    assert workshop.await_end(operation)["Result"] == "ApplyCompleted"


@pytest.mark.usefixtures("worker")
def test_worker_outlives_a_killed_server(workshop: Workshop) -> None:
    """A worker whose server was killed in the middle of an apply reports to the next one."""
    operation = workshop.queue(workshop.unit("u", workshop.deployment("web")))
    until(lambda: workshop.events(operation), what="the operation to be with the worker")
    workshop.server.kill()
    workshop.server.start()
    assert workshop.await_end(operation)["Result"] == "ApplyCompleted"
    again = workshop.act(workshop.unit("v", workshop.config_map("b")))
    assert again["Result"] == "ApplyCompleted"


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "traderx_gate.worker"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_wrong_secret_ends_the_worker(workshop: Workshop) -> None:
    """A worker that the server does not know ends with the server's words, not its own secret."""
    ended = _run({**workshop.environment, "CONFIGHUB_WORKER_SECRET": "ch_guessed"})
    assert ended.returncode == 1
    assert "401 worker id and secret do not belong together" in ended.stderr
    assert "ch_guessed" not in ended.stderr


BAD_SETTINGS = {
    "CONFIGHUB_WORKER_SECRET": ("", "CONFIGHUB_WORKER_SECRET must be set"),
    "CONFIGHUB_URL": ("localhost", "expected http(s)://host"),
    "CONFIGHUB_WORKER_PORT": ("https", "and a number"),
    "KUBECONFIG": ("/nowhere", "kubeconfig /nowhere"),
    "CONFIGHUB_WAIT_AGAIN_S": ("soon", "must be seconds"),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings_end_the_worker(workshop: Workshop, name: str) -> None:
    """A setting that is missing or malformed ends the worker with one line that names it."""
    value, told = BAD_SETTINGS[name]
    ended = _run({**workshop.environment, name: value})
    assert ended.returncode == 2
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
