import http.client
import json
import re
from collections.abc import Iterator

import pytest

from tests.contract.traderx import stand_in_process
from tests.contract.traderx.stand_in_process import ADMIN, StandIn, ask, switched

PORT = 18089
PERSON, MATCHING = "/People/GetPerson?", "/People/GetMatchingPeople?"
VALIDATE = "/People/ValidatePerson?"
ALICE = {
    "logonId": "user01",
    "fullName": "Alice Johnson",
    "email": "alice.johnson@example.com",
    "employeeId": "E0001",
    "department": "HR",
    "photoUrl": "https://example.com/photos/user01.jpg",
}
NEITHER = {"": ["Either LogonId or EmployeeId must be provided"]}
NO_TEXT = {"": ["SearchText must be provided"]}
SHORT = {"": ["SearchText must be at least 3 characters long"]}


@pytest.fixture(scope="module")
def people() -> Iterator[StandIn]:
    """A running people-service."""
    address = stand_in_process.own_address()
    with stand_in_process.running("people-service", address, **ADMIN) as stand_in:
        yield stand_in


def get(stand_in: StandIn, path: str) -> tuple[int, str]:
    """Send a GET request."""
    return ask(stand_in.address, PORT, "GET", path)


@pytest.mark.parametrize(
    "query",
    [
        "LogonId=user01",
        "logonid=user01",
        "EmployeeId=E0001",
        "LogonId=user01&EmployeeId=E0009",
        "LogonId=&EmployeeId=E0001",
        "LogonId=user01&LogonId=user02",
        "LogonId=user01&x=1",
    ],
)
def test_person(people: StandIn, query: str) -> None:
    """A person is found by either id, of which the logon id goes first."""
    status, body = get(people, PERSON + query)
    assert (status, json.loads(body)) == (200, ALICE)


@pytest.mark.parametrize("query", ["LogonId=user01", "EmployeeId=E0010"])
def test_valid_person(people: StandIn, query: str) -> None:
    """A person that exists is valid, which is said by the status alone."""
    assert get(people, VALIDATE + query) == (200, "")


@pytest.mark.parametrize("route", [PERSON, VALIDATE])
@pytest.mark.parametrize(
    "query", ["LogonId=nobody", "LogonId=USER01", "EmployeeId=e0001", "LogonId=x&EmployeeId=E0001"]
)
def test_nobody(people: StandIn, route: str, query: str) -> None:
    """Who is not in the directory, in exactly this spelling, is not found."""
    status, body = get(people, route + query)
    problem = json.loads(body)
    trace = problem.pop("traceId")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace)
    rfc = "https://tools.ietf.org/html/rfc9110#section-15.5.5"
    assert (status, problem) == (404, {"type": rfc, "title": "Not Found", "status": 404})


@pytest.mark.parametrize(
    ("query", "count", "first"),
    [
        ("SearchText=user", 10, "user01"),
        ("SearchText=user&Take=3", 3, "user01"),
        ("SearchText=user1", 1, "user10"),
        ("SearchText=Garcia", 1, "user05"),
        ("searchtext=Jack+L", 1, "user10"),
    ],
)
def test_matching_people(people: StandIn, query: str, count: int, first: str) -> None:
    """People are found by a part of name or logon id, ten at most unless another number is said."""
    status, body = get(people, MATCHING + query)
    found = json.loads(body)["people"]
    assert (status, len(found), found[0]["logonId"]) == (200, count, first)


@pytest.mark.parametrize(
    "query", ["SearchText=garcia", "SearchText=nobody", "SearchText=user&Take=0", "SearchText=E00"]
)
def test_nobody_matches(people: StandIn, query: str) -> None:
    """Without a match there is no list, but a 404."""
    assert get(people, MATCHING + query)[0] == 404


