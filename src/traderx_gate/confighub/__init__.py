"""ConfigHub: a client whose methods carry `cub`'s nouns and verbs, over the REST API.

Answers are parsed into frozen values at the edge; the server's message stays in the error.
"""

from traderx_gate.confighub.client import ConfigHub
from traderx_gate.confighub.entities import (
    Operation,
    Revision,
    Space,
    Target,
    Unit,
    UnitEvent,
    Worker,
)

__all__ = [
    "ConfigHub",
    "Operation",
    "Revision",
    "Space",
    "Target",
    "Unit",
    "UnitEvent",
    "Worker",
]
