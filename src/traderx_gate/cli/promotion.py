"""Commands that carry revisions forward and back: gate, verify, promote, rollback, and more."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from traderx_gate import embedded, runs, signing
from traderx_gate.application import EnvironmentSpec, load
from traderx_gate.application.catalogue import Soak
from traderx_gate.checkout import REPORTS
from traderx_gate.cli import transcript
from traderx_gate.cli.app import app
from traderx_gate.cli.delivery import deployment_timeout_s
from traderx_gate.cli.options import (
    Environment,
    Json,
    OneService,
    Reason,
    Systems,
    Unverified,
    YesReally,
    lock,
    require_confirmed,
    with_systems,
)
from traderx_gate.cli.validation import show_reason, validated
from traderx_gate.delivery import backup as backups
from traderx_gate.delivery import (
    break_glass,
    deployment,
    promotion,
    under_way,
    worker_presence,
)
from traderx_gate.delivery.break_glass import BreakGlass
from traderx_gate.delivery.deployment import Deploy
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import (
    ConfigurationError,
    RefusedError,
    before_the_first_effect,
)
from traderx_gate.operations import impact, promotion_gate
from traderx_gate.operations import promotion as promoting
from traderx_gate.operations import rollback as rolling_back
from traderx_gate.operations.promotion import Phase, Preflight, Promoter, Promotion
from traderx_gate.operations.rollback import Rollback
from traderx_gate.operations.validation import now
from traderx_gate.policies import load_policy, promotion_policy_names
from traderx_gate.report import write_delivery_report
from traderx_gate.settings import Settings
from traderx_gate.verdict import Decision

PROMOTION = "promotion.json"
ROLLBACK = "rollback.json"


def _policies(incomplete: str) -> list[str]:
    return sorted(name for name in promotion_policy_names() if name.startswith(incomplete))


Policy = Annotated[
    str | None,
    typer.Option(help="promotion policy (default: the source's own)", autocompletion=_policies),
]


@app.command(epilog="Example: traderx-gate verify reports/out/RUN/evidence.json --key ci.pub")
def verify(
    file: Annotated[Path, typer.Argument(help="evidence.json, decision.json, or a run's folder")],
    *,
    key: Annotated[
        Path | None,
        typer.Option(help="PEM file, private or public (default: the key that runs sign with)"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check offline that a file is what was signed; exit code 3 if it is not."""
    found = runs.verify(file, key=key or signing.key_file())
    body = found.body
    kind = body.get("kind") or body.get("schema", "").rpartition("/")[2]
    told = {
        "file": str(found.path),
        "run": found.run,
        "key": found.key_id,
        "kind": kind,
        "environment": body.get("environment"),
        "verdict": body.get("verdict"),
        "ended_at": body.get("ended_at") or body.get("at"),
    }
    if as_json:
        typer.echo(json.dumps(told, indent=1))
        return
    typer.echo(f"{found.path.name} of {found.run} is what was signed, by key {found.key_id[:16]}")
    environment = body.get("environment")
    if isinstance(environment, dict):
        typer.echo(f"{kind} of {environment['name']}, ended {body['ended_at'] or 'never'}")
    if told["verdict"]:
        typer.echo(f"verdict then: {body['summary']}")


@app.command(epilog="Example: traderx-gate gate dev")
@with_systems
def gate(
    environment: Environment, *, systems: Systems, policy: Policy = None, as_json: Json = False
) -> None:
    """Say whether what is live may be promoted, from the evidence there is; deploys nothing."""
    resolved = systems.resolve()
    source = resolved.connect(environment)
    then = source.application.downstream(environment)
    with before_the_first_effect():
        source.kube.version()
        target = resolved.connect(then.name) if then is not None else source
        decision = promotion_gate.decide(
            source, reports=REPORTS, target_provenance=target.provenance(), policy=policy
        )
    if as_json:
        typer.echo(json.dumps(decision.to_json(), indent=1))
        raise typer.Exit(decision.verdict.exit_code)
    typer.echo(decision.summary())
    for reason in decision.reasons:
        show_reason(reason)
    for text in decision.accepted:
        typer.echo(f"  accepted risk {text}")
    raise typer.Exit(decision.verdict.exit_code)


