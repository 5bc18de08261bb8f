"""What account-service asks people-service: does this person exist?"""

import asyncio
import os

from traderx_embedded.traderx.spring import TextError

DEFAULT_PORT = 18089


class PeopleClient:
    """One question, without a time limit: a people-service that hangs makes the caller hang."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        authority = self._base_url.removeprefix("http://").partition("/")[0]
        host, _, port = authority.partition(":")
        self._host, self._port, self._authority = host, int(port or 80), authority

    @classmethod
    def from_environment(cls) -> "PeopleClient":
        """Read `PEOPLE_SERVICE_URL`, or `PEOPLE_SERVICE_HOST` with the port that is fixed."""
        host = os.environ.get("PEOPLE_SERVICE_HOST", "localhost")
        return cls(os.environ.get("PEOPLE_SERVICE_URL", f"http://{host}:{DEFAULT_PORT}"))

    async def check(self, username: str | None) -> None:
        """Return if the person exists.

        Raises:
            TextError: 404 unknown, 500 people-service failed or is away.
        """
        shown = "null" if username is None else username
        # The name goes into the URL as it is: `user02&x=1` asks for user02.
        status = await self._get(f"/People/GetPerson?LogonId={shown}")
        if 400 <= status < 500:
            raise TextError(404, f"{shown} not found in People service.")
        if status >= 500:
            raise TextError(500, f"{status} : [no body]")

    async def _get(self, target: str) -> int:
        url = f"{self._base_url}{target.partition('?')[0]}"
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            reason = "Connection refused" if error.errno else str(error)
            raise TextError(500, f'I/O error on GET request for "{url}": {reason}') from error
        try:
            line = target.replace(" ", "%20")
            head = f"GET {line} HTTP/1.1\r\nHost: {self._authority}\r\nAccept: application/json\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode())
            await writer.drain()
            words = (await reader.readline()).split()
            if len(words) < 2 or not words[1].isdigit():
                raise TextError(
                    500, f'I/O error on GET request for "{url}": Unexpected end of file'
                )
            return int(words[1])
        except ConnectionError as error:
            text = f'I/O error on GET request for "{url}": Connection reset'
            raise TextError(500, text) from error
        finally:
            writer.close()
