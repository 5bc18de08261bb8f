"""One run of a container: a process in a session of its own, its output, its end."""

import asyncio
import contextlib
import logging
import os
import signal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from traderx_embedded.kubernetes.node import clock, processes
from traderx_embedded.kubernetes.node.container_log import ContainerLog
from traderx_embedded.kubernetes.node.volume import is_below

_LOG = logging.getLogger(__name__)

# Pieces of output that an attached client may be behind.
MAX_BEHIND = 256
# How long output of a dead process may still arrive: everything that held the pipe is dead too.
OUTPUT_END_S = 2.0


class StartError(Exception):
    """The program could not be started, such as one that does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """Where the paths of a container's volumes really are: below a root."""

    root: Path
    paths: tuple[str, ...]

    def lead(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the words, those that are a path of a volume replaced by where it really is."""
        return tuple(
            f"{self.root}{word}" if any(is_below(word, path) for path in self.paths) else word
            for word in words
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to run.

    Attributes:
        uid: The pod's uid, the marker by which leftovers are found.
    """

    uid: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    mounts: Mounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a run ended."""

    code: int
    reason: str
    started: datetime
    finished: datetime
    container_id: str
    message: str = ""


class Attached:
    """The output of a container from now on, for one client."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()
        self._ended = False

    def put(self, name: str, data: bytes) -> None:
        """Pass output on; a client that does not keep up gets no more."""
        if self._chunks.qsize() >= MAX_BEHIND:
            self.end()
        elif not self._ended:
            self._chunks.put_nowait((name, data))

    def end(self) -> None:
        """There is no more."""
        if not self._ended:
            self._ended = True
            self._chunks.put_nowait(None)

    async def read(self) -> tuple[str, bytes] | None:
        """Return the next output and the name of its stream; None at the end."""
        return await self._chunks.get()


class _Output(asyncio.SubprocessProtocol):
    """Carries the program's output into its log, and notices its end."""

    def __init__(self, log: ContainerLog) -> None:
        loop = asyncio.get_running_loop()
        self._log = log
        self.attached: set[Attached] = set()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        name = "stdout" if fd == 1 else "stderr"
        self._log.write(name, data)
        for attached in self.attached:
            attached.put(name, data)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._log.close()
        for attached in self.attached:
            attached.end()
        if not self.closed.done():
            self.closed.set_result(None)


class ContainerRun:
    """A started program. `wait` must be awaited once, by whoever owns the run."""

    def __init__(
        self, launch: Launch, transport: asyncio.SubprocessTransport, output: _Output
    ) -> None:
        self._uid = launch.uid
        self._transport = transport
        self._output = output
        self._memory_exceeded = False
        self.launch = launch
        self.id = f"process://{uuid.uuid4().hex}"
        self.started = clock.now()
        self.pid = transport.get_pid()

    @classmethod
    async def start(cls, launch: Launch) -> "ContainerRun":
        """Start the program.

        Raises:
            StartError: It cannot be executed.
        """
        log = ContainerLog(launch.log)
        try:
            transport, protocol = await asyncio.get_running_loop().subprocess_exec(
                lambda: _Output(log),
                *launch.argv,
                stdin=asyncio.subprocess.DEVNULL,
                env=dict(launch.environment),
                cwd=launch.directory,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            log.close()
            detail = error.strerror if isinstance(error, OSError) else str(error)
            raise StartError(
                f'failed to start container process: exec: "{launch.argv[0]}": {detail}'
            ) from error
        return cls(launch, transport, protocol)

    @property
    def is_running(self) -> bool:
        """Whether the first process of the container still lives."""
        return not self._output.exited.done()

    @property
    def is_writing(self) -> bool:
        """Whether output may still come into the log."""
        return not self._output.closed.done()

    @contextlib.contextmanager
    def attach(self) -> Iterator[Attached]:
        """Have all output from now on, until the end of the block."""
        attached = Attached()
        self._output.attached.add(attached)
        if not self.is_writing:
            attached.end()
        try:
            yield attached
        finally:
            self._output.attached.discard(attached)

    async def wait(self) -> Exit:
        """Return how the run ended; nothing of it is alive then, and its log is complete."""
        await asyncio.shield(self._output.exited)
        finished = clock.now()
        # As in a container, the end of the first process is the end of all.
        await asyncio.to_thread(_end_all, self._uid)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OUTPUT_END_S):
                await asyncio.shield(self._output.closed)
        status = self._transport.get_returncode() or 0
        self._transport.close()
        code = 128 - status if status < 0 else status
        reason = "Completed" if code == 0 else "Error"
        return Exit(
            code=code,
            reason="OOMKilled" if self._memory_exceeded else reason,
            started=self.started,
            finished=finished,
            container_id=self.id,
        )

    def exceed_memory(self) -> None:
        """Kill the container as the out-of-memory killer does."""
        if self.is_running:
            self._memory_exceeded = True
            self.kill()

    def kill(self) -> None:
        """SIGKILL the container."""
        if not self.is_running:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def stop(self, grace_s: float) -> None:
        """SIGTERM the first process, wait for its end, SIGKILL what is left after the grace."""
        if not self.is_running:
            return
        with contextlib.suppress(ProcessLookupError):
            self._transport.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await asyncio.shield(self._output.exited)
        except TimeoutError:
            _LOG.info("grace ended uid=%s pid=%s grace_s=%s", self._uid, self.pid, grace_s)
            self.kill()
            await asyncio.shield(self._output.exited)


def _end_all(uid: str) -> None:
    processes.end(processes.of_pod(uid))
