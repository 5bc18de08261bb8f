import base64
import json
from typing import Any

import httpx
import pytest

from tests.contract.confighub.confighub_process import (
    Json,
    base64_of,
    make_space,
    make_unit,
    ok,
    unit_path,
)

UNKNOWN = "12345678-1234-1234-1234-123456789abc"
DEPLOYMENT = """\
# the web
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  replicas:   2 # two
  template:
    spec:
      containers:
      - name: web   # the one
        image: "nginx:1.25"
      - {name: side, image: side:1}
"""


def call(name: str, *arguments: Any, **named: Any) -> Json:
    """Return one function as `cub function do` (unnamed) or `cub run` (named) sends it."""
    sent = [{"Value": value} for value in arguments]
    sent += [
        {"ParameterName": key.replace("_", "-"), "Value": value} for key, value in named.items()
    ]
    return {"FunctionName": name, "Arguments": sent or None}


def invoke(
    client: httpx.Client,
    space: str,
    *calls: Json,
    options: Json | None = None,
    **query: str,
) -> httpx.Response:
    """Run functions on the units of a space."""
    body = {
        "BridgeWorkerID": None,
        "CastStringArgsToScalars": True,
        "FunctionInvocations": list(calls),
        **(options or {}),
    }
    return client.post(f"/space/{space}/function/invoke", params=query, json=body)


def text(client: httpx.Client, unit: Json) -> str:
    """Return the head data of a unit."""
    return client.get(f"{unit_path(unit)}/data").text


def test_signatures_are_by_toolchain_and_name(client: httpx.Client, space: str) -> None:
    """The functions are listed as the client caches them, alike for a space and for all."""
    everywhere = ok(client.get("/function"))
    assert ok(client.get(f"/space/{space}/function")) == everywhere
    signature = everywhere["Kubernetes/YAML"]["set-replicas"]
    assert signature["Mutating"] is True
    assert [p["ParameterName"] for p in signature["Parameters"]] == ["replicas"]
    assert client.get(f"/space/{UNKNOWN}/function").status_code == 404


@pytest.mark.parametrize(
    ("function", "old", "new"),
    [
        (call("set-replicas", "3"), "replicas:   2 # two", "replicas:   3 # two"),
        (call("set-replicas", replicas=3), "replicas:   2 # two", "replicas:   3 # two"),
        (call("set-image", "web", "nginx:1.27"), '"nginx:1.25"', '"nginx:1.27"'),
        (
            call("set-image-reference", container_name="side", image_reference=":2"),
            "image: side:1}",
            "image: side:2}",
        ),
    ],
    ids=["positional", "typed", "quoted", "flow"],
)
def test_function_makes_a_revision(
    client: httpx.Client, space: str, function: Json, old: str, new: str
) -> None:
    """A function changes what it is for and no other byte, in a new head that is not applied."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    (entry,) = ok(invoke(client, space, function, where="Slug IN ('u')"))
    expected = DEPLOYMENT.replace(old, new)
    assert (entry["Success"], entry["Mutators"], entry["Error"]) == (True, [0], None)
    assert base64.b64decode(entry["ConfigData"]).decode() == expected
    assert text(client, unit) == expected
    head = ok(client.get(unit_path(unit)))["Unit"]
    assert (head["HeadRevisionNum"], head["LastAppliedRevisionNum"]) == (2, 0)
    revisions = ok(client.get(f"{unit_path(unit)}/revision"))
    assert revisions[-1]["Revision"]["RevisionID"] == entry["RevisionID"]
    assert revisions[-1]["Revision"]["Description"] == f"function {function['FunctionName']}"


def test_entry_has_what_the_client_reads(client: httpx.Client, space: str) -> None:
    """An entry names its unit, what was changed, and carries the output as JSON in base64."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    (entry,) = ok(invoke(client, space, call("get-image", "web")))
    for name in ("UnitID", "SpaceID", "OrganizationID"):
        assert entry[name] == unit[name]
    (value,) = json.loads(base64.b64decode(entry["Output"]))
    assert entry["OutputType"] == "AttributeValueList"
    assert value["Value"] == "nginx:1.25"
    assert value["Path"] == "spec.template.spec.containers.0.image"
    assert value["ResourceName"] == "demo/web"
    assert (entry["Mutators"], entry["Mutations"]) == ([], [])


def test_mutations_are_told_by_path(client: httpx.Client, space: str) -> None:
    """What a function changed is told as a map of paths."""
    make_unit(client, space, "u", DEPLOYMENT)
    (entry,) = ok(invoke(client, space, call("set-replicas", "3")))
    assert set(entry["Mutations"][0]["PathMutationMap"]) == {"spec.replicas"}


