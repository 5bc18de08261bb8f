"""Functions that a worker offers: sent to it, awaited, and taken as those of the server are."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import (
    DEADLINE_S,
    ConfigHubProcess,
    Json,
    base64_of,
    make_unit,
    ok,
    refused,
    text_of,
    unit_path,
)
from tests.contract.confighub.scripted_worker import (
    Stream,
    WorkerScene,
    connected,
    make_worker,
)

CHECK: Json = {
    "FunctionName": "ask-cluster",
    "Parameters": [],
    "Mutating": False,
    "Validating": True,
    "OutputInfo": {"ResultName": "passed", "OutputType": "ValidationResult"},
}
CHANGE: Json = {"FunctionName": "take-over", "Parameters": [], "Mutating": True}
OFFERED = {"ask-cluster": CHECK, "take-over": CHANGE, "set-replicas": CHANGE}
OFFERED["set-replicas"] = {**CHANGE, "FunctionName": "set-replicas"}
COMPLETED = "FunctionInvocationCompleted"
TIMEOUT_S = 0.5


class Scene(WorkerScene):
    """A server, a unit on a worker's target, and a client."""

    def __init__(self, server: ConfigHubProcess, client: httpx.Client) -> None:
        super().__init__(server, client)
        self.unit = make_unit(client, self.space, "u", TargetID=self.target)

    def invoke(self, function: str, *, dry_run: bool = False, **values: Any) -> httpx.Response:
        """Run a function on every unit of the space."""
        return self.client.post(
            f"/space/{self.space}/function/invoke",
            params={"dry_run": "true"} if dry_run else {},
            json={"FunctionInvocations": [{"FunctionName": function}], **values},
        )

    def head(self) -> Json:
        """Return the unit as it is now."""
        return dict(ok(self.client.get(unit_path(self.unit)))["Unit"])


@pytest.fixture(name="scene")
def _scene(beating_server: ConfigHubProcess) -> Iterator[Scene]:
    with beating_server.client() as client:
        yield Scene(beating_server, client)


def response(**values: Any) -> Json:
    """Return what a worker sends as the data of its answer."""
    body = {"ConfigData": base64_of("a: 1\n"), "Success": True, "Mutators": [], **values}
    return {"Data": base64_of(json.dumps(body))}


@contextmanager
def answering(scene: Scene, answer: Callable[[Stream, Json], None]) -> Iterator[list[Json]]:
    """Have a worker answer one invocation; yields what it was asked."""
    asked: list[Json] = []
    failures: list[BaseException] = []
    registered = threading.Event()

    def serve() -> None:
        try:
            with connected(scene.server, scene.worker, functions=OFFERED) as stream:
                stream.next_event()
                registered.set()
                asked.append(stream.next_invocation())
                answer(stream, asked[0])
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
            registered.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert registered.wait(DEADLINE_S)
    yield asked
    thread.join(DEADLINE_S)
    assert not failures, failures
    assert not thread.is_alive()


def test_worker_is_sent_the_unit_and_its_result_comes_back(scene: Scene) -> None:
    """A function that only the worker offers is sent to it with the unit; its result is shown."""
    result = [{"Passed": False, "Index": 0, "Details": ["quota exceeded"]}]
    told = response(
        Output=base64_of(json.dumps(result)),
        OutputType="ValidationResult",
        ErrorMessages=["function failed: ask-cluster at 0 on u"],
    )
    with answering(scene, lambda s, asked: ok(s.answer(asked, COMPLETED, **told))) as asked:
        (entry,) = ok(scene.invoke("ask-cluster"))
    assert entry["Success"] is True
    assert entry["OutputType"] == "ValidationResult"
    assert json.loads(text_of({"Data": entry["Output"]})) == result
    assert entry["ErrorMessages"] == ["function failed: ask-cluster at 0 on u"]
    assert asked[0]["Action"] == "InvokeFunctions"
    wanted = asked[0]["InvocationRequest"]
    assert wanted["FunctionInvocations"] == [{"FunctionName": "ask-cluster"}]
    assert (wanted["UnitID"], wanted["UnitSlug"]) == (scene.unit["UnitID"], "u")
    assert (wanted["RevisionNum"], wanted["ConfigData"]) == (1, base64_of("a: 1\n"))
    assert wanted["ToolchainType"] == "Kubernetes/YAML"
    assert scene.head()["HeadRevisionNum"] == 1


