"""Approving the head revision of units.

Whoever asks is added once, however often they ask: an approval says who, not how many times. A new
head revision has no approvals.
"""

from dataclasses import replace

from traderx_embedded.confighub import listing, triggers, units
from traderx_embedded.confighub.call import Answer, Call
from traderx_embedded.confighub.entities import Unit
from traderx_embedded.confighub.errors import bad_request
from traderx_embedded.confighub.store import Transaction


def approve(tx: Transaction, call: Call) -> Answer:
    """POST /space/{space}/unit/{unit}/approve."""
    return Answer.of(_approve(tx, units.unit_of(tx, call)))


def approve_many(tx: Transaction, call: Call) -> Answer:
    """POST /unit/approve."""
    if not call.query.get("where"):
        raise bad_request("where is required for this call")
    chosen = listing.matching(tx, Unit, call, tx.all(Unit))
    return Answer.of_items([{"Message": _approve(tx, unit), "Error": None} for unit in chosen])


def _approve(tx: Transaction, unit: Unit) -> str:
    if tx.user_id not in unit.approved_by:
        unit = replace(unit, approved_by=(*unit.approved_by, tx.user_id))
    held = triggers.hold(tx, unit)
    gates = ", ".join(sorted(held.apply_gates))
    told = f"unit {held.slug} approved at revision {held.head_revision_num}"
    return f"{told}; still held by {gates}" if gates else told
