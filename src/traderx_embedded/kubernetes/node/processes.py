"""The processes of a pod on this machine: found by their marker, so that none outlives its pod."""

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
KILL_DEADLINE_S = 5.0


def of_pod(uid: str) -> list[int]:
    """Return the ids of all processes that carry the pod's marker."""
    marker = f"TRADERX_POD_UID={uid}".encode()
    return [pid for pid, variables in _environments() if marker in variables]


def of_all_pods(state: Path) -> list[int]:
    """Return the ids of all pod processes of the cluster in this state directory."""
    marker = f"TRADERX_STATE={state}".encode()
    return [
        pid
        for pid, variables in _environments()
        if marker in variables and any(item.startswith(b"TRADERX_POD_UID=") for item in variables)
    ]


def end(pids: list[int]) -> None:
    """SIGKILL each that still lives, and return when it is gone and holds no port any more."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], KILL_DEADLINE_S)
        except ProcessLookupError:
            continue
        finally:
            os.close(handle)


def anonymous_bytes(pids: list[int]) -> int:
    """Return the memory that only these processes hold: what an out-of-memory killer counts."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        try:
            fields = (PROC / str(pid) / "statm").read_bytes().split()
        except OSError:
            continue  # it has ended
        total += (int(fields[1]) - int(fields[2])) * page
    return total


def cpu_s(pids: list[int]) -> float:
    """Return the CPU seconds of these processes, and of children they have waited for."""
    ticks = 0
    for pid in pids:
        try:
            stat = (PROC / str(pid) / "stat").read_bytes()
        except OSError:
            continue  # it has ended
        ticks += sum(int(field) for field in stat.rpartition(b")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def sessions() -> dict[int, list[int]]:
    """Return the live processes by session; the first process of a container leads a session."""
    found: dict[int, list[int]] = {}
    for pid in _pids():
        try:
            stat = (PROC / str(pid) / "stat").read_bytes()
        except OSError:
            continue  # it has ended
        # The name in parentheses may contain anything, spaces and parentheses included.
        session = int(stat.rpartition(b")")[2].split()[3])
        found.setdefault(session, []).append(pid)
    return found


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    own = os.getpid()
    for pid in _pids():
        if pid == own:
            continue
        try:
            yield pid, (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended, or belongs to another user
