import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.contract.confighub import confighub_process, recorded_client, scripted_worker
from tests.contract.confighub.confighub_process import ok
from tests.contract.confighub.recorded_client import Exchange, Invocation, Player

# Commands whose last request this server refuses on purpose; the recording server took anything.
REFUSED = {
    "spacecreatedup": (400, "already exists"),
    # nothing was live at that point of the recording
    "unitupdrestoreLive": (400, "has no revision 0"),
    "targetupdatebulk": (207, "WaitTimeout is not a field of Target"),
    "spacedelete": (400, "is not empty"),
}

INVOCATIONS = recorded_client.recording()
Played = Mapping[str, list[Exchange]]


@pytest.fixture(name="played", scope="module")
def _played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The whole recording, played in its order against one server with a worker."""
    folder = tmp_path_factory.mktemp("confighub")
    with (
        confighub_process.running(folder, "--heartbeat-s", "0.5") as server,
        server.client() as client,
    ):
        played: dict[str, list[Exchange]] = {}
        until_worker = [item.id for item in INVOCATIONS].index("workercreate") + 1
        for invocation in INVOCATIONS[:until_worker]:
            played[invocation.id] = Player(client).play(invocation)
        worker = ok(client.get("/bridge_worker"))[0]["BridgeWorker"]
        with scripted_worker.completing(server, worker):
            for invocation in INVOCATIONS[until_worker:]:
                played[invocation.id] = Player(client).play(invocation)
        yield played


def test_refused_commands_are_recorded_ones() -> None:
    """Every exception names a recorded command."""
    assert set(REFUSED) <= {item.id for item in INVOCATIONS}


@pytest.mark.parametrize("invocation", INVOCATIONS, ids=lambda item: item.id)
def test_requests_are_answered(played: Played, invocation: Invocation) -> None:
    """Each request of the real client gets an answer that it can decode."""
    exchanges = played[invocation.id]
    assert len(exchanges) == len(invocation.requests)
    for position, exchange in enumerate(exchanges, start=1):
        assert exchange.headers["content-type"] == "application/json", exchange
        assert exchange.headers["x-request-id"], exchange
        if invocation.id in REFUSED and position == len(exchanges):
            status, message = REFUSED[invocation.id]
            assert exchange.status == status, exchange
            assert message in str(exchange.answer)
        else:
            assert exchange.status == 200, exchange
            assert not _undecodable(exchange.answer), exchange
            assert not _absent(exchange), exchange


def _undecodable(value: Any, key: str = "") -> list[str]:
    """Return the keys whose empty text Go cannot read as an identifier or a time."""
    if isinstance(value, dict):
        return [bad for name, item in value.items() for bad in _undecodable(item, name)]
    if isinstance(value, list):
        return [bad for item in value for bad in _undecodable(item, key)]
    return [key] if value == "" and key.endswith(("ID", "At")) else []


_INNER = {
    "space": "Space",
    "unit": "Unit",
    "target": "Target",
    "bridge_worker": "BridgeWorker",
    "filter": "Filter",
    "set": "Set",
    "link": "Link",
    "trigger": "Trigger",
    "revision": "Revision",
    "mutation": "Mutation",
}


def _absent(exchange: Exchange) -> list[str]:
    """Return what the answer lacks of what the client uses."""
    last = exchange.path.rsplit("/", 1)[1]
    if exchange.method == "POST" and last in {"apply", "destroy", "refresh"}:
        items = exchange.answer if isinstance(exchange.answer, list) else [exchange.answer]
        operations = [i["Action"] if isinstance(i.get("Action"), dict) else i for i in items]
        needed = ("QueuedOperationID", "Action", "UnitID", "SpaceID")
        return [name for item in operations for name in needed if name not in item]
    if last == "invoke":
        read = ("UnitID", "SpaceID", "OrganizationID", "RevisionID", "Success", "ConfigData")
        return [name for item in exchange.answer for name in read if name not in item]
    if exchange.method != "GET":
        return []
    if last == "unit_event":
        needed = ("QueuedOperationID", "Action", "Status", "UnitID")
        return [name for item in exchange.answer for name in needed if name not in item]
    if last in _INNER:
        return [lack for item in exchange.answer for lack in _lacking(item, _INNER[last], exchange)]
    return []


def _lacking(item: Mapping[str, Any], name: str, exchange: Exchange) -> list[str]:
    if name not in item:
        return [name]
    needed = {f"{name}ID", "OrganizationID", "SpaceID"}
    needed |= set() if name in {"Revision", "Mutation"} else {"Slug"}
    if "select" not in exchange.query and name in {"Unit", "Revision"}:
        needed |= {"MutationSources", "Data"}
    return sorted(needed - set(item[name]))


def _last(played: Played, identifier: str) -> Any:
    return played[identifier][-1].answer


def test_update_makes_a_revision(played: Played) -> None:
    """A replacement with new data is the next revision, with the reason given."""
    assert _last(played, "unitcreate")["HeadRevisionNum"] == 1
    assert _last(played, "unitupdate")["HeadRevisionNum"] == 2
    assert _last(played, "unitupdatestdin")["LastChangeDescription"] == "why"


def test_label_makes_no_revision(played: Played) -> None:
    """A new label changes the version and leaves the revision."""
    before, after = _last(played, "unitupdatestdin"), _last(played, "unitupdlabel")
    assert after["Labels"] == {"a": "b"}
    assert after["HeadRevisionNum"] == before["HeadRevisionNum"]
    assert after["Version"] == before["Version"] + 1


def test_restore_brings_the_bytes_back(played: Played) -> None:
    """Restoring revision 1 makes its bytes the head again."""
    assert _last(played, "unitupdrestoreN")["Data"] == _last(played, "unitcreate")["Data"]


def test_applied_unit_is_live(played: Played) -> None:
    """After an awaited apply the head is applied and live, and the newest event says so."""
    found = played["apply"][-4].answer[0]
    unit = found["Unit"]
    assert found["LatestUnitEvent"]["Result"] == "ApplyCompleted"
    assert found["UnitStatus"]["Status"] == "Ready"
    assert unit["HeadRevisionNum"] == unit["LastAppliedRevisionNum"] == unit["LiveRevisionNum"] > 0


def test_clone_knows_its_upstream(played: Played) -> None:
    """A clone has the bytes of its upstream and points at the revision they are from."""
    source, clone = played["clone1"][2].answer[0]["Unit"], _last(played, "clone1")
    assert clone["UpstreamUnitID"] == source["UnitID"]
    assert clone["UpstreamRevisionNum"] == source["HeadRevisionNum"]
    assert clone["Data"] == source["Data"]


def test_bulk_clone_takes_the_labels(played: Played) -> None:
    """A bulk clone puts the patch on each clone, beside the labels it inherits."""
    assert _last(played, "clonebulkwhere")["Unit"]["Labels"] == {"layer": "data", "env": "dst"}


def test_upgrade_brings_the_new_bytes(played: Played) -> None:
    """An upgrade of an unchanged clone gives it the upstream's bytes, in a new revision."""
    upstream, clone = _last(played, "mkchange"), _last(played, "upgrade1")
    assert clone["Data"] == upstream["Data"]
    assert clone["UpstreamRevisionNum"] == upstream["HeadRevisionNum"]
    assert clone["HeadRevisionNum"] == _last(played, "clone1")["HeadRevisionNum"] + 1


