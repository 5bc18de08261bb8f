"""Routes of functions: which there are, and running them on units.

Decided here, because the reference does not say: a row of which any function failed on a unit
leaves that unit as it was, also where others before it changed something; data of an older
revision is only worked on in a dry run, or by functions that change nothing.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from traderx_embedded.confighub import listing, revisions
from traderx_embedded.confighub.arguments import parse_invocations
from traderx_embedded.confighub.attributes import parse_uuid
from traderx_embedded.confighub.call import Answer, Call
from traderx_embedded.confighub.entities import Revision, Space, Unit
from traderx_embedded.confighub.errors import ApiError, bad_request, not_found
from traderx_embedded.confighub.functions import catalogue, invocation
from traderx_embedded.confighub.store import Transaction

_DESCRIPTION_LIMIT = 1024


def signatures(tx: Transaction, call: Call) -> Answer:
    """GET /function and /space/{space}/function: by toolchain and name."""
    if "space" in call.path:
        listing.get(tx, Space, call.identifier("space"))
    return Answer.of(
        {
            toolchain: {name: function.to_json() for name, function in known.items()}
            for toolchain, known in catalogue.BY_TOOLCHAIN.items()
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What a request asks for."""

    request: invocation.Request
    body: Mapping[str, Any]
    description: str
    dry_run: bool
    user_agent: str

    @classmethod
    def of(cls, call: Call) -> "_Order":
        body = call.document()
        if body.get("UseFunctionWorker") or parse_uuid(
            body.get("BridgeWorkerID"), where="BridgeWorkerID"
        ):
            raise ApiError(422, "functions run in this server alone: no worker runs them")
        description = body.get("ChangeDescription")
        description = "" if description is None else description
        if not isinstance(description, str) or len(description) > _DESCRIPTION_LIMIT:
            raise bad_request(f"ChangeDescription: expected text, at most {_DESCRIPTION_LIMIT}")
        filters = body.get("NumFilters") or 0
        if not isinstance(filters, int):
            raise bad_request("NumFilters: expected an integer")
        request = invocation.Request(
            invocations=parse_invocations(body),
            stop_on_error=_flag(body, "StopOnError"),
            combine=_flag(body, "CombineResults"),
            filters=filters,
            # newer clients do not send it, and cast all the same
            cast=body.get("CastStringArgsToScalars") is None
            or _flag(body, "CastStringArgsToScalars"),
        )
        names = ", ".join(item.function for item in request.invocations)
        return cls(
            request=request,
            body=body,
            description=description or f"function {names[:_DESCRIPTION_LIMIT]}",
            dry_run=call.flag("dry_run"),
            user_agent=call.user_agent,
        )


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"{name}: expected true or false")
    return bool(value)


def invoke_in_space(tx: Transaction, call: Call) -> Answer:
    """POST /space/{space}/function/invoke; without `where`, on all units of the space."""
    space = listing.get(tx, Space, call.identifier("space"))
    return _invoke(tx, call, [unit for unit in tx.all(Unit) if unit.space_id == space.id])


def invoke_anywhere(tx: Transaction, call: Call) -> Answer:
    """POST /function/invoke."""
    if not {"where", "filter", "unit_id", "revision_id"} & set(call.query):
        raise bad_request("where, filter or unit_id is required for this call")
    return _invoke(tx, call, tx.all(Unit))


def _invoke(tx: Transaction, call: Call, candidates: list[Unit]) -> Answer:
    order = _Order.of(call)
    revision = _revision(tx, call)
    wanted = parse_uuid(call.query.get("unit_id"), where="unit_id")
    if wanted is not None:
        candidates = [unit for unit in candidates if unit.id == wanted]
        if not candidates:
            raise not_found(f"Unit {wanted} does not exist here")
    if revision is not None:
        candidates = [unit for unit in candidates if unit.id == revision.unit_id]
        if not candidates:
            raise bad_request(f"revision_id: {revision.id} is of another unit")
        if not order.dry_run and _mutates(candidates[0], order.request):
            raise bad_request("revision_id: functions that change data need dry_run=true with it")
    entries = [
        _entry(tx, order, unit, revision) for unit in listing.matching(tx, Unit, call, candidates)
    ]
    return Answer.of_items(entries)


def _revision(tx: Transaction, call: Call) -> Revision | None:
    identifier = parse_uuid(call.query.get("revision_id"), where="revision_id")
    return None if identifier is None else listing.get(tx, Revision, identifier)


def _mutates(unit: Unit, request: invocation.Request) -> bool:
    found = (catalogue.find(unit.toolchain_type, item.function) for item in request.invocations)
    return any(function is not None and function.mutating for function in found)


def _entry(tx: Transaction, order: _Order, unit: Unit, revision: Revision | None) -> dict[str, Any]:
    number = unit.head_revision_num if revision is None else revision.revision_num
    outcome = invocation.run(
        invocation.Unit(
            data=tx.data(unit.id, number),
            toolchain_type=unit.toolchain_type,
            slug=unit.slug,
            approvers=len(unit.approved_by if revision is None else revision.approved_by),
        ),
        order.request,
    )
    data = outcome.data
    if outcome.success and outcome.mutators and not order.dry_run:
        unit = _store(tx, order, unit, outcome)
        number = unit.head_revision_num
        data = tx.data(unit.id, number)  # triggers may have had their say
    worked_on = tx.revision(unit.id, number)
    error = None
    if not outcome.success:
        told = "; ".join(outcome.messages)
        error = ApiError(400, f"unit {unit.slug!r}: {told}").item()
    return {
        "UnitID": unit.id,
        "SpaceID": unit.space_id,
        "OrganizationID": unit.organization_id,
        "RevisionID": None if worked_on is None else worked_on.id,
        "Success": outcome.success,
        "Error": error,
        "ErrorMessages": outcome.messages,
        "ConfigData": _text(data),
        "Mutators": outcome.mutators,
        "Mutations": outcome.mutations,
        "Output": _text(outcome.encoded_output()),
        "OutputType": outcome.output_type,
    }


def _store(tx: Transaction, order: _Order, unit: Unit, outcome: invocation.Outcome) -> Unit:
    change = revisions.Change(
        data=outcome.data,
        source="Function",
        description=order.description,
        user_agent=order.user_agent,
        invocation=order.body["FunctionInvocations"][outcome.mutators[0]],
    )
    described = unit.changed({"last_change_description": order.description})
    return tx.update(revisions.put_head(tx, described, change))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
