"""Settings of a run: where cluster and ConfigHub are, which project; resolved once, then passed."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traderx_gate.application import Application, load
from traderx_gate.checkout import ROOT, state_directory
from traderx_gate.confighub import ConfigHub, cub_login
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import ConfigurationError, GateError, RefusedError, UnreachableError
from traderx_gate.kube import Kube
from traderx_gate.reach import Reach

STATUS_TIMEOUT_S = 20
PROJECT_FILE = ".cub-project"
EMBEDDED = "embedded"
EXISTING = "existing"
NAMESPACES = "traderx"
LONGEST_NAME = 40
"""Names of spaces, namespaces and labels are made of it, and may have 63 characters."""


class NeverUpError(ConfigurationError):
    """Nothing was brought up in the state directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the systems are that a run talks to.

    Attributes:
        project: Prefix of the ConfigHub spaces.
        namespaces: Prefix of the environments' namespaces.
        context: Context of the kubeconfig; empty for its current one.
        reach: How services are reached (`reach.Reach`); empty to find out.
        token_file: File that holds ConfigHub's token.
    """

    cluster: str
    project: str
    namespaces: str
    kubeconfig: Path
    context: str
    confighub_url: str
    token_file: Path
    reach: str = ""

    def application(self) -> Application:
        """Return what is deployed, in the namespaces that were chosen."""
        return load().in_namespaces(self.namespaces)

    def kube(self) -> Kube:
        """Return a client for the cluster.

        Raises:
            ConfigurationError: The kubeconfig cannot be used.
        """
        return Kube.from_kubeconfig(self.kubeconfig, context=self.context or None)

    def connect(self, environment: str) -> DeployedEnvironment:
        """Return an environment, its clients not yet used.

        Raises:
            ConfigurationError: Unknown environment, unusable kubeconfig or token file.
        """
        application = self.application()
        spec = application.environment(environment)
        if not spec.upstream:
            raise ConfigurationError(f"environment {spec.name} is cloned from, never deployed")
        return DeployedEnvironment(
            project=self.project,
            spec=spec,
            application=application,
            kube=self.kube(),
            confighub=ConfigHub.from_token_file(self.confighub_url, self.token_file),
            reach=Reach(self.reach) if self.reach else None,
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
    cluster: str | None = None,
    project: str | None = None,
    namespaces: str | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    confighub: str | None = None,
    confighub_token_file: str | None = None,
    reach: str | None = None,
) -> Settings:
    """Fill in what the user left out: from the environment, and from what is up.

    Where nothing was brought up and the kubeconfig is named, ConfigHub is the one that `cub` is
    logged in to.

    Raises:
        ConfigurationError: Something is missing, or what is to be used is not up.
    """
    status: dict[str, Any] = {}
    if not (kubeconfig and confighub and confighub_token_file):
        try:
            status = running_status()
        except NeverUpError:
            login = cub_login(os.environ)
            if not kubeconfig or login is None:
                raise
            status = {"confighub": {"url": login.url, "token_file": str(login.token_file)}}
        if status.get("cluster") and cluster and status["cluster"] != cluster:
            raise ConfigurationError(
                f"what is up serves --cluster {status['cluster']}, not {cluster}; leave out "
                "--cluster, or name everything: --kubeconfig, --confighub, --confighub-token-file"
            )
    cluster = cluster or str(status.get("cluster") or EXISTING)
    embedded = status.get("confighub") or {}
    token_file = confighub_token_file or os.environ.get("CONFIGHUB_TOKEN_FILE")
    found = {
        "--kubeconfig": kubeconfig or status.get("kubeconfig"),
        "--confighub": confighub or embedded.get("url"),
        "--confighub-token-file": token_file or embedded.get("token_file"),
    }
    for option, value in found.items():
        if not value:
            raise ConfigurationError(f"--cluster {cluster} needs {option}")
    return Settings(
        cluster=cluster,
        project=resolve_project(project),
        namespaces=resolve_namespaces(namespaces),
        kubeconfig=Path(found["--kubeconfig"] or ""),
        context=context or ("" if kubeconfig else status.get("context") or ""),
        confighub_url=str(found["--confighub"]),
        token_file=Path(found["--confighub-token-file"] or ""),
        reach=reach or "",
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
    return require_name("project", project)


def resolve_namespaces(given: str | None) -> str:
    """Return the prefix of namespaces: as given, TRADERX_NAMESPACES, or `traderx`.

    Raises:
        ConfigurationError: It cannot be part of a namespace's name.
    """
    return require_name("namespaces", given or os.environ.get("TRADERX_NAMESPACES") or NAMESPACES)


def require_name(what: str, text: str) -> str:
    """Return a name that spaces, namespaces and labels can be made of.

    Raises:
        ConfigurationError: It is none; names what it is the name of.
    """
    if not re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", text, re.ASCII):
        raise ConfigurationError(
            f"{what} {text!r}: use lower-case letters, digits, and dashes between them"
        )
    if len(text) > LONGEST_NAME:
        raise ConfigurationError(
            f"{what} {text!r} has {len(text)} characters; use at most {LONGEST_NAME}"
        )
    return text


def kubeconfig_path(given: str | None) -> Path:
    """Return the kubeconfig of a cluster of the user's: as given, KUBECONFIG, or kubectl's own."""
    named = given or os.environ.get("KUBECONFIG") or "~/.kube/config"
    return Path(named).expanduser().absolute()


def require_up_is_possible(cluster: str) -> None:
    """Refuse, before anything is made, to serve another kind of cluster than what is up serves.

    Raises:
        RefusedError: Something else is up.
    """
    try:
        up = embedded_status()["cluster"]
    except ConfigurationError:
        return  # nothing was brought up
    if up != cluster:
        raise RefusedError(
            f"--cluster {up} is up here, not {cluster}; take it down first: traderx-gate down"
        )


def require_nothing_deployed_outside() -> None:
    """Refuse to forget what is deployed in a cluster that goes on without us.

    Raises:
        RefusedError: ConfigHub knows of live objects there, or cannot be asked.
    """
    try:
        status = embedded_status()
    except ConfigurationError:
        return  # nothing was brought up
    if status["cluster"] != EXISTING:
        return  # the cluster goes as well
    hub = status["confighub"]
    way_out = "`traderx-gate uninstall` removes them, `down --leave-objects` leaves them"
    try:
        confighub = ConfigHub.from_token_file(hub["url"], Path(hub["token_file"]))
        live = [
            space.slug
            for space in confighub.space_list(where="Slug LIKE '%'")
            if any(unit.live_state for unit in confighub.unit_list(space))
        ]
    except GateError as error:
        raise RefusedError(
            f"whether objects are deployed in context {status['context']} cannot be told: "
            f"{error}; {way_out}"
        ) from error
    if live:
        raise RefusedError(
            f"objects of {', '.join(live)} are in context {status['context']}; {way_out}"
        )


def running_status() -> dict[str, Any]:
    """Return what the embedded systems say of themselves when every process of theirs runs.

    Raises:
        ConfigurationError: They are not up, or not all of them.
        UnreachableError: They do not say anything sensible.
    """
    status = embedded_status()
    if not status.get("running"):
        raise ConfigurationError(
            "not everything of it is running; start it with `traderx-gate up`, as before"
        )
    return status


def embedded_status() -> dict[str, Any]:
    """Return what the embedded systems say of themselves, some processes of theirs at rest or not.

    Raises:
        NeverUpError: They were never brought up.
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
            raise NeverUpError(
                f"the embedded cluster is not up ({said[-1] if said else 'no state'}); "
                "start it with `traderx-gate up`"
            ) from error
        raise UnreachableError(f"embedded status: {said[-1] if said else 'no answer'}") from error
    return dict(status)
