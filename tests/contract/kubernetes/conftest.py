"""A namespace of its own for each test of the Kubernetes contract, gone when the test is."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.kubernetes.laboratory import Connection, Laboratory


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
