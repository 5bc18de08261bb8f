"""One statement in the database of a test, as a hand at its console would run it."""

import json
import socket
from typing import Any

PORT = 18082
TIMEOUT_S = 10.0


def run(address: str, sql: str, *args: Any) -> list[list[Any]]:
    """Run a statement and return its rows."""
    opening = {"open": "traderx", "user": "sa", "password": "sa"}
    with (
        socket.create_connection((address, PORT), timeout=TIMEOUT_S) as connection,
        connection.makefile("rw", encoding="utf-8") as stream,
    ):
        for line in (opening, {"sql": sql, "args": args}):
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            answer = json.loads(stream.readline())
            assert "rows" in answer, answer
    return list(answer["rows"])
