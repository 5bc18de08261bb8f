"""Ctrl-C is not lost where Python drops the exception that it raises."""

import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, sys
from traderx_gate import interruption

class Collected:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

interruption.remember()
Collected()
if "answered" in sys.argv:
    interruption.answer()
try:
    interruption.check()
except KeyboardInterrupt:
    print("heard")
else:
    print("not heard")
"""


@pytest.mark.parametrize(("words", "said"), [((), "heard\n"), (("answered",), "not heard\n")])
def test_dropped_one_is_heard(words: tuple[str, ...], said: str) -> None:
    """A Ctrl-C in a finalizer, which Python drops, is raised again until it is answered."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, said), done.stderr


def test_ignored_one_stays_ignored() -> None:
    """Who has Ctrl-C ignored, as a shell for its background, is not interrupted by it."""
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    done = subprocess.run(
        [sys.executable, "-c", ignore + SCRIPT],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "not heard\n"), done.stderr
