"""The two colours of a service: told apart by a label, made from the units that come with us."""

from typing import Any

import pytest
import yaml

from traderx_gate.application import Service, load, unit_data
from traderx_gate.delivery import colours
from traderx_gate.delivery.colours import INSTEAD_OF, Change
from traderx_gate.errors import ConfigurationError
from traderx_gate.kube import Manifest, project_of

COLOURABLE = [service for service in load().services if not service.singleton]
STOCKS = load().service("reference-data")


def blue(service: Service) -> tuple[Manifest, Manifest]:
    """Return a service's Deployment and Service, as they come with us."""
    first, second = (yaml.safe_load(unit_data(slug)) for slug in service.units)
    return first, second


def change(service: Service) -> Change:
    """Return its change to another version."""
    return Change.wanted(service, blue(service)[0], "v1.2.2", source="unit")


def green(service: Service) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the objects of its green."""
    first, second = change(service).green_units(*blue(service)).values()
    return yaml.safe_load(first), yaml.safe_load(second)


def selects(selector: Manifest, labels: Manifest) -> bool:
    """Whether a selector matches labels."""
    return all(labels.get(key) == value for key, value in selector.items())


@pytest.mark.parametrize("service", COLOURABLE, ids=lambda service: service.slug)
def test_no_selector_matches_the_other_colour(service: Service) -> None:
    """Each Deployment and Service selects the pods of its own colour, and none of the other's."""
    of_blue, of_green = blue(service), green(service)
    for mine, other in ((of_blue, of_green), (of_green, of_blue)):
        pods = mine[0]["spec"]["template"]["metadata"]["labels"]
        others = other[0]["spec"]["template"]["metadata"]["labels"]
        for selector in (mine[0]["spec"]["selector"]["matchLabels"], mine[1]["spec"]["selector"]):
            assert (selects(selector, pods), selects(selector, others)) == (True, False)


@pytest.mark.parametrize("service", COLOURABLE, ids=lambda service: service.slug)
def test_green_is_blue_but_for_name_label_and_image(service: Service) -> None:
    """Nothing else differs, so that what green proves is true of blue afterwards."""
    (deployment, front), (of_deployment, of_front) = green(service), blue(service)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(":v1.2.2")
    assert deployment["metadata"]["annotations"] == {INSTEAD_OF: change(service).before}
    assert {project_of(deployment), project_of(front)} == {project_of(of_front)}
    container["image"] = change(service).before
    for made, there in ((deployment, of_deployment), (front, of_front)):
        text = yaml.safe_dump({**made, "metadata": {**made["metadata"], "annotations": {}}})
        same = yaml.safe_load(text.replace(f"{service.slug}-green", service.slug))
        assert same == {**there, "metadata": {**there["metadata"], "annotations": {}}}


@pytest.mark.parametrize("service", COLOURABLE, ids=lambda service: service.slug)
def test_change_is_known_again_from_green(service: Service) -> None:
    """What a killed run was about is in green's Deployment."""
    assert Change.under_way(service, green(service)[0], source="unit") == change(service)


@pytest.mark.parametrize("service", COLOURABLE, ids=lambda service: service.slug)
def test_image_there_and_back_gives_the_same_bytes(service: Service) -> None:
    """Blue's unit with the new image is its old bytes again with the old one."""
    wanted, data = change(service), unit_data(service.units[0])
    deployment = blue(service)[0]
    there = colours.with_image(service, deployment, data, wanted.after, source="unit")
    back = colours.with_image(service, yaml.safe_load(there), there, wanted.before, source="unit")
    assert (there != data, back) == (True, data)


def deployment(*images: str, name: str = "c") -> Manifest:
    """Return a Deployment with containers of these images."""
    containers = [{"name": f"{name}{n}", "image": image} for n, image in enumerate(images)]
    return {"kind": "Deployment", "spec": {"template": {"spec": {"containers": containers}}}}


@pytest.mark.parametrize(
    ("image", "version", "says"),
    [
        ("ghcr.io/x/y:v1", "v1", "is at v1 already"),
        ("ghcr.io/x/y:v1", "a/b", "is no version"),
        ("ghcr.io/x/y:v1", "", "is no version"),
        ("ghcr.io/x/y:v1", "-v", "is no version"),
        ("ghcr.io/x/y", "v2", "has no tag"),
        ("localhost:5000/y", "v2", "has no tag"),
        ("ghcr.io/x/y:v1@sha256:00", "v2", "has no tag"),
    ],
)
def test_version_that_cannot_be_put_in_is_refused(image: str, version: str, says: str) -> None:
    """An image without a tag, a version that is none, and the one that is there are refused."""
    with pytest.raises(ConfigurationError, match=says):
        Change.wanted(STOCKS, deployment(image), version, source="unit")


def test_containers_of_which_none_is_the_services_are_refused() -> None:
    """Which of several images the version is of has to be sure."""
    with pytest.raises(ConfigurationError, match="none has its name"):
        Change.wanted(STOCKS, deployment("a:v1", "b:v1"), "v2", source="unit")


def test_deployment_that_nobody_marked_is_no_green() -> None:
    """A unit of green's name that blue-green did not make is not taken for a killed run's."""
    body = {**deployment("a:v1"), "metadata": {"name": "reference-data-green"}}
    with pytest.raises(ConfigurationError, match="was not made by blue-green"):
        Change.under_way(STOCKS, body, source="unit reference-data-green-deployment")


@pytest.mark.parametrize("place", ["labels", "selector", "template"])
def test_pods_not_told_by_their_label_are_refused(place: str) -> None:
    """Where the label `app` is not the service's slug throughout, green cannot be told apart."""
    body = yaml.safe_load(unit_data("reference-data-deployment"))
    places = {
        "labels": body["metadata"]["labels"],
        "selector": body["spec"]["selector"]["matchLabels"],
        "template": body["spec"]["template"]["metadata"]["labels"],
    }
    colours.require_colourable(STOCKS, body, source="unit")
    places[place]["app"] = "stocks"
    with pytest.raises(ConfigurationError, match="has to be reference-data"):
        colours.require_colourable(STOCKS, body, source="unit")
