from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import (
    Json,
    base64_of,
    make_space,
    make_unit,
    ok,
    text_of,
    unit_path,
)

# Pieces that make YAML, or nearly, when put together.
PIECES = [
    *("a: 1\n", "a: 2 # x\n", "b: |\n  x\n  y\n", "b: |+\n  x\n\n\n", "b: >-\n  x\n"),
    *("c: [1, 2,\n  3]\n", "c: {x: 1, y: [a]}\n", "- a\n", "- b: 1\n  c: 2\n", "# c\n", "---\n"),
    *("d:\n  e: 1\n  f:\n  - 1\n", "d:\n    e: 2\n    f:\n      - 1\n", "...\n", "? g\n: h\n"),
    *("'q': \"w\"\n", '{"j": 1, "k": {"l": [1,2]}}\n', "a:\n", "m: !!str 1\n", "m: !odd {a: 1}\n"),
    *("kind: X\nmetadata:\n  name: n\n  namespace: q\n", "kind: X\nmetadata: {name: n}\n", "\r\n"),
    *("z: 1\r\n", "text", 'o: "multi\n  line"\n', "<<: {a: 1}\n", "1: 2\n", "t: 2020-01-01\n"),
    *(
        "f: 1e3\n",
        "\ufeff",
        "k:   \n  - name: a\n    v: 1\n  # c\n  - name: b\n",
        "\n",
        "x: &x 1\n",
    ),
    *("y: *x\n", "k:\n- name: b\n- name: a\n  v: 2\n", "\tx: 1\n", "s: 'a\n\n  b'\n", "n: ~\n"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
slugs = (f"u{number}" for number in count())


@pytest.fixture(name="client", scope="module")
def _client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        confighub_process.running(tmp_path_factory.mktemp("confighub")) as server,
        server.client() as client,
    ):
        yield client


@pytest.fixture(name="space", scope="module")
def _space(client: httpx.Client) -> str:
    return make_space(client, "s")


def written(client: httpx.Client, unit: Json, text: str) -> bool:
    """Write a text, which may be refused as no YAML; return whether it was kept."""
    answer = client.patch(unit_path(unit), json={"Data": base64_of(text)})
    assert answer.status_code == 200 or "not YAML" in answer.json()["Message"], answer.text
    return answer.status_code == 200


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts, texts, texts)
@example("a: 1\n", "a: 1\nb: 2\n", "\ufeffa: 1\nc: 3\n")
def test_any_data_is_merged_or_refused(
    client: httpx.Client, space: str, base: str, more: str, other: str
) -> None:
    """Whatever two sides hold, an upgrade merges it or is refused in words and changes nothing."""
    upstream = make_unit(client, space, next(slugs))
    written(client, upstream, base)
    query = {"upstream_space_id": space, "upstream_unit_id": upstream["UnitID"]}
    body = {"Slug": next(slugs), "ToolchainType": "Kubernetes/YAML"}
    clone = ok(client.post(f"/space/{space}/unit", params=query, json=body))
    changed = [written(client, upstream, base + more), written(client, clone, other + base)]
    before = ok(client.get(unit_path(clone)))["Unit"]
    answer = client.patch(unit_path(clone), params={"upgrade": "true"}, content=b"null")
    after = ok(client.get(unit_path(clone)))["Unit"]
    if answer.status_code == 200:
        number = ok(client.get(unit_path(upstream)))["Unit"]["HeadRevisionNum"]
        assert after["UpstreamRevisionNum"] == number
    else:
        assert "cannot be merged by path" in answer.json()["Message"]
        assert all(changed)
        assert after == before


removals = st.sampled_from(["/unit", "/link", "/tag", "/space/{s}/unit/{u}", "/space/{s}/link/{l}"])
wheres = st.sampled_from(
    ["", "*", "Slug = 'x'", "UnitID = '{u}'", "LinkID = '{l}'", "FromUnitID = '{u}'", "Slug = 1"]
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(removals, wheres, st.sampled_from([None, {}, [], "x", {"where": "*"}]))
def test_any_deletion_gets_a_proper_answer(
    client: httpx.Client, space: str, path: str, where: str, body: object
) -> None:
    """No deletion, however odd, fails; and a link never outlives one of its units."""
    first, second = (make_unit(client, space, next(slugs)) for _ in range(2))
    ends = {"FromUnitID": first["UnitID"], "ToUnitID": second["UnitID"]}
    link = ok(client.post(f"/space/{space}/link", json={"Slug": next(slugs), **ends}))
    names = {"s": space, "u": first["UnitID"], "l": link["LinkID"]}
    response = client.request(
        "DELETE", path.format(**names), params={"where": where.format(**names)}, json=body
    )
    assert response.status_code in {200, 207, 400}, response.text
    left = {item["Unit"]["UnitID"] for item in ok(client.get("/unit", params={"select": "Slug"}))}
    for item in ok(client.get("/link")):
        assert {item["Link"]["FromUnitID"], item["Link"]["ToUnitID"]} <= left


def test_refused_upgrade_can_be_repeated(client: httpx.Client, space: str) -> None:
    """What could not be merged can be once one side is mended."""
    upstream = make_unit(client, space, next(slugs), "a: 1\n")
    query = {"upstream_space_id": space, "upstream_unit_id": upstream["UnitID"]}
    body = {"Slug": next(slugs), "ToolchainType": "Kubernetes/YAML"}
    clone = ok(client.post(f"/space/{space}/unit", params=query, json=body))
    assert written(client, upstream, "a: 2\n")
    assert written(client, clone, "a: 1\nb: &b 1\nc: *b\n")
    refused = client.patch(unit_path(clone), params={"upgrade": "true"}, content=b"null")
    assert "line 3" in refused.json()["Message"]
    assert written(client, clone, "a: 1\nb: 1\nc: 1\n")
    mended = ok(client.patch(unit_path(clone), params={"upgrade": "true"}, content=b"null"))
    assert text_of(mended) == "a: 2\nb: 1\nc: 1\n"
