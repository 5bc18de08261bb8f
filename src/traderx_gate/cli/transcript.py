"""What a command says: on the terminal, and in `logs/<command>-<environment>-<time>.log`."""

import contextlib
import datetime as dt
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from traderx_gate.checkout import logs
from traderx_gate.errors import (
    ConfigurationError,
    DeliveryError,
    EvidenceError,
    GateError,
    RefusedError,
    UnreachableError,
)
from traderx_gate.operations.promotion import RefutedError

Say = Callable[[str], None]


@contextlib.contextmanager
def kept(command: str, environment: str, *, quiet: bool = False) -> Iterator[Say]:
    """Yield what says a line on the terminal and keeps it, with its time, in a log file.

    A failure is kept too; it is the command line that shows it. A command that is refused before
    it said anything has done nothing, and leaves no log.

    Args:
        command: The command's name.
        environment: What it works on.
        quiet: Lines go to standard error, because standard output is for a program.

    Raises:
        RefusedError: The log cannot be written; nothing was done yet.
        DeliveryError: What would have been a refusal came after something had been done.
    """
    now = dt.datetime.now(dt.UTC)
    path = logs() / f"{command}-{environment}-{now:%Y%m%dT%H%M%S}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise RefusedError(f"cannot write {path}: {error.strerror}") from error
    said = False
    with file:

        def keep(text: str) -> None:
            file.write(f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}Z {text}\n")

        def say(text: str) -> None:
            nonlocal said
            said = True
            typer.echo(text, err=quiet)
            keep(text)

        keep(f"traderx-gate {' '.join(sys.argv[1:])}")
        try:
            yield say
        except GateError as error:
            refused = isinstance(error, ConfigurationError | RefusedError | UnreachableError)
            if not said and (refused or isinstance(error, EvidenceError | RefutedError)):
                path.unlink()
                raise
            keep(f"failed: {error}")
            typer.echo(f"log: {_shown(path)}", err=True)
            if refused:
                raise DeliveryError(f"{error}; what was done before stays done") from error
            raise
        except KeyboardInterrupt:
            keep("interrupted")
            raise
        keep("done")


def _shown(path: Path) -> str:
    """Return a path as a user would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
