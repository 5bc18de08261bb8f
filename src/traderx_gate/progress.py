"""Progress of what takes longer than a few seconds: a bar on a terminal, plain lines elsewhere.

All of it goes to standard error, so that standard output stays what a program can read.
"""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_EVERY_S = 5.0
"""Between two lines where no bar can be drawn."""


class Steps:
    """So many steps, shown as they get done; used as a context manager."""

    def __init__(self, what: str, *, total: int, console: Console | None = None) -> None:
        self._what = what
        self._total = total
        self._console = console or Console(stderr=True)
        self._said = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}", style="dim"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(what, total=total, last="")

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self._bar.stop()

    def done(self, number: int, last: str) -> None:
        """Say how many steps are done, and which was the last."""
        self._bar.update(self._task, completed=number, last=last)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said >= PLAIN_EVERY_S:
            self._said = now
            self._console.out(
                f"{self._what}: {number} of {self._total}, last {last}", highlight=False
            )
