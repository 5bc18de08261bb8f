import httpx
import pytest

from tests.contract.confighub.confighub_process import (
    Json,
    make_space,
    make_unit,
    ok,
    refused,
    unit_path,
)
from tests.contract.confighub.scripted_worker import make_target, make_worker


class Scene:
    """A space with units that can be applied, and links among them."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        self.client = client
        self.name = name
        self.space = make_space(client, name)
        self.target = make_target(client, self.space, make_worker(client, self.space))
        self.units: dict[str, Json] = {}

    def unit(self, slug: str) -> Json:
        """Return the unit of a name, made when it is first named."""
        if slug not in self.units:
            self.units[slug] = make_unit(self.client, self.space, slug, TargetID=self.target)
        return self.units[slug]

    def ask_link(self, start: str, end: Json | str) -> httpx.Response:
        """Ask for a link to a unit of this space or another."""
        goal = self.unit(end) if isinstance(end, str) else end
        body = {
            "Slug": f"{start}-{goal['Slug']}",
            "FromUnitID": self.unit(start)["UnitID"],
            "ToUnitID": goal["UnitID"],
            "ToSpaceID": goal["SpaceID"],
        }
        return self.client.post(f"/space/{self.space}/link", json=body)

    def link(self, start: str, end: Json | str) -> Json:
        """Make a link."""
        made: Json = ok(self.ask_link(start, end))
        return made

    def links(self, **query: str) -> list[Json]:
        """Return the links of the space."""
        found: list[Json] = ok(self.client.get(f"/space/{self.space}/link", params=query))
        return found


@pytest.fixture(name="scene")
def _scene(client: httpx.Client, name: str) -> Scene:
    return Scene(client, name)


def test_link_is_listed_with_its_units(scene: Scene) -> None:
    """A link shows its units when asked, is found by them, and is gone when deleted."""
    link = scene.link("a", "b")
    found = scene.links(
        include="FromUnitID,ToUnitID,ToSpaceID",
        where=f"ToUnitID = '{scene.unit('b')['UnitID']}' AND FromUnit.Slug = 'a'",
    )
    assert [(i["FromUnit"]["Slug"], i["ToUnit"]["Slug"]) for i in found] == [("a", "b")]
    assert found[0]["ToSpace"]["SpaceID"] == scene.space
    ok(scene.client.delete(f"/space/{scene.space}/link/{link['LinkID']}"))
    assert scene.links() == []


def test_space_of_the_end_may_be_left_out(scene: Scene) -> None:
    """Without ToSpaceID a link leads to a unit of its own space, and says so afterwards."""
    ends = {"FromUnitID": scene.unit("a")["UnitID"], "ToUnitID": scene.unit("b")["UnitID"]}
    link = ok(scene.client.post(f"/space/{scene.space}/link", json={"Slug": "l", **ends}))
    assert link["ToSpaceID"] == scene.space


def test_link_into_another_space(scene: Scene) -> None:
    """A link may lead to another space, but starts in its own."""
    other = make_unit(scene.client, make_space(scene.client, f"{scene.name}-other"), "o")
    assert scene.link("a", other)["ToSpaceID"] == other["SpaceID"]
    body = {"Slug": "back", "FromUnitID": other["UnitID"], "ToUnitID": scene.unit("b")["UnitID"]}
    assert "does not exist in space" in refused(
        scene.client.post(f"/space/{scene.space}/link", json=body), 404
    )


def test_circle_is_refused_and_named(scene: Scene) -> None:
    """A link that closes a circle, also by way of another space, is refused and all of it named."""
    other_space = make_space(scene.client, f"{scene.name}-other")
    other = make_unit(scene.client, other_space, "o")
    scene.link("a", "b")
    scene.link("b", other)
    body = {
        "Slug": "back",
        "FromUnitID": other["UnitID"],
        "ToUnitID": scene.unit("a")["UnitID"],
        "ToSpaceID": scene.space,
    }
    told = refused(scene.client.post(f"/space/{other_space}/link", json=body))
    assert told == (
        f"link 'back' would close a circle: o -> a ({scene.space}) -> b ({scene.space}) -> o"
    )
    assert "circle: a -> a" in refused(scene.ask_link("a", "a"))


def test_moved_link_closes_no_circle(scene: Scene) -> None:
    """A changed link is checked as a new one is, without being in its own way."""
    scene.link("a", "b")
    link = scene.link("b", "c")
    path = f"/space/{scene.space}/link/{link['LinkID']}"
    told = refused(scene.client.patch(path, json={"ToUnitID": scene.unit("a")["UnitID"]}))
    assert "circle" in told
    turned = {"FromUnitID": scene.unit("c")["UnitID"], "ToUnitID": scene.unit("b")["UnitID"]}
    ok(scene.client.patch(path, json=turned))


def test_bulk_apply_takes_what_is_needed_first(scene: Scene) -> None:
    """A bulk apply queues the end of each link before its start."""
    for slug in "abcd":
        scene.unit(slug)
    for start, end in ("ac", "cb", "ad"):
        scene.link(start, end)
    query = {"where": f"SpaceID = '{scene.space}'"}
    items = ok(scene.client.post("/unit/apply", params=query))
    slugs = {unit["UnitID"]: slug for slug, unit in scene.units.items()}
    assert [slugs[item["Action"]["UnitID"]] for item in items] == ["b", "c", "d", "a"]


def test_clones_are_linked_as_their_upstreams_are(scene: Scene) -> None:
    """A bulk clone copies the links inside of the set, for each prefix, and no others."""
    outside = make_unit(scene.client, make_space(scene.client, f"{scene.name}-other"), "o")
    scene.link("a", "b")
    scene.link("a", outside)
    to = make_space(scene.client, f"{scene.name}-to")
    where = {"where": f"SpaceID = '{scene.space}'", "where_space": f"SpaceID = '{to}'"}
    items = ok(scene.client.post("/unit", params={**where, "name_prefixes": "x-,y-"}, json={}))
    query = {"include": "FromUnitID,ToUnitID"}
    found = ok(scene.client.get(f"/space/{to}/link", params=query))
    assert [(i["Link"]["Slug"], i["FromUnit"]["Slug"], i["ToUnit"]["Slug"]) for i in found] == [
        ("x-a-b", "x-a", "x-b"),
        ("y-a-b", "y-a", "y-b"),
    ]
    told = {
        item["Unit"]["Slug"]: [link["Link"]["Slug"] for link in item["Links"]] for item in items
    }
    assert told == {"x-a": ["x-a-b"], "x-b": [], "y-a": ["y-a-b"], "y-b": []}


def test_link_that_cannot_be_copied_is_told(scene: Scene) -> None:
    """A copied link that would close a circle there is an error of its item alone."""
    scene.link("a", "b")
    to = make_space(scene.client, f"{scene.name}-to")
    clones = {slug: make_unit(scene.client, to, slug) for slug in "ab"}
    body = {
        "Slug": "own",
        "FromUnitID": clones["b"]["UnitID"],
        "ToUnitID": clones["a"]["UnitID"],
    }
    ok(scene.client.post(f"/space/{to}/link", json=body))
    where = {"where": f"SpaceID = '{scene.space}'", "where_space": f"SpaceID = '{to}'"}
    response = scene.client.post("/unit", params={**where, "allow_exists": "true"}, json={})
    assert response.status_code == 207
    links = {item["Unit"]["Slug"]: item["Links"] for item in response.json()}
    assert "circle" in links["a"][0]["Error"]["Message"]
    assert links["b"] == []


def test_link_is_copied_once(scene: Scene) -> None:
    """A bulk clone over clones that exist leaves the links that they have."""
    scene.link("a", "b")
    to = make_space(scene.client, f"{scene.name}-to")
    where = {"where": f"SpaceID = '{scene.space}'", "where_space": f"SpaceID = '{to}'"}
    for _ in range(2):
        items = ok(scene.client.post("/unit", params={**where, "allow_exists": "true"}, json={}))
    assert [item["Links"] for item in items] == [[], []]
    assert len(ok(scene.client.get(f"/space/{to}/link"))) == 1


def test_needed_unit_stays(scene: Scene) -> None:
    """A unit that another needs is not deleted; with that one, or after it, it is."""
    scene.link("a", "b")
    told = refused(scene.client.delete(unit_path(scene.unit("b"))))
    assert "is needed by a" in told
    query = {"where": f"SpaceID = '{scene.space}'"}
    items = ok(scene.client.request("DELETE", "/unit", params=query))
    assert [item["Message"] for item in items] == ["unit a deleted", "unit b deleted"]
    assert scene.links() == []


def test_space_that_others_need_stays(scene: Scene) -> None:
    """A space is not deleted, not even recursively, while a link of another leads into it."""
    other_space = make_space(scene.client, f"{scene.name}-other")
    link = scene.link("a", make_unit(scene.client, other_space, "o"))
    path, recursive = f"/space/{other_space}", {"recursive": "true"}
    assert "o is needed by a" in refused(scene.client.delete(path, params=recursive))
    ok(scene.client.delete(f"/space/{scene.space}/link/{link['LinkID']}"))
    ok(scene.client.delete(path, params=recursive))


def test_bulk_link(scene: Scene) -> None:
    """A bulk link goes from each match to each match, and tells per link what is refused."""
    for slug in "abc":
        scene.unit(slug)
    scene.link("c", "a")
    query = {
        "where_space": f"SpaceID = '{scene.space}'",
        "where_from": "Slug IN ('a', 'b')",
        "where_to": "Slug = 'c'",
    }
    response = scene.client.post("/link", params=query, json={"Labels": {"k": "v"}})
    assert response.status_code == 207
    first, second = response.json()
    assert "circle" in first["Error"]["Message"]
    assert (second["Link"]["Slug"], second["Link"]["Labels"]) == ("b-c", {"k": "v"})
    incomplete = {name: text for name, text in query.items() if name != "where_to"}
    assert "where_to is required" in refused(scene.client.post("/link", params=incomplete))
