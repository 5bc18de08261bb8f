"""The state directory: where each file of an embedded cluster is, its lock, and `state.json`.

What the files mean is written by their owners; what the processes are is in `processes`.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from traderx_embedded.errors import RefusedError

VERSION = 1
SLOTS = 16
NODE_NAME = "embedded"

# What `up` and its processes make; `down` removes these names and nothing else.
_DATA = (
    "state.json", "pki", "kubeconfig", "kubernetes", "node", "logs", "processes",
    "confighub.db", "confighub.db-journal", "confighub.db-wal", "confighub.db-shm",
    "confighub.token", "control.token",
)  # fmt: skip
_RUNTIME = ("run", "hosts.json", "egress.sock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The loopback ports of one cluster."""

    etcd: int
    etcd_peer: int
    apiserver: int
    controller_manager: int
    scheduler: int
    kubelet: int
    confighub: int
    control: int
    ingress: int

    @staticmethod
    def names() -> tuple[str, ...]:
        """Every port's name."""
        return tuple(Ports.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A cluster of somebody else's, beside which ConfigHub runs alone.

    Attributes:
        kind: As `--cluster` names it, such as `existing`.
    """

    kind: str
    kubeconfig: Path
    context: str

    def __str__(self) -> str:
        """Return `context C of /path`."""
        return f"context {self.context} of {self.kubeconfig}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one cluster decided when it first came up: `state.json`.

    Attributes:
        outside: The cluster that is served; None for one of our own.
    """

    slot: int
    ports: Ports
    node_name: str = NODE_NAME
    outside: Outside | None = None

    @property
    def pod_network(self) -> str:
        """The first two numbers of the pods' addresses as they are shown."""
        return f"10.{244 - self.slot}"

    @property
    def service_network(self) -> str:
        """The first two numbers of ClusterIPs."""
        return f"127.{96 + self.slot}"

    @property
    def private_network(self) -> str:
        """The first two numbers of the addresses that pod processes bind."""
        return f"127.{200 - self.slot}"

    def to_json(self) -> dict[str, Any]:
        """The content of `state.json`."""
        return {
            "version": VERSION,
            "slot": self.slot,
            "pod_network": self.pod_network,
            "service_network": self.service_network,
            "private_network": self.private_network,
            "node_name": self.node_name,
            "ports": asdict(self.ports),
            "outside": None
            if self.outside is None
            else {**asdict(self.outside), "kubeconfig": str(self.outside.kubeconfig)},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Settings":
        """Read what `to_json` wrote.

        Raises:
            ValueError: A key is missing, of another kind, or of another version.
        """
        try:
            version, slot, ports = value["version"], value["slot"], value["ports"]
            if version != VERSION:
                raise ValueError(f"version is {version!r}, this program reads {VERSION}")
            if not isinstance(slot, int) or not 0 <= slot < SLOTS:
                raise ValueError(f"slot is {slot!r}, expected 0..{SLOTS - 1}")
            numbers = {name: ports[name] for name in Ports.names()}
            for name, port in numbers.items():
                if not isinstance(port, int) or not 0 < port < 65536:
                    raise ValueError(f"ports.{name} is {port!r}, expected a port number")
            given = value.get("outside")
            outside = given and Outside(
                kind=str(given["kind"]),
                kubeconfig=Path(given["kubeconfig"]),
                context=str(given["context"]),
            )
            return cls(
                slot=slot,
                ports=Ports(**numbers),
                node_name=str(value["node_name"]),
                outside=outside,
            )
        except KeyError as error:
            raise ValueError(f"key {error.args[0]!r} is missing") from error
        except TypeError as error:
            raise ValueError(f"not the expected shape: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One state directory, by absolute path."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> "State":
        """The state directory at this path, which need not exist."""
        return cls(root=path.expanduser().absolute())

    @property
    def settings_file(self) -> Path:
        """What the cluster decided once; its presence claims the slot."""
        return self.root / "state.json"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.root / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def kubernetes(self) -> Path:
        """The control plane's own files."""
        return self.root / "kubernetes"

    @property
    def logs(self) -> Path:
        """One log for each process."""
        return self.root / "logs"

    @property
    def processes(self) -> Path:
        """One file for each process that shall run."""
        return self.root / "processes"

    @property
    def run(self) -> Path:
        """What is true only while the processes run."""
        return self.root / "run"

    @property
    def confighub_token(self) -> Path:
        """ConfigHub's bearer token."""
        return self.root / "confighub.token"

    @property
    def control_token(self) -> Path:
        """The control address's bearer token."""
        return self.root / "control.token"

    @property
    def exists(self) -> bool:
        """Whether anything was ever brought up here and not taken down."""
        return self.root.is_dir()

    def log(self, process: str) -> Path:
        """The log of one process."""
        return self.logs / f"{process}.log"

    def settings(self) -> Settings | None:
        """What `state.json` says, or None if nothing was brought up here yet.

        Raises:
            RefusedError: It is there and cannot be read.
        """
        try:
            text = self.settings_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error
        try:
            return Settings.from_json(json.loads(text))
        except ValueError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> RefusedError:
        return RefusedError(
            f"{self.settings_file}: unreadable: {error}; "
            "`down` removes this cluster, the next `up` makes a new one"
        )

    @contextlib.contextmanager
    def locked(self, *, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the directory for one command; made if missing.

        The lock is on the directory itself, so that removing it leaves no lock file behind, and
        the kernel drops it with the process that held it, however that ended.

        Args:
            waiting: Called once if another command holds it.
        """
        descriptor = self._lock(waiting)
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock(self, waiting: Callable[[], None]) -> int:
        while True:
            self._make_root()
            try:
                descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:  # removed by a `down` in between
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(descriptor), self.root.stat()):
                    return descriptor
            except FileNotFoundError:
                pass
            os.close(descriptor)  # the one we locked is gone, a new one took its name

    def _make_root(self) -> None:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise RefusedError(
                f"{self.root}: cannot be the state directory: {error.strerror}"
            ) from error

    def clear(self, *, keep_data: bool) -> None:
        """Remove what `up` and its processes made, `state.json` first: without it all is void.

        Args:
            keep_data: Keep what the next `up` can go on with.
        """
        for name in _RUNTIME if keep_data else (*_RUNTIME, *_DATA):
            _remove(self.root / name)
        for half in self.root.glob(".*.new*"):  # of a command that was killed while it wrote
            _remove(half)
        if not keep_data:
            _remove_unheld(self.root / "locks")

    def remove(self, *, keep_data: bool) -> None:
        """Remove what `up` and its processes made, and the directory if that leaves it empty.

        Args:
            keep_data: Keep what the next `up` can go on with.
        """
        self.clear(keep_data=keep_data)
        with contextlib.suppress(OSError):  # not empty: the rest is not ours
            self.root.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_unheld(folder: Path) -> None:
    """Remove the gate's locks of environments, apart from those of runs that go on."""
    for file in folder.glob("*.lock"):
        with file.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            file.unlink()
            file.with_suffix(".owner").unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not there, or one is held
        folder.rmdir()


def write(path: Path, content: str | bytes, *, mode: int = 0o600) -> bool:
    """Replace a file as a whole, or leave it alone when it already says the same.

    Returns:
        Whether anything changed.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        pass
    new = path.with_name(f".{path.name}.new{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, for its mode
            file.write(data)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error  # a write names no file
    return True
