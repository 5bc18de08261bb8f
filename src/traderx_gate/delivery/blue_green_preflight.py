"""What blue-green asks before the first effect: may the service have a green, and is it well."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from traderx_gate import traderx
from traderx_gate.application import Service
from traderx_gate.confighub import Unit
from traderx_gate.delivery import approval, colours, under_way
from traderx_gate.delivery.colours import Change, green_of
from traderx_gate.delivery.deployment import checked
from traderx_gate.delivery.installation import CONNECTED
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import ConfigurationError, RefusedError, before_the_first_effect
from traderx_gate.kube import ObjectRef
from traderx_gate.settings import Settings
from traderx_gate.workloads import described


def require_no_singleton(service: Service, environment: str) -> None:
    """Refuse a service of which there may be one pod alone.

    Raises:
        RefusedError: It is one; says why, and what to do.
    """
    if service.singleton:
        raise RefusedError(
            f"{service.slug} cannot have a green beside it: {service.singleton}; change the image "
            f"in its unit, and `traderx-gate deploy {environment}`"
        )


def require_none(deployed: DeployedEnvironment) -> None:
    """Refuse to deliver anything else while a blue-green of an environment has not ended.

    Raises:
        RefusedError: There is one; names the ways to end it.
    """
    units = deployed.units()
    for service in deployed.application.services:
        has_green = any(slug in units for slug in green_of(service).units)
        if has_green and (begun := _begun(deployed, service)) is not None:
            version = begun.change.version
            raise RefusedError(
                f"a blue-green of {service.slug} to {version} did not end: `traderx-gate "
                f"blue-green {service.slug} {version} {deployed.spec.name}` finishes it, with "
                "--abort it is taken back"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a killed run has left.

    Attributes:
        change: What it was about.
        is_whole: Whether green's Deployment is known, without which it can only be taken back.
    """

    change: Change
    is_whole: bool


def to_carry_out(
    settings: Settings, environment: str, slug: str, version: str
) -> tuple[DeployedEnvironment, Change]:
    """Return what is to be changed, or what is left of the same change, begun by a killed run.

    Raises:
        RefusedError, ConfigurationError, UnreachableError: It cannot be; nothing was changed.
    """
    deployed, service = _connected(settings, environment, slug)
    with before_the_first_effect():
        begun = _begun(deployed, service)
        if begun is None:
            return deployed, _fresh(deployed, service, version)
    command = f"`traderx-gate blue-green {slug} {begun.change.version} {environment}`"
    if not begun.is_whole:
        raise RefusedError(
            f"a blue-green of {slug} was begun, but unit {begun.change.green.units[0]} is gone; "
            f"take it back with {command} and --abort"
        )
    if begun.change.version != version:
        raise RefusedError(
            f"a blue-green of {slug} to {begun.change.version} is under way: {command} finishes "
            "it, with --abort it is taken back"
        )
    return deployed, begun.change


def to_take_back(
    settings: Settings, environment: str, slug: str, version: str
) -> tuple[DeployedEnvironment, Change]:
    """Return what a killed run has begun.

    Raises:
        RefusedError, ConfigurationError, UnreachableError: There is nothing, or it was to another
            version; nothing was changed.
    """
    deployed, service = _connected(settings, environment, slug)
    with before_the_first_effect():
        begun = _begun(deployed, service)
    if begun is None:
        raise RefusedError(
            f"no blue-green of {slug} is under way in {environment}; there is nothing to take back"
        )
    if begun.change.version != version:
        raise RefusedError(
            f"the blue-green of {slug} that is under way is to {begun.change.version}, not "
            f"{version}; name that one"
        )
    return deployed, replace(begun.change, approves=True)  # what it goes back to was live


def _connected(
    settings: Settings, environment: str, slug: str
) -> tuple[DeployedEnvironment, Service]:
    service = settings.application().service(slug)
    require_no_singleton(service, environment)
    deployed = checked(settings, environment)
    with before_the_first_effect():
        units = deployed.units()
        involved = [
            units[one] for one in (*service.units, *green_of(service).units) if one in units
        ]
        under_way.require_none(deployed.confighub, deployed.space, environment)
        _require_no_other_gate(deployed, involved)
        _require_worker(deployed, units[service.units[0]])
    return deployed, service


