"""The embedded cluster of one run of the tests: where it is, how it starts and is removed."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
from filelock import FileLock

PREFIX = "traderx-tests-"
UP_TIMEOUT_S = 1800  # a cold build of the control plane is in it
DOWN_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCluster:
    """The embedded cluster that the tests of a run share."""

    state: Path
    kubeconfig: Path
    status: dict[str, Any]

    def environ(self, folder: Path, *, project: str) -> dict[str, str]:
        """Return what a command is told to work on this cluster, its files in a folder."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
        own = {
            "TRADERX_GATE_STATE": str(self.state),
            "TRADERX_GATE_LOGS": str(folder / "logs"),
            "TRADERX_GATE_REPORTS": str(folder / "reports"),
            "TRADERX_GATE_KEY": str(folder / "key.pem"),
            "TRADERX_PROJECT": project,
        }
        return {**kept, **own}

    @classmethod
    def up(cls, root: Path) -> Self:
        """Start it in the run's folder, or find it running."""
        return cls._up(root, [])

    @classmethod
    def beside(cls, root: Path, kubeconfig: Path, context: str) -> Self:
        """Start ConfigHub alone, beside a cluster that is there."""
        given = ["--outside", "existing", "--kubeconfig", str(kubeconfig), "--context", context]
        return cls._up(root, given)

    @classmethod
    def _up(cls, root: Path, options: list[str]) -> Self:
        with FileLock(root / "up.lock"):
            done = subprocess.run(
                [sys.executable, "-m", "traderx_embedded", "up", str(root / "state"), *options],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=UP_TIMEOUT_S,
                env={**os.environ, "TRADERX_BACK_OFF_BASE_S": "1"},
            )
        status = json.loads(done.stdout)
        return cls(state=root / "state", kubeconfig=Path(status["kubeconfig"]), status=status)


def new_folder() -> Path:
    """Make a run's folder; remove what a killed run left behind."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(PREFIX).partition("-")[0])):
            remove(left)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))


def remove(root: Path) -> None:
    """Take the cluster of a run down, and remove the run's folder."""
    if (root / "state").exists():
        command = [sys.executable, "-m", "traderx_embedded", "down", str(root / "state")]
        subprocess.run(command, check=True, timeout=DOWN_TIMEOUT_S)
    with contextlib.suppress(FileNotFoundError):  # two runs may tidy up after the same third
        shutil.rmtree(root)
