"""What the worker alone can say of a unit: whether the cluster would take it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.confighub.confighub_process import Json, ok, text_of, until
from tests.integration.worker import workshop as workshops
from tests.integration.worker.workshop import WorkerProcess, Workshop
from traderx_gate.kube import PROJECT_LABEL
from traderx_gate.worker.functions import DRY_RUN

pytestmark = pytest.mark.cluster


@pytest.fixture(name="workshop")
def _workshop(tmp_path: Path, kubeconfig: Path) -> Iterator[Workshop]:
    with workshops.opened(tmp_path, kubeconfig) as workshop:
        yield workshop


@pytest.fixture(name="worker", autouse=True)
def _worker(tmp_path: Path, workshop: Workshop) -> Iterator[WorkerProcess]:
    with workshops.working(tmp_path, workshop) as process:
        yield process


def tried(workshop: Workshop, unit: Json, *names: str, **values: object) -> Json:
    """Run functions on a unit and return the entry."""
    body = {"FunctionInvocations": [{"FunctionName": name} for name in names or (DRY_RUN,)]}
    answer = workshop.client.post(
        f"/space/{workshop.space}/function/invoke",
        params={"unit_id": unit["UnitID"]},
        json={**body, **values},
    )
    (entry,) = answer.json()
    return dict(entry)


def output(entry: Json) -> list[Json]:
    """Return what the validations of an entry say."""
    assert entry["OutputType"] == "ValidationResult", entry
    return list(json.loads(text_of({"Data": entry["Output"]})))


def test_unit_that_the_cluster_takes(workshop: Workshop) -> None:
    """Where nothing would be refused the validation passes, and nothing was made."""
    unit = workshop.unit("u", workshop.config_map("a") + "---" + workshop.deployment("web"))
    entry = tried(workshop, unit)
    assert entry["Success"], entry["Error"]
    assert output(entry) == [{"Passed": True, "Index": 0}]
    assert workshop.live("ConfigMap", "a") is None
    assert workshop.read(unit)["Unit"]["HeadRevisionNum"] == 1


def test_what_the_cluster_refuses_is_named(workshop: Workshop) -> None:
    """Each object that the API server refuses is named with its words; the others are not."""
    bad = workshop.deployment("web").replace("replicas: 1", "replicas: -1")
    unknown = "apiVersion: nowhere/v1\nkind: Nothing\nmetadata: {name: x}\n"
    unit = workshop.unit("u", "---\n".join([workshop.config_map("a"), bad, "\n" + unknown]))
    entry = tried(workshop, unit)
    assert entry["Success"], entry["Error"]
    ((details, passed),) = [(one["Details"], one["Passed"]) for one in output(entry)]
    assert not passed
    web, nothing = details
    assert f"Deployment {workshop.namespace}/web" in web
    assert "spec.replicas" in web
    assert "Nothing x" in nothing
    assert any(DRY_RUN in message for message in entry["ErrorMessages"])


def test_what_could_not_be_tried_does_not_pass(workshop: Workshop) -> None:
    """An object in a namespace that is not there yet cannot be tried: that is no pass."""
    name = f"{workshop.namespace}-not-there"
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
    inside = workshop.config_map("a").replace(workshop.namespace, name)
    (result,) = output(tried(workshop, workshop.unit("u", f"{namespace}---\n{inside}")))
    assert not result["Passed"]
    (told,) = result["Details"]
    assert f"ConfigMap {name}/a" in told


def test_somebody_elses_object_is_named(workshop: Workshop) -> None:
    """An object that an apply would refuse, since it is another project's, is named as well."""
    mine = workshop.config_map("a").replace("metadata: {", "metadata: {labels: {LABEL: mine}, ")
    mine = mine.replace("LABEL", PROJECT_LABEL)
    workshop.act(workshop.unit("theirs", mine.replace("mine", "theirs")))
    (result,) = output(tried(workshop, workshop.unit("u", mine)))
    assert not result["Passed"]
    assert "belongs to project theirs" in result["Details"][0]


def test_rules_of_a_row(workshop: Workshop) -> None:
    """Results are told one by one or as one; arguments that no parameter takes are a failure."""
    unit = workshop.unit("u", workshop.config_map("a"))
    one_by_one = output(tried(workshop, unit, DRY_RUN, DRY_RUN))
    assert [one["Index"] for one in one_by_one] == [0, 1]
    combined = tried(workshop, unit, DRY_RUN, DRY_RUN, CombineResults=True)
    assert json.loads(text_of({"Data": combined["Output"]})) == {"Passed": True, "Index": 0}
    odd = [{"FunctionName": DRY_RUN, "Arguments": [{"Value": "x"}]}]
    entry = tried(workshop, unit, FunctionInvocations=odd)
    assert "too many arguments" in entry["Error"]["Message"]


def test_stuck_apply_holds_up_no_answer(workshop: Workshop) -> None:
    """A unit can be tried while an apply of it waits."""
    workshop.set_wait("60s")
    unit = workshop.unit("u", workshop.deployment("web", image="no/such:image"))
    stuck = workshop.queue(unit)
    until(
        lambda: any("Waiting for" in event["Message"] for event in workshop.events(stuck)),
        what="the apply to wait",
    )
    assert output(tried(workshop, unit)) == [{"Passed": True, "Index": 0}]
    assert all("TerminatedAt" not in event for event in workshop.events(stuck))


def test_function_is_listed(workshop: Workshop) -> None:
    """The signature that the worker registered can be read."""
    workshop.await_target()
    worker = workshop.identity["BridgeWorkerID"]
    path = f"/space/{workshop.space}/bridge_worker/{worker}/function"
    found = until(lambda: ok(workshop.client.get(path)), what="the worker's functions")
    assert found["Kubernetes/YAML"][DRY_RUN]["Validating"] is True
