"""A namespace of its own for each test of the Kubernetes contract, gone when the test is.

With `--kubeconfig` they run on another cluster, without what `differences.toml` says of it;
TRADERX_CLUSTER_WITHOUT names what it lacks.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.kubernetes import differences
from tests.contract.kubernetes.differences import Difference
from tests.contract.kubernetes.laboratory import Connection, Laboratory


def _left_out(config: pytest.Config) -> tuple[Difference, ...]:
    if not config.getoption("--kubeconfig"):
        return ()
    try:
        return differences.of_a_cluster(os.environ.get(differences.LACKING, "").split())
    except ValueError as error:
        raise pytest.UsageError(f"{differences.LACKING}: {error}") from error


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is not asked of the cluster."""
    return [f"left out: {', '.join(d.tests)}: {d.why}" for d in _left_out(config)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the cluster is known to do otherwise."""
    known = _left_out(config)
    left = [item for item in items if any(d.is_about(item.nodeid) for d in known)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session")
def connection(kubeconfig: Path) -> Iterator[Connection]:
    """The cluster's API, as its administrator."""
    with Connection(kubeconfig) as opened:
        yield opened


@pytest.fixture
def lab(connection: Connection) -> Iterator[Laboratory]:
    """A namespace to try things in."""
    with Laboratory(connection, f"contract-{uuid.uuid4().hex[:8]}") as laboratory:
        yield laboratory


@pytest.fixture(scope="module")
def shared_lab(connection: Connection) -> Iterator[Laboratory]:
    """A namespace for what the tests of a module only look at."""
    with Laboratory(connection, f"contract-{uuid.uuid4().hex[:8]}") as laboratory:
        yield laboratory
