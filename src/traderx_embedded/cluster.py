"""Up, down and status of one embedded cluster with its ConfigHub."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from traderx_embedded import processes, procfs, slots, supervisor
from traderx_embedded import state as state_directory
from traderx_embedded.errors import LeftoverError, NotReadyError, NotStartedError, RefusedError
from traderx_embedded.kubernetes import certificates, control_plane, programs
from traderx_embedded.processes import ProcessSpec
from traderx_embedded.state import Outside, Settings, State

READY_DEADLINE_S = 90.0
STOP_DEADLINE_S = 45.0
REQUEST_TIMEOUT_S = 2.0
LOOK_EVERY_S = 0.05
SAY_EVERY_S = 5.0
LOG_LINES = 6
DISK_NEEDED_BYTES = 256 * 1024 * 1024
"""What a cluster writes at its start: etcd's log alone is 128 MiB."""


def require_linux() -> None:
    """Refuse elsewhere: the node needs /proc and all of 127.0.0.0/8.

    Raises:
        RefusedError: This is not Linux.
    """
    if sys.platform != "linux":
        raise RefusedError(
            f"the embedded cluster runs on Linux only, this is {sys.platform}; use --cluster kind"
        )


def up(state: State, outside: Outside | None = None) -> None:
    """Bring everything up and wait until it is ready; harmless when it is.

    Args:
        state: Where.
        outside: A cluster that is there already: ConfigHub alone is brought up beside it.

    Raises:
        RefusedError: Nothing was started: platform, disk, slot, unreadable state, another cluster.
        BuildError: The control plane cannot be built.
        NotStartedError: The system refused something; what had been made is gone again.
        NotReadyError: Something did not become ready; its last log lines are in the message.
    """
    require_linux()
    folder = None if outside else programs.find()
    with state.locked(waiting=lambda: _say("another command works on this cluster; waiting")):
        while True:
            settings = state.settings()
            if settings is not None and settings.outside != outside:
                raise RefusedError(
                    f"{settings.outside or 'the embedded cluster'} is up here, not "
                    f"{outside or 'the embedded cluster'}; take it down first: traderx-gate down"
                )
            if settings is None or not _is_supervised(state):
                settings = _start_or_clear(state, settings, folder, outside)
            if _await_ready(state, settings):
                return


def _is_supervised(state: State) -> bool:
    """Whether a supervisor runs, and goes on running; one that a killed `down` ends is awaited."""
    running = supervisor.read_status(state)
    if running is not None and running.ending:
        procfs.await_end(running.identity.pid, STOP_DEADLINE_S)
        return False
    return running is not None


def _start_or_clear(
    state: State, known: Settings | None, folder: Path | None, outside: Outside | None
) -> Settings:
    """Start; where that is not possible leave data of an earlier cluster, and nothing else."""
    free = shutil.disk_usage(state.root).free
    if free < DISK_NEEDED_BYTES:
        if known is None:
            state.remove(keep_data=False)
        raise RefusedError(
            f"{state.root}: {free >> 20} MiB are free on its disk, a cluster needs "
            f"{DISK_NEEDED_BYTES >> 20}; free some, or set TRADERX_GATE_STATE to another disk"
        )
    try:
        return _start(state, known, folder, outside)
    except OSError as error:
        procfs.kill_marked(state.root)
        if known is None:
            slots.release(state)
        state.remove(keep_data=known is not None)
        raise NotStartedError(
            f"not started: {error.filename or state.root}: {error.strerror or error}; "
            "mend that, then run the same command again"
        ) from error


def _start(
    state: State, known: Settings | None, folder: Path | None, outside: Outside | None
) -> Settings:
    """Repair what a crash left, write down what shall run, start the supervisor."""
    left = procfs.kill_marked(state.root)
    if left:
        _say(f"stopped {len(left)} processes that an earlier run left behind")
    if known is None:
        state.clear(keep_data=False)  # of a `down` that was killed half way
    slot, descriptor = slots.acquire(state, slot=known.slot if known else None)
    try:
        ports = slots.choose_ports(slot, previous=known.ports if known else None)
        settings = Settings(slot=slot, ports=ports, outside=outside)
        state_directory.write(state.settings_file, json.dumps(settings.to_json(), indent=1))
        for path in (state.logs, state.processes, state.run):
            path.mkdir(mode=0o700, exist_ok=True)
        processes.write(state, _confighub(settings))
        if folder is not None:
            certificates.make(state, settings)
            for spec in (*control_plane.specs(state, settings, folder), _node(state)):
                processes.write(state, spec)
        _start_supervisor(state, descriptor)
    finally:
        os.close(descriptor)
    return settings


def _node(state: State) -> ProcessSpec:
    return ProcessSpec(
        name="node",
        argv=(sys.executable, "-m", "traderx_embedded.kubernetes.node", str(state.root)),
        after=("kube-apiserver",),
    )


def _confighub(settings: Settings) -> ProcessSpec:
    options = {
        "--port": str(settings.ports.confighub),
        "--database": "confighub.db",
        "--token-file": "confighub.token",
    }
    words = [word for option in options.items() for word in option]
    return ProcessSpec(
        name="confighub", argv=(sys.executable, "-m", "traderx_embedded.confighub", *words)
    )


