"""`--cluster kind` of `up` and `down`: a cluster of ours on a container engine, and its images."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import typer

from traderx_gate import embedded
from traderx_gate.checkout import state_directory
from traderx_gate.clusters import kind
from traderx_gate.clusters.engine import Engine, find
from traderx_gate.errors import UnreachableError

MADE = "kind.json"
"""Written before the cluster is made: says with which engine, also when `up` is killed."""


def up(options: kind.Options, *, engine_name: str, stock: bool) -> tuple[Path, str]:
    """Make the cluster with its images, or take the one that is there.

    Args:
        options: What is wanted, images left out.
        engine_name: The container engine; empty for the first that runs.
        stock: Have the nodes pull TraderX's own images instead of loading ours.

    Returns:
        Its kubeconfig and context.

    Raises:
        RefusedError: Something is missing, taken or somebody else's.
        UnreachableError, NotReachedError: It did not come up.
    """
    engine = find(engine_name)
    kind.require_kind()
    images = () if stock else embedded.image_names()
    if engine.missing(images):
        _say(f"building {len(images)} images with {engine.name}")
        if embedded.images("build", "--engine", engine.name) != 0:
            raise UnreachableError(f"{engine.name} did not build the images; see above")
    options.state.mkdir(parents=True, exist_ok=True)
    (options.state / MADE).write_text(json.dumps({"engine": engine.name}))
    _say(f"making the kind cluster {kind.NAME}, or finding it: some minutes the first time")
    return kind.up(engine, replace(options, images=images))


def down() -> None:
    """Remove the cluster that `up` made, if it made one.

    Raises:
        RefusedError: The cluster of that name is not ours, or the engine does not run.
    """
    made = state_directory() / MADE
    if not made.is_file():
        return
    engine = Engine(json.loads(made.read_text())["engine"])
    if kind.down(engine, state_directory()):
        _say(f"removed the kind cluster {kind.NAME}")
    made.unlink()
    with contextlib.suppress(OSError):  # not empty: the rest is not ours
        state_directory().rmdir()


def _say(text: str) -> None:
    typer.echo(f"kind: {text}", err=True)
