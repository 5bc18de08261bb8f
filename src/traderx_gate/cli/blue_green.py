"""The command that changes a service's version beside the running one."""

from dataclasses import replace
from typing import Annotated

import typer

from traderx_gate.application import load
from traderx_gate.checkout import REPORTS
from traderx_gate.cli import transcript
from traderx_gate.cli.app import app
from traderx_gate.cli.delivery import deployment_timeout_s
from traderx_gate.cli.options import (
    Environment,
    Reason,
    Systems,
    Unverified,
    YesReally,
    lock,
    require_confirmed,
    with_systems,
)
from traderx_gate.delivery import blue_green_preflight as preflight
from traderx_gate.delivery import break_glass
from traderx_gate.delivery.blue_green import DRAIN_S, WATCH_S, BlueGreen
from traderx_gate.errors import before_the_first_effect
from traderx_gate.operations import version_proof


def _services(incomplete: str) -> list[str]:
    known = (service for service in load().services if not service.singleton)
    return [service.slug for service in known if service.slug.startswith(incomplete)]


@app.command(
    name="blue-green",
    epilog="Examples: traderx-gate blue-green trade-service v1.2.2 dev; "
    "traderx-gate blue-green trade-service v1.2.2 prod --yes-really prod",
)
@with_systems
def blue_green(
    service: Annotated[
        str, typer.Argument(help="service, such as trade-service", autocompletion=_services)
    ],
    version: Annotated[str, typer.Argument(help="tag of its image, such as v1.2.3")],
    environment: Environment,
    *,
    systems: Systems,
    watch_s: Annotated[
        float, typer.Option(help="seconds that green is watched with the traffic", min=DRAIN_S)
    ] = WATCH_S,
    abort: Annotated[
        bool, typer.Option("--abort", help="take back what a killed run has begun")
    ] = False,
    yes_really: YesReally = None,
    unverified: Unverified = False,
    reason: Reason = None,
) -> None:
    """Change a service's version beside the running one, which it returns to at any deviation.

    In staging and prod the version has to be live and proven in the environment before.
    """
    used = break_glass.given(
        unverified=unverified, reason=reason, command=f"blue-green {service} {version}"
    )
    preflight.require_no_singleton(load().service(service), environment)
    resolved = systems.resolve()
    spec = resolved.connect(environment).spec
    timeout_s = deployment_timeout_s()
    with lock(resolved.project, environment), transcript.kept("blue-green", environment) as say:
        find = preflight.to_take_back if abort else preflight.to_carry_out
        deployed, change = find(resolved, environment, service, version)
        if not abort and preflight.is_held_back(deployed):
            with before_the_first_effect():
                said = (
                    str(used)
                    if used is not None
                    else version_proof.require(resolved, deployed, change, reports=REPORTS)
                )
            say(f"{service} {version}: {said}")
            change = replace(change, approves=True)
        require_confirmed(spec, yes_really, f"change {service} there")
        if used is not None:
            break_glass.record(deployed.confighub, deployed.space, used)
        run = BlueGreen(
            deployed=deployed, change=change, report=say, timeout_s=timeout_s, watch_s=watch_s
        )
        if abort:
            run.take_back()
            say(f"{service}: is at {change.old_version}, as it was")
        else:
            run.carry_out()
            say(f"{service}: is at {change.version}")
            if change.approves:
                say(f"{environment} is not proven so yet: traderx-gate validate {environment}")
