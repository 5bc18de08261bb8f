from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.confighub import confighub_process, scripted_worker
from tests.contract.confighub.confighub_process import (
    ConfigHubProcess,
    Json,
    base64_of,
    make_unit,
    ok,
    unit_path,
    until,
)
from tests.contract.confighub.scripted_worker import (
    WorkerScene,
    connected,
    make_worker,
)


class Scene(WorkerScene):
    """A server, a space with a worker and a target, and a client."""

    def unit(self, slug: str = "u", **values: Any) -> Json:
        """Create a unit that can be applied."""
        return make_unit(self.client, self.space, slug, TargetID=self.target, **values)

    def apply(self, unit: Json) -> Json:
        """Queue an apply."""
        queued: Json = ok(self.client.post(f"{unit_path(unit)}/apply"))
        return queued

    def read(self, unit: Json) -> Json:
        """Return the extended unit."""
        found: Json = ok(self.client.get(unit_path(unit), params={"include": "UnitEventID"}))
        return found

    def await_live(self, unit: Json, number: int) -> None:
        """Wait until a revision is live."""
        until(
            lambda: self.read(unit)["Unit"]["LiveRevisionNum"] == number,
            what=f"revision {number} of {unit['Slug']} to be live",
        )

    def await_end(self, unit: Json) -> Json:
        """Wait until the newest event is a last one, and return it."""
        event: Json = until(
            lambda: _terminal(self.read(unit)), what=f"the operation on {unit['Slug']} to end"
        )
        return event

    def condition(self) -> str:
        """Return the worker's condition."""
        (found,) = ok(self.client.get(f"/space/{self.space}/bridge_worker"))
        return str(found["BridgeWorker"]["Condition"])


@pytest.fixture(name="scene")
def _scene(beating_server: ConfigHubProcess) -> Iterator[Scene]:
    with beating_server.client() as client:
        yield Scene(beating_server, client)


def test_offered_target_is_made(scene: Scene) -> None:
    """A target that a worker offers exists once its stream is open, its parameters as text."""
    offer = {"Name": "wk-Kind Demo", "Params": {"WaitTimeout": "2m0s"}}
    with connected(scene.server, scene.worker, targets=[offer]) as stream:
        stream.next_event()
        found = ok(scene.client.get("/target", params={"where": "Slug = 'wk-kind-demo'"}))
    (target,) = [item["Target"] for item in found]
    assert target["DisplayName"] == "wk-Kind Demo"
    assert target["Parameters"] == '{"WaitTimeout": "2m0s"}'
    assert target["BridgeWorkerID"] == scene.worker["BridgeWorkerID"]


def test_edited_target_survives_a_reconnect(scene: Scene) -> None:
    """A worker that offers a target again does not undo what was edited in it."""
    offer = {"Name": "wk-kind", "Params": {"WaitTimeout": "2m0s"}}
    with connected(scene.server, scene.worker, targets=[offer]) as stream:
        stream.next_event()
    (found,) = ok(scene.client.get("/target", params={"where": "Slug = 'wk-kind'"}))
    path = f"/space/{scene.space}/target/{found['Target']['TargetID']}"
    ok(scene.client.patch(path, json={"Parameters": '{"WaitTimeout": "15m0s"}'}))
    with connected(scene.server, scene.worker, targets=[offer]) as stream:
        stream.next_event()
        read = ok(scene.client.get(path))
    assert read["Target"]["Parameters"] == '{"WaitTimeout": "15m0s"}'


def test_condition_follows_the_stream(scene: Scene) -> None:
    """A worker is Ready while its stream is open and Disconnected before and after."""
    assert scene.condition() == "Disconnected"
    with connected(scene.server, scene.worker) as stream:
        stream.next_event()
        assert scene.condition() == "Ready"
    until(lambda: scene.condition() == "Disconnected", what="the end of the stream to be noted")


