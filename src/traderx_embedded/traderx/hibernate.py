"""How a Spring service uses its database: found at the start or never, then Hibernate's texts."""

from collections.abc import Awaitable
from typing import Any

from traderx_embedded.traderx import program, sql_wire
from traderx_embedded.traderx.spring import TextError
from traderx_embedded.traderx.sql_client import (
    Address,
    DatabaseAwayError,
    FailedStatementError,
    SqlClient,
)

START_TIMEOUT_S = 10.0
"""So long the real services look for their database before they give up."""
_CONSTRAINTS = {"23502", "23505", "23506", "23513"}


class Repository:
    """Runs statements; every failure is the text of an exception, for the answer."""

    def __init__(self, sql: SqlClient) -> None:
        self._sql = sql

    @classmethod
    async def open(cls) -> "Repository":
        """Connect to the database that the environment names.

        Raises:
            StartError: It is not there in time, or lets nobody in.
        """
        address = Address.from_environment()
        sql = SqlClient(address)
        try:
            await sql.check(min(START_TIMEOUT_S, address.timeout_s))
        except DatabaseAwayError as error:
            text = "HibernateException: Unable to determine Dialect without JDBC metadata"
            raise program.StartError(f"{text}; no database at {sql}") from error
        except FailedStatementError as error:
            raise program.StartError(f"the database refuses us: {error}") from error
        return cls(sql)

    async def execute(self, sql: str, *args: Any) -> list[list[Any]]:
        """Run a statement of one of Spring Data's own methods: each opens a transaction.

        Raises:
            TextError: 500, it failed.
        """
        try:
            return await self._run(sql, args)
        except DatabaseAwayError:
            raise TextError(500, "Could not open JPA EntityManager for transaction") from None

    async def query(self, sql: str, *args: Any) -> list[list[Any]]:
        """Run a query that a repository derives from its method's name: without a transaction.

        Raises:
            TextError: 500, it failed; a database that is away shows differently here.
        """
        try:
            return await self._run(sql, args)
        except DatabaseAwayError as error:
            raise TextError(500, f"Unable to acquire JDBC Connection [{error}] [n/a]") from None

    async def transaction(self, *statements: tuple[str, tuple[Any, ...]]) -> list[list[Any]]:
        """Run several statements or none, and return the rows of the last.

        Raises:
            TextError: 500, one of them failed.
        """
        (last, _) = statements[-1]
        try:
            return await self._guarded(last, self._sql.transaction(*statements))
        except DatabaseAwayError:
            raise TextError(500, "Could not open JPA EntityManager for transaction") from None

    async def _run(self, sql: str, args: tuple[Any, ...]) -> list[list[Any]]:
        return await self._guarded(sql, self._sql.execute(sql, *args))

    async def _guarded(self, sql: str, work: Awaitable[list[list[Any]]]) -> list[list[Any]]:
        try:
            return await work
        except sql_wire.ConnectionLostError as error:
            raise TextError(500, f"JDBC exception executing SQL [{sql}]: {error}") from error
        except FailedStatementError as error:
            raise TextError(500, _failure(error, sql)) from error


def _failure(error: FailedStatementError, sql: str) -> str:
    text = f"could not execute statement [{error}] [{sql}]; SQL [{sql}]"
    return f"{text}; constraint [null]" if error.state in _CONSTRAINTS else text
