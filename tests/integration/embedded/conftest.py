"""A state directory of its own for each test, one cluster at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.integration.embedded.embedded_command import embedded
from traderx_embedded import procfs


@pytest.fixture
def state(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state directory that is down again whatever happens."""
    path = tmp_path / "state"
    with FileLock(tmp_path_factory.getbasetemp().parent / "crashes.lock"):
        yield path
        embedded("down", str(path))
        procfs.kill_marked(path)
