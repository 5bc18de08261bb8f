"""Commands that look: health, sync, tree, capabilities."""

import contextlib
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from traderx_gate.application import Service as CatalogueService
from traderx_gate.application import load
from traderx_gate.capabilities import NETWORK_POLICY, probe
from traderx_gate.cli.app import app
from traderx_gate.cli.options import (
    Environment,
    Json,
    OneService,
    Service,
    Systems,
    with_systems,
)
from traderx_gate.confighub import ConfigHub
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import ConfigurationError, KubernetesError, before_the_first_effect
from traderx_gate.kube import Pod
from traderx_gate.operations import health as health_of
from traderx_gate.operations import network_policy_probe, overview
from traderx_gate.operations.health import HealthLine
from traderx_gate.waiting import FOREVER, polling

WATCH_EVERY_S = 2.0
console = Console(soft_wrap=True, highlight=False)


@app.command(epilog="Example: traderx-gate health dev trade-service --watch")
@with_systems
def health(
    environment: Environment,
    service: OneService = None,
    *,
    systems: Systems,
    watch: Annotated[bool, typer.Option("--watch", help="go on until Ctrl-C")] = False,
    as_json: Json = False,
) -> None:
    """Look at each service in seven lines; exit code 1 if anything is not healthy."""
    if watch and as_json:
        raise ConfigurationError("--watch shows a table; leave out --json")
    deployed = systems.resolve().connect(environment)
    application = deployed.application
    wanted = application.services if service is None else (application.service(service),)
    with before_the_first_effect():
        deployed.units()
        deployed.kube.version()
    if watch:
        _watch(deployed, wanted)
    lines = [line for one in wanted for line in health_of.lines(deployed, one)]
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in lines], indent=1))
    else:
        console.print(_health_table(lines))
        sick = sorted({line.service for line in lines if not line.healthy})
        console.print(f"not healthy: {', '.join(sick)}" if sick else "all healthy", markup=False)
    raise typer.Exit(int(any(not line.healthy for line in lines)))


def _watch(deployed: DeployedEnvironment, wanted: Sequence[CatalogueService]) -> None:
    with Live(console=console, auto_refresh=False) as live, contextlib.suppress(KeyboardInterrupt):
        for lines in polling(
            lambda: [line for one in wanted for line in health_of.lines(deployed, one)],
            every_s=WATCH_EVERY_S,
            deadline=FOREVER,
        ):
            live.update(_health_table(lines), refresh=True)


def _health_table(lines: Sequence[HealthLine]) -> Table:
    table = Table("service", "line", "", "seen", box=None, pad_edge=False)
    last = ""
    for line in lines:
        mark = "ok" if line.healthy else "NOT OK"
        name = line.service if line.service != last else ""
        table.add_row(Text(name), Text(line.name), Text(mark), Text(line.seen))
        last = line.service
    return table