def test_mutation_names_the_function(client: httpx.Client, space: str) -> None:
    """What made a revision is kept with its mutation: the function and its arguments."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    ok(invoke(client, space, call("get-replicas"), call("set-replicas", "3")))
    mutation = ok(client.get(f"{unit_path(unit)}/mutation"))[-1]["Mutation"]
    assert mutation["FunctionInvocation"] == call("set-replicas", "3")


def test_dry_run_stores_nothing(client: httpx.Client, space: str) -> None:
    """A dry run shows the result and leaves the unit."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    (entry,) = ok(invoke(client, space, call("set-replicas", "3"), dry_run="true"))
    assert "replicas:   3" in base64.b64decode(entry["ConfigData"]).decode()
    assert text(client, unit) == DEPLOYMENT


def test_runbook_form_of_set_image_reference_is_refused(client: httpx.Client, space: str) -> None:
    """A whole image as reference fails on each unit, with the pattern, and changes none."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    image = "finos/traderx-trade-service:v1.2.3"
    function = call("set-image-reference", container_name="web", image_reference=image)
    response = invoke(client, space, function)
    assert response.status_code == 207
    (entry,) = response.json()
    assert entry["Success"] is False
    assert (
        f"value {image} for argument image-reference failed to match ^" in entry["Error"]["Message"]
    )
    assert entry["ErrorMessages"]
    assert text(client, unit) == DEPLOYMENT


def test_without_where_all_units_of_the_space(client: httpx.Client, space: str) -> None:
    """Without a where the functions run on every unit of the space; those without a match stay."""
    make_unit(client, space, "web", DEPLOYMENT)
    other = make_unit(client, space, "other", "kind: Service\napiVersion: v1\n")
    elsewhere = make_unit(client, make_space(client, "elsewhere"), "web", DEPLOYMENT)
    entries = ok(invoke(client, space, call("set-replicas", "3")))
    assert [(e["Success"], e["Mutators"]) for e in entries] == [(True, [0]), (True, [])]
    assert ok(client.get(unit_path(other)))["Unit"]["HeadRevisionNum"] == 1
    assert text(client, elsewhere) == DEPLOYMENT


def test_mixed_results_are_207(client: httpx.Client, space: str) -> None:
    """Where one unit fails and others do not, each entry says its own."""
    good = make_unit(client, space, "good", DEPLOYMENT)
    make_unit(client, space, "bad", "a: &x 1\nb: *x\n")
    response = invoke(client, space, call("set-replicas", "3"))
    assert response.status_code == 207
    assert [entry["Success"] for entry in response.json()] == [True, False]
    assert "aliases" in response.json()[1]["Error"]["Message"]
    assert "replicas:   3" in text(client, good)


def test_failed_row_changes_nothing(client: httpx.Client, space: str) -> None:
    """A row of which one function fails leaves the unit, whatever the others did."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    response = invoke(client, space, call("set-replicas", "3"), call("bogus"))
    assert response.json()[0]["ErrorMessages"] == ["invoke bogus: function does not exist"]
    assert text(client, unit) == DEPLOYMENT


def test_description_is_that_of_the_revision(client: httpx.Client, space: str) -> None:
    """The reason given is kept with the revision, and on the unit."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    options = {"ChangeDescription": "more of them"}
    ok(invoke(client, space, call("set-replicas", "3"), options=options))
    head = ok(client.get(unit_path(unit), params={"include": "HeadRevisionNum"}))
    assert head["HeadRevision"]["Description"] == "more of them"
    assert head["Unit"]["LastChangeDescription"] == "more of them"


def test_combined_validations_are_one_result(client: httpx.Client, space: str) -> None:
    """Validations are told one by one, or as one that passes if all do."""
    make_unit(client, space, "u", DEPLOYMENT)
    row = (call("no-placeholders"), call("where-filter", "*", "spec.replicas > 9"))
    (entry,) = ok(invoke(client, space, *row))
    assert [r["Passed"] for r in json.loads(base64.b64decode(entry["Output"]))] == [True, False]
    (entry,) = ok(invoke(client, space, *row, options={"CombineResults": True}))
    assert json.loads(base64.b64decode(entry["Output"]))["Passed"] is False


def test_older_revision_can_be_looked_at(client: httpx.Client, space: str) -> None:
    """Functions that read run on an older revision; those that write need a dry run there."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    ok(invoke(client, space, call("set-replicas", "3")))
    first = ok(client.get(f"{unit_path(unit)}/revision"))[0]["Revision"]["RevisionID"]
    (entry,) = ok(invoke(client, space, call("get-replicas"), revision_id=first))
    assert json.loads(base64.b64decode(entry["Output"]))[0]["Value"] == 2
    assert entry["RevisionID"] == first
    writing = invoke(client, space, call("set-replicas", "5"), revision_id=first)
    assert writing.status_code == 400
    assert "dry_run=true" in writing.json()["Message"]


