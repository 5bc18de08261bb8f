"""The end of a log file, and what is written to it from then on."""

from collections.abc import Iterator
from pathlib import Path

from traderx_gate.errors import RefusedError
from traderx_gate.waiting import FOREVER, polling

EVERY_S = 0.2


def last_lines(path: Path, count: int) -> tuple[str, ...]:
    """Return the last lines of a file, a last one that has no end yet included.

    Raises:
        RefusedError: It cannot be read.
    """
    return tuple(line.decode(errors="replace") for line in _read(path).splitlines()[-count:])


def followed(path: Path, count: int) -> Iterator[str]:
    """Yield the last lines of a file, then every line that comes, each once it has its end.

    A file that was emptied, as logs are that grew too long, goes on from its start.

    Raises:
        RefusedError: It cannot be read.
    """
    content = _read(path)
    position = len(content)  # not asked for later: what is written meanwhile would be left out
    *lines, rest = content.split(b"\n")
    yield from (line.decode(errors="replace") for line in lines[-count:])
    for size in polling(lambda: path.stat().st_size, every_s=EVERY_S, deadline=FOREVER):
        if size < position:
            position, rest = 0, b""
        with path.open("rb") as file:
            file.seek(position)
            written = file.read()
        position += len(written)
        *lines, rest = (rest + written).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RefusedError(f"{path}: {error.strerror}; has the worker ever run here?") from error
