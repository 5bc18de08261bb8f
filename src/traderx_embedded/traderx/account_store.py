"""Accounts and their users in the database, with the texts of the real service."""

from dataclasses import dataclass
from typing import Any

from traderx_embedded.traderx.hibernate import Repository
from traderx_embedded.traderx.spring import TextError

MODEL = "finos.traderx.accountservice.model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account; its name may be null."""

    id: int
    display_name: str | None

    def as_json(self) -> dict[str, Any]:
        """Return what goes over the wire."""
        return {"id": self.id, "displayName": self.display_name}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUser:
    """A user of an account."""

    account_id: int | None
    username: str | None

    def as_json(self) -> dict[str, Any]:
        """Return what goes over the wire."""
        return {"accountId": self.account_id, "username": self.username}


class AccountStore:
    """What the repositories of account-service do."""

    def __init__(self, repository: Repository) -> None:
        self._execute = repository.execute

    async def accounts(self) -> list[Account]:
        """Return all accounts."""
        rows = await self._execute("select ID,DisplayName from ACCOUNTS order by ID")
        return [Account(id=row[0], display_name=row[1]) for row in rows]

    async def account(self, account_id: int | None) -> Account:
        """Return one account.

        Raises:
            TextError: 404 for an unknown id, 500 for none.
        """
        if account_id is None:
            raise TextError(500, "The given id must not be null")
        rows = await self._execute("select ID,DisplayName from ACCOUNTS where ID=?", account_id)
        if not rows:
            raise TextError(404, f"Account with id {account_id}not found")
        return Account(id=rows[0][0], display_name=rows[0][1])

    async def save(self, account: Account) -> Account:
        """Insert an account of id 0 under a new id, or update one that exists."""
        if account.id == 0:
            # The number is used up also if the insert fails.
            new_id = (await self._execute("select next value for ACCOUNTS_SEQ"))[0][0]
            sql = "insert into ACCOUNTS (DisplayName,ID) values (?,?)"
            await self._execute(sql, account.display_name, new_id)
            return Account(id=new_id, display_name=account.display_name)
        if not await self._execute("select ID from ACCOUNTS where ID=?", account.id):
            raise TextError(
                500,
                "Row was updated or deleted by another transaction (or unsaved-value mapping was "
                f"incorrect): [{MODEL}.Account#{account.id}]",
            )
        sql = "update ACCOUNTS set DisplayName=? where ID=?"
        await self._execute(sql, account.display_name, account.id)
        return account

    async def users(self) -> list[AccountUser]:
        """Return all users of all accounts."""
        rows = await self._execute(
            "select AccountID,Username from Accountusers order by AccountID,Username"
        )
        return [AccountUser(account_id=row[0], username=row[1]) for row in rows]

    async def save_user(self, user: AccountUser) -> AccountUser:
        """Add a user to an account; one that is there already stays."""
        known = await self._execute(
            "select 1 from Accountusers where AccountID=? and Username=?",
            user.account_id,
            user.username,
        )
        if not known:
            sql = "insert into Accountusers (AccountID,Username) values (?,?)"
            await self._execute(sql, user.account_id, user.username)
        return user
