"""The data of the database: SQLite's engine with H2's statements and error texts."""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from traderx_embedded.traderx import database_schema as schema

BUILD = 232
"""H2 2.3.232 puts the last part of its version behind every error code."""
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
    """TraderX's data. One statement at a time, each its own transaction.

    Args:
        kept: Where data are kept over a restart, if they are; what is there is taken up.
    """

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self.is_kept = kept.exists()
        self._db = _open(str(kept) if self.is_kept else ":memory:")
        if not self.is_kept:
            self._db.executescript(schema.TABLES)
            self._seed(datetime.now(UTC).isoformat(timespec="milliseconds"))

    def keep(self, *, kept: bool) -> None:
        """Keep the data over a restart from now on, or no more."""
        if kept == self.is_kept:
            return
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        former, self._db = self._db, _open(str(self._kept) if kept else ":memory:")
        with closing(former):
            former.backup(self._db)
        if not kept:
            self._kept.unlink()
        self.is_kept = kept

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


def _open(place: str) -> sqlite3.Connection:
    database = sqlite3.connect(place, isolation_level=None)
    database.execute("pragma foreign_keys = on")
    return database


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
