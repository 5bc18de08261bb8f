"""Approval: the gate that ConfigHub keeps closed until somebody stands for a revision.

A validating trigger `is-approved` closes the apply gate of every new revision of a space. We open
it with an approval, which is of one revision alone: any later change closes it again.
"""

from collections.abc import Iterable, Mapping

from traderx_gate.confighub import ConfigHub, Space, Unit
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import DeliveryError, RefusedError

TRIGGER = "verdict"
"""The trigger's slug; the gate is called `verdict/is-approved`."""
FUNCTION = "is-approved"
FEW = 3


def install(hub: ConfigHub, space: Space) -> None:
    """Have ConfigHub hold back what nobody approved in a space; harmless when it does."""
    if all(trigger.slug != TRIGGER for trigger in hub.trigger_list(space)):
        hub.trigger_create(space, TRIGGER, FUNCTION, {"num-approvers": 1})


def require_open(deployed: DeployedEnvironment, units: Iterable[Unit]) -> None:
    """Refuse to apply what ConfigHub holds back.

    Raises:
        RefusedError: Gates are closed; names them, and the ways to open them.
    """
    held = [unit for unit in units if unit.apply_gates]
    if not held:
        return
    name, upstream = deployed.spec.name, deployed.spec.upstream
    shown = ", ".join(unit.slug for unit in held[:FEW])
    more = f" and {len(held) - FEW} more" if len(held) > FEW else ""
    gates = ", ".join(sorted({gate for unit in held for gate in unit.apply_gates}))
    ways = f"`traderx-gate promote {upstream} {name}` opens it with proof"
    if deployed.spec.needs_approval:
        ways += f", `traderx-gate deploy {name} --unverified --reason TEXT` without"
    raise RefusedError(f"ConfigHub holds {shown}{more} of {name} back by {gates}; {ways}")


def approve(deployed: DeployedEnvironment, *, pinned: Mapping[str, int]) -> None:
    """Approve the heads of units that are held back, as long as they are the pinned revisions.

    Raises:
        DeliveryError: A unit has another head by now; what was approved before stays so.
    """
    hub, units = deployed.confighub, deployed.units()
    for slug, number in pinned.items():
        unit = units[slug]
        if unit.head_revision == number and not unit.apply_gates:
            continue
        hub.unit_approve(unit)
        seen = hub.unit_get(unit)
        if seen.head_revision != number:
            raise DeliveryError(
                f"unit {slug}: somebody changed it: its head is revision {seen.head_revision}, "
                f"not {number}"
            )
