"""A command in a container with a terminal, as `kubectl exec -it` asks for."""

import asyncio
import fcntl
import json
import os
import struct
import termios
from collections.abc import Sequence

from traderx_embedded.kubernetes.node import container_exec
from traderx_embedded.kubernetes.node.container import ContainerRun
from traderx_embedded.kubernetes.node.spdy import Stream

CHUNK = 32 * 1024


class Terminal:
    """A pseudo terminal, of which the command holds one end and the streams the other."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()

    async def start(self, run: ContainerRun, command: Sequence[str]) -> asyncio.subprocess.Process:
        """Start the command; the terminal is the one that controls it.

        Raises:
            OSError: It cannot be executed.
        """
        started = False
        try:
            process = await asyncio.create_subprocess_exec(
                "setsid",
                "--ctty",
                *container_exec.program(run, command),
                stdin=self._slave,
                stdout=self._slave,
                stderr=self._slave,
                env={"TERM": "xterm", **run.launch.environment},
                cwd=run.launch.directory,
            )
            started = True
            return process
        finally:
            os.close(self._slave)
            if not started:
                os.close(self._master)

    async def carry(self, streams: dict[str, Stream]) -> None:
        """Carry output until the command has closed the terminal, and input as long."""
        inputs = [asyncio.create_task(self._feed(streams["stdin"]))] if "stdin" in streams else []
        if "resize" in streams:
            inputs.append(asyncio.create_task(self._resize(streams["resize"])))
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(self._master), "rb", 0)
        )
        try:
            while (data := await _read(reader)) and "stdout" in streams:
                await streams["stdout"].write(data)
        finally:
            for task in inputs:
                task.cancel()
            if inputs:
                await asyncio.wait(inputs)
            transport.close()
            os.close(self._master)

    async def _feed(self, stream: Stream) -> None:
        while data := await stream.read():
            while data:
                data = data[await asyncio.to_thread(os.write, self._master, data) :]

    async def _resize(self, stream: Stream) -> None:
        while data := await stream.read():
            size = json.loads(data)
            packed = struct.pack("HHHH", size["Height"], size["Width"], 0, 0)
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, packed)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(CHUNK)
    except OSError:
        return b""  # how a terminal says that no one holds its other end
