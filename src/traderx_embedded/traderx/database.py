"""Stand-in of the database: SQLite in memory, H2's ports, web console and error messages.

The schema and the seed are made anew at every start, as the real one does.
"""

import asyncio
import logging
import os
import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from traderx_embedded.traderx import database_schema as schema
from traderx_embedded.traderx import h2_console, http_server, program, sql_wire
from traderx_embedded.traderx.switches import (
    EMPTY_DATA,
    SLOW,
    SLOW_S,
    UNAVAILABLE,
    WRONG_APPLICATION,
    Switches,
    defective,
)

log = logging.getLogger(__name__)

BUILD = 232
"""H2 2.3.232 puts the last part of its version behind every error code."""
NAME, USER, PASSWORD = "traderx", "sa", "sa"
_NEXT_VALUE = re.compile(r"select next value for (\w+)", re.IGNORECASE)
_LENGTH = re.compile(r"CHECK constraint failed: (\w+ CHARACTER VARYING\((\d+)\))")
_ALTER = re.compile(
    r"alter table (?P<table>\w+) alter column (?P<column>\w+) set data type"
    r" (?:varchar\((?P<length>\d+)\)|enum \('Buy','Sell'\))"
)
_STATES = {
    "NOT NULL constraint failed": 23502,
    "UNIQUE constraint failed": 23505,
    "FOREIGN KEY constraint failed": 23506,
    "CHECK constraint failed": 23513,
}


class StatementError(Exception):
    """A statement failed; the text is H2's, as far as it is known."""

    def __init__(self, code: int, message: str, sql: str) -> None:
        super().__init__(f"{message}; SQL statement:\n{sql} [{code}-{BUILD}]")
        self.code = code


class Database:
    """TraderX's data. One statement at a time, each its own transaction."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.executescript(schema.TABLES)
        self._db.execute("pragma foreign_keys = on")
        self._seed(datetime.now(UTC).isoformat(timespec="milliseconds"))

    def _seed(self, now: str) -> None:
        insert = self._db.executemany
        insert("insert into Accounts values (?, ?)", schema.ACCOUNTS)
        users = [(account, user) for account, users in schema.USERS.items() for user in users]
        insert("insert into AccountUsers values (?, ?)", users)
        for trade, account, security, side, quantity in schema.TRADES:
            row = (trade, account, now, now, security, side, quantity, "Settled")
            self._db.execute("insert into Trades values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        positions = [
            (account, security, now, total) for account, security, total in schema.POSITIONS
        ]
        insert("insert into Positions values (?, ?, ?, ?)", positions)
        first = ("ACCOUNTS_SEQ", schema.FIRST_ACCOUNT_ID)
        self._db.execute("insert into Sequences values (?, ?)", first)

    def execute(self, sql: str, args: Sequence[Any]) -> list[list[Any]]:
        """Run a statement.

        Raises:
            StatementError: It failed.
        """
        if match := _ALTER.fullmatch(sql):
            self._alter(match["table"], match["column"], match["length"])
            return []
        statement, values = sql, list(args)
        if match := _NEXT_VALUE.fullmatch(sql):
            statement = "update Sequences set Next = Next + 1 where Name = ? returning Next - 1"
            values = [match[1].upper()]
        try:
            return [list(row) for row in self._db.execute(statement, values).fetchall()]
        except sqlite3.Error as error:
            raise _as_h2(str(error), sql, values) from error

    def execute_all(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[list[Any]]:
        """Run statements or none of them; return the rows of the last.

        Raises:
            StatementError: One of them failed.
        """
        rows: list[list[Any]] = []
        self._db.execute("begin")
        try:
            for sql, args in statements:
                rows = self.execute(sql, args)
        except StatementError:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")
        return rows

    def _alter(self, table: str, column: str, length: str | None) -> None:
        # SQLite cannot alter a column: the table is made anew. An enum of the sides is what the
        # column's check says already.
        if length is None:
            return
        query = "select sql from sqlite_master where type = 'table' and name = ? collate nocase"
        ((made,),) = self._db.execute(query, (table,)).fetchall()
        for statement in (
            "begin",
            f"alter table {table} rename to Former",
            schema.widened(made, column, int(length)),
            f"insert into {table} select * from Former order by rowid",  # noqa: S608 - a word
            "drop table Former",
            "commit",
        ):
            self._db.execute(statement)


def _as_h2(text: str, sql: str, values: Sequence[Any]) -> StatementError:
    if match := _LENGTH.fullmatch(text):
        long = next(v for v in values if isinstance(v, str) and len(v) > int(match[2]))
        message = f'Value too long for column "{match[1]}": "\'{long}\' ({len(long)})"'
        return StatementError(22001, message, sql)
    kind, _, detail = text.partition(": ")
    if kind == "NOT NULL constraint failed":
        column = detail.rpartition(".")[2].upper()
        return StatementError(23502, f'NULL not allowed for column "{column}"', sql)
    return StatementError(_STATES.get(kind, 50000), text, sql)


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
    sql = SqlPort(Database(), switches)
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
    program.run("database", _start, switches=Switches())
