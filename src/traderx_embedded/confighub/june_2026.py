"""The API of June 2026, as far as this project's client calls it; the server's own is of 2025.

What differs (`reference/confighub-2026-06.md`): sets are gone, and so is `/live-state`; units have
`DataHash` and `LiveData`, and neither `SetID` nor `Outputs`; gates are named with their space;
`/info` says a version and no longer a revision.
"""

import base64
import hashlib
import json
import re
from typing import Any

from traderx_embedded.confighub.call import Answer
from traderx_embedded.confighub.entities import Space
from traderx_embedded.confighub.store import Transaction

NAME = "2026-06"
VERSION = "2026.6.24-traderx-embedded"
GONE = re.compile(r"^/space/\{space\}/set(/|$)|^/set$|/live-state$")
"""Routes, as the route table has them."""
DROPPED = {
    "QueuedOperation": ("CursorID", "EntityType", "UpdatedAt"),
    "Unit": ("SetID", "Outputs", "LastActionAt"),
    "ExtendedUnit": ("Set",),
    "ExtendedSpace": ("RecentChangeUnitCount",),
}


def has_route(path: str) -> bool:
    """Whether a route of 2025 is there still."""
    return GONE.search(path) is None


def answer(tx: Transaction, given: Answer) -> Answer:
    """Return an answer of 2025 as it would be in 2026; what is no JSON stays."""
    if given.content_type != "application/json":
        return given
    return Answer.of(translated(tx, json.loads(given.content)), status=given.status)


def translated(tx: Transaction, body: Any) -> Any:
    """Return a body of 2025 as it would be in 2026."""
    if isinstance(body, list):
        return [translated(tx, item) for item in body]
    if not isinstance(body, dict):
        return body
    found = {key: translated(tx, value) for key, value in body.items()}
    if found.get("Error", "") is None:  # null was taken for none
        del found["Error"]
    if "Unit" in found or "Space" in found:
        kind = "ExtendedUnit" if "Unit" in found else "ExtendedSpace"
        return _without(found, kind)
    if found.get("EntityType") == "Unit":
        return _unit(tx, _without(found, "Unit"))
    if "QueuedOperationID" in found and "UnitEventID" not in found:
        return _without(found, "QueuedOperation")
    if found.get("EntityType") == "Revision" and "Data" in found:
        found["DataHash"] = _hash(found["Data"])
    return found


def _unit(tx: Transaction, unit: dict[str, Any]) -> dict[str, Any]:
    if "Data" in unit:
        unit["DataHash"] = _hash(unit["Data"])
    if "LiveState" in unit:
        unit["LiveData"] = unit["LiveState"]
    if unit.get("ApplyGates"):
        space = tx.find(Space, unit["SpaceID"])
        slug = space.slug if space is not None else ""
        unit["ApplyGates"] = {
            f"{slug}/{gate}": closed for gate, closed in unit["ApplyGates"].items()
        }
    return unit


def _without(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in DROPPED[kind]}


def _hash(data: str) -> str:
    return hashlib.sha256(base64.b64decode(data)).hexdigest()
