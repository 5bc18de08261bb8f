"""What every stand-in does as a program: logs to stdout, opens its ports, ends at SIGTERM."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

from traderx_embedded.traderx import http_server
from traderx_embedded.traderx.switches import Switches, admin

log = logging.getLogger(__name__)

WILDCARD = "0.0.0.0"
TERMINATED = 128 + signal.SIGTERM
"""How a JVM, and a container whose program was terminated, reports SIGTERM."""


class StartError(Exception):
    """The service cannot start; it ends with exit code 1, as the real one does."""


class UnusableVariableError(StartError):
    """An environment variable has a value that the service cannot use."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(f"{name}={value!r} is not a port number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of a service: a name for the log, and what connects there."""

    name: str
    server: asyncio.Server

    @property
    def number(self) -> int:
        """The port in use, also where any free one was asked for."""
        return int(self.server.sockets[0].getsockname()[1])


Start = Callable[[Switches], Awaitable[tuple[Port, ...]]]


def bind_address() -> str:
    """Return the address to listen at: all, as in a container, unless the node gave one."""
    return os.environ.get("TRADERX_BIND_ADDRESS", WILDCARD)


def port_variable(name: str, default: int) -> int:
    """Read a port number from the environment.

    Raises:
        UnusableVariableError: It is none; Kubernetes' service links set `tcp://...` here.
    """
    value = os.environ.get(name, str(default))
    if not value.isdecimal() or int(value) > 65535:
        raise UnusableVariableError(name, value)
    return int(value)


def crash(error: str) -> NoReturn:
    """End the program at once with exit code 1, as an exception that nobody catches does."""
    log.critical("%s", error)
    os._exit(1)


def run(name: str, start: Start, *, switches: Switches) -> None:
    """Run a service until SIGTERM, then exit."""
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format=f"%(asctime)s %(levelname)-5s [{name}] %(message)s",
    )
    sys.exit(asyncio.run(_run(name, start, switches)))


async def _run(name: str, start: Start, switches: Switches) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    log.info("starting %s %s, pid=%d", name, os.environ.get("TRADERX_VERSION", "dev"), os.getpid())
    starting = asyncio.ensure_future(_open(start, switches))
    stopping = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        try:
            starting.result()
        except (StartError, OSError) as error:
            log.error("application run failed: %s", error)  # noqa: TRY400 - the text says it all
            return 1
        log.info("started %s", name)
        await stopping
    log.info("stopping at signal")
    return TERMINATED


async def _open(start: Start, switches: Switches) -> None:
    if "TRADERX_ADMIN_PORT" in os.environ:
        host = os.environ.get("TRADERX_BIND_ADDRESS", "127.0.0.1")
        number = port_variable("TRADERX_ADMIN_PORT", 0)
        server = await http_server.listen(admin(switches), host=host, port=number)
        _report(Port(name="admin", server=server))
    for port in await start(switches):
        _report(port)


def _report(port: Port) -> None:
    log.info("listening port=%s number=%d", port.name, port.number)
