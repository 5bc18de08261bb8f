"""The protocol between the database and its clients, in place of H2's: one JSON object a line.

The client opens with `{"open": database, "user": ..., "password": ...}` and then sends statements,
`{"sql": text, "args": [...]}`, one at a time, or several as one transaction,
`{"transaction": [[text, [...]], ...]}`; the answer is `{"rows": [[...]]}`, the last statement's, or
`{"error": {"state": "22001", "message": ...}}`.
"""

import asyncio
import json
from typing import Any

LINE_LIMIT = 64 * 1024 * 1024
"""All positions of all accounts come in one line."""


class LineError(Exception):
    """What came is no line of this protocol."""


class ConnectionLostError(Exception):
    """The other side went away in the middle of an exchange."""


async def read(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next object, or None at the end.

    Raises:
        LineError: Something else than an object came.
    """
    try:
        line = await reader.readline()
    except ConnectionError:
        return None
    except ValueError as error:
        raise LineError(f"line above {LINE_LIMIT} bytes") from error
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
    except ValueError as error:
        raise LineError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(value, dict):
        raise LineError(f"not an object: {line[:80]!r}")
    return value


async def write(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    """Send one object."""
    writer.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")
    await writer.drain()
