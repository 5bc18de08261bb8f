"""Commands about the worker that applies an environment's units."""

import contextlib
import threading
from dataclasses import replace
from typing import Annotated

import typer
import yaml

from traderx_gate import embedded, settings
from traderx_gate.application.layout import load_layout
from traderx_gate.cli import transcript
from traderx_gate.cli.app import app
from traderx_gate.cli.delivery import chosen_project, keep_project
from traderx_gate.cli.options import Environment, Systems, lock, with_systems
from traderx_gate.confighub import ConfigHub
from traderx_gate.delivery import cluster_worker, worker_control
from traderx_gate.delivery.cluster_worker import ClusterWorker
from traderx_gate.delivery.installation import Installation
from traderx_gate.errors import before_the_first_effect
from traderx_gate.worker.auto_apply import EVERY_S, AutoApply

worker = typer.Typer(no_args_is_help=True, help="The worker that applies an environment's units.")
app.add_typer(worker, name="worker")


@worker.command(
    epilog="Examples: traderx-gate worker install dev --reachable-at https://hub.example.com; "
    "traderx-gate worker install dev --export --include-secret > worker.yaml"
)
@with_systems
def install(
    environment: Environment,
    *,
    systems: Systems,
    reachable_at: Annotated[
        str | None, typer.Option(help="ConfigHub's URL as pods reach it (default: --confighub)")
    ] = None,
    image: Annotated[str, typer.Option(help="as nodes pull it")] = cluster_worker.IMAGE,
    namespace: Annotated[
        str | None, typer.Option(help="of the workers (default: confighub-PROJECT)")
    ] = None,
    auto_apply: Annotated[
        bool, typer.Option("--auto-apply", help="new heads are applied by themselves")
    ] = False,
    export: Annotated[
        bool, typer.Option("--export", help="print the objects; apply nothing")
    ] = False,
    include_secret: Annotated[
        bool, typer.Option("--include-secret", help="print the worker's secret with them")
    ] = False,
) -> None:
    """Run an environment's worker inside the cluster; `install` finds it connected there."""
    project = chosen_project(systems.project)
    resolved = systems.resolve(project=project)
    application = resolved.application()
    spec = application.environment(environment)
    if namespace is not None:
        settings.require_name("namespace", namespace)
    url = reachable_at or resolved.confighub_url
    cluster_worker.require_reachable(url)
    hub = ConfigHub.from_token_file(resolved.confighub_url, resolved.token_file)
    kube = resolved.kube()
    with before_the_first_effect():
        hub.info()
        kube.version()
    command = "worker-install"
    with lock(project, environment), transcript.kept(command, environment, quiet=export) as say:
        keep_project(systems.project, project)
        installation = Installation(
            confighub=hub,
            application=application,
            layout=load_layout(),
            project=project,
            report=say,
        )
        space, found = installation.worker(spec)
        if not export:
            worker_control.require_enabled(space, found)
        wanted = ClusterWorker(
            project=project,
            spec=spec,
            worker=found,
            url=url,
            image=image,
            namespace=namespace or cluster_worker.default_namespace(project),
            auto_apply=auto_apply,
        )
        if export:
            bodies = [dict(body) for body in wanted.manifests(include_secret=include_secret)]
            typer.echo(yaml.safe_dump_all(bodies, sort_keys=False), nl=False)
            return
        wanted.require_own(kube)
        ran_here = embedded.stop_worker(space)
        try:
            if ran_here:
                cluster_worker.await_gone(hub, space)
                say(f"{space.slug}: the worker that ran here is stopped")
            wanted.apply(kube)
            say(
                f"{space.slug}: {wanted.namespace}/{wanted.name} applied; waiting until it connects"
            )
            wanted.await_connected(kube, hub, space)
            worker_control.keep_manner(hub, found, by_itself=auto_apply)
        except BaseException:  # Ctrl-C too: an environment without a worker is stuck
            wanted.withdraw(kube)
            if ran_here:
                embedded.start_worker(resolved, space, replace(found, condition=""))
                say(f"{space.slug}: withdrawn; the worker runs here again")
            raise
        say(f"{space.slug}: the worker is connected from inside the cluster")


@worker.command(epilog="Example: traderx-gate worker auto-apply dev")
@with_systems
def auto_apply(environment: Environment, *, systems: Systems) -> None:
    """Apply new heads of an environment by themselves, until Ctrl-C; ConfigHub alone never does."""
    resolved = systems.resolve()
    with before_the_first_effect():
        space = resolved.connect(environment).space
    with transcript.kept("auto-apply", environment) as say:
        watching = AutoApply(
            connect=lambda: ConfigHub.from_token_file(resolved.confighub_url, resolved.token_file),
            space=space,
            report=say,
        )
        say(f"{space.slug}: heads are applied within {EVERY_S:.0f} s; Ctrl-C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            watching.run(threading.Event())
