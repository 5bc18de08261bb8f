"""Deployments: a change is a revision, live and running; drift is taken back."""

from fixtures.delivery import Deliver, Line
from fixtures.evidence import Observe
from traderx_gate.inspection import delivery
from traderx_gate.kube import images_of

SERVICE = "web-gui"
UNIT = "web-gui-deployment"
VERSION = "v1.2.2"


def test_change_becomes_live(line: Line, deploy: Deliver, observe: Observe) -> None:
    """A changed image is one new revision of one unit, and after a deployment what runs."""
    changed = line.run("set-image", "dev", SERVICE, VERSION, on="dev")
    done = deploy()
    units = line.units("dev")
    dev = line.connect("dev")
    pods = dev.pods(dev.application.service(SERVICE))
    running = {image for pod in pods for image in pod.spec_images.values()}
    expected = {**changed.before, UNIT: changed.before[UNIT] + 1}
    (image,) = {
        image
        for manifest in dev.manifests(units[UNIT])
        for image in images_of(manifest, source=UNIT).values()
    }
    assert (
        observe(
            [
                delivery.same("heads after set-image", expected=expected, seen=changed.after),
                delivery.ended(done.command, code=done.code, said=done.said, expected=0),
                delivery.live("dev", units.values()),
                delivery.same("images that run", expected={image}, seen=running),
            ]
        )
        == ()
    )


def test_drift_is_taken_back(line: Line, deploy: Deliver, observe: Observe) -> None:
    """What was changed in the cluster alone is as its unit says after a deployment."""
    dev = line.connect("dev")
    before = line.units("dev")
    (manifest,) = [m for m in dev.manifests(before[UNIT]) if m["kind"] == "Deployment"]
    dev.kube.apply({**manifest, "spec": {**manifest["spec"], "replicas": 5}}, manager="somebody")
    drifted = dev.drift(manifest)
    done = deploy()
    assert (
        observe(
            [
                delivery.same("drifted fields before", expected=1, seen=len(drifted)),
                delivery.ended(done.command, code=done.code, said=done.said, expected=0),
                delivery.same("drifted fields after", expected=(), seen=dev.drift(manifest)),
                delivery.unchanged("dev", before, line.units("dev")),
            ]
        )
        == ()
    )
