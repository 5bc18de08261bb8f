"""Commands that look at the worker of an environment, and that start and stop it."""

import contextlib
import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from traderx_gate.cli import log_tail, transcript
from traderx_gate.cli.options import Environment, Json, Systems, with_systems
from traderx_gate.cli.worker import worker
from traderx_gate.confighub import ConfigHub, Space, Worker
from traderx_gate.delivery import worker_control
from traderx_gate.delivery.cluster_worker import InCluster
from traderx_gate.delivery.installation import CONNECTED
from traderx_gate.delivery.worker_control import Control
from traderx_gate.embedded import LocalWorker
from traderx_gate.errors import (
    ConfigurationError,
    KubernetesError,
    RefusedError,
    UnreachableError,
    before_the_first_effect,
)
from traderx_gate.kube import Kube, Pod
from traderx_gate.settings import Settings


@worker.command(epilog="Example: traderx-gate worker status dev --json")
@with_systems
def status(environment: Environment, *, systems: Systems, as_json: Json = False) -> None:
    """Say whether the worker is connected, where it runs and what waits for it; exit code 1 if not.

    Exit code 0 is connected.
    """
    with _found(systems, environment) as found, before_the_first_effect():
        told = worker_control.status(
            found.confighub, found.space, found.worker, place=_place(found)
        )
    if as_json:
        typer.echo(json.dumps({"environment": environment, **told.to_json()}, indent=1))
    else:
        for name, text in told.lines(now=dt.datetime.now(dt.UTC)):
            typer.echo(f"{name:<11} {text}")
    raise typer.Exit(int(not told.is_connected))


@worker.command(epilog="Example: traderx-gate worker logs dev --follow")
@with_systems
def logs(
    environment: Environment,
    *,
    systems: Systems,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until Ctrl-C")] = False,
    lines: Annotated[int, typer.Option("--lines", min=1, help="how many of the last")] = 50,
) -> None:
    """Show what the worker logged: of its process here, or of its pod."""
    with _found(systems, environment) as found:
        with before_the_first_effect():
            home = _home(found)
            pods = home.pods() if isinstance(home, InCluster) else ()
        if isinstance(home, InCluster):
            _show_pods(home.kube, pods, lines, follow=follow, home=home)
            return
        path = home.log()
        shown = log_tail.followed(path, lines) if follow else log_tail.last_lines(path, lines)
        with contextlib.suppress(KeyboardInterrupt):
            for line in shown:
                typer.echo(line)


def _show_pods(
    kube: Kube, pods: Sequence[Pod], lines: int, *, follow: bool, home: InCluster
) -> None:
    if not pods:
        raise RefusedError(f"the worker {home} has no pod; is it disabled? `worker status` says so")
    for pod in pods:
        if follow:
            with contextlib.suppress(KeyboardInterrupt):
                for line in kube.follow_logs(pod.namespace, pod.name, lines=lines):
                    typer.echo(f"{pod.name}  {line}")
            return  # a second one is about to take its place
        try:
            text = kube.logs(pod.namespace, pod.name, lines=lines)
        except KubernetesError as error:  # it has not begun
            text = f"(none: {error})"
        for line in text.splitlines():
            typer.echo(f"{pod.name}  {line}")


@worker.command(epilog="Example: traderx-gate worker restart dev")
@with_systems
def restart(environment: Environment, *, systems: Systems) -> None:
    """Stop the worker, start it, and wait at most 60 s until the new one is connected."""
    with _found(systems, environment) as found:
        worker_control.require_enabled(found.space, found.worker)
        with _control(found, "worker-restart", environment) as control:
            control.restart(found.worker)


@worker.command(epilog="Example: traderx-gate worker disable prod")
@with_systems
def disable(environment: Environment, *, systems: Systems) -> None:
    """Stop the worker until `enable`; what is queued meanwhile is applied then."""
    with (
        _found(systems, environment) as found,
        _control(found, "worker-disable", environment) as control,
    ):
        control.disable(found.worker)


