import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import make_space, make_unit
from tests.contract.confighub.scripted_worker import make_target, make_worker

PLAIN = ["target", "bridge_worker", "filter", "set", "tag", "link"]
TAILS = ["", "/apply", "/destroy", "/refresh", "/data", "/live-state", "/unit_event", "/revision"]
NAMES = [
    *("Slug", "DisplayName", "Labels", "Annotations", "ToolchainType", "ProviderType", "Data"),
    *("TargetID", "SetID", "Version", "LastChangeDescription", "Parameters", "BridgeWorkerID"),
    *("From", "Where", "FromSpaceID", "FromUnitID", "ToUnitID", "SpaceID", "Secret", "spec"),
]
PARAMETERS = [
    *("where", "where_space", "filter", "contains", "include", "select", "summary", "upgrade"),
    *("restore", "revision_id", "upstream_space_id", "upstream_unit_id", "name_prefixes"),
    *("dry_run", "allow_exists"),
]


@dataclass(frozen=True, slots=True)
class Scene:
    """A server's client, and identifiers that exist there."""

    client: httpx.Client
    identifiers: tuple[str, ...]


@pytest.fixture(name="scene", scope="module")
def _scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with (
        # a request that the server does not survive fails this, by its log
        confighub_process.running(tmp_path_factory.mktemp("confighub")) as server,
        server.client() as client,
    ):
        space = make_space(client, "s")
        worker = make_worker(client, space)
        target = make_target(client, space, worker)
        unit = make_unit(client, space, "u", TargetID=target)
        made = (space, unit["UnitID"], target, worker["BridgeWorkerID"])
        yield Scene(client, made)


# 0 to 3 stand for the identifiers that exist
identifiers = st.sampled_from(["{0}", "{1}", "{2}", "{3}", "x", "0" * 36, "%00"])
texts = identifiers | st.sampled_from(
    [
        *("true", "false", "1", "LiveRevisionNum", "Kubernetes/YAML", "Unit", "YTogMQo=", "u", "*"),
        *("Slug = 'u'", "Slug ~ '('", "LEN(Labels) > 0", "Target.Slug != 'x'", "SpaceID,TargetID"),
        *("a" * 200, "\u0000", "\u00e4", "'", "999999999999999999999"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
# most bodies are right but for one or two fields, or nothing behind the first check is reached
RIGHT = {"Slug": "u", "ToolchainType": "Kubernetes/YAML", "ProviderType": "Kubernetes"}
odd_fields = st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=2)
bodies = odd_fields.map(lambda odd: {**RIGHT, **odd}) | odd_fields | values
paths = st.one_of(
    st.sampled_from(["/space", "/unit", "/unit/apply", *(f"/{name}" for name in PLAIN)]),
    st.builds("/space/{}".format, identifiers),
    st.builds("/space/{}/{}".format, identifiers, st.sampled_from(["unit", *PLAIN])),
    st.builds("/space/{}/unit/{}{}".format, identifiers, identifiers, st.sampled_from(TAILS)),
    st.builds("/space/{}/{}/{}".format, identifiers, st.sampled_from(PLAIN), identifiers),
)
queries = st.dictionaries(st.sampled_from(PARAMETERS), texts, max_size=3)


@settings(
    max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(["GET", "POST", "PUT", "PATCH"]), paths, queries, bodies)
def test_any_request_gets_a_proper_answer(
    scene: Scene, method: str, path: str, query: dict[str, str], body: object
) -> None:
    """No request, however odd, is answered with an internal error or outside ConfigHub's shape."""

    def fill(text: str) -> str:
        for number, identifier in enumerate(scene.identifiers):
            text = text.replace(f"{{{number}}}", identifier)
        return text

    response = scene.client.request(
        method,
        fill(path),
        params={name: fill(text) for name, text in query.items()},
        content=fill(json.dumps(body)).encode(),
    )
    assert response.status_code in {200, 207, 400, 404, 405, 409}, response.text
    if response.headers["content-type"] == "application/json":
        answer = response.json()
        if response.status_code >= 400:
            assert answer["Code"] == str(response.status_code)
            assert answer["Message"]
