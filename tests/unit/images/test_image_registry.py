import re

import pytest

from traderx_embedded import images

NAMES = [
    "account-service",
    "database",
    "people-service",
    "position-service",
    "reference-data",
    "trade-feed",
    "trade-processor",
    "trade-service",
    "web-front-end-angular",
]


@pytest.mark.parametrize("tag", ["v1.0.0", "v1.2.2", "v1.2.3", "latest"])
@pytest.mark.parametrize("name", NAMES)
def test_published_tags(name: str, tag: str) -> None:
    """Both spellings of a published name are the same program at the same digest."""
    ghcr = images.find(f"ghcr.io/finos/traderx/{name}:{tag}")
    hub = images.find(f"finos/traderx-{name}:{tag}")
    assert (ghcr.entrypoint, ghcr.env, ghcr.digest[-71:]) == (
        hub.entrypoint,
        hub.env,
        hub.digest[-71:],
    )
    assert re.fullmatch(r".+@sha256:[0-9a-f]{64}", ghcr.digest)


def test_no_tag_is_latest() -> None:
    """A name without a tag means latest."""
    name = "ghcr.io/finos/traderx/database"
    assert images.find(name) == images.find(f"{name}:latest")


def test_digests_differ() -> None:
    """Every name and tag has a digest of its own."""
    digests = {
        images.find(f"finos/traderx-{name}:{tag}").digest
        for name in NAMES
        for tag in images.TRADERX_TAGS
    }
    assert len(digests) == len(NAMES) * len(images.TRADERX_TAGS)


def test_every_name() -> None:
    """The nine published names are all there are: upstream has no image called web-gui."""
    assert sorted(images.STAND_INS) == NAMES


@pytest.mark.parametrize(
    "name",
    [
        "ghcr.io/finos/traderx/database:v1.2.4",
        "ghcr.io/finos/traderx/web-gui:latest",
        "finos/traderx/database:latest",
        "localhost:5000/finos/traderx-database:latest",
        "curlimages/curl:1.0.0",
        "curl:latest",
        "python:2.7",
        "",
    ],
)
def test_unknown(name: str) -> None:
    """What is not published is not found."""
    with pytest.raises(images.UnknownImageError):
        images.find(name)