@app.command(epilog="Example: traderx-gate logs dev trade-service --follow")
@with_systems
def logs(
    environment: Environment,
    service: Service,
    *,
    systems: Systems,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until Ctrl-C")] = False,
    previous: Annotated[
        bool, typer.Option("--previous", help="of the containers before the last restart")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", min=1, help="of each pod")] = 50,
) -> None:
    """Show the last log lines of every pod of a service."""
    if follow and previous:
        raise ConfigurationError("--previous has ended and cannot be followed; leave out one")
    deployed = systems.resolve().connect(environment)
    with before_the_first_effect():
        pods = deployed.pods(deployed.application.service(service))
    if not pods:
        raise ConfigurationError(
            f"{service} has no pod in {deployed.spec.namespace}; see `traderx-gate health "
            f"{environment} {service}`"
        )
    if follow:
        _follow(deployed, pods, lines)
        return
    for pod in pods:
        try:
            text = deployed.kube.logs(pod.namespace, pod.name, lines=lines, previous=previous)
        except KubernetesError as error:  # another pod of the service may have one
            text = f"(none: {error})"
        for line in text.splitlines():
            typer.echo(f"{pod.name}  {line}")


def _follow(deployed: DeployedEnvironment, pods: Sequence[Pod], lines: int) -> None:
    """Show the logs of several pods as they are written, until they end or the user does."""

    def show(pod: Pod) -> None:
        for line in deployed.kube.follow_logs(pod.namespace, pod.name, lines=lines):
            typer.echo(f"{pod.name}  {line}")

    threads = [threading.Thread(target=show, args=(pod,), daemon=True) for pod in pods]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@app.command(epilog="Example: traderx-gate port-forward dev trade-service 18092")
@with_systems
def port_forward(
    environment: Environment,
    service: Service,
    port: Annotated[int | None, typer.Argument(help="port here (default: any free one)")] = None,
    *,
    systems: Systems,
) -> None:
    """Make a service reachable on 127.0.0.1, through the API server, until Ctrl-C."""
    deployed = systems.resolve().connect(environment)
    chosen = deployed.application.service(service)
    with before_the_first_effect():
        ready = [pod for pod in deployed.pods(chosen) if pod.ready]
    if not ready:
        raise ConfigurationError(f"{service} has no ready pod in {deployed.spec.namespace}")
    with deployed.kube.forwarded(
        ready[0].namespace, ready[0].name, chosen.health.port, local_port=port or 0
    ) as forward:
        typer.echo(f"http://127.0.0.1:{forward.port} -> {ready[0].name}:{chosen.health.port}")
        forward.wait()


@app.command(epilog="Example: traderx-gate sync dev")
@with_systems
def sync(environment: Environment, *, systems: Systems, as_json: Json = False) -> None:
    """Show whether every unit is Applied or Healthy; exit code 1 if one is not."""
    deployed = systems.resolve().connect(environment)
    with before_the_first_effect():
        rows = list(overview.sync(deployed))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        table = Table(
            "service", "unit", "head", "applied", "live", "state", box=None, pad_edge=False
        )
        for row in rows:
            numbers = (str(row.head), str(row.applied), str(row.live))
            table.add_row(row.service or "-", row.unit, *numbers, row.state)
        console.print(table)
    raise typer.Exit(int(not rows or any(not row.is_in_sync for row in rows)))


@app.command(
    epilog="Examples: traderx-gate capabilities dev --json; "
    "traderx-gate capabilities dev --network-policy"
)
@with_systems
def capabilities(
    environment: Environment,
    *,
    systems: Systems,
    network_policy: Annotated[
        bool,
        typer.Option(
            "--network-policy",
            help="try one out, in a namespace made for it and removed again; needs its rights",
        ),
    ] = False,
    image: Annotated[
        str, typer.Option(help="with python3, for --network-policy")
    ] = network_policy_probe.IMAGE,
    as_json: Json = False,
) -> None:
    """Say what the cluster can do, as claims need it."""
    resolved = systems.resolve()
    deployed = resolved.connect(environment)
    with before_the_first_effect():
        found = dict(probe(deployed))
    if network_policy:
        found[NETWORK_POLICY] = network_policy_probe.is_enforced(
            deployed.kube, project=resolved.project, image=image
        )
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        for name, there in found.items():
            typer.echo(f"{name:<20}{'yes' if there else 'no'}")


@app.command(epilog="Example: traderx-gate tree")
@with_systems
def tree(*, systems: Systems) -> None:
    """Show the project's spaces as they are cloned from each other, with their units."""
    resolved = systems.resolve()
    hub = ConfigHub.from_token_file(resolved.confighub_url, resolved.token_file)
    with before_the_first_effect():
        root = overview.tree(hub, load(), resolved.project)
    if root is None:
        raise ConfigurationError(
            f"{resolved.project} is not installed; install it with `traderx-gate install envs`"
        )
    console.print(_branch(root))


def _branch(branch: overview.Branch) -> Tree:
    shown = Tree(Text(f"{branch.space} ({len(branch.units)} units)"))
    for unit in branch.units:
        upstream = f", upstream {unit.upstream_revision}" if unit.upstream_unit_id else ""
        live = f", live {unit.live_revision}" if unit.live_revision else ""
        shown.add(Text(f"{unit.slug}: head {unit.head_revision}{live}{upstream}"))
    for below in branch.below:
        shown.add(_branch(below))
    return shown
