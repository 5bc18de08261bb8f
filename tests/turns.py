"""Turns: what only one test at a time may have, whichever worker it runs on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


@contextmanager
def turn(folder: Path, what: str) -> Iterator[None]:
    """Hold something while a test needs it for itself.

    Whoever waits is next: without that, the one who has just let go takes it again at once, and
    the other's test waits until it is given up.
    """
    mine = FileLock(folder / f"{what}.lock")
    with FileLock(folder / f"{what}.next.lock"):
        mine.acquire()
    try:
        yield
    finally:
        mine.release()
