"""Namespace: nothing in it that no unit accounts for."""

from fixtures.evidence import Observe
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.kube import ObjectRef, owners_of
from traderx_gate.verdict import Observation


def test_nothing_is_unmanaged(environment: DeployedEnvironment, observe: Observe) -> None:
    """Every object in the namespace comes from a unit, or from an object that does."""
    managed = frozenset(
        (ref.kind, ref.name)
        for unit in environment.units().values()
        for ref in map(ObjectRef.of, environment.manifests(unit))
    )
    left = list(environment.objects())
    accounted = []
    while found := [body for body in left if environment.is_managed(body, managed)]:
        accounted += found
        left = [body for body in left if body not in found]
        managed |= {(body["kind"], body["metadata"]["name"]) for body in found}
    left.sort(key=lambda body: len(owners_of(body)))  # what others were made from comes first
    unmet = observe(
        Observation(
            subject=f"{ObjectRef.of(body)}",
            expected="comes from a unit",
            seen="comes from a unit" if body in accounted else f"unmanaged {ObjectRef.of(body)}",
            met=body in accounted,
            where=f"kubectl -n {environment.spec.namespace} get {body['kind'].lower()} "
            f"{body['metadata']['name']} -o yaml",
        )
        for body in (*accounted, *left)
    )
    assert unmet == ()
