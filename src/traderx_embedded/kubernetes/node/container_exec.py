"""Commands run inside a container, for exec probes and hooks; `streams.py` has those of clients."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from traderx_embedded.kubernetes.node.container import ContainerRun
from traderx_embedded.kubernetes.node.probe import MAX_OUTPUT, Answer


def program(run: ContainerRun, command: Sequence[str]) -> tuple[str, ...]:
    """Return the command with its program looked up in the container's PATH, paths led."""
    command = run.launch.mounts.lead(command)
    found = shutil.which(command[0], path=run.launch.environment["PATH"])
    return (found or command[0], *command[1:])


async def ask(run: ContainerRun, command: Sequence[str], *, timeout_s: float) -> Answer:
    """Run a command in the container: exit code 0 is success."""
    if not command:
        return Answer(success=False, output="no command")
    try:
        process = await asyncio.create_subprocess_exec(
            *program(run, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(run.launch.environment),
            cwd=run.launch.directory,
            start_new_session=True,
        )
    except OSError as error:
        return Answer(success=False, output=f'exec: "{command[0]}": {error.strerror}')
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError:
        quoted = " ".join(command)
        return Answer(success=False, output=f'command "{quoted}" timed out after {timeout_s}s')
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Answer(
        success=process.returncode == 0, output=output[:MAX_OUTPUT].decode(errors="replace")
    )


async def run_hook(run: ContainerRun, hook: Mapping[str, Any], *, timeout_s: float) -> str:
    """Run a preStop hook and return what went wrong, if anything."""
    if "sleep" in hook:
        # A wait that the pod asks for, not one of ours.
        await asyncio.sleep(min(hook["sleep"]["seconds"], timeout_s))
        return ""
    answer = await ask(run, hook["exec"]["command"], timeout_s=timeout_s)
    return "" if answer.success else answer.output
