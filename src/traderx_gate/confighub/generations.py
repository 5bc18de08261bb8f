"""Which API a server speaks, and all that differs between them for this client.

Known are that of August 2025 and that of June 2026 (`reference/confighub-2026-06.md`); a newer one
is spoken to as the newest known.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any


class Generation(Enum):
    """A generation of ConfigHub's API."""

    AUGUST_2025 = "2025-08"
    JUNE_2026 = "2026-06"

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "Generation":
        """Return which one a server speaks, by what `/info` says: since 2026 it has a version."""
        return cls.JUNE_2026 if info.get("Version") else cls.AUGUST_2025

    @property
    def has_sets(self) -> bool:
        """Whether units can be put into sets; later servers have filters alone."""
        return self is Generation.AUGUST_2025

    @property
    def live_objects(self) -> str:
        """The field of a unit that holds its live objects; later `LiveState` is the provider's."""
        return "LiveState" if self is Generation.AUGUST_2025 else "LiveData"
