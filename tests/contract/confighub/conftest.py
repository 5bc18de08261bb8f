"""A ConfigHub server for the tests of a module, and what each of them calls its own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import ConfigHubProcess, make_space


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigHubProcess]:
    with confighub_process.running(tmp_path_factory.mktemp("confighub")) as server:
        yield server


@pytest.fixture(name="beating_server")
def _beating_server(tmp_path: Path) -> Iterator[ConfigHubProcess]:
    """A server of this test alone, which asks after its workers five times a second."""
    with confighub_process.running(tmp_path, "--heartbeat-s", "0.2") as server:
        yield server


@pytest.fixture(name="client")
def _client(server: ConfigHubProcess) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(name="name")
def _name(request: pytest.FixtureRequest) -> str:
    """A name of this test alone, fit for a slug."""
    return "".join(char if char.isalnum() else "-" for char in request.node.name).strip("-")


@pytest.fixture(name="space")
def _space(client: httpx.Client, name: str) -> str:
    """A space of this test alone; its slug is the test's name."""
    return make_space(client, name)
