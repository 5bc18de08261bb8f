import os
import subprocess
import sys
from pathlib import Path

import pytest

from traderx_gate import environment_lock
from traderx_gate.errors import RefusedError

DEADLINE_S = 20
HOLDER = """
import sys
from pathlib import Path
from traderx_gate import environment_lock
with environment_lock.held(Path(sys.argv[1]), "traderx", "dev", command="traderx-gate deploy dev"):
    print("held", flush=True)
    sys.stdin.read()
"""
TAKER = """
import sys
from pathlib import Path
from traderx_gate import environment_lock
with environment_lock.held(Path(sys.argv[1]), "traderx", "dev", command="child"):
    print("inherited")
"""


def _holder(folder: Path) -> "subprocess.Popen[str]":
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def _taker(
    folder: Path, variables: dict[str, str], *, program: str = TAKER
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_second_run_is_told_of_the_first(tmp_path: Path) -> None:
    """A second run on an environment is refused, and told which command holds it."""
    with _holder(tmp_path) as child:
        with (
            pytest.raises(RefusedError, match=f"`traderx-gate deploy dev`, process {child.pid}"),
            environment_lock.held(tmp_path, "traderx", "dev", command="second"),
        ):
            raise AssertionError
        child.kill()
        child.wait(DEADLINE_S)
    with environment_lock.held(tmp_path, "traderx", "dev", command="second"):
        assert "second" in (tmp_path / "traderx-dev.owner").read_text()


def test_other_environments_are_free(tmp_path: Path) -> None:
    """A lock is about one environment of one project only."""
    with (
        environment_lock.held(tmp_path, "traderx", "dev", command="a"),
        environment_lock.held(tmp_path, "traderx", "staging", command="b"),
        environment_lock.held(tmp_path, "other", "dev", command="c"),
    ):
        owners = {path.stem for path in tmp_path.glob("*.owner")}
    assert owners == {"traderx-dev", "traderx-staging", "other-dev"}


def test_child_goes_on_under_its_parents_lock(tmp_path: Path) -> None:
    """A process that the owner starts does not wait for its owner; a stranger's does."""
    stranger_token = {environment_lock.TOKEN_VARIABLE: "0" * 32}
    with environment_lock.held(tmp_path, "traderx", "dev", command="owner"):
        child = _taker(tmp_path, {})
        other = _taker(tmp_path, stranger_token)
    assert child.stdout == "inherited\n"
    assert "dev of traderx is in use by `owner`" in other.stderr
    assert environment_lock.TOKEN_VARIABLE not in os.environ


def test_child_that_holds_another_is_no_stranger(tmp_path: Path) -> None:
    """A process that holds an environment of its own still goes on under its parent's lock."""
    taker = TAKER.replace(
        'with environment_lock.held(Path(sys.argv[1]), "traderx", "dev", command="child"):',
        "folder = Path(sys.argv[1])\n"
        'own = environment_lock.held(folder, "traderx", "base", command="child")\n'
        'with own, environment_lock.held(folder, "traderx", "dev", command="child"):',
    )
    with environment_lock.held(tmp_path, "traderx", "dev", command="owner"):
        child = _taker(tmp_path, {}, program=taker)
    assert child.stdout == "inherited\n", child.stderr


def test_unusable_folder_is_refused(tmp_path: Path) -> None:
    """A folder that cannot hold a lock is refused in words."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RefusedError, match="cannot lock dev"),
        environment_lock.held(tmp_path / "file", "traderx", "dev", command="a"),
    ):
        raise AssertionError
