"""ConfigHub: a client whose methods carry `cub`'s nouns and verbs, over the REST API.

Answers are parsed into frozen values at the edge; the server's message stays in the error.
"""

from traderx_gate.confighub.client import ConfigHub
from traderx_gate.confighub.credentials import cub_login
from traderx_gate.confighub.entities import (
    Conflict,
    Filter,
    Operation,
    Revision,
    Space,
    Target,
    Trigger,
    Unit,
    UnitEvent,
    UnitSet,
    Worker,
)

__all__ = [
    "ConfigHub",
    "Conflict",
    "Filter",
    "Operation",
    "Revision",
    "Space",
    "Target",
    "Trigger",
    "Unit",
    "UnitEvent",
    "UnitSet",
    "Worker",
    "cub_login",
]
