"""A state directory of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.embedded.embedded_command import embedded
from traderx_embedded import procfs


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory that is down again whatever happens."""
    path = tmp_path / "state"
    yield path
    embedded("down", str(path))
    procfs.kill_marked(path)