def test_silent_worker_is_unresponsive(scene: Scene) -> None:
    """A worker that leaves heartbeats unanswered is Unresponsive until it answers one."""
    with connected(scene.server, scene.worker) as stream:
        stream.answers_heartbeats = False
        until(
            lambda: stream.next_event() and scene.condition() == "Unresponsive",
            what="missed heartbeats to be noted",
        )
        stream.answers_heartbeats = True
        stream.answer_heartbeat()
        assert scene.condition() == "Ready"


def test_operation_carries_the_unit(scene: Scene) -> None:
    """An operation brings the bytes of the head revision and the target's parameters."""
    path = f"/space/{scene.space}/target/{scene.target}"
    ok(scene.client.patch(path, json={"Parameters": '{"KubeContext":"c"}'}))
    unit = scene.unit(data="b: 2\n")
    queued = scene.apply(unit)
    with connected(scene.server, scene.worker) as stream:
        operation = stream.next_operation()
    assert operation == {
        "Action": "Apply",
        "QueuedOperationID": queued["QueuedOperationID"],
        "ToolchainType": "Kubernetes/YAML",
        "ProviderType": "Kubernetes",
        "UnitSlug": "u",
        "UnitID": unit["UnitID"],
        "SpaceID": scene.space,
        "RevisionNum": 1,
        "Data": base64_of("b: 2\n"),
        "LiveState": "",
        "TargetParams": base64_of('{"KubeContext":"c"}'),
        "ExtraParams": "",
    }


def test_completed_apply_is_live(scene: Scene) -> None:
    """ApplyCompleted moves the live revision, its time and the live state."""
    unit = scene.unit()
    scene.apply(unit)
    assert scene.read(unit)["Unit"]["LastAppliedRevisionNum"] == 1
    with connected(scene.server, scene.worker) as stream:
        operation = stream.next_operation()
        state = {"LiveState": base64_of("live: 1\n")}
        ok(stream.report(operation, "ApplyCompleted", "Completed", **state))
    found = scene.read(unit)
    assert found["Unit"]["LiveRevisionNum"] == 1
    assert found["Unit"]["LiveState"] == base64_of("live: 1\n")
    assert found["LatestUnitEvent"]["TerminatedAt"] > found["LatestUnitEvent"]["StartedAt"]
    (revision,) = ok(scene.client.get(f"{unit_path(unit)}/revision"))
    assert revision["Revision"]["LiveAt"] > revision["Revision"]["CreatedAt"]
    live_state = scene.client.get(f"{unit_path(unit)}/live-state")
    assert live_state.content == b"live: 1\n"


def test_failed_apply_is_not_live(scene: Scene) -> None:
    """ApplyFailed leaves the live revision and shows the worker's message."""
    unit = scene.unit()
    scene.apply(unit)
    with connected(scene.server, scene.worker) as stream:
        operation = stream.next_operation()
        ok(stream.report(operation, "ApplyFailed", "Failed", Message="quota exceeded"))
    found = scene.read(unit)
    assert found["Unit"]["LastAppliedRevisionNum"] == 1
    assert found["Unit"]["LiveRevisionNum"] == 0
    assert found["LatestUnitEvent"]["Message"] == "quota exceeded"
    assert found["UnitStatus"]["Status"] == "Error"


def test_previous_live_revision_is_kept(scene: Scene) -> None:
    """After a second apply the revision that was live before can be restored by name."""
    unit = scene.unit(data="v: 1\n")
    with scripted_worker.completing(scene.server, scene.worker):
        for number, data in ((1, "v: 1\n"), (2, "v: 2\n")):
            read = ok(scene.client.get(unit_path(unit)))["Unit"]
            ok(scene.client.put(unit_path(unit), json={**read, "Data": base64_of(data)}))
            scene.apply(unit)
            scene.await_live(unit, number)
    assert scene.read(unit)["Unit"]["PreviousLiveRevisionNum"] == 1
    restored = scene.client.patch(
        unit_path(unit), params={"restore": "PreviousLiveRevisionNum"}, content=b"null"
    )
    assert ok(restored)["Data"] == base64_of("v: 1\n")
    assert ok(restored)["HeadRevisionNum"] == 3


