"""Start the embedded ConfigHub: `python -m traderx_embedded.confighub --port N …`.

Prints one line once it serves. SIGTERM and SIGINT end it in order.
"""

import argparse
import asyncio
import functools
import logging
import secrets
import signal
import socket
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import hypercorn.asyncio
import hypercorn.config

from traderx_embedded import state
from traderx_embedded.confighub import june_2026, operations, server, workers
from traderx_embedded.confighub.store import Store
from traderx_embedded.confighub.stream import Streams

_SWEEP_S = 1.0


def main() -> int:
    """Run the server until it is told to stop; 2 if it cannot start."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        token = _token(arguments.token_file)
        listener = _listen(arguments.port)
        store = Store(arguments.database)
    except (OSError, sqlite3.Error, ValueError) as error:
        sys.stderr.write(f"confighub: cannot start: {error}\n")
        return 2
    try:
        asyncio.run(_serve(arguments, token, listener, store))
    finally:
        store.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m traderx_embedded.confighub")
    parser.add_argument("--port", type=int, required=True, help="0 lets the kernel choose")
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--token-file", type=Path, required=True, help="made if missing")
    parser.add_argument("--heartbeat-s", type=float, default=10.0)
    parser.add_argument(
        "--operation-timeout-s",
        type=float,
        default=1800.0,
        help="an operation that has not ended by then is ended",
    )
    parser.add_argument(
        "--function-timeout-s",
        type=float,
        default=30.0,
        help="a worker that has not answered an invocation by then is not waited for",
    )
    parser.add_argument(
        "--generation",
        choices=("2025-08", june_2026.NAME),
        default="2025-08",
        help="of the API that is spoken; the later one as far as our client calls it",
    )
    return parser.parse_args()


def _token(path: Path) -> str:
    if not path.exists():
        state.write(path, secrets.token_urlsafe(32))
    token = path.read_text().strip()
    if not token:
        raise ValueError(f"{path} is empty: delete it to have a new token made")
    return token


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise OSError(f"127.0.0.1:{port}: {error.strerror}") from error
    listener.listen(128)
    return listener


async def _serve(
    arguments: argparse.Namespace, token: str, listener: socket.socket, store: Store
) -> None:
    port = listener.getsockname()[1]
    await store.run(workers.disconnect_all)
    streams = Streams(
        store,
        heartbeat_s=arguments.heartbeat_s,
        errand_timeout_s=arguments.function_timeout_s,
    )
    services = server.Services(
        store=store,
        streams=streams,
        token=token,
        port=port,
        speaks_2026=arguments.generation == june_2026.NAME,
    )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    async def stopped() -> None:
        await stopping.wait()
        streams.end_all()

    sweeper = asyncio.create_task(_sweep(store, stopping, arguments.operation_timeout_s))
    sys.stdout.write(f"confighub: serving on http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    app = cast("Any", server.application(services))  # hypercorn and Starlette type ASGI differently
    await hypercorn.asyncio.serve(app, _config(listener), shutdown_trigger=stopped)
    stopping.set()
    await sweeper
    await streams.settle()


def _config(listener: socket.socket) -> hypercorn.config.Config:
    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn")
    config.include_server_header = False
    # clients keep connections for longer than the default of 5 s and would meet a closed one
    config.keep_alive_timeout = 300
    config.keep_alive_max_requests = 2**31
    return config


async def _sweep(store: Store, stopping: asyncio.Event, timeout_s: float) -> None:
    """End operations that are overdue, until the server stops."""
    while not stopping.is_set():
        limit = datetime.now(UTC) - timedelta(seconds=timeout_s)
        before = limit.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        expire = functools.partial(operations.expire, before=before, timeout=f"{timeout_s:g} s")
        await store.run(expire)
        try:
            async with asyncio.timeout(_SWEEP_S):
                await stopping.wait()
        except TimeoutError:
            continue


if __name__ == "__main__":
    sys.exit(main())