def test_everywhere_by_where(client: httpx.Client, space: str) -> None:
    """Across spaces a where is required; a unit can be named instead."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    body = {"FunctionInvocations": [call("set-replicas", "3")]}
    assert client.post("/function/invoke", json=body).status_code == 400
    ok(client.post("/function/invoke", params={"unit_id": unit["UnitID"]}, json=body))
    assert "replicas:   3" in text(client, unit)


MALFORMED: dict[str, Any] = {
    "no-functions": {},
    "functions-null": {"FunctionInvocations": None},
    "functions-text": {"FunctionInvocations": "x"},
    "functions-empty": {"FunctionInvocations": []},
    "too-many": {"FunctionInvocations": [call("get-replicas")] * 101},
    "item-text": {"FunctionInvocations": ["get-replicas"]},
    "no-name": {"FunctionInvocations": [{"Arguments": []}]},
    "name-number": {"FunctionInvocations": [{"FunctionName": 1}]},
    "arguments-map": {"FunctionInvocations": [{"FunctionName": "x", "Arguments": {}}]},
    "argument-text": {"FunctionInvocations": [{"FunctionName": "x", "Arguments": ["y"]}]},
    "value-list": {"FunctionInvocations": [call("x", [1])]},
    "value-long": {"FunctionInvocations": [call("set-env", "web", "A=" + "x" * 70_000)]},
    "value-null": {"FunctionInvocations": [call("x", None)]},
    "name-of-parameter": {
        "FunctionInvocations": [
            {"FunctionName": "x", "Arguments": [{"ParameterName": 1, "Value": 2}]}
        ]
    },
    "stop-text": {"FunctionInvocations": [call("x")], "StopOnError": "yes"},
    "filters-text": {"FunctionInvocations": [call("x")], "NumFilters": "yes"},
    "description-list": {"FunctionInvocations": [call("x")], "ChangeDescription": []},
    "worker": {"FunctionInvocations": [call("x")], "BridgeWorkerID": UNKNOWN},
    "list": [],
    "text": "x",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_request_is_refused(client: httpx.Client, space: str, name: str) -> None:
    """A request that is not in form is refused in ConfigHub's shape, and runs nothing."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    response = client.post(f"/space/{space}/function/invoke", json=MALFORMED[name])
    status = 422 if name == "worker" else 400
    assert (response.status_code, response.json()["Code"]) == (status, str(status))
    assert response.json()["Message"]
    assert ok(client.get(unit_path(unit)))["Unit"]["HeadRevisionNum"] == 1


def test_strings_are_not_cast_where_the_request_says_so(client: httpx.Client, space: str) -> None:
    """With CastStringArgsToScalars false, an integer is an integer."""
    make_unit(client, space, "u", DEPLOYMENT)
    options = {"CastStringArgsToScalars": False}
    assert invoke(client, space, call("set-replicas", "3"), options=options).status_code == 207
    ok(invoke(client, space, call("set-replicas", 3), options=options))


def test_other_toolchains_have_no_functions(client: httpx.Client, space: str) -> None:
    """A unit that is no Kubernetes YAML has no functions; its data is left."""
    make_unit(client, space, "u", "a=1", ToolchainType="AppConfig/Properties")
    response = invoke(client, space, call("set-replicas", "3"))
    assert "function does not exist" in response.json()[0]["Error"]["Message"]


def test_unit_that_is_changed_by_a_function_is_pending(client: httpx.Client, space: str) -> None:
    """A label filter chooses the units, and a function moves their head alone."""
    make_unit(client, space, "u", DEPLOYMENT, Labels={"layer": "web"})
    make_unit(client, space, "v", DEPLOYMENT, Labels={"layer": "data"})
    entries = ok(invoke(client, space, call("set-replicas", "3"), where="Labels.layer = 'web'"))
    assert len(entries) == 1
    pending = ok(client.get(f"/space/{space}/unit", params={"where": "HeadRevisionNum > 1"}))
    assert [item["Unit"]["Slug"] for item in pending] == ["u"]


def test_function_works_on_the_newest_head(client: httpx.Client, space: str) -> None:
    """A function works on the newest head, not on what it saw before."""
    unit = make_unit(client, space, "u", DEPLOYMENT)
    newer = DEPLOYMENT.replace("two", "still two")
    ok(client.patch(unit_path(unit), json={"Data": base64_of(newer)}))
    ok(invoke(client, space, call("set-replicas", "3")))
    assert "replicas:   3 # still two" in text(client, unit)
