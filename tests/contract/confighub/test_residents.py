from typing import Any

import httpx
import pytest

from tests.contract.confighub.confighub_process import (
    Json,
    base64_of,
    make_space,
    make_unit,
    ok,
    refused,
    unit_path,
)
from tests.contract.confighub.scripted_worker import make_target, make_worker

UNKNOWN = "12345678-1234-1234-1234-123456789abc"
ZERO = "00000000-0000-0000-0000-000000000000"
KUBERNETES = "Kubernetes/YAML"
PATHS = {
    "target": "Target",
    "bridge_worker": "BridgeWorker",
    "filter": "Filter",
    "set": "Set",
    "tag": "Tag",
    "link": "Link",
    "trigger": "Trigger",
    "change_set": "ChangeSet",
    "view": "View",
    "invocation": "Invocation",
}


class Scene:
    """A space, and one entity of each kind in it."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        self.client = client
        self.name = name
        self.space = make_space(client, name)
        ends = [make_unit(client, self.space, slug)["UnitID"] for slug in ("a", "b")]
        self.bodies: dict[str, Json] = {
            "bridge_worker": {},
            "set": {},
            "tag": {},
            "filter": {"From": "Unit", "Where": "Slug = 'u'"},
            "link": {"FromUnitID": ends[0], "ToUnitID": ends[1]},
            "target": {"ToolchainType": KUBERNETES, "ProviderType": "Kubernetes"},
            "change_set": {"Description": "d"},
        }
        function = {"FunctionName": "no-placeholders", "ToolchainType": KUBERNETES}
        self.bodies["trigger"] = {"Event": "Mutation", **function}
        self.bodies["invocation"] = function
        stored = self.make("filter", "of-view")["FilterID"]
        self.bodies["view"] = {"FilterID": stored, "Columns": [{"Name": "Unit.Slug"}]}

    def ask(self, path: str, slug: str, **values: Any) -> httpx.Response:
        """Ask for an entity of a kind."""
        body = {"Slug": slug, **self.bodies[path], **values}
        return self.client.post(f"/space/{self.space}/{path}", json=body)

    def make(self, path: str, slug: str, **values: Any) -> Json:
        """Make an entity of a kind."""
        made: Json = ok(self.ask(path, slug, **values))
        return made

    def list(self, path: str, space: str = "", **query: str) -> list[Json]:
        """Return the entities of a kind."""
        found = ok(self.client.get(f"/space/{space or self.space}/{path}", params=query))
        return [item[PATHS[path]] for item in found]

    def of(self, path: str, entity: Json) -> str:
        """Return the path of an entity."""
        return f"/space/{self.space}/{path}/{entity[f'{PATHS[path]}ID']}"


@pytest.fixture(name="scene")
def _scene(client: httpx.Client, name: str) -> Scene:
    return Scene(client, name)


@pytest.mark.parametrize("path", PATHS)
def test_life_of_an_entity(scene: Scene, path: str) -> None:
    """An entity of every kind is made, read, replaced, patched, listed and deleted."""
    made = scene.make(path, "x", Labels={"k": "v", "l": "w"})
    name = scene.of(path, made)
    read = ok(scene.client.get(name))[PATHS[path]]
    assert read == made
    replaced = ok(scene.client.put(name, json={**read, "DisplayName": "new"}))
    assert (replaced["DisplayName"], replaced["Version"]) == ("new", read["Version"] + 1)
    patched = ok(scene.client.patch(name, json={"Labels": {"k": None}, "DisplayName": None}))
    assert (patched["Labels"], patched["DisplayName"]) == ({"l": "w"}, "")
    listed = ok(scene.client.get(f"/{path}", params={"where": f"SpaceID = '{scene.space}'"}))
    assert patched in [item[PATHS[path]] for item in listed]
    assert "deleted" in ok(scene.client.delete(name))["Message"]
    refused(scene.client.get(name), 404)


@pytest.mark.parametrize("path", PATHS)
def test_stale_replacement_is_refused(scene: Scene, path: str) -> None:
    """A replacement made from an older version is a conflict and changes nothing."""
    made = scene.make(path, "x")
    name = scene.of(path, made)
    changed = ok(scene.client.patch(name, json={"DisplayName": "first"}))
    told = refused(scene.client.put(name, json={**made, "DisplayName": "second"}), 409)
    assert "read it again" in told
    assert ok(scene.client.get(name))[PATHS[path]] == changed


BAD = {
    "unknown-field": {"Nonsense": 1},
    "slug-number": {"Slug": 1},
    "labels-text": {"Labels": "k=v"},
    "annotation-number": {"Annotations": {"k": 1}},
    "name-list": {"DisplayName": ["x"]},
}


@pytest.mark.parametrize("values", BAD.values(), ids=BAD)
@pytest.mark.parametrize("path", PATHS)
def test_bad_entity_is_refused(scene: Scene, path: str, values: Json) -> None:
    """A field of another type or name is refused, on creation and as a patch, and told."""
    before = len(scene.list(path))
    assert next(iter(values)) in refused(scene.ask(path, "x", **values))
    assert len(scene.list(path)) == before
    made = scene.make(path, "x")
    assert next(iter(values)) in refused(scene.client.patch(scene.of(path, made), json=values))


NOWHERE: list[tuple[str, Json, int]] = [
    ("view", {"FilterID": UNKNOWN}, 404),
    ("view", {"FilterID": ZERO}, 400),
    ("view", {"FilterID": ""}, 400),
    ("view", {"Columns": "Slug"}, 400),
    ("view", {"OrderByDirection": "up"}, 400),
    ("change_set", {"FilterID": UNKNOWN}, 404),
    ("change_set", {"StartTagID": UNKNOWN}, 404),
    ("change_set", {"EndTagID": 7}, 400),
    ("invocation", {"FunctionName": "nonsense"}, 400),
    ("invocation", {"ToolchainType": ""}, 400),
    ("invocation", {"Arguments": [{"Value": "one too many"}]}, 400),
    ("target", {"Parameters": "{"}, 400),
    ("target", {"BridgeWorkerID": UNKNOWN}, 404),
    ("filter", {"From": "Nonsense"}, 400),
    ("filter", {"Where": "Slug ="}, 400),
    ("link", {"ToUnitID": UNKNOWN}, 404),
    ("link", {"FromUnitID": ZERO}, 400),
]


@pytest.mark.parametrize(("path", "values", "status"), NOWHERE)
def test_what_means_nothing_is_refused(scene: Scene, path: str, values: Json, status: int) -> None:
    """An entity that points to nothing, or says what nobody understands, is not kept."""
    before = scene.list(path)
    assert refused(scene.ask(path, "x", **values), status)
    assert scene.list(path) == before


@pytest.mark.parametrize("path", sorted(set(PATHS) - {"link"}))
def test_bulk_copies(scene: Scene, path: str) -> None:
    """A bulk creation copies each match under each prefix, and tells per item what is refused."""
    scene.make(path, "x", Labels={"k": "v"})
    to = make_space(scene.client, f"{scene.name}-to")
    query = {
        "where": f"SpaceID = '{scene.space}' AND Slug = 'x'",
        "where_space": f"SpaceID = '{to}'",
        "name_prefixes": "p-,q-",
    }
    items = ok(scene.client.post(f"/{path}", params=query, json={"Labels": {"l": "w"}}))
    assert [item[PATHS[path]]["Slug"] for item in items] == ["p-x", "q-x"]
    assert [item["Labels"] for item in scene.list(path, to)] == [{"k": "v", "l": "w"}] * 2
    query["name_prefixes"] = "q-,r-"
    response = scene.client.post(f"/{path}", params=query, json={})
    assert response.status_code == 207
    first, second = response.json()
    assert "already exists" in first["Error"]["Message"]
    assert second[PATHS[path]]["Slug"] == "r-x"


@pytest.mark.parametrize("path", PATHS)
def test_bulk_patch_and_delete(scene: Scene, path: str) -> None:
    """A bulk change and a bulk deletion take the matches alone; without a where they take none."""
    for slug in ("x", "y", "z"):
        scene.make(path, slug)
    query = {"where": f"SpaceID = '{scene.space}' AND Slug IN ('x', 'y')"}
    ok(scene.client.patch(f"/{path}", params=query, json={"Labels": {"k": "v"}}))
    labelled = {item["Slug"] for item in scene.list(path, where="Labels.k = 'v'")}
    assert labelled == {"x", "y"}
    for method in ("PATCH", "DELETE"):
        assert "where is required" in refused(scene.client.request(method, f"/{path}", json={}))
    deleted = ok(scene.client.request("DELETE", f"/{path}", params=query))
    assert len(deleted) == 2
    assert {"x", "y", "z"} & {item["Slug"] for item in scene.list(path)} == {"z"}


def test_bulk_patch_is_per_item(scene: Scene) -> None:
    """In a bulk change the item that is refused leaves nothing, and the others are changed."""
    for slug in ("x", "y"):
        scene.make("tag", slug)
    query = {"where": f"SpaceID = '{scene.space}'"}
    response = scene.client.patch("/tag", params=query, json={"Slug": "z", "DisplayName": "new"})
    assert response.status_code == 207
    assert [bool(item.get("Error")) for item in response.json()] == [False, True]
    assert [(t["Slug"], t["DisplayName"]) for t in scene.list("tag")] == [("z", "new"), ("y", "y")]


def test_used_entities_stay(scene: Scene) -> None:
    """A filter of a view or change set, and a tag of a change set, cannot be deleted."""
    tag = scene.make("tag", "t")
    stored = scene.make("filter", "f")
    scene.make("view", "v", FilterID=stored["FilterID"])
    scene.make("change_set", "c", FilterID=stored["FilterID"], EndTagID=tag["TagID"])
    assert "used by v, c" in refused(scene.client.delete(scene.of("filter", stored)))
    query = {"where": f"SpaceID = '{scene.space}'"}
    response = scene.client.request("DELETE", "/tag", params=query)
    assert response.status_code == 207
    assert "used by c" in response.json()[0]["Error"]["Message"]


@pytest.mark.parametrize("path", PATHS)
def test_lists_select_and_search(scene: Scene, path: str) -> None:
    """Every list takes select, contains and include, and always gives identifiers and the slug."""
    scene.make(path, "x", Annotations={"why": "needle"})
    scene.make(path, "y")
    query = {"select": "DisplayName,Nonsense", "include": "SpaceID", "contains": "needle"}
    (found,) = ok(scene.client.get(f"/space/{scene.space}/{path}", params=query))
    names = {"Slug", "SpaceID", "OrganizationID", f"{PATHS[path]}ID", "EntityType", "DisplayName"}
    assert set(found[PATHS[path]]) == names
    assert found["Space"]["SpaceID"] == scene.space


def test_spaces_in_bulk(scene: Scene) -> None:
    """Spaces are made from others, changed and deleted in bulk; one that is not empty stays."""
    query = {"where": f"SpaceID = '{scene.space}'", "name_prefixes": "p-,q-"}
    body = {"Labels": {"of": "bulk"}}
    items = ok(scene.client.post("/_space", params=query, json=body))
    slugs = [f"p-{scene.name}", f"q-{scene.name}"]
    assert [item["Space"]["Slug"] for item in items] == slugs
    make_unit(scene.client, items[0]["Space"]["SpaceID"], "u")
    assert scene.client.post("/_space", params=query, json=body).status_code == 207
    where = {"where": f"Labels.of = 'bulk' AND Slug LIKE '%{scene.name}'"}
    changed = ok(scene.client.patch("/_space", params=where, json={"Labels": {"k": "v"}}))
    assert [item["Space"]["Labels"] for item in changed] == [{"of": "bulk", "k": "v"}] * 2
    response = scene.client.request("DELETE", "/_space", params=where)
    assert response.status_code == 207
    assert "is not empty" in response.json()[0]["Error"]["Message"]
    left = ok(scene.client.get("/space", params=where))
    assert [item["Space"]["Slug"] for item in left] == slugs[:1]
    for method in ("POST", "PATCH", "DELETE"):
        assert "is required" in refused(scene.client.request(method, "/_space", json={}))


def test_actions_in_bulk(scene: Scene) -> None:
    """Destroy and refresh are queued in bulk; what others need is destroyed last."""
    target = make_target(scene.client, scene.space, make_worker(scene.client, scene.space))
    scene.make("link", "l")
    scene.make("set", "unrelated")
    query = {"where": f"SpaceID = '{scene.space}' AND TargetID = '{target}'"}
    for unit in ok(scene.client.get(f"/space/{scene.space}/unit"))[::-1]:
        ok(scene.client.patch(unit_path(unit["Unit"]), json={"TargetID": target}))
    ids = {
        u["Unit"]["UnitID"]: u["Unit"]["Slug"] for u in ok(scene.client.get("/unit", params=query))
    }
    destroyed = ok(scene.client.post("/unit/destroy", params=query))
    assert [ids[item["Action"]["UnitID"]] for item in destroyed] == ["a", "b"]
    assert {item["Action"]["Action"] for item in destroyed} == {"Destroy"}
    refreshed = ok(scene.client.post("/unit/refresh", params=query))
    assert [ids[item["Action"]["UnitID"]] for item in refreshed] == ["b", "a"]
    dry = {**query, "dry_run": "true"}
    assert ok(scene.client.post("/unit/destroy", params=dry)) == []


def test_action_in_bulk_is_per_item(scene: Scene) -> None:
    """In a bulk apply a unit without target is an error of its item, also in a dry run."""
    query = {"where": f"SpaceID = '{scene.space}'"}
    for more in ({}, {"dry_run": "true"}):
        response = scene.client.post("/unit/apply", params={**query, **more})
        assert response.status_code == 207
        assert ["no target" in item["Error"]["Message"] for item in response.json()] == [True, True]


def test_summary_counts(scene: Scene) -> None:
    """The summary of a space counts its units by state, and all else by kind."""
    for path in ("target", "trigger", "bridge_worker", "tag", "view", "change_set", "invocation"):
        scene.make(path, "x")
    scene.make("link", "x")
    units = [item["Unit"] for item in ok(scene.client.get(f"/space/{scene.space}/unit"))]
    query = {"upstream_space_id": scene.space, "upstream_unit_id": units[0]["UnitID"]}
    body = {"Slug": "clone", "ToolchainType": KUBERNETES}
    ok(scene.client.post(f"/space/{scene.space}/unit", params=query, json=body))
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: replaceme}\n"
    ok(scene.client.patch(unit_path(units[0]), json={"Data": base64_of(text)}))
    ok(scene.client.post(f"{unit_path(units[1])}/approve"))
    found = ok(scene.client.get(f"/space/{scene.space}", params={"summary": "true"}))
    del found["Space"]
    assert found == {
        "TotalUnitCount": 3,
        "GatedUnitCount": 1,
        "UnappliedUnitCount": 3,
        "UnapprovedUnitCount": 2,
        "UpgradableUnitCount": 1,
        "UnlinkedUnitCount": 1,
        "RecentChangeUnitCount": 3,
        "IncompleteApplyUnitCount": 0,
        "TotalBridgeWorkerCount": 1,
        "TotalLinkCount": 1,
        "TotalFilterCount": 1,
        "TotalViewCount": 1,
        "TotalTagCount": 1,
        "TotalChangeSetCount": 1,
        "TotalInvocationCount": 1,
        "TargetCountByToolchainType": {KUBERNETES: 1},
        "TriggerCountByEventType": {"Mutation": 1},
    }
    listed = ok(
        scene.client.get(
            "/space", params={"summary": "true", "where": f"SpaceID = '{scene.space}'"}
        )
    )
    assert listed[0]["UnappliedUnitCount"] == 3


def test_sent_and_not_yet_live_is_incomplete(scene: Scene) -> None:
    """A unit whose last sent revision is not live counts as an incomplete apply."""
    target = make_target(scene.client, scene.space, make_worker(scene.client, scene.space))
    unit = make_unit(scene.client, scene.space, "u", TargetID=target)
    ok(scene.client.post(f"{unit_path(unit)}/apply"))
    found = ok(scene.client.get(f"/space/{scene.space}", params={"summary": "true"}))
    assert found["IncompleteApplyUnitCount"] == 1
