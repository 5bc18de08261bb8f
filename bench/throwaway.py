"""A cluster, reports, key and project for measurements only; all of it is gone afterwards."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
class Throwaway:
    """Where the measurements take place."""

    root: Path

    @property
    def state(self) -> Path:
        """The embedded systems' directory."""
        return self.root / "state"

    @property
    def environ(self) -> dict[str, str]:
        """The environment that keeps a command inside."""
        return {
            **os.environ,
            "BIN": str(Path(sys.executable).parent),
            "TMPDIR": str(self.root),
            "TRADERX_GATE_KEY": str(self.root / "key.pem"),
            "TRADERX_GATE_REPORTS": str(self.root / "reports"),
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
