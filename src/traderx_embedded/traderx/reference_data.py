"""Stand-in of reference-data: 505 stocks from a file, a health route, no database."""

import csv
import os
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from traderx_embedded.traderx import express, http_server, program
from traderx_embedded.traderx.http_server import Request, Response
from traderx_embedded.traderx.switches import EMPTY_DATA, Switches, defective

DATA = Path(__file__).parent / "data"
NO_CACHE = ("Cache-Control", "no-cache, no-store, must-revalidate")
HEALTH = {"status": "ok", "info": {}, "error": {}, "details": {}}
DOCUMENTS = {"/api-json": "openapi.json", "/api-yaml": "openapi.yaml"}
MEDIA_TYPES = {"/api-json": express.JSON, "/api-yaml": "text/yaml; charset=utf-8"}


@cache
def companies() -> tuple[tuple[str, str], ...]:
    """Return ticker and name of every company, in the order of the file."""
    text = (DATA / "companies.csv").read_text("utf-8")
    return tuple((row["Symbol"], row["Security"]) for row in csv.DictReader(text.splitlines()))


class ReferenceData:
    """The routes; the list is encoded once, as it never changes."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._stocks = {t: {"ticker": t, "companyName": name} for t, name in companies()}
        self._list = express.answer(list(self._stocks.values()))
        self._empty = express.answer([])

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        if request.method == "OPTIONS":
            return express.preflight()
        try:
            express.parse_body(request)
            return express.unless_cached(request, self._route(request))
        except express.HttpError as error:
            return error.response

    def _route(self, request: Request) -> Response:
        path = request.path
        if request.method not in {"GET", "HEAD"}:
            raise express.not_found(request)
        if path in DOCUMENTS:
            document = (DATA / f"reference-data-{DOCUMENTS[path]}").read_bytes()
            return express.page(document, content_type=MEDIA_TYPES[path])
        # Express matches paths without regard to case and to one slash at the end.
        if re.fullmatch(r"/health/?", path, re.IGNORECASE):
            return express.answer(HEALTH, headers=(NO_CACHE,))
        if re.fullmatch(r"/stocks/?", path, re.IGNORECASE):
            return self._empty if self._switches.is_on(EMPTY_DATA) else self._list
        if match := re.fullmatch(r"/stocks/([^/]+)/?", path, re.IGNORECASE):
            return self._stock(unquote(match[1]))
        raise express.not_found(request)

    def _stock(self, ticker: str) -> Response:
        if ticker not in self._stocks:
            raise express.HttpError(404, "Not Found", f'Stock ticker "{ticker}" not found.')
        return express.answer(self._stocks[ticker])


def _failure(_: Request) -> Response:
    return express.answer({"statusCode": 500, "message": "Internal server error"}, status=500)


async def _start(switches: Switches) -> tuple[program.Port, ...]:
    handler = defective(ReferenceData(switches).handle, switches, failure=_failure)
    host = os.environ.get("REFERENCE_DATA_HOSTNAME", program.WILDCARD)
    if host == program.WILDCARD:
        host = program.bind_address()
    port = program.port_variable("REFERENCE_DATA_SERVICE_PORT", 18085)
    server = await http_server.listen(handler, host=host, port=port)
    return (program.Port(name="http", server=server),)


if __name__ == "__main__":
    program.run("reference-data", _start, switches=Switches())