CHANGED = response(ConfigData=base64_of("a: 2\n"), Mutators=[0])


@pytest.mark.parametrize("dry_run", [False, True])
def test_change_by_a_worker_is_a_new_head(scene: Scene, dry_run: bool) -> None:  # noqa: FBT001
    """What a worker's function changed is the new head with its mutation, unless in a dry run."""
    with answering(scene, lambda s, asked: ok(s.answer(asked, COMPLETED, **CHANGED))):
        (entry,) = ok(scene.invoke("take-over", dry_run=dry_run, ChangeDescription="why"))
    assert (entry["Success"], entry["ConfigData"]) == (True, base64_of("a: 2\n"))
    head = scene.head()
    expected = (1, "a: 1\n") if dry_run else (2, "a: 2\n")
    assert (head["HeadRevisionNum"], text_of(head)) == expected
    if not dry_run:
        assert head["LastChangeDescription"] == "why"
        mutations = ok(scene.client.get(f"{unit_path(scene.unit)}/mutation"))
        called = mutations[1]["Mutation"]["FunctionInvocation"]["FunctionName"]
        assert called == "take-over"


@pytest.mark.parametrize("how", ["BridgeWorkerID", "UseFunctionWorker"])
def test_worker_is_asked_for_by_name(scene: Scene, how: str) -> None:
    """A function that the server knows as well goes to the worker where the request says so."""
    values = {"BridgeWorkerID": scene.worker["BridgeWorkerID"], "UseFunctionWorker": True}
    with answering(scene, lambda s, asked: ok(s.answer(asked, COMPLETED, **CHANGED))) as asked:
        (entry,) = ok(scene.invoke("set-replicas", **{how: values[how]}))
    assert entry["ConfigData"] == base64_of("a: 2\n")
    assert len(asked) == 1


def test_server_runs_what_it_knows(scene: Scene) -> None:
    """Without being told to, the server asks no worker for a function of its own."""
    with connected(scene.server, scene.worker, functions=OFFERED) as stream:
        stream.next_event()
        body = {"FunctionInvocations": [{"FunctionName": "get-replicas"}]}
        (entry,) = ok(scene.client.post(f"/space/{scene.space}/function/invoke", json=body))
    assert entry["Success"] is True


