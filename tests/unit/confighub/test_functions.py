import json
from typing import Any

import pytest

from traderx_embedded.confighub.functions import catalogue, images, invocation
from traderx_embedded.confighub.functions.invocation import Invocation, Outcome, Request
from traderx_embedded.confighub.functions.quantity import Quantity
from traderx_embedded.confighub.functions.signature import Argument

MANIFEST = """\
# the service
apiVersion: v1
kind: Service
metadata: {name: web, namespace: demo}
spec: {type: ClusterIP}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web        # as the service
  namespace: demo
spec:
  replicas: 2
  template:
    spec:
      initContainers:
        - {name: init, image: "busybox:1.36"}
      containers:
        - name: web
          image: registry:5000/finos/web:v1.2.3   # pinned
          env:
            - name: HOST
              value: database
            - name: SECRET
              valueFrom: {secretKeyRef: {name: s, key: k}}
          resources:
            requests:
              cpu: 100m
              memory: 64Mi
        - name: side
          image: side@sha256:0123
"""


def run(
    name: str, *arguments: object, data: str = MANIFEST, approvers: int = 0, **request: Any
) -> Outcome:
    """Run one function with unnamed arguments, all as strings, as `cub function do` does."""
    sent = tuple(Argument(value=value) for value in arguments)
    return invocation.run(
        invocation.Unit(
            data=data.encode(),
            toolchain_type=catalogue.KUBERNETES,
            slug="web",
            approvers=approvers,
        ),
        Request(invocations=(Invocation(function=name, arguments=sent),), **request),
    )


def changed(outcome: Outcome) -> list[str]:
    """Return the lines that an outcome takes away (-) and adds (+)."""
    before, after = MANIFEST.splitlines(), outcome.data.decode().splitlines()
    assert outcome.success, outcome.messages
    assert bool(outcome.mutators) is (before != after)
    taken = [f"-{line.strip()}" for line in before if line not in after]
    return taken + [f"+{line.strip()}" for line in after if line not in before]


