"""Heads of an environment's units: back to earlier revisions, all or none, byte for byte."""

from collections.abc import Mapping

from traderx_gate.confighub import ConfigHub, Revision, Unit
from traderx_gate.errors import DeliveryError, RefusedError


def revisions_of(
    hub: ConfigHub, units: Mapping[str, Unit], numbers: Mapping[str, int]
) -> dict[str, Revision]:
    """Return the revisions that numbers name, by the units' slugs.

    Raises:
        RefusedError: A unit or a revision is not there.
    """
    found: dict[str, Revision] = {}
    for slug, number in numbers.items():
        if slug not in units:
            raise RefusedError(f"there is no unit {slug} any more; restore it from a backup first")
        known = {revision.number: revision for revision in hub.revision_list(units[slug])}
        if number not in known:
            raise RefusedError(
                f"unit {slug} has no revision {number}; there are "
                f"{min(known, default=0)} to {max(known, default=0)}"
            )
        found[slug] = known[number]
    return found


def restore(
    hub: ConfigHub, units: Mapping[str, Unit], wanted: Mapping[str, Revision], *, why: str
) -> dict[str, int]:
    """Make heads of the data of revisions; returns the number of each head, by slug.

    A head that has these bytes already stays.

    Raises:
        DeliveryError: A head is not byte-identical to its revision afterwards.
    """
    heads = {}
    for slug, revision in wanted.items():
        unit = units[slug]
        if unit.sha256 != revision.sha256:
            unit = hub.unit_restore(unit, revision, change=why)
        if unit.sha256 != revision.sha256:
            raise DeliveryError(
                f"unit {slug}: its head {unit.head_revision} is not what revision "
                f"{revision.number} was: a trigger of its space changed it, or somebody did"
            )
        heads[slug] = unit.head_revision
    return heads
