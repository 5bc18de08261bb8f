"""Stand-in of people-service: ten people, three questions, no database and no health route."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from traderx_embedded.traderx import aspnet, http_server, program
from traderx_embedded.traderx.aspnet import Query
from traderx_embedded.traderx.http_server import Response
from traderx_embedded.traderx.switches import COMMON, EMPTY_DATA, Switch, Switches, defective

PUBLISHED_PORT = 18089
SHORTEST_SEARCH = 3
INT_RANGE = range(-(2**31), 2**31)
EVERYBODY_KNOWN = Switch(name="everybody-known", meaning="any person is taken for the first one")
SWITCHES = (*COMMON, EVERYBODY_KNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of the directory."""

    logon_id: str
    full_name: str
    email: str
    employee_id: str
    department: str
    photo_url: str

    @classmethod
    def numbered(cls, number: int, full_name: str, department: str) -> "Person":
        """Return a person whose other fields follow from number and name, as they all do."""
        logon_id = f"user{number:02}"
        return cls(
            logon_id=logon_id,
            full_name=full_name,
            email=f"{full_name.lower().replace(' ', '.')}@example.com",
            employee_id=f"E{number:04}",
            department=department,
            photo_url=f"https://example.com/photos/{logon_id}.jpg",
        )

    def as_json(self) -> dict[str, str]:
        """Return what goes over the wire."""
        return {
            "logonId": self.logon_id,
            "fullName": self.full_name,
            "email": self.email,
            "employeeId": self.employee_id,
            "department": self.department,
            "photoUrl": self.photo_url,
        }


PEOPLE = tuple(
    Person.numbered(number, name, department)
    for number, (name, department) in enumerate(
        (
            ("Alice Johnson", "HR"),
            ("Bob Smith", "Finance"),
            ("Carol Brown", "IT"),
            ("David Lee", "Sales"),
            ("Eva Garcia", "Marketing"),
            ("Frank Wilson", "HR"),
            ("Grace Harris", "Finance"),
            ("Henry Martinez", "IT"),
            ("Ivy Clark", "Sales"),
            ("Jack Lewis", "Marketing"),
        ),
        start=1,
    )
)


class PeopleController:
    """The routes below `/People/`."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def get_person(self, query: Query) -> Response:
        """One person, by logon or employee id; the logon id goes first if both are given."""
        return self._find(query, lambda person: aspnet.answer(person.as_json()))

    def validate_person(self, query: Query) -> Response:
        """Whether there is such a person: by the status alone."""
        return self._find(query, lambda _: aspnet.nothing())

    def get_matching_people(self, query: Query) -> Response:
        """The people whose name or logon id contains a text, with regard to case."""
        errors: dict[str, list[str]] = {}
        text, take = query.get("searchtext"), _number(query, errors)
        if text is None or not text.strip():
            errors[""] = ["SearchText must be provided"]
        elif len(text) < SHORTEST_SEARCH:
            errors[""] = [f"SearchText must be at least {SHORTEST_SEARCH} characters long"]
        if errors or text is None:
            return aspnet.invalid(errors)
        found = [p for p in self._people() if text in p.full_name or text in p.logon_id]
        shown = found[: max(take, 0)]
        if not shown:
            return aspnet.not_found()
        return aspnet.answer({"people": [person.as_json() for person in shown]})

    def _find(self, query: Query, found: Callable[[Person], Response]) -> Response:
        logon_id, employee_id = query.get("logonid"), query.get("employeeid")
        if not (logon_id or "").strip() and not (employee_id or "").strip():
            return aspnet.invalid({"": ["Either LogonId or EmployeeId must be provided"]})
        for person in self._people():
            same = person.logon_id == logon_id if logon_id else person.employee_id == employee_id
            if same or self._switches.is_on(EVERYBODY_KNOWN):
                return found(person)
        return aspnet.not_found()

    def _people(self) -> tuple[Person, ...]:
        return () if self._switches.is_on(EMPTY_DATA) else PEOPLE


def _number(query: Query, errors: dict[str, list[str]]) -> int:
    """Return `Take`; what is no number is noted among the errors."""
    if "take" not in query:
        return 10
    value = query["take"]
    if value is None:
        errors["Take"] = ["The value '' is invalid."]
    elif not re.fullmatch(r"\s*[+-]?\d+\s*", value) or int(value) not in INT_RANGE:
        errors["Take"] = [f"The value '{value}' is not valid for Take."]
    else:
        return int(value)
    return 0


async def _start(switches: Switches) -> tuple[program.Port, ...]:
    port = program.port_variable("ASPNETCORE_HTTP_PORTS", PUBLISHED_PORT)
    people = PeopleController(switches)
    application = aspnet.Application(
        {
            "/People/GetPerson": people.get_person,
            "/People/GetMatchingPeople": people.get_matching_people,
            "/People/ValidatePerson": people.validate_person,
        }
    )
    handler = defective(application.handle, switches, failure=aspnet.failure)
    server = await http_server.listen(handler, host=program.bind_address(), port=port)
    return (program.Port(name="http", server=server),)


if __name__ == "__main__":
    program.run("people-service", _start, switches=Switches(SWITCHES))
