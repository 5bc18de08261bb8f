"""Commands about the embedded systems, and about what this machine lacks."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
import yaml

from traderx_gate import doctor as diagnosis
from traderx_gate import embedded, settings
from traderx_gate import rights as needed_rights
from traderx_gate.application import load
from traderx_gate.checkout import state_directory
from traderx_gate.cli import kind_cluster
from traderx_gate.cli.app import app
from traderx_gate.cli.options import Json, Systems, with_systems
from traderx_gate.clusters import kind
from traderx_gate.errors import ConfigurationError, RefusedError, before_the_first_effect
from traderx_gate.kube import Kube, current_context


def _known_environments(names: list[str] | None) -> list[str] | None:
    return names and [load().environment(name).name for name in names]


@app.command(
    epilog="Examples: traderx-gate up; traderx-gate up --cluster kind; "
    "traderx-gate up --cluster existing --kubeconfig ~/.kube/config --context my-cluster"
)
def up(
    *,
    cluster: Annotated[
        Literal["embedded", "kind", "existing"],
        typer.Option(
            help="kind: one is made on a container engine; existing: one that is there. "
            "Beside both ConfigHub alone is started"
        ),
    ] = "embedded",
    kubeconfig: Annotated[
        str | None, typer.Option(help="of an existing cluster (default: KUBECONFIG)")
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="its context; asked for where it is left out")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="kind: docker, podman or nerdctl (default: the first that runs)")
    ] = "",
    images: Annotated[
        Literal["stand-ins", "stock"],
        typer.Option(help="kind: stand-ins are built and loaded, stock images are pulled"),
    ] = "stand-ins",
    node_image: Annotated[str, typer.Option(help="kind: the nodes' image")] = kind.NODE_IMAGE,
    ingress_port: Annotated[
        int, typer.Option(min=1, max=65535, help="kind: port of 127.0.0.1 for the ingress")
    ] = 80,
    ingress_manifest: Annotated[
        str, typer.Option(help="kind: path or URL of the ingress controller; '' for none")
    ] = kind.INGRESS,
    metrics_manifest: Annotated[
        str, typer.Option(help="kind: path or URL of the metrics server; '' for none")
    ] = kind.METRICS,
) -> None:
    """Start a cluster and ConfigHub, or ConfigHub beside a cluster; harmless when they run."""
    if cluster != settings.EXISTING and (kubeconfig or context):
        raise ConfigurationError("--kubeconfig and --context are for --cluster existing")
    if cluster == settings.EMBEDDED:
        raise typer.Exit(embedded.run("up", quiet=True) or embedded.run("status"))
    settings.require_up_is_possible(cluster)
    if cluster == settings.EXISTING:
        path, name = _existing(kubeconfig, context)
    else:
        wanted = kind.Options(
            state=state_directory(),
            node_image=node_image,
            ingress_port=ingress_port,
            ingress=ingress_manifest,
            metrics=metrics_manifest,
        )
        path, name = kind_cluster.up(wanted, engine_name=engine, stock=images == "stock")
    options = ["--outside", cluster, "--kubeconfig", str(path), "--context", name]
    raise typer.Exit(embedded.run("up", options, quiet=True) or embedded.run("status"))


def _existing(kubeconfig: str | None, context: str | None) -> tuple[Path, str]:
    """Return the kubeconfig and context of a cluster that answers; its name has been typed."""
    path = settings.kubeconfig_path(kubeconfig)
    name = context or _typed(current_context(path))
    with before_the_first_effect():
        Kube.from_kubeconfig(path, context=name).version()
    return path, name


def _typed(name: str) -> str:
    if not sys.stdin.isatty():
        raise RefusedError(f"the current context is {name}; name it with --context to use it")
    try:
        typed = typer.prompt(f"The current context is {name}. Type its name to use it")
    except typer.Abort as error:  # Ctrl-C
        raise RefusedError("no name was typed; nothing was started") from error
    if typed != name:
        raise RefusedError(f"{typed!r} is not {name!r}; nothing was started")
    return name


@app.command(epilog="Example: traderx-gate down")
def down(
    *,
    leave_objects: Annotated[
        bool,
        typer.Option("--leave-objects", help="forget projects that are still deployed elsewhere"),
    ] = False,
) -> None:
    """Stop what `up` started, remove a cluster that it made, and what is left after a crash."""
    if not leave_objects:
        settings.require_nothing_deployed_outside()
    code = embedded.run("down")
    kind_cluster.down()
    raise typer.Exit(code)


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
        is_embedded=systems.cluster != settings.EXISTING,
    )
    if as_json:
        typer.echo(json.dumps([finding.to_json() for finding in found], indent=1))
    else:
        for finding in found:
            typer.echo(finding.line())
    raise typer.Exit(any(finding.level is diagnosis.Level.PROBLEM for finding in found))


@app.command(
    epilog="Example: traderx-gate rights dev --subject ServiceAccount:ci/gate | kubectl apply -f -"
)
@with_systems
def rights(
    environments: Annotated[
        list[str] | None,
        typer.Argument(help="environments (default: all)", callback=_known_environments),
    ] = None,
    *,
    systems: Systems,
    subject: Annotated[
        str, typer.Option(help="who gets them: User:, Group: or ServiceAccount:NAMESPACE/")
    ] = "User:traderx-gate",
    check: Annotated[
        bool, typer.Option("--check", help="ask whether the kubeconfig's user has them; print none")
    ] = False,
) -> None:
    """Print the rights that deploying and validating need, to be applied by an administrator."""
    named = environments or [spec.name for spec in load().environments if spec.upstream]
    project = settings.resolve_project(systems.project)
    chosen = load().in_namespaces(settings.resolve_namespaces(systems.namespaces))
    namespaces = [chosen.environment(name).namespace for name in named]
    if check:
        with before_the_first_effect():
            needed_rights.require(systems.resolve().kube(), namespaces)
        typer.echo("enough to deploy and validate")
        return
    bodies = needed_rights.manifests(project, namespaces, subject)
    typer.echo(yaml.safe_dump_all([dict(body) for body in bodies], sort_keys=False), nl=False)
