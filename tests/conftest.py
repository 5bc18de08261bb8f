"""One embedded cluster for all tests of a run, started by the first that asks for it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock

PREFIX = "traderx-tests-"
UP_TIMEOUT_S = 1800  # a cold build of the control plane is in it
DOWN_TIMEOUT_S = 120
ROOT = pytest.StashKey[Path]()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCluster:
    """The embedded cluster of this run of the tests."""

    __test__ = False

    state: Path
    kubeconfig: Path
    status: dict[str, Any]


def pytest_configure(config: pytest.Config) -> None:
    """Choose the run's folder; remove what a killed run left behind."""
    if hasattr(config, "workerinput"):
        config.stash[ROOT] = Path(config.workerinput["traderx_tests_root"])
        return
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(PREFIX).partition("-")[0])):
            _remove(left)
    config.stash[ROOT] = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker the run's folder."""
    node.workerinput["traderx_tests_root"] = str(node.config.stash[ROOT])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the cluster down, in the process that outlives all workers."""
    if not hasattr(config, "workerinput") and ROOT in config.stash:
        _remove(config.stash[ROOT])


def _remove(root: Path) -> None:
    if (root / "state").exists():
        command = [sys.executable, "-m", "traderx_embedded", "down", str(root / "state")]
        subprocess.run(command, check=True, timeout=DOWN_TIMEOUT_S)
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> TestCluster:
    """An embedded cluster with its ConfigHub, shared by all tests of the run."""
    root = request.config.stash[ROOT]
    with FileLock(root / "up.lock"):
        done = subprocess.run(
            [sys.executable, "-m", "traderx_embedded", "up", str(root / "state")],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=UP_TIMEOUT_S,
            env={**os.environ, "TRADERX_BACK_OFF_BASE_S": "1"},
        )
    status = json.loads(done.stdout)
    return TestCluster(state=root / "state", kubeconfig=Path(status["kubeconfig"]), status=status)


@pytest.fixture(scope="session")
def kubeconfig(cluster: TestCluster) -> Path:
    """The kubeconfig of the run's cluster."""
    return cluster.kubeconfig