@worker.command(
    epilog="Examples: traderx-gate worker enable dev; traderx-gate worker enable dev --auto-apply"
)
@with_systems
def enable(
    environment: Environment,
    *,
    systems: Systems,
    auto_apply: Annotated[
        bool | None,
        typer.Option(
            "--auto-apply/--no-auto-apply",
            help="new heads are applied by themselves (default: as it was, off at first)",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Let the worker run, and wait at most 60 s until it is connected."""
    with (
        _found(systems, environment) as found,
        _control(found, "worker-enable", environment) as control,
    ):
        control.enable(found.worker, by_itself=auto_apply)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The worker of an environment, and what is needed to do something with it."""

    resolved: Settings
    confighub: ConfigHub
    environment: str
    space: Space
    worker: Worker


@contextlib.contextmanager
def _found(systems: Systems, environment: str) -> Iterator[_Found]:
    resolved = systems.resolve()
    with before_the_first_effect():
        hub = ConfigHub.from_token_file(resolved.confighub_url, resolved.token_file)
        slug = f"{resolved.project}-{environment}"
        space = hub.space_find(slug)
        if space is None:
            raise RefusedError(
                f"ConfigHub {hub.url} has no space {slug}; `traderx-gate install {environment}`"
            )
        worker = worker_control.find(hub, space)
    yield _Found(
        resolved=resolved, confighub=hub, environment=environment, space=space, worker=worker
    )
    hub.close()


@contextlib.contextmanager
def _control(found: _Found, command: str, environment: str) -> Iterator[Control]:
    """Yield what changes the worker; no lock is taken, because a deployment may wait for it."""
    with before_the_first_effect():
        home = _home(found)
    with transcript.kept(command, environment) as say:
        yield Control(confighub=found.confighub, space=found.space, home=home, report=say)


def _home(found: _Found) -> LocalWorker | InCluster:
    """Return where the worker runs, or is to run.

    Raises:
        RefusedError: It is none that was started from here.
    """
    here = LocalWorker(settings=found.resolved, space=found.space)
    try:
        process, is_up = here.process(), True
    except ConfigurationError:
        process, is_up = None, False  # nothing was brought up here
    if process is not None:
        return here
    inside = InCluster.find(found.resolved.kube(), found.resolved.project, found.environment)
    if inside is not None:
        return inside
    if not is_up or found.worker.condition == CONNECTED:
        raise RefusedError(
            f"the worker of {found.space.slug} is {found.worker.condition or 'unknown'}, and runs "
            "neither in the cluster nor as a process of ours: do that where it runs"
        )
    return here


def _place(found: _Found) -> Mapping[str, Any]:
    """Return where the worker runs, as far as can be seen from here."""
    try:
        home = _home(found)
    except RefusedError:
        return {"kind": "elsewhere", "words": "elsewhere: neither here nor in the cluster"}
    except (KubernetesError, UnreachableError) as error:
        return {"kind": "unknown", "words": f"unknown: {error}"}
    if isinstance(home, InCluster):
        pods = [{"name": pod.name, "phase": pod.phase, "ready": pod.ready} for pod in home.pods()]
        told = ", ".join(f"pod {p['name']} {p['phase']}" for p in pods) or "no pod"
        return {
            "kind": "cluster",
            "namespace": home.namespace,
            "deployment": home.name,
            "pods": pods,
            "words": f"{home}: {told}",
        }
    process = home.process()
    log = str(home.log())
    if process is None:
        return {"kind": "process", "pid": None, "log": log, "words": "not now; here, if started"}
    kept = {key: process[key] for key in ("pid", "state", "restarts", "since")}
    told = (
        f"here: process {process['pid'] or '-'}, {process['state']} since {process['since']}, "
        f"restarts {process['restarts']}"
    )
    return {"kind": "process", **kept, "log": log, "words": told}
