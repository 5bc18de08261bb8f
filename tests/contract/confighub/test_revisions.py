from typing import Any

import httpx
import pytest

from tests.contract.confighub.confighub_process import (
    ConfigHubProcess,
    Json,
    base64_of,
    make_space,
    make_unit,
    ok,
    text_of,
    unit_path,
    until,
)
from tests.contract.confighub.scripted_worker import completing, make_target, make_worker

BASE = """\
# the shop
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  namespace: base
spec:
  replicas: 1  # enough
  template:
    spec:
      containers:
        - name: shop
          image: shop:v1
"""


class Pair:
    """A unit and its clone, which lives in a namespace of its own."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        self.client = client
        self.upstream = make_unit(client, make_space(client, f"{name}-base"), "u", BASE)
        self.space = make_space(client, f"{name}-dev")
        query = {
            "upstream_space_id": self.upstream["SpaceID"],
            "upstream_unit_id": self.upstream["UnitID"],
        }
        body = {"Slug": "u", "ToolchainType": "Kubernetes/YAML"}
        self.clone: Json = ok(client.post(f"/space/{self.space}/unit", params=query, json=body))
        self.change(self.clone, "namespace: base", "namespace: dev")

    def change(self, unit: Json, old: str, new: str) -> Json:
        """Replace a part of a unit's text."""
        text = text_of(self.read(unit))
        assert old in text
        data = {"Data": base64_of(text.replace(old, new))}
        changed: Json = ok(self.client.patch(unit_path(unit), json=data))
        return changed

    def read(self, unit: Json) -> Json:
        """Return a unit as it is now."""
        found: Json = ok(self.client.get(unit_path(unit)))["Unit"]
        return found

    def upgrade(self) -> Json:
        """Upgrade the clone."""
        response = self.client.patch(
            unit_path(self.clone), params={"upgrade": "true"}, content=b"null"
        )
        upgraded: Json = ok(response)
        return upgraded

    def mutations(self) -> list[Json]:
        """Return the mutations of the clone."""
        found = ok(self.client.get(f"{unit_path(self.clone)}/mutation"))
        return [item["Mutation"] for item in found]


@pytest.fixture(name="pair")
def _pair(client: httpx.Client, name: str) -> Pair:
    return Pair(client, name)


def test_upgrade_keeps_what_was_changed_here(pair: Pair) -> None:
    """An upgrade brings upstream's image to a clone and leaves its namespace and comments."""
    pair.change(pair.upstream, "shop:v1", "shop:v2")
    upgraded = pair.upgrade()
    expected = BASE.replace("namespace: base", "namespace: dev").replace("shop:v1", "shop:v2")
    assert text_of(upgraded) == expected
    assert upgraded["UpstreamRevisionNum"] == 2
    assert upgraded["HeadRevisionNum"] == 3
    assert "Conflicts" not in upgraded


def test_second_upgrade_changes_nothing(pair: Pair) -> None:
    """Upgrading twice is upgrading once: the same bytes, no further revision or mutation."""
    pair.change(pair.upstream, "shop:v1", "shop:v2")
    first = pair.upgrade()
    second = pair.upgrade()
    names = ("Data", "HeadRevisionNum", "HeadMutationNum", "UpstreamRevisionNum")
    assert [second[name] for name in names] == [first[name] for name in names]


def test_upgrade_is_told_in_revision_and_mutation(pair: Pair) -> None:
    """The revision and the mutation of an upgrade say which upstream revision they brought."""
    pair.change(pair.upstream, "shop:v1", "shop:v2")
    upgraded = pair.upgrade()
    query = {"where": "UpgradedFromUpstreamRevisionNum = 2", "include": "RevisionID"}
    (found,) = ok(pair.client.get(f"{unit_path(pair.clone)}/mutation", params=query))
    assert found["Mutation"]["RevisionNum"] == upgraded["HeadRevisionNum"]
    assert found["Mutation"]["MutationNum"] == upgraded["HeadMutationNum"] == 3
    assert found["Revision"]["Source"] == "Upgrade"
    one = ok(pair.client.get(f"{unit_path(pair.clone)}/mutation/{found['Mutation']['MutationID']}"))
    assert one["Mutation"] == found["Mutation"]


def test_conflict_is_reported_and_ours_stays(pair: Pair) -> None:
    """A path that both changed keeps this unit's value; the answer names it and both values."""
    pair.change(pair.upstream, "replicas: 1", "replicas: 2")
    pair.change(pair.clone, "replicas: 1", "replicas: 5")
    upgraded = pair.upgrade()
    assert "replicas: 5  # enough" in text_of(upgraded)
    (conflict,) = upgraded["Conflicts"]
    assert conflict["Path"] == "spec.replicas"
    assert conflict["UnitID"] == pair.clone["UnitID"]
    assert conflict["Resource"]["ResourceName"] == "dev/shop"
    assert (conflict["Source"]["Value"], conflict["Target"]["Value"]) == ("2", "5")
    # and is no field that a client may not send back
    ok(pair.client.put(unit_path(pair.clone), json=upgraded))


