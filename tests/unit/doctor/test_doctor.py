"""The doctor where nothing is up, where things are half there, and where they are wrong."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from traderx_embedded import procfs
from traderx_gate.doctor import Level, taken_ports

DEADLINE_S = 60
MAIN = "from traderx_gate.cli import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A user's folders: nothing was ever built or brought up there."""

    root: Path

    def doctor(self, *words: str, **variables: str) -> tuple[int, dict[str, tuple[str, str]]]:
        """Run the doctor; returns its exit code, and level and words by check."""
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "doctor", "--json", *words],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "XDG_CACHE_HOME": str(self.root / "cache"),
                "TRADERX_GATE_STATE": str(self.root / "state"),
                "TRADERX_PROJECT": "tests",
                **variables,
            },
        )
        assert done.stderr == ""
        found = {
            f["check"]: (f["level"], f"{f['seen']}; {f['advice']}") for f in json.loads(done.stdout)
        }
        return done.returncode, found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing was done yet."""
    return Machine(root=tmp_path)


def problems(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {check: words for check, (level, words) in found.items() if level == "problem"}


@pytest.fixture
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH, with a Go that is new enough."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "go").write_text("#!/bin/sh\necho go1.99.0\n")
    (folder / "go").chmod(0o755)
    return folder


def test_fresh_machine_has_no_problem_and_stays_fresh(machine: Machine, go: Path) -> None:
    """Where nothing is up yet there are warnings with what to do, exit 0, and no file is made."""
    code, found = machine.doctor(PATH=str(go))
    assert (code, problems(found)) == (0, {})
    assert found["control plane"][0] == found["environment"][0] == "warning"
    assert "traderx-gate up" in found["environment"][1]
    assert list(machine.root.iterdir()) == []


def test_no_go_is_a_problem_only_while_it_is_needed(machine: Machine) -> None:
    """Without Go and without a control plane nothing can come up: a problem with its remedy."""
    (machine.root / "bin").mkdir()
    code, found = machine.doctor(PATH=str(machine.root / "bin"))
    assert (code, set(problems(found))) == (1, {"go"})
    assert "make go" in found["go"][1]


def test_unreadable_state_is_a_problem(machine: Machine) -> None:
    """A corrupt state.json is named, with what to do; the doctor leaves it as it is."""
    (machine.root / "state").mkdir()
    (machine.root / "state" / "state.json").write_text("{")
    code, found = machine.doctor()
    assert code == 1
    assert "state.json: unreadable" in found["processes"][1]
    assert (machine.root / "state" / "state.json").read_text() == "{"


def test_leftover_process_is_a_problem(machine: Machine) -> None:
    """A process of a cluster whose supervisor is gone is found by number and left alone."""
    state = machine.root / "state"
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={procfs.MARKER: str(state)},
    ) as orphan:
        code, found = machine.doctor()
        assert orphan.poll() is None
        orphan.kill()
    assert code == 1
    assert f"1 are left of a run that was killed: {orphan.pid};" in found["processes"][1]


def test_port_taken_at_every_address_is_a_problem() -> None:
    """A program that listens at every address on a port of TraderX is named by its number."""
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        (finding,) = taken_ports({port})
    assert finding.level is Level.PROBLEM
    assert finding.seen == f"process {os.getpid()} listens at every address on {port}"


def test_port_taken_at_one_address_is_no_problem() -> None:
    """A program that listens at one address leaves the node its own."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        (finding,) = taken_ports({other.getsockname()[1]})
    assert finding.level is Level.OK


@pytest.fixture
def web_page() -> Iterator[str]:
    """A server that answers everything with a page."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def kubeconfig(path: Path, server: str) -> Path:
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    return path


def test_what_is_neither_kubernetes_nor_confighub_is_said(machine: Machine, web_page: str) -> None:
    """Addresses at which something else answers are problems that name the address."""
    (machine.root / "token").write_text("t")
    code, found = machine.doctor(
        "--cluster=existing",
        f"--kubeconfig={kubeconfig(machine.root / 'kubeconfig', web_page)}",
        f"--confighub={web_page}",
        f"--confighub-token-file={machine.root / 'token'}",
    )
    assert (code, set(problems(found))) == (1, {"kubernetes", "ConfigHub"})
    assert f"{web_page} is not a Kubernetes API" in found["kubernetes"][1]
    assert f"{web_page} is not ConfigHub" in found["ConfigHub"][1]


def test_missing_kubeconfig_and_token_are_named(machine: Machine) -> None:
    """Files that are not there are problems with their paths, each on its own line."""
    missing = machine.root / "missing"
    code, found = machine.doctor(
        "--cluster=existing",
        f"--kubeconfig={missing}",
        "--confighub=http://127.0.0.1:9",
        f"--confighub-token-file={missing}",
    )
    assert (code, set(problems(found))) == (1, {"kubernetes", "ConfigHub"})
    assert all(str(missing) in words for words in problems(found).values())
