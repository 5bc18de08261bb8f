"""The embedded systems' command, and what it must leave behind: nothing."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from traderx_embedded import procfs, slots

COMMAND_TIMEOUT_S = 100
DEADLINE_S = 60.0
ARGV = (sys.executable, "-m", "traderx_embedded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What one cluster takes of the machine: ports of 127.0.0.1, and networks of its own."""

    ports: frozenset[int]
    networks: tuple[str, ...]

    @classmethod
    def of(cls, state: Path) -> "Traces":
        """Read them from a cluster that is up."""
        body = json.loads((state / "state.json").read_text())
        pods = body["pod_network"].removeprefix("10.")
        return cls(
            ports=frozenset(body["ports"].values()),
            networks=(f"127.{pods}.", f"{body['service_network']}.", f"{body['private_network']}."),
        )

    def listeners(self) -> list[str]:
        """Who listens there now, apart from a cluster that has got the networks since."""
        return [
            f"{c.laddr.ip}:{c.laddr.port} by {c.pid}"
            for c in psutil.net_connections(kind="tcp")
            if c.laddr and c.status == psutil.CONN_LISTEN
            if c.laddr.ip.startswith(self.networks) or c.laddr.port in self.ports
            if not _is_of_a_cluster(c.pid)
        ]


def _is_of_a_cluster(pid: int | None) -> bool:
    """Whether a process carries a cluster's marker; of ours there is none, as is asserted first."""
    try:
        return pid is not None and procfs.MARKER in psutil.Process(pid).environ()
    except psutil.NoSuchProcess:
        return True  # it has ended since


def embedded(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*ARGV, *words], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
    )


def status(state: Path) -> dict[str, Any]:
    """What runs, as the status says."""
    return dict(json.loads(embedded("status", str(state), "--json").stdout))


def up(state: Path) -> dict[str, Any]:
    """Bring it up, which has to work."""
    done = embedded("up", str(state))
    assert done.returncode == 0, done.stderr
    found = dict(json.loads(done.stdout))
    assert found["running"] is True
    return found


def down(state: Path, *options: str) -> None:
    """Take it down, which has to work."""
    done = embedded("down", str(state), *options)
    assert (done.returncode, done.stderr) == (0, "")


def assert_nothing_is_left(state: Path, traces: Traces) -> None:
    """No process, no listener, no file, no slot."""
    assert procfs.marked(state) == ()
    assert traces.listeners() == []
    assert not state.exists()
    assert str(state) not in slots.taken().values()


def pids(found: dict[str, Any]) -> dict[str, int]:
    """The process numbers of a status, by name."""
    return {process["name"]: process["pid"] for process in found["processes"]}
