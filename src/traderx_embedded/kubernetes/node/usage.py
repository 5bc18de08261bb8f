"""CPU and memory that containers and the machine used, measured from time to time."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from traderx_embedded.kubernetes.node import clock, processes
from traderx_embedded.kubernetes.node.container import ContainerRun

PERIOD_S = 5.0
_IDLE = (3, 4)
"""The fields of /proc/stat that are no work: idle, and waiting for a disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used in the time before a moment.

    Attributes:
        cores: CPU seconds a second, on average over the time.
        memory_bytes: Held at the moment, by the measure of memory limits.
    """

    moment: datetime
    window_s: float
    cores: float
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    at_s: float
    cpu_s: float


class UsageMeter:
    """Measures the runs that `runs` names, and the machine."""

    def __init__(self, runs: Callable[[], Iterable[ContainerRun]]) -> None:
        self._runs = runs
        self._samples: dict[ContainerRun, _Sample] = {}
        self._usages: dict[ContainerRun, Usage] = {}
        self._machine_sample = _Sample(at_s=time.monotonic(), cpu_s=machine_cpu_s())
        self.machine: Usage | None = None

    def of(self, run: ContainerRun) -> Usage | None:
        """Return what a run used; None if it has not been measured yet."""
        return self._usages.get(run)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            # One pass over all processes of the machine, off the loop.
            await asyncio.to_thread(self._measure, tuple(self._runs()))

    def _measure(self, runs: tuple[ContainerRun, ...]) -> None:
        sessions = processes.sessions()
        samples, usages = {}, {}
        for run in runs:
            pids = sessions.get(run.pid, [])
            sample = _Sample(at_s=time.monotonic(), cpu_s=processes.cpu_s(pids))
            age_s = (clock.now() - run.started).total_seconds()
            # What it used before the first measurement it has used since its start.
            before = self._samples.get(run, _Sample(at_s=sample.at_s - age_s, cpu_s=0.0))
            samples[run] = sample
            usages[run] = _usage(before, sample, processes.anonymous_bytes(pids))
        self._samples, self._usages = samples, usages
        machine = _Sample(at_s=time.monotonic(), cpu_s=machine_cpu_s())
        self.machine = _usage(self._machine_sample, machine, machine_memory_bytes())
        self._machine_sample = machine


def _usage(before: _Sample, now: _Sample, memory_bytes: int) -> Usage:
    window_s = max(now.at_s - before.at_s, 0.001)
    return Usage(
        moment=clock.now(),
        window_s=window_s,
        # A process that ended without being waited for takes its time with it.
        cores=max(now.cpu_s - before.cpu_s, 0.0) / window_s,
        memory_bytes=memory_bytes,
    )


def machine_cpu_s() -> float:
    """Return the CPU seconds that the machine has worked since its boot."""
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    fields = [int(field) for field in line.split()[1:9]]
    ticks = sum(field for number, field in enumerate(fields) if number not in _IDLE)
    return ticks / os.sysconf("SC_CLK_TCK")


def machine_memory_bytes() -> int:
    """Return the memory that programs could not have any more."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return (kib["MemTotal"] - kib["MemAvailable"]) * 1024
