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
        line.make_good()
        yield line
        line.confighub.close()
