"""A request as the routes see it: parsed once, free of HTTP, and the answers they give."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from traderx_embedded.confighub.attributes import parse_uuid
from traderx_embedded.confighub.errors import bad_request

if TYPE_CHECKING:
    from traderx_embedded.confighub.store import Transaction

Json = dict[str, Any] | list[Any] | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated request.

    Attributes:
        path: The identifiers in the path, by name.
        query: The query parameters.
        body: The parsed JSON body; None if there is none.
        user_agent: Kept in revisions.
        client: The address of the peer.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    user_agent: str = ""
    client: str = ""

    def identifier(self, name: str) -> str:
        """Return an identifier of the path.

        Raises:
            ApiError: It is not a UUID, or all zeros.
        """
        identifier = parse_uuid(self.path[name], where="path")
        if identifier is None:
            raise bad_request("path: the identifier is all zeros")
        return identifier

    def flag(self, name: str) -> bool:
        """Return whether a true/false parameter is true.

        Raises:
            ApiError: It is neither.
        """
        value = self.query.get(name, "false")
        if value not in {"true", "false"}:
            raise bad_request(f"{name}={value}: expected true or false")
        return value == "true"

    def require(self, *names: str) -> None:
        """Refuse a bulk call that does not say what it means.

        ConfigHub may take an absent `where` as everything; here nothing is chosen by leaving out.

        Raises:
            ApiError: One of the parameters is absent or empty.
        """
        for name in names:
            if not self.query.get(name):
                raise bad_request(f"{name} is required for this call")

    def prefixes(self) -> list[str]:
        """Return the prefixes of `name_prefixes`, an empty one if there are none."""
        return [prefix.strip() for prefix in self.query.get("name_prefixes", "").split(",")]

    def names(self, name: str) -> frozenset[str] | None:
        """Return a comma list, or None where the parameter is absent."""
        value = self.query.get(name)
        return None if value is None else frozenset(part.strip() for part in value.split(","))

    def document(self) -> dict[str, Any]:
        """Return the body, which must be an object.

        Raises:
            ApiError: It is absent or something else.
        """
        if not isinstance(self.body, dict):
            raise bad_request("the body must be a JSON object")
        return self.body

    def patch(self) -> dict[str, Any]:
        """Return the merge patch; `null`, sent where only a parameter matters, changes nothing.

        Raises:
            ApiError: It is neither an object nor null.
        """
        return {} if self.body is None else self.document()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A successful answer: JSON, or bytes as they are."""

    status: int = 200
    content: bytes = b""
    content_type: str = "application/json"

    @classmethod
    def of(cls, value: Json, *, status: int = 200) -> "Answer":
        """Return a JSON answer; called on the store's thread, so that large lists block nobody."""
        return cls(status=status, content=json.dumps(value, separators=(",", ":")).encode())

    @classmethod
    def of_items(cls, items: list[dict[str, Any]]) -> "Answer":
        """Return a bulk answer: 207 as soon as one item, or a link of one, has an error."""
        parts = [part for item in items for part in (item, *item.get("Links", ()))]
        return cls.of(items, status=207 if any(part.get("Error") for part in parts) else 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a worker is to do before a request can be answered.

    Attributes:
        id: Names it in the worker's report.
        worker_id: Whose it is.
        message: What the worker's stream carries.
    """

    id: str
    worker_id: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of an errand.

    Attributes:
        result: The worker's report; None where it sent none.
        error: Why there is none.
    """

    result: Mapping[str, Any] | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegated:
    """In place of an answer: it needs workers first, outside of any transaction.

    Attributes:
        errands: What they are to do, all at once.
        finish: Makes the answer of their replies, in the order of the errands.
    """

    errands: Sequence[Errand]
    finish: Callable[["Transaction", Sequence[Reply]], Answer]


def deleted(message: str) -> dict[str, Any]:
    """Return the answer to a deletion."""
    return {"Message": message, "Error": None}
