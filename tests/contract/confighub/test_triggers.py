from typing import Any

import httpx
import pytest

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import (
    Json,
    base64_of,
    make_space,
    make_unit,
    ok,
    unit_path,
)
from tests.contract.confighub.scripted_worker import make_target, make_worker

KUBERNETES = "Kubernetes/YAML"
GOOD, BAD = "kind: A\nx: 1\n", "kind: A\nx: replaceme\n"


def make_trigger(
    client: httpx.Client, space: str, function: str, *arguments: Any, **values: Any
) -> Json:
    """Create a trigger and return it."""
    sent = body(function, *arguments, **values)
    made: Json = ok(client.post(f"/space/{space}/trigger", json=sent))
    return made


def body(function: str, *arguments: Any, **values: Any) -> Json:
    """Return a trigger as the client sends it."""
    return {
        "Slug": "tr",
        "Event": "Mutation",
        "FunctionName": function,
        "ToolchainType": KUBERNETES,
        "Arguments": [{"Value": value} for value in arguments] or None,
        "BridgeWorkerID": None,
        "InvocationID": None,
        **values,
    }


def trigger_path(trigger: Json) -> str:
    """Return the path of a trigger."""
    return f"/space/{trigger['SpaceID']}/trigger/{trigger['TriggerID']}"


def read(client: httpx.Client, unit: Json) -> Json:
    """Return a unit as it is now."""
    now: Json = ok(client.get(unit_path(unit)))["Unit"]
    return now


def write(client: httpx.Client, unit: Json, data: str) -> Json:
    """Give a unit new data and return it."""
    changed: Json = ok(client.patch(unit_path(unit), json={"Data": base64_of(data)}))
    return changed


def appliable(client: httpx.Client, space: str, slug: str, data: str) -> Json:
    """Create a unit with a target."""
    workers = ok(client.get(f"/space/{space}/bridge_worker"))
    worker = workers[0]["BridgeWorker"] if workers else make_worker(client, space)
    targets = ok(client.get(f"/space/{space}/target"))
    target = targets[0]["Target"]["TargetID"] if targets else make_target(client, space, worker)
    return make_unit(client, space, slug, data, TargetID=target)


def test_trigger_knows_whether_it_validates(client: httpx.Client, space: str) -> None:
    """Whether a trigger validates follows from its function, whatever the client says."""
    made = make_trigger(client, space, "no-placeholders", Validating=False)
    assert made["Validating"] is True
    (listed,) = ok(client.get(f"/space/{space}/trigger", params={"include": "SpaceID"}))
    assert listed["Trigger"]["TriggerID"] == made["TriggerID"]
    assert listed["Space"]["SpaceID"] == space


def test_failing_validation_closes_a_gate(client: httpx.Client, space: str) -> None:
    """New data that does not pass has a gate named after the trigger, until data passes."""
    make_trigger(client, space, "no-placeholders")
    unit = make_unit(client, space, "u", BAD)
    assert unit["ApplyGates"] == {"tr/no-placeholders": True}
    assert write(client, unit, GOOD)["ApplyGates"] == {}
    assert write(client, unit, BAD)["ApplyGates"] == {"tr/no-placeholders": True}


def test_gate_is_on_the_revision(client: httpx.Client, space: str) -> None:
    """Each revision keeps the gates that it had as head."""
    make_trigger(client, space, "no-placeholders")
    unit = make_unit(client, space, "u", BAD)
    write(client, unit, GOOD)
    revisions = [item["Revision"] for item in ok(client.get(f"{unit_path(unit)}/revision"))]
    assert [r["ApplyGates"] for r in revisions] == [{"tr/no-placeholders": True}, {}]


