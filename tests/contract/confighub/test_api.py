from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import (
    ConfigHubProcess,
    base64_of,
    make_space,
    make_unit,
    ok,
    refused,
    unit_path,
)
from tests.contract.confighub.scripted_worker import make_target, make_worker

UNKNOWN = "12345678-1234-1234-1234-123456789abc"
KUBERNETES = "Kubernetes/YAML"


@pytest.mark.parametrize("path", ["/me", "/space", "/unit", "/target", f"/space/{UNKNOWN}/unit"])
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", "Basic YTpi", f"Bearer {UNKNOWN}.00", "Bearer \u00ff"],
)
def test_token_is_needed(server: ConfigHubProcess, path: str, authorization: str) -> None:
    """Without the token nothing is read, and the answer says so in ConfigHub's shape."""
    headers = {b"Authorization": authorization.encode("latin-1")}
    refused(httpx.get(f"{server.url}/api{path}", headers=headers, trust_env=False), 401)


BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not-json": b"{",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "html": b"<html></html>",
    "not-utf8": b'{"Slug": "\xff"}',
    "nan": b'{"Slug": NaN}',
    "deep": b'{"Slug": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "huge-number": b'{"Slug": ' + b"9" * 10_000 + b"}",
    "no-slug": b"{}",
    "slug-null": b'{"Slug": null}',
    "slug-number": b'{"Slug": 7}',
    "slug-empty": b'{"Slug": ""}',
    "slug-space": b'{"Slug": "a b"}',
    "slug-path": b'{"Slug": "../x"}',
    "slug-newline": b'{"Slug": "a\\n"}',
    "slug-long": b'{"Slug": "' + b"a" * 129 + b'"}',
    "slug-not-ascii": '{"Slug": "ä"}'.encode(),
    "labels-list": b'{"Slug": "a", "Labels": []}',
    "labels-number": b'{"Slug": "a", "Labels": {"k": 1}}',
    "labels-quote": b'{"Slug": "a", "Labels": {"k": "it\'s"}}',
    "labels-key": b'{"Slug": "a", "Labels": {"a b": "v"}}',
    "labels-surrogate": b'{"Slug": "a", "Labels": {"k": "\\ud800"}}',
    "annotation-long": b'{"Slug": "a", "Annotations": {"k": "' + b"a" * 1025 + b'"}}',
    "display-name-surrogate": b'{"Slug": "a", "DisplayName": "\\udfff"}',
    "unknown-field": b'{"Slug": "a", "Lables": {"k": "v"}}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_bad_space_is_refused(client: httpx.Client, body: bytes) -> None:
    """A body that is no space is refused with a message, and makes none."""
    before = len(ok(client.get("/space", params={"select": "Slug"})))
    assert refused(client.post("/space", content=body))
    assert len(ok(client.get("/space", params={"select": "Slug"}))) == before


BAD_UNITS: dict[str, dict[str, Any]] = {
    "no-toolchain": {"ToolchainType": ""},
    "odd-toolchain": {"ToolchainType": "nonsense"},
    "data-number": {"Data": 7},
    "data-not-base64": {"Data": "%%%"},
    "data-unpadded": {"Data": "YQ"},
    "data-not-yaml": {"Data": base64_of("a: [1\n")},
    "data-control-character": {"Data": base64_of("a: \x01\n")},
    "target-text": {"TargetID": "t"},
    "target-empty": {"TargetID": ""},
    "target-unknown": {"TargetID": UNKNOWN},
    "set-unknown": {"SetID": UNKNOWN},
}


@pytest.mark.parametrize("values", BAD_UNITS.values(), ids=BAD_UNITS.keys())
def test_bad_unit_is_refused(client: httpx.Client, space: str, values: dict[str, Any]) -> None:
    """A body that is no unit is refused with a message, and makes none."""
    body = {"Slug": "u", "ToolchainType": KUBERNETES, "Data": base64_of("a: 1\n"), **values}
    status = 404 if UNKNOWN in str(values) else 400
    assert refused(client.post(f"/space/{space}/unit", json=body), status)
    assert ok(client.get(f"/space/{space}/unit")) == []


def test_zero_values_are_absent(client: httpx.Client, space: str) -> None:
    """The zero identifiers and times that Go clients send mean nothing was set."""
    zero = "00000000-0000-0000-0000-000000000000"
    unit = make_unit(
        client,
        space,
        "u",
        UnitID=zero,
        TargetID=zero,
        SetID=zero,
        CreatedAt="0001-01-01T00:00:00Z",
    )
    assert unit["UnitID"] != zero
    assert unit["CreatedAt"] > "2020"
    assert not {"TargetID", "SetID", "UpstreamUnitID"} & set(unit)


PATHS = [
    ("GET", "/space/not-a-uuid", 400),
    ("GET", f"/space/{UNKNOWN}", 404),
    ("GET", f"/space/{UNKNOWN}/unit", 404),
    ("POST", f"/space/{UNKNOWN}/unit", 404),
    ("GET", "/nothing", 404),
    ("PUT", "/me", 405),
    ("PATCH", "/unit", 400),
    ("DELETE", "/unit", 400),
    ("POST", "/unit", 400),
    ("POST", "/unit/apply", 400),
    ("POST", "/unit/apply?where=Slug%20%3D%20'a'&dry_run=maybe", 400),
    ("GET", "/unit?where=Slug%20%3D%20'a'&where=Slug%20%3D%20'b'", 400),
    ("GET", f"/unit?filter={UNKNOWN}", 404),
    ("GET", "/unit?where=", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
def test_odd_requests_get_an_answer(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    """A request for what does not exist, or without what it needs, is answered, never with 500."""
    response = client.request(method, path, json={"Slug": "u", "ToolchainType": KUBERNETES})
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"


def test_duplicate_is_refused(client: httpx.Client, space: str) -> None:
    """A second unit of one slug is refused with 400; `allow_exists` answers the first."""
    unit = make_unit(client, space, "u")
    body = {"Slug": "u", "ToolchainType": KUBERNETES}
    path = f"/space/{space}/unit"
    assert "already exists" in refused(client.post(path, json=body))
    assert ok(client.post(path, params={"allow_exists": "true"}, json=body)) == unit


def test_stale_replacement_is_refused(client: httpx.Client, space: str) -> None:
    """A replacement made from an older version is a conflict and changes nothing."""
    unit = make_unit(client, space, "u")
    newer = {**unit, "Data": base64_of("a: 2\n")}
    stored = ok(client.put(unit_path(unit), json=newer))
    assert stored["Version"] == unit["Version"] + 1
    stale = {**unit, "Data": base64_of("a: 3\n")}
    assert "version" in refused(client.put(unit_path(unit), json=stale), 409)
    no_version = {key: value for key, value in stale.items() if key != "Version"}
    refused(client.put(unit_path(unit), json=no_version), 409)
    assert ok(client.get(unit_path(unit)))["Unit"] == stored


def test_same_bytes_make_no_revision(client: httpx.Client, space: str) -> None:
    """Writing the bytes that are there already makes no revision."""
    unit = make_unit(client, space, "u", "a: 1\n")
    stored = ok(client.patch(unit_path(unit), json={"Data": base64_of("a: 1\n")}))
    assert stored["HeadRevisionNum"] == 1


def test_hashes_are_of_the_bytes(client: httpx.Client, space: str) -> None:
    """DataHash is the SHA-256 of the raw bytes, ContentHash their CRC-32 as a signed number."""
    unit = make_unit(client, space, "u", "a: 1\n")
    assert unit["DataHash"] == "37b128c59f1f5097f73f82691cb519f1f568667faab5ced1b4ab979d36837eae"
    assert unit["ContentHash"] == -484238999


def test_patch_merges(client: httpx.Client, space: str) -> None:
    """A merge patch sets one label, removes another by null, and leaves the rest."""
    unit = make_unit(client, space, "u", Labels={"a": "1", "b": "2"})
    stored = ok(client.patch(unit_path(unit), json={"Labels": {"a": None, "c": "3"}}))
    assert stored["Labels"] == {"b": "2", "c": "3"}
    assert stored["Slug"] == "u"


def test_patch_of_the_document_is_refused(client: httpx.Client, space: str) -> None:
    """A patch of Kubernetes fields is no patch of a unit, and is told so."""
    unit = make_unit(client, space, "u")
    message = refused(client.patch(unit_path(unit), json={"spec": {"replicas": 2}}))
    assert message == "spec is not a field of Unit"


def test_bulk_patch_reports_per_unit(client: httpx.Client, space: str) -> None:
    """A bulk change that one unit refuses is 207; the other units have it, that one nothing."""
    _, second_unit = (make_unit(client, space, slug) for slug in ("a", "b"))
    where = {"where": f"SpaceID = '{space}'"}
    patch = {"Slug": "c", "Data": base64_of("a: 2\n")}
    response = client.patch("/unit", params=where, json=patch)
    assert response.status_code == 207
    first, second = response.json()
    assert first["Unit"]["Slug"] == "c"
    assert second["Error"]["Status"] == 400
    slugs = [i["Unit"]["Slug"] for i in ok(client.get(f"/space/{space}/unit"))]
    assert slugs == ["c", "b"]
    assert len(ok(client.get(f"{unit_path(second_unit)}/revision"))) == 1


def test_refused_clone_leaves_nothing(client: httpx.Client, space: str) -> None:
    """In a bulk clone an existing unit is an error of its item; the others are cloned."""
    for slug in ("a", "b"):
        make_unit(client, space, slug)
    to = make_space(client, f"{space}-to")
    make_unit(client, to, "a", "own: 1\n")
    where = {"where": f"SpaceID = '{space}'", "where_space": f"SpaceID = '{to}'"}
    response = client.post("/unit", params=where, json={})
    assert response.status_code == 207
    assert [bool(item.get("Error")) for item in response.json()] == [True, False]
    assert [i["Unit"]["Slug"] for i in ok(client.get(f"/space/{to}/unit"))] == ["a", "b"]


def test_space_with_units_stays(client: httpx.Client, space: str) -> None:
    """A space that holds anything is deleted only recursively."""
    make_unit(client, space, "u")
    assert "1 Unit" in refused(client.delete(f"/space/{space}"))
    ok(client.delete(f"/space/{space}", params={"recursive": "true"}))
    refused(client.get(f"/space/{space}"), 404)
    assert ok(client.get("/unit", params={"where": f"SpaceID = '{space}'"})) == []


def test_used_target_stays(client: httpx.Client, space: str) -> None:
    """A target that a unit uses, and a worker that a target uses, cannot be deleted."""
    worker = make_worker(client, space)
    target = make_target(client, space, worker)
    unit = make_unit(client, space, "u", TargetID=target)
    worker_path = f"/space/{space}/bridge_worker/{worker['BridgeWorkerID']}"
    assert "used by u" in refused(client.delete(f"/space/{space}/target/{target}"))
    assert "used by t" in refused(client.delete(worker_path))
    ok(client.delete(unit_path(unit)))
    ok(client.delete(f"/space/{space}/target/{target}"))
    ok(client.delete(worker_path))


def test_target_of_another_space_is_refused(client: httpx.Client, space: str) -> None:
    """A unit takes a target of its own space only."""
    other = make_space(client, f"{space}-other")
    target = make_target(client, other, make_worker(client, other))
    unit = make_unit(client, space, "u")
    refused(client.patch(unit_path(unit), json={"TargetID": target}), 404)


def test_secret_cannot_be_searched(client: httpx.Client, space: str) -> None:
    """A worker's secret is no attribute of `where` and nothing that `contains` finds."""
    worker = make_worker(client, space)
    path = f"/space/{space}/bridge_worker"
    refused(client.get(path, params={"where": "Secret LIKE 'ch_%'"}))
    assert ok(client.get(path, params={"contains": worker["Secret"][:6]})) == []


def test_stored_filter_is_applied(client: httpx.Client, space: str) -> None:
    """A list by filter shows what the filter's where lets through; a filter must fit the list."""
    for slug, layer in (("a", "data"), ("b", "web")):
        make_unit(client, space, slug, Labels={"layer": layer})
    body = {"Slug": "f", "From": "Unit", "Where": "Labels.layer = 'web'"}
    stored = ok(client.post(f"/space/{space}/filter", json=body))["FilterID"]
    listed = ok(client.get(f"/space/{space}/unit", params={"filter": stored}))
    assert [item["Unit"]["Slug"] for item in listed] == ["b"]
    refused(client.get("/space", params={"filter": stored}))
    refused(client.post(f"/space/{space}/filter", json={**body, "Slug": "g", "Where": "a OR b"}))


def test_summary_counts(client: httpx.Client, space: str) -> None:
    """The summary of a space counts its units by their state."""
    source = make_unit(client, space, "a")
    query = {"upstream_space_id": space, "upstream_unit_id": source["UnitID"]}
    body = {"Slug": "b", "ToolchainType": KUBERNETES}
    ok(client.post(f"/space/{space}/unit", params=query, json=body))
    ok(client.patch(unit_path(source), json={"Data": base64_of("a: 2\n")}))
    found = ok(client.get(f"/space/{space}", params={"summary": "true"}))
    assert found["TotalUnitCount"] == 2
    assert found["UnappliedUnitCount"] == 2
    assert found["UpgradableUnitCount"] == 1


def test_related_worker_shows_no_secret(client: httpx.Client, space: str) -> None:
    """A worker beside its target carries no secret; in its own list it does."""
    worker = make_worker(client, space)
    make_target(client, space, worker)
    (found,) = ok(client.get(f"/space/{space}/target", params={"include": "BridgeWorkerID"}))
    assert found["BridgeWorker"]["Slug"] == "wk"
    assert worker["Secret"] not in str(found)


def test_large_unit_is_kept(client: httpx.Client, space: str) -> None:
    """A document of several megabytes comes back byte for byte."""
    text = "".join(f"key{number}: value\n" for number in range(200_000))
    unit = make_unit(client, space, "u", text)
    assert client.get(f"{unit_path(unit)}/data").content == text.encode()


def test_used_port_is_reported(server: ConfigHubProcess, tmp_path: Path) -> None:
    """A port in use ends the start with one line that names it."""
    port = server.url.rsplit(":", 1)[1]
    ended = confighub_process.start_refused(tmp_path, port=port)
    assert ended.returncode == 2
    assert ended.stderr.strip() == (
        f"confighub: cannot start: 127.0.0.1:{port}: Address already in use"
    )
