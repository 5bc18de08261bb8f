"""Images: what runs is what the unit names."""

from fixtures.evidence import Observe
from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import rollout


def test_running_image_is_the_units(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """Every pod of a service runs the image that its unit names."""
    expected = environment.unit_images(service)
    assert observe(rollout.images(environment.pods(service), expected)) == ()
