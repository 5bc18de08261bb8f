"""Stand-in of the database: SQLite in memory, H2's ports, web console and error messages.

Schema and seed are made anew at every start, as the real one does, unless that is repaired.
"""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

from traderx_embedded.traderx import h2_console, http_server, program, sql_wire
from traderx_embedded.traderx.h2_engine import Database, StatementError
from traderx_embedded.traderx.switches import (
    COMMON,
    EMPTY_DATA,
    SLOW,
    SLOW_S,
    UNAVAILABLE,
    WRONG_APPLICATION,
    Effect,
    Switch,
    Switches,
    defective,
)

log = logging.getLogger(__name__)

NAME, USER, PASSWORD = "traderx", "sa", "sa"
REPAIR_RESET = Switch(
    name="repair-reset",
    meaning="data outlast a restart, in a file; this switch then stays on with them",
    effect=Effect.REPAIR,
)
SWITCHES = (*COMMON, REPAIR_RESET)


class SqlPort:
    """The port of the wire protocol."""

    def __init__(self, database: Database, switches: Switches) -> None:
        self._database = database
        self._switches = switches

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it leaves or breaks the protocol."""
        try:
            if await self._is_let_in(reader, writer):
                while (line := await sql_wire.read(reader)) is not None:
                    await sql_wire.write(writer, await self._answer(line))
        except sql_wire.LineError as error:
            log.warning("client refused: %s", error)
        except ConnectionError as error:
            log.info("client left: %s", error)
        finally:
            writer.close()

    async def _is_let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line = await sql_wire.read(reader)
        if line is None:
            return False
        if self._switches.is_on(WRONG_APPLICATION):
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            return False
        if (line.get("user"), line.get("password")) != (USER, PASSWORD):
            await sql_wire.write(writer, _error(28000, "Wrong user name or password [28000-232]"))
            return False
        if str(line.get("open")).lower() != NAME:
            text = f'Database "{line.get("open")}" not found [90149-232]'
            await sql_wire.write(writer, _error(90149, text))
            return False
        await sql_wire.write(writer, {"rows": []})
        return True

    async def _answer(self, line: dict[str, Any]) -> dict[str, Any]:
        if self._switches.is_on(SLOW):
            await asyncio.sleep(SLOW_S)
        if self._switches.is_on(UNAVAILABLE):
            return _error(50000, "General error: switched off [50000-232]")
        sql = str(line.get("sql"))
        if self._switches.is_on(EMPTY_DATA) and sql.lower().startswith("select "):
            return {"rows": []}
        try:
            if "transaction" in line:
                return {"rows": self._database.execute_all(line["transaction"])}
            return {"rows": self._database.execute(sql, line.get("args", []))}
        except StatementError as error:
            return _error(error.code, str(error))


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"state": str(code), "message": message}}


class PgPort:
    """H2's PostgreSQL port: open, and of no use, like the real one with this database."""

    async def serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Disconnect, as H2 does once a client says which database it wants."""
        writer.close()


async def _start(switches: Switches) -> tuple[program.Port, ...]:
    host = program.bind_address()
    names = os.environ.get("DATABASE_WEB_HOSTNAMES", "")
    console = h2_console.Console(allowed=[*names.split(","), host])
    web = defective(console.handle, switches, failure=h2_console.failure)
    numbers = {
        "tcp": program.port_variable("DATABASE_TCP_PORT", 18082),
        "pg": program.port_variable("DATABASE_PG_PORT", 18083),
        "web": program.port_variable("DATABASE_WEB_PORT", 18084),
    }
    directory = Path(os.environ.get("TRADERX_DATA_DIR", "_data"))
    database = Database(directory / "traderx.sqlite")
    switches.set(REPAIR_RESET.name, on=database.is_kept)
    switches.watch(REPAIR_RESET, lambda on: database.keep(kept=on))
    sql = SqlPort(database, switches)
    tcp = await asyncio.start_server(sql.serve, host, numbers["tcp"], limit=sql_wire.LINE_LIMIT)
    pg = await asyncio.start_server(PgPort().serve, host, numbers["pg"])
    return (
        program.Port(name="tcp", server=tcp),
        program.Port(name="pg", server=pg),
        program.Port(
            name="web", server=await http_server.listen(web, host=host, port=numbers["web"])
        ),
    )


if __name__ == "__main__":
    program.run("database", _start, switches=Switches(SWITCHES))
