"""What the summary of a space counts.

Two counts have no published meaning; decided here: a unit is unlinked if no link starts or ends at
it, and its change is recent if its head revision is less than a day old.
"""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from traderx_embedded.confighub.attributes import time_text
from traderx_embedded.confighub.entities import (
    BridgeWorker,
    ChangeSet,
    Filter,
    Invocation,
    Link,
    Resident,
    Space,
    Tag,
    Target,
    Trigger,
    Unit,
    View,
)
from traderx_embedded.confighub.store import Transaction

_RECENT = timedelta(days=1)
_TOTALS: tuple[type[Resident], ...] = (
    *(Unit, BridgeWorker, Link, Filter, View, Tag, ChangeSet, Invocation),
)
_UNIT_COUNTS = (
    "GatedUnitCount",
    "UnappliedUnitCount",
    "UnapprovedUnitCount",
    "UpgradableUnitCount",
    "UnlinkedUnitCount",
    "RecentChangeUnitCount",
    "IncompleteApplyUnitCount",
)


class Summaries:
    """The counts of all spaces, counted once."""

    def __init__(self, tx: Transaction) -> None:
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._targets: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._triggers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for kind in _TOTALS:
            for entity in tx.all(kind):
                self._counts[entity.space_id][f"Total{kind.__name__}Count"] += 1
        self._count_units(tx)
        for target in tx.all(Target):
            self._targets[target.space_id][target.toolchain_type] += 1
        for trigger in tx.all(Trigger):
            self._triggers[trigger.space_id][trigger.event] += 1

    def of(self, space: Space) -> dict[str, Any]:
        """Return the counts of a space; what there is none of is 0."""
        names = (*_UNIT_COUNTS, *(f"Total{kind.__name__}Count" for kind in _TOTALS))
        return {
            **{name: self._counts[space.id][name] for name in names},
            "TargetCountByToolchainType": dict(self._targets[space.id]),
            "TriggerCountByEventType": dict(self._triggers[space.id]),
        }

    def _count_units(self, tx: Transaction) -> None:
        linked = {end for link in tx.all(Link) for end in (link.from_unit_id, link.to_unit_id)}
        recent = time_text(datetime.now(UTC) - _RECENT)
        for unit in tx.all(Unit):
            upstream = tx.find(Unit, unit.upstream_unit_id) if unit.upstream_unit_id else None
            behind = (
                upstream is not None and upstream.head_revision_num > unit.upstream_revision_num
            )
            holds = (
                bool(unit.apply_gates),
                unit.head_revision_num > unit.live_revision_num,
                not unit.approved_by,
                behind,
                unit.id not in linked,
                (unit.head_revision_at or "") > recent,
                unit.last_applied_revision_num != unit.live_revision_num,
            )
            self._counts[unit.space_id].update(
                dict(zip(_UNIT_COUNTS, map(int, holds), strict=True))
            )
