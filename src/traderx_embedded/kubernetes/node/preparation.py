"""From a pod to a program: its image, its environment, the directory it runs in."""

import base64
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from traderx_embedded import images
from traderx_embedded.kubernetes.node import container_log, environment, mounting, sources
from traderx_embedded.kubernetes.node.container import Launch, Mounts
from traderx_embedded.kubernetes.node.environment import Reference
from traderx_embedded.kubernetes.node.pod import Pod
from traderx_embedded.kubernetes.node.status import HOST_IP
from traderx_embedded.kubernetes.node.surroundings import Surroundings

LAUNCHER = Path(__file__).parent.parent / "launcher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A program ready to start; `admin_port` is 0 where the image has none."""

    launch: Launch
    admin_port: int


async def prepare(
    pod: Pod, image: images.Image, around: Surroundings, *, ip: str, restart: int
) -> Prepared:
    """Return what to run.

    Raises:
        MountError: A volume cannot be made.
        SourceError: A config map, secret or key is missing, or the API does not answer.
    """
    await around.proxy.synced()
    root = await mounting.mount(pod, around)
    data = {
        reference: await _fetch(pod, reference, around)
        for reference in environment.references(pod.container)
    }
    placement = environment.Placement(
        node_name=around.settings.node_name,
        pod_ip=ip,
        host_ip=HOST_IP,
        allocatable=around.allocatable,
    )
    links = around.proxy.links(pod.namespace, own=pod.service_links)
    declared = environment.build(pod, placement, links, data)
    home = _fresh_directory(around.settings.pods / pod.uid)
    logs = pod.logs(around.settings.pods)
    logs.mkdir(parents=True, exist_ok=True)
    _forget_logs(logs, before=restart - 1)
    admin_port = _free_port(around.settings.networks.private_of(ip)) if image.admin else 0
    variables = {**_base(pod, home), **image.env, **declared}
    variables |= _marks(pod, around, variables, ip=ip, admin_port=admin_port)
    variables |= {"TRADERX_ROOT": str(root), "TRADERX_MOUNTS": ":".join(pod.container.mounts)}
    mounts = Mounts(root=root, paths=tuple(pod.container.mounts))
    argv = environment.argv(pod.container, image.entrypoint, variables)
    return Prepared(
        launch=Launch(
            uid=pod.uid,
            argv=_found(mounts.lead(argv), variables["PATH"]),
            environment=variables,
            directory=Path(*mounts.lead([pod.container.working_dir or str(home)])),
            log=container_log.path_of(logs, restart),
            mounts=mounts,
        ),
        admin_port=admin_port,
    )


async def _fetch(pod: Pod, reference: Reference, around: Surroundings) -> dict[str, str] | None:
    document = await sources.read(pod.namespace, reference, around.api)
    if document is None:
        return None
    data: dict[str, str] = document.get("data") or {}
    if reference.kind == "Secret":
        return {
            key: base64.b64decode(value).decode(errors="surrogateescape")
            for key, value in data.items()
        }
    return data


def _fresh_directory(directory: Path) -> Path:
    """Return an empty directory: a container starts from its image each time."""
    home = directory / "work"
    if home.exists():
        shutil.rmtree(home)
    home.mkdir(parents=True)
    return home


def _forget_logs(directory: Path, *, before: int) -> None:
    """Keep the logs of this run and the one before."""
    for path in directory.glob("*.*"):
        if path.stem.isdigit() and int(path.stem) < before:
            path.unlink()


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _base(pod: Pod, home: Path) -> dict[str, str]:
    """Return what a container has before anyone asks; nothing of the node's own environment."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "HOSTNAME": pod.hostname,
        "LANG": "C.UTF-8",
    }


def _marks(
    pod: Pod, around: Surroundings, variables: dict[str, str], *, ip: str, admin_port: int
) -> dict[str, str]:
    """Return what the launcher inside the pod reads, and the marker of the pod's processes."""
    settings = around.settings
    path = [str(LAUNCHER), *filter(None, [variables.get("PYTHONPATH")])]
    marks = {
        "PYTHONPATH": os.pathsep.join(path),
        "TRADERX_STATE": str(settings.state),
        "TRADERX_POD_UID": pod.uid,
        "TRADERX_POD_ADDRESS": ip,
        "TRADERX_POD_NETWORK": settings.networks.pod,
        "TRADERX_BIND_ADDRESS": settings.networks.private_of(ip),
        "TRADERX_HOSTS": str(settings.hosts),
        "TRADERX_NAMESPACE": pod.namespace,
    }
    return marks | ({"TRADERX_ADMIN_PORT": str(admin_port)} if admin_port else {})


def _found(argv: tuple[str, ...], path: str) -> tuple[str, ...]:
    """Look the program up in the container's PATH, not in the node's."""
    return (shutil.which(argv[0], path=path) or argv[0], *argv[1:]) if argv else ("",)
