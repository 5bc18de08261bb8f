"""The control plane's programs: found in KUBEBUILDER_ASSETS or the cache, else built once."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from traderx_embedded.errors import BuildError
from traderx_embedded.kubernetes import building
from traderx_embedded.kubernetes.build_progress import say
from traderx_embedded.kubernetes.versions import MODULE, NAMES, Versions, linker_flags
from traderx_embedded.slots import cache

VERSION_TIMEOUT_S = 20


def find() -> Path:
    """Return the folder with the programs, building them if they are nowhere.

    Raises:
        BuildError: They cannot be built; says what failed and what to do.
    """
    versions = Versions.pinned()
    found, why_not = look(versions)
    if why_not:
        say(f"KUBEBUILDER_ASSETS is not used: {why_not}")
    if found is not None:
        return found
    folder = cached(versions)
    try:
        with building.lock(folder.parent):
            if not is_whole(folder):  # another one may have built it while we waited
                if folder.exists():
                    shutil.rmtree(folder)
                building.build(folder, versions, lambda built: wrong(built, versions))
    except OSError as error:
        raise BuildError(
            f"the control plane cannot be built: {error.filename or folder.parent}: "
            f"{error.strerror or error}; mend that and run the same command again"
        ) from error
    return folder


def look(versions: Versions) -> tuple[Path | None, str]:
    """Return the folder that has the programs, if any, and why KUBEBUILDER_ASSETS is not it."""
    assets, why_not = os.environ.get("KUBEBUILDER_ASSETS"), ""
    if assets:
        given = Path(assets).expanduser().absolute()
        why_not = wrong(given, versions) or ""
        if not why_not:
            return given, ""
    folder = cached(versions)
    return (folder if is_whole(folder) else None), why_not


def remove_leftovers() -> None:
    """End and remove a build whose command was killed."""
    building.remove_leftovers(cache() / "control-plane")


def cached(versions: Versions) -> Path:
    """Return the folder in the cache that the programs of these versions have."""
    digest = hashlib.sha256(linker_flags(versions).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    return cache() / "control-plane" / f"{versions.kubernetes}-{digest.hexdigest()[:12]}"


def is_whole(folder: Path) -> bool:
    """Whether every program is there; a build makes all at once, but anybody may delete one."""
    return all(os.access(folder / name, os.X_OK) for name in NAMES)


def wrong(folder: Path, versions: Versions) -> str | None:
    """Say why a folder's programs are not ours; None if they are."""
    for name in NAMES:
        wanted = versions.etcd.removeprefix("v") if name == "etcd" else versions.kubernetes
        try:
            said = subprocess.run(
                [folder / name, "--version"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=VERSION_TIMEOUT_S,
                check=True,
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            return f"{folder / name}: {error}"
        if wanted not in said.split():
            return f"{folder / name} is {' '.join(said.split()[:4])}, needed is {wanted}"
    return None
