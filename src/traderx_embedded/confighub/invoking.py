"""Routes of functions: which there are, and running them on units.

Decided here, because the reference does not say: a row of which any function failed on a unit
leaves that unit as it was, also where others before it changed something; data of an older
revision is only worked on in a dry run, or by functions that change nothing. While a worker runs
functions, the unit may get another head; what they changed is then refused, with 409.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from traderx_embedded.confighub import listing, revisions, worker_functions
from traderx_embedded.confighub.arguments import parse_invocations
from traderx_embedded.confighub.attributes import parse_uuid
from traderx_embedded.confighub.call import Answer, Call, Delegated, Errand, Reply
from traderx_embedded.confighub.entities import BridgeWorker, Revision, Space, Unit
from traderx_embedded.confighub.errors import ApiError, bad_request, conflict, not_found
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


def worker_signatures(tx: Transaction, call: Call) -> Answer:
    """GET /space/{space}/bridge_worker/{id}/function: what a worker registered."""
    worker = listing.get_resident(
        tx, BridgeWorker, space_id=call.identifier("space"), identifier=call.identifier("id")
    )
    offered = worker_functions.offered(worker)
    return Answer.of({toolchain: dict(known) for toolchain, known in offered.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What a request asks for.

    Attributes:
        worker_id: Who is to run the functions; None for whoever knows them.
        by_worker: Whether the worker of each unit's target is to, also what is known here.
    """

    request: invocation.Request
    body: Mapping[str, Any]
    description: str
    dry_run: bool
    user_agent: str
    worker_id: str | None
    by_worker: bool

    @classmethod
    def of(cls, call: Call) -> "_Order":
        body = call.document()
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
            worker_id=parse_uuid(body.get("BridgeWorkerID"), where="BridgeWorkerID"),
            by_worker=_flag(body, "UseFunctionWorker"),
        )

    def worker(self, tx: Transaction, unit: Unit) -> BridgeWorker | None:
        """Return the worker that runs the functions on a unit; None if this server does.

        Raises:
            ApiError: There is no such worker, or it does not offer all of them.
        """
        named = self.request.invocations
        known = all(catalogue.find(unit.toolchain_type, item.function) for item in named)
        if self.worker_id is not None:
            found = tx.find(BridgeWorker, self.worker_id)
            if found is None:
                raise ApiError(
                    worker_functions.UNAVAILABLE, f"BridgeWorker {self.worker_id} does not exist"
                )
        elif self.by_worker:
            found = worker_functions.worker_of(tx, unit)
            if found is None:
                raise ApiError(
                    worker_functions.UNAVAILABLE,
                    f"unit {unit.slug!r} has no worker to run functions: set a target first",
                )
        else:
            found = None if known else worker_functions.worker_of(tx, unit)
            offered = worker_functions.offered(found).get(unit.toolchain_type, {}) if found else {}
            if not any(item.function in offered for item in named):
                return None
        if found is not None:
            worker_functions.require(found, unit, self.request)
        return found


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"{name}: expected true or false")
    return bool(value)


def invoke_in_space(tx: Transaction, call: Call) -> Answer | Delegated:
    """POST /space/{space}/function/invoke; without `where`, on all units of the space."""
    space = listing.get(tx, Space, call.identifier("space"))
    return _invoke(tx, call, [unit for unit in tx.all(Unit) if unit.space_id == space.id])


def invoke_anywhere(tx: Transaction, call: Call) -> Answer | Delegated:
    """POST /function/invoke."""
    if not {"where", "filter", "unit_id", "revision_id"} & set(call.query):
        raise bad_request("where, filter or unit_id is required for this call")
    return _invoke(tx, call, tx.all(Unit))


def _invoke(tx: Transaction, call: Call, candidates: list[Unit]) -> Answer | Delegated:
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
        if not order.dry_run and _mutates(tx, order, candidates[0]):
            raise bad_request("revision_id: functions that change data need dry_run=true with it")
    chosen = listing.matching(tx, Unit, call, candidates)
    workers = [order.worker(tx, unit) for unit in chosen]
    entries: list[dict[str, Any] | _AtWorker] = [
        _entry(tx, order, unit, revision)
        if worker is None
        else _AtWorker.of(tx, order, unit, worker, revision)
        for unit, worker in zip(chosen, workers, strict=True)
    ]
    asked = [entry for entry in entries if isinstance(entry, _AtWorker)]
    if not asked:
        return _answer(entries, [])

    def finish(tx: Transaction, replies: Sequence[Reply]) -> Answer:
        pairs = zip(asked, replies, strict=True)
        return _answer(entries, [one.entry(tx, order, reply) for one, reply in pairs])

    return Delegated(errands=[one.errand for one in asked], finish=finish)