@pytest.mark.parametrize(
    ("call", "lines"),
    [
        (
            ("set-image", "web", "other:2"),
            ["-image: registry:5000/finos/web:v1.2.3   # pinned", "+image: other:2   # pinned"],
        ),
        (
            ("set-image", "init", "busybox:1.37"),
            ['-- {name: init, image: "busybox:1.36"}', '+- {name: init, image: "busybox:1.37"}'],
        ),
        (
            ("set-image-reference", "web", ":v2"),
            [
                "-image: registry:5000/finos/web:v1.2.3   # pinned",
                "+image: registry:5000/finos/web:v2   # pinned",
            ],
        ),
        (
            ("set-image-reference", "side", ":v2"),
            ["-image: side@sha256:0123", "+image: side:v2"],
        ),
        (
            ("set-image-uri", "web", "ghcr.io/x/web"),
            [
                "-image: registry:5000/finos/web:v1.2.3   # pinned",
                "+image: ghcr.io/x/web:v1.2.3   # pinned",
            ],
        ),
        (
            ("set-image-reference-by-uri", "registry:5000/finos/web", "@sha256:ab"),
            [
                "-image: registry:5000/finos/web:v1.2.3   # pinned",
                "+image: registry:5000/finos/web@sha256:ab   # pinned",
            ],
        ),
        (("set-image-reference-by-uri", "finos/web", ":v2"), []),
        (("set-image", "absent", "other:2"), []),
        (("set-replicas", "3"), ["-replicas: 2", "+replicas: 3"]),
        (("set-replicas", 2), []),
        (
            ("set-env", "web", "HOST=db", "PORT=5"),
            ["-value: database", "+value: db", "+- name: PORT", '+value: "5"'],
        ),
        (("set-env", "web", "HOST="), ["-- name: HOST", "-value: database"]),
        (("set-env", "web", "ABSENT="), []),
        (("set-env", "side", "A=b=c"), ["+- name: A", "+value: b=c"]),
        (("set-env-var", "web", "HOST", "db"), ["-value: database", "+value: db"]),
        (("set-env-var", "web", "ABSENT", "x"), []),
        (
            ("set-string-path", "apps/v1/Deployment", "metadata.labels.a~1b", "yes"),
            ["+labels:", '+a.b: "yes"'],
        ),
        (
            ("set-int-path", "apps/v1/Deployment", "spec.replicas", "7"),
            ["-replicas: 2", "+replicas: 7"],
        ),
        (
            ("set-bool-path", "*", "spec.template.spec.containers.?name=side.tty", "true"),
            ["+tty: true"],
        ),
        (("set-string-path", "v1/Pod", "spec.x", "y"), []),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_mutating_function_changes_only_its_lines(call: tuple[Any, ...], lines: list[str]) -> None:
    """A function changes what its name says; a unit without a match is left as it is."""
    assert changed(run(*call)) == lines


@pytest.mark.parametrize(
    ("arguments", "resources"),
    [
        (("all", "250m", "", "2"), {"cpu": "250m", "memory": "64Mi", "limits": {"cpu": "500m"}}),
        (("all", "500m", "64Mi", "2"), {"cpu": "500m", "limits": {"cpu": "1", "memory": "128Mi"}}),
        (("cap", "50m", "128Mi", "0"), {"cpu": "50m", "memory": "64Mi", "limits": None}),
        (("floor", "50m", "128Mi", "0"), {"cpu": "100m", "memory": "128Mi", "limits": None}),
        (("all", "0.1", "", "0"), {"cpu": "100m", "limits": None}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_container_resources(arguments: tuple[str, ...], resources: dict[str, Any]) -> None:
    """`all` sets, `cap` lowers, `floor` raises; limits are a multiple of requests, or none."""
    outcome = run("set-container-resources", "web", *arguments)
    path = "spec.template.spec.containers.?name=web.resources"
    seen = {
        name: _strings(outcome, f"{path}.requests.{name}") for name in resources if name != "limits"
    }
    wanted = {name: [text] for name, text in resources.items() if name != "limits"}
    assert seen == wanted
    limits = resources["limits"] or {}
    assert _strings(outcome, f"{path}.limits.*") == list(limits.values())


def _strings(outcome: Outcome, path: str) -> list[str]:
    assert outcome.success, outcome.messages
    found = run("get-string-path", "*", path, data=outcome.data.decode())
    return [item["Value"] for item in found.output]


@pytest.mark.parametrize(
    ("text", "factor", "written"),
    [
        ("500m", 2, "1"),
        ("256Mi", 4, "1Gi"),
        ("1", 1000, "1k"),
        ("1.5Gi", 1, "1536Mi"),
        ("0", 3, "0"),
    ],
)
def test_quantity_is_written_canonically(text: str, factor: int, written: str) -> None:
    """A multiplied quantity has the largest suffix that leaves a whole number."""
    assert str(Quantity.parse(text).times(factor)) == written


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            ("set-image-reference", "web", "finos/traderx-trade-service:v1.2.3"),
            r"v1.2.3 for argument image-reference failed to match ^(?P<reference>\:",
        ),
        (("set-image-reference", "web", "v2"), "failed to match"),
        (("set-image-reference", "web", ":v2\n"), "failed to match"),
        (("set-image", "web", "Not An Image"), "failed to match"),
        (("set-image", "web"), "insufficient arguments"),
        (("set-image", "web", "a:1", "b:2"), "too many arguments"),
        (("set-replicas", "many"), "cannot convert argument replicas value many to int"),
        (("set-replicas", "-1"), "out of range [0,]"),
        (("set-replicas", True), "not of type int"),
        (("set-replicas", None), "not of type int"),
        (("set-container-resources", "web", "most", "1", "", "1"), "not in enum values"),
        (("set-container-resources", "web", "all", "lots", "", "1"), "not a quantity"),
        (("set-env", "web", "novalue"), "failed to match"),
        (("set-env", "web", "SECRET=x"), "valueFrom"),
        (("set-string-path", "*", "metadata", "x"), "metadata is no string"),
        (("set-string-path", "*", "spec.*?name:x", "x"), "is not known here"),
        (("set-string-path", "*", "a..b", "x"), "segments"),
        (("where-filter", "*", "spec.replicas >"), "where:"),
        (("where-filter", "*", "LEN(spec) > 1"), "path on the left"),
        (("yq", ".a = 1"), "beyond what is evaluated here"),
        (("yq", ".a | range(9)"), "beyond what is evaluated here"),
        (("yq", "." + "a" * 2000), "beyond what is evaluated here"),
        (("yq", ".kind.x"), "evaluation failed: Cannot index string"),
        (("cel-validate", "r.spec"), "does not evaluate to a boolean"),
        (("cel-validate", "r.kind =="), "failed to compile expression r.kind =="),
        (("cel-validate", "other.kind == 'A'"), "undeclared reference to 'other'"),
        (("cel-validate", "true || " * 300 + "true"), "at most 2048"),
        (
            ("cel-validate", "[1,2,3,4].all(a, " * 10 + "true" + ")" * 10),
            "takes more than 100000 steps",
        ),
        (("bogus",), "invoke bogus: function does not exist"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_call_that_does_not_fit_is_told(call: tuple[Any, ...], told: str) -> None:
    """Arguments that do not fit are a failure in words, and nothing is changed."""
    outcome = run(*call)
    assert not outcome.success
    assert told in outcome.messages[0]
    assert outcome.data == MANIFEST.encode()
    assert outcome.mutators == []


@pytest.mark.parametrize(
    ("call", "values"),
    [
        (("get-image", "web"), ["registry:5000/finos/web:v1.2.3"]),
        (
            ("get-image", "*"),
            ["registry:5000/finos/web:v1.2.3", "side@sha256:0123", "busybox:1.36"],
        ),
        (("get-image-uri", "side"), ["side"]),
        (("get-image-reference", "side"), ["@sha256:0123"]),
        (("get-container-name",), ["web", "side", "init"]),
        (("get-replicas",), [2]),
        (("get-env-var", "web", "HOST"), ["database"]),
        (("get-int-path", "*", "spec.replicas"), [2]),
        (("get-string-path", "*", "metadata.name"), ["web", "web"]),
        (("get-bool-path", "*", "metadata.name"), []),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_getter_returns_values(call: tuple[Any, ...], values: list[Any]) -> None:
    """A getter returns the values with the resource and path of each, and changes nothing."""
    outcome = run(*call)
    assert [item["Value"] for item in outcome.output] == values
    assert outcome.output_type == "AttributeValueList"
    assert outcome.data == MANIFEST.encode()


@pytest.mark.parametrize(
    ("call", "passed"),
    [
        (("no-placeholders",), True),
        (("is-approved", "1"), False),
        (("is-approved",), False),
        (("is-approved", "0"), True),
        (("cel-validate", "r.kind != 'Deployment' || r.spec.replicas > 1"), True),
        (("cel-validate", "r.kind != 'Deployment' || r.spec.replicas > 2"), False),
        (("cel-validate", "r.spec.replicas > 1"), False),
        (("cel-validate", "has(r.metadata.namespace) && r.metadata.name == 'web'"), True),
        (("where-filter", "apps/v1/Deployment", "spec.replicas > 1"), True),
        (("where-filter", "v1/Service", "spec.replicas > 1"), False),
        (("where-filter", "*", "spec.replicas = 2 AND metadata.name = 'other'"), False),
        (("where-filter", "*", "spec.template.spec.containers.0.name = 'web'"), True),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_validation_says_passed(call: tuple[Any, ...], passed: bool) -> None:  # noqa: FBT001
    """A validation that does not pass is a result and a message, and no failure."""
    outcome = run(*call)
    assert outcome.success
    assert [item["Passed"] for item in outcome.output] == [passed]
    assert [message.split(":")[0] for message in outcome.messages] == (
        [] if passed else ["function failed"]
    )


@pytest.mark.parametrize(
    ("old", "new"), [("database", "http://replaceme/x"), ("replicas: 2", "replicas: 999999999")]
)
def test_placeholders_are_found(old: str, new: str) -> None:
    """A text that contains replaceme, or the number 999999999, is a placeholder."""
    outcome = run("no-placeholders", data=MANIFEST.replace(old, new))
    assert outcome.output[0]["Passed"] is False
    assert len(outcome.output[0]["Details"]) == 1


def test_expression_that_does_not_hold_names_the_resource() -> None:
    """What fails a CEL expression is told by resource, also where it cannot be evaluated."""
    (told,) = run("cel-validate", "r.spec.replicas > 1").output
    (detail,) = told["Details"]
    assert "could not be evaluated on resource demo/web: no such member" in detail
    (told,) = run("cel-validate", "r.kind == 'Service'").output
    assert told["Details"] == ["resource demo/web failed validation expression r.kind == 'Service'"]


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        (".kind", "Service\n---\nDeployment\n"),
        (".spec.replicas", "null\n---\n2\n"),
        ('select(.kind == "Deployment") | .spec.replicas', "2\n"),
        ('select(.kind != "Service").spec', None),
        (
            ".spec.template.spec.containers[0].image",
            "null\n---\nregistry:5000/finos/web:v1.2.3\n",
        ),
        (".spec.template.spec.containers[].name", "web\nside\n"),
        (".metadata", "name: web\nnamespace: demo\n---\nname: web\nnamespace: demo\n"),
        ('.metadata["name"]', "web\n---\nweb\n"),
        ('."[]"', "null\n---\nnull\n"),
        (".spec.template.spec.containers | length", "0\n---\n2\n"),
        (
            '.spec.template.spec.containers[] | select(.name == "web").resources.requests',
            None,
        ),
        (
            '.spec.template.spec.containers[] | select(.name == "web") | .env[0]',
            "name: HOST\nvalue: database\n",
        ),
    ],
)
def test_yq_paths(expression: str, told: str | None) -> None:
    """Paths, select, length and pipes of them give YAML, document by document; all else is told."""
    outcome = run("yq", expression)
    assert outcome.success is (told is not None)
    assert (outcome.output or {}).get("Payload") == told
    assert outcome.output_type == ("YAML" if told is not None else "")


def test_approval_is_of_the_data_as_it_is() -> None:
    """What an earlier function of the same call changed is not approved."""
    approved = Invocation(function="is-approved", arguments=(Argument(value="1"),))
    scaled = Invocation(function="set-replicas", arguments=(Argument(value=5),))
    unit = invocation.Unit(
        data=MANIFEST.encode(), toolchain_type=catalogue.KUBERNETES, slug="web", approvers=1
    )
    for row, passed in (((approved,), True), ((scaled, approved), False)):
        outcome = invocation.run(unit, Request(invocations=row))
        assert outcome.output[0]["Passed"] is passed


def test_named_arguments_come_in_any_order() -> None:
    """Arguments with names need no order; unknown and doubled names are told."""
    image = Argument(name="container-image", value="other:2")
    container = Argument(name="container-name", value="web")
    function = catalogue.find(catalogue.KUBERNETES, "set-image")
    assert function is not None
    assert function.bind([image, container]) == ["web", "other:2"]


def test_row_of_functions_goes_on_after_a_failure() -> None:
    """Functions after a failed one run, unless the first failure is to end the row."""
    row = (
        Invocation(function="bogus"),
        Invocation(function="set-replicas", arguments=(Argument(value="5"),)),
    )
    unit = invocation.Unit(data=MANIFEST.encode(), toolchain_type=catalogue.KUBERNETES, slug="web")
    assert invocation.run(unit, Request(invocations=row)).mutators == [1]
    stopped = invocation.run(unit, Request(invocations=row, stop_on_error=True))
    assert (stopped.success, stopped.mutators) == (False, [])


def test_failed_function_leaves_nothing_behind() -> None:
    """What a function changed before it failed is not in the data that later ones change."""
    pairs = tuple(Argument(value=text) for text in ("web", "HOST=db", "SECRET=x"))
    row = (
        Invocation(function="set-env", arguments=pairs),
        Invocation(function="set-replicas", arguments=(Argument(value="5"),)),
    )
    unit = invocation.Unit(data=MANIFEST.encode(), toolchain_type=catalogue.KUBERNETES, slug="web")
    expected = MANIFEST.replace("replicas: 2", "replicas: 5").encode()
    assert invocation.run(unit, Request(invocations=row)).data == expected


def test_mutations_name_resource_path_and_value() -> None:
    """What changed is told per resource, in the order of the data."""
    service, deployment = run("set-replicas", "5").mutations
    assert service["PathMutationMap"] == {}
    assert service["ResourceMutationInfo"]["MutationType"] == "None"
    assert deployment["Resource"]["ResourceName"] == "demo/web"
    assert deployment["PathMutationMap"] == {
        "spec.replicas": {"MutationType": "Update", "Index": 0, "Predicate": True, "Value": "5"}
    }


def test_filters_end_the_row_in_silence() -> None:
    """A validation that counts as a filter ends the row when it does not pass, without a word."""
    row = (
        Invocation(
            function="where-filter",
            arguments=(Argument(value="*"), Argument(value="spec.replicas = 9")),
        ),
        Invocation(function="set-replicas", arguments=(Argument(value="5"),)),
    )
    unit = invocation.Unit(data=MANIFEST.encode(), toolchain_type=catalogue.KUBERNETES, slug="web")
    outcome = invocation.run(unit, Request(invocations=row, filters=1))
    assert (outcome.success, outcome.messages, outcome.mutators) == (True, [], [])
    assert invocation.run(unit, Request(invocations=row)).mutators == [1]


@pytest.mark.parametrize("data", ["a: &x 1\nb: *x\n", "a: [1", "\ufeffa: 1\n"])
def test_data_that_functions_cannot_read_is_told(data: str) -> None:
    """Data with aliases, a byte order mark, or that is no YAML, is a failure in words."""
    outcome = run("no-placeholders", data=data)
    assert not outcome.success
    assert outcome.data == data.encode()


def test_every_signature_is_json_with_what_cub_needs() -> None:
    """Each signature has a name, parameters with types, and says whether it changes data."""
    for name, function in catalogue.BY_TOOLCHAIN[catalogue.KUBERNETES].items():
        shown = json.loads(json.dumps(function.to_json()))
        assert shown["FunctionName"] == name
        assert {"Mutating", "Validating", "Parameters", "RequiredParameters"} <= set(shown)
        for parameter in shown["Parameters"]:
            assert parameter["DataType"] in {"string", "int", "bool", "enum", "CEL"}


def test_repository_with_a_port_is_no_tag() -> None:
    """The colon of a registry's port is not taken for that of a tag."""
    assert images.split("registry:5000/web") == ("registry:5000/web", "")
