"""Recorded requests of the real services, sent again, and the differences of the answers.

The client is `http.client` with every header set by hand: what is sent is what was recorded.
"""

import hashlib
import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PORTS = {
    "reference-data": 18085,
    "account-service": 18088,
    "position-service": 18090,
    "database": 18084,
    "trade-feed": 18086,
    "trade-processor": 18091,
    "trade-service": 18092,
}
CLIENT_TIMEOUT_S = 20.0
NOT_RECORDED = {"date", "content-type"}
"""`Date` changes with every answer; the type has a field of its own in a record."""
ELAPSED = "after 30002ms"
"""The time that passed is in an answer, which is shorter or longer by it."""
PLACEHOLDERS = {
    "<date-iso>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00",
    "<date-text>": r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}",
    "<date-http>": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
    "<session-id>": r"\w+",
    "<lost-id>": r"\d+",
    "<etag>": r"(W/)?\"[^\"]+\"",
    "<sid>": r"[\w-]{20}",
    "<uuid>": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    ELAPSED: r"after \d+ms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One request and what the real service answered."""

    id: str
    service: str
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    preconditions: str
    compare: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read a record."""
        return cls(**{name: value[name] for name in cls.__slots__})

    @property
    def is_ordered(self) -> bool:
        """Whether it needs the records before it."""
        return "in file order" in self.compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came; `status` is None when nothing came in time."""

    status: int | None
    headers: Mapping[str, str]
    body: bytes


def records(service: str) -> list[Record]:
    """Return the records of a service, in the order of the file."""
    text = Path(__file__).with_name("traderx-recordings.json").read_text("utf-8")
    return [Record.from_json(r) for r in json.loads(text) if r["service"] == service]


def send(record: Record, address: str, *, timeout_s: float = CLIENT_TIMEOUT_S) -> Answer:
    """Send a record's request."""
    request = record.request
    port = PORTS[record.service]
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    try:
        connection.putrequest(
            request["method"], request["path"], skip_host=True, skip_accept_encoding=True
        )
        headers = {"Host": f"127.0.0.1:{port}", **request["headers"]}
        body = None if request["body"] is None else request["body"].encode()
        if body is not None:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read(),
        )
    except TimeoutError:
        return Answer(status=None, headers={}, body=b"")
    finally:
        connection.close()


def difference(record: Record, answer: Answer) -> list[str]:
    """Return in words how an answer differs from the recorded one, in what is to be compared."""
    expected = record.response
    if answer.status != expected["status"]:
        return [f"{record.id}: status {answer.status}, recorded {expected['status']}"]
    if record.compare.startswith("status and first line"):
        found = _first_line(answer, expected)
    elif record.compare.startswith("status, content type and shape"):
        found = [*_content_type(answer, expected), *_shape(answer, expected)]
    else:
        found = [
            *_content_type(answer, expected),
            *_headers(answer, expected),
            *_body(answer, expected),
        ]
    return [f"{record.id}: {text}" for text in found]


def _content_type(answer: Answer, expected: Mapping[str, Any]) -> list[str]:
    seen = answer.headers.get("content-type")
    wanted = expected["content_type"]
    return [] if seen == wanted else [f"content type {seen}, recorded {wanted}"]


def _headers(answer: Answer, expected: Mapping[str, Any]) -> list[str]:
    wanted = {name.lower(): value for name, value in expected["headers"].items()}
    seen = {name: value for name, value in answer.headers.items() if name not in NOT_RECORDED}
    if ELAPSED in (expected.get("body") or ""):
        wanted["content-length"] = str(len(answer.body))
    found = [
        f"header {name}: {seen.get(name)!r}, recorded {value!r}"
        for name, value in wanted.items()
        if not _is_header(name, seen.get(name), value)
    ]
    return found + [f"header {name} was not recorded" for name in seen.keys() - wanted.keys()]


def _is_header(name: str, seen: str | None, recorded: str) -> bool:
    if name == "allow":  # its order changes from process to process
        return seen is not None and _as_set(seen) == _as_set(recorded)
    return seen is not None and _matches(seen, recorded)


def _as_set(value: str) -> set[str]:
    return {item.strip() for item in value.split(",")}


def _body(answer: Answer, expected: Mapping[str, Any]) -> list[str]:
    if "body_sha256" in expected:
        seen = hashlib.sha256(answer.body).hexdigest()
        return [] if seen == expected["body_sha256"] else [f"body with SHA-256 {seen}"]
    text = answer.body.decode()
    return [] if _matches(text, expected["body"]) else [f"body {text!r}"]


def _first_line(answer: Answer, expected: Mapping[str, Any]) -> list[str]:
    seen, wanted = answer.body.decode().splitlines()[:1], expected["body"].splitlines()[:1]
    return [] if seen == wanted else [f"first line {seen}, recorded {wanted}"]


def _shape(answer: Answer, expected: Mapping[str, Any]) -> list[str]:
    seen, wanted = _shape_of(answer.body.decode()), _shape_of(expected["body"])
    return [] if seen == wanted else [f"shape {seen!r}, recorded {wanted!r}"]


def _shape_of(text: str) -> object:
    try:
        value = json.loads(text)
    except ValueError:
        return re.sub(r"127(\.\d+){3}|\d+|<lost-id>", "#", text)
    return {name: type(v) for name, v in value.items()} if isinstance(value, dict) else type(value)


def _matches(seen: str, recorded: str) -> bool:
    pattern = re.escape(recorded)
    for placeholder, expression in PLACEHOLDERS.items():
        pattern = pattern.replace(re.escape(placeholder), expression)
    return re.fullmatch(pattern, seen, re.DOTALL) is not None