UNREADABLE: dict[str, Json] = {
    "no-data": {},
    "no-json": {"Data": base64_of("{")},
    "list": {"Data": base64_of("[]")},
    "no-success": {"Data": base64_of("{}")},
    "odd-mutator": response(ConfigData=base64_of("a: 2\n"), Mutators=[7]),
    "no-config": {"Data": base64_of(json.dumps({"Success": True, "Mutators": [0]}))},
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_answer_that_cannot_be_read_changes_nothing(scene: Scene, name: str) -> None:
    """An answer of another form is a failure of the unit, in words."""
    with answering(scene, lambda s, asked: ok(s.answer(asked, COMPLETED, **UNREADABLE[name]))):
        answer = scene.invoke("take-over")
    assert answer.status_code == 207
    (entry,) = answer.json()
    assert entry["Success"] is False
    assert "its answer cannot be read" in entry["Error"]["Message"]
    assert scene.head()["HeadRevisionNum"] == 1


def test_change_by_what_changes_nothing_is_refused(scene: Scene) -> None:
    """A function that was registered as one that changes no data cannot change any."""
    with answering(scene, lambda s, asked: ok(s.answer(asked, COMPLETED, **CHANGED))):
        (entry,) = scene.invoke("ask-cluster").json()
    assert "came back changed" in entry["Error"]["Message"]
    assert scene.head()["HeadRevisionNum"] == 1


def test_data_that_is_no_yaml_is_refused(scene: Scene) -> None:
    """What a worker makes of a unit must be what anybody could store."""
    told = response(ConfigData=base64_of("{a: ["), Mutators=[0])
    with answering(scene, lambda s, asked: ok(s.answer(asked, COMPLETED, **told))):
        (entry,) = scene.invoke("take-over").json()
    assert "not YAML" in entry["Error"]["Message"]
    assert scene.head()["HeadRevisionNum"] == 1


def test_failure_is_told(scene: Scene) -> None:
    """A worker that could not run the functions says why."""
    told = {"Message": "the cluster is away"}
    with answering(scene, lambda s, a: ok(s.answer(a, "FunctionInvocationFailed", **told))):
        answer = scene.invoke("ask-cluster")
    assert answer.status_code == 207
    assert "the cluster is away" in answer.json()[0]["Error"]["Message"]


def test_newer_head_is_not_undone(scene: Scene) -> None:
    """A unit that got another head while the worker worked keeps it; the item is a conflict."""

    def answer(stream: Stream, asked: Json) -> None:
        ok(scene.client.patch(unit_path(scene.unit), json={"Data": base64_of("a: 3\n")}))
        ok(stream.answer(asked, COMPLETED, **CHANGED))

    with answering(scene, answer):
        (entry,) = scene.invoke("take-over").json()
    assert entry["Error"]["Status"] == 409
    assert text_of(scene.head()) == "a: 3\n"


def test_silent_worker_is_not_waited_for(tmp_path: Path) -> None:
    """After the deadline the item fails; an answer that comes later is refused."""
    done = threading.Event()

    def answer(stream: Stream, asked: Json) -> None:
        assert done.wait(DEADLINE_S)
        refused(stream.answer(asked, COMPLETED, **CHANGED), 404)

    options = ("--function-timeout-s", str(TIMEOUT_S))
    with confighub_process.running(tmp_path, *options) as server, server.client() as client:
        scene = Scene(server, client)
        with answering(scene, answer):
            (entry,) = scene.invoke("take-over").json()
            done.set()
        assert f"did not answer in {TIMEOUT_S} s" in entry["Error"]["Message"]
        assert scene.head()["HeadRevisionNum"] == 1


def test_lost_worker_is_not_waited_for(scene: Scene) -> None:
    """A stream that ends before the answer ends the wait, and so does one that is not there."""
    with answering(scene, lambda *_: None):
        (entry,) = scene.invoke("take-over").json()
        assert "stream ended" in entry["Error"]["Message"]
    (entry,) = scene.invoke("take-over").json()
    assert "is not connected" in entry["Error"]["Message"]


def test_answer_of_another_worker_is_refused(scene: Scene) -> None:
    """Nobody but the worker that was asked can answer."""
    other = make_worker(scene.client, scene.space, "other")

    def answer(stream: Stream, asked: Json) -> None:
        with connected(scene.server, other) as theirs:
            refused(theirs.answer(asked, COMPLETED, **CHANGED), 404)
        ok(stream.answer(asked, COMPLETED, **response()))

    with answering(scene, answer):
        ok(scene.invoke("take-over"))
    assert scene.head()["HeadRevisionNum"] == 1


def test_what_nobody_offers_is_refused(scene: Scene) -> None:
    """A worker is not sent what it did not register; a mixed row runs nowhere."""
    with connected(scene.server, scene.worker, functions=OFFERED) as stream:
        stream.next_event()
        values = {"BridgeWorkerID": scene.worker["BridgeWorkerID"]}
        told = refused(scene.invoke("get-replicas", **values), 422)
        assert "'wk' offers no function 'get-replicas'" in told
        assert "ask-cluster, set-replicas, take-over" in told
        row = [{"FunctionName": name} for name in ("ask-cluster", "get-replicas")]
        refused(scene.invoke("x", FunctionInvocations=row), 422)
        (entry,) = scene.invoke("nobody-knows").json()
    assert "function does not exist" in entry["Error"]["Message"]


def test_unit_without_a_target_has_no_worker(scene: Scene) -> None:
    """Where the worker of the target is asked for, there has to be one."""
    ok(scene.client.delete(unit_path(scene.unit)))
    make_unit(scene.client, scene.space, "bare")
    told = refused(scene.invoke("set-replicas", UseFunctionWorker=True), 422)
    assert "has no worker" in told


def test_registered_functions_are_listed(scene: Scene) -> None:
    """What a worker registered can be read, by toolchain and name."""
    path = f"/space/{scene.space}/bridge_worker/{scene.worker['BridgeWorkerID']}/function"
    assert ok(scene.client.get(path)) == {}
    with connected(scene.server, scene.worker, functions=OFFERED) as stream:
        stream.next_event()
        assert ok(scene.client.get(path)) == {"Kubernetes/YAML": OFFERED}
