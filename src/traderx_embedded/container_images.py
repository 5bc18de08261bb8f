"""Container images of the stand-ins and the worker: one image under many names.

The names differ in entry point and environment alone; `images` says which there are.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from traderx_embedded import images
from traderx_embedded.errors import NotStartedError, RefusedError

CHECKOUT = Path(__file__).parents[2]
BASE = "traderx-gate"
"""The image that all others are made from."""
ENGINES = ("docker", "podman", "nerdctl")
BUILD_TIMEOUT_S = 1800
ASK_TIMEOUT_S = 30
ADMIN_PORT = 19999
"""Where a stand-in's switches are, inside its pod alone: reached by `kubectl port-forward`."""

WORKER = f"{BASE}/worker:v{version('traderx-gate')}"
"""Of one version of the protocol and the rights; `worker install` names the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerImage:
    """One name under which the image is there."""

    name: str
    entrypoint: tuple[str, ...]
    env: dict[str, str]

    @property
    def tag(self) -> str:
        """The name with its host: podman would put `localhost/` before one without."""
        return self.name if self.name.startswith("ghcr.io/") else f"docker.io/{self.name}"

    def to_json(self) -> dict[str, Any]:
        """Return the form that `--json` prints."""
        return {"name": self.name, "entrypoint": list(self.entrypoint), "env": self.env}

    def dockerfile(self) -> str:
        """Return what makes it of the base image."""
        lines = [f"FROM {BASE}", f"ENTRYPOINT {json.dumps(list(self.entrypoint))}"]
        return "\n".join([*lines, *(f"ENV {key}={value}" for key, value in self.env.items()), ""])


def all_images() -> Iterator[ContainerImage]:
    """Yield every name: nine stand-ins in both spellings and all tags, and the worker."""
    switches = {"TRADERX_ADMIN_PORT": str(ADMIN_PORT)}
    for service, module in images.STAND_INS.items():
        for tag in images.TRADERX_TAGS:
            for spelling in (f"ghcr.io/finos/traderx/{service}", f"finos/traderx-{service}"):
                yield ContainerImage(
                    name=f"{spelling}:{tag}",
                    entrypoint=("python3", "-m", module),
                    env={"TRADERX_VERSION": tag, **switches},
                )
    yield ContainerImage(name=WORKER, entrypoint=("python3", "-m", "traderx_gate.worker"), env={})


def lay_out(folder: Path) -> None:
    """Write what the image has at /app into an empty folder, without an engine.

    Raises:
        RefusedError: The folder has something in it.
        NotStartedError: The packages cannot be installed.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RefusedError(f"{folder} is not empty; name another")
    folder.mkdir(parents=True, exist_ok=True)
    lock = CHECKOUT / "image.lock"
    command = [
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes"),
        *("--target", str(folder), "-r", str(lock)),
    ]
    done = _run(command)
    if done.returncode != 0:
        raise NotStartedError(f"packages of {lock} not installed: {_last(done.stderr)}")
    for package in ("traderx_embedded", "traderx_gate"):
        shutil.copytree(
            CHECKOUT / "src" / package,
            folder / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )


def engine(named: str | None) -> str:
    """Return the container engine to use: the one named, or the first that is there and runs.

    Raises:
        RefusedError: There is none, or it does not run; says how to start it.
    """
    found = [name for name in ([named] if named else ENGINES) if shutil.which(name)]
    if not found:
        wanted = named or ", ".join(ENGINES)
        raise RefusedError(f"no container engine: {wanted} is not on PATH; install one of them")
    for name in found:
        if _run([name, "info"], timeout_s=ASK_TIMEOUT_S).returncode == 0:
            return name
    raise RefusedError(
        f"{found[0]} is there, but its engine does not answer `{found[0]} info`; start it, for "
        "example with `sudo systemctl start docker`, Docker Desktop, or `podman machine start`"
    )


def build(chosen: str) -> Iterator[str]:
    """Build every image with an engine; yields each name as it is there.

    Raises:
        NotStartedError: The engine failed; its last line is in the message.
    """
    base = _run([chosen, "build", "--tag", BASE, str(CHECKOUT)], timeout_s=BUILD_TIMEOUT_S)
    if base.returncode != 0:
        raise NotStartedError(f"{chosen} build of {BASE}: {_last(base.stderr)}")
    yield BASE
    for image in all_images():
        done = _run(
            [chosen, "build", "--quiet", "--tag", image.tag, "-"],
            given=image.dockerfile(),
            timeout_s=BUILD_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise NotStartedError(f"{chosen} build of {image.name}: {_last(done.stderr)}")
        yield image.name


def _run(
    command: list[str], *, given: str = "", timeout_s: float = BUILD_TIMEOUT_S
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command, input=given, text=True, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotStartedError(f"`{' '.join(command[:3])}` did not end in {timeout_s} s") from error


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
