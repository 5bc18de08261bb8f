"""Which damages are done together, to save time: no two of a group hide each other."""

from tests.integration.gate.damages.damage import Damage
from tests.integration.gate.damages.table import BY_NAME


def _named(*names: str) -> tuple[Damage, ...]:
    return tuple(BY_NAME[name] for name in names)


GROUPS = {
    "drift": _named(
        "image set by kubectl",
        "memory limit removed",
        "environment variable added",
        "annotation added",
        "label changed",
        "label of the namespace changed",
        "unit ahead of live",
        "unmanaged ConfigMap",
        "a warning",
        "trade-feed is lose-trades",
    ),
    "beside the units": _named(
        "replicas scaled by hand",
        "singleton scaled by hand",
        "environment variable changed",
        "Service pointed at another application",
        "image changed in the unit, not applied",
        "shared unit ahead of live",
        "a filter deleted",
        "unmanaged Pod",
        "rollout stuck while the old pods are ready",
    ),
    "absent": _named(
        "Deployment deleted",
        "Service deleted",
        "a process crashed",
        "another application answers",
        "worker gone",
        "a unit that only the upstream has",
        "a pod killed that cannot come back",
    ),
    "unwell": _named(
        "port of a Service swapped",
        "an application without data",
        "an application that fails",
        "a slow application",
        "unmanaged Deployment",
        "live behind what was applied, for want of a worker",
        "one of two pods frozen",
    ),
}
"""By name; each is done, validated and repaired as a whole."""
