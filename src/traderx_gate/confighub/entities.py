"""ConfigHub's entities as this project reads them (`reference/confighub.md` 1)."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from traderx_gate.errors import UnreachableError

Json = Mapping[str, Any]
ABSENT_ID = "00000000-0000-0000-0000-000000000000"
"""How Go clients and servers write an identifier that is not set."""


def _id(body: Json, key: str) -> str:
    """Return an identifier, empty when it is absent, null or zero."""
    value = body.get(key) or ""
    return "" if value == ABSENT_ID else str(value)


UNORDERED = 99
NO_ACTION = "N/A"
"""What ConfigHub calls the action of a unit with which nothing was done."""
"""As the runbook's scripts have it: their Services carry no order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A space; `labels` carry project and environment, `annotations` what is going on in it."""

    id: str
    slug: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a Space."""
        return cls(
            id=body["SpaceID"],
            slug=body["Slug"],
            labels=dict(body.get("Labels") or {}),
            annotations=dict(body.get("Annotations") or {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit with its data and revision numbers.

    Attributes:
        data: The configuration as bytes; revisions and hashes are of exactly these.
        version: Echoed on update; another one in the store is a conflict.
        status: The latest action's status in words, where the answer had it.
        under_way: The action that has not ended, such as `Apply`; empty for none.
    """

    id: str
    space_id: str
    slug: str
    labels: Mapping[str, str]
    data: bytes = field(repr=False)
    version: int
    head_revision: int
    applied_revision: int
    live_revision: int
    target_id: str
    upstream_unit_id: str
    upstream_revision: int
    live_state: bytes = field(repr=False)
    status: str = ""
    apply_gates: frozenset[str] = frozenset()
    under_way: str = ""

    @classmethod
    def from_json(cls, body: Json, *, status: Json | None = None, live: str = "LiveState") -> Self:
        """Read a Unit, the UnitStatus beside it, and the live objects from the field named."""
        return cls(
            id=body["UnitID"],
            space_id=body["SpaceID"],
            slug=body["Slug"],
            labels=dict(body.get("Labels") or {}),
            data=_bytes(body, "Data"),
            version=body.get("Version", 0),
            head_revision=body.get("HeadRevisionNum", 0),
            applied_revision=body.get("LastAppliedRevisionNum", 0),
            live_revision=body.get("LiveRevisionNum", 0),
            target_id=_id(body, "TargetID"),
            upstream_unit_id=_id(body, "UpstreamUnitID"),
            upstream_revision=body.get("UpstreamRevisionNum", 0),
            live_state=_bytes(body, live),
            status=str((status or {}).get("Status") or ""),
            apply_gates=frozenset(body.get("ApplyGates") or ()),
            under_way=_under_way(status or {}),
        )

    @property
    def sha256(self) -> str:
        """SHA-256 of the data, hexadecimal; computed here, not believed."""
        return hashlib.sha256(self.data).hexdigest()

    def apply_order(self) -> int:
        """Return when it is applied among others: its label `order`; without one it comes last."""
        text = self.labels.get("order", "")
        return int(text) if text.isdecimal() else UNORDERED

    def is_pending(self) -> bool:
        """Whether the head is ahead of what is live."""
        return self.head_revision != self.live_revision


def _under_way(status: Json) -> str:
    action = str(status.get("Action") or "")
    begun, ended = (_time(status.get(name)) for name in ("ActionStartedAt", "ActionTerminatedAt"))
    return action if action != NO_ACTION and begun is not None and ended is None else ""


def _time(text: str | None) -> datetime | None:
    """Return a time; Go's zero time is none."""
    if not text or text.startswith("0001-01-01"):
        return None
    return datetime.fromisoformat(text)


