import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from traderx_gate.cli.app import app
from traderx_gate.errors import GateError

ROOT = Path(__file__).resolve().parents[3]
HOW_TO = ROOT / "docs" / "how-to" / "ci.md"
EXISTING = ROOT / ".github" / "workflows" / "existing.yml"
INPUT = {"$ENVIRONMENT": "dev"}
"""What stands for a choice of the person who starts a workflow."""
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
LINT_TIMEOUT_S = 60

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def jobs(path: Path) -> dict[str, Any]:
    """Return the jobs of a workflow."""
    return dict(yaml.safe_load(path.read_text())["jobs"])


def words(path: Path, program: str) -> Iterator[list[str]]:
    """Yield the words of every call of a program in a workflow's steps, without redirections."""
    for job in jobs(path).values():
        for step in job["steps"]:
            for line in step.get("run", "").splitlines():
                lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
                lexer.whitespace_split = True
                command = itertools.takewhile(lambda word: word[0] not in "|&;<>()", lexer)
                split = list(command)
                if split[:1] == [program]:
                    yield [INPUT.get(word, word) for word in split[1:]]


def documented(program: str) -> Iterator[list[str]]:
    """Yield the words of every call of a program that the how-to names with more than its name."""
    for span in re.findall(rf"`{program} ([^`]+)`", HOW_TO.read_text()):
        yield shlex.split(span)


def steps(path: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs of a workflow."""
    return [step for job in jobs(path).values() for step in job["steps"]]


def accepted(given: list[str]) -> str:
    """Return what our command line has against some words; nothing where it takes them."""
    command: Any = typer.main.get_command(app)
    name, *rest = given
    if name not in command.commands:
        return f"no command {name}"
    try:
        command.commands[name].make_context(name, rest)
    except (typer.exceptions.TyperException, GateError) as error:
        return str(error)
    return ""


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_there_are_workflows() -> None:
    """The gate, its form for an existing cluster and the nightly workflow are there."""
    assert [path.stem for path in WORKFLOWS] == ["existing", "gate", "nightly"]


@each_workflow
def test_workflow_fits_the_schema(path: Path) -> None:
    """GitHub would read the workflow: it fits the published schema."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.github-workflows", str(path)),
        ],
        capture_output=True,
        text=True,
        timeout=LINT_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@each_workflow
def test_every_command_exists(path: Path) -> None:
    """Every `traderx-gate` line of a workflow is one that the command line takes."""
    refused = {" ".join(given): accepted(given) for given in words(path, "traderx-gate")}
    assert {line: why for line, why in refused.items() if why} == {}


def test_every_documented_command_exists() -> None:
    """Every `traderx-gate` line of the how-to is one that the command line takes."""
    refused = {" ".join(given): accepted(given) for given in documented("traderx-gate")}
    assert refused
    assert {line: why for line, why in refused.items() if why} == {}


def test_every_documented_target_exists() -> None:
    """Every `make` line of the how-to names a target of the Makefile."""
    called = {given[0] for given in documented("make")}
    assert called
    assert called <= targets()


@each_workflow
def test_scripts_are_plain_text(path: Path) -> None:
    """No expression is pasted into a script: an input or a secret is a variable, never code."""
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


def test_existing_cluster_is_left_as_it_was() -> None:
    """On an existing cluster the gate deploys, validates, and takes all away, whatever happened."""
    found = [given[0] for given in words(EXISTING, "traderx-gate")]
    assert found == [
        *("up", "rights", "install", "deploy", "validate"),
        *("verdict", "doctor", "uninstall", "down"),
    ]
    last = {step["run"].split(" -")[0]: step["if"] for step in steps(EXISTING)[-3:]}
    assert list(last) == ["traderx-gate uninstall", "traderx-gate down", "rm"]
    assert all(condition.startswith("always()") for condition in last.values())


def test_the_gate_validates() -> None:
    """The gate's commands are the chain: up, install, deploy, validate, in this order."""
    found = [given[0] for given in words(ROOT / ".github/workflows/gate.yml", "traderx-gate")]
    assert found[:4] == ["up", "install", "deploy", "validate"]


@each_workflow
def test_every_target_exists(path: Path) -> None:
    """Every `make` line of a workflow names a target of the Makefile."""
    called = {given[0] for given in words(path, "make")}
    assert called
    assert called <= targets()


@each_workflow
def test_actions_are_pinned(path: Path) -> None:
    """Every action is pinned by its commit, with the version in words."""
    used = re.findall(r"uses: .*", path.read_text())
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


@each_workflow
def test_jobs_have_least_rights_and_an_end(path: Path) -> None:
    """Nothing is permitted by default, no job may write, and every job has a time limit."""
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for name, job in jobs(path).items():
        assert job.get("permissions", {}) in ({}, {"contents": "read"}), name
        assert job["timeout-minutes"] <= 120, name


@each_workflow
def test_no_failure_is_hidden(path: Path) -> None:
    """No step goes on after a failure without saying so."""
    hidden = re.findall(r"\|\|\s*(?:true|:)|continue-on-error", path.read_text())
    assert hidden == []


def test_reports_are_kept_after_a_failure() -> None:
    """Every job that validates uploads its reports whatever happened."""
    uploads = [
        step
        for path in WORKFLOWS
        for job in jobs(path).values()
        for step in job["steps"]
        if "upload-artifact" in step.get("uses", "")
    ]
    assert {step["if"] for step in uploads} == {"always()"}
    assert all("reports/out/" in step["with"]["path"] for step in uploads)