def test_gate_blocks_apply(client: httpx.Client, space: str) -> None:
    """A unit with a gate is not applied, and the refusal names the gate."""
    make_trigger(client, space, "no-placeholders")
    unit = appliable(client, space, "u", BAD)
    response = client.post(f"{unit_path(unit)}/apply")
    assert response.status_code == 400
    assert "tr/no-placeholders" in response.json()["Message"]
    assert read(client, unit)["LastAppliedRevisionNum"] == 0
    write(client, unit, GOOD)
    ok(client.post(f"{unit_path(unit)}/apply"))


def test_gate_does_not_block_refresh_and_destroy(client: httpx.Client, space: str) -> None:
    """What a gate holds back is apply alone."""
    make_trigger(client, space, "no-placeholders")
    unit = appliable(client, space, "u", BAD)
    ok(client.post(f"{unit_path(unit)}/refresh"))
    ok(client.post(f"{unit_path(unit)}/destroy"))


def test_bulk_apply_tells_the_held_ones(client: httpx.Client, space: str) -> None:
    """A bulk apply queues what is free and has an error with the gate for what is held."""
    make_trigger(client, space, "no-placeholders")
    appliable(client, space, "free", GOOD)
    appliable(client, space, "held", BAD)
    response = client.post("/unit/apply", params={"where": f"SpaceID = '{space}'"})
    assert response.status_code == 207
    free, held = response.json()
    assert free["Action"]["Action"] == "Apply"
    assert "tr/no-placeholders" in held["Error"]["Message"]


@pytest.mark.parametrize("where", ["LEN(ApplyGates) > 0", "ApplyGates.tr/no-placeholders = true"])
def test_held_units_are_found(client: httpx.Client, space: str, where: str) -> None:
    """Units can be chosen by their gates."""
    make_trigger(client, space, "no-placeholders")
    make_unit(client, space, "free", GOOD)
    make_unit(client, space, "held", BAD)
    found = ok(client.get(f"/space/{space}/unit", params={"where": where}))
    assert [item["Unit"]["Slug"] for item in found] == ["held"]
    assert found[0]["Unit"]["ApplyGates"] == {"tr/no-placeholders": True}


def test_trigger_changes_gates_of_what_is_there(client: httpx.Client, space: str) -> None:
    """Gates follow a trigger that is made, disabled, enabled and deleted."""
    unit = make_unit(client, space, "u", BAD)
    trigger = make_trigger(client, space, "no-placeholders")
    assert read(client, unit)["ApplyGates"] == {"tr/no-placeholders": True}
    ok(client.patch(trigger_path(trigger), json={"Disabled": True}))
    assert read(client, unit)["ApplyGates"] == {}
    where = f"TriggerID = '{trigger['TriggerID']}'"
    ok(client.patch("/trigger", params={"where": where}, json={"Disabled": False}))
    assert read(client, unit)["ApplyGates"] == {"tr/no-placeholders": True}
    ok(client.patch(trigger_path(trigger), json={"Slug": "other"}))
    assert read(client, unit)["ApplyGates"] == {"other/no-placeholders": True}
    ok(client.delete(trigger_path(trigger)))
    assert read(client, unit)["ApplyGates"] == {}


def test_bulk_deletion_of_triggers_opens_gates(client: httpx.Client, space: str) -> None:
    """Triggers copied into a space close gates there, and deleted in bulk they open them again."""
    make_trigger(client, make_space(client, "pattern"), "no-placeholders", Labels={"copy": "me"})
    unit = make_unit(client, space, "u", BAD)
    slug = ok(client.get(f"/space/{space}"))["Space"]["Slug"]
    copy = {"where": "Labels.copy = 'me'", "where_space": f"Slug = '{slug}'"}
    ok(client.post("/trigger", params=copy, json={}))
    assert read(client, unit)["ApplyGates"] == {"tr/no-placeholders": True}
    ok(client.delete("/trigger", params={"where": f"SpaceID = '{space}'"}))
    assert read(client, unit)["ApplyGates"] == {}


