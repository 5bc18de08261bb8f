"""A cluster, reports, key and project for measurements only; all of it is gone afterwards."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traderx_gate.checkout import ROOT
from traderx_gate.confighub import ConfigHub
from traderx_gate.kube import Kube

TIMEOUT_S = 600
MAIN = "from traderx_gate.cli import main; main()"


class BenchError(Exception):
    """A command that is measured failed; its time would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that ended, well or not.

    Attributes:
        code: Its exit code; negative for the signal that ended it.
        seconds: From its start to its end.
        said: Everything it said, standard error too.
    """

    code: int
    seconds: float
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Throwaway:
    """Where the measurements take place."""

    root: Path

    @property
    def state(self) -> Path:
        """The embedded systems' directory."""
        return self.root / "state"

    @property
    def reports(self) -> Path:
        """Where the runs of its commands lie."""
        return self.root / "reports"

    @property
    def environ(self) -> dict[str, str]:
        """The environment that keeps a command inside."""
        return {
            **os.environ,
            "BIN": str(Path(sys.executable).parent),
            "TMPDIR": str(self.root),
            "TRADERX_GATE_LOGS": str(self.root / "logs"),
            "TRADERX_GATE_KEY": str(self.root / "key.pem"),
            "TRADERX_GATE_REPORTS": str(self.reports),
            "TRADERX_GATE_STATE": str(self.state),
            "TRADERX_PROJECT": "bench",
        }

    def time(self, *command: str) -> float:
        """Run a command; returns its seconds.

        Raises:
            BenchError: It failed.
        """
        started = time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        seconds = time.monotonic() - started
        if done.returncode != 0:
            said = (done.stderr + done.stdout).strip().splitlines()[-5:]
            raise BenchError(f"{' '.join(command)} ended with {done.returncode}: {said}")
        return seconds

    def gate(self, *words: str) -> float:
        """Run a `traderx-gate` command; returns its seconds."""
        return self.time(sys.executable, "-c", MAIN, *words)

    def ended(self, *words: str, kill_after_s: float = TIMEOUT_S) -> Ended:
        """Run a `traderx-gate` command to its end, whatever that is.

        Args:
            words: The command and its arguments.
            kill_after_s: It is ended by SIGKILL where it has not ended by then.
        """
        # A file and no pipe: what it started may outlive it for a moment, and hold a pipe open.
        with tempfile.TemporaryFile(dir=self.root) as said:
            started = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "-c", MAIN, *words],
                cwd=ROOT,
                env={**self.environ, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
            try:
                with suppress(subprocess.TimeoutExpired):  # it is killed then, as was asked for
                    process.wait(kill_after_s)
            finally:
                process.kill()
                process.wait(TIMEOUT_S)
            seconds = time.monotonic() - started
            said.seek(0)
            text = said.read().decode(errors="replace")
        return Ended(code=process.returncode, seconds=seconds, said=text)

    @contextmanager
    def running(self, *words: str) -> Iterator[None]:
        """Run a `traderx-gate` command until the block ends."""
        command = [sys.executable, "-c", MAIN, *words]
        process = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)

    def embedded(self, *words: str) -> float:
        """Run a command of the embedded systems; returns its seconds."""
        return self.time(sys.executable, "-m", "traderx_embedded", *words)

    def status(self) -> dict[str, Any]:
        """What runs, and where."""
        said = subprocess.run(
            [sys.executable, "-m", "traderx_embedded", "status", str(self.state), "--json"],
            stdout=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=True,
        ).stdout
        return dict(json.loads(said))

    def private_network(self) -> str:
        """The first two numbers of the addresses that pod processes bind."""
        return str(json.loads((self.state / "state.json").read_text())["private_network"])

    def kube(self) -> Kube:
        """The cluster."""
        return Kube.from_kubeconfig(self.state / "kubeconfig")

    def confighub(self) -> ConfigHub:
        """ConfigHub."""
        found = self.status()["confighub"]
        return ConfigHub.from_token_file(found["url"], Path(found["token_file"]))


@contextmanager
def throwaway() -> Iterator[Throwaway]:
    """Make the place, and remove it with all that runs there."""
    place = Throwaway(root=Path(tempfile.mkdtemp(prefix="traderx-bench-")))
    try:
        yield place
    finally:
        states = [path.parent for path in place.root.rglob("state.json")]  # of make gate's, too
        for state in {place.state, *states}:
            place.embedded("down", str(state))
        shutil.rmtree(place.root)
