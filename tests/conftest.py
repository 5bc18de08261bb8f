"""One embedded cluster for all tests of a run, started by the first that asks for it."""

import signal
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import run_cluster
from tests.run_cluster import RunCluster

# how long an example takes is the machine's affair: no test asserts the clock
hypothesis.settings.register_profile("traderx-gate", deadline=None)
hypothesis.settings.load_profile("traderx-gate")

ROOT = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the run's folder; have Ctrl-C mean something to the programs that tests start."""
    # whoever starts us in the background may have it ignored, and children inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        config.stash[ROOT] = Path(config.workerinput["traderx_tests_root"])
    else:
        config.stash[ROOT] = run_cluster.new_folder()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker the run's folder."""
    node.workerinput["traderx_tests_root"] = str(node.config.stash[ROOT])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the cluster down, in the process that outlives all workers."""
    if not hasattr(config, "workerinput") and ROOT in config.stash:
        run_cluster.remove(config.stash[ROOT])


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> RunCluster:
    """An embedded cluster with its ConfigHub, shared by all tests of the run."""
    return RunCluster.up(request.config.stash[ROOT])


@pytest.fixture(scope="session")
def kubeconfig(request: pytest.FixtureRequest) -> Path:
    """The kubeconfig of the cluster that was given, else of the run's own."""
    given: str | None = request.config.getoption("--kubeconfig")
    if given:
        return Path(given).expanduser().absolute()
    cluster: RunCluster = request.getfixturevalue("cluster")
    return cluster.kubeconfig
