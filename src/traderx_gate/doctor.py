"""Is everything there that a run needs? One finding a line; looks, and changes nothing.

What concerns the embedded systems they say themselves (`traderx_embedded.doctor`).
"""

import enum
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import psutil

from traderx_gate import embedded, rights, settings
from traderx_gate.application import load, unit_data
from traderx_gate.application.catalogue import unit_slugs
from traderx_gate.checkout import ROOT, require_checkout
from traderx_gate.confighub import ConfigHub
from traderx_gate.errors import ConfigurationError, GateError
from traderx_gate.kube import Kube, parse_manifests
from traderx_gate.settings import Settings

UNNAMED = "unnamed"
"""Stands for a project where none was chosen."""


class Level(enum.Enum):
    """Only a problem makes the exit code 1."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, how it is, what was seen and what to do."""

    check: str
    level: Level
    seen: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the form that `--json` prints."""
        return {
            "check": self.check,
            "level": self.level.value,
            "seen": self.seen,
            "advice": self.advice,
        }

    def line(self) -> str:
        """Return it in words."""
        text = f"{self.seen}; {self.advice}" if self.advice else self.seen
        return f"{self.level.value:<8} {self.check:<18} {' '.join(text.split())}"


def examine(
    resolve: Callable[[str], Settings], *, project: str | None, is_embedded: bool
) -> tuple[Finding, ...]:
    """Look at everything; a check that cannot look is itself a finding.

    Args:
        resolve: Returns where cluster and ConfigHub are, for a project's name.
        project: The name as given; None to find it as any command would.
        is_embedded: Whether the embedded systems are asked about, too.
    """
    checks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [("tools", _tools)]
    if is_embedded:
        checks += [("embedded systems", _embedded), ("ports", _ports)]
    found: list[Finding] = []
    for name, check in checks:
        found += _guarded(name, check)
    try:
        named = settings.resolve_project(project)
        found.append(Finding(check="project", level=Level.OK, seen=named))
    except ConfigurationError as error:
        named = UNNAMED
        found.append(Finding(check="project", level=Level.WARNING, seen=str(error)))
    try:
        resolved = resolve(named)
    except GateError as error:
        # that nothing is up yet is worth a word, but nothing is broken
        idle = is_embedded and isinstance(error, ConfigurationError)
        level = Level.WARNING if idle else Level.PROBLEM
        return (*found, Finding(check="environment", level=level, seen=str(error)))
    found += _guarded("kubernetes", lambda: _kubernetes(resolved))
    found += _guarded("ConfigHub", lambda: _confighub(resolved))
    return tuple(found)


def _guarded(name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except GateError as error:
        yield Finding(check=name, level=Level.PROBLEM, seen=str(error))


def _tools() -> Iterator[Finding]:
    yield Finding(check="python", level=Level.OK, seen=platform.python_version())
    require_checkout()
    yield Finding(check="checkout", level=Level.OK, seen=str(ROOT))
    kubectl = shutil.which("kubectl")
    yield Finding(check="kubectl", level=Level.OK, seen=kubectl or "not there; it is optional")


def _embedded() -> Iterator[Finding]:
    for body in embedded.findings():
        yield Finding(
            check=body["check"],
            level=Level(body["level"]),
            seen=body["seen"],
            advice=body["advice"],
        )


def _ports() -> Iterator[Finding]:
    ports = {
        port["port"]
        for slug in unit_slugs(load())
        for manifest in parse_manifests(unit_data(slug).decode(), source=slug)
        if manifest["kind"] == "Service"
        for port in manifest["spec"]["ports"]
    }
    return taken_ports(ports)


def taken_ports(ports: set[int]) -> Iterator[Finding]:
    """Find programs of others that listen at every address on one of these ports.

    The node listens on addresses of its own, but a listener on 0.0.0.0 takes those as well.
    """
    taken = {
        listener.laddr.port: listener.pid
        for listener in psutil.net_connections(kind="tcp")
        if listener.laddr and listener.status == psutil.CONN_LISTEN
        if listener.laddr.ip in {"0.0.0.0", "::"}
    }
    for port in sorted(ports & taken.keys()):
        yield Finding(
            check="ports",
            level=Level.PROBLEM,
            seen=f"process {taken[port] or 'of another user'} listens at every address on {port}",
            advice="a service of TraderX needs that port: end it, or have it bind one address",
        )
    if not ports & taken.keys():
        yield Finding(check="ports", level=Level.OK, seen=f"the services' {len(ports)} are free")


def _kubernetes(resolved: Settings) -> Iterator[Finding]:
    kube = Kube.from_kubeconfig(resolved.kubeconfig, context=resolved.context or None)
    context = resolved.context or "its current context"
    yield Finding(
        check="kubernetes",
        level=Level.OK,
        seen=f"{kube.version()} answers; {resolved.kubeconfig}, {context}",
    )
    specs = resolved.application().environments
    missing = rights.missing(kube, [spec.namespace for spec in specs if spec.upstream])
    if missing:
        yield Finding(
            check="rights",
            level=Level.PROBLEM,
            seen=f"the kubeconfig's user may not {', '.join(map(str, missing))}",
            advice="`traderx-gate rights` prints what an administrator has to apply",
        )
    else:
        yield Finding(check="rights", level=Level.OK, seen="enough to deploy and validate")


def _confighub(resolved: Settings) -> Iterator[Finding]:
    hub = ConfigHub.from_token_file(resolved.confighub_url, resolved.token_file)
    hub.info()
    spaces = hub.space_list(where=f"Slug LIKE '{resolved.project}-%'")  # asks for the token
    names = ", ".join(sorted(space.slug for space in spaces)) or "no space of the project yet"
    yield Finding(check="ConfigHub", level=Level.OK, seen=f"{hub.url} accepts the token; {names}")
