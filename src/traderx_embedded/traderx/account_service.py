"""Stand-in of account-service: accounts and their users, kept in the database."""

from collections.abc import Callable
from typing import Any, TypeVar

from traderx_embedded.traderx import http_server, jackson, program, spring, springdoc
from traderx_embedded.traderx.account_store import MODEL, Account, AccountStore, AccountUser
from traderx_embedded.traderx.hibernate import Repository
from traderx_embedded.traderx.people_client import PeopleClient
from traderx_embedded.traderx.spring import Call, Route, TextError
from traderx_embedded.traderx.switches import EMPTY_DATA, Switches, defective

PUBLISHED_PORT = 18088
Bound = TypeVar("Bound")
CONTROLLER = "finos.traderx.accountservice.controller"


class AccountController:
    """The routes below `/account/`."""

    def __init__(self, store: AccountStore, switches: Switches) -> None:
        self._store = store
        self._switches = switches

    async def list(self, _: Call) -> list[dict[str, Any]]:
        """All accounts."""
        accounts = await self._store.accounts()
        return [] if self._switches.is_on(EMPTY_DATA) else [a.as_json() for a in accounts]

    async def get(self, call: Call) -> dict[str, Any]:
        """One account."""
        return (await self._store.account(spring.to_path_int(call.variable, name="id"))).as_json()

    async def create(self, call: Call) -> dict[str, Any]:
        """Insert or update; POST and PUT do the same."""
        return await self._save(call, "createAccount")

    async def update(self, call: Call) -> dict[str, Any]:
        """Insert or update; POST and PUT do the same."""
        return await self._save(call, "updateAccount")

    async def _save(self, call: Call, method: str) -> dict[str, Any]:
        fields = _read(call, bean="Account", controller="AccountController", method=method)
        account = _bind(
            lambda: Account(
                id=jackson.to_int(fields.get("id"), "int") or 0,
                display_name=jackson.to_string(fields.get("displayName")),
            )
        )
        return (await self._store.save(account)).as_json()


class AccountUserController:
    """The routes below `/accountuser/`."""

    def __init__(self, store: AccountStore, people: PeopleClient, switches: Switches) -> None:
        self._store = store
        self._people = people
        self._switches = switches

    async def list(self, _: Call) -> list[dict[str, Any]]:
        """All users of all accounts."""
        users = await self._store.users()
        return [] if self._switches.is_on(EMPTY_DATA) else [u.as_json() for u in users]

    async def get(self, call: Call) -> dict[str, Any]:
        """Fails always: the real one looks a composite key up by a number."""
        spring.to_path_int(call.variable, name="id")
        raise TextError(
            500,
            f"Supplied id had wrong type: entity '{MODEL}.AccountUser' has id type 'class "
            f"{MODEL}.AccountUserID' but supplied id was of type 'class java.lang.Integer'",
        )

    async def create(self, call: Call) -> dict[str, Any]:
        """Add a user whom people-service knows."""
        user = self._user(call, "createAccountUser")
        await self._people.check(user.username)
        return await self._save(user)

    async def update(self, call: Call) -> dict[str, Any]:
        """Add a user without asking people-service."""
        return await self._save(self._user(call, "updateAccountUser"))

    def _user(self, call: Call, method: str) -> AccountUser:
        fields = _read(call, bean="AccountUser", controller="AccountUserController", method=method)
        return _bind(
            lambda: AccountUser(
                account_id=jackson.to_int(fields.get("accountId"), "java.lang.Integer"),
                username=jackson.to_string(fields.get("username")),
            )
        )

    async def _save(self, user: AccountUser) -> dict[str, Any]:
        await self._store.account(user.account_id)
        return (await self._store.save_user(user)).as_json()


def _read(call: Call, *, bean: str, controller: str, method: str) -> dict[str, Any]:
    signature = (
        f"public org.springframework.http.ResponseEntity<{MODEL}.{bean}> "
        f"{CONTROLLER}.{controller}.{method}({MODEL}.{bean})"
    )
    request = call.request
    return _bind(
        lambda: jackson.read_bean(
            request.headers.get("content-type"),
            request.body,
            bean=f"{MODEL}.{bean}",
            signature=signature,
        )
    )


def _bind(read: Callable[[], Bound]) -> Bound:
    # A controller's exceptions are all 500 here, those about the body included.
    try:
        return read()
    except jackson.BindingError as error:
        raise TextError(500, str(error)) from error


def _application(
    store: AccountStore, people: PeopleClient, switches: Switches, *, port: int
) -> spring.Application:
    accounts = AccountController(store, switches)
    users = AccountUserController(store, people, switches)
    routes = []
    for prefix, controller in (("/account/", accounts), ("/accountuser/", users)):
        collection = {
            "GET": controller.list,
            "POST": controller.create,
            "PUT": controller.update,
        }
        routes.append(Route(prefix=prefix, has_variable=False, methods=collection))
        routes.append(Route(prefix=prefix, has_variable=True, methods={"GET": controller.get}))
    pages = springdoc.pages("account-service", published_port=PUBLISHED_PORT, port=port)
    return spring.Application(routes, pages)


async def _start(switches: Switches) -> tuple[program.Port, ...]:
    port = program.port_variable("ACCOUNT_SERVICE_PORT", PUBLISHED_PORT)
    store = AccountStore(await Repository.open())
    application = _application(store, PeopleClient.from_environment(), switches, port=port)
    handler = defective(application.handle, switches, failure=spring.failure)
    server = await http_server.listen(handler, host=program.bind_address(), port=port)
    return (program.Port(name="http", server=server),)


if __name__ == "__main__":
    program.run("account-service", _start, switches=Switches())
