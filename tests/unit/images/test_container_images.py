"""The container images are those that the process node knows, and are made as the list says."""

from pathlib import Path

import pytest

from traderx_embedded import container_images, images
from traderx_embedded.container_images import ContainerImage
from traderx_embedded.errors import RefusedError

ROOT = Path(__file__).resolve().parents[3]
ALL = tuple(container_images.all_images())
STAND_INS = tuple(image for image in ALL if not image.name.startswith(container_images.WORKER))


@pytest.mark.parametrize("image", STAND_INS, ids=lambda image: image.name)
def test_node_starts_the_same_program(image: ContainerImage) -> None:
    """Under each name a container and a pod of the process node run the same program, as told."""
    known = images.find(image.name)
    assert image.entrypoint[1:] == known.entrypoint[1:]
    assert known.env.items() <= image.env.items()


def test_every_name_is_built() -> None:
    """There are nine stand-ins in two spellings and all tags, and the worker; none twice."""
    number = len(images.STAND_INS) * 2 * len(images.TRADERX_TAGS)
    assert (len(STAND_INS), len({image.name for image in ALL})) == (number, number + 1)


def test_names_are_made_of_the_base_image() -> None:
    """A name differs from the base in entry point and environment alone; nobody is root."""
    text = ALL[0].dockerfile()
    words = [line.split()[0] for line in text.splitlines()]
    assert words[0:2] == ["FROM", "ENTRYPOINT"]
    assert set(words[2:]) == {"ENV"}
    assert text.startswith(f"FROM {container_images.BASE}\n")
    users = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if "USER" in line]
    assert users == ["USER 10001:10001"]


def test_laid_out_content_is_the_dockerfiles() -> None:
    """What `lay-out` writes is what the Dockerfile copies: the locked packages, and our two."""
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes --target /app -r /tmp/image.lock" in text
    assert "COPY src /app" in text
    packages = {path.parent.name for path in (ROOT / "src").glob("*/__init__.py")}
    assert packages == {"traderx_embedded", "traderx_gate"}


def test_folder_with_content_is_left_alone(tmp_path: Path) -> None:
    """Nothing is laid out where something is already."""
    (tmp_path / "mine").touch()
    with pytest.raises(RefusedError, match="is not empty"):
        container_images.lay_out(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
