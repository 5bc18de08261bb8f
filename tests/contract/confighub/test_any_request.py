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
from traderx_embedded.confighub.functions import catalogue

PLAIN = [
    *("target", "bridge_worker", "filter", "set", "tag", "link", "trigger"),
    *("change_set", "view", "invocation"),
]
BULK = [
    "/space",
    "/_space",
    "/unit",
    "/unit/apply",
    "/unit/approve",
    "/unit/destroy",
    "/unit/refresh",
]
TAILS = [
    *("", "/apply", "/destroy", "/refresh", "/approve"),
    *("/data", "/live-state", "/unit_event", "/revision", "/mutation", "/mutation/{1}"),
]
NAMES = [
    *("Slug", "DisplayName", "Labels", "Annotations", "ToolchainType", "ProviderType", "Data"),
    *("TargetID", "SetID", "Version", "LastChangeDescription", "Parameters", "BridgeWorkerID"),
    *("From", "Where", "FromSpaceID", "FromUnitID", "ToUnitID", "SpaceID", "Secret", "spec"),
    *("Event", "FunctionName", "Arguments", "Disabled", "Enforced", "Description", "FilterID"),
    *("StartTagID", "Columns", "OrderBy", "OrderByDirection", "ToSpaceID", "Conflicts"),
]
PARAMETERS = [
    *("where", "where_space", "filter", "contains", "include", "select", "summary", "upgrade"),
    *("restore", "revision_id", "upstream_space_id", "upstream_unit_id", "name_prefixes"),
    *("dry_run", "allow_exists", "unit_id", "where_from", "where_to", "where_to_space"),
    *("where_data", "resource_type"),
]
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  odd: [{x: ~}, "", !!str 1]
  template:
    spec:
      containers:
      - {name: web, image: "nginx:1.25"}
      - name: side
        env: [{name: A, value: b}]
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A server's client, and identifiers that exist there."""

    client: httpx.Client
    identifiers: tuple[str, ...]

    def send(self, method: str, path: str, query: dict[str, str], body: object) -> httpx.Response:
        """Send a request with identifiers that exist in place of their numbers."""

        def fill(text: str) -> str:
            for number, identifier in enumerate(self.identifiers):
                text = text.replace(f"{{{number}}}", identifier)
            return text

        return self.client.request(
            method,
            fill(path),
            params={name: fill(text) for name, text in query.items()},
            content=fill(json.dumps(body)).encode(),
        )


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
        make_unit(client, space, "d", DEPLOYMENT)
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
RIGHT = {
    "Slug": "u",
    "ToolchainType": "Kubernetes/YAML",
    "ProviderType": "Kubernetes",
    "Event": "Mutation",
    "FunctionName": "no-placeholders",
}
odd_fields = st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=2)
bodies = odd_fields.map(lambda odd: {**RIGHT, **odd}) | odd_fields | values
paths = st.one_of(
    st.sampled_from([*BULK, *(f"/{name}" for name in PLAIN)]),
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
    response = scene.send(method, path, query, body)
    assert response.status_code in {200, 207, 400, 404, 405, 409}, response.text
    if response.headers["content-type"] == "application/json":
        answer = response.json()
        if response.status_code >= 400:
            assert answer["Code"] == str(response.status_code)
            assert answer["Message"]


KNOWN = catalogue.BY_TOOLCHAIN[catalogue.KUBERNETES]
LIKELY = {
    "container-name": ["web", "side", "*"],
    "container-image": ["nginx:2", "a/b"],
    "image-reference": [":2", "@sha256:0"],
    "repository-uri": ["nginx", "a.b:1/c"],
    "env-key-value": ["A=b", "A=", "B=c"],
    "env-var": ["A", "B"],
    "env-value": ["", "b: c", "\u00e4"],
    "operation": ["all", "cap", "floor"],
    "cpu": ["500m", "", "x", "9" * 40],
    "memory": ["1Gi", "1.5Mi", "0"],
    "resource-type": ["apps/v1/Deployment", "*"],
    "path": [
        *("metadata.name", "metadata.new.er", "spec", "spec.x.y", "spec.odd.0", "spec.odd.*.x"),
        *("spec.odd.0.x.y", "spec.odd.2", "spec.odd.9", "*.*.*", "spec.odd.1.x", "kind.x"),
        "spec.template.spec.containers.?name=web.image",
    ],
    "attribute-value": ["x", "1", "true", "", "a: b", "\n"],
    "yq-expression": [".spec.odd[]", ".spec | select(.replicas == 2)", ".a.b[0]", ".kind.x", ".["],
    "validation-expr": ["r.kind == 'A'", "r.spec.odd.all(o, o.x == 1)", "r.", "r"],
    "where-expression": ["spec.replicas > 1", "spec.odd.0.x = 'a' AND kind != 'b'", "kind"],
}
OPTIONS = [
    *("CastStringArgsToScalars", "StopOnError", "CombineResults", "NumFilters"),
    *("BridgeWorkerID", "UseFunctionWorker", "ChangeDescription"),
]


def fitting(name: str) -> st.SearchStrategy[dict[str, object]]:
    """Return calls of a function with arguments that nearly always fit."""
    given = [
        st.sampled_from(LIKELY.get(parameter.name, ["3", "0"]))
        for parameter in KNOWN[name].parameters
    ]
    return st.builds(
        lambda values: {"FunctionName": name, "Arguments": [{"Value": v} for v in values]},
        st.tuples(*given),
    )


odd_arguments = st.lists(
    st.fixed_dictionaries({"Value": values}, optional={"ParameterName": values}), max_size=5
)
calls = st.one_of(
    st.sampled_from(sorted(KNOWN)).flatmap(fitting),
    st.fixed_dictionaries(
        {
            "FunctionName": st.sampled_from(sorted(KNOWN)) | values,
            "Arguments": odd_arguments | values,
        }
    ),
)
rows = st.fixed_dictionaries(
    {"FunctionInvocations": st.lists(calls, min_size=1, max_size=3)},
    optional=dict.fromkeys(OPTIONS, values),
)
invocations = st.tuples(
    st.sampled_from(["/function/invoke", "/space/{0}/function/invoke"]),
    st.just({}) | queries,
    rows | values,
)
events = st.sampled_from(["Mutation", "PreClone", "PostClone"]) | values
triggers = st.tuples(
    st.just("/space/{0}/trigger"),
    st.just({}),
    st.builds(
        lambda call, event, slug: {**RIGHT, **call, "Event": event, "Slug": slug},
        calls,
        events,
        st.text("abcdef", min_size=1, max_size=8),
    ),
)


@settings(
    max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(invocations, invocations, triggers))
def test_any_function_gets_a_proper_answer(
    scene: Scene, request_: tuple[str, dict[str, str], dict[str, object]]
) -> None:
    """No call of a function, and no trigger, however odd, is answered with an internal error."""
    path, query, body = request_
    response = scene.send("POST", path, query, body)
    assert response.status_code in {200, 207, 400, 404, 422}, response.text
    if response.status_code >= 400:
        assert response.json()["Message"]
