"""The supervisor: runs every process of a state directory and restarts what dies.

It is told of changes by SIGHUP and ended by SIGTERM. Each event is one line of its log, and
`run/supervisor.json` always says what runs; whoever reads that must check that it still lives.
"""

import contextlib
import fcntl
import json
import logging
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from traderx_embedded import processes, procfs
from traderx_embedded import state as state_directory
from traderx_embedded.errors import EmbeddedError, RefusedError
from traderx_embedded.processes import ProcessSpec
from traderx_embedded.procfs import Identity
from traderx_embedded.state import State

_log = logging.getLogger(__name__)

STABLE_S = 20.0  # ran this long: the next death starts the back-off anew
FIRST_BACK_OFF_S = 0.1
LONGEST_BACK_OFF_S = 10.0
TERM_DEADLINE_S = 10.0
LOG_LIMIT_BYTES = 16 * 1024 * 1024
_LOG_CHECK_S = 30.0

# Processes get these of the caller's variables only: a proxy or a KUBECONFIG of his must not
# leak into the cluster.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "XDG_CACHE_HOME")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """One process as the supervisor last saw it."""

    name: str
    state: str
    pid: int | None
    started: int | None
    restarts: int
    since: str

    @property
    def identity(self) -> Identity | None:
        """Who it is, if it runs."""
        if self.pid is None or self.started is None:
            return None
        return Identity(pid=self.pid, started=self.started)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorStatus:
    """What `run/supervisor.json` says.

    Attributes:
        ending: It was told to end: what still runs will not for long.
    """

    identity: Identity
    ending: bool
    processes: tuple[ProcessStatus, ...]


