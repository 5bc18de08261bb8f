"""What was measured, and how it compares with its target."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the median has to be.

    Attributes:
        bound: The number to meet.
        at_least: Whether more is better.
    """

    bound: float
    at_least: bool = False

    def is_met_by(self, value: float) -> bool:
        """Whether a median meets it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        """Return it in words."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:,g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Repeated measurements of one thing.

    Attributes:
        target: None where none was set.
    """

    what: str
    unit: str
    values: tuple[float, ...]
    target: Target | None = None

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the median meets the target; None without one."""
        return None if self.target is None else self.target.is_met_by(self.median)

    def to_json(self) -> dict[str, Any]:
        """Return it with every value."""
        target = self.target
        return {
            "what": self.what,
            "unit": self.unit,
            "n": len(self.values),
            "min": min(self.values),
            "median": self.median,
            "max": max(self.values),
            "values": list(self.values),
            "target": None if target is None else {"bound": target.bound, "text": str(target)},
            "met": self.is_met,
        }

    def cells(self) -> tuple[str, ...]:
        """Return its row of the table."""
        met = {True: "met", False: "MISSED", None: ""}[self.is_met]
        numbers = (min(self.values), self.median, max(self.values))
        return (
            f"{self.what} ({self.unit})",
            str(len(self.values)),
            *(f"{number:,.2f}" if number < 100 else f"{number:,.0f}" for number in numbers),
            str(self.target or ""),
            met,
        )


def table(measurements: Sequence[Measurement]) -> str:
    """Return all rows, aligned."""
    head = ("what", "n", "min", "median", "max", "target", "")
    rows = [head, *(measurement.cells() for measurement in measurements)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in {0, 5, 6} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