def test_refused_clone_is_one_item_of_many(client: httpx.Client, space: str) -> None:
    """Where a source's trigger refuses one clone of many, the others are made."""
    make_trigger(client, space, "no-placeholders", Event="PreClone")
    make_unit(client, space, "bad", BAD)
    make_unit(client, space, "good", GOOD)
    make_space(client, "many-clones")
    query = {"where": f"SpaceID = '{space}'", "where_space": "Slug = 'many-clones'"}
    response = client.post("/unit", params=query, json={})
    assert response.status_code == 207
    bad, good = response.json()
    assert "tr/no-placeholders" in bad["Error"]["Message"]
    assert good["Unit"]["Slug"] == "good"


def test_gates_are_no_change_of_the_unit(client: httpx.Client, space: str) -> None:
    """A client that read a unit before its gates changed may still replace it."""
    unit = make_unit(client, space, "u", BAD)
    make_trigger(client, space, "no-placeholders")
    assert read(client, unit)["Version"] == unit["Version"]
    ok(client.put(unit_path(unit), json={**unit, "Labels": {"a": "b"}}))


def test_trigger_of_another_space_has_no_say(client: httpx.Client, space: str) -> None:
    """A trigger is for the units of its own space and toolchain."""
    make_trigger(client, make_space(client, "another"), "no-placeholders")
    assert make_unit(client, space, "u", BAD)["ApplyGates"] == {}
    make_trigger(client, space, "no-placeholders")
    other = make_unit(client, space, "v", "x=replaceme", ToolchainType="AppConfig/Properties")
    assert other["ApplyGates"] == {}


def test_data_that_cannot_be_checked_is_held(client: httpx.Client, space: str) -> None:
    """What a validating function cannot read has not passed it."""
    make_trigger(client, space, "no-placeholders")
    unit = make_unit(client, space, "u", "a: &x 1\nb: *x\n")
    assert unit["ApplyGates"] == {"tr/no-placeholders": True}


def test_expression_of_a_trigger_closes_its_gate(client: httpx.Client, space: str) -> None:
    """A CEL expression is a gate, and so is one that turns out not to be CEL."""
    make_trigger(client, space, "cel-validate", "r.kind != 'A' || r.x < 2")
    unit = make_unit(client, space, "u", "kind: A\nx: 2\n")
    assert unit["ApplyGates"] == {"tr/cel-validate": True}
    assert write(client, unit, "kind: A\nx: 1\n")["ApplyGates"] == {}
    make_trigger(client, space, "cel-validate", "r.kind ==", Slug="broken")
    assert read(client, unit)["ApplyGates"] == {"broken/cel-validate": True}


def test_mutating_trigger_changes_the_data(client: httpx.Client, space: str) -> None:
    """A trigger that changes data does so in the same revision, before validations look."""
    make_trigger(client, space, "set-string-path", "*", "x", "fine", Slug="fix")
    make_trigger(client, space, "no-placeholders")
    unit = make_unit(client, space, "u", BAD + "# kept\n")
    assert client.get(f"{unit_path(unit)}/data").text == "kind: A\nx: fine\n# kept\n"
    assert (unit["HeadRevisionNum"], unit["ApplyGates"]) == (1, {})


def test_failed_mutating_trigger_holds_the_unit(client: httpx.Client, space: str) -> None:
    """Where a trigger fails to change the data, its gate closes and the data stays."""
    make_trigger(client, space, "set-string-path", "*", "kind.x", "y")
    unit = make_unit(client, space, "u", "apiVersion: v1\nkind: A\n")
    assert unit["ApplyGates"] == {}  # nothing to put it into is no failure
    changed = write(client, unit, "apiVersion: v1\nkind: {x: {y: 1}}\n")
    assert changed["ApplyGates"] == {"tr/set-string-path": True}


