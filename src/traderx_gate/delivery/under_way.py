"""A promotion that is under way, kept with the target's space: what a killed one has to go by.

It is written before the first unit is changed, and removed when the promotion has ended, well or
not. Where it is still there, `resume` goes on and `abort` goes back, on whatever machine.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from traderx_gate.confighub import ConfigHub, Space
from traderx_gate.errors import RefusedError
from traderx_gate.worker.auto_apply import UNDER_WAY

UNIT = f"{UNDER_WAY}."
"""One annotation a unit: values are short, and there may be many units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A promotion that began.

    Attributes:
        run: Its run.
        source: The environment that is promoted.
        before: Head revision of each of the target's units before it, by slug.
        wanted: Revision of the source's units that each is upgraded to.
    """

    run: str
    source: str
    before: Mapping[str, int]
    wanted: Mapping[str, int]

    def write(self, hub: ConfigHub, space: Space) -> None:
        """Keep it with the target's space."""
        units = {f"{UNIT}{u}": f"{self.before[u]} {self.wanted[u]}" for u in self.before}
        head = json.dumps({"run": self.run, "source": self.source})
        hub.space_annotate(space, {**units, UNDER_WAY: head})


def find(hub: ConfigHub, space: Space) -> UnderWay | None:
    """Return the promotion into a space that has not ended; None for none.

    Raises:
        RefusedError: The record cannot be read.
    """
    found = hub.space_find(space.slug)
    if found is None or UNDER_WAY not in found.annotations:
        return None
    try:
        head = json.loads(found.annotations[UNDER_WAY])
        pairs = {
            key.removeprefix(UNIT): [int(number) for number in text.split()]
            for key, text in found.annotations.items()
            if key.startswith(UNIT)
        }
        return UnderWay(
            run=str(head["run"]),
            source=str(head["source"]),
            before={slug: before for slug, (before, _) in pairs.items()},
            wanted={slug: wanted for slug, (_, wanted) in pairs.items()},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(
            f"space {space.slug}: its annotations {UNDER_WAY}* are not of the known form "
            f"({error}); restore them, or remove them to forget that promotion"
        ) from error


def clear(hub: ConfigHub, space: Space) -> None:
    """Forget it: it has ended."""
    found = hub.space_find(space.slug)
    if found is not None:
        keys = [key for key in found.annotations if key == UNDER_WAY or key.startswith(UNIT)]
        if keys:
            hub.space_annotate(space, dict.fromkeys(keys))


def require_none(hub: ConfigHub, space: Space, environment: str) -> None:
    """Refuse to begin anything else while a promotion has not ended.

    Raises:
        RefusedError: There is one; names the ways to end it.
    """
    found = find(hub, space)
    if found is not None:
        raise RefusedError(
            f"a promotion of {found.source} to {environment} did not end ({found.run}): go on with "
            f"`traderx-gate resume {environment}`, or back with `traderx-gate abort {environment}`"
        )
