"""Dev, deployed and proven, and staging, promoted to; for one test at a time."""

from collections.abc import Iterator

import pytest

from tests.integration.promotion.line import Line
from tests.run_cluster import RunCluster
from tests.turns import turn


@pytest.fixture
def line(cluster: RunCluster) -> Iterator[Line]:
    """The line: all of it is live, and dev is proven, when a test begins."""
    folder = cluster.state.parent / "line"
    folder.mkdir(exist_ok=True)
    with turn(cluster.state.parent, "line"):
        line = Line.opened(cluster, folder)
        _make_good(line)
        yield line
        line.confighub.close()


def _make_good(line: Line) -> None:
    """Make of what an earlier test left a line of which all is live and proven."""
    if not line.is_installed("staging"):
        line.must("install", "staging")
    if line.is_under_way("staging"):
        line.must("abort", "staging")
    if line.run("gate", "dev").returncode != 0:
        line.must("deploy", "dev")
        line.must("validate", "dev")
    if not line.is_settled("staging"):
        line.must("promote", "dev", "staging")
