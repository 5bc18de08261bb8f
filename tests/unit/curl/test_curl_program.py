import http.server
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from traderx_embedded import images

CURL = images.find("curlimages/curl")
DEADLINE_S = 20


class _Server(http.server.BaseHTTPRequestHandler):
    """Answers `/404` with that status, and tells what it was asked."""

    def do_GET(self) -> None:
        body = f"{self.command} {self.path} {self.headers.get('X-A')}".encode()
        if "Content-Length" in self.headers:
            body += b" " + self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(404 if self.path == "/404" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the base's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def silent_url() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def curl(*arguments: str, folder: Path | None = None) -> tuple[int, str, str]:
    """Run the image's program; return exit code, output and errors."""
    done = subprocess.run(
        [*CURL.entrypoint, *arguments],
        env={**CURL.env, "HOME": os.environ.get("HOME", "/")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def closed_port() -> int:
    """A port at which nothing listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        number: int = server.getsockname()[1]
        return number


@pytest.mark.parametrize("name", [(), ("curl",)], ids=["bare", "named"])
def test_body(url: str, name: tuple[str, ...]) -> None:
    """The body goes to standard output, whether or not curl is named as in its image."""
    assert curl(*name, "-sS", f"{url}/a?b=1") == (0, "GET /a?b=1 None", "")


def test_post(url: str) -> None:
    """Data are posted, and headers are sent."""
    assert curl("-s", "-d", "x=1", "-H", "X-A: 7", url) == (0, "POST / 7 x=1", "")


def test_method(url: str) -> None:
    """The method can be said."""
    assert curl("-s", "-X", "POST", url)[1][:6] == "POST /"


def test_status_only(url: str) -> None:
    """Only the status is told if the body goes elsewhere."""
    found = [curl("-s", "-o", "/dev/null", "-w", "%{http_code}\\n", url + p) for p in ("/", "/404")]
    assert found == [(0, "200\n", ""), (0, "404\n", "")]


def test_output(url: str, tmp_path: Path) -> None:
    """The body goes into the file that is named."""
    assert curl("-s", "-o", "page", url, folder=tmp_path) == (0, "", "")
    assert (tmp_path / "page").read_text() == "GET / None"


def test_fail(url: str) -> None:
    """With -f an error status is exit code 22, without its body."""
    error = "curl: (22) The requested URL returned error: 404\n"
    assert curl("-fsS", "-w", "%{http_code}", f"{url}/404") == (22, "404", error)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://no-such-host.invalid/", 6),
        ("ftp://127.0.0.1/", 1),
        ("http://:80/", 3),
        ("http://127.0.0.1:x/", 3),
    ],
)
def test_bad_target(target: str, code: int) -> None:
    """An unknown host, another protocol and no URL have their exit codes; -s says nothing of it."""
    assert curl("-s", "-w", "%{http_code}", target) == (code, "000", "")


def test_nothing_listens() -> None:
    """A refused connection is exit code 7."""
    code, _, errors = curl(f"127.0.0.1:{closed_port()}/health")
    assert (code, errors[:9]) == (7, "curl: (7)")


def test_max_time(silent_url: str) -> None:
    """A request that takes longer than it may is exit code 28."""
    code, _, errors = curl("-sS", "--max-time", "0.3", silent_url)
    assert (code, errors) == (28, "curl: (28) Operation timed out after 300 milliseconds\n")


def test_unwritable(url: str, tmp_path: Path) -> None:
    """A file that cannot be written is exit code 23."""
    assert curl("-s", "-o", str(tmp_path), url)[0] == 23


def test_unknown_option(url: str) -> None:
    """An option that is not there is refused, not passed over."""
    code, _, errors = curl("--retry", "3", url)
    assert (code, errors[:5]) == (2, "curl:")
