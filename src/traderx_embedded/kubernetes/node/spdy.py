"""SPDY/3.1, the server's side, over a stream that HTTP has already upgraded.

The API server speaks it to nodes for exec and port-forward. Only what it uses: streams opened by
the client, data both ways, ping. Windows are credited as data is taken.
"""

import asyncio
import struct
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

DICTIONARY = Path(__file__).with_name("spdy3_dictionary.bin").read_bytes()
QUEUED_FRAMES = 64
MAX_FRAME = 32 * 1024

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _WINDOW_UPDATE = 1, 2, 3, 6, 7, 9
_FIN = 1
_CONTROL = 0x80000000


class Stream:
    """One stream of a connection."""

    def __init__(self, number: int, headers: dict[str, str], connection: "Connection") -> None:
        self._number = number
        self._connection = connection
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue(QUEUED_FRAMES)
        self.headers = headers

    async def read(self) -> bytes:
        """Return the next piece; empty at the end."""
        return await self._incoming.get()

    async def write(self, data: bytes) -> None:
        """Send data."""
        for start in range(0, len(data), MAX_FRAME):
            await self._connection.send(self._number, data[start : start + MAX_FRAME])

    async def finish(self, data: bytes = b"") -> None:
        """Send a last piece and end this direction."""
        await self._connection.send(self._number, data, flags=_FIN)

    async def feed(self, data: bytes) -> None:
        """Take in what the client sent."""
        await self._incoming.put(data)


class Connection:
    """An upgraded connection; `opened` is called for every stream the client opens."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        opened: Callable[[Stream], Awaitable[None]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._opened = opened
        self._streams: dict[int, Stream] = {}
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    async def run(self) -> None:
        """Serve until the client closes the connection."""
        async with asyncio.TaskGroup() as group:
            try:
                while await self._frame(group):
                    pass
            except (asyncio.IncompleteReadError, ConnectionError):
                pass  # the ordinary end of such a connection
            for stream in self._streams.values():
                group.create_task(stream.feed(b""))

    async def send(self, number: int, data: bytes, *, flags: int = 0) -> None:
        """Send a data frame."""
        if self._writer.is_closing():
            raise ConnectionResetError("the client has closed the connection")
        self._writer.write(struct.pack(">II", number, flags << 24 | len(data)) + data)
        await self._writer.drain()

    async def _frame(self, group: asyncio.TaskGroup) -> bool:
        first, second = struct.unpack(">II", await self._reader.readexactly(8))
        flags, length = second >> 24, second & 0xFFFFFF
        payload = await self._reader.readexactly(length)
        if first & _CONTROL:
            return await self._control(first & 0xFFFF, flags, payload, group)
        stream = self._streams.get(first)
        if stream is not None:
            if payload:
                await stream.feed(payload)
                self._write_control(_WINDOW_UPDATE, struct.pack(">II", first, length))
            if flags & _FIN:
                await stream.feed(b"")
        return True

    async def _control(
        self, kind: int, flags: int, payload: bytes, group: asyncio.TaskGroup
    ) -> bool:
        if kind == _SYN_STREAM:
            number = struct.unpack(">I", payload[:4])[0] & 0x7FFFFFFF
            stream = Stream(number, self._headers(payload[10:]), self)
            self._streams[number] = stream
            reply = self._deflate.compress(struct.pack(">I", 0))
            reply += self._deflate.flush(zlib.Z_SYNC_FLUSH)
            self._write_control(_SYN_REPLY, struct.pack(">I", number) + reply)
            if flags & _FIN:
                await stream.feed(b"")
            group.create_task(_ignoring_disconnection(self._opened(stream)))
        elif kind == _PING:
            self._write_control(_PING, payload)
        elif kind == _RST_STREAM:
            stream_or_none = self._streams.pop(struct.unpack(">I", payload[:4])[0], None)
            if stream_or_none is not None:
                await stream_or_none.feed(b"")
        return kind != _GOAWAY

    def _write_control(self, kind: int, payload: bytes) -> None:
        self._writer.write(struct.pack(">HHI", 0x8003, kind, len(payload)) + payload)

    def _headers(self, block: bytes) -> dict[str, str]:
        raw = self._inflate.decompress(block)
        words: list[str] = []
        position = 4
        for _ in range(2 * struct.unpack(">I", raw[:4])[0]):
            length = struct.unpack(">I", raw[position : position + 4])[0]
            words.append(raw[position + 4 : position + 4 + length].decode())
            position += 4 + length
        return {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=True)}


async def _ignoring_disconnection(work: Awaitable[None]) -> None:
    try:
        await work
    except ConnectionError:
        return  # the client went away; there is no one to tell
