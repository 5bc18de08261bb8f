"""The registry of the process node: an image is a name, and stands for a program on this machine.

Unknown names fail to pull, as on any cluster. What each program does lives in its own package.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field


class UnknownImageError(Exception):
    """No program is registered under this image name; a pull of it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What `docker inspect` would say of an image that the node can run.

    Attributes:
        name: The full reference, tag included.
        entrypoint: The argv that a container starts when its `command` is not set.
        env: The environment baked into the image.
        digest: Shown as the container's `imageID`.
        admin: Whether the program opens an admin port (`TRADERX_ADMIN_PORT`) for its switches.
    """

    name: str
    entrypoint: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    digest: str
    admin: bool = False


def find(name: str) -> Image:
    """Return the image of this name.

    Raises:
        UnknownImageError: Nothing is registered under the name and tag.
    """
    repository, _, tag = name.partition(":")
    if repository in {"python", "docker.io/library/python"} and tag in {"3", "3.11", "3.11-slim"}:
        return Image(name=name, entrypoint=(sys.executable,), digest=f"{repository}@process")
    raise UnknownImageError(name)
