"""Start the worker: everything but the context comes from the environment.

CONFIGHUB_URL, CONFIGHUB_WORKER_PORT, CONFIGHUB_WORKER_ID, CONFIGHUB_WORKER_SECRET, and KUBECONFIG.
CONFIGHUB_WAIT_AGAIN_S (30) is how long after a wait that failed it is looked again, first.
With CONFIGHUB_AUTO_APPLY=true heads of the worker's space are applied by themselves.
In a pod KUBECONFIG is left out: its service account is used, and the target bears the worker's name
unless IN_CLUSTER_TARGET_NAME gives another; elsewhere it is `<worker>-<context>`.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from traderx_gate.confighub import ConfigHub, Space
from traderx_gate.errors import ConfigHubError, ConfigurationError, UnreachableError
from traderx_gate.kube import Kube, current_context
from traderx_gate.waiting import FOREVER, polling, seconds, until
from traderx_gate.worker.auto_apply import EVERY_S, AutoApply
from traderx_gate.worker.bridge import Bridge
from traderx_gate.worker.protocol import WorkerClient
from traderx_gate.worker.worker import AGAIN_S, Worker

log = logging.getLogger(__name__)
WAIT_AGAIN = "CONFIGHUB_WAIT_AGAIN_S"
IN_A_POD = "KUBERNETES_SERVICE_HOST"
"""Every pod has it in its environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says.

    Attributes:
        kubeconfig: None in a pod.
    """

    url: str
    worker_id: str
    secret: str = field(repr=False)
    kubeconfig: Path | None
    target_name: str
    auto_apply: bool
    again_s: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            ConfigurationError: One is missing or malformed.
        """
        needed = ["CONFIGHUB_URL", "CONFIGHUB_WORKER_ID", "CONFIGHUB_WORKER_SECRET"]
        if not environment.get(IN_A_POD):
            needed.append("KUBECONFIG")
        absent = [name for name in needed if not environment.get(name)]
        if absent:
            raise ConfigurationError(f"{', '.join(absent)} must be set in the environment")
        parts = urlsplit(environment["CONFIGHUB_URL"])
        port = environment.get("CONFIGHUB_WORKER_PORT") or "443"
        if parts.scheme not in {"http", "https"} or not parts.hostname or not port.isdigit():
            raise ConfigurationError(
                f"CONFIGHUB_URL {environment['CONFIGHUB_URL']!r} with "
                f"CONFIGHUB_WORKER_PORT {port!r}: expected http(s)://host and a number"
            )
        return cls(
            url=f"{parts.scheme}://{parts.hostname}:{port}",
            worker_id=environment["CONFIGHUB_WORKER_ID"],
            secret=environment["CONFIGHUB_WORKER_SECRET"],
            kubeconfig=Path(named) if (named := environment.get("KUBECONFIG")) else None,
            target_name=environment.get("IN_CLUSTER_TARGET_NAME", ""),
            auto_apply=environment.get("CONFIGHUB_AUTO_APPLY", "").lower() in {"1", "true"},
            again_s=seconds(environment.get(WAIT_AGAIN) or str(AGAIN_S), name=WAIT_AGAIN),
        )


async def serve(settings: Settings, context: str | None) -> None:
    """Run the worker until SIGTERM or SIGINT."""
    if settings.kubeconfig is None:
        kube, context = Kube.in_cluster(), ""
    else:
        context = context or current_context(settings.kubeconfig)
        kube = Kube.from_kubeconfig(settings.kubeconfig, context=context)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = WorkerClient(settings.url, worker_id=settings.worker_id, secret=settings.secret)
    worker = Worker(
        client,
        Bridge(kube),
        context=context,
        target_name=settings.target_name,
        again_s=settings.again_s,
    )
    ended = threading.Event()
    if settings.auto_apply:
        threading.Thread(target=_apply_by_itself, args=(settings, ended), daemon=True).start()
    try:
        await worker.run(stop)
    finally:
        ended.set()
        await client.close()


def _apply_by_itself(settings: Settings, ended: threading.Event) -> None:
    def connect() -> ConfigHub:
        return ConfigHub.from_worker(settings.url, settings.worker_id, settings.secret)

    found = until(
        polling(lambda: _space_of(connect, settings.worker_id), every_s=EVERY_S, deadline=FOREVER),
        lambda space: space is not None or ended.is_set(),
        what="ConfigHub to say which space the worker is of",
    )
    if found is not None:
        AutoApply(connect=connect, space=found, report=log.info).run(ended)


def _space_of(connect: Callable[[], ConfigHub], worker_id: str) -> Space | None:
    try:
        hub = connect()
        found = hub.worker_find(worker_id)
        hub.close()
    except (UnreachableError, ConfigHubError) as error:
        log.warning("auto-apply: %s; trying again", error)
        return None
    return found[1] if found else None


def main() -> int:
    """Run the worker: 0 when told to stop, 1 when refused by the server, 2 when misconfigured."""
    parser = argparse.ArgumentParser(prog="python -m traderx_gate.worker")
    parser.add_argument("--context", help="of the kubeconfig; its current one by default")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = Settings.from_environment(os.environ)
        asyncio.run(serve(settings, arguments.context))
    except ConfigurationError as error:
        sys.stderr.write(f"worker: {error}\n")
        return 2
    except ConfigHubError as error:
        sys.stderr.write(f"worker: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
