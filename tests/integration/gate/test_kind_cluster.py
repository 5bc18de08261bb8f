"""`--cluster kind` of `up` and `down`, against programs that answer as docker and kind do.

No cluster comes of it: that is not proved here (docs/fidelity.md).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gate.gate_command import COMMAND, COMMAND_TIMEOUT_S
from tests.unit.clusters import fake_programs
from traderx_embedded import container_images

Answers = dict[str, dict[str, Any]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
VERSION: Answers = {"kind version": {"out": "kind v0.33.0 go1.25.1 linux/amd64\n"}}
STOPPED: Answers = {
    "docker info": {
        "code": 1,
        "out": '{"ServerVersion":""}\n',
        "err": "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n",
    }
}


def running(state: Path, *, ours: bool) -> Answers:
    """What docker and kind say while our cluster is there, or is not."""
    names = "\n".join(image.name for image in container_images.all_images())
    mounted = [{"Destination": "/traderx-gate", "Source": str(state)}]
    return {
        **VERSION,
        "docker info": {"out": "{}\n"},
        "docker images": {"out": f"{names}\n"},
        "docker inspect": {"out": f"{json.dumps(mounted)}\n"},
        "docker save": {},
        "docker exec": {"out": '["--kubelet-insecure-tls"]'},
        "kind get clusters": {"out": "traderx-gate\n"} if ours else {"err": "No kind clusters.\n"},
        "kind create cluster": {},
        "kind export kubeconfig": {},
        "kind load image-archive": {},
        "kind delete cluster": {},
    }


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The folder of what is up."""
    return tmp_path / "state"


@pytest.fixture
def given(tmp_path: Path, state: Path) -> Callable[[Answers], Run]:
    """Put the programs that are named on PATH; returns how a command is run then."""
    folder = tmp_path / "bin"

    def put(answers: Answers) -> Run:
        folder.mkdir(exist_ok=True)
        fake = folder / "fake_programs.py"
        shutil.copy(fake_programs.__file__, fake)
        (folder / "answers.json").write_text(json.dumps(answers))
        for name in {begin.split()[0] for begin in answers}:
            (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {fake} {name} "$@"\n')
            (folder / name).chmod(0o755)

        def run(*words: str) -> "subprocess.CompletedProcess[str]":
            return subprocess.run(
                [*COMMAND, *words],
                env={**os.environ, "PATH": str(folder), "TRADERX_GATE_STATE": str(state)},
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )

        return run

    return put


def test_cluster_is_made_and_removed(given: Callable[[Answers], Run], state: Path) -> None:
    """`up` makes the cluster, loads the images, starts ConfigHub beside it; `down` removes both."""
    made = given(running(state, ours=False))("up", "--cluster", "kind")
    run = given(running(state, ours=True))
    status = json.loads(run("status", "--json").stdout)
    again, other = run("up", "--cluster", "kind"), run("up")
    removed = run("down")
    calls = [json.loads(line) for line in calls_of(state).read_text().splitlines()]
    said = [" ".join(call[1:3]) for call in calls if call[0] == "kind"]
    assert (made.returncode, again.returncode, removed.returncode) == (0, 0, 0), made.stderr
    assert (other.returncode, "is up here" in other.stderr) == (2, True)
    assert (status["cluster"], status["context"]) == ("kind", "kind-traderx-gate")
    assert [process["name"] for process in status["processes"]] == ["confighub"]
    order = ("create cluster", "load image-archive", "export kubeconfig", "delete cluster")
    first = [said.index(word) for word in order]
    assert first == sorted(first), said
    assert not state.exists()


def calls_of(state: Path) -> Path:
    """Where the programs write down how they were called."""
    return state.parent / "bin" / "asked.jsonl"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "no container engine on PATH"),
        (STOPPED, "Cannot connect to the Docker daemon"),
        ({"docker info": {"out": "{}\n"}}, "kind is not on PATH"),
        (
            {"docker info": {"out": "{}\n"}, "kind version": {"out": "kind v0.20.0 go1.20\n"}},
            "kind is too old",
        ),
    ],
    ids=["no engine", "engine stopped", "no kind", "old kind"],
)
def test_what_is_missing_is_one_line(
    given: Callable[[Answers], Run], state: Path, answers: Answers, said: str
) -> None:
    """Without an engine that runs, or a kind that is new enough, nothing is made: exit code 2."""
    done = given(answers)("up", "--cluster", "kind")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert said in done.stderr
    assert len(done.stderr) < 400
    assert not state.exists()
