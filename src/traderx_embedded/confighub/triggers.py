"""Triggers: functions that run by themselves when the data of a unit changes.

From ConfigHub's reference: the events, the names of gates (`<trigger slug>/<function>`), that a
closed gate blocks apply, and that an approval is of one revision alone.

Decided here, because the reference does not say:

- Triggers run inside the transaction of the change, so nobody ever sees `awaiting/triggers`. Those
  that change data come first, in the order they were made; those that validate see the result, and
  all of it is one revision.
- A function that fails closes its gate: what could not be checked is not passed.
- A trigger that is made, changed, disabled or deleted opens and closes the gates of its space at
  once. Data changes by triggers only with the next change.
- `PostClone` triggers of the destination run on a new clone, before those of `Mutation`; a gate
  that they closed is looked at again with every later change. `PreClone` triggers of the source
  run on its data on the way into the clone; one that does not pass refuses the clone.
- `Enforced` is kept and shown, and means nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from traderx_embedded.confighub.arguments import parse_arguments
from traderx_embedded.confighub.entities import Trigger, Unit
from traderx_embedded.confighub.errors import bad_request
from traderx_embedded.confighub.functions import catalogue, invocation
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.store import Transaction

_EVENTS = ("Mutation", "PreClone", "PostClone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the triggers make of new data: the data to keep, and the gates that it closes."""

    data: bytes
    gates: Mapping[str, bool]


def checked(trigger: Trigger) -> Trigger:
    """Return a trigger with what its function says about it.

    Raises:
        ApiError: The event or the function is unknown, or the arguments do not fit.
    """
    if trigger.event not in _EVENTS:
        raise bad_request(f"Trigger.Event {trigger.event!r}: expected one of {', '.join(_EVENTS)}")
    for name, value in {
        "BridgeWorkerID": trigger.bridge_worker_id,
        "InvocationID": trigger.invocation_id,
    }.items():
        if value is not None:
            raise bad_request(f"Trigger.{name}: functions run in this server alone; leave it out")
    function = catalogue.find(trigger.toolchain_type, trigger.function_name)
    if function is None:
        raise bad_request(
            f"Trigger.FunctionName: there is no function {trigger.function_name!r} "
            f"for {trigger.toolchain_type}"
        )
    if not function.mutating and not function.validating:
        raise bad_request(f"function {function.name} neither changes nor validates data")
    try:
        function.bind(parse_arguments(trigger.arguments, where="Trigger.Arguments"))
    except FunctionError as error:
        raise bad_request(f"Trigger.Arguments: {error}") from error
    return replace(trigger, validating=function.validating)


def on_change(tx: Transaction, unit: Unit, data: bytes, *, cloned: bool) -> Effect:
    """Return what the triggers of a unit's space make of data that is to be its head.

    Raises:
        ApiError: A trigger of the upstream's space refuses the clone.
    """
    if cloned and unit.upstream_space_id is not None:
        data = _before_clone(tx, unit, data)
    events = ("PostClone", "Mutation") if cloned else ("Mutation",)
    failed: dict[str, bool] = {}
    for event in events:
        for trigger in _of(tx, unit, unit.space_id, event=event, validating=False):
            outcome = _run(trigger, unit, data, approvers=0)
            data = outcome.data if outcome.success else data
            if not outcome.success:
                failed[gate_of(trigger)] = True
    return Effect(data=data, gates=failed | _closed(tx, unit, data, events=events, approvers=0))


def gates(tx: Transaction, unit: Unit, data: bytes) -> Mapping[str, bool]:
    """Return the gates that a unit's head closes now, with the approvals that it has."""
    kept = {
        gate_of(trigger): True
        for event in _EVENTS
        for trigger in _of(tx, unit, unit.space_id, event=event, validating=False)
        if gate_of(trigger) in unit.apply_gates
    }
    approvers = len(unit.approved_by)
    return kept | _closed(tx, unit, data, events=("Mutation",), approvers=approvers)


def reevaluate(tx: Transaction, space_id: str) -> None:
    """Open and close the gates of all units of a space, after its triggers have changed."""
    for unit in tx.all(Unit):
        if unit.space_id != space_id:
            continue
        if gates(tx, unit, tx.data(unit.id, unit.head_revision_num)) != unit.apply_gates:
            hold(tx, unit)


def hold(tx: Transaction, unit: Unit) -> Unit:
    """Store a unit, and its head revision, with the gates that close now and its approvals."""
    number = unit.head_revision_num
    closed = gates(tx, unit, tx.data(unit.id, number))
    revision = tx.revision(unit.id, number)
    if revision is not None:
        tx.update(replace(revision, apply_gates=closed, approved_by=tuple(unit.approved_by)))
    return tx.update(replace(unit, apply_gates=closed))


def gate_of(trigger: Trigger) -> str:
    """Return the name of the gate that a trigger closes."""
    return f"{trigger.slug}/{trigger.function_name}"


def _of(
    tx: Transaction, unit: Unit, space_id: str, *, event: str, validating: bool
) -> Iterable[Trigger]:
    return [
        trigger
        for trigger in tx.all(Trigger)
        if trigger.space_id == space_id
        and trigger.event == event
        and trigger.validating is validating
        and trigger.toolchain_type == unit.toolchain_type
        and not trigger.disabled
    ]


def _before_clone(tx: Transaction, unit: Unit, data: bytes) -> bytes:
    space_id = str(unit.upstream_space_id)
    for validating in (False, True):
        for trigger in _of(tx, unit, space_id, event="PreClone", validating=validating):
            outcome = _run(trigger, unit, data, approvers=0)
            if not _passed(outcome):
                raise bad_request(
                    f"unit {unit.slug!r}: its clone is refused by trigger {gate_of(trigger)}"
                    + "".join(f": {message}" for message in outcome.messages[:1])
                )
            data = outcome.data
    return data


def _closed(
    tx: Transaction, unit: Unit, data: bytes, *, events: Iterable[str], approvers: int
) -> dict[str, bool]:
    due = [t for e in events for t in _of(tx, unit, unit.space_id, event=e, validating=True)]
    if "PostClone" not in events:
        after_clone = _of(tx, unit, unit.space_id, event="PostClone", validating=True)
        due += [trigger for trigger in after_clone if gate_of(trigger) in unit.apply_gates]
    return {
        gate_of(trigger): True
        for trigger in due
        if not _passed(_run(trigger, unit, data, approvers=approvers))
    }


def _run(trigger: Trigger, unit: Unit, data: bytes, *, approvers: int) -> invocation.Outcome:
    arguments = parse_arguments(trigger.arguments, where="Trigger.Arguments")
    return invocation.run(
        invocation.Unit(
            data=data, toolchain_type=unit.toolchain_type, slug=unit.slug, approvers=approvers
        ),
        invocation.Request(
            invocations=(
                invocation.Invocation(function=trigger.function_name, arguments=arguments),
            ),
            combine=True,
        ),
    )


def _passed(outcome: invocation.Outcome) -> bool:
    if not outcome.success:
        return False
    return outcome.output_type != "ValidationResult" or bool(outcome.output["Passed"])
