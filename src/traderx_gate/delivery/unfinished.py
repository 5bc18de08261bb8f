"""Whether a delivery to an environment did not end: nothing else begins there before it has."""

from traderx_gate.delivery import blue_green_preflight, under_way
from traderx_gate.environment import DeployedEnvironment


def require_none(deployed: DeployedEnvironment) -> None:
    """Refuse where a promotion, or a blue-green, was begun and not ended.

    Raises:
        RefusedError: There is one; names the ways to end it.
    """
    under_way.require_none(deployed.confighub, deployed.space, deployed.spec.name)
    blue_green_preflight.require_none(deployed)
