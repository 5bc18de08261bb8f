"""Commands that gather evidence and decide over it."""

import functools
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from traderx_gate import github, runs
from traderx_gate.application import load
from traderx_gate.checkout import REPORTS
from traderx_gate.cli.app import app
from traderx_gate.cli.options import Environment, Json, Systems, lock, with_systems
from traderx_gate.delivery import break_glass
from traderx_gate.errors import EvidenceError, RefusedError
from traderx_gate.operations import validation
from traderx_gate.operations.suite_run import LOG, run_suite
from traderx_gate.policies import policy_names
from traderx_gate.progress import Steps
from traderx_gate.rendering import one_line
from traderx_gate.report import write_report
from traderx_gate.settings import Settings
from traderx_gate.verdict import Decision, Evidence, Reason, Verdict

SUITE = "validate_deployment"
FEW = 3
"""So many reasons of one wording are shown one by one."""


def _past_runs(incomplete: str) -> list[str]:
    return [run.name for run in runs.past(REPORTS) if run.name.startswith(incomplete)]


def _policies(incomplete: str) -> list[str]:
    return sorted(name for name in policy_names() if name.startswith(incomplete))


@app.command(epilog="Example: traderx-gate validate dev")
@with_systems
def validate(
    environment: Environment,
    *,
    systems: Systems,
    seed: Annotated[int | None, typer.Option(help="seed of the run (default: drawn)")] = None,
    workers: Annotated[int, typer.Option("-n", min=1, help="processes")] = 2,
    policy: Annotated[
        str | None,
        typer.Option(
            help="what has to be proven (default: the environment's policy)",
            autocompletion=_policies,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every claim about an environment; write evidence, verdict and report."""
    resolved = systems.resolve()
    with lock(resolved.project, environment):
        run, evidence, decision = validated(
            resolved, environment, seed=seed, workers=workers, policy=policy, quiet=as_json
        )
    _tell(evidence, decision, as_json=as_json)
    _show(run, decision, as_json=as_json)


def validated(
    resolved: Settings,
    environment: str,
    *,
    suite: str = SUITE,
    seed: int | None = None,
    workers: int = 2,
    policy: str | None = None,
    quiet: bool = False,
) -> tuple[runs.Run, Evidence, Decision]:
    """Gather evidence of an environment, decide, and write the report.

    A PASS makes forgotten what was done there without proof.

    Raises:
        EvidenceError: It began, and proves nothing.
    """
    drawn = random.SystemRandom().getrandbits(32) if seed is None else seed
    run, evidence = validation.begin_session(
        resolved,
        environment=environment,
        suite=suite,
        seed=drawn,
        reports=REPORTS,
        policy_name=policy,
    )
    if not quiet:
        typer.echo(f"run {run.name}, seed {drawn}")
    what = f"{evidence.kind} {environment}"
    with Steps(what, total=len(evidence.required)) as steps:
        cut = run_suite(run, suite=suite, workers=workers, progress=steps.done)
    if cut:
        typer.echo(f"{what}: {cut}; see {run.path / LOG}", err=True)
    try:
        evidence, decision = validation.decide(run, load().slugs)
        _keep(run, evidence, decision)
    except RefusedError as error:  # the run has begun: it is no refusal any more
        raise EvidenceError(f"{run.name} proves nothing: {error}") from error
    passed = decision.verdict is Verdict.PASS and suite == SUITE
    if evidence.break_glass and passed:
        deployed = resolved.connect(environment)
        break_glass.forget(deployed.confighub, deployed.space)
    return run, evidence, decision


@app.command(
    epilog="Example: traderx-gate drill delivery dev",
)
@with_systems
def drill(
    suite: Annotated[
        Literal["delivery"], typer.Argument(help="delivery: deploy, promote, roll back, blue-green")
    ],
    environment: Environment,
    *,
    systems: Systems,
    seed: Annotated[int | None, typer.Option(help="seed of the run (default: drawn)")] = None,
    as_json: Json = False,
) -> None:
    """Prove deliveries of an environment's units, on a project of their own beside it."""
    resolved = systems.resolve()
    with lock(resolved.project, environment):
        run, evidence, decision = validated(
            resolved, environment, suite=suite, seed=seed, workers=1, quiet=as_json
        )
    _tell(evidence, decision, as_json=as_json)
    _show(run, decision, as_json=as_json)


@app.command(epilog="Example: traderx-gate verdict 20261124T120000-validate-dev-1a2b")
def verdict(
    run: Annotated[
        str | None,
        typer.Argument(help="run (default: the newest)", autocompletion=_past_runs),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Evaluate the evidence of a past run again, after checking its signature."""
    if run is None:
        chosen = next(runs.past(REPORTS), None)
        if chosen is None:
            raise EvidenceError(
                f"{REPORTS} holds no run; make one with `traderx-gate validate dev`"
            )
    else:
        chosen = runs.Run(REPORTS / Path(run).name)
    evidence, decision = validation.decide(chosen, load().slugs)
    if not chosen.is_decided:  # the run was killed; what a run concluded itself is history
        _keep(chosen, evidence, decision)
    _tell(evidence, decision, as_json=as_json)
    _show(chosen, decision, as_json=as_json)


def _keep(run: runs.Run, evidence: Evidence, decision: Decision) -> None:
    run.write_decision(decision)
    write_report(run, evidence, decision)


def _tell(evidence: Evidence, decision: Decision, *, as_json: bool) -> None:
    # standard output is one JSON object then; GitHub reads the other stream as well
    github.tell(evidence, decision, say=functools.partial(typer.echo, err=as_json))


def _show(run: runs.Run, decision: Decision, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps(decision.to_json(), indent=1))
        raise typer.Exit(decision.verdict.exit_code)
    typer.echo(decision.summary())
    for text, reasons in _grouped(decision.reasons):
        if len(reasons) > FEW:
            claims = ", ".join(reason.claim for reason in reasons[:FEW])
            verdict = reasons[0].verdict.value
            typer.echo(f"  {verdict} {len(reasons)} claims: {text}: {claims}, ... (see the report)")
            continue
        for reason in reasons:
            show_reason(reason)
    for text in decision.accepted:
        typer.echo(f"  accepted risk {text}")
    typer.echo(f"report: {run.path / runs.REPORT}")
    raise typer.Exit(decision.verdict.exit_code)


def _grouped(reasons: Sequence[Reason]) -> Iterator[tuple[str, list[Reason]]]:
    """Yield the reasons by their text, in the order of their first ones."""
    groups: dict[str, list[Reason]] = {}
    for reason in reasons:
        groups.setdefault(reason.text, []).append(reason)
    yield from groups.items()


def show_reason(reason: Reason) -> None:
    """Say one reason, each of its parts in a line."""
    # one line each: a line of its own that begins with `::` would be a command to GitHub
    claim = f" {reason.claim}" if reason.claim else ""
    typer.echo(f"  {reason.verdict.value}{claim}: {one_line(reason.text)}")
    for word, text in (
        ("expected", reason.expected),
        ("seen", reason.seen),
        ("look at", reason.where),
    ):
        if text:
            typer.echo(f"    {word}: {one_line(text)}")
