"""Commands about units: change one, compare two environments, and what there was."""

import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from traderx_gate import runs
from traderx_gate.checkout import REPORTS
from traderx_gate.cli import transcript
from traderx_gate.cli.app import app
from traderx_gate.cli.options import (
    Environment,
    Json,
    OneService,
    Service,
    Systems,
    lock,
    with_systems,
)
from traderx_gate.confighub import Unit
from traderx_gate.delivery import difference
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import ConfigurationError, before_the_first_effect
from traderx_gate.kube import images_of
from traderx_gate.operations.rollback import KIND as PROVING
from traderx_gate.workloads import described

WIDE = 240
"""Columns where no terminal says how many it has."""


@app.command(name="set-image", epilog="Example: traderx-gate set-image dev trade-service v1.2.3")
@with_systems
def set_image(
    environment: Environment,
    service: Service,
    image: Annotated[str, typer.Argument(help="a tag such as v1.2.3, or a whole image name")],
    *,
    systems: Systems,
) -> None:
    """Set a service's image in its unit: a new head revision, not applied."""
    resolved = systems.resolve()
    deployed = resolved.connect(environment)
    with lock(resolved.project, environment), transcript.kept("set-image", environment) as say:
        unit, container, now = _container(deployed, service)
        wanted = image if ":" in image or "/" in image else f"{_repository(now)}:{image}"
        with before_the_first_effect():
            changed = deployed.confighub.function_do(
                unit,
                "set-image",
                {"container-name": container, "container-image": wanted},
                change=f"set-image {wanted}",
            )
        _say_head(say, deployed, unit, changed, f"{now} -> {wanted}")


@app.command(
    name="set-resources",
    epilog="Example: traderx-gate set-resources dev trade-service --cpu 500m --memory 1Gi",
)
@with_systems
def set_resources(
    environment: Environment,
    service: Service,
    *,
    systems: Systems,
    cpu: Annotated[str, typer.Option(help="request, such as 500m (default: left alone)")] = "",
    memory: Annotated[str, typer.Option(help="request, such as 1Gi (default: left alone)")] = "",
    limit_factor: Annotated[
        int, typer.Option(min=0, max=10, help="limits are the requests times this; 0: none")
    ] = 2,
) -> None:
    """Set a service's requests and limits in its unit: a new head revision, not applied."""
    if not cpu and not memory:
        raise ConfigurationError("set-resources needs --cpu, --memory, or both")
    resolved = systems.resolve()
    deployed = resolved.connect(environment)
    with lock(resolved.project, environment), transcript.kept("set-resources", environment) as say:
        unit, container, _ = _container(deployed, service)
        arguments = {
            "container-name": container,
            "operation": "all",
            "cpu": cpu,
            "memory": memory,
            "limit-factor": str(limit_factor),
        }
        told = ", ".join(f"{n} {v}" for n, v in (("cpu", cpu), ("memory", memory)) if v)
        with before_the_first_effect():
            changed = deployed.confighub.function_do(
                unit, "set-container-resources", arguments, change=f"set-resources {told}"
            )
        _say_head(say, deployed, unit, changed, told)


@app.command(epilog="Example: traderx-gate diff dev staging")
@with_systems
def diff(
    source: Environment, target: Environment, *, systems: Systems, as_json: Json = False
) -> None:
    """Compare the units of two environments by path; exit code 1 if any differ."""
    resolved = systems.resolve()
    ours, theirs = resolved.connect(source), resolved.connect(target)
    with before_the_first_effect():
        left, right = ours.units(), theirs.units()
    renamed = (ours.spec.namespace.encode(), theirs.spec.namespace.encode())
    found: dict[str, list[str]] = {}
    for slug in sorted({*left, *right}):
        if slug not in left or slug not in right:
            found[slug] = [f"in {source if slug in left else target} alone"]
            continue
        changes = difference.changes(
            left[slug].data.replace(*renamed), right[slug].data, source=f"unit {slug}"
        )
        if changes:
            found[slug] = [str(change) for change in changes]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        for slug, lines in found.items():
            typer.echo(slug)
            for line in lines:
                typer.echo(f"  {line}")
        typer.echo(f"{len(found)} of {len({*left, *right})} units differ ({source} -> {target})")
    raise typer.Exit(1 if found else 0)


@app.command(epilog="Example: traderx-gate history dev trade-service")
@with_systems
def history(
    environment: Environment,
    service: OneService = None,
    *,
    systems: Systems,
    as_json: Json = False,
) -> None:
    """Show the revisions of units: when, who, what, and which were live and verified."""
    deployed = systems.resolve().connect(environment)
    with before_the_first_effect():
        units = deployed.units()
    slugs = list(deployed.application.service(service).units) if service else sorted(units)
    rows = _revisions(deployed, {slug: units[slug] for slug in slugs if slug in units})
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    table = Table(box=None, pad_edge=False)
    for name in ("Unit", "Revision", "When", "Who", "What", "Marks"):
        table.add_column(name)
    for row in rows:
        table.add_row(row.unit, str(row.number), row.at, row.by, row.what, ", ".join(row.marks))
    console.print(table)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    unit: str
    number: int
    at: str
    by: str
    what: str
    marks: tuple[str, ...]


def _revisions(deployed: DeployedEnvironment, units: Mapping[str, Unit]) -> list[_Row]:
    verified: dict[tuple[str, str], str] = {}
    for state in runs.proven(REPORTS, deployed.identity, kind=PROVING):
        for slug, then in state.units.items():
            verified.setdefault((slug, then.sha256), state.run)
    rows = []
    for slug, unit in units.items():
        for revision in deployed.confighub.revision_list(unit):
            run = verified.get((slug, revision.sha256))
            marks = [
                "head" if revision.number == unit.head_revision else "",
                "live" if revision.number == unit.live_revision else "",
                f"was live {revision.live_at:%Y-%m-%d %H:%M:%S}"
                if revision.live_at and revision.number != unit.live_revision
                else "",
                f"verified by {run}" if run and revision.live_at else "",
            ]
            at = f"{revision.created_at:%Y-%m-%d %H:%M:%S}" if revision.created_at else ""
            rows.append(
                _Row(
                    unit=slug,
                    number=revision.number,
                    at=at,
                    by=revision.user,
                    what=revision.description or revision.source,
                    marks=tuple(filter(None, marks)),
                )
            )
    return rows


def _container(deployed: DeployedEnvironment, slug: str) -> tuple[Unit, str, str]:
    """Return a service's unit with its Deployment, the container's name and its image."""
    with before_the_first_effect():
        unit, manifest = described(deployed, deployed.application.service(slug), "Deployment")
    images = images_of(manifest, source=f"unit {unit.slug}")
    container = slug if slug in images else next(iter(images))
    return unit, container, images[container]


def _repository(image: str) -> str:
    path, slash, name = image.rpartition("/")
    return f"{path}{slash}{name.partition('@')[0].partition(':')[0]}"


def _say_head(
    say: transcript.Say, deployed: DeployedEnvironment, before: Unit, after: Unit, told: str
) -> None:
    name = deployed.spec.name
    if after.head_revision == before.head_revision:
        say(f"{before.slug}: it is so already; revision {before.head_revision} stays its head")
        return
    say(f"{before.slug}: revision {after.head_revision}: {told}")
    if after.apply_gates:
        say(f"{name} holds it back until it is proven: promote it, from {deployed.spec.upstream}")
    else:
        say(f"nothing is applied yet: traderx-gate deploy {name}")