def _answer(entries: Sequence[Any], told: Sequence[dict[str, Any]]) -> Answer:
    """Return the entries in the order of the units, what workers told in its place."""
    left = iter(told)
    return Answer.of_items([next(left) if isinstance(e, _AtWorker) else e for e in entries])


@dataclass(frozen=True, slots=True, kw_only=True)
class _AtWorker:
    """A unit whose functions a worker runs."""

    unit_id: str
    worker: BridgeWorker
    revision: int
    data: bytes
    errand: Errand

    @classmethod
    def of(
        cls,
        tx: Transaction,
        order: _Order,
        unit: Unit,
        worker: BridgeWorker,
        revision: Revision | None,
    ) -> "_AtWorker":
        number = unit.head_revision_num if revision is None else revision.revision_num
        worked_on = tx.revision(unit.id, number)
        return cls(
            unit_id=unit.id,
            worker=worker,
            revision=number,
            data=tx.data(unit.id, number),
            errand=worker_functions.errand(
                tx,
                worker,
                unit,
                revision=(number, None if worked_on is None else worked_on.id),
                request=order.request,
                invocations=order.body["FunctionInvocations"],
            ),
        )

    def entry(self, tx: Transaction, order: _Order, reply: Reply) -> dict[str, Any]:
        """Return the entry of the answer, with the effect of what the worker says."""
        unit = tx.find(Unit, self.unit_id)
        if unit is None:
            gone = not_found(f"unit {self.unit_id} was deleted meanwhile")
            return {"UnitID": self.unit_id, "Success": False, "Error": gone.item()}
        outcome = worker_functions.outcome(
            self.worker, unit, self.data, reply, request=order.request
        )
        changes = outcome.success and outcome.mutators and not order.dry_run
        if changes and unit.head_revision_num != self.revision:
            error = conflict(
                f"unit {unit.slug!r} is at revision {unit.head_revision_num}, the functions ran on "
                f"{self.revision}: repeat them"
            )
            return self._untouched(tx, unit, error)
        try:
            with tx.part():
                return _effect(tx, order, unit, self.revision, outcome)
        except ApiError as error:  # data that this server does not keep
            return self._untouched(tx, unit, error)

    def _untouched(self, tx: Transaction, unit: Unit, error: ApiError) -> dict[str, Any]:
        outcome = invocation.Outcome(data=self.data)
        outcome.failed(error.message)
        return _told(tx, unit, outcome, number=self.revision, error=error)


def _revision(tx: Transaction, call: Call) -> Revision | None:
    identifier = parse_uuid(call.query.get("revision_id"), where="revision_id")
    return None if identifier is None else listing.get(tx, Revision, identifier)


def _mutates(tx: Transaction, order: _Order, unit: Unit) -> bool:
    worker = order.worker(tx, unit)
    if worker is not None:
        return worker_functions.mutates(worker, unit, order.request)
    named = order.request.invocations
    found = (catalogue.find(unit.toolchain_type, item.function) for item in named)
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
    return _effect(tx, order, unit, number, outcome)


def _effect(
    tx: Transaction, order: _Order, unit: Unit, number: int, outcome: invocation.Outcome
) -> dict[str, Any]:
    """Make what the functions changed the head, unless in a dry run; return the entry."""
    data = outcome.data
    if outcome.success and outcome.mutators and not order.dry_run:
        unit = _store(tx, order, unit, outcome)
        number = unit.head_revision_num
        data = tx.data(unit.id, number)  # triggers may have had their say
    error = None
    if not outcome.success:
        told = "; ".join(outcome.messages)
        error = ApiError(400, f"unit {unit.slug!r}: {told}")
    return _told(tx, unit, replace(outcome, data=data), number=number, error=error)


def _told(
    tx: Transaction,
    unit: Unit,
    outcome: invocation.Outcome,
    *,
    number: int,
    error: ApiError | None,
) -> dict[str, Any]:
    worked_on = tx.revision(unit.id, number)
    return {
        "UnitID": unit.id,
        "SpaceID": unit.space_id,
        "OrganizationID": unit.organization_id,
        "RevisionID": None if worked_on is None else worked_on.id,
        "Success": outcome.success,
        "Error": None if error is None else error.item(),
        "ErrorMessages": outcome.messages,
        "ConfigData": _text(outcome.data),
        "Mutators": outcome.mutators,
        "Mutations": outcome.mutations,
        "Output": _text(outcome.encoded_output()),
        "OutputType": outcome.output_type,
    }


def _store(tx: Transaction, order: _Order, unit: Unit, outcome: invocation.Outcome) -> Unit:
    change = revisions.Change(
        data=revisions.parse_data(_text(outcome.data), toolchain_type=unit.toolchain_type),
        source="Function",
        description=order.description,
        user_agent=order.user_agent,
        invocation=order.body["FunctionInvocations"][outcome.mutators[0]],
    )
    described = unit.changed({"last_change_description": order.description})
    return tx.update(revisions.put_head(tx, described, change))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
