"""The container engine below kind: docker, podman or nerdctl, whichever runs."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from traderx_gate.clusters import program
from traderx_gate.errors import ConfigurationError, RefusedError, UnreachableError

ENGINES = ("docker", "podman", "nerdctl")
START = {
    "docker": "start it with `sudo systemctl start docker`, or open Docker Desktop",
    "podman": "start it with `podman machine start`, or `systemctl --user start podman.socket`",
    "nerdctl": "start it with `sudo systemctl start containerd`",
}
ASK_TIMEOUT_S = 30.0
SAVE_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that runs.

    Attributes:
        name: Its program.
    """

    name: str

    def environment(self) -> dict[str, str]:
        """Return the environment in which kind uses this engine and no other."""
        return {**os.environ, "KIND_EXPERIMENTAL_PROVIDER": self.name}

    def mounts(self, container: str) -> dict[str, str]:
        """Return what is mounted in a container: what, by where."""
        out = program.run(
            [self.name, "inspect", "--format", "{{json .Mounts}}", container],
            timeout_s=ASK_TIMEOUT_S,
        )
        return {mount["Destination"]: mount["Source"] for mount in json.loads(out) or ()}

    def missing(self, images: Sequence[str]) -> list[str]:
        """Return the images that the engine does not have."""
        out = program.run(
            [self.name, "images", "--format", "{{.Repository}}:{{.Tag}}"], timeout_s=ASK_TIMEOUT_S
        )
        # docker leaves the hub's host out, podman does not
        there = {qualified(line.strip()) for line in out.splitlines()}
        return [image for image in images if qualified(image) not in there]

    def save(self, images: Sequence[str], archive: Path) -> None:
        """Write images to an archive."""
        program.run(
            [self.name, "save", "--output", str(archive), *map(qualified, images)],
            timeout_s=SAVE_TIMEOUT_S,
        )

    def kubectl(self, node: str, *words: str, given: str = "", timeout_s: float) -> str:
        """Run the kubectl that every node of kind has, as the cluster's administrator."""
        command = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", *words]
        return program.run(
            [self.name, "exec", "--interactive", node, *command], given=given, timeout_s=timeout_s
        )


def qualified(image: str) -> str:
    """Return an image's name with the host that nodes take it to be from.

    podman reads `finos/x` as `localhost/finos/x` where it builds and writes archives.
    """
    host, slash, _ = image.partition("/")
    if slash and (host == "localhost" or "." in host or ":" in host):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def find(wanted: str = "") -> Engine:
    """Return the engine that is wanted, or the first that runs.

    Raises:
        ConfigurationError: No such engine.
        RefusedError: None is installed, or none of them runs.
    """
    if wanted and wanted not in ENGINES:
        raise ConfigurationError(f"no container engine {wanted!r}; there is {', '.join(ENGINES)}")
    installed = [name for name in ([wanted] if wanted else ENGINES) if program.is_there(name)]
    if not installed:
        raise RefusedError(
            f"no container engine on PATH ({wanted or ', '.join(ENGINES)}); install one, "
            "or use --cluster embedded, which needs none"
        )
    stopped = []
    for name in installed:
        try:
            program.run([name, "info", "--format", "{{json .}}"], timeout_s=ASK_TIMEOUT_S)
        except (program.FailedProgramError, UnreachableError) as error:
            stopped.append(f"{name} does not answer ({error}); {START[name]}")
        else:
            return Engine(name)
    raise RefusedError("; ".join(stopped))
