from collections.abc import Iterator

import pytest

from tests.contract.traderx import stack
from tests.contract.traderx.stack import Stack
from tests.contract.traderx.stand_in_process import switched
from traderx_gate import application
from traderx_gate.application.routes import ReadRoute, read_routes
from traderx_gate.inspection import routes, web_page
from traderx_gate.traderx import Direct
from traderx_gate.verdict import Observation

ROUTES = [route for slug in application.load().slugs for route in read_routes(slug)]
LISTS = [
    ("reference-data", "/stocks"),
    ("account-service", "/account/"),
    ("account-service", "/accountuser/"),
    ("position-service", "/trades/22214"),
    ("position-service", "/positions/22214"),
]


@pytest.fixture(scope="module")
def stand_ins() -> Iterator[Stack]:
    """All nine services, which nobody trades with."""
    with stack.running("people-service", *stack.ALL, "web-gui") as running:
        yield running


def direct(stand_ins: Stack, slug: str) -> Direct:
    """The way to a service."""
    port = application.load().service(slug).health.port
    return Direct(f"http://{stand_ins[slug].address}:{port}")


def judged(stand_ins: Stack, route: ReadRoute) -> Observation:
    """What a route answers, as the claim sees it."""
    reply = direct(stand_ins, route.service)("GET", route.path, headers=route.headers)
    return routes.judged(route, reply, where="x")


def named(route: ReadRoute) -> str:
    """A route as a test's name."""
    return f"{route.service}{route.path}"


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_answer_as_documented(stand_ins: Stack, route: ReadRoute) -> None:
    """Every documented read route of a service is answered as documented."""
    found = judged(stand_ins, route)
    assert found.met, found.seen


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_failure_is_reported(stand_ins: Stack, route: ReadRoute) -> None:
    """A service that answers 500 everywhere answers no route as documented."""
    with switched(stand_ins[route.service], "unavailable"):
        found = judged(stand_ins, route)
    assert (found.met, found.seen[:3]) == (False, "500")


@pytest.mark.parametrize("route", [r for r in ROUTES if r.service != "web-gui"], ids=named)
def test_another_page_is_reported(stand_ins: Stack, route: ReadRoute) -> None:
    """A service that answers everything with a page answers no route as documented."""
    with switched(stand_ins[route.service], "wrong-application"):
        found = judged(stand_ins, route)
    assert (found.met, found.seen[:3]) == (False, "200")


@pytest.mark.parametrize(("slug", "path"), LISTS)
def test_lost_data_is_reported(stand_ins: Stack, slug: str, path: str) -> None:
    """A list that has lost what the seed holds is not as documented, in spite of its 200."""
    (route,) = (route for route in read_routes(slug) if route.path == path)
    with switched(stand_ins[slug], "empty-data"):
        found = judged(stand_ins, route)
    assert (found.met, found.seen[:3]) == (False, "200")


def test_web_page_loads(stand_ins: Stack) -> None:
    """The page of the stand-in loads with all that it names."""
    found = list(web_page.loaded(direct(stand_ins, "web-gui"), where="x"))
    assert [o.seen for o in found if not o.met] == []
    assert len(found) > 2
