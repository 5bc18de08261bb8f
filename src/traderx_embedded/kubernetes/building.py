"""Building the control plane: one `go build` of pinned modules.

What is half-made, Go's own temporary files included, lies in one folder beside the result, and
every process of a build carries a marker: whoever comes next can remove both.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from traderx_embedded import procfs
from traderx_embedded.errors import BuildError
from traderx_embedded.kubernetes import go
from traderx_embedded.kubernetes.build_progress import Progress, first_guess_s, processors, say
from traderx_embedded.kubernetes.versions import PACKAGES, Versions, linker_flags

DOWNLOAD_TIMEOUT_S = 1800
BUILD_TIMEOUT_S = 3600
_NOT_OURS = {"GOOS", "GOARCH", "GOBIN", "GO111MODULE", "GOEXPERIMENT"}


@contextmanager
def lock(parent: Path) -> Iterator[None]:
    """Hold the folder of built control planes; one build at a time."""
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / "build.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build of the control plane runs; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_leftovers(parent: Path) -> None:
    """End and remove a build whose command was killed; one that somebody waits for goes on."""
    if not any(parent.glob(".building*")):
        return
    with (parent / "build.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _remove_halves(parent)


def _remove_halves(parent: Path) -> None:
    procfs.kill_marked(parent)
    for half in parent.glob(".building*"):
        shutil.rmtree(half)


def build(folder: Path, versions: Versions, wrong: Callable[[Path], str | None]) -> None:
    """Build the programs into a folder, which appears only when it is whole.

    Args:
        folder: Where they shall be; the lock of its parent is held.
        versions: What is built.
        wrong: Says why a folder's programs are not the wanted ones.

    Raises:
        BuildError: Says what failed and what to do; nothing is left of it.
    """
    _remove_halves(folder.parent)
    program = go.go_program(versions)
    part = folder.parent / f".building{os.getpid()}"
    say(f"building Kubernetes {versions.kubernetes} and etcd {versions.etcd} with {program}, once")
    try:
        (part / "bin").mkdir(parents=True)
        (part / "tmp").mkdir()
        _compile(program, part, versions)
        built = part / "bin"
        (built / "server").rename(built / "etcd")  # Go names it after the module's folder
        if (why := wrong(built)) is not None:
            raise BuildError(f"what was built is not usable: {why}")
        built.rename(folder)
    finally:
        _remove_halves(folder.parent)


def _compile(program: str, part: Path, versions: Versions) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    environment |= {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath",
        "GOTMPDIR": str(part / "tmp"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        procfs.MARKER: str(part.parent),
    }
    listing = part / "tmp" / "packages"
    with listing.open("wb") as output:
        format_ = "{{if .Stale}}{{.ImportPath}}{{end}}"
        command = [program, "list", "-deps", "-f", format_, *PACKAGES]
        progress = Progress(total=0)
        go.run(command, environment, DOWNLOAD_TIMEOUT_S, progress.module, output=output)
    total = len(listing.read_bytes().split())
    minutes = first_guess_s(total) / 60
    say(
        f"compiling {total} packages: {minutes:.0f} CPU-minutes, "
        f"about {minutes / processors():.0f} minutes here"
    )
    command = [program, "build", "-v", "-ldflags", linker_flags(versions)]
    command += ["-o", f"{part / 'bin'}/", *PACKAGES]
    go.run(command, environment, BUILD_TIMEOUT_S, Progress(total=total).package)
