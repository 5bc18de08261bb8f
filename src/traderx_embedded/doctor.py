"""What this machine and this state directory look like to the embedded systems; changes nothing."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from traderx_embedded import cluster, procfs, slots, supervisor
from traderx_embedded.errors import EmbeddedError
from traderx_embedded.kubernetes import go, programs
from traderx_embedded.kubernetes.versions import Versions
from traderx_embedded.state import SLOTS, State

OK, WARNING, PROBLEM = "ok", "warning", "problem"
BUILD_BYTES = 8 << 30
"""What a cold build of the control plane writes, most of it into Go's cache."""
MEMORY_BYTES = 1 << 30
"""What a cluster with ConfigHub and three stand-ins needs, with some room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: what was looked at, how it is, what was seen, what to do."""

    check: str
    level: str
    seen: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """The form that crosses to the gate."""
        return asdict(self)


def findings(state: State) -> tuple[Finding, ...]:
    """Look at everything; a check that cannot look is itself a problem."""
    checks: tuple[tuple[str, Callable[[State], Iterator[Finding]]], ...] = (
        ("system", _system),
        ("control plane", _control_plane),
        ("processes", _processes),
        ("address slots", _slots),
        ("disk", _disk),
        ("memory", _memory),
    )
    found: list[Finding] = []
    for name, check in checks:
        try:
            found += check(state)
        except (EmbeddedError, OSError) as error:
            found.append(Finding(check=name, level=PROBLEM, seen=str(error)))
    return tuple(found)


def _system(_: State) -> Iterator[Finding]:
    cluster.require_linux()
    yield Finding(check="system", level=OK, seen="Linux")


def _control_plane(_: State) -> Iterator[Finding]:
    versions = Versions.pinned()
    what = f"Kubernetes {versions.kubernetes}, etcd {versions.etcd}"
    found, why_not = programs.look(versions)
    if why_not:
        yield Finding(
            check="KUBEBUILDER_ASSETS",
            level=WARNING,
            seen=why_not,
            advice="it is not used: point it to these versions, or unset it",
        )
    if found is None:
        yield Finding(
            check="control plane",
            level=WARNING,
            seen=f"{what} not built yet",
            advice="`traderx-gate up` builds it once, in about 12 CPU-minutes",
        )
    else:
        yield Finding(check="control plane", level=OK, seen=f"{what} in {found}")
    yield from _half_build()
    try:
        program = go.go_program(versions)
        yield Finding(check="go", level=OK, seen=f"{go.version_of(program)} at {program}")
    except EmbeddedError as error:
        if found is None:
            yield Finding(check="go", level=PROBLEM, seen=str(error))
        else:
            yield Finding(check="go", level=OK, seen="none; not needed, the control plane is built")


def _half_build() -> Iterator[Finding]:
    folder = slots.cache() / "control-plane"
    if not any(folder.glob(".building*")):
        return
    with (folder / "build.lock").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield Finding(check="build", level=OK, seen="a build of the control plane runs")
            return
    yield Finding(
        check="build",
        level=WARNING,
        seen=f"a killed build left {folder}/.building*",
        advice="the next `traderx-gate up` or `down` removes it",
    )


def _processes(state: State) -> Iterator[Finding]:
    settings, running = state.settings(), supervisor.read_status(state)
    if running is None:
        yield from _without_supervisor(state, was_up=settings is not None)
        return
    bad = [f"{p.name} is {p.state}" for p in running.processes if p.state != "running"]
    if bad:
        yield Finding(
            check="processes",
            level=PROBLEM,
            seen=", ".join(bad),
            advice=f"`traderx-gate up` waits for them; logs are in {state.logs}",
        )
    else:
        yield Finding(
            check="processes", level=OK, seen=f"{len(running.processes)} run in {state.root}"
        )


def _without_supervisor(state: State, *, was_up: bool) -> Iterator[Finding]:
    left = procfs.marked(state.root)
    if left:
        yield Finding(
            check="processes",
            level=PROBLEM,
            seen=f"{len(left)} are left of a run that was killed: {', '.join(map(str, left))}",
            advice="`traderx-gate up` repairs it, `traderx-gate down` removes it",
        )
    elif was_up:
        yield Finding(
            check="processes",
            level=WARNING,
            seen=f"none runs, {state.root} holds a cluster's data",
            advice="`traderx-gate up` goes on with it, `traderx-gate down` removes it",
        )
    else:
        yield Finding(
            check="processes", level=OK, seen="nothing is up", advice="`traderx-gate up` starts it"
        )


def _slots(state: State) -> Iterator[Finding]:
    taken = slots.taken()
    others = sorted(holder for holder in taken.values() if holder != str(state.root))
    seen = f"{SLOTS - len(taken)} of {SLOTS} free"
    if len(others) == SLOTS:
        yield Finding(
            check="address slots",
            level=PROBLEM,
            seen=f"{seen}; taken by {', '.join(others)}",
            advice="take one of them down with TRADERX_GATE_STATE=... `traderx-gate down`",
        )
    else:
        yield Finding(check="address slots", level=OK, seen=seen)


def _disk(state: State) -> Iterator[Finding]:
    built = programs.look(Versions.pinned())[0] is not None
    places = [(state.root, cluster.DISK_NEEDED_BYTES, "a cluster")]
    if not built:
        places.append((slots.cache(), BUILD_BYTES, "a build of the control plane"))
    for path, needed, what in places:
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        free = shutil.disk_usage(there).free
        enough = free >= needed
        yield Finding(
            check="disk",
            level=OK if enough else PROBLEM,
            seen=f"{_gib(free)} free for {path}, {what} needs up to {_gib(needed)}",
            advice="" if enough else _another_disk(path),
        )


def _another_disk(path: Path) -> str:
    variable = "XDG_CACHE_HOME" if path == slots.cache() else "TRADERX_GATE_STATE"
    return f"free some, or set {variable} to another disk"


def _memory(state: State) -> Iterator[Finding]:
    free = psutil.virtual_memory().available
    enough = free >= MEMORY_BYTES or supervisor.read_status(state) is not None
    yield Finding(
        check="memory",
        level=OK if enough else PROBLEM,
        seen=f"{_gib(free)} free, a cluster needs {_gib(MEMORY_BYTES)}",
        advice="" if enough else "end something else first",
    )


def _gib(number: int) -> str:
    return f"{number / (1 << 30):.1f} GiB"