@app.command(
    epilog="Examples: traderx-gate promote dev staging --dry-run; "
    "traderx-gate promote staging prod --yes-really prod"
)
@with_systems
def promote(
    source: Environment,
    target: Environment,
    *,
    systems: Systems,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="one service's units alone; may be given again",
            callback=lambda names: names and [load().service(name).slug for name in names],
        ),
    ] = None,
    policy: Policy = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would change")] = False,
    yes_really: YesReally = None,
    soak_checks: Annotated[
        int | None, typer.Option(min=0, help="looks at its health afterwards (prod: 15)")
    ] = None,
    soak_every_s: Annotated[
        float | None, typer.Option(min=0.1, help="seconds between them (default: 60)")
    ] = None,
    unverified: Unverified = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Promote what is live and proven to the next environment, and prove it there."""
    used = break_glass.given(
        unverified=unverified, reason=reason, command=f"promote {source} {target}"
    )
    spec = promotion.neighbours(load(), source, target)
    resolved = systems.resolve()
    with lock(resolved.project, target), transcript.kept("promote", target, quiet=as_json) as say:
        promoter = _promoter(
            resolved,
            source,
            spec,
            policy=policy,
            used=used,
            say=say,
            soak=_soak(spec, soak_checks, soak_every_s),
        )
        with before_the_first_effect():
            found = promoter.preflight(only=only or ())
        _say_plan(found, echo=as_json)
        if dry_run:
            typer.echo("nothing was changed: --dry-run", err=as_json)
            return
        require_confirmed(spec, yes_really, f"promote {source} to it")
        _revive(resolved, promoter.target, say)
        done = _carried_out(promoter, found, say)
    _end_promotion(done, as_json=as_json)


@app.command(epilog="Example: traderx-gate resume staging")
@with_systems
def resume(
    environment: Environment,
    *,
    systems: Systems,
    policy: Policy = None,
    yes_really: YesReally = None,
    soak_checks: Annotated[int | None, typer.Option(min=0, help="as for promote")] = None,
    soak_every_s: Annotated[float | None, typer.Option(min=0.1, help="as for promote")] = None,
    unverified: Unverified = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Go on with a promotion that did not end; everything is checked anew."""
    used = break_glass.given(unverified=unverified, reason=reason, command=f"resume {environment}")
    resolved = systems.resolve()
    with (
        lock(resolved.project, environment),
        transcript.kept("resume", environment, quiet=as_json) as say,
    ):
        target = resolved.connect(environment)
        record = _under_way(target)
        promoter = _promoter(
            resolved,
            record.source,
            target.spec,
            policy=policy,
            used=used,
            say=say,
            soak=_soak(target.spec, soak_checks, soak_every_s),
        )
        with before_the_first_effect():
            services = {
                owner.slug
                for slug in record.before
                if (owner := target.application.owner(slug)) is not None
            }
            whole = record.before.keys() >= target.units().keys()
            found = promoter.preflight(only=() if whole else sorted(services), going_on=record)
        require_confirmed(target.spec, yes_really, "go on with its promotion")
        _revive(resolved, target, say)
        done = _carried_out(promoter, found, say, going_on=record)
    _end_promotion(done, as_json=as_json)


@app.command(epilog="Example: traderx-gate abort staging")
@with_systems
def abort(environment: Environment, *, systems: Systems, yes_really: YesReally = None) -> None:
    """Go back to before a promotion that did not end; heads and live objects."""
    resolved = systems.resolve()
    with lock(resolved.project, environment), transcript.kept("abort", environment) as say:
        deploy = _deploying(resolved, environment, say)
        target = resolved.connect(environment)
        record = _under_way(target)
        require_confirmed(target.spec, yes_really, "take its promotion back")
        _revive(resolved, target, say)
        promoting.abort(target, record, say=say, deploy=deploy)
        say(f"{environment}: {record.run} is taken back")


@app.command(
    epilog="Examples: traderx-gate rollback dev; traderx-gate rollback prod trade-service; "
    "traderx-gate rollback dev trade-service --to 3 --unverified --reason 'INC-7: orders lost'"
)
@with_systems
def rollback(
    environment: Environment,
    service: OneService = None,
    *,
    systems: Systems,
    to: Annotated[
        str | None,
        typer.Option(help="a revision of the service's first unit, or a run that passed"),
    ] = None,
    yes_really: YesReally = None,
    unverified: Unverified = False,
    reason: Annotated[
        str | None, typer.Option(help="why; --unverified needs one, and keeps it")
    ] = None,
    as_json: Json = False,
) -> None:
    """Roll an environment, or one service, back to what was last live and verified there."""
    used = break_glass.given(
        unverified=unverified,
        reason=reason if unverified else None,
        command=" ".join(["rollback", environment, *([service] if service else [])]),
    )
    resolved = systems.resolve()
    require_confirmed(load().environment(environment), yes_really, "roll it back")
    with (
        lock(resolved.project, environment),
        transcript.kept("rollback", environment, quiet=as_json) as say,
    ):
        run, done = _rolled_back(
            resolved,
            environment,
            service,
            to=to,
            used=used,
            say=say,
            reason=reason or "asked for on the command line",
        )
    if as_json:
        typer.echo(json.dumps(done.to_json(), indent=1))
    else:
        typer.echo(f"{environment}: {done.decision.summary()}")
        typer.echo(f"report: {run.path / runs.REPORT}")
    raise typer.Exit(done.decision.verdict.exit_code)


