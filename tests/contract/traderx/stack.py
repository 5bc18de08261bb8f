"""Several stand-ins on one address, which find each other as the real services do."""

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.contract.traderx import stand_in_process
from tests.contract.traderx.stand_in_process import ADMIN, StandIn, ask

ACCOUNT_PORT, POSITION_PORT, PROCESSOR_PORT, TRADE_PORT = 18088, 18090, 18091, 18092
POOL_TIMEOUT_MS = 300
RECONNECT_MS = 50
NO_HEADERS: Mapping[str, str] = {}
BEHIND_TRADE_SERVICE = ("database", "reference-data", "account-service", "trade-feed")
ORDERS_TAKEN = (*BEHIND_TRADE_SERVICE, "trade-service")
ALL = (
    *BEHIND_TRADE_SERVICE,
    "trade-processor",
    "position-service",
    "trade-service",
)


class Stack:
    """Running stand-ins by name."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.address = stand_in_process.own_address()
        hosts = dict.fromkeys(
            (
                "ACCOUNT_SERVICE_HOST",
                "DATABASE_TCP_HOST",
                "PEOPLE_SERVICE_HOST",
                "REFERENCE_DATA_HOST",
                "TRADE_FEED_HOST",
            ),
            self.address,
        )
        self._variables = {
            **hosts,
            **ADMIN,
            "SPRING_DATASOURCE_HIKARI_CONNECTION_TIMEOUT": str(POOL_TIMEOUT_MS),
            "TRADERX_RECONNECT_DELAY_MS": str(RECONNECT_MS),
            **variables,
        }
        self._running: dict[str, StandIn] = {}

    def __getitem__(self, name: str) -> StandIn:
        """Return a running stand-in."""
        return self._running[name]

    def start(self, *names: str) -> None:
        """Start stand-ins one after the other."""
        for name in names:
            if name in self._running:
                self._running[name].close()
            self._running[name] = StandIn(name, self.address, self._variables)
            self._running[name].await_started()

    def await_log(self, name: str, text: str, *, times: int = 1) -> None:
        """Return once a stand-in has logged a text so many times."""
        self._running[name].await_log(text, times=times)

    def close(self) -> None:
        """End all of them."""
        with ExitStack() as stack:
            for stand_in in self._running.values():
                stack.callback(stand_in.close)

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Stop a process as SIGSTOP does, and let it go on."""
        process = self._running[name].process
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    @contextmanager
    def second(self, name: str, **variables: str) -> Iterator[StandIn]:
        """Run another one of a kind."""
        merged = {**self._variables, **variables}
        with stand_in_process.running(name, self.address, **merged) as stand_in:
            yield stand_in

    def trades(self, account: int) -> list[dict[str, Any]]:
        """Return an account's trades as position-service shows them."""
        status, text = ask(self.address, POSITION_PORT, "GET", f"/trades/{account}")
        assert status == 200, text
        return list(json.loads(text))

    def order(
        self,
        fields: Mapping[str, object],
        *,
        port: int = TRADE_PORT,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> tuple[int, Any]:
        """Send an order, of Buy IBM unless it says otherwise; return status and body."""
        path = "/trade/" if port == TRADE_PORT else "/tradeservice/order"
        body = json.dumps({"security": "IBM", "side": "Buy", **fields})
        status, text = ask(
            self.address,
            port,
            "POST",
            path,
            body,
            headers={"Content-Type": "application/json", **headers},
        )
        return status, json.loads(text or "null")

    def new_account(self) -> int:
        """Create an account and return its id."""
        status, text = ask(
            self.address,
            ACCOUNT_PORT,
            "POST",
            "/account/",
            '{"displayName":"of a test"}',
            headers={"Content-Type": "application/json"},
        )
        assert status == 200, text
        return int(json.loads(text)["id"])

    def accounts_until(self, account: int) -> None:
        """Create accounts until there is one of this id."""
        while self.new_account() < account:
            pass


@contextmanager
def running(*names: str, **variables: str) -> Iterator[Stack]:
    """Run stand-ins, started in the order given."""
    stack = Stack(variables)
    try:
        stack.start(*names)
        yield stack
    finally:
        stack.close()
