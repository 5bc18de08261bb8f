"""Makes the files of a container's volumes, below a root of its own.

There are no mounts: what a container sees at /etc/settings is at ROOT/etc/settings. The launcher
inside Python programs leads them there, and words of a command that name such a path are replaced.
"""

import base64
import os
import shutil
from pathlib import Path
from typing import Any

from traderx_embedded.kubernetes.node import sources
from traderx_embedded.kubernetes.node.environment import Reference, SourceError
from traderx_embedded.kubernetes.node.pod import Pod
from traderx_embedded.kubernetes.node.surroundings import Surroundings
from traderx_embedded.kubernetes.node.volume import Volume


class MountError(Exception):
    """A volume cannot be made now; the container waits."""


async def mount(pod: Pod, around: Surroundings) -> Path:
    """Make the volumes of the pod's container, and return the root they are found below.

    An empty directory lives as long as the pod; the others are made anew from what the API says.

    Raises:
        MountError: A config map, secret or key is missing, or the API does not answer.
    """
    directory = around.settings.pods / pod.uid
    root = directory / "root" / pod.container.name
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    by_name = {volume.name: volume for volume in pod.volumes}
    for path, name in pod.container.mounts.items():
        made = directory / "volumes" / name
        try:
            await _make(pod, by_name[name], made, around)
        except (MountError, SourceError, OSError) as error:
            raise MountError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
        link = root / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(made)
    return root


async def _make(pod: Pod, volume: Volume, made: Path, around: Surroundings) -> None:
    if volume.kind == "emptyDir":
        _make_directory(made)
        return
    kind = "ConfigMap" if volume.kind == "configMap" else "Secret"
    reference = Reference(kind=kind, name=volume.source)
    document = await sources.read(pod.namespace, reference, around.api)
    if document is None and not volume.optional:
        raise MountError(f'{kind.lower()} "{volume.source}" not found')
    _write(made, _files(volume, _content(kind, document or {}), kind))


def _make_directory(made: Path) -> None:
    made.mkdir(parents=True, exist_ok=True)


def _write(made: Path, files: dict[str, tuple[bytes, int]]) -> None:
    if made.exists():
        shutil.rmtree(made)
    made.mkdir(parents=True)
    for name, (content, mode) in files.items():
        target = made / name
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, for its mode
            file.write(content)
            os.fchmod(descriptor, mode)


def _content(kind: str, document: dict[str, Any]) -> dict[str, bytes]:
    plain: dict[str, str] = document.get("data") or {}
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in plain.items()}
    binary: dict[str, str] = document.get("binaryData") or {}
    return {
        **{key: value.encode() for key, value in plain.items()},
        **{key: base64.b64decode(value) for key, value in binary.items()},
    }


def _files(volume: Volume, content: dict[str, bytes], kind: str) -> dict[str, tuple[bytes, int]]:
    if not volume.items:
        return {key: (value, volume.mode) for key, value in content.items()}
    missing = sorted(volume.items.keys() - content.keys())
    if missing and not volume.optional:
        raise MountError(f"{kind.lower()} references non-existent key: {missing[0]}")
    return {
        path: (content[key], mode) for key, (path, mode) in volume.items.items() if key in content
    }
