"""Plays the recorded requests of the real client against a server, with identifiers of that server.

The recording writes `<id1>`, `<id2>` … for identifiers; what each stands for follows from where it
appears, in a path, a `where` or a body, and from what the server answered before.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.contract.confighub.confighub_process import Json, until

RECORDING = Path(__file__).with_name("cub-requests.json")
_PLACEHOLDER = re.compile(r"<id\d+>")
_KIND_OF_KEY = {
    "UpstreamUnitID": "UnitID",
    "FromUnitID": "UnitID",
    "ToUnitID": "UnitID",
    "ToSpaceID": "SpaceID",
    "upstream_space_id": "SpaceID",
    "upstream_unit_id": "UnitID",
    "revision_id": "RevisionID",
}
_KIND_OF_SEGMENT = {
    "space": "SpaceID",
    "unit": "UnitID",
    "target": "TargetID",
    "bridge_worker": "BridgeWorkerID",
    "revision": "RevisionID",
    "filter": "FilterID",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One command of the client, and the requests that it made."""

    id: str
    command: str
    requests: tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer."""

    method: str
    path: str
    query: Mapping[str, str]
    status: int
    headers: Mapping[str, str]
    answer: Any

    def __str__(self) -> str:
        """Name the request and what came of it."""
        return f"{self.method} {self.path} {dict(self.query)} -> {self.status} {self.answer}"


def recording() -> tuple[Invocation, ...]:
    """Return the recorded invocations in their order."""
    return tuple(
        Invocation(id=item["id"], command=item["command"], requests=tuple(item["requests"]))
        for item in json.loads(RECORDING.read_text())
    )


@dataclass(slots=True)
class Player:
    """Plays one invocation; knows what the server has named so far."""

    client: httpx.Client
    learned: dict[str, list[str]] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)
    version: int = 0

    def play(self, invocation: Invocation) -> list[Exchange]:
        """Send the requests one after another, waiting where the client polls."""
        if invocation.id == "clone1":  # looks up the destination first, but uses the source first
            self._learn_space("s")
        return [self._send(request) for request in invocation.requests]

    def _learn_space(self, slug: str) -> None:
        found = self.client.get("/space", params={"where": f"Slug = '{slug}'"}).json()
        self._learn(found)

    def _send(self, request: Json) -> Exchange:
        path = self._in_path(request["path"].removeprefix("/api"))
        query = {name: self._in_query(name, text) for name, text in request["query"].items()}
        method = request["method"]
        headers, content = self._content(method, request["body"])

        def send() -> Exchange:
            response = self.client.request(
                method, path, params=query, content=content, headers=headers
            )
            return Exchange(
                method=method,
                path=path,
                query=query,
                status=response.status_code,
                headers=dict(response.headers),
                answer=response.json(),
            )

        exchange = send()
        if path.endswith("/unit_event") and "where" in query:
            exchange = until(lambda: _if(send(), _has_event), what="an event of the operation")
        elif path == "/unit" and query.get("where", "").startswith("UnitID="):
            exchange = until(lambda: _if(send(), _has_ended), what="the operation's end")
        self._learn(exchange.answer)
        return exchange

    def _content(self, method: str, body: Any) -> tuple[dict[str, str], bytes | None]:
        if method == "PATCH":
            patch = json.dumps(self._in_body("", body)).encode()
            return {"Content-Type": "application/merge-patch+json"}, patch
        if body is None:
            return {}, None
        filled = self._in_body("", body)
        if method == "PUT":
            filled["Version"] = self.version  # the client sends back what it read just before
        return {"Content-Type": "application/json"}, json.dumps(filled).encode()

    def _in_path(self, path: str) -> str:
        segments = path.split("/")
        for position, segment in enumerate(segments):
            if _PLACEHOLDER.fullmatch(segment):
                kind = _KIND_OF_SEGMENT[segments[position - 1]]
                segments[position] = self._identifier(segment, kind)
        return "/".join(segments)

    def _in_query(self, name: str, text: str) -> str:
        def fill(match: re.Match[str]) -> str:
            before = re.findall(r"(\w+)\s*=\s*'?$", text[: match.start()])
            return self._identifier(match.group(), before[0] if before else name)

        return _PLACEHOLDER.sub(fill, text)

    def _in_body(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._in_body(name, item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._in_body(key, item) for item in value]
        if isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
            return self._identifier(value, key)
        return value

    def _identifier(self, placeholder: str, key: str) -> str:
        if placeholder not in self.bound:
            candidates = self.learned.get(_KIND_OF_KEY.get(key, key), [])
            free = [item for item in candidates if item not in self.bound.values()]
            # what the server never named, such as who approved, may be anyone
            self.bound[placeholder] = free[0] if free else str(uuid.uuid4())
        return self.bound[placeholder]

    def _learn(self, answer: Any) -> None:
        for item in answer if isinstance(answer, list) else [answer]:
            if not isinstance(item, dict):
                continue
            # `Action` of an operation is a word, of a bulk item an operation
            inner = next((item[k] for k in _ENTITIES if isinstance(item.get(k), dict)), item)
            if inner.get("EntityType") in {"Unit", "Space"}:
                self.version = inner.get("Version", 0)
            for kind in (*_KIND_OF_SEGMENT.values(), "QueuedOperationID"):
                known = self.learned.setdefault(kind, [])
                if kind in inner and inner[kind] not in known:
                    known.append(inner[kind])


# the entity itself comes before those that `include` puts beside it
_ENTITIES = ("Action", "Unit", "Target", "Revision", "Filter", "BridgeWorker", "Space")


def _if(exchange: Exchange, holds: Any) -> Exchange | None:
    return exchange if holds(exchange) else None


def _has_event(exchange: Exchange) -> bool:
    return bool(exchange.answer)


def _has_ended(exchange: Exchange) -> bool:
    events = [item.get("LatestUnitEvent", {}) for item in exchange.answer]
    return all(event.get("Status") in {"Completed", "Failed", "Canceled"} for event in events)
