"""The lock of an environment: one run at a time; a second one is told of the first.

A run that starts another one, such as a delivery that validates, hands its token down through the
process environment, so that it does not wait for itself.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from traderx_gate.errors import RefusedError

TOKEN_VARIABLE = "TRADERX_GATE_LOCK_TOKEN"
"""Carries the owner's token to the processes it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who holds a lock: a token that its children know, and words for everybody else."""

    token: str
    words: str

    @classmethod
    def read(cls, path: Path) -> "Owner":
        """Read who wrote himself down last; nobody, where the file is not there or is half."""
        try:
            token, _, words = path.read_text(encoding="utf-8").partition("\n")
        except OSError:
            token, words = "", ""
        return cls(token=token.strip(), words=words.strip() or "another run")


@contextlib.contextmanager
def held(folder: Path, project: str, environment: str, *, command: str) -> Iterator[None]:
    """Hold the lock of an environment, or go on under the one that an ancestor holds.

    The kernel drops the lock when its process ends, however it ends.

    Args:
        folder: Where the locks of this installation lie.
        project: Whose environment it is: those of other projects are others, and not waited for.
        environment: The environment's name.
        command: What the other one is told that runs here.

    Raises:
        RefusedError: Another run holds it; the message names it.
    """
    name = re.sub(r"[^a-z0-9-]", "_", f"{project}-{environment}")
    owner_file = folder / f"{name}.owner"
    lock = FileLock(folder / f"{name}.lock", timeout=0)
    # a family has one token: who holds two environments is not a stranger at the first one
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_hex(16)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire()
        _write_privately(owner_file, f"{token}\n`{command}`, process {os.getpid()}\n")
    except Timeout as error:
        owner = Owner.read(owner_file)
        if owner.token and owner.token == os.environ.get(TOKEN_VARIABLE):
            yield
            return
        raise RefusedError(
            f"{environment} of {project} is in use by {owner.words}; wait until it has ended"
        ) from error
    except OSError as error:
        lock.release()
        raise RefusedError(f"cannot lock {environment} in {folder}: {error.strerror}") from error
    before = os.environ.get(TOKEN_VARIABLE)
    try:
        os.environ[TOKEN_VARIABLE] = token
        yield
    finally:
        if before is None:
            os.environ.pop(TOKEN_VARIABLE, None)
        else:
            os.environ[TOKEN_VARIABLE] = before
        lock.release()


def _write_privately(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
