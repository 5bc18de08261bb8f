"""The only module that sleeps: deadlines, polling, and the one loop that waits for a condition.

Conditions are pure predicates over a snapshot. Where a watch exists, the snapshots come from it
(`traderx_gate.kube`); elsewhere from `polling`.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from traderx_gate.errors import ConfigurationError, NotReachedError

Snapshot = TypeVar("Snapshot")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time that a whole operation has to meet, however many waits it consists of.

    Attributes:
        seconds: How long the operation may take from now on.
    """

    seconds: float
    _end: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        object.__setattr__(self, "_end", time.monotonic() + self.seconds)

    def remaining(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())

    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.remaining() <= 0


def seconds(text: str, *, name: str) -> float:
    """Return a time that a user gave, in seconds.

    Args:
        text: The number.
        name: What it is the value of, for the message.

    Raises:
        ConfigurationError: It is none, or not above zero.
    """
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise ConfigurationError(f"{name} must be seconds, is {text!r}")
    return found


FOREVER = Deadline(float("inf"))
"""For what goes on until somebody interrupts it."""


def polling(
    read: Callable[[], Snapshot], *, every_s: float, deadline: Deadline
) -> Iterator[Snapshot]:
    """Yield what `read` returns, now and then every `every_s` seconds, until the deadline.

    At least one snapshot is yielded, also when the deadline has passed already.
    """
    while True:
        yield read()
        if deadline.is_over():
            return
        time.sleep(min(every_s, deadline.remaining()))


def until(
    snapshots: Iterable[Snapshot],
    condition: Callable[[Snapshot], bool],
    *,
    what: str,
    describe: Callable[[Snapshot], str] = str,
    hopeless: Callable[[Snapshot], str | None] = lambda _: None,
    successes: int = 1,
) -> Snapshot:
    """Return the snapshot with which `condition` held `successes` times in a row.

    Args:
        snapshots: The states over time; their end is the deadline.
        condition: A pure predicate.
        what: What is awaited, for the message.
        describe: Words for a snapshot, for the message.
        hopeless: Says why the condition can no longer come true; ends the wait at once.
        successes: How often in a row the condition has to hold, against flapping.

    Raises:
        NotReachedError: The snapshots ended or are hopeless; the message has the last one.
    """
    row = 0
    last: str | None = None
    for snapshot in snapshots:
        row = row + 1 if condition(snapshot) else 0
        if row >= successes:
            return snapshot
        last = describe(snapshot)
        if (reason := hopeless(snapshot)) is not None:
            raise NotReachedError(f"waited for {what}: {reason}; last seen: {last}")
    seen = "nothing was seen" if last is None else f"last seen: {last}"
    raise NotReachedError(f"waited for {what} until the deadline; {seen}")
