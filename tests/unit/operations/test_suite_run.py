"""A suite's pytest as a child: it ends when we do, and what it came to is told."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from traderx_gate.operations import suite_run
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 60.0
CHECKOUT = Path(suite_run.__file__).parents[3]
WAITS = """
import os
import pathlib
import threading

from fixtures import evidence

def test_waits():
    evidence._end_with(int(os.environ["TRADERX_GATE_PARENT"]))
    pathlib.Path(os.environ["TRADERX_GATE_RUN"], "pid").write_text(f"{os.getpid()}\\n")
    threading.Event().wait(60)
"""
RUNNER = """
import sys
from pathlib import Path
from traderx_gate import checkout
from traderx_gate.operations import suite_run
from traderx_gate.runs import Run

suite_run.require_checkout = lambda: Path(sys.argv[1])
said = suite_run.run_suite(
    Run(Path(sys.argv[2])), suite="some", workers=0, progress=lambda n, last: print(n, last)
)
print(f"said: {said}", flush=True)
"""


def checkout(folder: Path, test: str) -> tuple[Path, Path]:
    """A checkout with one suite of one test, and a run's directory."""
    suite, run = folder / "checkout" / "suites" / "some", folder / "run"
    suite.mkdir(parents=True)
    run.mkdir()
    (folder / "checkout" / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (suite / "test_some.py").write_text(textwrap.dedent(test))
    return folder / "checkout", run


def runner(folder: Path, test: str) -> "subprocess.Popen[str]":
    """A process that runs the suite, as the command line does."""
    paths = map(str, checkout(folder, test))
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, *paths],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTEST_ADDOPTS": "--nonsense"},
        stdout=subprocess.PIPE,
        text=True,
    )


def suite_process(folder: Path) -> psutil.Process:
    """The pytest of a suite, once its test runs."""
    file = folder / "run" / "pid"
    text = until(
        polling(
            lambda: file.read_text() if file.exists() else "",
            every_s=0.02,
            deadline=Deadline(DEADLINE_S),
        ),
        lambda seen: seen.endswith("\n"),
        what="the suite's test to run",
    )
    return psutil.Process(int(text))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_suite_ends_with_us(tmp_path: Path, number: signal.Signals) -> None:
    """The suite's pytest ends when the process that started it is killed or told to end."""
    with runner(tmp_path, WAITS) as child:
        suite = suite_process(tmp_path)
        child.send_signal(number)
        suite.wait(DEADLINE_S)
        assert child.stdout is not None
        said = child.stdout.read()
        child.wait(DEADLINE_S)
    assert said == ("" if number is signal.SIGKILL else "said: interrupted\n")


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("def test_passes(): pass", ""),
        ("import nosuch", "pytest ended with 2"),
        ("import os\nos.abort()", "pytest ended with -6"),
    ],
    ids=["passes", "cannot be collected", "aborts"],
)
def test_end_of_a_suite_is_told(tmp_path: Path, test: str, said: str) -> None:
    """A suite that came to a decision is told from one that broke; no option of the user counts."""
    with runner(tmp_path, test) as child:
        assert child.stdout is not None
        assert child.stdout.read() == f"said: {said}\n"
        assert child.wait(DEADLINE_S) == 0


def test_results_are_shown_as_they_come(tmp_path: Path) -> None:
    """Each whole line of results is counted once, with its key and outcome."""
    results = """
    import json
    import os
    import pathlib

    def test_writes():
        lines = [json.dumps({"key": key, "outcome": "passed"}) for key in ("a.b", "c.d")]
        path = pathlib.Path(os.environ["TRADERX_GATE_RUN"], "results.jsonl")
        path.write_text("\\n".join(lines) + "\\n{")
    """
    with runner(tmp_path, results) as child:
        assert child.stdout is not None
        said = child.stdout.read()
        child.wait(DEADLINE_S)
    assert said == "1 a.b passed\n2 c.d passed\nsaid: \n"
