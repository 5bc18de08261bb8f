"""Attach: the output of a container that runs, as it comes."""

import time

from tests.contract.kubernetes.laboratory import DEADLINE_S, Laboratory, hang_up

SPEAK = """
import sys, threading
print("before", flush=True)
threading.Event().wait(float(sys.argv[1]))
while True:
    print("out", flush=True)
    print("err", file=sys.stderr, flush=True)
    threading.Event().wait(0.05)
"""
STOP = """
import signal, sys, threading
def stop(*_):
    print("last words", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
while True:
    print("alive", flush=True)
    threading.Event().wait(0.05)
"""


def test_output_as_it_comes(lab: Laboratory) -> None:
    """Both streams of what a container says from now on arrive, apart, and nothing from before."""
    lab.pod("speaking", SPEAK, "0.5")
    lab.until_ready("speaking")
    assert next(lab.follow("speaking")) == "before"
    attached = lab.attach("speaking")
    out, err = "", ""
    deadline = time.monotonic() + DEADLINE_S
    while not ("out" in out and "err" in err) and time.monotonic() < deadline:
        attached.update(timeout=1)
        out += attached.read_stdout(timeout=0) or ""
        err += attached.read_stderr(timeout=0) or ""
    hang_up(attached)
    assert (set(out.split()), set(err.split())) == ({"out"}, {"err"})


def test_ends_with_the_container(lab: Laboratory) -> None:
    """When the container ends its last words have arrived, and the connection ends."""
    lab.pod("ending", STOP)
    lab.until_ready("ending")
    attached = lab.attach("ending")
    out = ""
    while "alive" not in out:
        attached.update(timeout=DEADLINE_S)
        out += attached.read_stdout(timeout=0) or ""
    lab.request("DELETE", "pods/ending").raise_for_status()
    attached.run_forever(timeout=DEADLINE_S)
    out += attached.read_stdout(timeout=0) or ""
    is_open = attached.is_open()
    hang_up(attached)
    assert not is_open
    assert out.endswith("last words\n")