def is_held_back(deployed: DeployedEnvironment) -> bool:
    """Whether ConfigHub holds back every revision that nobody approved, such as those made here."""
    return deployed.spec.needs_approval or any(
        trigger.function == approval.FUNCTION
        for trigger in deployed.confighub.trigger_list(deployed.space)
    )


def _require_no_other_gate(deployed: DeployedEnvironment, involved: Iterable[Unit]) -> None:
    """Refuse where something else than a missing approval holds a unit back."""
    approvable = f"/{approval.FUNCTION}"
    approval.require_open(
        deployed,
        [unit for unit in involved if any(not g.endswith(approvable) for g in unit.apply_gates)],
    )


def _require_worker(deployed: DeployedEnvironment, unit: Unit) -> None:
    targets = {one.id: one for one in deployed.confighub.target_list(deployed.space)}
    target = targets.get(unit.target_id)
    if target is None:
        raise RefusedError(f"unit {unit.slug} has no target in space {deployed.space.slug}")
    conditions = {one.id: one.condition for one in deployed.confighub.worker_list(deployed.space)}
    if conditions.get(target.worker_id) != CONNECTED:
        raise RefusedError(
            f"nobody applies units of {deployed.space.slug}: {deployed.workers()}; start its worker"
        )


def _begun(deployed: DeployedEnvironment, service: Service) -> Begun | None:
    units, green = deployed.units(), green_of(service)
    of_deployment, of_service = green.units
    if of_deployment in units:
        known = replace(green, units=(of_deployment,))  # the other one may not be there yet
        _, body = described(deployed, known, "Deployment")
        change = Change.under_way(service, body, source=f"unit {of_deployment}")
        return Begun(change=change, is_whole=True)
    unit, body = described(deployed, service, "Service")
    led_to = colours.leads_to(body, source=f"unit {unit.slug}")
    if of_service not in units and led_to != green.slug:
        return None
    unit, body = described(deployed, service, "Deployment")
    image = colours.image_of(service, body, source=f"unit {unit.slug}")
    change = Change(service=service, green=green, before=image, after=image)
    return Begun(change=change, is_whole=False)


def _fresh(deployed: DeployedEnvironment, service: Service, version: str) -> Change:
    """Return a change that was not begun, of a service that is well."""
    unit, body = described(deployed, service, "Deployment")
    source = f"unit {unit.slug}"
    change = Change.wanted(service, body, version, source=source)
    colours.require_colourable(service, body, source=source)
    colours.with_image(service, body, unit.data, change.after, source=source)
    of_service, body = described(deployed, service, "Service")
    led_to = colours.leads_to(body, source=f"unit {of_service.slug}")
    if led_to != service.slug:
        raise ConfigurationError(f"unit {of_service.slug} leads to {led_to}, not {service.slug}")
    colours.leading_to(of_service.data, change.green.slug, source=f"unit {of_service.slug}")
    for one in (unit, of_service):
        if one.is_pending():
            raise RefusedError(
                f"unit {one.slug}: revision {one.head_revision} is not live; "
                f"`traderx-gate deploy {deployed.spec.name}` first"
            )
    _require_well(deployed, service)
    _require_free(deployed, change.green)
    return change


def _require_well(deployed: DeployedEnvironment, service: Service) -> None:
    """Refuse where there would be nothing to return to."""
    live = deployed.deployment(service)
    if not live.is_rolled_out():
        raise RefusedError(f"{service.slug} is not rolled out: {live}; deploy it first")
    answer = traderx.identify(deployed.ask(service), service)
    if not answer.matches:
        raise RefusedError(
            f"{service.slug} does not answer as it should, before anything is changed: expected "
            f"{answer.expected}, seen {answer.seen}"
        )


def _require_free(deployed: DeployedEnvironment, green: Service) -> None:
    for api_version, kind in (("apps/v1", "Deployment"), ("v1", "Service")):
        ref = ObjectRef(
            api_version=api_version,
            kind=kind,
            namespace=deployed.spec.namespace,
            name=green.slug,
        )
        if deployed.kube.find(ref) is not None:
            raise RefusedError(f"{ref} exists already, and no unit describes it; remove it first")
