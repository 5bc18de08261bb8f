from typing import Any

import pytest

from traderx_embedded.kubernetes.node import ingress
from traderx_embedded.kubernetes.node.ingress import Ingress, PathError, Route, Table

ANNOTATION = "nginx.ingress.kubernetes.io/"


def parsed(
    paths: dict[str, str], *, host: str = "a.test", created: str = "1", **annotations: str
) -> Ingress:
    """An Ingress whose paths lead to services named by the values, `service/kind`."""
    metadata: dict[str, Any] = {"namespace": "ns", "name": "web", "creationTimestamp": created}
    metadata["annotations"] = {
        ANNOTATION + name.replace("_", "-"): value for name, value in annotations.items()
    }
    rules = [
        {
            "path": path,
            "pathType": told.partition("/")[2] or "Prefix",
            "backend": {"service": {"name": told.partition("/")[0], "port": {"number": 80}}},
        }
        for path, told in paths.items()
    ]
    spec = {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": rules}}]}
    return ingress.parse({"metadata": metadata, "spec": spec})


def service(table: Table, path: str, host: str = "a.test") -> str:
    route = table.find(host, path)
    return route.service if route else ""


PATHS = {
    "/": "root",
    "/api": "api",
    "/api/v2": "new",
    "/one": "one/Exact",
    "/raw": "raw/ImplementationSpecific",
}
PLAIN = Table([parsed(PATHS)])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "root"),
        ("/other", "root"),
        ("/api", "api"),
        ("/api/", "api"),
        ("/api/v2/x", "new"),
        ("/apis", "root"),
        ("/API", "root"),
        ("/one", "one"),
        ("/one/", "root"),
        ("/rawest", "raw"),
        ("//api//x", "api"),
        ("/x/../api", "api"),
        ("/%61pi", "api"),
    ],
)
def test_longest_path_wins(path: str, expected: str) -> None:
    """The longest path wins; Prefix ends at a slash, Exact is the whole path."""
    assert service(PLAIN, path) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.test", "named"),
        ("A.TEST", "named"),
        ("b.wild.test", "wild"),
        ("c.b.wild.test", "any"),
        ("other", "any"),
    ],
)
def test_host(host: str, expected: str) -> None:
    """A named host comes before a wildcard of one label, and that before all others."""
    table = Table(
        [
            parsed({"/": "any"}, host=""),
            parsed({"/": "named"}),
            parsed({"/": "wild"}, host="*.wild.test"),
        ]
    )
    assert service(table, "/", host) == expected


def test_named_host_has_its_own_paths_only() -> None:
    """A path that a named host has not leads nowhere, also if a rule for every host has it."""
    table = Table([parsed({"/x": "named"}), parsed({"/": "any"}, host="")])
    assert service(table, "/y") == ""


def test_older_object_has_the_path() -> None:
    """Of two objects with the same path the older one's counts."""
    table = Table([parsed({"/": "young"}, created="2"), parsed({"/": "old"}, created="1")])
    assert service(table, "/") == "old"


SERVICES = [
    parsed({"/": "gui", "/socket.io": "feed"}),
    parsed({"/account(/|$)(.*)": "account/ImplementationSpecific"}, rewrite_target="/$2"),
]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/trade", "gui"),
        ("/socket.io/", "feed"),
        ("/account", "account"),
        ("/Account/1", "account"),
        ("/accounts", "gui"),
    ],
)
def test_one_rewrite_makes_all_paths_expressions(path: str, expected: str) -> None:
    """A rewrite makes every path of its host an expression without case, the longest first."""
    assert service(Table(SERVICES), path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/account", "/"),
        ("/account/", "/"),
        ("/account/account/1", "/account/1"),
        ("/account/a%20b", "/a%20b"),
        ("/ACCOUNT/x%3Fy", "/x%3Fy"),
    ],
)
def test_rewrite(path: str, expected: str) -> None:
    """The rewrite's groups are those of the path's expression, decoded and encoded again."""
    route = Table(SERVICES).find("a.test", path)
    assert route is not None
    assert route.target(path) == expected


def test_without_rewrite_the_path_is_untouched() -> None:
    """A path that is not rewritten is passed on as it was sent."""
    route = PLAIN.find("a.test", "/api//a%2Fb")
    assert route is not None
    assert route.target("/api//a%2Fb") == "/api//a%2Fb"


def test_malformed_expression_is_named() -> None:
    """A path that is to be an expression and is none is an error that quotes it."""
    table = Table([parsed({"/a(": "x"}, use_regex="true")])
    with pytest.raises(PathError, match=r"'\^/a\(' is no regular expression"):
        table.find("a.test", "/a")


def test_annotations_without_effect_are_known() -> None:
    """Annotations for nginx that have no effect here are told apart from those that have."""
    found = parsed({"/": "x"}, use_regex="true", ssl_redirect="true")
    assert found.unknown == (f"{ANNOTATION}ssl-redirect",)


def test_default_backend_serves_every_host() -> None:
    """A default backend gets what no rule names."""
    backend = {"service": {"name": "fallback", "port": {"name": "http"}}}
    metadata = {"namespace": "ns", "name": "web", "creationTimestamp": "1"}
    found = ingress.parse({"metadata": metadata, "spec": {"defaultBackend": backend}})
    route = Table([found]).find("any", "/x")
    assert isinstance(route, Route)
    assert (route.service, route.port) == ("fallback", "http")
