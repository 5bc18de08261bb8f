"""What a project has in ConfigHub besides its units: stored filters and sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

from traderx_gate.errors import ConfigurationError
from traderx_gate.tables import Fields, read_toml

SOURCE = "application/layout.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSpec:
    """A stored `where` over units; `{project}` in it stands for the project's name."""

    name: str
    where: str

    def of(self, project: str) -> str:
        """Return the `where` for a project."""
        return self.where.replace("{project}", project)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSpec:
    """A named set of units."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The filters, which lie in a space of their own, and the sets, which lie in the base."""

    filters: tuple[FilterSpec, ...]
    sets: tuple[SetSpec, ...]

    @classmethod
    def from_toml(cls, text: str, *, source: str) -> Self:
        """Read the layout.

        Raises:
            ConfigurationError: Malformed; names `source` and the line or key.
        """
        take = Fields(read_toml(text, source=source), where=source)
        filters = []
        for number, table in enumerate(take.tables("filter"), start=1):
            row = Fields(table, where=f"{source}: filter {number}")
            filters.append(FilterSpec(name=row.text("name"), where=row.text("where")))
            row.nothing_else()
        sets = []
        for number, table in enumerate(take.tables("set"), start=1):
            where = f"{source}: set {number}"
            row = Fields(table, where=where)
            labels = row.any("labels", dict)
            if not all(isinstance(value, str) for value in labels.values()):
                raise ConfigurationError(f"{where}: labels must be texts, are {labels!r}")
            sets.append(SetSpec(name=row.text("name"), labels=labels))
            row.nothing_else()
        take.nothing_else()
        return cls(filters=tuple(filters), sets=tuple(sets))


@cache
def load_layout() -> Layout:
    """Return the layout that comes with the project."""
    text = files(__package__).joinpath("layout.toml").read_text(encoding="utf-8")
    return Layout.from_toml(text, source=SOURCE)
