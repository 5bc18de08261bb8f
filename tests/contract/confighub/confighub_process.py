"""A ConfigHub server process for a test, and what its tests say to it."""

import base64
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

Json = dict[str, Any]
DEADLINE_S = 20.0


class ConfigHubProcess:
    """One server over one database; can be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._port = "0"  # the kernel's choice, kept when the server is started again
        self.start()

    def start(self) -> None:
        """Start the server and wait until it says that it serves."""
        self._log = (self._folder / "confighub.log").open("a")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "traderx_embedded.confighub", "--port", self._port),
                *("--database", str(self._folder / "confighub.db")),
                *("--token-file", str(self._folder / "confighub.token")),
                *self._options,
            ],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("confighub: serving on http://127.0.0.1:"), self.log()
        self.url = line.split()[-1]
        self._port = self.url.rsplit(":", 1)[1]
        self.token = (self._folder / "confighub.token").read_text()

    def client(self, token: str | None = None) -> httpx.Client:
        """Return a client with the server's token, or another."""
        return httpx.Client(
            base_url=f"{self.url}/api",
            headers={"Authorization": f"Bearer {token or self.token}"},
            timeout=DEADLINE_S,
            trust_env=False,
        )

    def kill(self) -> None:
        """Kill the server as a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self) -> int:
        """End the server in order and return its exit status."""
        self._process.terminate()
        return self._end()

    def log(self) -> str:
        """Return what the server has logged."""
        return (self._folder / "confighub.log").read_text()

    def _end(self) -> int:
        status = self._process.wait(DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()
        return status


def start_refused(folder: Path, *, port: str = "0") -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to end by itself."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "traderx_embedded.confighub", "--port", port),
            *("--database", str(folder / "confighub.db")),
            *("--token-file", str(folder / "confighub.token")),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@contextmanager
def running(folder: Path, *options: str) -> Iterator[ConfigHubProcess]:
    """Run a server that must end in order, and must not have met an error of its own."""
    server = ConfigHubProcess(folder, *options)
    try:
        yield server
    finally:
        status = server.stop()
    assert status == 0, server.log()
    # CPython 3.11 logs a cancelled connection at shutdown as an error of its own streams module
    # (`task.exception()` of a cancelled task, mended in 3.12); any other traceback is ours
    theirs = server.log().count("StreamReaderProtocol.connection_made.<locals>.callback(<Task")
    assert server.log().count("Traceback") <= theirs, server.log()


def until(read: Callable[[], Any], *, what: str) -> Any:
    """Return the first truthy value that `read` gives before the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not (seen := read()):
        assert time.monotonic() < end, f"waited {DEADLINE_S} s for {what}; last seen: {seen!r}"
        time.sleep(0.02)
    return seen


def base64_of(text: str) -> str:
    """Return what `Data` holds for a text."""
    return base64.b64encode(text.encode()).decode()


def text_of(entity: Json) -> str:
    """Return the text of a unit's or revision's `Data`."""
    return base64.b64decode(entity["Data"]).decode()


def refused(response: httpx.Response, status: int = 400) -> str:
    """Return the message of a refusal, which must have ConfigHub's shape."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"Code", "Message"}
    assert body["Code"] == str(status)
    assert response.headers["X-Request-Id"]
    return str(body["Message"])


def ok(response: httpx.Response) -> Any:
    """Return the answer to a request that must succeed."""
    assert response.status_code == 200, f"{response.request.url}: {response.text}"
    return response.json()


def make_space(client: httpx.Client, slug: str, **values: Any) -> str:
    """Create a space and return its identifier."""
    return str(ok(client.post("/space", json={"Slug": slug, **values}))["SpaceID"])


def make_unit(client: httpx.Client, space: str, slug: str, data: str = "a: 1\n", **kw: Any) -> Json:
    """Create a unit and return it."""
    body = {"Slug": slug, "ToolchainType": "Kubernetes/YAML", "Data": base64_of(data), **kw}
    unit: Json = ok(client.post(f"/space/{space}/unit", json=body))
    return unit


def unit_path(unit: Json) -> str:
    """Return the path of a unit."""
    return f"/space/{unit['SpaceID']}/unit/{unit['UnitID']}"
