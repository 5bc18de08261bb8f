"""The resources of a unit's text: which they are, and which of two texts are the same one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traderx_embedded.confighub.functions import nodes

# type, name, namespace where two would be one without it, number where two are one with it
Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One document of a unit: its text, from one separator to the next, and its value."""

    text: str
    value: Any

    @property
    def type(self) -> str:
        """What it is, such as `apps/v1/Deployment`; empty where it does not say."""
        if not isinstance(self.value, dict):
            return ""
        parts = (self.value.get("apiVersion"), self.value.get("kind"))
        return "/".join(part for part in parts if isinstance(part, str))

    @property
    def name(self) -> str:
        """Its name; empty where it has none."""
        return self._metadata("name")

    @property
    def namespace(self) -> str:
        """Its namespace; empty where it has none."""
        return self._metadata("namespace")

    def _metadata(self, key: str) -> str:
        metadata = self.value.get("metadata") if isinstance(self.value, dict) else None
        value = metadata.get(key) if isinstance(metadata, dict) else None
        return value if isinstance(value, str) else ""


def read(text: str) -> list[Resource]:
    """Return the documents of a text, the empty ones too; put together they are the text.

    Raises:
        FunctionError: It cannot be read, or has aliases, which no edit can follow.
    """
    return [
        Resource(text=part, value=nodes.plain(nodes.compose(part)))
        for part in nodes.documents(text)
    ]


def by_key(*sides: Sequence[Resource]) -> list[Mapping[Key, Resource]]:
    """Return the filled documents of each text by a key that names the same one in all of them.

    The namespace is no part of it, since a clone mostly has its own, unless a text has more than
    one resource of that type and name.
    """
    twice = {
        name
        for side in sides
        for name, count in Counter((item.type, item.name) for item in side).items()
        if count > 1
    }
    found: list[Mapping[Key, Resource]] = []
    for side in sides:
        mapping: dict[Key, Resource] = {}
        counts: Counter[tuple[str, str, str]] = Counter()
        for item in side:
            if item.value is None:
                continue
            name = (item.type, item.name)
            full = (*name, item.namespace if name in twice else "")
            mapping[(*full, counts[full])] = item
            counts[full] += 1
        found.append(mapping)
    return found