def test_bulk_upgrade_reports_per_unit(pair: Pair) -> None:
    """In a bulk upgrade each item has its conflicts, and one that cannot be merged an error."""
    query = {"upstream_space_id": pair.upstream["SpaceID"]}
    path = f"/space/{pair.space}/unit"
    body = {"Slug": "odd", "ToolchainType": "Kubernetes/YAML"}
    source = make_unit(pair.client, pair.upstream["SpaceID"], "odd", "a: &x 1\n")
    query["upstream_unit_id"] = source["UnitID"]
    odd = ok(pair.client.post(path, params=query, json=body))
    for unit, text in ((source, "a: &x 2\nb: *x\n"), (odd, "a: &x 3\n")):
        ok(pair.client.patch(unit_path(unit), json={"Data": base64_of(text)}))
    pair.change(pair.upstream, "shop:v1", "shop:v2")
    pair.change(pair.clone, "shop:v1", "shop:own")
    where = {"where": f"SpaceID = '{pair.space}'", "upgrade": "true"}
    response = pair.client.patch("/unit", params=where, content=b"null")
    assert response.status_code == 207
    first, second = response.json()
    assert [conflict["Path"] for conflict in first["Conflicts"]] == [
        "spec.template.spec.containers.0.image"
    ]
    assert first["Unit"]["UpstreamRevisionNum"] == 2
    assert "cannot be merged by path" in second["Error"]["Message"]
    assert "aliases" in second["Error"]["Message"]
    assert text_of(pair.read(odd)) == "a: &x 3\n"


def test_push_upgrade_takes_those_behind(pair: Pair) -> None:
    """The where of push-upgrade finds the clones that are behind, and afterwards none."""
    other = make_space(pair.client, f"{pair.clone['UnitID']}-other")
    clones = {
        "where": f"UnitID = '{pair.upstream['UnitID']}'",
        "where_space": f"SpaceID = '{other}'",
    }
    ok(pair.client.post("/unit", params=clones, json={}))
    pair.change(pair.upstream, "shop:v1", "shop:v2")
    where = (
        f"Unit.UpstreamUnitID = '{pair.upstream['UnitID']}' AND "
        "Unit.UpstreamRevisionNum < UpstreamUnit.HeadRevisionNum"
    )
    query = {"where": where, "include": "UpstreamUnitID", "upgrade": "true"}
    items = ok(pair.client.patch("/unit", params=query, content=b"null"))
    assert {item["Unit"]["SpaceID"] for item in items} == {pair.space, other}
    assert all("shop:v2" in text_of(item["Unit"]) for item in items)
    assert ok(pair.client.patch("/unit", params=query, content=b"null")) == []


def test_upgrade_without_upstream_is_refused(client: httpx.Client, name: str) -> None:
    """A unit that is no clone has nothing to upgrade from."""
    unit = make_unit(client, make_space(client, name), "u")
    response = client.patch(unit_path(unit), params={"upgrade": "true"}, content=b"null")
    assert response.status_code == 400
    assert "no upstream unit" in response.json()["Message"]


def test_upgrade_from_a_deleted_upstream_is_refused(pair: Pair) -> None:
    """A clone outlives its upstream, keeps what it has, and an upgrade says what is missing."""
    ok(pair.client.delete(unit_path(pair.upstream)))
    before = pair.read(pair.clone)
    response = pair.client.patch(unit_path(pair.clone), params={"upgrade": "true"}, content=b"null")
    assert response.status_code == 400
    assert "its upstream unit was deleted" in response.json()["Message"]
    assert pair.read(pair.clone) == before


def test_mutation_sources_say_which_change_wrote_what(pair: Pair) -> None:
    """MutationSources name the mutation behind each path; an override is what upgrades skip."""
    pair.change(pair.upstream, "shop:v1", "shop:v2")
    upgraded = pair.upgrade()
    (source,) = upgraded["MutationSources"]
    assert source["Resource"]["ResourceType"] == "apps/v1/Deployment"
    info = source["ResourceMutationInfo"]
    assert (info["MutationType"], info["Index"]) == ("Add", 1)
    paths = {
        path: (info["MutationType"], info["Index"], info["Predicate"], info["Value"])
        for path, info in source["PathMutationMap"].items()
    }
    assert paths == {
        "metadata.namespace": ("Update", 2, False, "dev"),
        "spec.template.spec.containers.0.image": ("Update", 3, True, "shop:v2"),
    }
    head = ok(pair.client.get(f"{unit_path(pair.clone)}/revision"))[-1]["Revision"]
    assert head["MutationSources"] == upgraded["MutationSources"]


