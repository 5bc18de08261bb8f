"""Runs a suite: pytest as a child on one folder of `suites/`, its results shown as they come.

What the child proved is in the run's evidence; its exit status is not needed. The child ends when
we do, however we end: it watches a pipe of ours (`fixtures.evidence`).
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from traderx_gate import interruption
from traderx_gate.checkout import require_checkout
from traderx_gate.operations import validation
from traderx_gate.runs import Run

SUITE_TIMEOUT_S = 1800.0
"""A whole suite; every wait and request in it has a deadline of its own."""
LOOK_EVERY_S = 0.2
END_TIMEOUT_S = 20.0
"""For an interrupted pytest to write what it knows and to end its workers."""
DECIDED = (0, 1, 3)
"""Exit statuses of a pytest that came to a decision (`fixtures.evidence`)."""
LOG = "pytest.log"
PLUGINS = (
    "xdist.plugin",
    "xdist.looponfail",
    "pytest_metadata.plugin",
    "pytest_html.fixtures",
    "pytest_html.plugin",
    "pytest_timeout",
)
"""All that is loaded: another plugin that happens to be installed might run tests again."""

Progress = Callable[[int, str], None]
"""Told how many claims have a result, and the last one's key and outcome."""


def run_suite(run: Run, *, suite: str, workers: int, progress: Progress) -> str:
    """Run a suite to its end, or to ours; returns why it was cut short, else nothing.

    Ctrl-C and SIGTERM interrupt pytest, which closes its evidence as interrupted.
    """
    root = require_checkout()
    command = [sys.executable, "-m", "pytest", "-c", str(root / "pyproject.toml")]
    command += ["--rootdir", str(root), "-q", "-p", "no:cacheprovider", "-n", str(workers)]
    command += [word for plugin in PLUGINS for word in ("-p", plugin)]
    command.append(str(root / "suites" / suite))
    childs, ours = os.pipe()  # the child reads; our end closes with us, whatever ends us
    with (run.path / LOG).open("wb") as log, contextlib.ExitStack() as stack:
        stack.callback(os.close, ours)
        try:
            child = subprocess.Popen(
                command,
                cwd=root,
                env=_environment(run, childs),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(childs,),
                start_new_session=True,  # a Ctrl-C is ours to pass on, once
            )
        finally:
            os.close(childs)
        with _terminated_as_interrupted():
            try:
                return _watch(child, run.path / validation.RESULTS_FILE, progress)
            except KeyboardInterrupt:
                interruption.answer()
                child.send_signal(signal.SIGINT)
                return "interrupted"
            finally:
                _end(child)


def _environment(run: Run, descriptor: int) -> dict[str, str]:
    """Return the child's environment: nothing of the user's bends what pytest runs."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return {
        **kept,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        validation.RUN_VARIABLE: str(run.path),
        validation.PARENT_VARIABLE: str(descriptor),
    }


def _watch(child: "subprocess.Popen[bytes]", results: Path, progress: Progress) -> str:
    done = read = 0
    for _ in range(int(SUITE_TIMEOUT_S / LOOK_EVERY_S)):
        interruption.check()  # one that came before the suite did
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(LOOK_EVERY_S)
        lines, read = _new_lines(results, read)
        for line in lines:
            body = json.loads(line)
            done += 1
            progress(done, f"{body['key']} {body['outcome']}")
        if child.returncode is not None:
            return "" if child.returncode in DECIDED else f"pytest ended with {child.returncode}"
    child.send_signal(signal.SIGINT)
    return f"the suite did not end in {SUITE_TIMEOUT_S:.0f} s"


def _new_lines(path: Path, start: int) -> tuple[list[bytes], int]:
    """Return the whole lines after `start`, and where the next ones begin."""
    if not path.exists():
        return [], start
    with path.open("rb") as file:
        file.seek(start)
        whole, newline, _ = file.read().rpartition(b"\n")
    return whole.splitlines(), start + len(whole) + len(newline)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Wait for a child that was told to end; one that does not is killed with its workers."""
    try:
        child.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(END_TIMEOUT_S)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
