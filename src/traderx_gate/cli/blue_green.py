"""The command that changes a service's version beside the running one."""

from typing import Annotated

import typer

from traderx_gate.application import load
from traderx_gate.cli import transcript
from traderx_gate.cli.app import app
from traderx_gate.cli.delivery import deployment_timeout_s
from traderx_gate.cli.options import Environment, Systems, lock, with_systems
from traderx_gate.delivery import blue_green_preflight as preflight
from traderx_gate.delivery.blue_green import DRAIN_S, WATCH_S, BlueGreen


def _services(incomplete: str) -> list[str]:
    known = (service for service in load().services if not service.singleton)
    return [service.slug for service in known if service.slug.startswith(incomplete)]


@app.command(name="blue-green", epilog="Example: traderx-gate blue-green trade-service v1.2.2 dev")
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
) -> None:
    """Change a service's version beside the running one, which it returns to at any deviation."""
    preflight.require_no_singleton(load().service(service), environment)
    resolved = systems.resolve()
    resolved.connect(environment)
    timeout_s = deployment_timeout_s()
    with lock(resolved.project, environment), transcript.kept("blue-green", environment) as say:
        find = preflight.to_take_back if abort else preflight.to_carry_out
        deployed, change = find(resolved, environment, service, version)
        run = BlueGreen(
            deployed=deployed, change=change, report=say, timeout_s=timeout_s, watch_s=watch_s
        )
        if abort:
            run.take_back()
            say(f"{service}: is at {change.old_version}, as it was")
        else:
            run.carry_out()
            say(f"{service}: is at {change.version}")
