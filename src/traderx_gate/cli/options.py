"""Options that several commands share, and the settings that follow from them."""

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from traderx_gate import environment_lock, settings
from traderx_gate.application import EnvironmentSpec, load
from traderx_gate.checkout import locks
from traderx_gate.errors import RefusedError
from traderx_gate.settings import Settings


def _environments(incomplete: str) -> list[str]:
    return [spec.name for spec in load().environments if spec.name.startswith(incomplete)]


def _known(environment: str) -> str:
    return load().environment(environment).name


Environment = Annotated[
    str,
    typer.Argument(help="environment, such as dev", autocompletion=_environments, callback=_known),
]


def _services(incomplete: str) -> list[str]:
    return [slug for slug in load().slugs if slug.startswith(incomplete)]


def _known_service(service: str | None) -> str | None:
    return None if service is None else load().service(service).slug


Service = Annotated[
    str,
    typer.Argument(
        help="service, such as trade-service",
        autocompletion=_services,
        callback=_known_service,
    ),
]
OneService = Annotated[
    str | None,
    typer.Argument(
        help="one service (default: all)", autocompletion=_services, callback=_known_service
    ),
]
Unverified = Annotated[
    bool, typer.Option("--unverified", help="break-glass: without proof; needs --reason")
]
Reason = Annotated[
    str | None, typer.Option(help="why without proof; kept, and shown until the next PASS")
]
YesReally = Annotated[
    str | None, typer.Option(help="the name of prod, typed beforehand: nobody is asked")
]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """Which cluster and which ConfigHub a command works with, as the user gave them."""

    project: str | None
    namespaces: str | None
    cluster: str | None
    kubeconfig: str | None
    context: str | None
    confighub: str | None
    confighub_token_file: str | None
    reach: str | None

    def resolve(self, *, project: str | None = None) -> Settings:
        """Fill in what was left out; another project may stand in for the one given.

        Raises:
            ConfigurationError: Something is missing, or the embedded systems are not up.
        """
        return settings.resolve(
            cluster=self.cluster,
            project=project or self.project,
            namespaces=self.namespaces,
            kubeconfig=self.kubeconfig,
            context=self.context,
            confighub=self.confighub,
            confighub_token_file=self.confighub_token_file,
            reach=self.reach,
        )


def _declared(
    *,
    project: Annotated[
        str | None, typer.Option(help="project name (default: .cub-project)")
    ] = None,
    namespaces: Annotated[
        str | None,
        typer.Option(help="prefix of the namespaces (default: TRADERX_NAMESPACES, or traderx)"),
    ] = None,
    cluster: Annotated[
        Literal["embedded", "kind", "existing"] | None,
        typer.Option(help="which cluster (default: the one that `up` was given)"),
    ] = None,
    kubeconfig: Annotated[
        str | None, typer.Option(help="kubeconfig of an existing cluster")
    ] = None,
    context: Annotated[str | None, typer.Option(help="context (default: the current one)")] = None,
    confighub: Annotated[str | None, typer.Option(help="URL of ConfigHub")] = None,
    confighub_token_file: Annotated[str | None, typer.Option(help="file with its token")] = None,
    reach: Annotated[
        Literal["direct", "service-proxy", "port-forward"] | None,
        typer.Option(help="way to the services (default: the first of these that is open)"),
    ] = None,
) -> Systems:
    return Systems(
        project=project,
        namespaces=namespaces,
        cluster=cluster,
        kubeconfig=kubeconfig,
        context=context,
        confighub=confighub,
        confighub_token_file=confighub_token_file,
        reach=reach,
    )


def with_systems(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Systems`; it takes them as its argument `systems`."""
    declared = inspect.signature(_declared).parameters
    own = inspect.signature(command).parameters

    @functools.wraps(command)
    def with_options(*arguments: Any, **options: Any) -> None:
        given = {name: options.pop(name) for name in declared}
        command(*arguments, systems=_declared(**given), **options)

    kept = [parameter for name, parameter in own.items() if name != "systems"]
    signature = inspect.Signature([*kept, *declared.values()])
    with_options.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
    return with_options


def lock(project: str, environment: str) -> contextlib.AbstractContextManager[None]:
    """Return the lock of a project's environment, in the name of this command."""
    command = " ".join(["traderx-gate", *sys.argv[1:]])
    return environment_lock.held(locks(), project, environment, command=command)


def require_confirmed(spec: EnvironmentSpec, given: str | None, what: str) -> None:
    """Have the name of an environment typed that asks for it.

    Raises:
        RefusedError: It was not typed, or there is nobody to type it.
    """
    name = spec.name
    if not spec.confirmed:
        return
    if given is None:
        if not sys.stdin.isatty():
            raise RefusedError(
                f"{name} has to be confirmed at a terminal, or with --yes-really {name}; nothing "
                "was changed"
            )
        try:
            given = typer.prompt(f"Type {name} to {what}")
        except typer.Abort as error:  # Ctrl-C
            raise RefusedError(f"{name} was not confirmed; nothing was changed") from error
    if given != name:
        raise RefusedError(f"{given!r} is not {name!r}; nothing was changed")