def test_second_upgrade_changes_nothing(played: Played) -> None:
    """Upgrading again brings no further revision."""
    first, second = _last(played, "upgrade1"), _last(played, "upgrade1put")
    assert second["HeadRevisionNum"] == first["HeadRevisionNum"]


def test_revision_is_found_by_number(played: Played) -> None:
    """A revision comes with the bytes it was made with."""
    (found,) = _last(played, "revget")
    assert found["Revision"]["RevisionNum"] == 1
    assert base64.b64decode(found["Revision"]["Data"]).startswith(b"apiVersion: apps/v1")


def test_select_leaves_the_rest_out(played: Played) -> None:
    """A list with `select` carries neither data nor labels, but the upstream's head when asked."""
    (listed,) = [i for i in _last(played, "unitliststar") if i["Unit"]["Slug"] == "u"]
    assert not {"Data", "Labels"} & set(listed["Unit"])
    assert listed["Space"]["Slug"] == "s"


def test_dry_run_queues_nothing(played: Played) -> None:
    """A dry run of a bulk apply names only the units that would be refused."""
    assert _last(played, "applybulkdry") == []


@pytest.mark.parametrize(
    ("identifier", "told"),
    [
        ("functiondo", "replicas: 3"),
        ("functiondojson", "replicas: 3"),
        ("runsetrep", "replicas: 3"),
        ("runsetreppos", "replicas: 3"),
        ("runsetimage", 'image: "nginx:1.27"'),
        ("runsetimageref", 'image: "nginx:1.27"'),
    ],
)
def test_function_has_its_effect(played: Played, identifier: str, told: str) -> None:
    """What a function sets is in the data that its answer carries, flow style and all."""
    (invoked,) = [e for e in played[identifier] if e.path.endswith("/function/invoke")]
    data = base64.b64decode(invoked.answer[0]["ConfigData"]).decode()
    assert invoked.answer[0]["Success"] is True
    assert told in data
    assert "metadata: {name: web, namespace: demo}" in data


def test_dry_getter_answers_with_its_output(played: Played) -> None:
    """The output of a getter is JSON in base64."""
    (invoked,) = [e for e in played["functiondodry"] if e.method == "POST"]
    (value,) = json.loads(base64.b64decode(invoked.answer[0]["Output"]))
    assert (value["Value"], value["Path"]) == (3, "spec.replicas")


def test_functions_are_listed_by_toolchain(played: Played) -> None:
    """The list that the client caches has the functions that the runbook uses."""
    known = _last(played, "functionlist")["Kubernetes/YAML"]
    assert {"set-image", "set-image-reference", "set-replicas", "get-replicas"} <= set(known)


def test_trigger_is_listed(played: Played) -> None:
    """A trigger that was created is listed with what the server knows of its function."""
    (listed,) = _last(played, "triggerlist")
    assert listed["Trigger"]["Slug"] == "tr"
    assert listed["Trigger"]["Validating"] is True


def test_approval_is_a_text(played: Played) -> None:
    """A single approval answers with a text, a bulk one with an item for each unit."""
    assert isinstance(_last(played, "approve"), str)
    assert all(item["Message"] for item in _last(played, "approvebulk"))
