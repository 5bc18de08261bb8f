"""Functions that workers offer: which they are, the message that asks for one, and the answer.

A worker registers the signatures of its functions with its stream, and is sent invocations on it
(`reference/confighub.md` 5.2). One invocation is about one unit, and runs all of a request's row.

Decided here, because the reference does not say: a row goes to a worker where the request names one
(`BridgeWorkerID`), where it asks for that of the unit's target (`UseFunctionWorker`), or where one
of its functions is unknown to this server and that worker offers it. It must offer all of them.
"""

import base64
import binascii
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from traderx_embedded.confighub.call import Errand, Reply
from traderx_embedded.confighub.entities import BridgeWorker, Space, Target, Unit
from traderx_embedded.confighub.errors import ApiError, bad_request
from traderx_embedded.confighub.functions.invocation import Outcome, Request
from traderx_embedded.confighub.store import Transaction

ACTION = "InvokeFunctions"
COMPLETED = "FunctionInvocationCompleted"
UNAVAILABLE = 422

Signatures = Mapping[str, Mapping[str, Any]]


def check(info: Mapping[str, Any]) -> None:
    """Refuse a registration whose functions cannot be read.

    Raises:
        ApiError: They are not signatures by toolchain and name.
    """
    offered = (info.get("FunctionWorkerInfo") or {}).get("SupportedFunctions") or {}
    try:
        fitting = all(
            signature["FunctionName"] == name
            for known in offered.values()
            for name, signature in known.items()
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise bad_request(f"WorkerInfo.FunctionWorkerInfo is malformed: {error!r}") from error
    if not fitting:
        raise bad_request("WorkerInfo.FunctionWorkerInfo: a function is listed under another name")


def offered(worker: BridgeWorker) -> Signatures:
    """Return the signatures that a worker registered, by toolchain and name."""
    info = (worker.provided_info or {}).get("FunctionWorkerInfo") or {}
    found: Signatures = info.get("SupportedFunctions") or {}
    return found


def worker_of(tx: Transaction, unit: Unit) -> BridgeWorker | None:
    """Return the worker of a unit's target, None if it has none."""
    target = tx.find(Target, unit.target_id) if unit.target_id else None
    worker_id = target.bridge_worker_id if target is not None else None
    return tx.find(BridgeWorker, worker_id) if worker_id else None


def require(worker: BridgeWorker, unit: Unit, request: Request) -> None:
    """Refuse a row of functions that a worker does not offer.

    Raises:
        ApiError: It offers one of them not; names what it offers.
    """
    known = offered(worker).get(unit.toolchain_type, {})
    for invocation in request.invocations:
        if invocation.function not in known:
            raise ApiError(
                UNAVAILABLE,
                f"worker {worker.slug!r} offers no function {invocation.function[:80]!r} for "
                f"{unit.toolchain_type}; it offers {', '.join(sorted(known)) or 'none'}",
            )


def mutates(worker: BridgeWorker, unit: Unit, request: Request) -> bool:
    """Tell whether one of the functions may change data, by the worker's own word."""
    known = offered(worker).get(unit.toolchain_type, {})
    return any(known[item.function].get("Mutating") for item in request.invocations)


def errand(
    tx: Transaction,
    worker: BridgeWorker,
    unit: Unit,
    *,
    revision: tuple[int, str | None],
    request: Request,
    invocations: Sequence[Any],
) -> Errand:
    """Return the message that has a worker run functions on one unit.

    Args:
        tx: What to read the unit from.
        worker: Who is to do it.
        unit: The unit.
        revision: Number and identifier of the revision whose data they work on.
        request: The options.
        invocations: The functions and arguments as they were sent.
    """
    number, revision_id = revision
    identifier = str(uuid.uuid4())
    space = tx.find(Space, unit.space_id)
    wanted = {
        "ToolchainType": unit.toolchain_type,
        "UnitDisplayName": unit.display_name,
        "UnitSlug": unit.slug,
        "UnitID": unit.id,
        "UnitLabels": dict(unit.labels),
        "UnitAnnotations": dict(unit.annotations),
        "SpaceID": unit.space_id,
        "SpaceSlug": space.slug if space is not None else "",
        "OrganizationID": unit.organization_id,
        "TargetID": unit.target_id,
        "BridgeWorkerID": worker.id,
        "RevisionID": revision_id,
        "RevisionNum": number,
        "New": unit.live_revision_num == 0,
        "PreviousContentHash": unit.content_hash,
        "ApprovedBy": list(unit.approved_by),
        "ConfigData": _text(tx.data(unit.id, number)),
        "LiveState": _text(tx.live_state(unit.id)),
        "CastStringArgsToScalars": request.cast,
        "NumFilters": request.filters,
        "StopOnError": request.stop_on_error,
        "CombineValidationResults": request.combine,
        "FunctionInvocations": list(invocations),
    }
    payload = {"QueuedOperationID": identifier, "InvocationRequest": wanted}
    message = {"Event": "FunctionWorkerEvent", "Data": {"Action": ACTION, "Payload": payload}}
    return Errand(id=identifier, worker_id=worker.id, message=message)


def outcome(
    worker: BridgeWorker, unit: Unit, data: bytes, reply: Reply, *, request: Request
) -> Outcome:
    """Return what a worker's answer says; what cannot be taken is a failure in words.

    Args:
        worker: Whose answer it is.
        unit: What it is about.
        data: What the functions were given.
        reply: The answer.
        request: What was asked.
    """
    found = Outcome(data=data)
    if reply.result is None:
        found.failed(f"worker {worker.slug!r}: {reply.error}")
        return found
    result = reply.result
    if result.get("Result") != COMPLETED:
        found.failed(f"worker {worker.slug!r}: {str(result.get('Message') or 'failed')[:500]}")
        return found
    try:
        answer = json.loads(base64.b64decode(str(result.get("Data")), validate=True))
        _read(found, answer, count=len(request.invocations))
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        found = Outcome(data=data)
        found.failed(f"worker {worker.slug!r}: its answer cannot be read: {error!r}")
        return found
    if found.data != data and not mutates(worker, unit, request):
        found = Outcome(data=data)
        found.failed(
            f"worker {worker.slug!r}: the data of unit {unit.slug!r} came back changed from "
            "functions that change none"
        )
    return found


def _read(found: Outcome, body: Mapping[str, Any], *, count: int) -> None:
    found.success = body["Success"] is True
    found.messages = [str(message) for message in body.get("ErrorMessages") or ()]
    found.output_type = str(body.get("OutputType") or "")
    if output := base64.b64decode(body.get("Output") or "", validate=True):
        found.output = json.loads(output)
    if not found.success:
        return
    found.mutators = [int(number) for number in body.get("Mutators") or ()]
    if any(not 0 <= number < count for number in found.mutators):
        raise ValueError(f"Mutators {found.mutators} of {count} functions")
    found.mutations = list(body.get("Mutations") or ())
    if found.mutators:
        found.data = base64.b64decode(body["ConfigData"], validate=True)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
