"""The plugins of the suites, and their options."""

import pytest

pytest_plugins = (
    "fixtures.evidence",
    "fixtures.environment",
    "fixtures.delivery",
    "fixtures.traderx",
    "fixtures.trading",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what a run of the suites is told."""
    group = parser.getgroup("traderx-gate")
    group.addoption("--environment", default="dev", help="environment to test (default: dev)")
    group.addoption("--project", help="project name (default: TRADERX_PROJECT or .cub-project)")
    group.addoption("--namespaces", help="prefix of the namespaces (default: traderx)")
    group.addoption(
        "--cluster", choices=("embedded", "kind", "existing"), help="default: what is up"
    )
    group.addoption("--kubeconfig", help="kubeconfig of an existing cluster")
    group.addoption("--context", help="context of the kubeconfig (default: its current one)")
    group.addoption("--confighub", help="URL of ConfigHub (default: the embedded one)")
    group.addoption("--confighub-token-file", help="file that holds ConfigHub's token")
    group.addoption(
        "--reach",
        choices=("direct", "service-proxy", "port-forward"),
        help="way to the services (default: the first of these that is open)",
    )
    group.addoption("--policy", help="what has to be proven (default: the environment's policy)")
    group.addoption("--seed", type=int, help="seed of the run (default: drawn, and printed)")
