"""The registry of the process node: an image is a name, and stands for a program on this machine.

Unknown names fail to pull, as on any cluster. What each program does lives in its own package.
"""

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PYTHON = re.compile(r"(?:docker\.io/library/)?python")
PYTHON_TAGS = {"3", "3.11", "3.11-slim"}
TRADERX = re.compile(
    r"ghcr\.io/finos/traderx/(?P<name>[a-z-]+)|(?:docker\.io/)?finos/traderx-(?P<hub>[a-z-]+)"
)
CURL = re.compile(r"(?:docker\.io/)?curlimages/curl")
CURL_TAGS = {"8.16.0", "latest"}
CURL_COMMAND = Path(__file__).parent / "curl" / "bin" / "curl"
TRADERX_TAGS = ("v1.0.0", "v1.2.2", "v1.2.3", "latest")
STAND_INS = {
    "account-service": "traderx_embedded.traderx.account_service",
    "database": "traderx_embedded.traderx.database",
    "people-service": "traderx_embedded.traderx.people_service",
    "position-service": "traderx_embedded.traderx.position_service",
    "reference-data": "traderx_embedded.traderx.reference_data",
    "trade-feed": "traderx_embedded.traderx.trade_feed",
    "trade-processor": "traderx_embedded.traderx.trade_processor",
    "trade-service": "traderx_embedded.traderx.trade_service",
    "web-front-end-angular": "traderx_embedded.traderx.web_gui",
}


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
    repository, tag = _split(name)
    if PYTHON.fullmatch(repository) and tag in PYTHON_TAGS:
        return Image(name=name, entrypoint=(sys.executable,), digest=f"{repository}@process")
    if CURL.fullmatch(repository) and tag in CURL_TAGS:
        path = f"{CURL_COMMAND.parent}:{Path(sys.executable).parent}:/usr/bin:/bin"
        digest = f"{repository}@sha256:{_digest('curl', tag)}"
        return Image(name=name, entrypoint=(str(CURL_COMMAND),), env={"PATH": path}, digest=digest)
    match = TRADERX.fullmatch(repository)
    service = (match["name"] or match["hub"]) if match else ""
    if service not in STAND_INS or tag not in TRADERX_TAGS:
        raise UnknownImageError(name)
    return Image(
        name=f"{repository}:{tag}",
        entrypoint=(sys.executable, "-m", STAND_INS[service]),
        env={"TRADERX_VERSION": tag},
        digest=f"{repository}@sha256:{_digest(service, tag)}",
        admin=True,
    )


def _split(name: str) -> tuple[str, str]:
    # A colon before the last slash belongs to the registry's port.
    head, slash, last = name.rpartition("/")
    repository, _, tag = last.partition(":")
    return f"{head}{slash}{repository}", tag or "latest"


def _digest(program: str, tag: str) -> str:
    # Both spellings are the same image. There are no layers to hash: stable is all it has to be.
    return hashlib.sha256(f"traderx stand-in {program}:{tag}".encode()).hexdigest()