def _start_supervisor(state: State, descriptor: int) -> None:
    """Start it in a session of its own: it survives the terminal, and holds the slot's lock."""
    command = [sys.executable, "-m", "traderx_embedded", "supervise", str(state.root)]
    with state.log("supervisor").open("ab") as log:
        subprocess.Popen(
            [*command, "--descriptor", str(descriptor)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=state.root,
            env=supervisor.clean_environment(state, os.environ),
            start_new_session=True,
            pass_fds=(descriptor,),
        )


def _await_ready(state: State, settings: Settings) -> bool:
    """Wait for the API, the node and ConfigHub, in the order in which they come.

    Returns:
        False if their supervisor was told to end meanwhile.
    """
    deadline = time.monotonic() + READY_DEADLINE_S
    said = time.monotonic()
    awaited: list[tuple[str, str, Callable[[], str]]] = [
        ("ConfigHub", "confighub", lambda: _confighub_missing(state, settings)),
        ("every process", "supervisor", lambda: _process_missing(state)),
    ]
    if settings.outside is None:
        awaited[1:1] = [
            ("the Kubernetes API", "kube-apiserver", lambda: _api_missing(state, settings)),
            ("the node", "node", lambda: _node_missing(state, settings)),
        ]
    for what, process, missing in awaited:
        while why := missing():
            now = time.monotonic()
            if now > deadline:
                raise NotReadyError(
                    f"{what} was not ready after {READY_DEADLINE_S:.0f} s: {why}\n"
                    f"{_last_lines(state, process)}"
                )
            if now - said > SAY_EVERY_S:
                said = now
                _say(f"waiting for {what}: {why}")
            running = supervisor.read_status(state)
            if running is not None and running.ending:
                return False
            time.sleep(LOOK_EVERY_S)
    return True


def _api_missing(state: State, settings: Settings) -> str:
    return _ask(state, f"https://127.0.0.1:{settings.ports.apiserver}/readyz")[1]


def _node_missing(state: State, settings: Settings) -> str:
    port, name = settings.ports.apiserver, settings.node_name
    body, why = _ask(state, f"https://127.0.0.1:{port}/api/v1/nodes/{name}")
    if why:
        return why
    conditions = json.loads(body)["status"].get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return "" if ready else "its condition Ready is not True"


def _process_missing(state: State) -> str:
    running = supervisor.read_status(state)
    if running is None:
        return "the supervisor does not run"
    return ", ".join(f"{p.name} is {p.state}" for p in running.processes if p.state != "running")


def _confighub_missing(state: State, settings: Settings) -> str:
    if not state.confighub_token.exists():
        return "it has not written its token yet"
    token = state.confighub_token.read_text(encoding="utf-8").strip()
    url = f"http://127.0.0.1:{settings.ports.confighub}/api/info"
    return _ask(state, url, {"Authorization": f"Bearer {token}"})[1]


def _ask(state: State, url: str, headers: Mapping[str, str] | None = None) -> tuple[bytes, str]:
    """Return the body, or why there is none."""
    context = None
    if url.startswith("https"):
        context = ssl.create_default_context(cafile=str(state.pki / "ca.crt"))
        context.load_cert_chain(state.pki / "admin.crt", state.pki / "admin.key")
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310  # loopback
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(request, timeout=REQUEST_TIMEOUT_S) as answer:
            return answer.read(), ""
    except urllib.error.HTTPError as error:
        return b"", f"it answers {error.code}"
    except OSError as error:
        return b"", str(getattr(error, "reason", error))


def _last_lines(state: State, process: str) -> str:
    path = state.log(process)
    if not path.exists():
        return f"{path} does not exist: it was never started; see {state.log('supervisor')}"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return "\n".join([f"{path}:", *(f"  {line[:300]}" for line in lines)])


def down(state: State, *, keep_data: bool) -> None:
    """Stop everything and remove what `up` made; harmless when nothing is there.

    Raises:
        LeftoverError: A process could not be stopped.
    """
    require_linux()
    programs.remove_leftovers()
    if not state.exists and not procfs.marked(state.root):
        return
    with state.locked(waiting=lambda: _say("another command works on this cluster; waiting")):
        running = supervisor.read_status(state)
        if running is not None and procfs.send(running.identity, signal.SIGTERM):
            procfs.await_end(running.identity.pid, STOP_DEADLINE_S)
        procfs.kill_marked(state.root)
        left = procfs.marked(state.root)
        if left:
            raise LeftoverError(f"{state.root}: processes {left} are still there")
        if not keep_data:
            slots.release(state)
        state.remove(keep_data=keep_data)


def status(state: State) -> dict[str, Any]:
    """Return what runs and where it is reached, as JSON.

    Raises:
        RefusedError: Nothing was brought up here.
    """
    settings = state.settings()
    if settings is None:
        raise RefusedError(f"{state.root}: nothing was brought up here")
    running = supervisor.read_status(state)
    listed = running.processes if running else ()
    outside = settings.outside
    return {
        "running": bool(listed) and all(process.state == "running" for process in listed),
        "project": None,
        "cluster": outside.kind if outside else "embedded",
        "kubeconfig": str(outside.kubeconfig if outside else state.kubeconfig),
        "context": outside.context if outside else certificates.CONTEXT,
        "confighub": {
            "url": f"http://127.0.0.1:{settings.ports.confighub}",
            "token_file": str(state.confighub_token),
        },
        "control": None
        if outside
        else {
            "url": f"http://127.0.0.1:{settings.ports.control}",
            "token_file": str(state.control_token),
        },
        "logs": str(state.logs),
        "processes": [
            {
                "name": process.name,
                "pid": process.pid,
                "state": process.state,
                "restarts": process.restarts,
                "since": process.since,
            }
            for process in listed
        ],
    }


def _say(text: str) -> None:
    print(f"up: {text}", file=sys.stderr, flush=True)
