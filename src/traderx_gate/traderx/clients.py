"""One small client per service of TraderX, for what claims read.

A client never raises about what came: an answer that is none, or another application's, is
something seen, and the claim that reads it says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import requests

Value = TypeVar("Value")

TIMEOUT_S = (2.0, 5.0)
EXCERPT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[Value]):
    """What a read brought.

    Attributes:
        value: None if no answer came, or not the documented one.
        seen: Status and beginning of the body, or why there was no answer.
    """

    value: Value | None
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """A security that can be traded."""

    ticker: str
    company_name: str

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read reference-data's form."""
        return cls(ticker=_text(value["ticker"]), company_name=_text(value["companyName"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A trading account; its name may be missing."""

    id: int
    display_name: str | None

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read account-service's form."""
        name = value["displayName"]
        return cls(id=_number(value["id"]), display_name=None if name is None else _text(name))


class ReferenceData:
    """reference-data, at port 18085."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def health(self) -> Reading[bool]:
        """Read whether it calls itself healthy; it checks nothing for that."""
        return _read(f"{self._base_url}/health", lambda body: body.json()["status"] == "ok")

    def stock(self, ticker: str) -> Reading[Stock]:
        """Read one stock."""
        return _read(f"{self._base_url}/stocks/{ticker}", lambda body: Stock.from_json(body.json()))

    def stocks(self) -> Reading[tuple[Stock, ...]]:
        """Read all stocks."""
        return _read(f"{self._base_url}/stocks", lambda body: _each(body.json(), Stock.from_json))


class Accounts:
    """account-service, at port 18088. Its collections end with a slash."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def get(self, account_id: int) -> Reading[Account]:
        """Read one account."""
        return _read(
            f"{self._base_url}/account/{account_id}", lambda body: Account.from_json(body.json())
        )

    def list(self) -> Reading[tuple[Account, ...]]:
        """Read all accounts."""
        return _read(
            f"{self._base_url}/account/", lambda body: _each(body.json(), Account.from_json)
        )


class Database:
    """The database's web console, at port 18084."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def console(self) -> Reading[bool]:
        """Read whether the console is H2's; it answers to few names, of which one is sent."""
        return _read(
            f"{self._base_url}/",
            lambda body: "<title>H2 Console</title>" in body.text,
            headers={"Host": "localhost"},
        )


def _read(
    url: str,
    parse: Callable[[requests.Response], Value],
    *,
    headers: Mapping[str, str] | None = None,
) -> Reading[Value]:
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy between us and what we judge
            response = session.get(url, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        return Reading(value=None, seen=f"no answer: {error}"[:300])
    # Error bodies are bare text, whatever type their label says: nothing of them is parsed.
    seen = f"{response.status_code} {' '.join(response.text[:EXCERPT].split())}"
    if response.status_code != 200:
        return Reading(value=None, seen=seen)
    try:
        return Reading(value=parse(response), seen=seen)
    except (ValueError, KeyError, TypeError):
        return Reading(value=None, seen=seen)


def _each(values: Any, parse: Callable[[Any], Value]) -> tuple[Value, ...]:
    if not isinstance(values, list):
        raise TypeError("not a list")
    return tuple(parse(value) for value in values)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    return value
