"""Volumes of a pod and where its containers mount them, parsed once; and which are refused.

Pure. What makes their files is in `mounting.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KINDS = ("configMap", "secret", "emptyDir")


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume.

    Attributes:
        kind: One of `KINDS`.
        source: The name of a config map or secret; empty for an empty directory.
        optional: Whether the source may be missing.
        mode: The permissions of its files.
        items: Path and permissions of each key; empty for all keys under their own names.
    """

    name: str
    kind: str
    source: str
    optional: bool
    mode: int
    items: Mapping[str, tuple[str, int]]


def parse_volumes(spec: Mapping[str, Any]) -> tuple[Volume, ...]:
    """Return the volumes of a pod's spec, without those that are refused or ignored."""
    return tuple(
        _volume(volume["name"], kind, volume[kind])
        for volume in spec.get("volumes") or ()
        for kind in KINDS
        if kind in volume
    )


def _volume(name: str, kind: str, source: Mapping[str, Any]) -> Volume:
    mode = source.get("defaultMode", 0o644)
    return Volume(
        name=name,
        kind=kind,
        source=source.get("name") or source.get("secretName") or "",
        optional=bool(source.get("optional")),
        mode=mode,
        items={
            item["key"]: (item["path"], item.get("mode", mode))
            for item in source.get("items") or ()
        },
    )


def mounts(container: Mapping[str, Any]) -> dict[str, str]:
    """Return the name of the volume at each path of a container."""
    return {
        mount["mountPath"].rstrip("/"): mount["name"]
        for mount in container.get("volumeMounts") or ()
        if not _is_token_name(mount["name"])
    }


def is_below(path: str, mount_path: str) -> bool:
    """Whether the path is a mount's own or one within it."""
    return path == mount_path or path.startswith(f"{mount_path}/")


def refusals(spec: Mapping[str, Any]) -> list[str]:
    """Return what cannot be mounted, in words that name it."""
    found = [
        f'volume "{volume["name"]}" is of a type that is not supported: '
        + ", ".join(sorted(volume.keys() - {"name"}))
        for volume in spec.get("volumes") or ()
        if not _is_token(volume) and not volume.keys() & set(KINDS)
    ]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        found += [
            f"{key} of a mount is not supported"
            for mount in container.get("volumeMounts") or ()
            for key in ("subPath", "subPathExpr")
            if mount.get(key)
        ]
        found += _refused_paths(sorted(mounts(container)))
    return found


def _refused_paths(paths: Sequence[str]) -> list[str]:
    return [
        f"mountPath {path or '/'} is not supported: other paths are below it"
        for path in paths
        if not path or any(other != path and is_below(other, path) for other in paths)
    ]


def _is_token(volume: Mapping[str, Any]) -> bool:
    """Whether this is the service account volume that admission adds to every pod; ignored."""
    return _is_token_name(volume["name"]) and "projected" in volume


def _is_token_name(name: str) -> bool:
    return name.startswith("kube-api-access-")