def _bytes(body: Json, key: str) -> bytes:
    try:
        return base64.b64decode(body.get(key) or "", validate=True)
    except binascii.Error as error:
        raise UnreachableError(
            f"ConfigHub sent {key} of unit {body.get('Slug')} that is not base64: {error}"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One numbered state of a unit.

    Attributes:
        live_at: When it became live; None where it never was.
        user: Who made it, by name; empty where ConfigHub does not say.
    """

    id: str
    number: int
    data: bytes = field(repr=False)
    description: str
    source: str = ""
    created_at: datetime | None = None
    live_at: datetime | None = None
    user: str = ""

    @classmethod
    def from_json(cls, body: Json, *, user: Json | None = None) -> Self:
        """Read a Revision, and the User beside it."""
        return cls(
            id=body["RevisionID"],
            number=body["RevisionNum"],
            data=_bytes(body, "Data"),
            description=body.get("Description", ""),
            source=body.get("Source", ""),
            created_at=_time(body.get("CreatedAt")),
            live_at=_time(body.get("LiveAt")),
            user=str((user or {}).get("Username") or ""),
        )

    @property
    def sha256(self) -> str:
        """SHA-256 of the data, hexadecimal; computed here, not believed."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A change of the upstream that an upgrade left out, because the unit has its own there.

    Attributes:
        path: Where in the unit's data.
        reason: In ConfigHub's words.
    """

    path: str
    reason: str

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a MutationConflict."""
        return cls(path=str(body.get("Path") or ""), reason=str(body.get("Reason") or ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A function that runs by itself when the data of a unit changes."""

    id: str
    space_id: str
    slug: str
    function: str

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a Trigger."""
        return cls(
            id=body["TriggerID"],
            space_id=body["SpaceID"],
            slug=body["Slug"],
            function=body["FunctionName"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A queued operation, the answer to an apply."""

    id: str
    unit_id: str
    action: str
    revision: int

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a QueuedOperation."""
        return cls(
            id=body["QueuedOperationID"],
            unit_id=body["UnitID"],
            action=body["Action"],
            revision=body.get("RevisionNum", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitEvent:
    """What a worker reported of an operation."""

    operation_id: str
    action: str
    result: str
    status: str
    message: str

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a UnitEvent."""
        return cls(
            operation_id=body["QueuedOperationID"],
            action=body.get("Action", ""),
            result=body.get("Result", ""),
            status=body.get("Status", ""),
            message=body.get("Message", ""),
        )

    def is_terminal(self) -> bool:
        """Whether nothing follows. After `ApplyWaitFailed` a worker goes on (5.3)."""
        return self.status in {"Completed", "Failed", "Canceled", "Aborted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A bridge worker; `secret` is what its process authenticates with.

    Attributes:
        annotations: What this tool keeps with it; ConfigHub gives them no meaning.
    """

    id: str
    space_id: str
    slug: str
    condition: str
    last_seen_at: datetime | None
    secret: str = field(repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a BridgeWorker."""
        return cls(
            id=body["BridgeWorkerID"],
            space_id=body["SpaceID"],
            slug=body["Slug"],
            last_seen_at=_time(body.get("LastSeenAt")),
            condition=body.get("Condition", ""),
            secret=body.get("Secret", ""),
            annotations=dict(body.get("Annotations") or {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a worker applies to."""

    id: str
    space_id: str
    slug: str
    worker_id: str

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a Target."""
        return cls(
            id=body["TargetID"],
            space_id=body["SpaceID"],
            slug=body["Slug"],
            worker_id=_id(body, "BridgeWorkerID"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A stored `where` over units."""

    id: str
    space_id: str
    slug: str
    where: str

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a Filter."""
        return cls(
            id=body["FilterID"],
            space_id=body["SpaceID"],
            slug=body["Slug"],
            where=body.get("Where", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSet:
    """A named set of units; ConfigHub calls it Set."""

    id: str
    space_id: str
    slug: str
    labels: Mapping[str, str]

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Read a Set."""
        return cls(
            id=body["SetID"],
            space_id=body["SpaceID"],
            slug=body["Slug"],
            labels=dict(body.get("Labels") or {}),
        )
