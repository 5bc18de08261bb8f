"""Processes as the kernel tells them: who is alive, and who belongs to a state directory.

The marker in the environment outlives every parent, so leftovers of any crash are found by it.
"""

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from traderx_embedded.errors import LeftoverError

MARKER = "TRADERX_STATE"
_ROUNDS = 20  # a process may fork while we look; each round finds what the last one missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process for good: its number can be used again, the two together cannot."""

    pid: int
    started: int

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return start_ticks(self.pid) == self.started


def start_ticks(pid: int) -> int | None:
    """When the process began, in ticks since boot; None if there is none or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()  # a name may hold spaces and brackets
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def marked(root: Path) -> tuple[int, ...]:
    """The processes that carry this state directory's marker, without the calling one."""
    wanted = f"{MARKER}={root}".encode()
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            if wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return tuple(found)


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal this very process, never one that took its number.

    Returns:
        Whether it was there.
    """
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not identity.is_alive:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def await_end(pid: int, timeout_s: float) -> bool:
    """Wait until the process has ended; False if the time was up first."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(descriptor)


def kill_marked(root: Path, *, timeout_s: float = 20) -> tuple[int, ...]:
    """Kill every process that carries the marker and wait until none is left.

    Returns:
        What was killed.

    Raises:
        LeftoverError: Some are still there after the time.
    """
    deadline = time.monotonic() + timeout_s
    killed: list[int] = []
    for _ in range(_ROUNDS):
        found = [
            Identity(pid=pid, started=ticks)
            for pid in marked(root)
            if (ticks := start_ticks(pid)) is not None
        ]
        if not found:
            return tuple(killed)
        for identity in found:
            send(identity, signal.SIGKILL)
        for identity in found:
            await_end(identity.pid, max(0, deadline - time.monotonic()))
        killed += [identity.pid for identity in found]
    raise LeftoverError(
        f"{root}: processes {', '.join(map(str, marked(root)))} are still there after SIGKILL; "
        "see what holds them with `ps`, then run `down` again"
    )