def test_wait_that_failed_may_complete(scene: Scene) -> None:
    """A worker that goes on waiting after ApplyWaitFailed can still complete the operation."""
    unit = scene.unit()
    scene.apply(unit)
    with connected(scene.server, scene.worker) as stream:
        operation = stream.next_operation()
        ok(stream.report(operation, "ApplyWaitFailed", "Failed"))
        ok(stream.report(operation, "ApplyCompleted", "Completed"))
    assert scene.read(unit)["Unit"]["LiveRevisionNum"] == 1


def test_last_word_stands(scene: Scene) -> None:
    """A report on an operation that was completed changes nothing."""
    unit = scene.unit()
    scene.apply(unit)
    with connected(scene.server, scene.worker) as stream:
        operation = stream.next_operation()
        ok(stream.report(operation, "ApplyCompleted", "Completed"))
        ok(stream.report(operation, "ApplyFailed", "Failed"))
    assert scene.read(unit)["LatestUnitEvent"]["Result"] == "ApplyCompleted"


def test_units_do_not_wait_for_each_other(scene: Scene) -> None:
    """Operations of two units are with the worker at once, in the order they were queued."""
    queued = [scene.apply(scene.unit(slug))["QueuedOperationID"] for slug in ("b", "a")]
    with connected(scene.server, scene.worker) as stream:
        operations = stream.operations_until_heartbeat()
    assert [operation["QueuedOperationID"] for operation in operations] == queued


def test_operations_of_one_unit_come_in_order(scene: Scene) -> None:
    """A later operation of a unit reaches the worker while an earlier one is still in its hands."""
    unit = scene.unit()
    first = scene.apply(unit)
    with connected(scene.server, scene.worker) as stream:
        operation = stream.next_operation()
        assert operation["QueuedOperationID"] == first["QueuedOperationID"]
        ok(stream.report(operation, "None", "Progressing"))
        second = scene.apply(unit)
        assert stream.next_operation()["QueuedOperationID"] == second["QueuedOperationID"]


def test_unfinished_operation_comes_again(scene: Scene) -> None:
    """A worker that went away before its report gets the operation again on its next stream."""
    unit = scene.unit()
    scene.apply(unit)
    with connected(scene.server, scene.worker) as stream:
        first = stream.next_operation()
        ok(stream.report(first, "None", "Progressing"))
    with connected(scene.server, scene.worker) as stream:
        again = stream.next_operation()
        assert again == first
        ok(stream.report(again, "ApplyCompleted", "Completed"))
    assert scene.read(unit)["Unit"]["LiveRevisionNum"] == 1


def test_second_stream_takes_over(scene: Scene) -> None:
    """Of two streams of one worker the newer gets the work, and what the older had not finished."""
    scene.apply(scene.unit())
    with connected(scene.server, scene.worker) as older:
        operation = older.next_operation()
        with connected(scene.server, scene.worker) as newer:
            newer.answers_heartbeats = False
            assert newer.next_operation() == operation
            newer.next_event()
            newer.next_event()
            assert scene.condition() == "Ready"
            older.drain()


def test_operation_survives_a_killed_server(scene: Scene) -> None:
    """An operation that was with the worker when the server was killed comes again afterwards."""
    unit = scene.unit()
    scene.apply(unit)
    with connected(scene.server, scene.worker) as stream:
        operation = stream.next_operation()
        scene.server.kill()
    scene.server.start()
    with connected(scene.server, scene.worker) as stream:
        assert stream.next_operation() == operation


def test_worker_sees_its_own_operations_alone(scene: Scene) -> None:
    """A report on the operation of another worker is refused."""
    other = make_worker(scene.client, scene.space, "other")
    scene.apply(scene.unit())
    with connected(scene.server, scene.worker) as mine, connected(scene.server, other) as theirs:
        refused = theirs.report(mine.next_operation(), "ApplyCompleted", "Completed")
    assert refused.status_code == 404


