import json
from typing import Any

import pytest

from traderx_gate.application.routes import ReadRoute
from traderx_gate.inspection import routes
from traderx_gate.traderx import Reply

ITEM = {"type": "object", "required": ["id"]}
SCHEMA = {
    "type": "array",
    "minItems": 2,
    "maxItems": 3,
    "items": ITEM,
    "contains": {"properties": {"id": {"const": 1}}, "required": ["id"]},
}


def route(**fields: Any) -> ReadRoute:
    """A route that answers 200 with anything, unless it says otherwise."""
    given = {"schema": None, "contains": "", "empty": False, "unique": "", "status": 200, **fields}
    return ReadRoute(service="web", path="/x", headers={}, **given)


def ids(*numbers: int) -> str:
    """A list of members with these ids."""
    return json.dumps([{"id": number} for number in numbers])


LIST = route(schema=SCHEMA, unique="id")


@pytest.mark.parametrize(
    ("documented", "status", "body", "wrong"),
    [
        (route(), 200, "anything", ""),
        (route(), 404, "anything", "404 anything"),
        (route(status=404), 404, "anything", ""),
        (route(status=404), 200, "anything", "200 anything"),
        (route(), None, "refused", "no answer: refused"),
        (route(contains="thing"), 200, "anything", ""),
        (route(contains="none"), 200, "anything", "200 anything: does not contain 'none'"),
        (route(empty=True), 200, "", ""),
        (route(empty=True), 200, "<html>", "200 <html>: is not empty"),
        (LIST, 200, ids(1, 2), ""),
        (LIST, 200, "<html>", "200 <html>: is not JSON"),
        (LIST, 200, '"x"', "200, body: 'x' is not of type 'array'"),
        (LIST, 200, '[{"id":1},{}]', "200, 1: 'id' is a required property"),
        (LIST, 200, ids(2, 3), '200, body: none of its 2 members is {"id": 1}'),
        (LIST, 200, ids(1), "200, body: has 1 members, minItems is 2"),
        (LIST, 200, ids(1, 2, 3, 4), "200, body: has 4 members, maxItems is 3"),
        (LIST, 200, ids(1, 2, 2), "200, id 2 is there twice"),
        (route(schema=SCHEMA), 200, ids(1, 2, 2), ""),
    ],
)
def test_answer(documented: ReadRoute, status: int | None, body: str, wrong: str) -> None:
    """An answer of another status, content or schema, or with a repeated key, is told as it is."""
    found = routes.judged(documented, Reply(status=status, body=body), where="x")
    expected = f"{documented.status}, as documented"
    assert (found.subject, found.expected, found.seen, found.met) == (
        "GET /x of web",
        expected,
        wrong or expected,
        not wrong,
    )
