"""Commands that change what is in ConfigHub and in the cluster."""

import contextlib
import json
import os
from typing import Annotated

import typer

from traderx_gate import embedded, rights, runs, settings
from traderx_gate.application import Application, EnvironmentSpec, load
from traderx_gate.application.layout import load_layout
from traderx_gate.checkout import REPORTS, ROOT
from traderx_gate.cli import transcript
from traderx_gate.cli.app import app
from traderx_gate.cli.options import (
    Environment,
    Json,
    Reason,
    Systems,
    Unverified,
    lock,
    with_systems,
)
from traderx_gate.confighub import ConfigHub
from traderx_gate.delivery import (
    approval,
    break_glass,
    cluster_worker,
    deployment,
    unfinished,
)
from traderx_gate.delivery.break_glass import BreakGlass
from traderx_gate.delivery.installation import Installation, new_project
from traderx_gate.delivery.removal import Removal
from traderx_gate.errors import RefusedError, before_the_first_effect
from traderx_gate.settings import Settings
from traderx_gate.waiting import seconds

TIMEOUT = "DEPLOYMENT_TIMEOUT"


def _installable(what: str) -> str:
    if what not in {"base", "envs"}:
        load().environment(what)
    return what


@app.command(epilog="Example: traderx-gate install base; traderx-gate install envs")
@with_systems
def install(
    what: Annotated[
        str,
        typer.Argument(
            help="base, envs for every environment, or one with what it is cloned from",
            callback=_installable,
        ),
    ],
    *,
    systems: Systems,
) -> None:
    """Make spaces, filters, sets, units and workers in ConfigHub; completes a half installation."""
    project = chosen_project(systems.project)
    resolved = systems.resolve(project=project)
    application = resolved.application()
    hub = ConfigHub.from_token_file(resolved.confighub_url, resolved.token_file)
    wanted = _environments_of(application, what)
    with before_the_first_effect():
        hub.info()
        rights.require(resolved.kube(), [spec.namespace for spec in wanted])
    with contextlib.ExitStack() as stack:
        for spec in wanted:
            stack.enter_context(lock(project, spec.name))
        say = stack.enter_context(transcript.kept("install", what))
        installation = Installation(
            confighub=hub,
            application=application,
            layout=load_layout(),
            project=project,
            report=say,
        )
        keep_project(systems.project, project)
        installation.base()
        for spec in wanted:
            installation.environment(
                spec, lambda space, worker: embedded.start_worker(resolved, space, worker)
            )


@app.command(epilog="Example: traderx-gate uninstall --yes")
@with_systems
def uninstall(
    *,
    systems: Systems,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Remove a project from the cluster and from ConfigHub: all that install and deploy made."""
    resolved = systems.resolve()
    application = resolved.application()
    hub = ConfigHub.from_token_file(resolved.confighub_url, resolved.token_file)
    specs = application.environments
    with before_the_first_effect():
        hub.info()
        rights.require(resolved.kube(), [spec.namespace for spec in specs if spec.upstream])
    if not yes:
        try:
            typed = typer.prompt(f"This removes all of {resolved.project}. Type its name")
        except typer.Abort as error:  # Ctrl-C, or nobody to ask
            raise RefusedError("no name was typed; nothing was removed; --yes asks none") from error
        if typed != resolved.project:
            raise RefusedError(f"{typed!r} is not {resolved.project!r}; nothing was removed")
    with contextlib.ExitStack() as stack:
        for spec in application.environments:
            stack.enter_context(lock(resolved.project, spec.name))
        say = stack.enter_context(transcript.kept("uninstall", resolved.project))
        removal = Removal(
            confighub=hub, application=application, project=resolved.project, report=say
        )
        removal.everything(embedded.stop_worker)
        cluster_worker.remove(resolved.kube(), resolved.project, say)
        kept = ROOT / settings.PROJECT_FILE
        if kept.is_file() and kept.read_text().strip() == resolved.project:
            kept.unlink()


def _environments_of(application: Application, what: str) -> list[EnvironmentSpec]:
    """Return the environments to install, each after the one that it is cloned from."""
    cloned = [spec for spec in application.environments if spec.upstream]
    if what == "envs":
        return cloned
    chain = []
    spec = application.environment(what)
    while spec.upstream:
        chain.append(spec)
        spec = application.environment(spec.upstream)
    return chain[::-1]


@app.command(
    epilog="Examples: traderx-gate deploy dev; "
    "traderx-gate deploy staging --unverified --reason 'INC-7: hot fix'"
)
@with_systems
def deploy(
    environment: Environment,
    *,
    systems: Systems,
    unverified: Unverified = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Deploy an environment in dependency order; stops at the first service that fails."""
    used = break_glass.given(unverified=unverified, reason=reason, command=f"deploy {environment}")
    resolved = systems.resolve()
    deployed = resolved.connect(environment)
    timeout_s = deployment_timeout_s()
    with (
        lock(resolved.project, environment),
        transcript.kept("deploy", environment, quiet=as_json) as say,
    ):
        with before_the_first_effect():
            unfinished.require_none(deployed)
        if used is not None:
            _open_without_proof(resolved, environment, used, say)
        rollout = deployment.deploy(resolved, environment, report=say, timeout_s=timeout_s)
        run = runs.create(REPORTS, runs.new_run_name(runs.DEPLOY, environment, rollout.started_at))
        run.write_rollout(rollout)
    if as_json:
        typer.echo(json.dumps(rollout.to_json(), indent=1))


@app.command(epilog="Example: traderx-gate apply dev")
@with_systems
def apply(environment: Environment, *, systems: Systems) -> None:
    """Apply all units of an environment at once, in no order; `deploy` keeps the order."""
    resolved = systems.resolve()
    deployed = resolved.connect(environment)
    timeout_s = deployment_timeout_s()
    with lock(resolved.project, environment), transcript.kept("apply", environment) as say:
        with before_the_first_effect():
            unfinished.require_none(deployed)
        deployment.apply_all(resolved, environment, report=say, timeout_s=timeout_s)


@app.command(name="project", epilog="Example: traderx-gate project")
def show_project() -> None:
    """Print the project's name."""
    typer.echo(settings.resolve_project(None))


def _open_without_proof(
    resolved: Settings, environment: str, used: BreakGlass, say: transcript.Say
) -> None:
    """Approve every head of an environment that is held back, after keeping who wanted it, why."""
    deployed = deployment.checked(resolved, environment)
    break_glass.record(deployed.confighub, deployed.space, used)
    pinned = {slug: unit.head_revision for slug, unit in deployed.units().items()}
    approval.approve(deployed, pinned=pinned)
    say(f"{environment}: {used}")


def chosen_project(given: str | None) -> str:
    """Return the project that was named or kept, or a new name."""
    if given or "TRADERX_PROJECT" in os.environ or (ROOT / settings.PROJECT_FILE).exists():
        return settings.resolve_project(given)
    return new_project()


def keep_project(given: str | None, project: str) -> None:
    """Keep the project's name for the next command, where nobody named it."""
    if given is None and "TRADERX_PROJECT" not in os.environ:
        (ROOT / settings.PROJECT_FILE).write_text(f"{project}\n")


def deployment_timeout_s() -> float:
    """Return how long a rollout may take, in seconds: DEPLOYMENT_TIMEOUT, or the runbook's.

    Raises:
        ConfigurationError: It is no time.
    """
    text = os.environ.get(TIMEOUT, str(deployment.DEPLOYMENT_TIMEOUT_S))
    return seconds(text, name=TIMEOUT)
