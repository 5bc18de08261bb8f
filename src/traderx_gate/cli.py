"""The command line: the composition root. Options in, exit codes out; the work is elsewhere.

Exit codes: 0 done or PASS; 1 FAIL; 2 refused before the first effect; 3 INCONCLUSIVE, or evidence
missing, void or tampered with.
"""

import contextlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from traderx_gate import doctor as diagnosis
from traderx_gate import embedded, environment_lock, runs, settings
from traderx_gate.application import load
from traderx_gate.checkout import REPORTS, ROOT, locks
from traderx_gate.confighub import ConfigHub
from traderx_gate.delivery import deployment
from traderx_gate.delivery.installation import Installation, new_project
from traderx_gate.errors import (
    ConfigurationError,
    EvidenceError,
    GateError,
    RefusedError,
    UnreachableError,
    before_the_first_effect,
)
from traderx_gate.operations import validation
from traderx_gate.operations.suite_run import LOG, run_suite
from traderx_gate.progress import Steps
from traderx_gate.report import write_report
from traderx_gate.verdict import Decision, Evidence

VALIDATE_SUITE = "validate_deployment"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The TraderX operations runbook, executable: deploy, validate, gate.\n\n"
    "Exit codes: 0 done or PASS, 1 FAIL, 2 refused (nothing was changed), 3 INCONCLUSIVE.",
)

