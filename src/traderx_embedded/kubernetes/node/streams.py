"""Exec, attach and port-forward: what runs over the upgraded connections of the kubelet API."""

import asyncio
import contextlib
import json
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

from traderx_embedded.kubernetes.node import container_exec, datapath
from traderx_embedded.kubernetes.node.container import ContainerRun
from traderx_embedded.kubernetes.node.spdy import Connection, Stream
from traderx_embedded.kubernetes.node.terminal import Terminal

EXEC_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
FORWARD_PROTOCOL = "portforward.k8s.io"
STREAMS_DEADLINE_S = 30.0
# The client closes when it has read the result; we do if it does not.
CLOSE_DEADLINE_S = 5.0
CHUNK = 32 * 1024


async def upgrade(
    request: web.Request, protocol: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Take the connection over from HTTP, for SPDY."""
    reader, writer = take_over(request)
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n"
        b"X-Stream-Protocol-Version: " + protocol.encode() + b"\r\n\r\n"
    )
    return reader, writer


def take_over(request: web.Request) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Take the connection over from HTTP; end the request with `handed_over`."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has closed the connection")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    stream_protocol = asyncio.StreamReaderProtocol(reader)
    stream_protocol.connection_made(transport)
    transport.set_protocol(stream_protocol)
    return reader, asyncio.StreamWriter(transport, stream_protocol, reader, loop)


def handed_over(request: web.Request) -> web.StreamResponse:
    """Tell aiohttp that the connection, which it no longer reads, has ended."""
    request.protocol.connection_lost(None)
    return web.Response()


@dataclass(slots=True, kw_only=True)
class Session(ABC):
    """Work on a container, with the streams that the client opens for it."""

    run: ContainerRun
    wanted: frozenset[str]
    with_terminal: bool
    streams: dict[str, Stream] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    async def opened(self, stream: Stream) -> None:
        """Take note of a stream."""
        self.streams[stream.headers["streamtype"]] = stream
        if self.wanted <= self.streams.keys():
            self.complete.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do the work once all streams are open, until it is done or the client is gone."""
        connection = asyncio.create_task(Connection(reader, writer, self.opened).run())
        working = asyncio.create_task(self._begin())
        try:
            await asyncio.wait({connection, working}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                await asyncio.wait({connection}, timeout=CLOSE_DEADLINE_S)
        except ConnectionError:
            return  # the client went away; the command is ended below
        finally:
            working.cancel()
            connection.cancel()
            await asyncio.wait({working, connection})
            writer.close()

    async def _begin(self) -> None:
        async with asyncio.timeout(STREAMS_DEADLINE_S):
            await self.complete.wait()
        await self._work()

    @abstractmethod
    async def _work(self) -> None: ...

    async def _answer(self, status: dict[str, object]) -> None:
        for name in ("stdout", "stderr"):
            if name in self.streams:
                await self.streams[name].finish()
        await self.streams["error"].finish(json.dumps(status).encode())


@dataclass(slots=True, kw_only=True)
class AttachSession(Session):
    """The output of a container from now on; its input is not there to be written to."""

    async def _work(self) -> None:
        with self.run.attach() as output:
            while (piece := await output.read()) is not None:
                name, data = piece
                name = "stdout" if self.with_terminal else name
                if name in self.streams:
                    await self.streams[name].write(data)
        await self._answer(_result(0))


@dataclass(slots=True, kw_only=True)
class ExecSession(Session):
    """One command in a container."""

    command: Sequence[str]

    async def _work(self) -> None:
        terminal = Terminal() if self.with_terminal else None
        try:
            process = await self._start(terminal)
        except OSError as error:
            await self._answer(_failure_to_start(self.command, error))
            return
        try:
            if terminal is None:
                await self._carry(process)
            else:
                await terminal.carry(self.streams)
            await self._answer(_result(await process.wait()))
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    async def _start(self, terminal: Terminal | None) -> asyncio.subprocess.Process:
        if terminal is not None:
            return await terminal.start(self.run, self.command)
        return await asyncio.create_subprocess_exec(
            *container_exec.program(self.run, self.command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self.run.launch.environment),
            cwd=self.run.launch.directory,
            start_new_session=True,
        )

    async def _carry(self, process: asyncio.subprocess.Process) -> None:
        feeding = asyncio.create_task(self._feed(process))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._drain(process.stdout, "stdout"))
                group.create_task(self._drain(process.stderr, "stderr"))
        except* ConnectionError as errors:
            raise ConnectionResetError("the client has closed the connection") from errors
        finally:
            feeding.cancel()
            await asyncio.wait({feeding})

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        stdin = process.stdin
        if stdin is None:
            return
        try:
            if "stdin" in self.streams:
                while data := await self.streams["stdin"].read():
                    stdin.write(data)
                    await stdin.drain()
        except ConnectionError:
            return  # the command reads no more; that is its right
        finally:
            stdin.close()

    async def _drain(self, output: asyncio.StreamReader | None, name: str) -> None:
        while output is not None and (data := await output.read(CHUNK)):
            if name in self.streams:
                await self.streams[name].write(data)


def _result(code: int) -> dict[str, object]:
    code = 128 - code if code < 0 else code
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _failure_to_start(command: Sequence[str], error: OSError) -> dict[str, object]:
    detail = f'exec: "{command[0]}": {error.strerror}'
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"error executing command in container: failed to exec in container: {detail}",
        "reason": "InternalError",
        "code": 500,
    }


@dataclass(slots=True, kw_only=True)
class Forwarding:
    """Connections to a pod's ports: each is an error stream and a data stream of one request id."""

    address: str
    errors: dict[str, Stream] = field(default_factory=dict)

    async def opened(self, stream: Stream) -> None:
        """Serve a data stream."""
        identity = stream.headers.get("requestid", "")
        if stream.headers["streamtype"] == "error":
            self.errors[identity] = stream
            return
        error_stream = self.errors.pop(identity, None)
        problem = await self._forward(stream, int(stream.headers["port"]))
        await stream.finish()
        if error_stream is not None:
            await error_stream.finish(problem.encode())

    async def _forward(self, stream: Stream, port: int) -> str:
        try:
            async with asyncio.timeout(datapath.CONNECT_DEADLINE_S):
                reader, writer = await asyncio.open_connection(self.address, port)
        except OSError as error:
            return datapath.why_not_connected(port, error)
        sending = asyncio.create_task(_copy_up(stream, writer))
        try:
            while data := await reader.read(CHUNK):
                await stream.write(data)
        except ConnectionError as error:
            return str(error)
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            writer.close()
        return ""


async def _copy_up(stream: Stream, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await stream.read():
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except ConnectionError:
        return  # the reading side reports it
