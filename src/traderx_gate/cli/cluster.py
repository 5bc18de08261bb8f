"""Commands about the embedded systems, and about what this machine lacks."""

import json
from typing import Annotated

import typer

from traderx_gate import doctor as diagnosis
from traderx_gate import embedded, settings
from traderx_gate.application import load
from traderx_gate.cli.app import app
from traderx_gate.cli.options import Json, Systems, with_systems
from traderx_gate.errors import ConfigurationError


@app.command(epilog="Example: traderx-gate up")
def up() -> None:
    """Start the embedded cluster and ConfigHub; harmless when they run already."""
    raise typer.Exit(embedded.run("up", quiet=True) or embedded.run("status"))


@app.command(epilog="Example: traderx-gate down")
def down() -> None:
    """Stop the embedded systems and remove what they left, also after a crash."""
    raise typer.Exit(embedded.run("down"))


@app.command(epilog="Example: traderx-gate status --json")
def status(
    *,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="go on until Ctrl-C")] = False,
) -> None:
    """Show the embedded systems: processes, addresses, project."""
    if watch or not as_json:
        raise typer.Exit(embedded.run("status", ["--watch"] if watch else []))
    found = settings.embedded_status()
    try:
        found["project"] = settings.resolve_project(None)
    except ConfigurationError:
        found["project"] = None
    found["environments"] = [spec.name for spec in load().environments if spec.upstream]
    typer.echo(json.dumps(found, indent=1))


@app.command(epilog="Example: traderx-gate doctor")
@with_systems
def doctor(*, systems: Systems, as_json: Json = False) -> None:
    """Say what is there, what is missing and what to do; exit code 1 if something is a problem."""
    found = diagnosis.examine(
        lambda name: systems.resolve(project=name),
        project=systems.project,
        is_embedded=systems.cluster == "embedded",
    )
    if as_json:
        typer.echo(json.dumps([finding.to_json() for finding in found], indent=1))
    else:
        for finding in found:
            typer.echo(finding.line())
    raise typer.Exit(any(finding.level is diagnosis.Level.PROBLEM for finding in found))