Environment = Annotated[str, typer.Argument(help="environment, such as dev")]
Project = Annotated[str | None, typer.Option(help="project name [default: .cub-project]")]
Cluster = Annotated[str, typer.Option(help="embedded, or existing with --kubeconfig")]
Kubeconfig = Annotated[str | None, typer.Option(help="kubeconfig of an existing cluster")]
Context = Annotated[str | None, typer.Option(help="context [default: the current one]")]
ConfigHubUrl = Annotated[str | None, typer.Option("--confighub", help="URL of ConfigHub")]
TokenFile = Annotated[
    str | None, typer.Option("--confighub-token-file", help="file with its token")
]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]


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
def doctor(
    *,
    project: Project = None,
    cluster: Cluster = "embedded",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    confighub: ConfigHubUrl = None,
    confighub_token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Say what is there, what is missing and what to do; exit code 1 if something is a problem."""
    found = diagnosis.examine(
        lambda name: settings.resolve(
            cluster=cluster,
            project=name,
            kubeconfig=kubeconfig,
            context=context,
            confighub=confighub,
            confighub_token_file=confighub_token_file,
        ),
        project=project,
        is_embedded=cluster == "embedded",
    )
    if as_json:
        typer.echo(json.dumps([finding.to_json() for finding in found], indent=1))
    else:
        for finding in found:
            typer.echo(finding.line())
    raise typer.Exit(any(finding.level is diagnosis.Level.PROBLEM for finding in found))


@app.command(epilog="Example: traderx-gate install dev")
def install(
    environment: Environment,
    *,
    project: Project = None,
    cluster: Cluster = "embedded",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    confighub: ConfigHubUrl = None,
    confighub_token_file: TokenFile = None,
) -> None:
    """Make the base and an environment in ConfigHub, with a worker; completes a half one."""
    application = load()
    spec = application.environment(environment)
    chosen = _chosen_project(project)
    resolved = settings.resolve(
        cluster=cluster,
        project=chosen,
        kubeconfig=kubeconfig,
        context=context,
        confighub=confighub,
        confighub_token_file=confighub_token_file,
    )
    hub = ConfigHub.from_token_file(resolved.confighub_url, resolved.token_file)
    with before_the_first_effect():
        hub.info()
    installation = Installation(
        confighub=hub, application=application, project=chosen, report=typer.echo
    )
    with _lock(environment):
        installation.base()
        if spec.upstream:
            installation.environment(
                spec, lambda space, worker: embedded.start_worker(resolved, space, worker)
            )
        if project is None and "TRADERX_PROJECT" not in os.environ:
            (ROOT / settings.PROJECT_FILE).write_text(f"{chosen}\n")


@app.command(epilog="Example: traderx-gate deploy dev")
def deploy(
    environment: Environment,
    *,
    project: Project = None,
    cluster: Cluster = "embedded",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    confighub: ConfigHubUrl = None,
    confighub_token_file: TokenFile = None,
) -> None:
    """Deploy an environment in dependency order; stops at the first service that fails."""
    resolved = settings.resolve(
        cluster=cluster,
        project=project,
        kubeconfig=kubeconfig,
        context=context,
        confighub=confighub,
        confighub_token_file=confighub_token_file,
    )
    resolved.connect(environment)
    with _lock(environment):
        deployment.deploy(
            resolved, environment, report=typer.echo, timeout_s=_deployment_timeout_s()
        )


@app.command(epilog="Example: traderx-gate validate dev")
def validate(
    environment: Environment,
    *,
    project: Project = None,
    cluster: Cluster = "embedded",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    confighub: ConfigHubUrl = None,
    confighub_token_file: TokenFile = None,
    seed: Annotated[int | None, typer.Option(help="seed of the run [default: drawn]")] = None,
    workers: Annotated[int, typer.Option("-n", help="processes")] = 2,
    as_json: Json = False,
) -> None:
    """Check every claim about an environment; write evidence, verdict and report."""
    resolved = settings.resolve(
        cluster=cluster,
        project=project,
        kubeconfig=kubeconfig,
        context=context,
        confighub=confighub,
        confighub_token_file=confighub_token_file,
    )
    drawn = random.SystemRandom().getrandbits(32) if seed is None else seed
    with _lock(environment):
        run, evidence = validation.begin_session(
            resolved,
            environment=environment,
            suite=VALIDATE_SUITE,
            seed=drawn,
            reports=REPORTS,
        )
        if not as_json:
            typer.echo(f"run {run.name}, seed {drawn}")
        with Steps(f"validate {environment}", total=len(evidence.required)) as steps:
            cut = run_suite(run, suite=VALIDATE_SUITE, workers=workers, progress=steps.done)
        if cut:
            typer.echo(f"validate {environment}: {cut}; see {run.path / LOG}", err=True)
        _conclude(run, as_json=as_json)


@app.command(epilog="Example: traderx-gate verdict 20261124T120000-validate-dev-1a2b")
def verdict(
    run: Annotated[str | None, typer.Argument(help="run [default: the newest]")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Evaluate the evidence of a past run again, after checking its signature."""
    if run is None:
        newest = next(runs.past(REPORTS), None)
        if newest is None:
            raise EvidenceError(
                f"{REPORTS} holds no run; make one with `traderx-gate validate dev`"
            )
    else:
        newest = runs.Run(REPORTS / Path(run).name)
    evidence, decision = validation.decide(newest, load().slugs)
    if not newest.is_decided:  # the run was killed; what a run concluded itself is history
        _keep(newest, evidence, decision)
    _show(newest, decision, as_json=as_json)


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


def _lock(environment: str) -> contextlib.AbstractContextManager[None]:
    command = " ".join(["traderx-gate", *sys.argv[1:]])
    return environment_lock.held(locks(), environment, command=command)


def _conclude(run: runs.Run, *, as_json: bool) -> NoReturn:
    evidence, decision = validation.decide(run, load().slugs)
    _keep(run, evidence, decision)
    _show(run, decision, as_json=as_json)


def _keep(run: runs.Run, evidence: Evidence, decision: Decision) -> None:
    run.write_decision(decision)
    write_report(run, evidence, decision)


def _show(run: runs.Run, decision: Decision, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps(decision.to_json(), indent=1))
        raise typer.Exit(decision.verdict.exit_code)
    typer.echo(decision.summary())
    for reason in decision.reasons:
        claim = f" {reason.claim}" if reason.claim else ""
        typer.echo(f"  {reason.verdict.value}{claim}: {reason.text}")
        for word, text in (
            ("expected", reason.expected),
            ("seen", reason.seen),
            ("look at", reason.where),
        ):
            if text:
                typer.echo(f"    {word}: {text}")
    for text in decision.accepted:
        typer.echo(f"  accepted risk {text}")
    typer.echo(f"report: {run.path / runs.REPORT}")
    raise typer.Exit(decision.verdict.exit_code)


def main() -> None:
    """Run the command line; a user's mistake is one line, never a traceback."""
    try:
        app()
    except (ConfigurationError, RefusedError, UnreachableError) as error:
        _fail(error, 2)
    except EvidenceError as error:
        _fail(error, 3)
    except GateError as error:
        _fail(error, 1)


def _fail(error: GateError, code: int) -> NoReturn:
    typer.echo(f"traderx-gate: {error}", err=True)
    sys.exit(code)
