"""Settings of a run: where cluster and ConfigHub are, which project; resolved once, then passed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traderx_gate.application import load
from traderx_gate.checkout import ROOT, state_directory
from traderx_gate.confighub import ConfigHub
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import ConfigurationError, UnreachableError
from traderx_gate.kube import Kube

STATUS_TIMEOUT_S = 20
PROJECT_FILE = ".cub-project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the systems are that a run talks to.

    Attributes:
        project: Prefix of the ConfigHub spaces.
        context: Context of the kubeconfig; empty for its current one.
        token_file: File that holds ConfigHub's token.
    """

    cluster: str
    project: str
    kubeconfig: Path
    context: str
    confighub_url: str
    token_file: Path

    def connect(self, environment: str) -> DeployedEnvironment:
        """Return an environment, its clients not yet used.

        Raises:
            ConfigurationError: Unknown environment, unusable kubeconfig or token file.
        """
        application = load()
        spec = application.environment(environment)
        if not spec.upstream:
            raise ConfigurationError(f"environment {spec.name} is cloned from, never deployed")
        return DeployedEnvironment(
            project=self.project,
            spec=spec,
            application=application,
            kube=Kube.from_kubeconfig(self.kubeconfig, context=self.context or None),
            confighub=ConfigHub.from_token_file(self.confighub_url, self.token_file),
        )

    def to_json(self) -> dict[str, str]:
        """Return a form that crosses a process border; holds no secret."""
        return {name: str(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, body: dict[str, str]) -> "Settings":
        """Read what `to_json` returned."""
        paths = {name: Path(body[name]) for name in ("kubeconfig", "token_file")}
        return cls(**{**body, **paths})  # type: ignore[arg-type]  # the two paths are replaced


def resolve(
    *,
    cluster: str = "embedded",
    project: str | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    confighub: str | None = None,
    confighub_token_file: str | None = None,
) -> Settings:
    """Fill in what the user left out: from the environment, and from the embedded systems.

    Raises:
        ConfigurationError: Something is missing, or the embedded systems are not up.
    """
    status: dict[str, Any] = {}
    if cluster == "embedded" and not (kubeconfig and confighub and confighub_token_file):
        status = running_status()
    embedded = status.get("confighub") or {}
    token_file = confighub_token_file or os.environ.get("CONFIGHUB_TOKEN_FILE")
    found = {
        "--kubeconfig": kubeconfig or status.get("kubeconfig") or os.environ.get("KUBECONFIG"),
        "--confighub": confighub or embedded.get("url"),
        "--confighub-token-file": token_file or embedded.get("token_file"),
    }
    for option, value in found.items():
        if not value:
            raise ConfigurationError(f"--cluster {cluster} needs {option}")
    return Settings(
        cluster=cluster,
        project=resolve_project(project),
        kubeconfig=Path(found["--kubeconfig"] or ""),
        context=context or ("" if kubeconfig else status.get("context") or ""),
        confighub_url=str(found["--confighub"]),
        token_file=Path(found["--confighub-token-file"] or ""),
    )


def resolve_project(given: str | None) -> str:
    """Return the project name: as given, TRADERX_PROJECT, or what `install` left in .cub-project.

    Raises:
        ConfigurationError: None of them is there.
    """
    project = given or os.environ.get("TRADERX_PROJECT")
    if not project:
        path = ROOT / PROJECT_FILE
        if not path.is_file():
            raise ConfigurationError(
                "no project: name one with --project or TRADERX_PROJECT, "
                "or make one with `traderx-gate install dev`"
            )
        project = path.read_text().strip()
    if not project.replace("-", "").isalnum() or not project.islower():
        raise ConfigurationError(f"project {project!r}: use lower-case letters, digits and dashes")
    return project


def running_status() -> dict[str, Any]:
    """Return what the embedded systems say of themselves when every process of theirs runs.

    Raises:
        ConfigurationError: They are not up, or not all of them.
        UnreachableError: They do not say anything sensible.
    """
    status = embedded_status()
    if not status.get("running"):
        raise ConfigurationError(
            "the embedded cluster is not running; start it with `traderx-gate up`"
        )
    return status


def embedded_status() -> dict[str, Any]:
    """Return what the embedded systems say of themselves, some processes of theirs at rest or not.

    Raises:
        ConfigurationError: They were never brought up.
        UnreachableError: They do not say anything sensible.
    """
    argv = [sys.executable, "-m", "traderx_embedded", "status", str(state_directory()), "--json"]
    try:
        answer = subprocess.run(
            argv, capture_output=True, text=True, timeout=STATUS_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreachableError("the embedded systems' status took too long") from error
    try:
        status = json.loads(answer.stdout)
    except ValueError as error:
        said = answer.stderr.strip().removeprefix("traderx-gate: ").splitlines()
        if answer.returncode == 2:
            raise ConfigurationError(
                f"the embedded cluster is not up ({said[-1] if said else 'no state'}); "
                "start it with `traderx-gate up`"
            ) from error
        raise UnreachableError(f"embedded status: {said[-1] if said else 'no answer'}") from error
    return dict(status)
