import httpx
import pytest

from tests.contract.confighub.confighub_process import make_space, make_unit, ok, unit_path

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: REPLICAS}
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"


class Scene:
    """Units that differ in what their data says."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        self.client = client
        self.space = make_space(client, name)
        for slug, text in {
            "one": DEPLOYMENT.replace("REPLICAS", "1"),
            "three": f"{SERVICE}---\n{DEPLOYMENT.replace('REPLICAS', '3')}",
            "service": SERVICE,
            "aliases": f"{DEPLOYMENT.replace('REPLICAS', '&x 3')}other: *x\n",
        }.items():
            make_unit(client, self.space, slug, text)
        make_unit(client, self.space, "hcl", "a = 3", ToolchainType="OpenTofu/HCL")

    def slugs(self, **query: str) -> list[str]:
        """Return which units a list with these parameters shows."""
        found = ok(self.client.get(f"/space/{self.space}/unit", params=query))
        return [item["Unit"]["Slug"] for item in found]


@pytest.fixture(name="scene")
def _scene(client: httpx.Client, name: str) -> Scene:
    return Scene(client, name)


def test_units_are_found_by_their_data(scene: Scene) -> None:
    """A list takes the units of which one resource is of the type, and as the expression says."""
    assert scene.slugs(where_data="spec.replicas > 1") == ["three"]
    assert scene.slugs(resource_type="v1/Service") == ["three", "service"]
    both = {"resource_type": "v1/Service", "where_data": "spec.replicas > 1"}
    assert scene.slugs(**both) == []
    assert scene.slugs(where_data="spec.replicas > 0", where="Slug = 'one'") == ["one"]


def test_stored_filter_looks_into_the_data(scene: Scene) -> None:
    """A filter with WhereData chooses by the data, in lists and for bulk calls."""
    body = {"Slug": "f", "From": "Unit", "ResourceType": "apps/v1/Deployment"}
    body["WhereData"] = "spec.replicas > 1"
    stored = ok(scene.client.post(f"/space/{scene.space}/filter", json=body))["FilterID"]
    assert scene.slugs(filter=stored) == ["three"]
    query = {"where": f"SpaceID = '{scene.space}'", "filter": stored}
    changed = ok(scene.client.patch("/unit", params=query, json={"Labels": {"k": "v"}}))
    assert [item["Unit"]["Slug"] for item in changed] == ["three"]


@pytest.mark.parametrize("expression", ["spec.replicas", "a OR b", "a = '", "spec.replicas ~ '3'"])
def test_bad_expression_is_refused(scene: Scene, expression: str) -> None:
    """An expression that is not in the grammar is refused, in a list and in a filter."""
    path = f"/space/{scene.space}"
    answer = scene.client.get(f"{path}/unit", params={"where_data": expression})
    assert answer.status_code == 400
    assert "where" in answer.json()["Message"]
    body = {"Slug": "f", "From": "Unit", "WhereData": expression}
    assert scene.client.post(f"{path}/filter", json=body).status_code == 400


def test_only_units_have_data(scene: Scene) -> None:
    """Other entities are not chosen by data, and a request for it is not taken as everything."""
    answer = scene.client.get("/space", params={"where_data": "spec.replicas > 1"})
    assert "choose units" in answer.json()["Message"]
    body = {"Slug": "f", "From": "Space", "ResourceType": "v1/Service"}
    answer = scene.client.post(f"/space/{scene.space}/filter", json=body)
    assert "choose units" in answer.json()["Message"]


def test_approvers_and_organization_are_included(scene: Scene) -> None:
    """A unit shows its organization, and who approved it, when asked."""
    (unit,) = ok(scene.client.get(f"/space/{scene.space}/unit", params={"where": "Slug = 'one'"}))
    ok(scene.client.post(f"{unit_path(unit['Unit'])}/approve"))
    query = {"include": "ApprovedBy,OrganizationID"}
    found = ok(scene.client.get(unit_path(unit["Unit"]), params=query))
    assert [user["UserID"] for user in found["ApprovedBy"]] == found["Unit"]["ApprovedBy"]
    assert found["Organization"]["OrganizationID"] == found["Unit"]["OrganizationID"]