@pytest.mark.parametrize("call", ["me", "stream", "action_result"])
def test_worker_needs_its_secret(scene: Scene, call: str) -> None:
    """No call of a worker is served with another secret, nor with the token of users."""
    method = "GET" if call == "me" else "POST"
    path = f"/bridge_worker/{scene.worker['BridgeWorkerID']}/{call}"
    with scene.server.client(token="ch_guessed") as stranger:
        refused = stranger.request(method, path, json={"padding": "x" * 50_000})
    assert refused.status_code == 401
    assert scene.client.request(method, path, json={}).status_code == 401


def test_worker_can_log_in(scene: Scene) -> None:
    """A worker's secret buys a token for the API; a wrong one buys nothing."""
    body = {"worker_id": scene.worker["BridgeWorkerID"], "worker_secret": scene.worker["Secret"]}
    url = f"{scene.server.url}/auth/worker"
    session = ok(scene.client.post(url, json=body))
    with scene.server.client(token=session["access_token"]) as client:
        assert [item["Space"]["Slug"] for item in ok(client.get("/space"))] == ["s"]
    wrong = scene.client.post(url, json={**body, "worker_secret": "ch_wrong"})
    assert wrong.status_code == 401


def test_drift_becomes_a_new_head(scene: Scene) -> None:
    """What a refresh finds changed in the cluster is stored as a new head revision."""
    unit = scene.unit()
    with connected(scene.server, scene.worker) as stream:
        ok(scene.client.post(f"{unit_path(unit)}/refresh"))
        operation = stream.next_operation()
        data = {"Data": base64_of("a: 9\n"), "LiveState": base64_of("a: 9\n")}
        ok(stream.report(operation, "RefreshAndDrifted", "Completed", **data))
    found = scene.read(unit)
    assert found["UnitStatus"]["Drift"] == "Drifted"
    assert found["Unit"]["Data"] == base64_of("a: 9\n")
    assert found["Unit"]["HeadRevisionNum"] == 2
    assert found["Unit"]["LiveState"] == base64_of("a: 9\n")
    revisions = ok(scene.client.get(f"{unit_path(unit)}/revision"))
    assert [item["Revision"]["Source"] for item in revisions][1:] == ["Refresh"]


def test_drift_does_not_undo_a_newer_head(scene: Scene) -> None:
    """Drift that was found on an older head makes none; it is told, and can be found again."""
    unit = scene.unit()
    with connected(scene.server, scene.worker) as stream:
        ok(scene.client.post(f"{unit_path(unit)}/refresh"))
        operation = stream.next_operation()
        ok(scene.client.patch(unit_path(unit), json={"Data": base64_of("a: 2\n")}))
        data = {"Data": base64_of("a: 9\n"), "LiveState": base64_of("a: 9\n")}
        ok(stream.report(operation, "RefreshAndDrifted", "Completed", **data))
        ok(scene.client.post(f"{unit_path(unit)}/refresh"))
        assert stream.next_operation()["LiveState"] == ""
    found = scene.read(unit)
    assert found["UnitStatus"]["Drift"] == "Drifted"
    assert (found["Unit"]["Data"], found["Unit"]["HeadRevisionNum"]) == (base64_of("a: 2\n"), 2)


def test_destroyed_unit_is_not_live(scene: Scene) -> None:
    """DestroyCompleted leaves no live revision and no live state."""
    unit = scene.unit()
    scene.apply(unit)
    with connected(scene.server, scene.worker) as stream:
        state = {"LiveState": base64_of("a: 1\n")}
        ok(stream.report(stream.next_operation(), "ApplyCompleted", "Completed", **state))
        ok(scene.client.post(f"{unit_path(unit)}/destroy"))
        operation = stream.next_operation()
        assert operation["LiveState"] == base64_of("a: 1\n")
        ok(stream.report(operation, "DestroyCompleted", "Completed"))
    found = scene.read(unit)["Unit"]
    assert found["LiveRevisionNum"] == 0
    assert found["PreviousLiveRevisionNum"] == 1
    assert found["LiveState"] == ""


