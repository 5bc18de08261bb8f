"""Commands that change what is in ConfigHub and in the cluster."""

import os

import typer

from traderx_gate import embedded, settings
from traderx_gate.application import load
from traderx_gate.checkout import ROOT
from traderx_gate.cli.app import app
from traderx_gate.cli.options import Environment, Systems, lock, with_systems
from traderx_gate.confighub import ConfigHub
from traderx_gate.delivery import deployment
from traderx_gate.delivery.installation import Installation, new_project
from traderx_gate.errors import ConfigurationError, before_the_first_effect


@app.command(epilog="Example: traderx-gate install dev")
@with_systems
def install(environment: Environment, *, systems: Systems) -> None:
    """Make the base and an environment in ConfigHub, with a worker; completes a half one."""
    application = load()
    spec = application.environment(environment)
    project = _chosen_project(systems.project)
    resolved = systems.resolve(project=project)
    hub = ConfigHub.from_token_file(resolved.confighub_url, resolved.token_file)
    with before_the_first_effect():
        hub.info()
    installation = Installation(
        confighub=hub, application=application, project=project, report=typer.echo
    )
    with lock(environment):
        installation.base()
        if spec.upstream:
            installation.environment(
                spec, lambda space, worker: embedded.start_worker(resolved, space, worker)
            )
        if systems.project is None and "TRADERX_PROJECT" not in os.environ:
            (ROOT / settings.PROJECT_FILE).write_text(f"{project}\n")


@app.command(epilog="Example: traderx-gate deploy dev")
@with_systems
def deploy(environment: Environment, *, systems: Systems) -> None:
    """Deploy an environment in dependency order; stops at the first service that fails."""
    resolved = systems.resolve()
    resolved.connect(environment)
    with lock(environment):
        deployment.deploy(
            resolved, environment, report=typer.echo, timeout_s=_deployment_timeout_s()
        )


@app.command(name="project", epilog="Example: traderx-gate project")
def show_project() -> None:
    """Print the project's name."""
    typer.echo(settings.resolve_project(None))


def _chosen_project(given: str | None) -> str:
    if given or "TRADERX_PROJECT" in os.environ or (ROOT / settings.PROJECT_FILE).exists():
        return settings.resolve_project(given)
    return new_project()


def _deployment_timeout_s() -> float:
    text = os.environ.get("DEPLOYMENT_TIMEOUT", str(deployment.DEPLOYMENT_TIMEOUT_S))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(f"DEPLOYMENT_TIMEOUT must be seconds, is {text!r}")
    return seconds
