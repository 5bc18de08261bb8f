"""Whether a version may go live by blue-green where ConfigHub asks for approval: it is proven."""

from pathlib import Path

from traderx_gate.delivery.colours import Change, image_of
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import EvidenceError, RefusedError
from traderx_gate.operations import promotion_gate
from traderx_gate.operations.promotion import RefutedError
from traderx_gate.settings import Settings
from traderx_gate.verdict import Verdict
from traderx_gate.workloads import described


def require(
    settings: Settings, target: DeployedEnvironment, change: Change, *, reports: Path
) -> str:
    """Make sure that the image of a change is live upstream, and that what is live there is proven.

    Returns:
        What spoke for it, in words.

    Raises:
        RefusedError: Another image is live there, or nothing can be.
        EvidenceError: There is no proof that what is live there is good.
        RefutedError: There is proof that it is not.
    """
    name, slug = target.spec.upstream, change.service.slug
    way = (
        f"`traderx-gate blue-green {slug} {change.version} {target.spec.name} --unverified "
        "--reason TEXT` goes without proof"
    )
    if not target.application.environment(name).upstream:
        raise RefusedError(
            f"ConfigHub holds back what nobody approved in {target.space.slug}, and nothing is "
            f"ever live in {name} that could speak for it; {way}"
        )
    upstream = settings.connect(name)
    unit, manifest = described(upstream, change.service, "Deployment")
    image = image_of(change.service, manifest, source=f"unit {unit.slug}")
    if image != change.after:
        raise RefusedError(
            f"{change.after} is not proven in {name}: there {slug} is {image}; deploy and validate "
            f"it there first; {way}"
        )
    decision = promotion_gate.decide(
        upstream, reports=reports, target_provenance=target.provenance()
    )
    if decision.verdict is Verdict.PASS:
        return decision.summary()
    told = f"{slug} {change.version} is not proven: {name}: {decision.summary()}; {way}"
    raise RefutedError(told) if decision.verdict is Verdict.FAIL else EvidenceError(told)
