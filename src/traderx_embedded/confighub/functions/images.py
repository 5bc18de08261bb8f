"""Functions on the images of containers.

An image is a repository URI and a reference: `:tag`, `@digest` or none.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.parameter import Parameter
from traderx_embedded.confighub.functions.resource import Resource, Subject
from traderx_embedded.confighub.functions.signature import Function
from traderx_embedded.confighub.functions.values import Path

# the grammars of the OCI distribution and image specifications
_HOST = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*(?:\:[0-9]+)?"
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
_DIGEST = r"[a-z0-9]+(?:[+._-][a-z0-9]+)*\:[a-zA-Z0-9=_-]+"
_URI = rf"(?P<uri>(?:{_HOST}\/)?{_NAME}(?:\/{_NAME})*)"
_REFERENCE = rf"(?P<reference>\:{_TAG}|@{_DIGEST})"
_IMAGE = rf"^{_URI}{_REFERENCE}?$"
_LENGTH_LIMIT = 1024

CONTAINER = Parameter(
    name="container-name",
    description="Name of the container; * is all of them",
    regexp=r"^(\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$",
    example="trade-service",
)
_IMAGE_PARAMETER = Parameter(
    name="container-image",
    description="Full container image: repository URI and reference",
    regexp=_IMAGE,
    example="ghcr.io/finos/traderx/trade-service:v1.2.3",
)
_URI_PARAMETER = Parameter(
    name="repository-uri",
    description="Repository URI, with its host",
    regexp=f"^{_URI}$",
    example="ghcr.io/finos/traderx/trade-service",
)
_REFERENCE_PARAMETER = Parameter(
    name="image-reference",
    description="Tag or digest with its separator, : or @",
    regexp=f"^{_REFERENCE}$",
    example=":v1.2.3",
)


def _images(subject: Subject, container: str) -> Iterator[tuple[Resource, Path, str]]:
    for resource in subject.resources:
        for path in resource.containers(container):
            image = resource.document.value((*path, "image"))
            if isinstance(image, str):
                yield resource, (*path, "image"), image


def _match(image: str) -> re.Match[str] | None:
    return re.fullmatch(_IMAGE, image) if len(image) <= _LENGTH_LIMIT else None


def split(image: str) -> tuple[str, str]:
    """Return an image's repository URI and its reference.

    Raises:
        FunctionError: It is not an image.
    """
    match = _match(image)
    if match is None:
        raise FunctionError(f"{image[:200]!r} is not an image: repository, then :tag or @digest")
    return match["uri"], match["reference"] or ""


def _set_image(subject: Subject, container: str, image: str) -> None:
    for resource, path, _ in _images(subject, container):
        resource.document.set(path, image)


def _set_uri(subject: Subject, container: str, uri: str) -> None:
    for resource, path, image in _images(subject, container):
        resource.document.set(path, uri + split(image)[1])


def _set_reference(subject: Subject, container: str, reference: str) -> None:
    for resource, path, image in _images(subject, container):
        resource.document.set(path, split(image)[0] + reference)


def _set_reference_by_uri(subject: Subject, uri: str, reference: str) -> None:
    for resource, path, image in _images(subject, "*"):
        match = _match(image)
        if match is not None and match["uri"] == uri:
            resource.document.set(path, uri + reference)


def _getter(name: str, read: Callable[[str], str]) -> Callable[[Subject, str], Any]:
    def get(subject: Subject, container: str) -> list[dict[str, Any]]:
        return [
            resource.attribute(path, read(image), name)
            for resource, path, image in _images(subject, container)
        ]

    return get


def _get_names(subject: Subject) -> list[dict[str, Any]]:
    return [
        resource.attribute((*path, "name"), name, "container-name")
        for resource in subject.resources
        for path in resource.containers()
        if isinstance(name := resource.document.value((*path, "name")), str)
    ]


FUNCTIONS = (
    Function(
        name="set-image",
        description="Set the image of a container",
        parameters=(CONTAINER, _IMAGE_PARAMETER),
        run=_set_image,
        mutating=True,
    ),
    Function(
        name="set-image-uri",
        description="Set the repository URI of a container's image; its reference stays",
        parameters=(CONTAINER, _URI_PARAMETER),
        run=_set_uri,
        mutating=True,
    ),
    Function(
        name="set-image-reference",
        description="Set the reference of a container's image; its repository stays",
        parameters=(CONTAINER, _REFERENCE_PARAMETER),
        run=_set_reference,
        mutating=True,
    ),
    Function(
        name="set-image-reference-by-uri",
        description="Set the reference of every image of a repository",
        parameters=(_URI_PARAMETER, _REFERENCE_PARAMETER),
        run=_set_reference_by_uri,
        mutating=True,
    ),
    Function(
        name="get-container-name",
        description="Get the names of all containers",
        run=_get_names,
        output=("container-name", "AttributeValueList"),
    ),
    Function(
        name="get-image",
        description="Get the image of a container",
        parameters=(CONTAINER,),
        run=_getter("container-image", str),
        output=("container-image", "AttributeValueList"),
    ),
    Function(
        name="get-image-uri",
        description="Get the repository URI of a container's image",
        parameters=(CONTAINER,),
        run=_getter("container-repository-uri", lambda image: split(image)[0]),
        output=("repository-uri", "AttributeValueList"),
    ),
    Function(
        name="get-image-reference",
        description="Get the reference of a container's image",
        parameters=(CONTAINER,),
        run=_getter("container-image-reference", lambda image: split(image)[1]),
        output=("image-reference", "AttributeValueList"),
    ),
)
