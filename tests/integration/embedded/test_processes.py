"""Processes that are added to the supervisor, and taken away from it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.embedded.embedded_command import (
    ARGV,
    COMMAND_TIMEOUT_S,
    DEADLINE_S,
    embedded,
    status,
)
from traderx_gate.waiting import Deadline, polling, until

LAST_WORDS_S = 2
SLOW_TO_END = f"""
import signal, sys, time
def end(*_):
    print("ending", flush=True)
    time.sleep({LAST_WORDS_S})
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("begun", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture(name="supervised")
def _supervised(state: Path, tmp_path: Path) -> Path:
    """A supervisor with ConfigHub alone."""
    kubeconfig = tmp_path / "kubeconfig"
    clusters = [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]
    contexts = [{"name": "c", "context": {"cluster": "c", "user": "c"}}]
    body = {"clusters": clusters, "contexts": contexts, "users": [{"name": "c", "user": {}}]}
    kubeconfig.write_text(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "c", **body})
    )
    options = ("--outside", "existing", "--kubeconfig", str(kubeconfig), "--context", "c")
    done = embedded("up", str(state), *options)
    assert done.returncode == 0, done.stderr
    return state


def process(state: Path) -> dict[str, Any]:
    """Return the process as the status says, empty for none."""
    found = [one for one in status(state)["processes"] if one["name"] == "slow"]
    return dict(found[0]) if found else {}


def order(state: Path, action: str) -> None:
    """Have the process added, or removed."""
    spec = {"argv": [sys.executable, "-c", SLOW_TO_END]}
    subprocess.run(
        [*ARGV, "process", action, str(state), "slow"],
        input=json.dumps(spec),
        text=True,
        check=True,
        timeout=COMMAND_TIMEOUT_S,
    )


def await_log(state: Path, words: list[str]) -> None:
    """Wait until the process has written what it has to."""
    path = Path(status(state)["logs"]) / "slow.log"
    until(
        polling(
            lambda: path.read_text().split() if path.exists() else [],
            every_s=0.05,
            deadline=Deadline(DEADLINE_S),
        ),
        lambda seen: seen == words,
        what=f"the process to write {words}",
    )


def test_process_that_is_added_back_while_it_ends_runs_again(supervised: Path) -> None:
    """A process that was taken away and added again before it had ended is started again."""
    order(supervised, "add")
    await_log(supervised, ["begun"])
    first = process(supervised)["pid"]
    order(supervised, "remove")
    await_log(supervised, ["begun", "ending"])
    order(supervised, "add")
    await_log(supervised, ["begun", "ending", "begun"])
    found = process(supervised)
    assert (found["state"], found["pid"] != first) == ("running", True)
    order(supervised, "remove")
    until(
        polling(lambda: process(supervised), every_s=0.1, deadline=Deadline(DEADLINE_S)),
        lambda seen: not seen,
        what="the process to be gone",
    )