def test_data_that_is_no_yaml_has_no_sources(client: httpx.Client, name: str) -> None:
    """Where nothing can be told of paths, MutationSources are an empty list, never null."""
    space = make_space(client, name)
    unit = make_unit(client, space, "u", "[a]\nb = 1\n", ToolchainType="AppConfig/Properties")
    assert unit["MutationSources"] == []


def test_head_mutation_can_be_included(pair: Pair) -> None:
    """A unit shows its newest mutation when asked."""
    query = {"include": "HeadMutationNum"}
    found = ok(pair.client.get(unit_path(pair.clone), params=query))
    assert found["HeadMutation"]["MutationNum"] == found["Unit"]["HeadMutationNum"] == 2


def restore(client: httpx.Client, unit: Json, method: str = "PATCH", **query: str) -> Any:
    """Ask for a restore and return the response."""
    body = None if method == "PATCH" else ok(client.get(unit_path(unit)))["Unit"]
    return client.request(method, unit_path(unit), params=query, json=body)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("how", ["number", "revision_id"])
def test_restore_brings_the_bytes_back(pair: Pair, method: str, how: str) -> None:
    """A restore makes a new head of exactly the old bytes, and its mutation says of which."""
    revisions = ok(pair.client.get(f"{unit_path(pair.clone)}/revision"))
    first = revisions[0]["Revision"]
    query = {"restore": "1"} if how == "number" else {"revision_id": first["RevisionID"]}
    restored = ok(restore(pair.client, pair.clone, method, **query))
    assert restored["HeadRevisionNum"] == 3
    assert (restored["Data"], restored["DataHash"]) == (first["Data"], first["DataHash"])
    assert [item["RestoredRevisionNum"] for item in pair.mutations()] == [0, 0, 1]


REFUSED = {
    "restore": ["0", "99", "LiveRevisionNum", "LastAppliedRevisionNum", "PreviousLiveRevisionNum"],
    "revision_id": ["00000000-0000-0000-0000-000000000000", "12345678-1234-1234-1234-123456789abc"],
}


@pytest.mark.parametrize(
    ("parameter", "value"), [(name, value) for name, values in REFUSED.items() for value in values]
)
def test_restore_of_nothing_is_refused(pair: Pair, parameter: str, value: str) -> None:
    """A revision that does not exist is refused in words and leaves the head."""
    response = restore(pair.client, pair.clone, **{parameter: value})
    assert response.status_code == 400
    assert "has no revision" in response.json()["Message"]
    assert pair.read(pair.clone)["HeadRevisionNum"] == 2


@pytest.mark.parametrize("value", ["x", "-1", "1.0", "HeadRevision", "1" * 11, ""])
def test_odd_restore_is_refused(pair: Pair, value: str) -> None:
    """What is neither a number nor one of the names is refused, and the names are said."""
    response = restore(pair.client, pair.clone, restore=value)
    assert response.status_code == 400
    assert "LiveRevisionNum" in response.json()["Message"]


def test_restore_of_another_units_revision_is_refused(pair: Pair) -> None:
    """A revision belongs to its unit alone."""
    (foreign,) = ok(pair.client.get(f"{unit_path(pair.upstream)}/revision"))
    response = restore(pair.client, pair.clone, revision_id=foreign["Revision"]["RevisionID"])
    assert response.status_code == 400


def await_live(client: httpx.Client, unit: Json, number: int) -> None:
    """Wait until a revision is live."""
    until(
        lambda: ok(client.get(unit_path(unit)))["Unit"]["LiveRevisionNum"] == number,
        what=f"revision {number} to be live",
    )


def test_restore_by_name_of_state(
    server: ConfigHubProcess, client: httpx.Client, name: str
) -> None:
    """Live, last applied and previously live revisions are restored by these names."""
    space = make_space(client, name)
    worker = make_worker(client, space)
    unit = make_unit(client, space, "u", "a: 1\n", TargetID=make_target(client, space, worker))
    with completing(server, worker):
        for number in (1, 2):
            ok(client.patch(unit_path(unit), json={"Data": base64_of(f"a: {number}\n")}))
            ok(client.post(f"{unit_path(unit)}/apply"))
            await_live(client, unit, number)
    ok(client.patch(unit_path(unit), json={"Data": base64_of("a: 3\n")}))
    texts = [
        text_of(ok(restore(client, unit, restore=state)))
        for state in ("LiveRevisionNum", "PreviousLiveRevisionNum", "LastAppliedRevisionNum")
    ]
    assert texts == ["a: 2\n", "a: 1\n", "a: 2\n"]


def test_bulk_restore_takes_names(pair: Pair) -> None:
    """A bulk restore by name reports what cannot be restored per unit."""
    query = {"where": f"SpaceID = '{pair.space}'", "restore": "LiveRevisionNum"}
    response = pair.client.patch("/unit", params=query, content=b"null")
    assert response.status_code == 207
    assert "has no revision 0" in response.json()[0]["Error"]["Message"]
