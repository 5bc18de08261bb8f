"""A service's two colours: blue is what its units say, green stands beside it for a while. Pure.

Their pods differ by the label `app`, which is the service's slug, for green with `-green` after it.
No Deployment's selector matches the other one's pods, and one change of the Service's selector
moves the traffic.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from traderx_gate.application import Service
from traderx_gate.delivery.unit_text import with_value
from traderx_gate.errors import ConfigurationError
from traderx_gate.kube import Manifest, images_of

APP = "app"
SUFFIX = "-green"
INSTEAD_OF = "traderx-gate/blue-green.instead-of"
"""On green's Deployment: the image that blue had; what a killed run is taken back to."""
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_SELECTOR = ("spec", "selector", APP)


def green_of(service: Service) -> Service:
    """Return green as a service of its own: its Deployment, Service, pods and units."""
    slug = f"{service.slug}{SUFFIX}"
    return replace(service, slug=slug, units=(f"{slug}-deployment", f"{slug}-service"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One service's way to another version.

    Attributes:
        service: Blue, which is there before and afterwards.
        green: What carries the traffic meanwhile.
        before: The image that blue had.
        after: The image that green has, and blue gets.
        approves: Whether the revisions that it makes may be approved, where ConfigHub holds them
            back: for the one after there is proof, or break-glass; the one before was live.
    """

    service: Service
    green: Service
    before: str
    after: str
    approves: bool = False

    @classmethod
    def wanted(
        cls, service: Service, deployment: Manifest, version: str, *, source: str
    ) -> "Change":
        """Return the change to a version, from a Deployment that is blue.

        Raises:
            ConfigurationError: No version can be put into its image, or it has this one.
        """
        before = image_of(service, deployment, source=source)
        if not _TAG.fullmatch(version):
            raise ConfigurationError(f"{version!r} is no version: expected a tag such as v1.2.3")
        repository, colon, tag = before.rpartition(":")
        if not colon or "/" in tag or "@" in before:
            raise ConfigurationError(f"{source}: image {before} has no tag to put a version into")
        if tag == version:
            raise ConfigurationError(f"{service.slug} is at {version} already; nothing to change")
        return cls(
            service=service,
            green=green_of(service),
            before=before,
            after=f"{repository}:{version}",
        )

    @classmethod
    def under_way(cls, service: Service, green: Manifest, *, source: str) -> "Change":
        """Return the change that a Deployment of green was made for.

        Raises:
            ConfigurationError: It does not say what it is instead of.
        """
        instead_of = (green["metadata"].get("annotations") or {}).get(INSTEAD_OF)
        if not isinstance(instead_of, str):
            raise ConfigurationError(
                f"{source} was not made by blue-green: it lacks the annotation {INSTEAD_OF}"
            )
        after = image_of(service, green, source=source)
        return cls(service=service, green=green_of(service), before=instead_of, after=after)

    @property
    def version(self) -> str:
        """The version that it leads to."""
        return self.after.rpartition(":")[2]

    @property
    def old_version(self) -> str:
        """The version that it leads away from."""
        return self.before.rpartition(":")[2]

    def green_units(self, deployment: Manifest, service: Manifest) -> Mapping[str, bytes]:
        """Return the data of green's units, by slug, made from blue's objects."""
        slug = self.green.slug
        of_deployment, of_service = self.green.units
        return {
            of_deployment: _dumped(_green_deployment(deployment, self)),
            of_service: _dumped(
                {
                    **service,
                    "metadata": _renamed(service["metadata"], slug),
                    "spec": {
                        **service["spec"],
                        "selector": {**service["spec"]["selector"], APP: slug},
                    },
                }
            ),
        }


def _green_deployment(blue: Manifest, change: Change) -> Manifest:
    slug, spec = change.green.slug, blue["spec"]
    template = spec["template"]
    number, _ = _container(change.service, blue, source=slug)
    containers = [
        {**container, "image": change.after} if position == number else container
        for position, container in enumerate(template["spec"]["containers"])
    ]
    labels = {**template["metadata"]["labels"], APP: slug}
    metadata = _renamed(blue["metadata"], slug)
    return {
        **blue,
        "metadata": {**metadata, "annotations": {INSTEAD_OF: change.before}},
        "spec": {
            **spec,
            "selector": {"matchLabels": {**spec["selector"]["matchLabels"], APP: slug}},
            "template": {
                **template,
                "metadata": {**template["metadata"], "labels": labels},
                "spec": {**template["spec"], "containers": containers},
            },
        },
    }


def _renamed(metadata: Mapping[str, Any], slug: str) -> dict[str, Any]:
    """Return metadata under green's name; the annotations are about blue."""
    kept = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**kept, "name": slug, "labels": {**kept["labels"], APP: slug}}


def _dumped(manifest: Manifest) -> bytes:
    return yaml.safe_dump(dict(manifest), sort_keys=False).encode()


def image_of(service: Service, deployment: Manifest, *, source: str) -> str:
    """Return the image of a service's container.

    Raises:
        ConfigurationError: There are several, and none has the service's name.
    """
    return _container(service, deployment, source=source)[1]


def _container(service: Service, deployment: Manifest, *, source: str) -> tuple[int, str]:
    images = images_of(deployment, source=source)
    if len(images) > 1 and service.slug not in images:
        names = ", ".join(images)
        raise ConfigurationError(
            f"{source}: which of the containers {names} is {service.slug}'s? none has its name"
        )
    name = service.slug if service.slug in images else next(iter(images))
    return list(images).index(name), images[name]


def with_image(
    service: Service, deployment: Manifest, data: bytes, image: str, *, source: str
) -> bytes:
    """Return the data of a service's unit with another image; every other byte stays."""
    number, _ = _container(service, deployment, source=source)
    path = ("spec", "template", "spec", "containers", number, "image")
    return with_value(data, "Deployment", path, image, source=source)


def leads_to(service: Manifest, *, source: str) -> str:
    """Return the label `app` of the pods that a Service leads to.

    Raises:
        ConfigurationError: Its selector names none.
    """
    selector = service["spec"].get("selector") or {}
    if not isinstance(selector.get(APP), str):
        raise ConfigurationError(f"{source}: spec.selector.{APP} is missing")
    return str(selector[APP])


def leading_to(data: bytes, slug: str, *, source: str) -> bytes:
    """Return the data of a Service's unit that leads to other pods; every other byte stays."""
    return with_value(data, "Service", _SELECTOR, slug, source=source)


def require_colourable(service: Service, deployment: Manifest, *, source: str) -> None:
    """Refuse a Deployment that green cannot stand beside.

    Raises:
        ConfigurationError: Its pods are not told from green's by the label `app`.
    """
    spec = deployment["spec"]
    selected = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    of_its_own = deployment["metadata"].get("labels") or {}
    found = {selected.get(APP), labels.get(APP), of_its_own.get(APP)}
    if found != {service.slug}:
        raise ConfigurationError(
            f"{source}: the label {APP} of Deployment, selector and pods has to be {service.slug}"
        )
