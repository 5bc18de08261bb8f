"""The life of an operation: queued, delivered, reported, ended.

They go to the worker in the order of creation, whatever else of the unit it has in hand: the worker
does those of one unit one after another (`confighub.md` 5.2). The network is not in here: `stream`
carries the messages.
"""

import base64
import binascii
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from traderx_embedded.confighub import listing, revisions
from traderx_embedded.confighub.attributes import ZERO_UUID, now, parse_uuid
from traderx_embedded.confighub.entities import (
    BridgeWorker,
    QueuedOperation,
    Target,
    Unit,
    UnitEvent,
)
from traderx_embedded.confighub.errors import bad_request, not_found
from traderx_embedded.confighub.store import OPEN_STATUSES, Transaction

_ENDED = frozenset({"Completed", "Failed", "Canceled", "Aborted"})
_STATUSES = _ENDED | {"None", "Pending", "Submitted", "Progressing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An ActionResult of a worker, parsed.

    Attributes:
        operation_id: None for answers to heartbeats.
        action: What was done.
        result: What came of it, `None` while it runs.
        status: Where it stands.
        message: In the worker's words.
        data: For a refresh, the unit's data as the cluster has it.
        live_state: What the worker saw; None where it says nothing.
    """

    operation_id: str | None
    action: str
    result: str
    status: str
    message: str
    data: bytes
    live_state: bytes | None

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Report":
        """Parse the body of a report.

        Raises:
            ApiError: A field has another type, or a status is unknown.
        """
        texts = {
            name: body.get(name) or default
            for name, default in (
                ("Action", ""),
                ("Result", "None"),
                ("Status", "None"),
                ("Message", ""),
            )
        }
        for name, text in texts.items():
            if not isinstance(text, str):
                raise bad_request(f"ActionResult.{name}: expected text")
        if texts["Status"] not in _STATUSES:
            raise bad_request(f"ActionResult.Status {texts['Status']!r} is unknown")
        live_state = body.get("LiveState")
        return cls(
            operation_id=parse_uuid(body.get("QueuedOperationID"), where="QueuedOperationID"),
            action=texts["Action"],
            result=texts["Result"],
            status=texts["Status"],
            message=texts["Message"].encode(errors="replace").decode(),
            data=_bytes(body.get("Data"), "Data"),
            live_state=None if live_state is None else _bytes(live_state, "LiveState"),
        )


def _bytes(value: object, name: str) -> bytes:
    if value is None:
        return b""
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"ActionResult.{name} is not base64") from error


def open_of(tx: Transaction, unit: Unit) -> list[QueuedOperation]:
    """Return the operations of a unit that have not ended."""
    return [operation for operation in tx.all(QueuedOperation) if operation.unit_id == unit.id]


def check(tx: Transaction, unit: Unit, action: str) -> tuple[Target, BridgeWorker]:
    """Return where an action on a unit would take place, and by whom.

    Raises:
        ApiError: It has no target, its target has no worker, or a gate is closed to an apply.
    """
    target = tx.find(Target, unit.target_id) if unit.target_id else None
    if target is None:
        raise bad_request(f"unit {unit.slug!r} has no target: set one first")
    worker_id = target.bridge_worker_id
    worker = tx.find(BridgeWorker, worker_id) if worker_id else None
    if worker is None:
        raise bad_request(f"target {target.slug!r} of unit {unit.slug!r} has no worker")
    if unit.apply_gates and action == "Apply":
        gates = ", ".join(sorted(unit.apply_gates))
        raise bad_request(f"unit {unit.slug!r} is held by apply gates: {gates}")
    return target, worker


def queue(tx: Transaction, unit: Unit, action: str) -> QueuedOperation:
    """Queue an action on the head revision of a unit.

    Raises:
        ApiError: The unit cannot be applied as it is.
    """
    target, worker = check(tx, unit, action)
    moment = now()
    operation = tx.create(
        QueuedOperation(
            id=str(uuid.uuid4()),
            organization_id=unit.organization_id,
            created_at=moment,
            updated_at=moment,
            space_id=unit.space_id,
            unit_id=unit.id,
            target_id=target.id,
            bridge_worker_id=worker.id,
            action=action,
            revision_num=unit.head_revision_num,
        )
    )
    applied = unit.head_revision_num if action == "Apply" else unit.last_applied_revision_num
    tx.update(
        replace(
            unit,
            last_applied_revision_num=applied,
            last_action_at=moment,
            action=action,
            action_result="None",
            action_status="Pending",
            action_terminated_at=None,
        )
    )
    tx.woken.add(worker.id)
    return operation


def take(tx: Transaction, worker_id: str) -> list[dict[str, Any]]:
    """Mark what is due for a worker as delivered and return the messages for its stream."""
    messages = []
    for operation in tx.all(QueuedOperation):
        if operation.bridge_worker_id != worker_id or operation.status != "Pending":
            continue
        tx.update(replace(operation, status="Delivered", updated_at=now()))
        _event(tx, operation, status="Submitted", message="sent to the worker")
        messages.append(_message(tx, operation))
    return messages


def _message(tx: Transaction, operation: QueuedOperation) -> dict[str, Any]:
    unit = listing.get(tx, Unit, operation.unit_id)
    target = listing.get(tx, Target, operation.target_id)
    payload = {
        "QueuedOperationID": operation.id,
        "ToolchainType": unit.toolchain_type,
        "ProviderType": target.provider_type,
        "UnitSlug": unit.slug,
        "UnitID": unit.id,
        "SpaceID": unit.space_id,
        "RevisionNum": operation.revision_num,
        "Data": _text(tx.data(unit.id, operation.revision_num)),
        "LiveState": _text(tx.live_state(unit.id)),
        "TargetParams": _text(target.parameters.encode()),
        "ExtraParams": "",
    }
    data = {"Action": operation.action, "Payload": payload}
    return {"Event": "BridgeWorkerEvent", "Data": data}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def take_back(tx: Transaction, worker_id: str) -> None:
    """Make what a lost stream had delivered due again."""
    for operation in tx.all(QueuedOperation):
        if operation.bridge_worker_id == worker_id and operation.status != "Pending":
            tx.update(replace(operation, status="Pending", updated_at=now()))


def record(tx: Transaction, worker_id: str, report: Report) -> None:
    """Take a worker's report on an operation into the operation, its events and its unit.

    Raises:
        ApiError: The operation is not one of this worker.
    """
    operation = tx.find(QueuedOperation, report.operation_id or ZERO_UUID)
    if operation is None or operation.bridge_worker_id != worker_id:
        raise not_found(f"operation {report.operation_id} is not one of this worker")
    # the last word stands, except that a failed wait may still complete
    if operation.status not in OPEN_STATUSES and not _may_reopen(tx, operation, report):
        return
    status = report.status if report.status in _ENDED else "Progressing"
    tx.update(replace(operation, status=status, updated_at=now()))
    _event(
        tx,
        operation,
        status=report.status,
        result=report.result,
        message=report.message,
    )
    if report.result in _EFFECTS and report.status == "Completed":
        _take_effect(tx, operation, report)
    if status in _ENDED:
        tx.woken.add(worker_id)


def _may_reopen(tx: Transaction, operation: QueuedOperation, report: Report) -> bool:
    latest = tx.latest_event(operation.unit_id)
    return (
        operation.status == "Failed"
        and report.status == "Completed"
        and latest is not None
        and latest.queued_operation_id == operation.id
    )


def _event(
    tx: Transaction,
    operation: QueuedOperation,
    *,
    status: str,
    message: str,
    result: str = "None",
) -> None:
    moment = now()
    ended = moment if status in _ENDED else None
    tx.create(
        UnitEvent(
            id=str(uuid.uuid4()),
            organization_id=operation.organization_id,
            created_at=moment,
            updated_at=moment,
            space_id=operation.space_id,
            unit_id=operation.unit_id,
            queued_operation_id=operation.id,
            bridge_worker_id=operation.bridge_worker_id,
            revision_num=operation.revision_num,
            action=operation.action,
            result=result,
            status=status,
            message=message,
            started_at=operation.created_at,
            terminated_at=ended,
        )
    )
    unit = listing.get(tx, Unit, operation.unit_id)
    tx.update(
        replace(
            unit,
            action=operation.action,
            action_result=result,
            action_status=status,
            action_terminated_at=ended,
        )
    )


_EFFECTS = frozenset(
    {"ApplyCompleted", "DestroyCompleted", "RefreshAndDrifted", "RefreshAndNoDrift"}
)


def _take_effect(tx: Transaction, operation: QueuedOperation, report: Report) -> None:
    unit = listing.get(tx, Unit, operation.unit_id)
    if report.result == "RefreshAndDrifted" and unit.head_revision_num != operation.revision_num:
        # Its data is made of a head that is none any more, and would undo the newer one. The live
        # state stays as well: the next refresh finds the same drift, and takes it into that head.
        tx.update(replace(unit, drift="Drifted"))
        return
    if report.live_state is not None:
        tx.put_live_state(unit.id, report.live_state)
    match report.result:
        case "ApplyCompleted":
            unit = replace(_went_live(tx, unit, operation.revision_num), drift="")
        case "DestroyCompleted":
            tx.put_live_state(unit.id, b"")
            unit = replace(_went_live(tx, unit, 0), drift="")
        case "RefreshAndDrifted":
            unit = replace(unit, drift="Drifted")
            if report.data:
                change = revisions.Change(
                    data=report.data, source="Refresh", description="drift found by refresh"
                )
                unit = revisions.put_head(tx, unit, change)
        case _:
            unit = replace(unit, drift="NoDrift")
    tx.update(unit)


def _went_live(tx: Transaction, unit: Unit, number: int) -> Unit:
    revision = tx.revision(unit.id, number)
    if revision is not None:
        tx.update(replace(revision, live_at=now()))
    if unit.live_revision_num == number:
        return unit
    return replace(
        unit, live_revision_num=number, previous_live_revision_num=unit.live_revision_num
    )


def expire(tx: Transaction, *, before: str, timeout: str) -> None:
    """End operations made before a moment: Failed once delivered, else Canceled."""
    for operation in tx.all(QueuedOperation):
        if operation.created_at >= before:
            continue
        delivered = operation.status != "Pending"
        status = "Failed" if delivered else "Canceled"
        seen = "the worker did not finish it" if delivered else "no worker took it"
        tx.update(replace(operation, status=status, updated_at=now()))
        failed = {"Apply": "ApplyFailed", "Destroy": "DestroyFailed", "Refresh": "RefreshFailed"}
        _event(
            tx,
            operation,
            status=status,
            result=failed[operation.action] if delivered else "None",
            message=f"{operation.action} ended after {timeout}: {seen}",
        )
        tx.woken.add(operation.bridge_worker_id)
