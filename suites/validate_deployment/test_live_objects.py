"""Live objects: they are what their units say, and nobody else has changed a field."""

from collections.abc import Iterator

from fixtures.evidence import Observe
from traderx_gate.application import Service
from traderx_gate.confighub import Unit
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import NotFoundError
from traderx_gate.kube import ObjectRef
from traderx_gate.verdict import Observation


def test_equal_their_unit(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """The live objects of a service equal its units; nobody else changed a field."""
    units = environment.units_of(service)
    assert observe(o for unit in units for o in _compared(environment, unit)) == ()


def test_shared_objects_equal_their_unit(
    environment: DeployedEnvironment, observe: Observe
) -> None:
    """The live objects that belong to no single service equal their units."""
    units = environment.shared_units()
    assert observe(o for unit in units for o in _compared(environment, unit)) == ()


def _compared(environment: DeployedEnvironment, unit: Unit) -> Iterator[Observation]:
    """Yield one observation for each object that agrees, and one for each field that does not."""
    for manifest in environment.manifests(unit):
        ref = ObjectRef.of(manifest)
        scope = f"-n {ref.namespace} " if ref.namespace else ""
        where = f"kubectl {scope}get {ref.kind.lower()} {ref.name} -o yaml --show-managed-fields"
        try:
            drift = environment.drift(manifest)
        except NotFoundError:
            yield Observation(
                subject=str(ref), expected="as in the unit", seen="absent", met=False, where=where
            )
            continue
        for field in drift:
            yield Observation(
                subject=f"{ref}: {field.path}",
                expected=field.expected,
                seen=f"{field.seen}, changed by {field.by}",
                met=False,
                where=where,
            )
        if not drift:
            yield Observation(
                subject=str(ref), expected="as in the unit", seen="as in the unit", met=True
            )