def read_status(state: State) -> SupervisorStatus | None:
    """What the live supervisor of this directory says; None if none lives."""
    try:
        value = json.loads(_status_file(state).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    identity = Identity(pid=value["pid"], started=value["started"])
    if not identity.is_alive:
        return None
    listed = tuple(ProcessStatus(**item) for item in value["processes"])
    return SupervisorStatus(identity=identity, ending=value.get("ending", False), processes=listed)


def tell(state: State) -> bool:
    """Have the live supervisor read the processes again; False if there is none."""
    status = read_status(state)
    return status is not None and procfs.send(status.identity, signal.SIGHUP)


def clean_environment(state: State, source: Mapping[str, str]) -> dict[str, str]:
    """The environment that every process under this directory starts from."""
    kept = {
        name: value
        for name, value in source.items()
        if name in _INHERITED or (name.startswith("TRADERX_") and name != "TRADERX_POD_UID")
    }
    return kept | {procfs.MARKER: str(state.root)}


def _status_file(state: State) -> Path:
    return state.run / "supervisor.json"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@dataclass(slots=True, kw_only=True)
class _Managed:
    """One process and how it fares."""

    spec: ProcessSpec
    child: subprocess.Popen[bytes] | None = None
    state: str = "waiting"
    started: int | None = None
    started_at: float = 0.0
    since: str = field(default_factory=_now)
    restarts: int = 0
    back_off_s: float = 0.0
    due: float = 0.0  # when to start it (again)
    kill_at: float | None = None  # it was told to end

    def become(self, state: str) -> None:
        self.state, self.since = state, _now()

    def status(self) -> ProcessStatus:
        return ProcessStatus(
            name=self.spec.name,
            state=self.state,
            pid=self.child.pid if self.child else None,
            started=self.started,
            restarts=self.restarts,
            since=self.since,
        )


class Supervisor:
    """Runs the processes of one state directory until it is told to end."""

    def __init__(self, state: State, *, inherited_descriptors: tuple[int, ...] = ()) -> None:
        self._state = state
        self._inherited = inherited_descriptors
        self._managed: dict[str, _Managed] = {}
        self._environment = clean_environment(state, os.environ)
        self._ending = False
        self._reload = True
        self._next_log_check = time.monotonic() + _LOG_CHECK_S

    def run(self) -> None:
        """Run until SIGTERM, then stop everything, what started last first."""
        with _only_one(self._state), _signals() as signals:
            _log.info("supervisor started pid=%d", os.getpid())
            self._step()
            while not (self._ending and not self._managed):
                self._await(signals)
                self._step()
            _status_file(self._state).unlink()
            _log.info("supervisor ended")

    def _step(self) -> None:
        if self._reload and not self._ending:
            self._reload = False
            self._read_processes()
        self._reap()
        if self._ending:
            self._end_unneeded()
        self._start_due()
        self._kill_overdue()
        self._bound_logs()
        self._publish()

    def _await(self, signals: int) -> None:
        """Sleep until a signal (also of a child's end) or until something is due."""
        moments = [self._next_log_check]
        moments += [one.due for one in self._managed.values() if one.state == "back-off"]
        moments += [one.kill_at for one in self._managed.values() if one.kill_at is not None]
        timeout = max(0.0, min(moments) - time.monotonic())
        readable, _, _ = select.select([signals], [], [], timeout)
        if readable:
            numbers = os.read(signals, 512)
            self._reload |= signal.SIGHUP in numbers
            if signal.SIGTERM in numbers or signal.SIGINT in numbers:
                self._ending = True

    def _read_processes(self) -> None:
        try:
            wanted = {spec.name: spec for spec in processes.read(self._state)}
        except RefusedError as error:  # what runs goes on; the writer sees no new process
            _log.error("processes not read: %s", error)
            return
        for name, spec in wanted.items():
            known = self._managed.get(name)
            if known is None:
                self._managed[name] = _Managed(spec=spec)
            elif known.spec != spec or known.state == "removing":  # taken off, and back on
                known.spec = spec
                self._end(known, "changed")
        for name in self._managed.keys() - wanted.keys():
            self._end(self._managed[name], "removed")

    def _start_due(self) -> None:
        now = time.monotonic()
        for one in self._managed.values():
            if one.state == "waiting" or (one.state == "back-off" and one.due <= now):
                self._start(one)

    def _start(self, one: _Managed) -> None:
        log = self._state.log(one.spec.name)
        try:
            with log.open("ab") as output:
                one.child = subprocess.Popen(
                    one.spec.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self._state.root,
                    env=self._environment | dict(one.spec.env),
                    start_new_session=True,  # a ctrl-C at some terminal is not for it
                    pass_fds=self._inherited,
                )
        except OSError as error:
            _log.error("not started name=%s: %s", one.spec.name, error)
            self._back_off(one)
            return
        one.started = procfs.start_ticks(one.child.pid)
        one.started_at = time.monotonic()
        one.become("running")
        _log.info("started name=%s pid=%d", one.spec.name, one.child.pid)

    def _reap(self) -> None:
        for name, one in list(self._managed.items()):
            if one.child is None or one.child.poll() is None:
                continue
            _log.info("ended name=%s pid=%d %s", name, one.child.pid, _how(one.child.returncode))
            one.child, one.started, one.kill_at = None, None, None
            if self._ending or one.state == "removing":
                del self._managed[name]
            elif one.state == "changing":
                one.become("waiting")
            else:
                one.restarts += 1
                self._back_off(one)

    def _back_off(self, one: _Managed) -> None:
        if time.monotonic() - one.started_at >= STABLE_S:
            one.back_off_s = 0.0
        one.back_off_s = min(LONGEST_BACK_OFF_S, one.back_off_s * 2 or FIRST_BACK_OFF_S)
        one.due = time.monotonic() + one.back_off_s
        one.become("back-off")
        _log.info(
            "restarts name=%s in_s=%.1f restarts=%d", one.spec.name, one.back_off_s, one.restarts
        )

    def _end(self, one: _Managed, why: str) -> None:
        if one.child is None:
            if why == "changed":
                one.become("waiting")
            else:
                del self._managed[one.spec.name]
            return
        one.become("changing" if why == "changed" else "removing")
        if one.kill_at is None:
            one.kill_at = time.monotonic() + TERM_DEADLINE_S
            _log.info("ending name=%s pid=%d why=%s", one.spec.name, one.child.pid, why)
            one.child.terminate()

    def _end_unneeded(self) -> None:
        """End what nothing that still runs was started after."""
        for one in list(self._managed.values()):
            needed = any(one.spec.name in other.spec.after for other in self._managed.values())
            if not needed and one.state != "removing":
                self._end(one, "supervisor ends")

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for one in self._managed.values():
            if one.child is not None and one.kill_at is not None and one.kill_at <= now:
                _log.warning("killed name=%s pid=%d: did not end", one.spec.name, one.child.pid)
                one.child.kill()
                one.kill_at = now + TERM_DEADLINE_S

    def _bound_logs(self) -> None:
        """Keep each log below its limit, its last part in a second file.

        Every log is open for appending, so that a writer goes on at the start of the emptied file.
        """
        now = time.monotonic()
        if now < self._next_log_check:
            return
        self._next_log_check = now + _LOG_CHECK_S
        for log in self._state.logs.glob("*.log"):
            if log.stat().st_size > LOG_LIMIT_BYTES:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)

    def _publish(self) -> None:
        value: dict[str, Any] = {
            "pid": os.getpid(),
            "started": procfs.start_ticks(os.getpid()),
            "ending": self._ending,
            "processes": [asdict(one.status()) for one in self._managed.values()],
        }
        try:
            state_directory.write(_status_file(self._state), json.dumps(value))
        except OSError as error:  # a full disk; the processes are worth more than their listing
            _log.error("status not written: %s", error)


@contextlib.contextmanager
def _only_one(state: State) -> Iterator[None]:
    with (state.run / "supervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmbeddedError(f"{state.root}: a supervisor runs already") from error
        yield


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """A descriptor that becomes readable with each signal's number."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


def _how(code: int) -> str:
    return f"signal={signal.Signals(-code).name}" if code < 0 else f"code={code}"
