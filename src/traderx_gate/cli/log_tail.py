"""The end of a log file, and what is written to it from then on."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from traderx_gate.errors import RefusedError
from traderx_gate.waiting import FOREVER, polling

EVERY_S = 0.2


def last_lines(path: Path, count: int) -> tuple[str, ...]:
    """Return the last lines of a file.

    Raises:
        RefusedError: It cannot be read.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return tuple(line.rstrip("\n") for line in deque(file, maxlen=count))
    except OSError as error:
        raise RefusedError(f"{path}: {error.strerror}; has the worker ever run here?") from error


def followed(path: Path, count: int) -> Iterator[str]:
    """Yield the last lines of a file, then every line that comes, without an end.

    A file that was emptied, as logs are that grew too long, goes on from its start.

    Raises:
        RefusedError: It cannot be read.
    """
    yield from last_lines(path, count)
    position, rest = path.stat().st_size, ""
    for size in polling(lambda: path.stat().st_size, every_s=EVERY_S, deadline=FOREVER):
        if size < position:
            position, rest = 0, ""
        with path.open("rb") as file:
            file.seek(position)
            written = file.read()
        position += len(written)
        *lines, rest = (rest + written.decode(errors="replace")).split("\n")
        yield from lines
