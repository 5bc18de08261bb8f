"""As much of people-service as the records of account-service need."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PORT = 18089
KNOWN = {f"user{number:02}" for number in range(1, 11)}


class _Person(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        logon_id = parse_qs(urlsplit(self.path).query).get("LogonId", [""])[0]
        status = 200 if logon_id in KNOWN else 404 if logon_id else 400
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextmanager
def running(address: str) -> Iterator[None]:
    """Answer who is known."""
    with ThreadingHTTPServer((address, PORT), _Person) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def hung(address: str) -> Iterator[None]:
    """Take connections and say nothing, as a stopped process does."""
    with socket.create_server((address, PORT)):
        yield