@app.command(
    name="restore-backup",
    epilog="Example: traderx-gate restore-backup reports/out/RUN/backup.json",
)
@with_systems
def restore_backup(
    file: Annotated[Path, typer.Argument(help="backup.json of a promotion")], *, systems: Systems
) -> None:
    """Make an environment's units what they were; applies nothing."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error
    kept = backups.Backup.parse(content, source=str(file))
    resolved = systems.resolve()
    spec = resolved.application().environment(kept.environment)
    deployed = resolved.connect(spec.name)
    with lock(resolved.project, spec.name), transcript.kept("restore-backup", spec.name) as say:
        with before_the_first_effect():
            space = deployed.space
        for line in backups.restore(deployed.confighub, space, kept):
            say(line)
        say(f"{space.slug}: {len(kept.units)} units are what they were; nothing is applied yet")


def _promoter(
    resolved: Settings,
    source: str,
    spec: EnvironmentSpec,
    *,
    policy: str | None,
    used: BreakGlass | None,
    say: transcript.Say,
    soak: Soak,
) -> Promoter:
    def roll_back(why: str) -> Decision:
        _, done = _rolled_back(
            resolved,
            spec.name,
            None,
            to=None,
            used=None,
            say=say,
            reason=why,
        )
        return done.decision

    return Promoter(
        source=resolved.connect(source),
        target=resolved.connect(spec.name),
        reports=REPORTS,
        policy=policy,
        used=used,
        say=say,
        check=lambda: deployment.checked(resolved, spec.name),
        deploy=_deploying(resolved, spec.name, say),
        validate=_validation(resolved, spec.name, say),
        roll_back=roll_back,
        soak=soak,
    )


def _deploying(resolved: Settings, environment: str, say: transcript.Say) -> Deploy:
    timeout_s = deployment_timeout_s()

    def deploy(pinned: Mapping[str, int]) -> None:
        deployment.deploy(resolved, environment, report=say, timeout_s=timeout_s, pinned=pinned)

    return deploy


def _validation(
    resolved: Settings, environment: str, say: transcript.Say
) -> Callable[[], Decision]:
    def validate() -> Decision:
        run, _, decision = validated(resolved, environment, quiet=True)
        say(f"{environment}: {decision.summary()} ({run.name})")
        return decision

    return validate


def _carried_out(
    promoter: Promoter,
    found: Preflight,
    say: transcript.Say,
    *,
    going_on: under_way.UnderWay | None = None,
) -> Promotion:
    name = promoter.target.spec.name
    run = runs.create(REPORTS, runs.new_run_name(promoting.KIND, name, now()))
    say(f"{name}: run {run.name}")
    done = promoter.carry_out(found, run, going_on=going_on)
    _keep(run, PROMOTION, done.to_json())
    write_delivery_report(run, promotion=done)
    say(f"report: {run.path / runs.REPORT}")
    return done


def _rolled_back(
    resolved: Settings,
    environment: str,
    service: str | None,
    *,
    to: str | None,
    used: BreakGlass | None,
    say: transcript.Say,
    reason: str,
) -> tuple[runs.Run, Rollback]:
    deployed = resolved.connect(environment)
    deploy = _deploying(resolved, environment, say)
    one = deployed.application.service(service) if service else None
    with before_the_first_effect():
        deployed.kube.version()
        goal = rolling_back.choose(deployed, reports=REPORTS, service=one, to=to, used=used)
    _revive(resolved, deployed, say)
    policy = load_policy(deployed.spec.policy, deployed.application.slugs)
    orders = any(claim.writes for claim in policy.required.values())
    done = rolling_back.carry_out(
        deployed,
        goal,
        service=one,
        reason=reason,
        used=used,
        say=say,
        measure=lambda: impact.measure(resolved, environment, orders=orders),
        deploy=deploy,
        validate=_validation(resolved, environment, say),
    )
    run = runs.create(REPORTS, runs.new_run_name("rollback", environment, done.began_at))
    _keep(run, ROLLBACK, done.to_json())
    write_delivery_report(run, rollback=done)
    return run, done


def _keep(run: runs.Run, name: str, body: object) -> None:
    content = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
    runs.write_atomically(run.path / name, content.encode())


def _under_way(target: DeployedEnvironment) -> under_way.UnderWay:
    with before_the_first_effect():
        record = under_way.find(target.confighub, target.space)
    if record is None:
        raise RefusedError(f"no promotion to {target.spec.name} is under way; nothing was changed")
    return record


def _revive(resolved: Settings, target: DeployedEnvironment, say: transcript.Say) -> None:
    with before_the_first_effect():
        told = worker_presence.require(
            target.confighub,
            target.space,
            lambda space, worker: embedded.revive_worker(resolved, space, worker),
        )
    if told:
        say(told)


def _soak(spec: EnvironmentSpec, checks: int | None, every_s: float | None) -> Soak:
    return Soak(
        checks=spec.soak.checks if checks is None else checks,
        every_s=spec.soak.every_s if every_s is None else every_s,
    )


def _say_plan(found: Preflight, *, echo: bool) -> None:
    for line in found.lines():
        typer.echo(f"  {line}", err=echo)


def _end_promotion(done: Promotion, *, as_json: bool) -> NoReturn:
    plan = done.preflight.plan
    if as_json:
        typer.echo(json.dumps(done.to_json(), indent=1))
    else:
        end = "and was rolled back" if done.phase is Phase.ROLLED_BACK else f"run {done.validated}"
        typer.echo(f"{plan.source} -> {plan.target}: {done.verdict.value}, {end}")
    raise typer.Exit(done.verdict.exit_code)