@pytest.mark.parametrize(
    ("target", "errors"),
    [
        (PERSON, NEITHER),
        (PERSON + "LogonId=%20&EmployeeId=", NEITHER),
        (VALIDATE, NEITHER),
        (MATCHING, NO_TEXT),
        (MATCHING + "SearchText=%20%20%20", NO_TEXT),
        (MATCHING + "SearchText=us", SHORT),
        (MATCHING + "SearchText=user&Take=x", {"Take": ["The value 'x' is not valid for Take."]}),
        (MATCHING + "SearchText=user&Take=", {"Take": ["The value '' is invalid."]}),
    ],
)
def test_invalid(people: StandIn, target: str, errors: dict[str, list[str]]) -> None:
    """An invalid request is refused with a problem that names its errors."""
    status, body = get(people, target)
    problem = json.loads(body)
    assert (status, problem["status"], problem["errors"]) == (400, 400, errors)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/people/getperson/?LogonId=user01", 200),
        ("GET", "/People/GetPerson/x?LogonId=user01", 404),
        ("GET", "/", 404),
        ("GET", "/health", 404),
        ("GET", "/People", 404),
        ("POST", "/People/GetPerson?LogonId=user01", 405),
        ("HEAD", "/People/GetPerson?LogonId=user01", 405),
    ],
)
def test_routes(people: StandIn, method: str, path: str, status: int) -> None:
    """There are three routes, for GET, without regard to case; none is about health (D2)."""
    assert ask(people.address, PORT, method, path)[0] == status


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        (PERSON + "LogonId=user01", "application/json; charset=utf-8"),
        (PERSON, "application/problem+json; charset=utf-8"),
        (PERSON + "LogonId=x", "application/problem+json; charset=utf-8"),
        ("/nosuch", None),
    ],
)
def test_headers(people: StandIn, path: str, content_type: str | None) -> None:
    """A body has its type, and a page of any origin may read it."""
    connection = http.client.HTTPConnection(people.address, PORT, timeout=9)
    connection.request("GET", path, headers={"Origin": "http://example.com"})
    headers = connection.getresponse().headers
    connection.close()
    found = [headers[n] for n in ("Content-Type", "Server", "Access-Control-Allow-Origin")]
    assert found == [content_type, "Kestrel", "*"]


def test_preflight(people: StandIn) -> None:
    """A preflight is allowed what it asks for."""
    connection = http.client.HTTPConnection(people.address, PORT, timeout=9)
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-a"}
    connection.request("OPTIONS", "/People/GetPerson", headers={"Origin": "http://a", **asked})
    response = connection.getresponse()
    connection.close()
    found = {
        name: response.headers[f"Access-Control-Allow-{name}"] for name in ("Methods", "Headers")
    }
    assert (response.status, found) == (204, {"Methods": "GET", "Headers": "x-a"})


def test_empty_data(people: StandIn) -> None:
    """With an empty directory nobody is found."""
    with switched(people, "empty-data"):
        seen = [get(people, p)[0] for p in (PERSON + "LogonId=user01", MATCHING + "SearchText=use")]
    assert seen == [404, 404]


def test_everybody_known(people: StandIn) -> None:
    """With the switch, somebody whom nobody knows is valid, and is the first one."""
    with switched(people, "everybody-known"):
        valid, person = get(people, VALIDATE + "LogonId=x"), get(people, PERSON + "LogonId=x")
    assert (valid, json.loads(person[1])) == ((200, ""), ALICE)


def test_unavailable(people: StandIn) -> None:
    """An unavailable service answers 500 to every request."""
    with switched(people, "unavailable"):
        assert get(people, PERSON + "LogonId=user01") == (500, "")


def test_port_variable() -> None:
    """The port is that of `ASPNETCORE_HTTP_PORTS`."""
    address = stand_in_process.own_address()
    with stand_in_process.running("people-service", address, ASPNETCORE_HTTP_PORTS="18199"):
        assert ask(address, 18199, "GET", VALIDATE + "LogonId=user02") == (200, "")
