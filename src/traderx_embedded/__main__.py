"""The embedded systems' command line; light on imports, since every status asks it."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from traderx_embedded import cluster, container_images, doctor, processes, supervisor
from traderx_embedded.errors import EmbeddedError, RefusedError
from traderx_embedded.kubernetes import programs
from traderx_embedded.state import Outside, State


def parser() -> argparse.ArgumentParser:
    """Return the options of every command."""
    top = argparse.ArgumentParser(prog="python -m traderx_embedded", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the control plane if it is not there")
    for name, text in (
        ("up", "start everything and wait until it is ready"),
        ("down", "stop everything and remove what it left"),
        ("status", "say what runs and where"),
        ("doctor", "say as JSON what is wrong here; changes nothing"),
        ("supervise", "run the processes (started by up)"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("state", type=Path)
        if name == "up":
            command.add_argument("--outside", metavar="KIND", help="ConfigHub alone, for a cluster")
            command.add_argument("--kubeconfig", type=Path)
            command.add_argument("--context")
        if name == "down":
            command.add_argument("--keep-data", action="store_true")
        if name == "status":
            command.add_argument("--json", action="store_true")
            command.add_argument("--watch", action="store_true")
        if name == "supervise":
            command.add_argument("--descriptor", type=int, required=True)
    made = commands.add_parser("images", help="the container images of the stand-ins")
    made.add_argument("action", choices=("list", "build", "lay-out"))
    made.add_argument("folder", type=Path, nargs="?", help="to lay the image's /app out in")
    made.add_argument("--engine", choices=container_images.ENGINES)
    process = commands.add_parser("process", help="add a process (JSON on stdin), or remove one")
    process.add_argument("action", choices=("add", "remove"))
    process.add_argument("state", type=Path)
    process.add_argument("name")
    return top


def main(argv: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    options = parser().parse_args(argv)
    try:
        return _run(options)
    except EmbeddedError as error:
        print(f"traderx-gate: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    if options.command == "build":
        print(programs.find())
        return 0
    if options.command == "images":
        return _images(options.action, options.folder, options.engine)
    state = State.at(options.state)
    if options.command == "process":
        return _process(state, options.action, options.name)
    if options.command == "status":
        return _status(state, as_json=options.json, watch=options.watch)
    if options.command == "up":
        outside = options.outside and Outside(
            kind=options.outside, kubeconfig=options.kubeconfig, context=options.context
        )
        cluster.up(state, outside)
        print(json.dumps(cluster.status(state), indent=1))
    elif options.command == "down":
        cluster.down(state, keep_data=options.keep_data)
    elif options.command == "doctor":
        print(json.dumps([finding.to_json() for finding in doctor.findings(state)]))
    else:
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
        )
        supervisor.Supervisor(state, inherited_descriptors=(options.descriptor,)).run()
    return 0


def _images(action: str, folder: Path | None, engine: str | None) -> int:
    if action == "list":
        print(json.dumps([image.to_json() for image in container_images.all_images()], indent=1))
    elif action == "build":
        for name in container_images.build(container_images.engine(engine)):
            print(name, flush=True)
    elif folder is None:
        raise RefusedError("images lay-out: name the folder")
    else:
        container_images.lay_out(folder)
    return 0


def _process(state: State, action: str, name: str) -> int:
    if state.settings() is None:
        raise RefusedError(f"{state.root}: nothing was brought up here")
    if action == "add":
        processes.write(state, processes.parse(name, sys.stdin.read()))
    else:
        processes.remove(state, name)
    return 0 if supervisor.tell(state) else 1


def _status(state: State, *, as_json: bool, watch: bool) -> int:
    last = ""
    while True:
        found = cluster.status(state)
        text = json.dumps(found, indent=1) if as_json else _words(found)
        if text != last:
            print(text, flush=True)
            last = text
        if not watch:
            return 0 if found["running"] else 1
        time.sleep(1)


def _words(found: dict[str, Any]) -> str:
    lines = [
        f"kubeconfig  {found['kubeconfig']} (context {found['context']})",
        f"ConfigHub   {found['confighub']['url']}",
    ]
    lines += [
        f"{p['name']:<26} {p['state']:<9} pid {p['pid'] or '-':<8} restarts {p['restarts']}"
        for p in found["processes"]
    ]
    return "\n".join([*lines, "" if found["processes"] else "nothing runs"]).rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
