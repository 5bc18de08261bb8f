"""Stand-in of position-service: trades and positions, read from the database at every request."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from traderx_embedded.traderx import http_server, program, spring, springdoc
from traderx_embedded.traderx.hibernate import Repository
from traderx_embedded.traderx.position_defects import REPAIR_READINESS, SWITCHES, DefectiveStore
from traderx_embedded.traderx.position_store import PositionStore
from traderx_embedded.traderx.spring import Call, Route, TextError
from traderx_embedded.traderx.switches import Switches, defective

PUBLISHED_PORT = 18090


class Row(Protocol):
    """What a list consists of."""

    def as_json(self) -> dict[str, Any]:
        """Return what goes over the wire."""
        ...


class ListController:
    """The routes of a list: all rows, and one account's."""

    def __init__(
        self,
        everything: Callable[[], Awaitable[Sequence[Row]]],
        of_account: Callable[[int], Awaitable[Sequence[Row]]],
    ) -> None:
        self._everything = everything
        self._of_account = of_account

    async def every(self, _: Call) -> list[dict[str, Any]]:
        """All rows of all accounts."""
        return [row.as_json() for row in await self._everything()]

    async def of_account(self, call: Call) -> list[dict[str, Any]]:
        """One account's rows."""
        account_id = spring.to_path_int(call.variable, name="accountId")
        return [row.as_json() for row in await self._of_account(account_id)]


class HealthController:
    """The two health routes."""

    def __init__(self, store: DefectiveStore, switches: Switches) -> None:
        self._store = store
        self._switches = switches

    async def is_ready(self, _: Call) -> bool:
        """Whether there is a position; the status is 200 in either case, unless repaired."""
        ready = bool(await self._store.positions())
        if not ready and self._switches.is_on(REPAIR_READINESS):
            raise TextError(503, "false")
        return ready

    async def is_alive(self, _: Call) -> bool:
        """Whether it answers at all."""
        return True


def _application(store: DefectiveStore, switches: Switches, *, port: int) -> spring.Application:
    routes = []
    for prefix, controller in (
        ("/trades/", ListController(store.trades, store.trades_of)),
        ("/positions/", ListController(store.positions, store.positions_of)),
    ):
        routes.append(Route(prefix=prefix, has_variable=False, methods={"GET": controller.every}))
        routes.append(
            Route(prefix=prefix, has_variable=True, methods={"GET": controller.of_account})
        )
    health = HealthController(store, switches)
    for path, check in (("/health/ready", health.is_ready), ("/health/alive", health.is_alive)):
        routes.append(Route(prefix=path, has_variable=False, methods={"GET": check}))
    pages = springdoc.pages("position-service", published_port=PUBLISHED_PORT, port=port)
    return spring.Application(routes, pages)


async def _start(switches: Switches) -> tuple[program.Port, ...]:
    port = program.port_variable("POSITION_SERVICE_PORT", PUBLISHED_PORT)
    repository = await Repository.open()
    try:
        store = await DefectiveStore.open(PositionStore(repository), switches)
    except TextError as error:
        raise program.StartError(f"the database has no tables of TraderX: {error}") from error
    application = _application(store, switches, port=port)
    handler = defective(application.handle, switches, failure=spring.failure)
    server = await http_server.listen(handler, host=program.bind_address(), port=port)
    return (program.Port(name="http", server=server),)


if __name__ == "__main__":
    program.run("position-service", _start, switches=Switches(SWITCHES))