def test_apply_needs_target_and_worker(scene: Scene) -> None:
    """An apply without a target, or of a target without a worker, is refused and queues nothing."""
    unit = make_unit(scene.client, scene.space, "u")
    no_target = scene.client.post(f"{unit_path(unit)}/apply")
    body = {"Slug": "bare", "ToolchainType": "Kubernetes/YAML", "ProviderType": "Kubernetes"}
    bare = ok(scene.client.post(f"/space/{scene.space}/target", json=body))["TargetID"]
    ok(scene.client.patch(unit_path(unit), json={"TargetID": bare}))
    no_worker = scene.client.post(f"{unit_path(unit)}/apply")
    assert (no_target.status_code, no_worker.status_code) == (400, 400)
    assert "has no target" in no_target.json()["Message"]
    assert "has no worker" in no_worker.json()["Message"]
    assert scene.read(unit)["Unit"]["LastAppliedRevisionNum"] == 0


def test_overdue_operations_end(tmp_path: Path) -> None:
    """Overdue, an operation fails if a worker had it, and is cancelled if none ever took it."""
    options = ("--heartbeat-s", "0.2", "--operation-timeout-s", "0.5")
    with confighub_process.running(tmp_path, *options) as server, server.client() as client:
        scene = Scene(server, client)
        taken, left = scene.unit("taken"), scene.unit("left")
        with connected(server, scene.worker) as stream:
            scene.apply(taken)
            stream.next_operation()
        scene.apply(left)
        for unit, status in ((taken, "Failed"), (left, "Canceled")):
            event = scene.await_end(unit)
            assert event["Status"] == status
            assert "0.5 s" in event["Message"]


def _terminal(found: Json) -> Json | None:
    event: Json = found.get("LatestUnitEvent", {})
    return event if "TerminatedAt" in event else None


def test_bad_reports_are_refused(scene: Scene) -> None:
    """A report that cannot be read is refused with a message, and the operation goes on."""
    unit = scene.unit()
    scene.apply(unit)
    with connected(scene.server, scene.worker) as stream:
        operation = stream.next_operation()
        for values in (
            {"QueuedOperationID": "x"},
            {"LiveState": "%"},
            {"Message": 3},
            {"Status": "Done"},
        ):
            body: dict[str, Any] = {"Status": "Completed", **values}
            refused = stream.report(operation, "ApplyCompleted", body.pop("Status"), **body)
            assert refused.status_code == 400, refused.text
            assert refused.json()["Message"]
        ok(stream.report(operation, "ApplyCompleted", "Completed"))
    assert scene.read(unit)["Unit"]["LiveRevisionNum"] == 1


@pytest.mark.parametrize(
    "info",
    [
        [],
        "text",
        {"BridgeWorkerInfo": [1]},
        {"BridgeWorkerInfo": {"SupportedConfigTypes": [{"AvailableTargets": [{}]}]}},
        {"BridgeWorkerInfo": {"SupportedConfigTypes": 7}},
        {"FunctionWorkerInfo": {"SupportedFunctions": {"Kubernetes/YAML": ["f"]}}},
        {"FunctionWorkerInfo": {"SupportedFunctions": {"T": {"f": {"FunctionName": "g"}}}}},
    ],
    ids=[
        *("list", "text", "bridge-list", "nameless-target", "types-number"),
        *("functions-list", "other-name"),
    ],
)
def test_bad_worker_info_is_refused(scene: Scene, info: Any) -> None:
    """A registration that cannot be read is refused, and the worker stays disconnected."""
    path = f"/bridge_worker/{scene.worker['BridgeWorkerID']}/stream"
    with scene.server.client(token=scene.worker["Secret"]) as client:
        refused = client.post(path, json=info)
    assert refused.status_code == 400, refused.text
    assert scene.condition() == "Disconnected"
