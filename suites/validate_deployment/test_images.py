"""Images: what runs is what the unit names."""

from fixtures.evidence import Observe
from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.verdict import Observation


def test_running_image_is_the_units(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """Every pod of a service runs the image that its unit names."""
    expected = environment.unit_images(service)
    unmet = observe(
        Observation(
            subject=f"{where} of container {name} in pod {pod.name}",
            expected=expected.get(name, "no such container"),
            seen=image,
            met=image == expected.get(name),
            where=f"kubectl -n {pod.namespace} get pod {pod.name} -o yaml",
        )
        for pod in environment.pods(service)
        for where, name, image in (
            *(("image", name, image) for name, image in pod.spec_images.items()),
            *(("running image", c.name, c.image) for c in pod.containers if c.state == "running"),
        )
    )
    assert unmet == ()
