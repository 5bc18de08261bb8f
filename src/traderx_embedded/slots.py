"""Slots and ports: what keeps several clusters on one machine out of each other's way.

A slot is a range of loopback addresses. Its file in the user's cache names the state directory
that has it, also while nothing runs there; a lock on that file, inherited by the processes, keeps
it while any of them lives, also when the directory was deleted under them.
"""

import errno
import fcntl
import json
import os
import random
import socket
from pathlib import Path

from traderx_embedded.errors import RefusedError
from traderx_embedded.state import SLOTS, Ports, State

_PORTS_A_SLOT = 256


def cache() -> Path:
    """This project's folder in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "traderx-gate"


def acquire(state: State, *, slot: int | None) -> tuple[int, int]:
    """Take a slot for this state directory.

    Args:
        state: Who takes it.
        slot: The one it has already, for good: cluster data holds addresses of it.

    Returns:
        The slot, and the descriptor that holds its lock.

    Raises:
        RefusedError: Every slot is taken, or the given one is.
    """
    folder = cache() / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    holders = []
    for candidate in range(SLOTS) if slot is None else (slot,):
        descriptor = os.open(folder / str(candidate), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        holder = os.pread(descriptor, 4096, 0).decode()
        if free and (holder in ("", str(state.root)) or not _claims(Path(holder), candidate)):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(state.root).encode(), 0)
            return candidate, descriptor
        holders.append(f"{candidate}: {holder}")
        os.close(descriptor)
    raise RefusedError(
        f"{state.root}: no free address slot ({'; '.join(holders)}); take one of them down"
    )


def _claims(root: Path, slot: int) -> bool:
    """Whether that directory says it has this slot; an unreadable one might."""
    try:
        return bool(json.loads((root / "state.json").read_text(encoding="utf-8"))["slot"] == slot)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True


def taken() -> dict[int, str]:
    """Return the slots that cannot be had, and who has them; takes none, not even for a moment."""
    found = {}
    locked = _locked_files()
    for file in (cache() / "slots").glob("*"):
        holder = file.read_text(encoding="utf-8")
        if file.stat().st_ino in locked or (holder and _claims(Path(holder), int(file.name))):
            found[int(file.name)] = holder
    return found


def _locked_files() -> set[int]:
    """The inodes of files that somebody has locked; those of another disk are in it too."""
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    devices = [word for line in lines for word in line.split() if word.count(":") == 2]
    return {int(device.rpartition(":")[2]) for device in devices}


def release(state: State) -> None:
    """Forget which slots this state directory had."""
    for file in (cache() / "slots").glob("*"):
        if file.read_text(encoding="utf-8") == str(state.root):
            file.write_text("", encoding="utf-8")


def choose_ports(slot: int, *, previous: Ports | None) -> Ports:
    """Pick ports that can be bound now, the previous ones where possible.

    They come from below the kernel's ephemeral range: a port out of it can be taken by any
    outgoing connection while a program restarts, and under load some always are.
    """
    chosen: dict[str, int] = {}
    for name in Ports.names():
        port = getattr(previous, name) if previous is not None else None
        if port is None or not _is_free(port):
            port = _free_port(slot, taken=set(chosen.values()))
        chosen[name] = port
    return Ports(**chosen)


def _free_port(slot: int, *, taken: set[int]) -> int:
    first = _ephemeral_start() - (SLOTS - slot) * _PORTS_A_SLOT
    if first < 1024:  # the range starts too low to stay below it
        return _kernel_port()
    ports = list(range(first, first + _PORTS_A_SLOT))
    random.shuffle(ports)  # users with caches of their own may have the same slot
    for port in ports:
        if port not in taken and _is_free(port):
            return port
    return _kernel_port()


def _ephemeral_start() -> int:
    return int(
        Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0]
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def _kernel_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