def test_clone_runs_the_triggers_of_its_space(client: httpx.Client, space: str) -> None:
    """A clone is held by the gates of where it goes; PostClone triggers run on clones alone."""
    source = make_unit(client, space, "u", BAD)
    to = make_space(client, "clones")
    make_trigger(client, to, "set-string-path", "*", "cloned", "yes", Event="PostClone", Slug="a")
    make_trigger(client, to, "no-placeholders", Slug="b")
    clone = clone_of(client, source, to).json()
    assert clone["ApplyGates"] == {"b/no-placeholders": True}
    assert client.get(f"{unit_path(clone)}/data").text == BAD + 'cloned: "yes"\n'
    assert read(client, make_unit(client, to, "new", GOOD))["HeadRevisionNum"] == 1
    assert client.get(f"{unit_path(source)}/data").text == BAD


def test_gate_of_a_clone_opens_when_it_passes(client: httpx.Client, space: str) -> None:
    """A gate that a PostClone trigger closed opens with the first data that passes."""
    source = make_unit(client, space, "u", BAD)
    to = make_space(client, "held-clones")
    make_trigger(client, to, "no-placeholders", Event="PostClone")
    clone = clone_of(client, source, to).json()
    assert write(client, clone, BAD + "y: 2\n")["ApplyGates"] == {"tr/no-placeholders": True}
    assert write(client, clone, GOOD)["ApplyGates"] == {}
    assert write(client, clone, BAD)["ApplyGates"] == {}


def test_source_refuses_a_clone_that_does_not_pass(client: httpx.Client, space: str) -> None:
    """A PreClone trigger of the source refuses the clone, and says which trigger it was."""
    make_trigger(client, space, "no-placeholders", Event="PreClone")
    source = make_unit(client, space, "u", BAD)
    to = make_space(client, "refused-clones")
    response = clone_of(client, source, to)
    assert response.status_code == 400
    assert "tr/no-placeholders" in response.json()["Message"]
    assert ok(client.get(f"/space/{to}/unit")) == []


def clone_of(client: httpx.Client, source: Json, space: str) -> httpx.Response:
    """Clone a unit into a space."""
    query = {"upstream_space_id": source["SpaceID"], "upstream_unit_id": source["UnitID"]}
    values = {"Slug": source["Slug"], "ToolchainType": KUBERNETES}
    return client.post(f"/space/{space}/unit", params=query, json=values)


def test_approval_opens_its_gate(client: httpx.Client, space: str) -> None:
    """A unit that needs approval is held until it has one, and again after the next change."""
    make_trigger(client, space, "is-approved", 1)
    unit = appliable(client, space, "u", GOOD)
    assert unit["ApplyGates"] == {"tr/is-approved": True}
    assert isinstance(ok(client.post(f"{unit_path(unit)}/approve")), str)
    approved = read(client, unit)
    assert (approved["ApplyGates"], len(approved["ApprovedBy"])) == ({}, 1)
    (revision,) = ok(client.get(f"{unit_path(unit)}/revision"))
    assert revision["Revision"]["ApprovedBy"] == approved["ApprovedBy"]
    assert revision["Revision"]["ApplyGates"] == {}
    ok(client.post(f"{unit_path(unit)}/apply"))
    changed = write(client, unit, GOOD + "y: 2\n")
    assert (changed["ApplyGates"], changed["ApprovedBy"]) == ({"tr/is-approved": True}, [])


def test_approval_needs_no_argument(client: httpx.Client, space: str) -> None:
    """Without a number, one approver is enough; who asks twice counts once."""
    make_trigger(client, space, "is-approved")
    make_trigger(client, space, "is-approved", 2, Slug="two")
    unit = make_unit(client, space, "u", GOOD)
    ok(client.post(f"{unit_path(unit)}/approve"))
    ok(client.post(f"{unit_path(unit)}/approve"))
    assert read(client, unit)["ApplyGates"] == {"two/is-approved": True}


def test_approver_is_shown_and_found(client: httpx.Client, space: str) -> None:
    """Who approved is the caller, and units are found by who approved them."""
    unit = make_unit(client, space, "u", GOOD)
    make_unit(client, space, "v", GOOD)
    ok(client.post(f"{unit_path(unit)}/approve"))
    me = ok(client.get("/me"))["UserID"]
    found = ok(client.get(f"/space/{space}/unit", params={"where": f"ApprovedBy ? '{me}'"}))
    assert [item["Unit"]["ApprovedBy"] for item in found] == [[me]]


