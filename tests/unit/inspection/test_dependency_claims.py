import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from traderx_gate.inspection import dependencies
from traderx_gate.kube import Executed

DEADLINE_S = 20


@pytest.mark.parametrize(
    ("ended", "seen", "met"),
    [
        (Executed(exit_code=0, output="whatever"), "a connection", True),
        (
            Executed(exit_code=1, output="refused\n  at once"),
            "none, exit code 1: refused at once",
            False,
        ),
        (Executed(exit_code=None, output=""), "none, did not end: ", False),
    ],
)
def test_reached(ended: Executed, seen: str, met: bool) -> None:  # noqa: FBT001
    """Only a command that ended with 0 reached anything; another one is told with what it said."""
    found = dependencies.reached("web-1", "shop", "database:18082", ended)
    assert (found.subject, found.expected, found.seen, found.met) == (
        "database:18082 from inside pod web-1",
        "a connection",
        seen,
        met,
    )


def connect(call: str, folder: Path, *tools: str) -> Executed:
    """Run the command with these tools alone on its PATH."""
    for tool in tools:
        found = sys.executable if tool == "python3" else shutil.which(tool)
        assert found is not None, tool
        (folder / tool).symlink_to(found)
    done = subprocess.run(
        ["/bin/sh", *list(dependencies.command(call))[1:]],
        env={"PATH": str(folder), "LANG": os.environ.get("LANG", "C")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Executed(exit_code=done.returncode, output=done.stdout)


@pytest.mark.parametrize("tools", [("python3",), ("bash", "timeout")], ids=lambda t: t[0])
def test_command_connects(tmp_path: Path, tools: tuple[str, ...]) -> None:
    """The command ends with 0 where something listens and with another code where nothing does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        call = f"127.0.0.1:{server.getsockname()[1]}"
        (tmp_path / "open").mkdir()
        heard = connect(call, tmp_path / "open", *tools)
    (tmp_path / "closed").mkdir()
    alone = connect(call, tmp_path / "closed", *tools)
    assert (heard.exit_code, alone.exit_code == 0) == (0, False), (heard, alone)
    assert dependencies.has_tool(heard)
    assert dependencies.has_tool(alone)


def test_nothing_to_connect_with(tmp_path: Path) -> None:
    """An image that has nothing to connect with is told from a dependency that is away."""
    ended = connect("127.0.0.1:1", tmp_path)
    assert (ended.exit_code, dependencies.has_tool(ended)) == (2, False)
