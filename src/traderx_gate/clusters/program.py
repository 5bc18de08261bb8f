"""Runs the command lines of others: a deadline always, their own words in our errors."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from traderx_gate.errors import RefusedError, UnreachableError


class FailedProgramError(RefusedError):
    """A program ended with another exit code than 0.

    Attributes:
        said: All that it printed.
    """

    def __init__(self, message: str, *, said: str) -> None:
        super().__init__(message)
        self.said = said


def is_there(name: str) -> bool:
    """Return whether a program is on PATH."""
    return shutil.which(name) is not None


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    given: str = "",
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    Raises:
        FailedProgramError: Its exit code is not 0.
        UnreachableError: It did not end in time, and was killed.
    """
    line = " ".join(argv[:3])
    try:
        done = subprocess.run(
            argv,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=env,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"`{line}` did not end in {timeout_s:.0f} s") from error
    if done.returncode != 0:
        said = f"{done.stdout}\n{done.stderr}".strip()
        last = (said.splitlines() or [f"exit code {done.returncode}"])[-1]
        raise FailedProgramError(f"`{line}`: {last}", said=said)
    return done.stdout