def test_bulk_approval(client: httpx.Client, space: str) -> None:
    """All units of a where are approved at once; without a where the call is refused."""
    make_trigger(client, space, "is-approved")
    make_unit(client, space, "u", GOOD)
    make_unit(client, space, "v", GOOD)
    assert client.post("/unit/approve").status_code == 400
    items = ok(client.post("/unit/approve", params={"where": f"SpaceID = '{space}'"}))
    assert [item["Error"] for item in items] == [None, None]
    where = {"where": "LEN(ApplyGates) > 0"}
    assert ok(client.get(f"/space/{space}/unit", params=where)) == []


def test_label_keeps_an_approval(client: httpx.Client, space: str) -> None:
    """What is no change of the data leaves approvals and gates."""
    make_trigger(client, space, "is-approved")
    unit = make_unit(client, space, "u", GOOD)
    ok(client.post(f"{unit_path(unit)}/approve"))
    labelled = ok(client.patch(unit_path(unit), json={"Labels": {"a": "b"}}))
    assert (labelled["ApplyGates"], len(labelled["ApprovedBy"])) == ({}, 1)
    assert write(client, unit, GOOD)["ApplyGates"] == {}


REFUSED_TRIGGERS = {
    "no-event": body("no-placeholders", Event=None),
    "odd-event": body("no-placeholders", Event="Never"),
    "no-function": body(""),
    "unknown-function": body("bogus"),
    "getter": body("get-replicas"),
    "no-toolchain": body("no-placeholders", ToolchainType=""),
    "odd-toolchain": body("no-placeholders", ToolchainType="AppConfig/Properties"),
    "too-many-arguments": body("no-placeholders", 1),
    "wrong-argument": body("is-approved", "many"),
    "arguments-text": body("is-approved", Arguments="1"),
    "arguments-nested": body("is-approved", Arguments=[[1]]),
    "disabled-text": body("no-placeholders", Disabled="no"),
    "worker": body("no-placeholders", BridgeWorkerID="12345678-1234-1234-1234-123456789abc"),
    "slug": body("no-placeholders", Slug="a b"),
}


@pytest.mark.parametrize("name", REFUSED_TRIGGERS)
def test_malformed_trigger_is_refused(client: httpx.Client, space: str, name: str) -> None:
    """A trigger that could not run is refused in ConfigHub's shape when it is made."""
    response = client.post(f"/space/{space}/trigger", json=REFUSED_TRIGGERS[name])
    assert (response.status_code, response.json()["Code"]) == (400, "400")
    assert ok(client.get(f"/space/{space}/trigger")) == []


def test_refused_change_leaves_the_trigger(client: httpx.Client, space: str) -> None:
    """A trigger that a change would break stays as it was."""
    trigger = make_trigger(client, space, "no-placeholders")
    response = client.patch(trigger_path(trigger), json={"FunctionName": "bogus"})
    assert response.status_code == 400
    assert ok(client.get(trigger_path(trigger)))["Trigger"] == trigger


def test_gates_outlive_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Triggers, gates and approvals are there after the server was killed."""
    with confighub_process.running(tmp_path_factory.mktemp("confighub")) as server:
        with server.client() as client:
            space = make_space(client, "s")
            make_trigger(client, space, "is-approved")
            held = make_unit(client, space, "held", GOOD)
            approved = make_unit(client, space, "approved", GOOD)
            ok(client.post(f"{unit_path(approved)}/approve"))
        server.kill()
        server.start()
        with server.client() as client:
            assert read(client, held)["ApplyGates"] == {"tr/is-approved": True}
            assert read(client, approved)["ApplyGates"] == {}
            ok(client.post(f"{unit_path(held)}/approve"))
            assert read(client, held)["ApplyGates"] == {}
