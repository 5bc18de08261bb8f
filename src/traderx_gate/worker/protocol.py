"""ConfigHub's worker protocol: the three calls, and their messages as values.

HTTP/2 with prior knowledge, as ConfigHub demands of workers. Nothing here knows Kubernetes.
"""

import base64
import binascii
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

import httpx

from traderx_gate.errors import ConfigHubError, UnreachableError

log = logging.getLogger(__name__)

ZERO_ID = "00000000-0000-0000-0000-000000000000"
CALL_TIMEOUT_S = 15.0
SILENCE_S = 120.0
"""A stream that carries nothing for so long, not even a heartbeat, is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the server asks to be done with one unit.

    Attributes:
        data: The bytes of the revision.
        live_state: What the last report said the cluster has.
        parameters: The target's parameters.
    """

    id: str
    action: str
    unit_id: str
    unit_slug: str
    space_id: str
    revision: int
    data: bytes = field(repr=False, default=b"")
    live_state: bytes = field(repr=False, default=b"")
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, action: str, payload: Mapping[str, Any]) -> Self:
        """Read the payload of a BridgeWorkerEvent.

        Raises:
            ValueError: Something is missing or malformed.
        """
        try:
            parameters = json.loads(_bytes(payload, "TargetParams") or b"{}")
            return cls(
                id=str(payload["QueuedOperationID"]),
                action=action,
                unit_id=str(payload["UnitID"]),
                unit_slug=str(payload.get("UnitSlug", "")),
                space_id=str(payload["SpaceID"]),
                revision=int(payload.get("RevisionNum", 0)),
                data=_bytes(payload, "Data"),
                live_state=_bytes(payload, "LiveState"),
                parameters={str(name): str(value) for name, value in parameters.items()},
            )
        except (KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise ValueError(f"operation cannot be read: {error!r}") from error


def _bytes(payload: Mapping[str, Any], name: str) -> bytes:
    return base64.b64decode(payload.get(name) or "", validate=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """What the server asks to be computed about one unit: a row of functions.

    Attributes:
        data: The bytes of the revision.
        functions: Names, in the order in which they run.
        arguments: How many arguments each was given.
        combine: Whether validations are told as one result.
        filters: How many of the first validations end the row in silence when they do not pass.
        stop_on_error: Whether the first failure ends the row.
    """

    id: str
    unit_id: str
    unit_slug: str
    space_id: str
    revision: int
    toolchain_type: str
    functions: tuple[str, ...]
    arguments: tuple[int, ...]
    data: bytes = field(repr=False, default=b"")
    combine: bool = False
    filters: int = 0
    stop_on_error: bool = False
    context: Mapping[str, Any] = field(repr=False, default_factory=dict)

    action: ClassVar[str] = "InvokeFunctions"

    @classmethod
    def from_json(cls, action: str, payload: Mapping[str, Any]) -> Self:
        """Read the payload of a FunctionWorkerEvent.

        Raises:
            ValueError: Something is missing or malformed, or another action is asked for.
        """
        if action != cls.action:
            raise ValueError(f"functions: {action} is not known here")
        try:
            wanted = payload["InvocationRequest"]
            invocations = [dict(item) for item in wanted["FunctionInvocations"]]
            return cls(
                id=str(payload["QueuedOperationID"]),
                unit_id=str(wanted["UnitID"]),
                unit_slug=str(wanted.get("UnitSlug", "")),
                space_id=str(wanted["SpaceID"]),
                revision=int(wanted.get("RevisionNum", 0)),
                toolchain_type=str(wanted["ToolchainType"]),
                functions=tuple(str(item["FunctionName"]) for item in invocations),
                arguments=tuple(len(item.get("Arguments") or ()) for item in invocations),
                data=_bytes(wanted, "ConfigData"),
                combine=bool(wanted.get("CombineValidationResults")),
                filters=int(wanted.get("NumFilters") or 0),
                stop_on_error=bool(wanted.get("StopOnError")),
                context={name: wanted.get(name) for name in _ECHOED},
            )
        except (KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise ValueError(f"invocation cannot be read: {error!r}") from error


_ECHOED = ("OrganizationID", "SpaceID", "UnitID", "RevisionID")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """What became of an operation, or stands while it runs (result `None`).

    Attributes:
        live_state: What the cluster has; None where that is not said.
        data: For a refresh, the unit's data as the cluster has it; for functions, their answer.
    """

    result: str
    status: str
    message: str
    live_state: bytes | None = field(repr=False, default=None)
    data: bytes | None = field(repr=False, default=None)

    def to_json(
        self, operation: Operation | FunctionCall | None, *, started_at: datetime
    ) -> dict[str, Any]:
        """Return the body of a report; without an operation, of an answer to a heartbeat."""
        ended = operation is None or self.status in {"Completed", "Failed", "Canceled"}
        body: dict[str, Any] = {
            "QueuedOperationID": operation.id if operation else ZERO_ID,
            "UnitID": operation.unit_id if operation else ZERO_ID,
            "SpaceID": operation.space_id if operation else ZERO_ID,
            "RevisionNum": operation.revision if operation else 0,
            "Action": operation.action if operation else "Heartbeat",
            "Result": self.result,
            "Status": self.status,
            "Message": self.message,
            "StartedAt": _time(started_at),
        }
        if ended:
            body["TerminatedAt"] = _time(datetime.now(UTC))
        if self.live_state is not None:
            body["LiveState"] = base64.b64encode(self.live_state).decode()
        if self.data is not None:
            body["Data"] = base64.b64encode(self.data).decode()
        return body


def progressing(message: str) -> ActionResult:
    """Return a report of an operation that runs."""
    return ActionResult(result="None", status="Progressing", message=message)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class WorkerClient:
    """The worker's side of the protocol.

    Every method raises `UnreachableError` when nothing answers as ConfigHub and `ConfigHubError`
    when it refuses.
    """

    def __init__(self, url: str, *, worker_id: str, secret: str) -> None:
        self.url = url
        self._path = f"/api/bridge_worker/{worker_id}"
        # Two connections: httpcore reads a connection under one lock, so that an answer which has
        # arrived can lie there until the silent stream beside it carries something again.
        self._http, self._stream_http = (
            httpx.AsyncClient(
                base_url=url,
                http1=False,
                http2=True,
                trust_env=False,
                headers={"Authorization": f"Bearer {secret}"},
                timeout=CALL_TIMEOUT_S,
            )
            for _ in range(2)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._stream_http.aclose()

    async def identify(self) -> str:
        """Return the worker's slug."""
        body = await self._call("GET", "/me")
        return str(body.get("Slug", ""))

    async def report(self, body: Mapping[str, Any]) -> None:
        """Send an ActionResult."""
        await self._call("POST", "/action_result", body)

    async def events(self, info: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """Register and yield the server's events until the stream ends."""
        timeout = httpx.Timeout(CALL_TIMEOUT_S, read=SILENCE_S)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        try:
            async with self._stream_http.stream(
                "POST", f"{self._path}/stream", json=info, headers=headers, timeout=timeout
            ) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise self._refusal(response)
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield _event(line.removeprefix("data: "))
        except httpx.HTTPError as error:
            raise UnreachableError(f"ConfigHub {self.url}: stream lost: {error!r}") from error

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        try:
            response = await self._http.request(method, f"{self._path}{path}", json=body)
        except httpx.HTTPError as error:
            raise UnreachableError(f"ConfigHub {self.url} cannot be reached: {error!r}") from error
        if response.status_code != 200:
            raise self._refusal(response)
        try:
            answer = response.json()
        except ValueError as error:
            raise UnreachableError(
                f"what answers at {self.url} is not ConfigHub: {method} {path} "
                f"gave {response.text[:60]!r}"
            ) from error
        return answer if isinstance(answer, dict) else {}

    def _refusal(self, response: httpx.Response) -> ConfigHubError | UnreachableError:
        try:
            message = str(response.json()["Message"])
        except (ValueError, KeyError, TypeError):
            message = response.text[:80]
        request = response.request
        text = f"ConfigHub: {request.method} {request.url.path}: {response.status_code} {message}"
        if response.status_code >= 500:
            return UnreachableError(text)
        return ConfigHubError(
            text,
            status=response.status_code,
            request_id=response.headers.get("X-Request-Id", ""),
        )


def _event(text: str) -> Mapping[str, Any]:
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    if isinstance(event, dict):
        return event
    log.warning("event ignored, not a JSON object: %.80r", text)
    return {}
