"""Commands of a group, named without one of them."""

import subprocess
import sys

MAIN = "from traderx_gate.cli import main; main()"
TIMEOUT_S = 60


def test_group_alone_shows_its_commands() -> None:
    """A group without a command shows its help, is refused, and says nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "worker"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert "auto-apply" in done.stdout
