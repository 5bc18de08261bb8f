"""One file per run of a container, in the format of container runtimes: `time stream F|P text`.

The reading side, for the kubelet API, is in `log_reader.py`.
"""

from pathlib import Path
from typing import BinaryIO

from traderx_embedded.kubernetes.node import clock

MAX_BYTES = 10 * 1024 * 1024
MAX_LINE = 16 * 1024


def path_of(directory: Path, restart: int) -> Path:
    """Return the log file of the container's run of this number."""
    return directory / f"{restart}.log"


class ContainerLog:
    """Writes what a container says; beyond 10 MiB the older half is kept in `.old`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._partial = {"stdout": b"", "stderr": b""}

    def write(self, stream: str, data: bytes) -> None:
        """Append output of one stream; lines are complete at their newline."""
        *lines, rest = (self._partial[stream] + data).split(b"\n")
        self._append(b"".join(self._line(stream, b"F", line) for line in lines))
        while len(rest) >= MAX_LINE:
            self._append(self._line(stream, b"P", rest[:MAX_LINE]))
            rest = rest[MAX_LINE:]
        self._partial[stream] = rest

    def close(self) -> None:
        """Write what came without a newline, and close the file."""
        for stream, rest in self._partial.items():
            if rest:
                self._append(self._line(stream, b"F", rest))
        self._partial = {"stdout": b"", "stderr": b""}
        self._file.close()

    def _line(self, stream: str, tag: bytes, text: bytes) -> bytes:
        stamp = clock.nanos(clock.now()).encode()
        return b"%s %s %s %s\n" % (stamp, stream.encode(), tag, text)

    def _append(self, data: bytes) -> None:
        if self._size > MAX_BYTES:
            self._file.close()
            self._path.replace(self._path.with_suffix(".old"))
            self._file = self._path.open("ab", buffering=0)
            self._size = 0
        self._size += self._file.write(data)
