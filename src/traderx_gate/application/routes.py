"""The documented read routes of TraderX: what each has to answer, by status, schema and content."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

import jsonschema

from traderx_gate.errors import ConfigurationError
from traderx_gate.tables import Fields, read_toml

SOURCE = "application/routes.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRoute:
    """One GET request and the answer that is documented for it.

    Attributes:
        schema: JSON Schema of the body; None where the body is not read as JSON.
        contains: What the body has to contain; empty for anything.
        empty: Whether the body has to be empty.
        unique: A key that no two members of a list may share; empty for none.
    """

    service: str
    path: str
    status: int
    headers: Mapping[str, str]
    schema: Mapping[str, Any] | None
    contains: str
    empty: bool
    unique: str

    @classmethod
    def from_table(cls, table: object, *, where: str) -> Self:
        """Read `[[route]]`.

        Raises:
            ConfigurationError: Malformed; names the key.
        """
        take = Fields(table, where=where)
        route = cls(
            service=take.text("service"),
            path=take.text("path"),
            status=take.number("status", at_least=100),
            headers=take.optional("headers", dict, {}),
            schema=take.optional("schema", dict, None),
            contains=take.optional("contains", str, ""),
            empty=take.optional("empty", bool, False),  # noqa: FBT003
            unique=take.optional("unique", str, ""),
        )
        take.nothing_else()
        if route.schema is not None:
            try:
                jsonschema.Draft202012Validator.check_schema(route.schema)
            except jsonschema.SchemaError as error:
                raise ConfigurationError(f"{where}: schema: {error.message}") from error
        return route


def parse_routes(text: str, *, source: str) -> tuple[ReadRoute, ...]:
    """Read all routes.

    Raises:
        ConfigurationError: Malformed; names `source` and the line or key.
    """
    take = Fields(read_toml(text, source=source), where=source)
    routes = tuple(
        ReadRoute.from_table(table, where=f"{source}: route {number}")
        for number, table in enumerate(take.tables("route"), start=1)
    )
    take.nothing_else()
    return routes


@cache
def read_routes(service: str) -> tuple[ReadRoute, ...]:
    """Return the routes of a service."""
    text = files(__package__).joinpath("routes.toml").read_text(encoding="utf-8")
    return tuple(route for route in parse_routes(text, source=SOURCE) if route.service == service)
