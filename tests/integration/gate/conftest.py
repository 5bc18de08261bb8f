"""The dev environment of the run's cluster: deployed once, and for one test at a time."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests import turns
from tests.integration.gate.gate_command import Gate, opened
from tests.run_cluster import RunCluster


def turn(cluster: RunCluster) -> AbstractContextManager[None]:
    """Hold dev while a test needs it undamaged, or damages it."""
    return turns.turn(cluster.state.parent, "dev")


@pytest.fixture(scope="session")
def deployed(cluster: RunCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """An environment that is installed and deployed, for tests that leave it alone."""
    with opened(cluster, tmp_path_factory.mktemp("gate")) as gate:
        with turn(cluster):
            done = gate.run("install", "dev")
            assert done.returncode == 0, done.stdout + done.stderr
            gate.deploy()
        yield gate


@pytest.fixture
def gate(deployed: Gate, cluster: RunCluster) -> Iterator[Gate]:
    """The deployed environment, for one test at a time: some damage it."""
    with turn(cluster):
        yield deployed


@pytest.fixture(scope="session")
def two_runs(
    deployed: Gate, cluster: RunCluster, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Two untouched runs that passed, outside of the folder where runs lie."""
    folder = tmp_path_factory.mktemp("runs")
    for _ in range(2):
        with turn(cluster):
            done = deployed.run("validate", "dev")
        assert done.returncode == 0, done.stdout + done.stderr
        shutil.copytree(deployed.newest(), folder / deployed.newest().name)
    first, second = sorted(folder.iterdir())
    return first, second
