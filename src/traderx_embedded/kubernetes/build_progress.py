"""How far a build is: counts what Go says, and estimates what is left."""

import itertools
import os
import sys
from dataclasses import dataclass

CPU_S_A_PACKAGE = 0.28
"""Measured: 2,550 packages in 12 CPU-minutes; for the first guess only."""
PACE = ((0.0, 0.0), (0.24, 0.10), (0.44, 0.29), (0.65, 0.50), (0.87, 0.72), (0.96, 0.87), (1, 0.94))
"""Share of packages compiled, and share of the time used by then, as measured in a cold build.

The first packages are small and the last step, linking, has none.
"""


@dataclass(slots=True, kw_only=True)
class Progress:
    """Counts what Go says, and words it."""

    total: int
    done: int = 0

    def module(self, line: str, elapsed_s: float) -> str:
        """Count a line of the download; return where it is."""
        self.done += line.startswith("go: downloading ")
        return f"{self.done} modules downloaded, {elapsed_s:.0f} s"

    def package(self, line: str, elapsed_s: float) -> str:
        """Count a line of the compilation; return where it is, and how long it still takes."""
        self.done += bool(line) and not {":", " "} & set(line)
        left = f"about {seconds_left(self.done, self.total, elapsed_s):.0f} s left"
        if self.done >= self.total:
            return f"all packages compiled, linking, {elapsed_s:.0f} s, {left}"
        return f"{self.done} of {self.total} packages, {elapsed_s:.0f} s, {left}"


def seconds_left(done: int, total: int, elapsed_s: float) -> float:
    """Estimate from the pace of a measured build, and from how long this one has taken so far."""
    share = min(1.0, done / total) if total else 1.0
    used = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(PACE):
        if share >= x0:
            used = y0 + (min(share, x1) - x0) / (x1 - x0) * (y1 - y0)
    if used == 0:
        return first_guess_s(total) / processors()
    return elapsed_s * (1 - used) / used


def say(text: str) -> None:
    """Tell the user, on standard error."""
    print(f"control plane: {text}", file=sys.stderr, flush=True)


def first_guess_s(packages: int) -> float:
    """Estimate the CPU-seconds of a build that has not begun."""
    return packages * CPU_S_A_PACKAGE


def processors() -> int:
    """Return how many processors a build has here."""
    return len(os.sched_getaffinity(0))
