"""Reads container logs the way `kubectl logs` asks for them: tail, since, limit, follow."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from traderx_embedded.kubernetes.node import clock

POLL_S = 0.05
BATCH_LINES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The options of a request for logs.

    Attributes:
        stream: `stdout`, `stderr`, or empty for both.
    """

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: datetime | None = None
    stream: str = ""

    @classmethod
    def from_query(cls, query: dict[str, str]) -> "Question":
        """Parse the query of the kubelet API.

        Raises:
            ValueError: A number or time is malformed.
        """
        since = clock.parse(query["sinceTime"]) if "sinceTime" in query else None
        if "sinceSeconds" in query:
            since = clock.now() - timedelta(seconds=int(query["sinceSeconds"]))
        stream = query.get("stream", "").lower()
        return cls(
            follow=query.get("follow") in {"true", "1"},
            timestamps=query.get("timestamps") in {"true", "1"},
            tail_lines=int(query["tailLines"]) if "tailLines" in query else None,
            limit_bytes=int(query["limitBytes"]) if "limitBytes" in query else None,
            since=since,
            stream="" if stream == "all" else stream,
        )


async def read(
    path: Path, question: Question, *, is_live: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield the log; with `follow`, until the container's run has ended."""
    left = question.limit_bytes
    async for text in _texts(path, question, is_live):
        part = text if left is None else text[:left]
        yield part
        if left is not None:
            left -= len(part)
            if left <= 0:
                return


async def _texts(
    path: Path, question: Question, is_live: Callable[[], bool]
) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        # Ten megabytes are parsed beside the loop, which has traffic to carry.
        for text in await asyncio.to_thread(_written, file, question):
            yield text
        while question.follow:
            live = is_live()  # asked before reading: what was written before the end is read
            for text in _shown(file, question):
                yield text
            if not live:
                return
            await asyncio.sleep(POLL_S)


def _written(file: BinaryIO, question: Question) -> list[bytes]:
    """Return what is in the log now, in large pieces."""
    shown: Iterable[bytes] = _shown(file, question)
    if question.tail_lines is not None:
        shown = deque(shown, maxlen=question.tail_lines)
    return [b"".join(lines) for lines in _batches(shown)]


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    remaining = iter(lines)
    while batch := list(itertools.islice(remaining, BATCH_LINES)):
        yield batch


def _shown(file: BinaryIO, question: Question) -> Iterator[bytes]:
    for line in _complete(file):
        if (text := _show(line, question)) is not None:
            yield text


def _complete(file: BinaryIO) -> Iterator[bytes]:
    """Yield complete lines; a line still being written is left for the next call."""
    while line := file.readline():
        if not line.endswith(b"\n"):
            file.seek(-len(line), 1)
            return
        yield line


def _show(line: bytes, question: Question) -> bytes | None:
    stamp, stream, tag, text = line.split(b" ", 3)
    if question.stream and question.stream != stream.decode():
        return None
    if question.since is not None and clock.parse(stamp.decode()) < question.since:
        return None
    if tag == b"P":
        text = text[:-1]
    return stamp + b" " + text if question.timestamps else text
