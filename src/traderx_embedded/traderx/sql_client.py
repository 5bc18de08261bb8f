"""A connection pool to the database, with the time-outs of the real services' pool (Hikari)."""

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import Any

from traderx_embedded.traderx import program, sql_wire

POOL_SIZE = 10
RETRY_S = 0.1
DEFAULT_TIMEOUT_MS = 30_000


class DatabaseAwayError(Exception):
    """No connection could be had within the pool's time-out; the text is Hikari's."""


class FailedStatementError(Exception):
    """The database refused a statement; `state` is the code, the text its message."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state = state


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the database is and who asks; from the variables of the real services."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    timeout_s: float

    @classmethod
    def from_environment(cls) -> "Address":
        """Read `DATABASE_*` and Spring's own variable for the pool's time-out."""
        get = os.environ.get
        timeout = get("SPRING_DATASOURCE_HIKARI_CONNECTION_TIMEOUT", str(DEFAULT_TIMEOUT_MS))
        if not timeout.isdecimal():
            raise program.StartError(f"connection time-out {timeout!r} is no number of ms")
        return cls(
            host=get("DATABASE_TCP_HOST", "localhost"),
            port=program.port_variable("DATABASE_TCP_PORT", 18082),
            name=get("DATABASE_NAME", "traderx"),
            user=get("DATABASE_DBUSER", "sa"),
            password=get("DATABASE_DBPASS", "sa"),
            timeout_s=int(timeout) / 1000,
        )


class Connection:
    """One connection; what is sent on it is answered in turn."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def is_alive(self) -> bool:
        """Whether the other side still holds it, as far as is known."""
        return not self._reader.at_eof() and self._reader.exception() is None

    async def ask(self, value: dict[str, Any]) -> list[list[Any]]:
        """Send a line and return the rows of the answer; waits as long as the database takes."""
        try:
            await sql_wire.write(self._writer, value)
            answer = await sql_wire.read(self._reader)
        except (ConnectionError, sql_wire.LineError) as error:
            raise sql_wire.ConnectionLostError(str(error)) from error
        if answer is None:
            raise sql_wire.ConnectionLostError("the database closed the connection")
        if "error" in answer:
            raise FailedStatementError(answer["error"]["state"], answer["error"]["message"])
        return [list(row) for row in answer["rows"]]

    def close(self) -> None:
        """Close it."""
        self._writer.close()


class SqlClient:
    """At most ten connections, made when needed and kept."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._free = asyncio.Semaphore(POOL_SIZE)
        self._idle: list[Connection] = []
        self._active = 0
        self._waiting = 0

    def __str__(self) -> str:
        """Return where the database is."""
        return f"{self._address.host}:{self._address.port}"

    async def check(self, timeout_s: float) -> None:
        """Connect once, for the start.

        Raises:
            DatabaseAwayError: Not within the time-out.
            FailedStatementError: The database does not let this user in.
        """
        try:
            async with asyncio.timeout(timeout_s):
                self._idle.append(await self._connect())
        except TimeoutError:
            raise DatabaseAwayError from None

    async def execute(self, sql: str, *args: Any) -> list[list[Any]]:
        """Run one statement in a transaction of its own.

        Raises:
            DatabaseAwayError: No connection within the pool's time-out.
            FailedStatementError: The database refused the statement.
            sql_wire.ConnectionLostError: The database went away; whether it ran is unknown.
        """
        return await self._ask({"sql": sql, "args": args})

    async def transaction(self, *statements: tuple[str, tuple[Any, ...]]) -> list[list[Any]]:
        """Run statements in one transaction and return the rows of the last; raises the same."""
        return await self._ask({"transaction": statements})

    async def _ask(self, line: dict[str, Any]) -> list[list[Any]]:
        connection = await self._acquire()
        try:
            rows = await connection.ask(line)
        except FailedStatementError:
            self._idle.append(connection)
            raise
        except BaseException:
            connection.close()
            raise
        else:
            self._idle.append(connection)
            return rows
        finally:
            self._active -= 1
            self._free.release()

    async def _acquire(self) -> Connection:
        asked = time.monotonic()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._address.timeout_s):
                await self._free.acquire()
                try:
                    connection = await self._idle_or_new()
                except BaseException:
                    self._free.release()
                    raise
        except TimeoutError:
            waited_ms = round((time.monotonic() - asked) * 1000)
            raise DatabaseAwayError(self._exhausted(waited_ms)) from None
        finally:
            self._waiting -= 1
        self._active += 1
        return connection

    def _exhausted(self, waited_ms: int) -> str:
        idle, active = len(self._idle), self._active
        counts = f"total={idle + active}, active={active}, idle={idle}, waiting={self._waiting - 1}"
        pool = "HikariPool-1 - Connection is not available"
        return f"{pool}, request timed out after {waited_ms}ms ({counts})"

    async def _idle_or_new(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_alive:
                return connection
            connection.close()
        return await self._connect()

    async def _connect(self) -> Connection:
        address = self._address
        hello = {"open": address.name, "user": address.user, "password": address.password}
        while True:
            try:
                reader, writer = await asyncio.open_connection(
                    address.host, address.port, limit=sql_wire.LINE_LIMIT
                )
            except OSError:
                # Nothing tells when a port will open: the pool tries again, as Hikari does.
                await asyncio.sleep(RETRY_S)
                continue
            connection = Connection(reader, writer)
            try:
                await connection.ask(hello)
            except sql_wire.ConnectionLostError:
                connection.close()
                await asyncio.sleep(RETRY_S)
                continue
            except BaseException:
                connection.close()
                raise
            return connection
