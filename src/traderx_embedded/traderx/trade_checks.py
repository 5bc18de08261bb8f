"""What trade-service asks reference-data and account-service before it accepts an order."""

import asyncio
import json
import re
from urllib.parse import quote

from traderx_embedded.traderx.peer import Peer, PeerAwayError, Reply
from traderx_embedded.traderx.spring import StatusError
from traderx_embedded.traderx.switches import Effect, Switch, Switches

REPAIRED_TIMEOUT_S = 2.0
ACCEPT_UNKNOWN = Switch(
    name="accept-unknown", meaning="orders are accepted whatever their ticker and account"
)
REPAIR_HANGING = Switch(
    name="repair-hanging",
    meaning=f"a peer that does not answer within {REPAIRED_TIMEOUT_S:g} s is taken to be down",
    effect=Effect.REPAIR,
)
REPAIR_TICKERS = Switch(
    name="repair-tickers",
    meaning="only exact tickers are known: IBM/, IBM?x=1 and the like are refused",
    effect=Effect.REPAIR,
)
SWITCHES = (ACCEPT_UNKNOWN, REPAIR_HANGING, REPAIR_TICKERS)


class Checks:
    """Ticker first, then account."""

    def __init__(self, reference_data: Peer, account_service: Peer, switches: Switches) -> None:
        self._reference_data = reference_data
        self._account_service = account_service
        self._switches = switches

    async def check(self, security: str | None, account_id: int | None) -> None:
        """Return if both are known.

        Raises:
            StatusError: 404 one is unknown, 500 nobody can say.
        """
        if self._switches.is_on(ACCEPT_UNKNOWN):
            return
        if not await self._is_known(self._reference_data, self._stock(security)):
            raise StatusError(404, f"{security} not found in Reference data service.")
        account = "null" if account_id is None else account_id
        # Addresses of peers are joined with two slashes, and one of them is then taken out.
        if not await self._is_known(self._account_service, f"/account/{account}"):
            raise StatusError(404, f"{account_id} not found in Account service.")

    def _stock(self, security: str | None) -> str:
        ticker = "null" if security is None else security
        if self._switches.is_on(REPAIR_TICKERS):
            return f"/stocks/{quote(ticker, safe='')}" if ticker.strip() else "/stocks/null"
        # The real one makes a template of an address out of it.
        if re.search(r"\{[^{}]*\}", ticker):
            raise StatusError(500, f"Not enough variable values available to expand {ticker!r}")
        path, _, rest = ticker.rstrip().partition("#")[0].partition("?")
        query = f"?{quote(rest, safe='/:@!$&()*+,;=?-._~')}" if rest else ""
        return f"/stocks/{quote(path, safe='/:@!$&()*+,;=-._~')}{query}"

    async def _is_known(self, peer: Peer, target: str) -> bool:
        limit = REPAIRED_TIMEOUT_S if self._switches.is_on(REPAIR_HANGING) else None
        try:
            async with asyncio.timeout(limit):
                reply = await peer.get(target)
        except PeerAwayError as error:
            raise StatusError(500, f"I/O error on GET request: {error}") from error
        except TimeoutError as error:
            raise StatusError(500, f"{target}: no answer within {limit} s") from error
        if 400 <= reply.status < 500:
            return False
        if not _is_object(reply):
            raise StatusError(500, f"{target}: status {reply.status} and no object")
        return True


def _is_object(reply: Reply) -> bool:
    if reply.status != 200 or "json" not in reply.content_type:
        return False
    try:
        return isinstance(json.loads(reply.body), dict)
    except ValueError:
        return False
