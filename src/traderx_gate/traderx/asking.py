"""How a service is asked: a request and what came back, whichever way it went."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import requests

CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 1.5
"""Who waits longer than these takes a service for dead, as probes and people do."""
EXCERPT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        status: None where nothing answered.
        body: The body as text; why nothing answered where nothing did.
    """

    status: int | None
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def seen(self) -> str:
        """Status and the beginning of the body, in one line."""
        text = " ".join(self.body[: EXCERPT if self.status else 300].split())
        return f"{self.status} {text}" if self.status else f"no answer: {text}"


class Ask(Protocol):
    """A way to a service. Never raises about what came."""

    def __call__(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request and return what came back."""
        ...


@dataclass(frozen=True, slots=True)
class Direct:
    """The way over the network, to `http://host:port`.

    Attributes:
        answer_timeout_s: From the connection to the answer.
    """

    base_url: str
    answer_timeout_s: float = ANSWER_TIMEOUT_S

    def __call__(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request and return what came back."""
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy between us and what we judge
                response = session.request(
                    method,
                    self.base_url + path,
                    headers=headers,
                    timeout=(CONNECT_TIMEOUT_S, self.answer_timeout_s),
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            cause = getattr(error.args[0], "reason", error) if error.args else error
            return Reply(status=None, body=str(cause))
        return Reply(
            status=response.status_code, body=response.text, headers=dict(response.headers)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Through:
    """The way through an ingress: another address, the host named, a prefix before each path."""

    direct: Direct
    host: str
    prefix: str

    def __call__(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request and return what came back."""
        named = {"Host": self.host} if self.host else {}
        return self.direct(method, self.prefix + path, headers={**(headers or {}), **named})


@dataclass(frozen=True, slots=True)
class Nowhere:
    """No way at all; every request ends before it began."""

    why: str

    def __call__(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Return why nothing can be asked."""
        del method, path, headers
        return Reply(status=None, body=self.why)
