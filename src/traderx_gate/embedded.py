"""The embedded systems as seen from here: another program, started as a child, spoken to by files.

Nothing of it is imported; addresses and credentials cross over as JSON.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traderx_gate.checkout import state_directory
from traderx_gate.confighub import Space, Worker
from traderx_gate.delivery import worker_control
from traderx_gate.errors import ConfigurationError, RefusedError, UnreachableError
from traderx_gate.settings import Settings, embedded_status

COMMAND_TIMEOUT_S = 7200
"""A cold build of the control plane takes minutes; the program has shorter deadlines of its own."""
INTERRUPT_TIMEOUT_S = 3
DOCTOR_TIMEOUT_S = 120
IMAGES_TIMEOUT_S = 30


def argv(*words: str) -> list[str]:
    """Return the command line of the embedded systems' program."""
    return [sys.executable, "-m", "traderx_embedded", *words]


def run(command: str, options: Sequence[str] = (), *, quiet: bool = False) -> int:
    """Run a command of the embedded systems; its progress and errors go to our standard error.

    With `quiet` its standard output is dropped. Ctrl-C ends it in its own way.

    Returns:
        Its exit code.

    Raises:
        UnreachableError: It did not end in time.
    """
    with subprocess.Popen(
        argv(command, str(state_directory()), *options),
        stdout=subprocess.DEVNULL if quiet else None,
    ) as child:
        try:
            return child.wait(timeout=None if "--watch" in options else COMMAND_TIMEOUT_S)
        except KeyboardInterrupt:
            return _interrupted(child)
        except subprocess.TimeoutExpired as error:
            child.kill()
            raise UnreachableError(
                f"`{command}` did not end in {COMMAND_TIMEOUT_S} s and was stopped; run it again"
            ) from error


def image_names() -> tuple[str, ...]:
    """Return the names of the container images that we build."""
    done = subprocess.run(
        argv("images", "list"),
        capture_output=True,
        text=True,
        timeout=IMAGES_TIMEOUT_S,
        check=True,
    )
    return tuple(image["name"] for image in json.loads(done.stdout))


def images(*words: str) -> int:
    """Run a command about the container images; its output goes to ours.

    Returns:
        Its exit code.
    """
    done = subprocess.run(argv("images", *words), timeout=COMMAND_TIMEOUT_S, check=False)
    return done.returncode


def _interrupted(child: "subprocess.Popen[bytes]") -> int:
    """Let a child clean up that a terminal has interrupted with us; interrupt it otherwise."""
    try:
        return child.wait(timeout=INTERRUPT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
    try:
        return child.wait(timeout=INTERRUPT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
    return child.wait(timeout=INTERRUPT_TIMEOUT_S)


def findings() -> list[dict[str, str]]:
    """Return what the embedded systems' doctor sees: check, level, seen, advice.

    Raises:
        UnreachableError: It says nothing sensible.
    """
    done = subprocess.run(
        argv("doctor", str(state_directory())),
        capture_output=True,
        text=True,
        timeout=DOCTOR_TIMEOUT_S,
        check=False,
    )
    try:
        return list(json.loads(done.stdout))
    except ValueError as error:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise UnreachableError(f"the embedded systems' doctor: {said[-1]}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWorker:
    """The worker of an environment as a process that the supervisor runs."""

    settings: Settings
    space: Space

    def __str__(self) -> str:
        """Return where it runs."""
        return "here"

    def start(self, worker: Worker) -> None:
        """Have it run, as its annotations say."""
        start_worker(self.settings, self.space, replace(worker, condition=""))

    def stop(self) -> None:
        """Have it end."""
        stop_worker(self.space)

    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self.process() is None

    def process(self) -> Mapping[str, Any] | None:
        """Return what the supervisor says of it; None where it is none of its processes.

        Raises:
            ConfigurationError: Nothing was brought up here.
        """
        name = _process_of(self.space)
        found = [one for one in embedded_status()["processes"] if one["name"] == name]
        return found[0] if found else None

    def log(self) -> Path:
        """Return the file that it writes its log to; it outlives the process."""
        return Path(embedded_status()["logs"]) / f"{_process_of(self.space)}.log"


def start_worker(settings: Settings, space: Space, worker: Worker) -> None:
    """Have the supervisor run our worker for a space; its secret goes through a pipe, not argv.

    Raises:
        RefusedError: It is disabled.
        UnreachableError: The supervisor did not take it.
    """
    worker_control.require_enabled(space, worker)
    try:
        here = _runs_here(space)
        if worker.condition == "Ready" and not here:
            return  # one in the cluster, or somebody else's
    except ConfigurationError as error:
        if worker.condition == "Ready":
            return
        raise ConfigurationError(
            f"no worker of {space.slug} is connected, and none can be started: nothing was brought "
            "up here; do that with `traderx-gate up`, or start a worker yourself"
        ) from error
    context = ["--context", settings.context] if settings.context else []
    process = {
        "argv": [sys.executable, "-m", "traderx_gate.worker", *context],
        "env": {
            "CONFIGHUB_URL": settings.confighub_url,
            "CONFIGHUB_WORKER_PORT": _worker_port(settings.confighub_url),
            "CONFIGHUB_WORKER_ID": worker.id,
            "CONFIGHUB_WORKER_SECRET": worker.secret,
            "CONFIGHUB_AUTO_APPLY": str(worker_control.applies_by_itself(worker)).lower(),
            "KUBECONFIG": str(settings.kubeconfig),
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(Path.home()),
        },
        "after": ["confighub", "kube-apiserver"],
    }
    _tell_supervisor("add", space, json.dumps(process))


def revive_worker(settings: Settings, space: Space, worker: Worker) -> None:
    """Have the supervisor run the worker of a space again, where it is one that we run here.

    Raises:
        RefusedError: It runs elsewhere, was taken away from here, or is disabled.
        UnreachableError: The supervisor did not take it.
    """
    try:
        here = _runs_here(space)
    except ConfigurationError as error:
        raise RefusedError("nothing was brought up here; start the worker where it runs") from error
    if not here:
        raise RefusedError("it does not run here; start it where it runs")
    start_worker(settings, space, worker)


def stop_worker(space: Space) -> bool:
    """Have the supervisor end the worker of a space, if it is one of ours.

    Returns:
        Whether it was.

    Raises:
        UnreachableError: The supervisor did not take it.
    """
    try:
        if not _runs_here(space):
            return False
    except ConfigurationError:
        return False  # nothing of ours was brought up: no worker is ours
    _tell_supervisor("remove", space, "")
    return True


def _runs_here(space: Space) -> bool:
    return _process_of(space) in {one["name"] for one in embedded_status()["processes"]}


def _process_of(space: Space) -> str:
    return f"worker-{space.slug}"


def _worker_port(url: str) -> str:
    """Return the port at which ConfigHub takes workers: its own, if nothing else is said."""
    given = os.environ.get("CONFIGHUB_WORKER_PORT")
    return given or str(urlsplit(url).port or {"http": 80}.get(urlsplit(url).scheme, 443))


def _tell_supervisor(action: str, space: Space, body: str) -> None:
    done = subprocess.run(
        argv("process", action, str(state_directory()), _process_of(space)),
        input=body,
        text=True,
        capture_output=True,
        timeout=30,
        check=False,
    )
    if done.returncode != 0:
        raise UnreachableError(
            f"the supervisor did not {action} the worker of {space.slug}: {done.stderr.strip()}"
        )
